#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the auth keys of a Marketplace account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_marketplace_key_info
short_description: List the auth keys of a Marketplace account
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Lists the keys that match all given filters or, without a filter, all keys. One list request is made, regardless of
    the number of keys.
  - Runs on the controller; delegate it to C(localhost) in a play with other hosts.
options:
  labels:
    description:
      - Only keys with these labels.
    type: list
    elements: str
    aliases: [label]
  prefix:
    description:
      - Only keys whose labels begin with this text, such as the keys of a series.
    type: str
  uid:
    description:
      - Only keys of this owner, a MAGEID or the ID of an Adobe organisation. Defaults to all owners.
    type: str
  enabled:
    description:
      - With V(true) only enabled keys, with V(false) only disabled keys.
    type: bool
  public_key:
    description:
      - Only the key with this public half.
    type: str
  fingerprint:
    description:
      - Only the key whose private half has this fingerprint, as returned by other modules of the collection.
    type: str
  include_private_keys:
    description:
      - Whether to return the private halves, too. The API includes them in every list.
      - Set C(no_log) and C(run_once) on the task, and do not store the result in cacheable facts. The registered
        variable contains the keys.
    type: bool
    default: false
extends_documentation_fragment:
  - keyfleet.magento.marketplace
  - keyfleet.magento.marketplace.modules
  - keyfleet.magento.attributes.info
  - keyfleet.magento.attributes
  - keyfleet.magento.attributes.controller
seealso:
  - module: keyfleet.magento.magento_marketplace_key
  - plugin: keyfleet.magento.magento_marketplace_key
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: List all keys of the account
  keyfleet.magento.magento_marketplace_key_info:
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true
  register: account

- name: Find a key by the fingerprint that a host reports
  keyfleet.magento.magento_marketplace_key_info:
    fingerprint: sha256:8a83665f3798
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Fetch a pair once for all hosts
  keyfleet.magento.magento_marketplace_key_info:
    label: web-20260101
    include_private_keys: true
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true
  no_log: true
  register: web_key

- name: Install it on all hosts
  ansible.builtin.include_role:
    name: keyfleet.magento.magento_auth
  vars:
    magento_auth_public_key: "{{ web_key.marketplace_keys[0].public_key }}"
    magento_auth_private_key: "{{ web_key.marketplace_keys[0].private_key }}"
    magento_auth_users: [deploy]
"""

RETURN = r"""
mage_id:
  description: MAGEID of the account.
  returned: success
  type: str
  sample: MAG123456789
marketplace_keys:
  description: The keys, in the order in which the account lists them.
  returned: always
  type: list
  elements: dict
  contains:
    uid:
      description: Owner of the key.
      type: str
      sample: MAG123456789
    label:
      description: Label of the key.
      type: str
      sample: ci
    public_key:
      description: Public half of the key.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    fingerprint:
      description: Fingerprint of the private half.
      type: str
      sample: sha256:8a83665f3798
    enabled:
      description: Whether the key is enabled.
      type: bool
      sample: true
    private_key:
      description: Private half of the key.
      returned: if O(include_private_keys=true)
      type: str
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: api_unauthorized
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import list_keys, marketplace_spec
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

ARGUMENT_SPEC = dict(
    labels=dict(type="list", elements="str", aliases=["label"]),
    prefix=dict(type="str"),
    uid=dict(type="str"),
    enabled=dict(type="bool"),
    public_key=dict(type="str", no_log=False),
    fingerprint=dict(type="str"),
    include_private_keys=dict(type="bool", default=False),
    **marketplace_spec(),
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: list_keys(module.params), marketplace_keys=[])


if __name__ == "__main__":
    main()
