# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_marketplace_key_info through main() with a small API on loopback."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe
from ansible_collections.keyfleet.magento.plugins.modules.magento_marketplace_key_info import main
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import Loopback, fake_key
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.key_api import (
    ME,
    SECRET,
    KeyApi,
    private_half,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

ORG = "000MADEUP000@AdobeOrg"


@pytest.fixture
def api() -> KeyApi:
    api = KeyApi()
    api.add("web-1")
    api.add("web-2", enabled=False)
    api.add("ci")
    api.add("other owner", uid=ORG)
    return api


def run(api: KeyApi, *, check_mode: bool = False, **options: Any) -> ModuleResult:
    with Loopback(api.answer) as server:
        answer = run_module(main, api.options(server, **options), check_mode=check_mode)
    assert SECRET not in answer.text
    return answer


@pytest.mark.parametrize(
    ("filters", "labels"),
    [
        ({}, ["web-1", "web-2", "ci", "other owner"]),
        ({"label": "ci"}, ["ci"]),
        ({"labels": ["ci", "other owner", "none"]}, ["ci", "other owner"]),
        ({"prefix": "web-"}, ["web-1", "web-2"]),
        ({"prefix": "web-", "enabled": False}, ["web-2"]),
        ({"uid": ORG}, ["other owner"]),
        ({"uid": ME, "enabled": True}, ["web-1", "ci"]),
        ({"uid": "all"}, ["web-1", "web-2", "ci", "other owner"]),
        ({"public_key": fake_key("public ci")}, ["ci"]),
        ({"fingerprint": describe(private_half("web-2"))}, ["web-2"]),
        ({"fingerprint": describe(private_half("web-2")), "enabled": True}, []),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_filters(api: KeyApi, filters: Dict[str, Any], labels: List[str], check_mode: bool) -> None:
    answer = run(api, check_mode=check_mode, **filters)
    assert [key["label"] for key in answer.result["marketplace_keys"]] == labels
    assert (answer.result["changed"], answer.result["mage_id"]) == (False, ME)
    assert api.calls == ["session", "GET"]
    assert not [pair["label"] for pair in api.keys.values() if pair["password_key"] in answer.text]


def test_private_keys_are_included_on_request(api: KeyApi) -> None:
    answer = run(api, label="ci", include_private_keys=True)
    assert answer.result["marketplace_keys"] == [
        {
            "label": "ci",
            "uid": ME,
            "public_key": fake_key("public ci"),
            "fingerprint": describe(private_half("ci")),
            "enabled": True,
            "private_key": private_half("ci"),
        }
    ]
    assert private_half("web-1") not in answer.text


@pytest.mark.parametrize("options", [{"labels": []}, {"label": "."}, {"timeout": -1}, {"api_url": "nowhere"}])
def test_invalid_options(api: KeyApi, options: Dict[str, Any]) -> None:
    answer = run(api, **options)
    assert (answer.code, answer.result["marketplace_keys"], api.calls) == ("bad_options", [], [])


def test_a_failure_has_no_keys(api: KeyApi) -> None:
    api.closed = True
    answer = run(api)
    assert (answer.code, answer.result["marketplace_keys"]) == ("api_forbidden", [])


@pytest.mark.parametrize("value", [[SECRET], {"secret": SECRET}, 1234567890, True])
def test_a_secret_that_is_not_text_is_not_quoted(api: KeyApi, value: Any) -> None:
    answer = run(api, application_secret=value)
    assert answer.code == "bad_options" and "application_secret is not text" in answer.result["msg"]
    assert "1234567890" not in answer.text and api.calls == []
