#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issue and retire the generations of a series of Marketplace keys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_key_rotation
short_description: Issue and retire the generations of a series of Marketplace keys
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Carries out one phase of a rotation at the Marketplace account. The playbooks of the collection, such as
    C(keyfleet.magento.rotate), run it between what they do on the hosts.
  - The keys of a series share a prefix. A generation's label is C(<prefix>-<YYYYMMDD>) in UTC, with C(-2), C(-3) and
    so on for a further one of the same day. Since the account keeps no dates, the label is the only record of a key's
    age, and everything else is derived from the list of keys, the clock and O(series) at every run. A run that was
    killed is continued by the next one.
  - A generation named in O(series.rejected) is rejected. The newest enabled one that is not is current, where none is
    enabled the newest one. Other enabled ones are superseded, and disabled ones are retired.
  - Only labels of the prefix and this form are touched, those of O(series.adopt), and only those of O(series.uid).
  - It never returns a private key. An error of the API never leads to a key being disabled or deleted.
  - Runs on the controller, in a play of C(localhost).
options:
  phase:
    description:
      - With V(issue), creates the next generation if one is due, or enables the one to go on with, and asks the
        repository until it accepts it.
      - With V(retire), disables superseded and rejected generations if every expected host and external holder is
        confirmed, and otherwise changes nothing and fails with the code V(blocked). A run that disables nothing deletes
        what was retired long ago; the newest retired generation that is not rejected is always kept.
      - With V(status), changes nothing. With O(hosts), fails with the code V(blocked) unless each of them took the key.
    type: str
    choices: [issue, retire, status]
    required: true
  series:
    description:
      - The settings of the series. Secrets in it are references to a vault, never literals.
    type: dict
    required: true
    suboptions:
      prefix:
        description:
          - Prefix of the series, with at most 20 characters.
        type: str
        required: true
      uid:
        description:
          - Owner of the keys, a MAGEID or the id of an Adobe organisation. Without it the account itself.
        type: str
      application_id:
        description:
          - As O(keyfleet.magento.magento_marketplace_key#module:application_id). Not with O(series.pair).
        type: raw
      application_secret:
        description:
          - As O(keyfleet.magento.magento_marketplace_key#module:application_secret). Not with O(series.pair).
        type: raw
      environment:
        description:
          - As O(keyfleet.magento.magento_marketplace_key#module:environment).
        type: str
        choices: [production, sandbox]
        default: production
      api_url:
        description:
          - As O(keyfleet.magento.magento_marketplace_key#module:api_url).
        type: str
      ca_path:
        description:
          - File with the authorities that may vouch for the API and the repository. Without it the controller's trust
            store.
        type: path
      validate_certs:
        description:
          - Whether TLS certificates are verified. Leave this on.
        type: bool
        default: true
      timeout:
        description:
          - Seconds to wait for each answer.
        type: float
        default: 30.0
      url:
        description:
          - Address of the repository. Without it C(https://repo.magento.com/).
        type: str
      packages:
        description:
          - Packages that a new generation must be entitled to.
        type: list
        elements: str
      propagation_timeout:
        description:
          - Seconds for which the repository is asked whether it accepts the generation. When it does not, all keys stay
            as they are and the module fails; the next run goes on with the same generation.
        type: float
        default: 300.0
      max_age:
        description:
          - Days that the newest generation may be old before the next one is due.
        type: int
        default: 90
      overlap:
        description:
          - Days for which superseded generations stay enabled after the date of the newest one. Rejected ones do not.
        type: int
        default: 0
      delete_after:
        description:
          - Days after which a retired generation is deleted, counted from the date of its successor.
        type: int
        default: 30
      rotate_now:
        description:
          - Make a new generation although none is due, unless one is still superseded.
        type: bool
        default: false
      rejected:
        description:
          - Labels of generations that are not used any more, whether the account has them or not, and of keys in
            O(series.adopt). The newest generation that is not among them takes their place.
        type: list
        elements: str
      adopt:
        description:
          - Labels of keys that were made by hand, oldest first, which count as the oldest generations. They are never
            deleted.
        type: list
        elements: str
      expected_hosts:
        description:
          - Hosts that have to confirm a key before an older one is disabled, beside those of O(hosts).
        type: list
        elements: str
      expected_count:
        description:
          - Number of expected hosts. A run with more or fewer disables nothing.
        type: int
      excluded_hosts:
        description:
          - Hosts that do not have to confirm. They may be left with a key that does not work any more.
        type: list
        elements: str
      search:
        description:
          - Directories below which hosts look for keys, beside all homes.
        type: list
        elements: path
      unmanaged_keys:
        description:
          - What an older key in a file that the host's variables do not name means. With V(block) it blocks V(retire),
            with V(remove) the role P(keyfleet.magento.magento_auth#role) removes it, and with V(ignore) it is left.
          - The new key never goes there.
        type: str
        choices: [block, remove, ignore]
        default: block
      external_holders:
        description:
          - Who else has to take a new key, such as a vault or the variables of a CI. The playbooks include the task
            file or role of each on the controller.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - Name of the holder, unique in the list.
            type: str
            required: true
          role:
            description:
              - Role with the tasks.
            type: str
          tasks_from:
            description:
              - Task file of the role.
            type: str
          tasks:
            description:
              - Absolute path of a task file, in place of a role.
            type: str
      external_holders_acknowledged:
        description:
          - Confirms that nobody outside of the inventory needs the older keys. V(retire) disables nothing without it
            where there are no O(series.external_holders).
        type: bool
        default: false
      batches:
        description:
          - Batches of the deployment, as C(serial) of a play. Read by the playbooks.
        type: list
        elements: raw
        default: [1, "20%"]
      max_failed:
        description:
          - Number of hosts that may fail before no further batch is begun. Read by the playbooks.
        type: int
        default: 0
      pair:
        description:
          - The current key, made by hand on the account page, for accounts without rights at the API.
        type: dict
        suboptions:
          label:
            description:
              - The name that it has on the page.
            type: str
            required: true
          public_key:
            description:
              - Its public half.
            type: raw
            required: true
          private_key:
            description:
              - Its private half, from a vault.
            type: raw
            required: true
      previous:
        description:
          - The keys before O(series.pair), oldest first.
        type: list
        elements: dict
        suboptions:
          label:
            description:
              - The name that it has on the page.
            type: str
            required: true
          public_key:
            description:
              - Its public half.
            type: str
            required: true
      disabled_by_hand:
        description:
          - Labels among O(series.previous) that were disabled on the page.
        type: list
        elements: str
  hosts:
    description:
      - What the hosts of the target reported. By the name of the host, a dictionary with the results that the playbooks
        register, C(magento_rotation_collected), C(magento_auth_result), C(magento_auth_confirmed) and
        C(magento_rotation_confirmed), and with C(forged_facts), a list of names.
      - A host whose answer is missing, failed, or tells of files that could not be read is not confirmed.
    type: dict
  holders:
    description:
      - Whether an external holder has confirmed the key, by its name.
    type: dict
  revoke:
    description:
      - A key that has to go. With it, the phases are those of a revocation and not of a rotation. No generation is
        made, no other key is disabled, and external holders are not asked.
      - With O(phase=issue), finds the key and verifies what takes its place. With O(phase=retire), disables the key if
        no expected host has it any more, and otherwise fails with the code V(blocked).
    type: dict
    suboptions:
      key:
        description:
          - Its label, public key or fingerprint. A label counts for the owner of the series alone; the others, for all
            owners in the account.
          - Without it the module fails with the code V(bad_options).
        type: raw
      replacement:
        description:
          - Either V(current), the current generation of the series, or a pair of C(public_key) and C(private_key).
          - Without it the key is only removed, which is refused for an enabled generation of the series. The current
            one cannot replace itself.
        type: raw
      leak:
        description:
          - Whether the key is disabled in the phase V(issue), before any host is reached. This accepts an outage.
        type: bool
        default: false
      delete:
        description:
          - Whether it is deleted after it was disabled.
        type: bool
        default: false
extends_documentation_fragment:
  - keyfleet.magento.attributes.controller
requirements:
  - requests, unless the series has a O(series.pair)
seealso:
  - module: keyfleet.magento.magento_marketplace_key
  - module: keyfleet.magento.magento_auth_key_info
"""

EXAMPLES = r"""
- name: Make the next generation if the newest one is older than 60 days
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Issue
      keyfleet.magento.magento_key_rotation:
        phase: issue
        series:
          prefix: web
          max_age: 60
          application_id: "{{ vault_application_id }}"
          application_secret: "{{ vault_application_secret }}"

# Ad hoc, with the settings of the series in a file:
# ansible localhost -m keyfleet.magento.magento_key_rotation -e @web-series.yml -e @vault.yml \
#   -a '{"phase": "status", "series": "{{ magento_series }}"}'
"""

RETURN = r"""
series:
  description: Prefix of the series.
  returned: always
  type: str
  sample: web
label:
  description: Label of the generation to go on with.
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
  description: Owner of the series. None with O(series.pair).
  returned: always
  type: str
  sample: MAG123456789
due:
  description: Whether a new generation was due.
  returned: always
  type: bool
  sample: true
reason:
  description: Why it was done or left.
  returned: always
  type: str
  sample: the newest generation is 92 days old and may be 90
generations:
  description: The series, oldest first, as it is afterwards.
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
    state:
      description: One of V(current), V(superseded), V(retired) and V(rejected).
      type: str
      sample: current
disabled:
  description: Labels that were disabled.
  returned: always
  type: list
  elements: str
  sample: [web-20251001]
deleted:
  description: Labels that were deleted.
  returned: always
  type: list
  elements: str
  sample: [web-20250701]
revoked:
  description: The key that O(revoke) names, or none.
  returned: always
  type: dict
  contains:
    label:
      description: Its label.
      type: str
      sample: laptop of J. Doe
    public_key:
      description: Its public key.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    uid:
      description: Its owner. None with O(series.pair).
      type: str
      sample: MAG123456789
    replacement:
      description: Public key of the pair that takes its place, or none.
      type: str
      sample: fedcba9876543210fedcba9876543210
blocked:
  description: What keeps keys from being disabled.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The host, or none.
      type: str
      sample: web3
    holder:
      description: The external holder, or none.
      type: str
      sample: vault
    path:
      description: The file on the host, or none.
      type: str
      sample: /home/eve/.composer/auth.json
    owner:
      description: Owner of the file.
      type: str
      sample: eve
    reason:
      description: The reason.
      type: str
      sample: it holds web-20251001, and no variable of the host names this file
left:
  description: What is left to do.
  returned: always
  type: list
  elements: str
  sample: [disable web-20251001]
summary:
  description: All of it for a person, in lines.
  returned: always
  type: str
  sample: "Retirement of the series web: none is due"
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
  sample: blocked
"""

from typing import Any, Callable, Dict, Iterable, Mapping

from ansible.module_utils.basic import env_fallback, missing_required_lib

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.client import REQUESTS_IMPORT_ERROR
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import open_marketplace
from ansible_collections.keyfleet.magento.plugins.module_utils._module import Door
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.revoke import REVOKE_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.run import rotate
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.settings import check_settings, series_spec

ARGUMENT_SPEC = dict(
    phase=dict(type="str", choices=["issue", "retire", "status"], required=True),
    series=dict(type="dict", required=True, options=series_spec(env_fallback)),
    hosts=dict(type="dict"),
    holders=dict(type="dict"),
    revoke=dict(type="dict", options=REVOKE_SPEC),
)


# What a failure tells where it came to nothing.
_NOTHING: Dict[str, object] = dict(
    series=None,
    label=None,
    public_key=None,
    fingerprint=None,
    uid=None,
    due=False,
    reason=None,
    generations=[],
    disabled=[],
    deleted=[],
    revoked=None,
    blocked=[],
    left=[],
    summary=None,
    verdicts=[],
    diff=[],
)


def run(
    params: Mapping[str, Any], *, check_mode: bool, hide: Callable[[Iterable[str]], object] = list
) -> Dict[str, Any]:
    """Carry the phase out; returns the result as documented, or raises `KeyfleetError`. ``hide`` gets private keys."""
    settings = params["series"]
    check_settings(settings)
    if params["revoke"] is not None and params["phase"] == "status":
        raise bad_options("revoke needs the phase issue or retire")
    if settings["pair"] is not None:
        return rotate(None, params, check_mode=check_mode, hide=hide)
    with open_marketplace(settings) as client:
        return rotate(client, params, check_mode=check_mode, hide=hide)


def main() -> None:
    """The door that Ansible knocks at."""
    module = Door(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    # With a pair made by hand nothing is asked of the API.
    if REQUESTS_IMPORT_ERROR and module.params["series"]["pair"] is None:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR, code="requests_missing")
    try:
        result = run(module.params, check_mode=module.check_mode, hide=module.no_log_values.update)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error, **_NOTHING)
        answer["summary"] = answer["summary"] or error.message
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
