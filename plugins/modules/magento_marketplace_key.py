#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, enable, disable and delete auth keys at the Marketplace."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_marketplace_key
short_description: Create, enable, disable and delete auth keys at the Marketplace
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Manages the keys on the page I(Access keys) of a Marketplace account through the REST API.
  - Any number of labels requires one list request and at most one create request. Create requests are never repeated;
    if the answer to one is lost, the keys are listed to find out what was created.
  - Runs on the controller; delegate it to C(localhost) in a play with other hosts.
  - Private keys are never returned. To get them, use M(keyfleet.magento.magento_marketplace_key_info).
options:
  labels:
    description:
      - Labels of the keys. A label consists of at most 32 printable characters and is unique for its O(uid).
      - Write a label that contains a comma as an element of a list, since Ansible splits a string at commas.
    type: list
    elements: str
    required: true
    aliases: [label]
  uid:
    description:
      - Owner of the keys, a MAGEID or the ID of an Adobe organisation. The same label of another owner is another key.
      - Defaults to the account of the API access key.
    type: str
  state:
    description:
      - Whether the keys should exist. An existing key is never created again.
    type: str
    choices: [present, absent]
    default: present
  enabled:
    description:
      - Whether the keys should be enabled. If not set, existing keys are not changed, and new keys are enabled.
      - With V(false), a label that O(uid) does not have is an error, and no key is created or changed, since with a
        mistyped label the intended key would stay enabled. The message names similar labels.
      - Ignored with O(state=absent).
    type: bool
  delete_enabled:
    description:
      - Whether O(state=absent) may delete enabled keys.
      - With V(false), an enabled key in O(labels) makes the module fail before it changes any key. Deletion is final;
        disable the key first, and check whether anything still needs it.
    type: bool
    default: false
attributes:
  diff_mode:
    details: The diff omits public key and fingerprint of new keys, which are unknown in check mode.
extends_documentation_fragment:
  - keyfleet.magento.marketplace
  - keyfleet.magento.marketplace.modules
  - keyfleet.magento.attributes
  - keyfleet.magento.attributes.controller
seealso:
  - module: keyfleet.magento.magento_marketplace_key_info
  - module: keyfleet.magento.magento_auth_key
"""

EXAMPLES = r"""
- name: Create a key for the web servers and one for CI
  keyfleet.magento.magento_marketplace_key:
    labels: [web-20260101, ci]
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Disable a key that is no longer needed
  keyfleet.magento.magento_marketplace_key:
    label: laptop of J. Doe
    enabled: false
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Delete a disabled key
  keyfleet.magento.magento_marketplace_key:
    label: laptop of J. Doe
    state: absent
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Set the API options for all Marketplace modules of a play
  hosts: localhost
  module_defaults:
    group/keyfleet.magento.marketplace:
      application_id: "{{ vault_application_id }}"
      application_secret: "{{ vault_application_secret }}"
  tasks:
    - name: Create a key for an organisation
      keyfleet.magento.magento_marketplace_key:
        label: shop
        uid: 000CBA111DCB222@AdobeOrg
"""

RETURN = r"""
marketplace_keys:
  description: The keys, in the order of O(labels). After a failure, only those that were changed.
  returned: always
  type: list
  elements: dict
  contains:
    label:
      description: Label of the key.
      type: str
      sample: ci
    uid:
      description: Owner of the key.
      type: str
      sample: MAG123456789
    public_key:
      description: Public half of the key. Null without a key, and in check mode for a key that would be created.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    fingerprint:
      description: Fingerprint of the private half. Null if RV(marketplace_keys[].public_key) is null.
      type: str
      sample: sha256:8a83665f3798
    enabled:
      description: Whether the key is enabled after the run. Null without a key.
      type: bool
      sample: true
    action:
      description: One of V(created), V(enabled), V(disabled), V(deleted) and V(unchanged).
      type: str
      sample: created
refusals:
  description:
    - The keys that the API refused to create, by label, with the API's code and message.
    - In a message, text that may be a key is replaced by asterisks. A message with part of a secret is emptied.
  returned: failure
  type: list
  elements: dict
  sample: [{label: ci, code: 1208, message: The label is taken}]
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: unknown_label
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import ensure_keys, marketplace_spec
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

ARGUMENT_SPEC = dict(
    labels=dict(type="list", elements="str", required=True, aliases=["label"]),
    uid=dict(type="str"),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    enabled=dict(type="bool"),
    delete_enabled=dict(type="bool", default=False),
    **marketplace_spec(),
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: ensure_keys(module.params, module.check_mode), marketplace_keys=[], refusals=[])


if __name__ == "__main__":
    main()
