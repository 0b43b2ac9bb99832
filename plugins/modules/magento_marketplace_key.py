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
  - Does at the Marketplace, through its REST API, what the buttons on the page I(Access keys) of an account do.
  - Any number of labels costs one list request and at most one create request. Requests that create are never repeated;
    when the answer to one is lost, the keys are listed to see what became of it.
  - Runs on the controller; delegate it to C(localhost) in a play of hosts.
  - It never returns a private key. M(keyfleet.magento.magento_marketplace_key_info) does when asked to.
options:
  labels:
    description:
      - Labels of the keys. A label has at most 32 characters, any that can be printed, and is unique for its O(uid).
      - Write a label that has a comma in it as an element of a list, since Ansible takes text for a list that commas
        divide.
    type: list
    elements: str
    required: true
    aliases: [label]
  uid:
    description:
      - Owner of the keys, a MAGEID or the id of an Adobe organisation. The same label of another owner is another key.
      - Without it, the account that the API access key belongs to.
    type: str
  state:
    description:
      - Whether the keys shall exist. A key that exists is never made anew.
    type: str
    choices: [present, absent]
    default: present
  enabled:
    description:
      - Whether the keys shall be enabled. Without it, existing keys are left as they are, and new ones are enabled.
      - With V(false), a label that O(uid) does not have is an error, and no key is created or changed. A mistyped label
        would leave the key that was meant enabled. The message names similar labels.
      - It has no meaning with O(state=absent).
    type: bool
  delete_enabled:
    description:
      - Let O(state=absent) delete keys that are enabled.
      - Without it, one enabled key among O(labels) makes the module fail before anything is done. Deleting is final;
        disable first, and see whether anybody misses the key.
    type: bool
    default: false
extends_documentation_fragment:
  - keyfleet.magento.marketplace
  - keyfleet.magento.attributes.controller
seealso:
  - module: keyfleet.magento.magento_marketplace_key_info
  - module: keyfleet.magento.magento_auth_key
"""

EXAMPLES = r"""
- name: Make a key for the web servers and one for CI
  keyfleet.magento.magento_marketplace_key:
    labels: [web-20260101, ci]
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Disable the key of somebody who left
  keyfleet.magento.magento_marketplace_key:
    label: laptop of J. Doe
    enabled: false
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Delete it for good
  keyfleet.magento.magento_marketplace_key:
    label: laptop of J. Doe
    state: absent
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true

- name: Give the API options once for all Marketplace modules of a play
  hosts: localhost
  module_defaults:
    group/keyfleet.magento.marketplace:
      application_id: "{{ vault_application_id }}"
      application_secret: "{{ vault_application_secret }}"
  tasks:
    - name: Make a key for an organisation
      keyfleet.magento.magento_marketplace_key:
        label: shop
        uid: 000CBA111DCB222@AdobeOrg
"""

RETURN = r"""
marketplace_keys:
  description: The keys, in the order of O(labels). A failing run returns those that it had changed.
  returned: always
  type: list
  elements: dict
  contains:
    label:
      description: The label.
      type: str
      sample: ci
    uid:
      description: The owner.
      type: str
      sample: MAG123456789
    public_key:
      description: Public half of the key. None where there is no key, and in check mode for one that is to be created.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    fingerprint:
      description: Fingerprint of the private half. None where RV(marketplace_keys[].public_key) is.
      type: str
      sample: sha256:8a83665f3798
    enabled:
      description: Whether the key is enabled now. None where there is no key any more.
      type: bool
      sample: true
    action:
      description: One of V(created), V(enabled), V(disabled), V(deleted) and V(unchanged).
      type: str
      sample: created
refusals:
  description:
    - What the API did not create, label by label, with its own code and message.
    - A message has asterisks for what may be a key, and is empty where a part of a secret stands in it.
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

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import env_fallback, missing_required_lib

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.client import REQUESTS_IMPORT_ERROR
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import (
    ensure_keys,
    marketplace_spec,
    open_marketplace,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._module import Door

ARGUMENT_SPEC = dict(
    labels=dict(type="list", elements="str", required=True, aliases=["label"]),
    uid=dict(type="str"),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    enabled=dict(type="bool"),
    delete_enabled=dict(type="bool", default=False),
    **marketplace_spec(env_fallback),
)


def run(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the keys to the state in ``params``; returns the result as documented, or raises `KeyfleetError`."""
    with open_marketplace(params) as client:
        return ensure_keys(client, params, check_mode=check_mode)


def main() -> None:
    """The door that Ansible knocks at."""
    module = Door(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR, code="requests_missing")
    try:
        result = run(module.params, check_mode=module.check_mode)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error, marketplace_keys=[], refusals=[])
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
