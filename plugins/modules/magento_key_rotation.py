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
  - Carries out one phase of a rotation in the Marketplace account. The playbooks of the collection, such as
    C(keyfleet.magento.rotate), run it between their work on the hosts.
  - The keys of a series share a prefix. The label of a generation is C(<prefix>-<YYYYMMDD>) in UTC, with C(-2), C(-3)
    and so on for further ones of the same day. Since the account stores no dates, the label is the only record of a
    key's age. Every run derives all other data from the list of keys, the clock and O(series), so that an interrupted
    run is resumed by the next one.
  - A generation in O(series.rejected) is rejected. Of the others, the newest enabled one is current, or the newest one
    if none is enabled. Other enabled ones are superseded, and disabled ones are retired.
  - Only keys of O(series.uid) with labels of this prefix and form, or with labels in O(series.adopt), are changed.
  - Private keys are never returned. No key is disabled or deleted because of an error of the API.
  - Runs on the controller, in a play with C(localhost).
options:
  phase:
    description:
      - Phase to carry out.
      - With V(issue), creates the next generation if one is due, or else enables the current one, and waits until the
        repository accepts it.
      - With V(retire), disables superseded and rejected generations if every expected host and external holder has
        confirmed the current one, and otherwise changes nothing and fails with the code V(blocked). A run that disables
        nothing deletes generations after O(series.delete_after), except the newest retired one.
      - With V(status), changes nothing. With O(hosts), fails with the code V(blocked) unless every host has the
        current generation.
    type: str
    choices: [issue, retire, status]
    required: true
  series:
    description:
      - Settings of the series. Pass secrets through variables from a vault, never as literal text.
    type: dict
    required: true
    suboptions:
      prefix:
        description:
          - Prefix of the series, at most 20 characters.
        type: str
        required: true
      uid:
        description:
          - Owner of the keys, a MAGEID or the ID of an Adobe organisation. Defaults to the account of the API access
            key.
        type: str
      application_id:
        description:
          - See O(keyfleet.magento.magento_marketplace_key#module:application_id). Mutually exclusive with
            O(series.pair).
        type: raw
      application_secret:
        description:
          - See O(keyfleet.magento.magento_marketplace_key#module:application_secret). Mutually exclusive with
            O(series.pair).
        type: raw
      environment:
        description:
          - See O(keyfleet.magento.magento_marketplace_key#module:environment).
        type: str
        choices: [production, sandbox]
        default: production
      api_url:
        description:
          - See O(keyfleet.magento.magento_marketplace_key#module:api_url).
        type: str
      ca_path:
        description:
          - Path of a PEM file on the controller with the CA certificates to trust for the API and the repository.
          - If not set, the controller's trust store is used, and for the API the certificates that C(requests) uses.
        type: path
      validate_certs:
        description:
          - Whether to verify TLS certificates. Keep this enabled.
        type: bool
        default: true
      timeout:
        description:
          - Time in seconds to wait for each answer.
        type: float
        default: 30.0
      url:
        description:
          - URL of the repository. Defaults to C(https://repo.magento.com/).
        type: str
      packages:
        description:
          - Names of packages that a new generation must be entitled to.
        type: list
        elements: str
      propagation_timeout:
        description:
          - Time in seconds to wait until the repository accepts the generation. If it does not, the module fails and no
            key is disabled or deleted; the next run continues with the same generation.
        type: float
        default: 300.0
      max_age:
        description:
          - Maximum age in days of the newest generation. When it is exceeded, the next one is due.
        type: int
        default: 90
      overlap:
        description:
          - Number of days for which superseded generations stay enabled after the date of the newest one. It does not
            apply to rejected ones.
        type: int
        default: 0
      delete_after:
        description:
          - Number of days after which a disabled generation is deleted, counted from the date of its successor. The
            newest retired one is kept.
        type: int
        default: 30
      rotate_now:
        description:
          - Whether to create a new generation although none is due. Ignored while a generation is superseded.
        type: bool
        default: false
      rejected:
        description:
          - Labels of generations, which may be deleted already, or of keys in O(series.adopt), that must not be used
            any more. The current generation replaces them.
        type: list
        elements: str
      adopt:
        description:
          - Labels of manually created keys, oldest first, that count as the oldest generations. They are never deleted.
        type: list
        elements: str
      expected_hosts:
        description:
          - Hosts that must confirm a key before an older one is disabled, in addition to those in O(hosts).
        type: list
        elements: str
      expected_count:
        description:
          - Number of expected hosts. With any other number, no key is disabled.
        type: int
      excluded_hosts:
        description:
          - Hosts that need not confirm a key. They may keep a key that no longer works.
        type: list
        elements: str
      search:
        description:
          - Directories to search for keys on the hosts, in addition to the homes of all users.
        type: list
        elements: path
      unmanaged_keys:
        description:
          - What to do about an older key in a file that the variables of the host do not name. With V(block) it blocks
            V(retire), with V(remove) the role P(keyfleet.magento.magento_auth#role) removes it, and with V(ignore) it
            is kept.
          - The new key is never installed there.
        type: str
        choices: [block, remove, ignore]
        default: block
      external_holders:
        description:
          - Other systems that need a new key, such as a vault or CI variables. The playbooks include the task
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
              - Absolute path of a task file, instead of a role.
            type: str
      external_holders_acknowledged:
        description:
          - Confirms that nothing outside of the inventory needs the older keys. Without O(series.external_holders), it
            is required before V(retire) disables any key.
        type: bool
        default: false
      batches:
        description:
          - Batches of the deployment, as C(serial) of a play. Used by the playbooks.
        type: list
        elements: raw
        default: [1, "20%"]
      max_failed:
        description:
          - Number of hosts that may fail. With more, no further batch is started. Used by the playbooks.
        type: int
        default: 0
      pair:
        description:
          - The current key, created on the account page, for accounts without access to the API.
        type: dict
        suboptions:
          label:
            description:
              - Label of the key on the account page.
            type: str
            required: true
          public_key:
            description:
              - Public half of the key.
            type: raw
            required: true
          private_key:
            description:
              - Private half of the key, from a vault.
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
              - Label of the key on the account page.
            type: str
            required: true
          public_key:
            description:
              - Public half of the key.
            type: str
            required: true
      disabled_by_hand:
        description:
          - Labels in O(series.previous) that were disabled on the account page.
        type: list
        elements: str
  hosts:
    description:
      - Reports of the targeted hosts by host name. Each is a dictionary with the results that the playbooks register,
        C(magento_rotation_collected), C(magento_auth_result), C(magento_auth_confirmed) and
        C(magento_rotation_confirmed), and with C(forged_facts), a list of names of facts.
      - A host is not confirmed if its report is missing, failed, or names files that could not be read.
    type: dict
  holders:
    description:
      - Whether each external holder has confirmed the key, by holder name.
    type: dict
  revoke:
    description:
      - Key to revoke. If set, the module carries out the phases of a revocation instead of a rotation. No generation is
        created, no other key is disabled, and external holders are not asked.
      - With O(phase=issue), finds the key and verifies its replacement. With O(phase=retire), disables the key if no
        expected host has it any more, and otherwise fails with the code V(blocked).
    type: dict
    suboptions:
      key:
        description:
          - Label, public key or fingerprint of the key. A label is looked up among the keys of the owner of the series,
            the other two among all keys of the account.
          - If not set, the module fails with the code V(bad_options).
        type: raw
      replacement:
        description:
          - Either V(current), the current generation of the series, or a pair of C(public_key) and C(private_key).
          - If not set, no key takes its place, which is refused for the current and any other enabled generation of
            the series. The current generation cannot replace itself.
        type: raw
      leak:
        description:
          - Whether to disable the key in the phase V(issue), before any host is changed. This accepts an outage.
        type: bool
        default: false
      delete:
        description:
          - Whether to delete the key after it was disabled.
        type: bool
        default: false
attributes:
  diff_mode:
    details: The diff omits public key and fingerprint of new keys, which are unknown in check mode.
  idempotent:
    support: partial
    details: A run with O(phase=retire) that disables nothing may delete keys. With O(series.rotate_now), every run of
      O(phase=issue) may create a generation.
extends_documentation_fragment:
  - keyfleet.magento.attributes
  - keyfleet.magento.attributes.controller
requirements:
  - requests, unless O(series.pair) is set
seealso:
  - module: keyfleet.magento.magento_marketplace_key
  - module: keyfleet.magento.magento_auth_key_info
"""

EXAMPLES = r"""
- name: Create the next generation if the newest one is older than 60 days
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

# As an ad hoc command, with the settings of the series in a file:
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
  description: Label of the generation to use.
  returned: always
  type: str
  sample: web-20260101
public_key:
  description: Public key of the generation. Null for one that check mode would create.
  returned: always
  type: str
  sample: 0123456789abcdef0123456789abcdef
fingerprint:
  description: Fingerprint of the private key of the generation.
  returned: always
  type: str
  sample: sha256:8a83665f3798
uid:
  description: Owner of the series. Null with O(series.pair).
  returned: always
  type: str
  sample: MAG123456789
due:
  description: Whether a new generation was due.
  returned: always
  type: bool
  sample: true
reason:
  description: Reason for the result, such as why a generation is due.
  returned: always
  type: str
  sample: the newest generation is 92 days old, and max_age is 90
generations:
  description: Generations of the series after the run, oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    label:
      description: Label of the generation.
      type: str
      sample: web-20260101
    public_key:
      description: Public key of the generation.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    enabled:
      description: Whether the generation is enabled.
      type: bool
      sample: true
    state:
      description: One of V(current), V(superseded), V(retired) and V(rejected).
      type: str
      sample: current
disabled:
  description: Labels of the keys that were disabled.
  returned: always
  type: list
  elements: str
  sample: [web-20251001]
deleted:
  description: Labels of the keys that were deleted.
  returned: always
  type: list
  elements: str
  sample: [web-20250701]
revoked:
  description: The key that O(revoke) names, or null.
  returned: always
  type: dict
  contains:
    label:
      description: Label of the key.
      type: str
      sample: laptop of J. Doe
    public_key:
      description: Public half of the key.
      type: str
      sample: 0123456789abcdef0123456789abcdef
    uid:
      description: Owner of the key. Null with O(series.pair).
      type: str
      sample: MAG123456789
    replacement:
      description: Public key of the replacement, or null.
      type: str
      sample: fedcba9876543210fedcba9876543210
blocked:
  description: Reasons that prevent keys from being disabled.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: Name of the host, or null.
      type: str
      sample: web3
    holder:
      description: Name of the external holder, or null.
      type: str
      sample: vault
    path:
      description: Path of the file on the host, or null.
      type: str
      sample: /home/eve/.composer/auth.json
    owner:
      description: Owner of the file.
      type: str
      sample: eve
    reason:
      description: Description of the reason.
      type: str
      sample: it has web-20251001, and no variable of the host names this file
left:
  description: Remaining steps.
  returned: always
  type: list
  elements: str
  sample: [disable web-20251001]
summary:
  description: Summary of the result, as lines of text.
  returned: always
  type: str
  sample: "Retirement of the series web: every expected host is confirmed to have web-20260101"
verdicts:
  description:
    - Verdict of the repository on a pair that it did not accept, as in
      RV(keyfleet.magento.magento_auth_key#module:verdicts).
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

from typing import Any, Dict

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import open_marketplace
from ansible_collections.keyfleet.magento.plugins.module_utils._module import KeyfleetModule, serve
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.account import check_settings, series_spec
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.revoke import REVOKE_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.run import rotate

ARGUMENT_SPEC = dict(
    phase=dict(type="str", choices=["issue", "retire", "status"], required=True),
    series=dict(type="dict", required=True, options=series_spec()),
    hosts=dict(type="dict"),
    holders=dict(type="dict"),
    revoke=dict(type="dict", options=REVOKE_SPEC),
)


# Result keys of a failure without a result.
_EMPTY_RESULT: Dict[str, object] = {
    **dict.fromkeys(("series", "label", "public_key", "fingerprint", "uid", "reason", "revoked", "summary")),
    **{name: [] for name in ("generations", "disabled", "deleted", "blocked", "left", "verdicts", "diff")},
    "due": False,
}


def run(module: KeyfleetModule) -> Dict[str, Any]:
    """Run the phase; return the result as documented, or raise `KeyfleetError`."""
    params, settings = module.params, module.params["series"]
    options: Dict[str, Any] = {"check_mode": module.check_mode, "hide": module.no_log_values.update}
    try:
        check_settings(settings)
        if params["revoke"] is not None and params["phase"] == "status":
            raise bad_options("revoke needs the phase issue or retire")
        if settings["pair"] is not None:
            return rotate(None, params, **options)
        with open_marketplace(settings) as client:
            return rotate(client, params, **options)
    except KeyfleetError as error:
        error.details["summary"] = error.details.get("summary") or error.message
        raise


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, run, **_EMPTY_RESULT)


if __name__ == "__main__":
    main()
