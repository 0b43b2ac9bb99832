# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry of the controller's own auth.json or COMPOSER_AUTH."""

from __future__ import annotations

DOCUMENTATION = r"""
name: composer_auth
short_description: An entry of the controller's own auth.json or COMPOSER_AUTH
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Returns the user name and password that Composer on the controller would use for a repository outside of any
    project, so that keys that are set up there need not be stored a second time.
  - Reads the same sources as Composer. The environment variable E(COMPOSER_AUTH) takes precedence over the C(auth.json)
    of the user who runs Ansible, which takes precedence over C(config.json) in the same directory.
  - The result contains the private key. Use it in a task with C(no_log), or pass it directly to an option that hides
    it.
options:
  _terms:
    description: Repositories, as C(host) or C(host:port).
    type: list
    elements: str
    required: true
  path:
    description: Path of an C(auth.json) to read instead of the environment and the user's own file.
    type: path
"""

EXAMPLES = r"""
- name: Install the controller's own key on the hosts
  keyfleet.magento.magento_auth_key:
    public_key: "{{ pair.public_key }}"
    private_key: "{{ pair.private_key }}"
    users: [deploy]
  vars:
    pair: "{{ lookup('keyfleet.magento.composer_auth', 'repo.magento.com') }}"
"""

RETURN = r"""
_raw:
  description: A pair for each repository, in the same order.
  type: list
  elements: dict
  contains:
    repository:
      description: The repository.
      type: str
    public_key:
      description: The user name.
      type: str
    private_key:
      description: The password.
      type: str
    source:
      description: The file or environment variable that has the entry.
      type: str
"""

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.plugin_utils._composer_auth import own_entry


class LookupModule(LookupBase):
    """Lookup plugin of the collection."""

    def run(
        self, terms: Sequence[Any], variables: Optional[Mapping[str, Any]] = None, **kwargs: Any
    ) -> List[Dict[str, Any]]:
        """Return a pair for each repository in ``terms``."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            path = self.get_option("path")
            return [own_entry(str(term), path=path, environ=os.environ) for term in self._flatten(terms)]
        except KeyfleetError as error:
            raise AnsibleLookupError(f"composer_auth: {error.message} ({error.code})") from None
