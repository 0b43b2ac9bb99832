# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of Marketplace keys against the simulator: idempotence, large batches, and faults."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult
from simulator.client import Simulator
from system.marketplace.lab import ODD_LABELS, ORGANISATION, SHOP, manage, operations, pairs, query

pytestmark = pytest.mark.usefixtures("clean_environment")
KEYS = "/rest/v1/users/*"
ODD = [label for label in ODD_LABELS if "," not in label]


def rows(answer: ModuleResult) -> list[tuple[str, str, bool | None]]:
    """Label, action and state of each key in an answer."""
    return [(row["label"], row["action"], row["enabled"]) for row in answer.result["marketplace_keys"]]


def converges(simulator: Simulator, options: dict[str, Any], changes: int) -> ModuleResult:
    """Runs in check mode, for real, and both again: the first two results agree, the last two change nothing."""
    before = pairs(simulator)
    predicted = manage(simulator, options, check_mode=True)
    assert pairs(simulator) == before
    assert operations(simulator) == ["session", "list"]
    real = manage(simulator, options)
    assert not real.code, real.result
    for name in ("changed", "diff"):
        assert predicted.result[name] == real.result[name], name
    assert rows(predicted) == rows(real)
    assert real.result["changed"] is True
    assert real.result["diff"]["before"] != real.result["diff"]["after"]
    after = pairs(simulator)
    assert len(_differences(before, after)) == changes
    for check_mode in (True, False):
        simulator.clear_log()
        again = manage(simulator, options, check_mode=check_mode)
        assert (again.code, again.result["changed"]) == ("", False)
        assert again.result["diff"]["before"] == again.result["diff"]["after"]
        assert {action for _label, action, _enabled in rows(again)} == {"unchanged"}
        assert operations(simulator) == ["session", "list"]
        assert pairs(simulator) == after
        assert again.warnings() == []
    return real


def _differences(before: dict[Any, Any], after: dict[Any, Any]) -> list[Any]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


@pytest.mark.parametrize(
    ("options", "changes", "expected"),
    [
        ({"labels": ["a", "b c"]}, 2, [("a", "created", True), ("b c", "created", True)]),
        ({"labels": ["web", "a"]}, 1, [("web", "unchanged", True), ("a", "created", True)]),
        ({"label": "a", "enabled": True}, 1, [("a", "created", True)]),
        ({"label": "web", "uid": ORGANISATION}, 1, [("web", "created", True)]),
        ({"labels": ODD}, len(ODD), [(label, "created", True) for label in ODD]),
    ],
)
def test_create(simulator: Simulator, options: dict[str, Any], changes: int, expected: list[Any]) -> None:
    real = converges(simulator, options, changes)
    assert rows(real) == expected
    there = pairs(simulator)
    for row in real.result["marketplace_keys"]:
        key = there["" if row["uid"] == SHOP else row["uid"], row["label"]]
        assert (row["public_key"], row["fingerprint"]) == (key["public"], describe(key["private"]))
        assert key["enabled"] is row["enabled"]


@pytest.mark.parametrize(
    ("options", "changes", "expected"),
    [
        ({"label": "web", "enabled": False}, 1, [("web", "disabled", False)]),
        ({"label": "old", "enabled": True}, 1, [("old", "enabled", True)]),
        (
            {"labels": ["web", "old", "ci"], "enabled": False},
            2,
            [("web", "disabled", False), ("old", "unchanged", False), ("ci", "disabled", False)],
        ),
    ],
)
def test_change(simulator: Simulator, options: dict[str, Any], changes: int, expected: list[Any]) -> None:
    simulator.add_key("shop", "web", uid=ORGANISATION)
    assert rows(converges(simulator, options, changes)) == expected
    assert pairs(simulator)[ORGANISATION, "web"]["enabled"] is True


@pytest.mark.parametrize(
    ("options", "changes", "expected"),
    [
        ({"label": "old", "state": "absent"}, 1, [("old", "deleted", None)]),
        ({"labels": ["none", "old"], "state": "absent"}, 1, [("none", "unchanged", None), ("old", "deleted", None)]),
        ({"label": "web", "state": "absent", "delete_enabled": True}, 1, [("web", "deleted", None)]),
        (
            {"labels": ["web", "old"], "state": "absent", "delete_enabled": True, "enabled": True},
            2,
            [("web", "deleted", None), ("old", "deleted", None)],
        ),
    ],
)
def test_delete(simulator: Simulator, options: dict[str, Any], changes: int, expected: list[Any]) -> None:
    simulator.add_key("shop", "web", uid=ORGANISATION)
    simulator.add_key("shop", "old", uid=ORGANISATION)
    assert rows(converges(simulator, options, changes)) == expected
    assert {(ORGANISATION, "web"), (ORGANISATION, "old")} <= set(pairs(simulator))


@pytest.mark.parametrize("check_mode", [False, True])
def test_enabled_key_blocks_the_whole_call(simulator: Simulator, check_mode: bool) -> None:
    before = pairs(simulator)
    answer = manage(simulator, {"labels": ["old", "web", "ci"], "state": "absent"}, check_mode=check_mode)
    assert (answer.code, answer.result["changed"], answer.result["marketplace_keys"]) == ("key_enabled", False, [])
    assert "'web', 'ci'" in answer.result["msg"]
    assert pairs(simulator) == before
    assert operations(simulator) == ["session", "list"]


def test_a_label_of_another_owner_is_another_key(simulator: Simulator) -> None:
    simulator.add_key("shop", "web", uid=ORGANISATION)
    own, theirs = simulator.key("shop", "web", ""), simulator.key("shop", "web", ORGANISATION)
    answer = manage(simulator, {"label": "web", "uid": ORGANISATION, "enabled": False})
    assert answer.result["marketplace_keys"][0]["public_key"] == theirs[0]
    answer = manage(simulator, {"label": "web"})
    assert (answer.result["changed"], answer.result["marketplace_keys"][0]["public_key"]) == (False, own[0])
    answer = manage(simulator, {"label": "web", "uid": ORGANISATION, "state": "absent"})
    assert answer.result["changed"] is True
    assert [uid for uid, label in pairs(simulator) if label == "web"] == [""]
    listed = query(simulator, {"label": "web"})
    assert [(key["uid"], key["public_key"]) for key in listed.result["marketplace_keys"]] == [(SHOP, own[0])]


def test_five_hundred_labels(simulator: Simulator) -> None:
    labels = [f"fleet {number:03}" for number in range(500)]
    answer = manage(simulator, {"labels": labels})
    assert [row["label"] for row in answer.result["marketplace_keys"]] == labels
    assert operations(simulator) == ["session", "list", "create"]
    simulator.clear_log()
    listed = query(simulator, {"prefix": "fleet "})
    assert len(listed.result["marketplace_keys"]) == 500
    # One request for the session, one for the list.
    assert operations(simulator) == ["session", "list"]
    simulator.clear_log()
    assert manage(simulator, {"labels": labels}).result["changed"] is False
    assert operations(simulator) == ["session", "list"]


def test_part_of_a_batch_fails(simulator: Simulator) -> None:
    simulator.set_switch("api_fail_label", "bad*")
    labels = ["good 1", "bad 1", "web", "good 2", "bad 2"]
    simulator.disable_key(simulator.key("shop", "web")[0])
    answer = manage(simulator, {"labels": labels, "enabled": True})
    assert answer.code == "keys_not_created"
    assert answer.result["changed"] is True
    message = "This pair cannot be changed at the moment."
    assert answer.result["refusals"] == [
        {"label": "bad 1", "code": 1210, "message": message},
        {"label": "bad 2", "code": 1210, "message": message},
    ]
    assert f"2 of 4 keys were not created: 'bad 1', 'bad 2': {message} (code 1210)" in answer.result["msg"]
    # The other keys have reached the requested state.
    assert rows(answer) == [("good 1", "created", True), ("web", "enabled", True), ("good 2", "created", True)]
    there = pairs(simulator)
    assert [there["", label]["enabled"] for label in ("good 1", "web", "good 2")] == [True] * 3
    simulator.set_switch("api_fail_label", None)
    again = manage(simulator, {"labels": labels, "enabled": True})
    assert [row["action"] for row in again.result["marketplace_keys"]] == [
        "unchanged",
        "created",
        "unchanged",
        "unchanged",
        "created",
    ]


@pytest.mark.parametrize("status", ["200", "400"])
def test_whole_batch_fails(simulator: Simulator, status: str) -> None:
    simulator.set_switch("api_fail_label", "*")
    simulator.set_switch("api_all_failed", status)
    answer = manage(simulator, {"labels": ["a", "b"]})
    assert answer.code == ("keys_not_created" if status == "200" else "api_refused")
    assert "1210" in answer.result["msg"]
    assert (answer.result["changed"], answer.result["marketplace_keys"]) == (False, [])


def test_quota_limits_created_keys(simulator: Simulator) -> None:
    simulator.set_switch("api_quota", 5)
    answer = manage(simulator, {"labels": ["a", "b", "c", "d"]})
    assert answer.code == "keys_not_created"
    assert rows(answer) == [("a", "created", True), ("b", "created", True)]
    assert [refusal["code"] for refusal in answer.result["refusals"]] == [1210, 1210]
    assert "at most 5 pairs" in answer.result["msg"]


def test_too_large_batch_fails_as_a_whole(simulator: Simulator) -> None:
    simulator.set_switch("api_batch_limit", 3)
    answer = manage(simulator, {"labels": ["a", "b", "c", "d"]})
    assert (answer.code, answer.result["changed"]) == ("api_refused", False)
    assert "no more than 3 items" in answer.result["msg"]


def test_failed_change_reports_earlier_changes(simulator: Simulator) -> None:
    simulator.set_switch("api_fail_label", "ci")
    answer = manage(simulator, {"labels": ["web", "ci", "old"], "enabled": False})
    assert (answer.code, answer.result["changed"]) == ("api_refused", True)
    assert rows(answer) == [("web", "disabled", False)]
    simulator.reset()
    simulator.disable_key(simulator.key("shop", "web")[0])
    simulator.set_switch("api_fail_label", "web")
    answer = manage(simulator, {"labels": ["old", "web"], "state": "absent"})
    assert (answer.code, rows(answer)) == ("api_refused", [("old", "deleted", None)])


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_mistyped_label_is_not_created_disabled(simulator: Simulator, check_mode: bool) -> None:
    before = pairs(simulator)
    answer = manage(simulator, {"labels": ["web", "cii", "new"], "enabled": False}, check_mode=check_mode)
    assert (answer.code, answer.result["changed"], answer.result["marketplace_keys"]) == ("unknown_label", False, [])
    assert answer.result["msg"] == f"Nothing was done: {SHOP} has no key called 'cii' (there is 'ci'), 'new'"
    assert pairs(simulator) == before


CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("POST", {"labels": ["a", "b/c"]}, {"a": True, "b/c": True}),
    ("PUT", {"label": "old", "enabled": True}, {"old": True}),
    ("PUT", {"label": "web", "enabled": False}, {"web": False}),
    ("DELETE", {"label": "old", "state": "absent"}, {"old": None}),
]


@pytest.mark.parametrize("fault", ["reset", "slow"])
@pytest.mark.parametrize(("method", "options", "left"), CHANGES, ids=["create", "enable", "disable", "delete"])
def test_change_with_lost_answer_succeeds(
    simulator: Simulator, method: str, options: dict[str, Any], left: dict[str, Any], fault: str
) -> None:
    kind = {"kind": "reset"} if fault == "reset" else {"kind": "latency", "latency": 2.0}
    simulator.add_fault(**kind, method=method, path=KEYS, count=1)
    answer = manage(simulator, {**options, "timeout": 1})
    assert (answer.code, answer.result["changed"]) == ("", True)
    there = pairs(simulator)
    assert {label: there.get(("", label), {"enabled": None})["enabled"] for label in left} == left
    assert manage(simulator, options).result["changed"] is False


@pytest.mark.parametrize("trouble", ["session", "429", "503", "latency", "reset"])
@pytest.mark.parametrize("label", ["new", "web"])
def test_temporary_faults_do_not_change_the_result(simulator: Simulator, trouble: str, label: str) -> None:
    if trouble == "session":
        simulator.set_switch("api_session_requests", 1)
    elif trouble.isdecimal():
        # Once for each method that is repeated.
        headers = {"Retry-After": "1"} if trouble == "429" else {}
        for method in ("GET", "PUT"):
            simulator.add_fault("status", status=int(trouble), headers=headers, method=method, path=KEYS, count=1)
    else:
        for method in ("GET", "POST", "PUT"):
            simulator.add_fault(trouble, method=method, path=KEYS, count=1)
    answer = manage(simulator, {"label": label, "enabled": label == "new"})
    assert answer.code == "", answer.result
    assert pairs(simulator)["", label]["enabled"] is (label == "new")
    assert rows(answer) == [(label, "created" if label == "new" else "disabled", label == "new")]


@pytest.mark.parametrize("status", ["401", "403", "404", "429", "500", "503"])
@pytest.mark.parametrize("options", [{"label": "web", "enabled": False}, {"label": "old", "state": "absent"}])
def test_outage_changes_no_key(simulator: Simulator, status: str, options: dict[str, Any]) -> None:
    before = pairs(simulator)
    simulator.set_switch("api_answer", status)
    simulator.set_switch("api_retry_after", 100)
    answer = manage(simulator, options)
    assert answer.code in ("api_session_refused", "api_forbidden", "api_refused", "api_rate_limited", "api_unavailable")
    assert answer.result["changed"] is False
    simulator.set_switch("api_answer", None)
    assert pairs(simulator) == before


def test_info_shows_only_the_requested_private_keys(simulator: Simulator) -> None:
    web, ci = simulator.key("shop", "web"), simulator.key("shop", "ci")
    answer = query(simulator, {"label": "web", "include_private_keys": True})
    assert [key["private_key"] for key in answer.result["marketplace_keys"]] == [web[1]]
    assert ci[1] not in json.dumps(answer.result)
    for filters, labels in (
        ({"fingerprint": describe(ci[1])}, ["ci"]),
        ({"public_key": web[0]}, ["web"]),
        ({"enabled": False}, ["old"]),
        ({"uid": ORGANISATION}, []),
    ):
        answer = query(simulator, filters)
        assert [key["label"] for key in answer.result["marketplace_keys"]] == labels
