# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases: API calls and results. The repository is a real server."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.run import rotate
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    FILE,
    MIXED_UP,
    FakeClient,
    Lab,
    has,
    installed,
    settings,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import Exchange

OLD, NEW, NEXT = "web-20251001", "web-20260228", "web-20260301"


def fleet(label: str = NEW) -> Dict[str, Any]:
    return {"web1": has(label), "web2": has(label)}


# Issue


def test_first_generation(lab: Lab) -> None:
    result = lab.run("issue")
    assert lab.client.calls == [f"create {NEXT}"]
    assert (result["label"], result["public_key"]) == (NEXT, f"public of {NEXT}")
    assert (
        result["changed"] and result["due"] and result["uid"] == "MAG1" and result["fingerprint"].startswith("sha256")
    )
    assert result["generations"] == [
        {"label": NEXT, "public_key": f"public of {NEXT}", "enabled": True, "state": "current"}
    ]
    assert len(lab.server.requests) == 1
    assert [row["after"] for row in result["diff"]] == [f"{NEXT}: enabled\n"]
    # A second run keeps the generation and verifies it again.
    again = lab.run("issue", rotate_now=False)
    assert (again["label"], again["changed"], len(lab.client.calls)) == (NEXT, False, 1)
    assert len(lab.server.requests) == 2


@pytest.mark.parametrize(
    ("existing", "given", "calls"),
    [
        ([NEW], {}, []),
        ([OLD], {}, [f"create {NEXT}"]),
        ([NEW], {"rotate_now": True}, [f"create {NEXT}"]),
        ([OLD, NEW], {"rotate_now": True}, []),
        (["-" + OLD, "-" + NEW], {}, [f"enable {NEW}"]),
        (["-" + OLD, NEW], {"rejected": [NEW]}, [f"enable {OLD}"]),
        ([OLD, NEW], {"rejected": [NEW]}, []),
        ([NEW], {"rejected": [NEW], "rotate_now": True}, [f"create {NEXT}"]),
        (["ci"], {"adopt": ["ci"]}, [f"create {NEXT}"]),
    ],
)
def test_issue(lab: Lab, existing: List[str], given: Dict[str, Any], calls: List[str]) -> None:
    lab.client = FakeClient(*existing)
    before = lab.states()
    predicted = lab.run("issue", check_mode=True, **given)
    assert (lab.client.calls, lab.states()) == ([], before)
    result = lab.run("issue", **given)
    assert lab.client.calls == calls
    assert result["changed"] is predicted["changed"] is bool(calls)
    assert (result["label"], result["diff"]) == (predicted["label"], predicted["diff"])
    assert lab.states()[result["label"]] is True
    if result["due"]:
        assert predicted["public_key"] is None and "not made yet" in predicted["summary"]


def test_failed_issue(lab: Lab) -> None:
    lab.client = FakeClient(NEW)
    assert lab.run("issue", rejected=[NEW])["code"] == "all_rejected"
    lab.client.refusal = "too many keys"
    refused = lab.run("issue", rotate_now=True)
    assert (refused["code"], refused["changed"], lab.states()) == ("keys_not_created", False, {NEW: True})
    assert "too many keys" in refused["summary"] and "run again" in refused["summary"]


def test_unaccepted_pair_is_kept_and_verified_again(lab: Lab) -> None:
    lab.client = FakeClient(OLD)
    lab.answer = lambda exchange: exchange.reply(401)
    failed = lab.run("issue", propagation_timeout=12.0)
    assert (failed["code"], failed["changed"], lab.slept) == ("unverified", True, [5.0, 5.0, 2.0])
    assert [verdict["http_status"] for verdict in failed["verdicts"]] == [401]
    assert lab.states() == {OLD: True, NEXT: True}
    again = lab.run("issue", propagation_timeout=0.0)
    assert (again["code"], again["changed"], lab.client.calls) == ("unverified", False, [f"create {NEXT}"])
    lab.answer = None
    assert lab.run("issue")["label"] == NEXT and len(lab.client.calls) == 1


def test_pair_is_accepted_after_a_delay(lab: Lab) -> None:
    refusals = [401, 401]

    def slow(exchange: Exchange) -> None:
        exchange.reply(refusals.pop()) if refusals else lab.client.answer(exchange)

    lab.answer = slow
    assert "code" not in lab.run("issue") and lab.slept == [5.0, 5.0]


# Retire


def test_retire_disables_superseded_generations(lab: Lab) -> None:
    lab.client = FakeClient("-web-20250701", "web-20250801", OLD, NEW, "ci", "api-20250101")
    predicted = lab.run("retire", check_mode=True, hosts=fleet())
    assert lab.client.calls == [] and predicted["disabled"] == []
    result = lab.run("retire", hosts=fleet())
    assert lab.client.calls == ["disable web-20250801", f"disable {OLD}"]
    assert (result["disabled"], result["deleted"], result["left"]) == (["web-20250801", OLD], [], [])
    assert result["diff"] == predicted["diff"] and result["changed"] and predicted["changed"]
    assert len(lab.server.requests) == 1, "the remaining key is verified once"
    # The next run deletes generations that were retired long ago.
    result = lab.run("retire", hosts=fleet())
    assert lab.client.calls[2:] == ["delete web-20250701", "delete web-20250801"] and result["deleted"]
    assert len(lab.server.requests) == 2
    assert lab.run("retire", hosts=fleet())["changed"] is False
    assert lab.states() == {OLD: False, NEW: True, "ci": True, "api-20250101": True}


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ({"hosts": {"web1": has(NEW), "web2": {}}}, "web2: it did not report"),
        ({"hosts": {"web1": has(NEW), "web2": has(OLD)}}, f"web2: {FILE}: the host's variables set {OLD}"),
        ({"hosts": {}}, "no host is expected"),
        ({"hosts": None}, "no host is expected"),
        ({"expected_hosts": ["web3"]}, "web3: it is expected but not in the target"),
        ({"external_holders_acknowledged": False}, "holders outside of the inventory"),
        ({"external_holders": [{"name": "vault"}]}, "the holder vault: it has not confirmed the key"),
        ({"external_holders": [{"name": "vault"}], "holders": {"vault": False}}, "the holder vault: "),
        ({"external_holders": [{"name": "vault"}], "holders": {"vault": "yes", "ci": True}}, "the holder vault: "),
        ({"external_holders": [{"name": "vault"}, {"name": "ci"}], "holders": {"vault": True}}, "the holder ci: "),
    ],
)  # fmt: skip
def test_nothing_is_disabled_if_blocked(lab: Lab, given: Dict[str, Any], row: str) -> None:
    lab.client = FakeClient("-web-20250701", "-web-20250801", OLD, NEW)
    result = lab.run("retire", **{"hosts": fleet(), **given})
    assert (result["code"], lab.client.calls, result["changed"]) == ("blocked", [], False)
    assert f"Blocked: {row}" in result["summary"] and "nothing was disabled" in result["summary"]
    assert result["left"] == [f"disable {OLD}"] and result["blocked"]


@pytest.mark.parametrize(
    "given",
    [
        {"external_holders": [{"name": "vault"}], "holders": {"vault": True}, "external_holders_acknowledged": False},
        {"excluded_hosts": ["web2"], "hosts": {"web1": has(NEW), "web2": {}}},
        {"hosts": {"web1": has(NEW), "web2": has(NEW)}, "expected_count": 2, "expected_hosts": ["web1"]},
    ],
)
def test_not_blocked(lab: Lab, given: Dict[str, Any]) -> None:
    lab.client = FakeClient(OLD, NEW)
    result = lab.run("retire", **{"hosts": fleet(), **given})
    assert "code" not in result and lab.client.calls == [f"disable {OLD}"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"excluded_hosts": ["web2"]}, "Excluded, and may still have an older key: web2"),
        ({"unmanaged_keys": "ignore"}, "Ignored (unmanaged_keys): older keys in files that no variable names"),
    ],
)
def test_exceptions_are_in_the_summary(lab: Lab, given: Dict[str, Any], line: str) -> None:
    lab.client = FakeClient(NEW)
    assert line in lab.run("retire", hosts=fleet(), **given)["summary"].splitlines()
    assert line not in lab.run("retire", hosts=fleet())["summary"].splitlines()


def test_acknowledgement_is_needed_only_to_disable_a_key(lab: Lab) -> None:
    lab.client = FakeClient(NEW)
    assert "code" not in lab.run("retire", hosts=fleet(), external_holders_acknowledged=False)
    # A named holder must always confirm.
    vault: Dict[str, Any] = {"external_holders": [{"name": "vault"}]}
    assert lab.run("retire", hosts=fleet(), **vault)["code"] == "blocked"
    assert "code" not in lab.run("retire", hosts=fleet(), holders={"vault": True}, **vault)


def test_check_mode_before_the_next_generation_exists(lab: Lab) -> None:
    lab.client = FakeClient(OLD)
    hosts = {"web1": has(OLD), "web2": has(OLD)}
    predicted = lab.run("retire", check_mode=True, hosts=hosts)
    assert "code" not in predicted and f"Would get {NEXT}: web2, {FILE}" in predicted["summary"]
    hosts["web2"] = {**hosts["web2"], "magento_rotation_confirmed": installed(OLD, path="/tmp/auth.json")}
    blocked = lab.run("retire", check_mode=True, hosts=hosts)
    assert (
        blocked["code"] == "blocked"
        and f"Blocked: web2: /tmp/auth.json (of deploy): it has {OLD}" in blocked["summary"]
    )
    assert f"is confirmed to have {NEXT}" in blocked["summary"].splitlines()[0]
    assert "code" not in lab.run("retire", check_mode=True, hosts=hosts, unmanaged_keys="remove")


def test_retire_alone_issues_nothing(lab: Lab) -> None:
    """A real run confirms the existing generation, also if the next one is due."""
    lab.client = FakeClient(OLD)
    result = lab.run("retire", hosts=fleet(OLD))
    assert ("code" in result, result["label"], result["due"], lab.client.calls) == (False, OLD, False, [])
    assert (
        result["reason"] == f"every expected host is confirmed to have {OLD}" and "Would get" not in result["summary"]
    )


def test_check_mode_does_not_wait_for_holders(lab: Lab) -> None:
    """They confirm after the real run has issued the key."""
    lab.client = FakeClient(OLD, NEW)
    given: Dict[str, Any] = {"hosts": fleet(), "external_holders": [{"name": "vault"}]}
    assert "code" not in lab.run("retire", check_mode=True, **given)
    assert lab.run("retire", **given)["code"] == "blocked"
    lab.client = FakeClient("web-20250701", OLD)
    hosts = {"web1": has(OLD), "web2": has(OLD)}
    given = {"hosts": hosts, "external_holders_acknowledged": False, "unmanaged_keys": "remove"}
    assert "code" not in lab.run("retire", check_mode=True, **given)


def test_private_keys_are_hidden(lab: Lab) -> None:
    lab.client = FakeClient(OLD, NEW)
    hidden: List[str] = []
    params = {"phase": "status", "hosts": None, "holders": None, "revoke": None, "series": settings()}
    rotate(lab.client, params, check_mode=False, hide=hidden.extend)  # type: ignore[arg-type]
    assert sorted(hidden) == sorted(key.private_key for key in lab.client.keys_.values())


@pytest.mark.parametrize("status", [401, 403, 500])
def test_nothing_is_disabled_while_the_remaining_key_is_not_accepted(lab: Lab, status: int) -> None:
    lab.answer = lambda exchange: exchange.reply(status)
    for account in (FakeClient(OLD, NEW), FakeClient("-web-20240101", "-web-20240201", NEW)):
        lab.client = account
        result = lab.run("retire", hosts=fleet())
        assert (result["code"], lab.client.calls, lab.slept) == ("unverified", [], [])
    lab.client = FakeClient("-" + NEW, OLD)
    lab.answer = None
    assert "code" not in lab.run("retire", hosts=fleet(OLD))
    # The current generation is disabled, so that no key may be disabled or deleted.
    lab.client = FakeClient("-" + OLD, NEW)
    result = lab.run("retire", hosts=fleet(OLD), rejected=[NEW])
    assert (result["code"], lab.client.calls) == ("unverified", [])


def test_nothing_is_deleted_while_the_remaining_key_is_disabled(lab: Lab) -> None:
    """The repository may still accept it for a while."""
    lab.answer = FakeClient(NEW).answer
    lab.client = FakeClient("-web-20250701", "-web-20250801", "-" + NEW)
    result = lab.run("retire", hosts=fleet())
    assert f"the repository does not accept {NEW} now" in result["reason"] and result["code"] == "unverified"
    assert lab.client.calls == [] and not result["changed"]


def test_overlap_is_reported(lab: Lab) -> None:
    lab.client = FakeClient("-web-20240101", "-web-20240201", OLD, NEW)
    result = lab.run("retire", hosts=fleet(), overlap=7)
    assert lab.client.calls == ["delete web-20240101"]
    assert result["left"] == [f"disable {OLD} when the overlap of 7 days is over"]


def test_failure_reports_changes_made(lab: Lab) -> None:
    lab.client = FakeClient("web-20250801", OLD, NEW)
    lab.client.failing[f"disable {OLD}"] = "down"
    result = lab.run("retire", hosts=fleet())
    assert (result["code"], result["changed"], result["disabled"]) == ("api_unreachable", True, ["web-20250801"])
    assert "Disabled: web-20250801" in result["summary"] and lab.states() == {
        "web-20250801": False,
        OLD: True,
        NEW: True,
    }
    lab.client.failing.clear()
    assert lab.run("retire", hosts=fleet())["disabled"] == [OLD]


@pytest.mark.parametrize("phase", ["issue", "retire", "status"])
def test_nothing_is_done_without_the_list_of_keys(lab: Lab, phase: str) -> None:
    lab.client = FakeClient(OLD, NEW)
    lab.client.failing["list"] = "down"
    result = lab.run(phase, hosts=fleet(), rotate_now=True)
    assert (result["code"], lab.client.calls, result["generations"]) == ("api_unreachable", [], [])


# Owners


@pytest.mark.parametrize(("uid", "owner"), [(None, "MAG1"), ("ORG2", "ORG2")])
def test_keys_of_another_owner_are_not_changed(lab: Lab, uid: Optional[str], owner: str) -> None:
    other = "ORG2" if owner == "MAG1" else "MAG1"
    lab.client = FakeClient(OLD, NEW, uid=owner)
    for label in (OLD, NEW, "-web-20240101", MIXED_UP):
        lab.client.add(label, other)
    foreign = {known: pair for known, pair in lab.client.keys_.items() if known[0] == other}
    result = lab.run("retire", hosts=fleet(), uid=uid)
    assert (result["uid"], result["disabled"], len(result["generations"])) == (owner, [OLD], 2)
    assert {known: pair for known, pair in lab.client.keys_.items() if known[0] == other} == foreign
    assert lab.run("issue", uid=uid, rotate_now=True)["label"] == NEXT and (owner, NEXT) in lab.client.keys_


@pytest.mark.parametrize("uid", ["", " ", "all"])
def test_invalid_owner(lab: Lab, uid: str) -> None:
    assert lab.run("issue", uid=uid)["code"] == "bad_options" and lab.client.calls == []


# Status


def test_status(lab: Lab) -> None:
    assert lab.run("status")["code"] == "no_generation"
    lab.client = FakeClient("-" + NEW)
    assert lab.run("status")["code"] == "no_generation"
    lab.client = FakeClient(OLD, NEW)
    result = lab.run("status")
    assert (result["label"], result["changed"], result["due"]) == (NEW, False, False)
    assert f"retire {OLD} (rotate_retire)" in result["summary"]
    assert lab.client.calls == [] and lab.server.requests == []


def test_status_of_a_deployment(lab: Lab) -> None:
    lab.client = FakeClient(OLD, NEW)
    deployed: Dict[str, Any] = {"magento_rotation_collected": {"files": []}, "magento_auth_result": {"files": []}}
    result = lab.run("status", hosts={"web1": deployed, "web2": deployed})
    assert "Hosts that have it: 2 of 2" in result["summary"] and "code" not in result
    result = lab.run("status", hosts={"web1": deployed, "web2": {}, "web3": {}}, excluded_hosts=["web3"])
    assert result["code"] == "blocked" and [row["host"] for row in result["blocked"]] == ["web2"]
    assert "Hosts that have it: 1 of 2" in result["summary"]
