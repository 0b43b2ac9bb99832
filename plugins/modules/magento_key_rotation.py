#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issue, retire and prune the generations of a series of Marketplace keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_key_rotation
short_description: Issue, retire and prune the generations of a series of Marketplace keys
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Carries out one phase of a rotation at the Marketplace account. The phases on the hosts, and their order, are
    those of the role P(keyfleet.magento.magento_key_rotation#role) and of the collection's playbooks.
  - The keys of a series share a prefix. A generation's label is C(<prefix>-<YYYYMMDD>) in UTC, with C(-2), C(-3) and
    so on for a further one of the same day. Since the account keeps no dates, the label is the only record of a key's
    age, and everything else is derived from the list of keys and the clock at every run. A run that was killed is
    taken up by the next one.
  - The newest enabled generation is the current one. Older enabled ones are spent, disabled ones are retired.
  - Only labels of the prefix and this form are touched, and only those of O(uid).
  - It never returns a private key. An error of the API never leads to a key being disabled or deleted.
  - Runs on the controller; delegate it to C(localhost) with C(run_once).
options:
  phase:
    description:
      - With V(issue), creates the next generation if one is due, and asks the repository until it accepts it. One
        that an earlier run left unfinished is taken up again; there is never a third.
      - With V(retire), disables the spent generations if every expected host is confirmed to have the current one and
        nothing older. Otherwise says who holds it up, changes nothing and fails.
      - With V(prune), deletes generations that are retired, superseded for longer than O(grace) and on no host.
        Nothing enabled is ever deleted.
      - With V(rollback), enables the generation before the current one again. The current one is left enabled for a
        person to judge.
    type: str
    choices: [issue, retire, prune, rollback]
    required: true
  prefix:
    description:
      - Prefix of the series, with at most 20 characters.
    type: str
    required: true
  uid:
    description:
      - Owner of the keys, a MAGEID or the id of an Adobe organisation. Without it the account itself.
    type: str
  max_age:
    description:
      - Days that a generation may be old before the next one is due.
    type: int
    default: 90
  overlap:
    description:
      - Days for which spent generations stay enabled after the date of the current one, for holders that follow
        later.
    type: int
    default: 0
  grace:
    description:
      - Days for which a retired generation is kept after it was superseded.
    type: int
    default: 30
  rotate_now:
    description:
      - Make a new generation although none is due.
    type: bool
    default: false
  packages:
    description:
      - Packages that a new generation must be entitled to before it counts as proved.
    type: list
    elements: str
  propagation_timeout:
    description:
      - Seconds for which the repository is asked whether it accepts a new generation. When it does not, all keys stay
        as they are and the module fails; the next run takes the same generation up again.
    type: float
    default: 300.0
  url:
    description:
      - Address of the repository. Without it C(https://repo.magento.com/).
    type: str
  installed:
    description:
      - What each host reported, host by host. A report is the whole answer of
        M(keyfleet.magento.magento_auth_key_info) or M(keyfleet.magento.magento_auth_key).
      - A host whose answer is missing, failed, or tells of files that could not be looked at counts as not heard.
    type: dict
  expected_hosts:
    description:
      - Names of the hosts that have to be heard. For V(retire) those of the fleet, for V(prune) those of the
        inventory.
      - Declare them; hosts that a run happens to see under a limit are not the fleet. Without them and without
        O(expected_count) nothing is disabled or deleted.
    type: list
    elements: str
  expected_count:
    description:
      - Number of hosts that have to be heard, where the names cannot be known.
    type: int
  written_off:
    description:
      - Hosts that are not waited for, by name. They may be left with a key that does not work any more.
    type: list
    elements: str
  external_holders_acknowledged:
    description:
      - Confirms that everybody who holds a key of the series outside of the inventory (CI, Cloud variables, images,
        laptops, mirrors) has gone over. V(retire) does nothing without it.
    type: bool
    default: false
extends_documentation_fragment:
  - keyfleet.magento.marketplace
  - keyfleet.magento.attributes.controller
seealso:
  - module: keyfleet.magento.magento_marketplace_key
  - module: keyfleet.magento.magento_auth_key_info
"""

EXAMPLES = r"""
- name: Make the next generation if the current one is older than 60 days
  keyfleet.magento.magento_key_rotation:
    phase: issue
    prefix: web
    max_age: 60
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true
  register: generation

- name: Ask every host what it holds
  keyfleet.magento.magento_auth_key_info:
    all_users: true
    search: [/var/www]
  become: true
  register: held

- name: Disable what every host has gone over from
  keyfleet.magento.magento_key_rotation:
    phase: retire
    prefix: web
    installed: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'held'))) }}"
    expected_hosts: [web1, web2, web3]
    external_holders_acknowledged: true
    application_id: "{{ vault_application_id }}"
    application_secret: "{{ vault_application_secret }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
label:
  description: Label of the generation to go on with, the current one except in V(rollback).
  returned: always
  type: str
  sample: web-20260101
public_key:
  description: Its public key. None for one that check mode only foresees.
  returned: always
  type: str
  sample: 0123456789abcdef0123456789abcdef
fingerprint:
  description: Fingerprint of its private key.
  returned: always
  type: str
  sample: sha256:8a83665f3798
uid:
  description: Owner of the series.
  returned: always
  type: str
  sample: MAG123456789
due:
  description: Whether a new generation was due.
  returned: if O(phase=issue)
  type: bool
  sample: true
reason:
  description: Why it was done or left, in words.
  returned: always
  type: str
  sample: web-20251001 is 92 days old and may be 90
generations:
  description: The series, oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    label:
      description: The label.
      type: str
      sample: web-20260101
    public_key:
      description: The public key.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    enabled:
      description: Whether it is enabled.
      type: bool
      sample: true
held_up:
  description: Who or what the phase waits for.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The host, or none where it is nobody's in particular.
      type: str
      sample: web3
    reason:
      description: The reason in words.
      type: str
      sample: it could not be asked
retired:
  description: Labels that were disabled, in check mode those that would be.
  returned: if O(phase=retire), and failure
  type: list
  elements: str
  sample: [web-20251001]
pruned:
  description: Labels that were deleted.
  returned: if O(phase=prune), and failure
  type: list
  elements: str
  sample: [web-20250701]
verdicts:
  description:
    - What the repository said of a pair that it did not accept, as
      RV(keyfleet.magento.magento_auth_key_info#module:verdicts).
  returned: failure
  type: list
  elements: dict
  sample: []
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: held_up
"""

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import env_fallback, missing_required_lib

from ansible_collections.keyfleet.magento.plugins.module_utils._door import Door
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace import REQUESTS_IMPORT_ERROR
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace_keys import (
    marketplace_spec,
    open_marketplace,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_run import rotate

ARGUMENT_SPEC = dict(
    phase=dict(type="str", choices=["issue", "retire", "prune", "rollback"], required=True),
    prefix=dict(type="str", required=True),
    uid=dict(type="str"),
    max_age=dict(type="int", default=90),
    overlap=dict(type="int", default=0),
    grace=dict(type="int", default=30),
    rotate_now=dict(type="bool", default=False),
    packages=dict(type="list", elements="str"),
    propagation_timeout=dict(type="float", default=300.0),
    url=dict(type="str"),
    installed=dict(type="dict"),
    expected_hosts=dict(type="list", elements="str"),
    expected_count=dict(type="int"),
    written_off=dict(type="list", elements="str"),
    external_holders_acknowledged=dict(type="bool", default=False),
    **marketplace_spec(env_fallback),
)


# What a failure tells where it came to nothing.
_NOTHING: Dict[str, object] = dict(
    label=None, public_key=None, fingerprint=None, uid=None, generations=[], held_up=[], verdicts=[]
)


def run(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Carry the phase out; returns the result as documented, or raises `KeyfleetError`."""
    with open_marketplace(params) as client:
        return rotate(client, params, check_mode=check_mode)


def main() -> None:
    """The door that Ansible knocks at."""
    module = Door(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR, code="requests_missing")
    try:
        result = run(module.params, check_mode=module.check_mode)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error, reason=error.message, retired=[], pruned=[], **_NOTHING)
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
