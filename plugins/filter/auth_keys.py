# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of one module execution from the variables of the role magento_auth."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

from ansible.errors import AnsibleError, AnsibleFilterError

from ansible_collections.keyfleet.magento.plugins.module_utils._role_keys import (
    PREFIX,
    Lookups,
    entitlement_once,
    lookups,
    role_keys,
)

# What tells which packages a host looks up with which key. Other hosts' private halves are not among it.
_TELLING = ("keys", "repository", "public_key", "packages", "state")


def auth_keys(
    variables: Mapping[str, Any], *, host: str, hosts: Sequence[str], hostvars: Mapping[str, Any]
) -> List[Dict[str, Any]]:
    """See the documentation beside this file."""
    try:
        keys = role_keys(variables)
    except ValueError as error:
        raise AnsibleFilterError(f"auth_keys: {error}") from None

    mine = hostvars.get(host, {})
    # What this host does not have from the inventory comes from the play, and that gives it to all hosts.
    shared = {name: variables.get(name) for name in _TELLING if PREFIX + name not in mine}

    def known(other: str) -> Lookups:
        own = hostvars.get(other, {})
        try:
            return lookups({**shared, **{name: own[PREFIX + name] for name in _TELLING if PREFIX + name in own}})
        except AnsibleError:
            # A variable that only makes sense on that host: better ask once more than not at all.
            return {}

    return entitlement_once(keys, host=host, hosts=hosts, known=known)


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., List[Dict[str, Any]]]]:
        """Name to function."""
        return {"auth_keys": auth_keys}
