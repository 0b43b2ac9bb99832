# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_marketplace_key through main() with a small API on loopback."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List

import pytest

from ansible_collections.keyfleet.magento.plugins.modules.magento_marketplace_key import main
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import Loopback, fake_key
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.key_api import (
    ME,
    SECRET,
    KeyApi,
    private_half,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

ORG = "000MADEUP000@AdobeOrg"


def run(api: KeyApi, *, check_mode: bool = False, **options: Any) -> ModuleResult:
    """Run the module once; ``api.calls`` holds only the calls of this run."""
    api.calls.clear()
    with Loopback(api.answer) as server:
        answer = run_module(main, api.options(server, **options), check_mode=check_mode)
    for secret in [SECRET, "made-up-token", *(pair["password_key"] for pair in api.keys.values())]:
        assert secret not in answer.text
    return answer


def row(label: str, action: str, enabled: Any, **changes: Any) -> Dict[str, Any]:
    digest = hashlib.sha256(private_half(label).encode()).hexdigest()[:12]
    return {
        "label": label,
        "uid": ME,
        "public_key": fake_key(f"public {label}"),
        "fingerprint": f"sha256:{digest}",
        "enabled": enabled,
        "action": action,
        **changes,
    }


def test_create() -> None:
    api = KeyApi()
    api.add("existing", enabled=False)
    answer = run(api, labels=["new 1", "existing", "new/2"])
    assert api.calls == ["session", "GET", "POST new 1 new/2"]
    assert answer.result["marketplace_keys"] == [
        row("new 1", "created", True),
        row("existing", "unchanged", False),
        row("new/2", "created", True),
    ]
    assert answer.result["changed"] is True
    assert not run(api, labels=["new 1", "existing", "new/2"]).result["changed"]
    assert api.calls == ["session", "GET"]


def test_check_mode_lists_keys_and_changes_nothing() -> None:
    api = KeyApi()
    api.add("existing", enabled=False)
    predicted = run(api, check_mode=True, labels=["new", "existing"], enabled=True)
    assert api.calls == ["session", "GET"]
    assert predicted.result["marketplace_keys"] == [
        row("new", "created", True, public_key=None, fingerprint=None),
        row("existing", "enabled", True),
    ]
    real = run(api, labels=["new", "existing"], enabled=True)
    assert api.calls == ["session", "GET", "POST new", "PUT existing"]
    assert real.result["marketplace_keys"] == [row("new", "created", True), row("existing", "enabled", True)]
    for name in ("changed", "diff"):
        assert predicted.result[name] == real.result[name]


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_mistyped_label_is_not_created_disabled(check_mode: bool) -> None:
    api = KeyApi()
    api.add("laptop of J. Doe")
    api.add("ci")
    answer = run(api, check_mode=check_mode, labels=["ci", "laptop of J.Doe"], enabled=False)
    assert (answer.code, answer.result["changed"]) == ("unknown_label", False)
    assert (
        answer.result["msg"]
        == f"Nothing was done: {ME} has no key called 'laptop of J.Doe' (there is 'laptop of J. Doe')"
    )
    assert api.calls == ["session", "GET"]


def test_delete() -> None:
    api = KeyApi()
    api.add("off", enabled=False)
    api.add("on")
    refused = run(api, labels=["off", "on"], state="absent")
    assert (refused.code, refused.result["marketplace_keys"], api.calls) == ("key_enabled", [], ["session", "GET"])
    answer = run(api, labels=["off", "on", "none"], state="absent", delete_enabled=True)
    assert api.calls == ["session", "GET", "DELETE off", "DELETE on"]
    assert [(key["action"], key["enabled"]) for key in answer.result["marketplace_keys"]] == [
        ("deleted", None),
        ("deleted", None),
        ("unchanged", None),
    ]
    assert api.keys == {}


def test_another_owner() -> None:
    api = KeyApi()
    api.add("web")
    answer = run(api, label="web", uid=ORG)
    assert api.calls == ["session", "GET", "POST web"]
    assert answer.result["marketplace_keys"][0]["uid"] == ORG
    answer = run(api, label="web", uid=ORG, enabled=False)
    assert api.calls == ["session", "GET", "PUT web"]
    assert answer.result["marketplace_keys"][0]["uid"] == ORG
    assert [api.keys[uid, "web"]["is_enabled"] for uid in (ME, ORG)] == [True, False]


def test_refused_and_changed_keys_are_both_reported() -> None:
    api = KeyApi()
    api.add("existing", enabled=False)
    api.refused = {"bad": f"Not with {SECRET}."}
    answer = run(api, labels=["good", "bad", "existing"], enabled=True)
    assert answer.code == "keys_not_created"
    assert answer.result["refusals"] == [{"label": "bad", "code": 1208, "message": ""}]
    assert answer.result["changed"] is True
    assert answer.result["marketplace_keys"] == [row("good", "created", True), row("existing", "enabled", True)]
    assert "1 of 2 keys were not created: 'bad': no reason is shown (code 1208)" in answer.result["msg"]


INVALID: List[Any] = [
    ({"labels": []}, "labels is an empty list"),
    ({"labels": [""]}, "is empty"),
    ({"labels": ["a", ".."]}, "cannot be used in a URL"),
    ({"labels": ["a" * 33]}, "more than 32"),
    ({"label": "a", "uid": "all"}, "uid 'all' is not an owner"),
    ({"label": "a", "uid": " "}, "is not an owner"),
    ({"label": "a", "timeout": 0}, "timeout must be"),
    ({"label": "a", "api_url": "http://127.0.0.1/"}, "api_url 'http://127.0.0.1/' is not an https address"),
    ({"label": "a", "api_url": f"https://u:{SECRET}@127.0.0.1/"}, "api_url must not contain"),
    ({"label": "a", "application_id": "a:b"}, "has a colon"),
    ({"label": "a", "application_id": ""}, "application_id is empty"),
    ({"label": "a", "application_secret": " x"}, "application_secret is empty, or has blanks"),
]


@pytest.mark.parametrize(("options", "words"), INVALID)
def test_invalid_options_are_refused_before_any_call(options: Dict[str, Any], words: str) -> None:
    api = KeyApi()
    answer = run(api, **options)
    assert answer.code == "bad_options"
    assert words in answer.result["msg"]
    assert api.calls == []
    assert answer.result["marketplace_keys"] == answer.result["refusals"] == []


@pytest.mark.parametrize(
    "options", [{}, {"label": "a", "state": "gone"}, {"label": "a", "secret": SECRET}, {"label": "a", "enabled": "so"}]
)
def test_options_that_ansible_refuses(options: Dict[str, Any]) -> None:
    answer = run(KeyApi(), **options)
    assert answer.result["failed"] is True


def test_credentials_and_url_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    api = KeyApi()
    with Loopback(api.answer) as server:
        options = api.options(server, label="a")
        for option in ("application_id", "application_secret", "api_url"):
            monkeypatch.setenv(f"MAGENTO_{option.upper()}", options.pop(option))
        answer = run_module(main, options)
    assert answer.result["marketplace_keys"] == [row("a", "created", True)]
    assert SECRET not in answer.text
