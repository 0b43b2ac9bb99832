# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of one module execution from the variables of the role magento_auth."""

from __future__ import annotations

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.keyfleet.magento.plugins.module_utils._role_keys import (
    PREFIX,
    entitlement_once,
    identities,
    role_keys,
)


def auth_keys(variables, *, host, hosts, hostvars):
    """See the documentation beside this file."""
    try:
        keys = role_keys(variables)
    except ValueError as error:
        raise AnsibleFilterError(f"auth_keys: {error}") from None

    def known(name):
        # Only what tells keys apart is looked at, so that no other host's vault has to be opened.
        own = hostvars.get(name, {})
        names = ("keys", "repository", "public_key", "state")
        try:
            return identities({n: own[PREFIX + n] for n in names if PREFIX + n in own})
        except AnsibleError:
            # A variable that only makes sense on that host says nothing here.
            return None

    return entitlement_once(keys, host=host, hosts=hosts, known=known)


class FilterModule:
    """The filter under its name."""

    def filters(self):
        """Name to function."""
        return {"auth_keys": auth_keys}
