# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""M(magento_key_rotation) as Ansible runs it: settings and options that it refuses before any request."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.modules import magento_key_rotation
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import fake_key
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

PUBLIC, OLD, SECRET = fake_key("public"), fake_key("old"), fake_key("private")
# A request to it would fail with another reason.
API = {"application_id": "APP1", "application_secret": SECRET, "api_url": "http://127.0.0.1:1/"}
HOLDER = {"name": "ci", "tasks": "/srv/ci.yml"}
WITH_API = [
    ({"max_agee": 1}, "series.max_agee"),
    ({"max_age": "soon"}, "'max_age' is of type"),
    ({"max_age": -1}, "max_age must not be negative"),
    ({"prefix": None}, "missing required arguments: prefix found in series"),
    ({"prefix": "a prefix of 21 chars."}, "must have 1 to 20 letters"),
    ({"batches": 3, "expected_hosts": {}}, "'expected_hosts' is of type"),
    ({"unmanaged_keys": "delete"}, "value of unmanaged_keys must be one of: block, remove, ignore"),
    ({"application_secret": None}, "application_secret is not set"),
    ({"external_holders": [{"tasks": "/srv/ci.yml"}]}, "missing required arguments: name"),
    ({"external_holders": [{**HOLDER, "name": ""}]}, "each needs a name of its own"),
    ({"external_holders": [HOLDER, {"name": "ci", "role": "ci"}]}, "each needs a name of its own"),
    ({"external_holders": [{"name": "ci", "tasks": "holders/ci.yml"}]}, "tasks of ci is not an absolute path"),
    ({"external_holders": [{"name": "ci"}]}, "ci needs tasks, or a role"),
    ({"external_holders": [{"name": "ci", "role": ""}]}, "ci needs tasks, or a role"),
    ({"external_holders": [{**HOLDER, "role": "ci"}]}, "ci needs tasks, or a role"),
    ({"external_holders": [{**HOLDER, "tasks_from": "ci"}]}, "ci needs tasks, or a role"),
    ({"external_holders": [{"name": "ci", "task": "/srv/ci.yml"}]}, "external_holders.task"),
]
PAIR = {"label": "web", "public_key": PUBLIC, "private_key": SECRET}
BY_HAND = [
    ({"pair": None, "previous": None}, "without access to the key API, set pair"),
    ({"pair": None}, "previous belongs to a pair made by hand"),
    ({"pair": None, "previous": None, "disabled_by_hand": [OLD]}, "disabled_by_hand belongs to a pair"),
    ({"pair": {"label": "web", "public_key": PUBLIC}}, "missing required arguments: private_key"),
    ({"pair": {**PAIR, "public_key": "of me"}}, "public_key"),
    ({"pair": {**PAIR, "uid": "me"}}, "series.pair.uid"),
    ({"previous": [{"public_key": OLD}]}, "missing required arguments: label"),
    ({"previous": [{"label": "web", "public_key": OLD}]}, "one label or public key twice"),
    ({"disabled_by_hand": ["web"]}, "disabled_by_hand: 'web' is not in previous"),
    ({"rejected": ["old"]}, "rejected needs the key API"),
    ({"adopt": ["made in May"]}, "adopt needs the key API"),
    ({"rotate_now": True}, "rotate_now needs the key API"),
]


def run(known: Dict[str, Any], given: Dict[str, Any], **options: Any) -> ModuleResult:
    series = {"prefix": "web", "propagation_timeout": 0, **known, **given}
    settings = {name: value for name, value in series.items() if value is not None}
    return run_module(magento_key_rotation.main, {"phase": "issue", "series": settings, **options})


def refused(run: ModuleResult, reason: str) -> None:
    assert run.status == 1 and reason in run.result["msg"], run.text
    assert not run.result.get("changed") and SECRET not in run.text, run.text


@pytest.mark.parametrize(("given", "reason"), WITH_API, ids=str)
def test_wrong_settings(given: Dict[str, Any], reason: str) -> None:
    refused(run(API, given), reason)


@pytest.mark.parametrize(("given", "reason"), BY_HAND, ids=str)
def test_wrong_settings_of_a_pair_made_by_hand(given: Dict[str, Any], reason: str) -> None:
    refused(run({"pair": PAIR, "previous": [{"label": "old", "public_key": OLD}]}, given), reason)


def test_a_misspelled_option_of_a_revocation() -> None:
    refused(run(API, {}, revoke={"key": "ci", "replacment": "current"}), "revoke.replacment")
