# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""COMPOSER_AUTH from the variables of the role magento_auth."""

from __future__ import annotations

from typing import Callable, Dict, Mapping

from ansible.errors import AnsibleFilterError


def composer_auth_env(variables: object) -> str:
    """See composer_auth_env.yml."""
    if not isinstance(variables, Mapping):
        raise AnsibleFilterError("composer_auth_env: the input must be a dictionary of the role's variables")
    # On use: for any filter of the collection, Ansible loads the files of all filters, anew for every host.
    from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
    from ansible_collections.keyfleet.magento.plugins.plugin_utils._environment import composer_auth_text

    try:
        return composer_auth_text(variables)
    except KeyfleetError as error:
        raise AnsibleFilterError(f"composer_auth_env: {error}") from None


class FilterModule:
    """Filter plugin of the collection."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """Return the filter by name."""
        return {"composer_auth_env": composer_auth_env}
