# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair of a Marketplace key by its label."""

from __future__ import annotations

DOCUMENTATION = r"""
name: magento_marketplace_key
short_description: The pair of a Marketplace key by its label
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Requests the keys of the account from the Marketplace API and returns the pair of each label.
  - A lookup runs each time its variable is used, in a separate process for every host. Each run opens a session and
    lists the keys. For a fleet, run M(keyfleet.magento.magento_marketplace_key_info) once with C(run_once).
  - The result contains the private key. Use it in a task with C(no_log), or pass it directly to an option that hides
    it.
options:
  _terms:
    description: Labels of the keys.
    type: list
    elements: str
    required: true
  uid:
    description: Owner of the keys, a MAGEID or the id of an Adobe organisation. The default is the account itself.
    type: str
  application_id:
    env:
      - name: MAGENTO_APPLICATION_ID
  application_secret:
    env:
      - name: MAGENTO_APPLICATION_SECRET
  api_url:
    env:
      - name: MAGENTO_API_URL
extends_documentation_fragment:
  - keyfleet.magento.marketplace
seealso:
  - module: keyfleet.magento.magento_marketplace_key_info
"""

EXAMPLES = r"""
- name: Install the key called web on one build host
  keyfleet.magento.magento_auth_key:
    public_key: "{{ pair.public_key }}"
    private_key: "{{ pair.private_key }}"
    users: [build]
  vars:
    pair: "{{ lookup('keyfleet.magento.magento_marketplace_key', 'web') }}"
"""

RETURN = r"""
_raw:
  description: A pair for each label, in the same order.
  type: list
  elements: dict
  contains:
    label:
      description: The label.
      type: str
    uid:
      description: The owner of the key.
      type: str
    enabled:
      description: Whether the key is enabled.
      type: bool
    public_key:
      description: Public half of the key.
      type: str
    private_key:
      description: Private half of the key.
      type: str
    fingerprint:
      description: Fingerprint of the private half.
      type: str
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import pairs_by_label


class LookupModule(LookupBase):
    """Lookup plugin of the collection."""

    def run(
        self, terms: Sequence[Any], variables: Optional[Mapping[str, Any]] = None, **kwargs: Any
    ) -> List[Dict[str, Any]]:
        """Return a pair for each label in ``terms``."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return pairs_by_label(self.get_options(), self._flatten(terms))
        except KeyfleetError as error:
            raise AnsibleLookupError(f"magento_marketplace_key: {error.message} ({error.code})") from None
