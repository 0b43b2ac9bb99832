# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key is revoked, what may take its place, and what keeps it from being disabled."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import CONFIRMED, WOULD_CHANGE
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.revoke import (
    failed_call,
    refusal,
    replacement_of,
    revocation,
    revoked_key,
    told,
    unusable,
)

MINE = {"label": "ci", "uid": "MAG1", "public_key": "p1", "fingerprint": "sha256:1"}
THEIRS = {"label": "ci", "uid": "ORG2", "public_key": "p2", "fingerprint": "sha256:2"}
NAMED_LIKE_IT = {"label": "p1", "uid": "MAG1", "public_key": "p3", "fingerprint": "sha256:3"}
ACCOUNT = {"mage_id": "MAG1", "marketplace_keys": [MINE, THEIRS]}
SETTINGS: Dict[str, Any] = {"prefix": "web", "uid": None}
KEY = {"label": "ci", "public_key": "p1", "uid": "MAG1"}
BY_HAND = {"prefix": "web", "pair": {"label": "b", "public_key": "pb", "private_key": "secret"},
           "previous": [{"label": "a", "public_key": "pa"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "settings", "public_key"),
    [
        ("ci", SETTINGS, "p1"),
        ("ci", {"uid": "ORG2"}, "p2"),
        # By what no other key has, whoever owns it.
        ("p2", SETTINGS, "p2"),
        ("sha256:2", SETTINGS, "p2"),
        ("a", BY_HAND, "pa"),
        ("pb", BY_HAND, "pb"),
    ],
)
def test_the_key_that_is_meant(wanted: str, settings: Dict[str, Any], public_key: str) -> None:
    found = revoked_key(ACCOUNT, wanted=wanted, settings=settings)
    assert sorted(found) == ["label", "public_key", "uid"] and found["public_key"] == public_key


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("c", "unknown_key"), ("CI", "unknown_key"), ("MAG1", "unknown_key"), (None, "bad_options"),
        ("", "bad_options"), (" ", "bad_options"), ("p1", "ambiguous_key"), ([], "unknown_key"),
        ("None", "unknown_key"),
    ],
)  # fmt: skip
def test_no_key_that_could_be_meant(wanted: Any, code: str) -> None:
    account = {**ACCOUNT, "marketplace_keys": [MINE, THEIRS, NAMED_LIKE_IT]}
    with pytest.raises(KeyfleetError) as caught:
        revoked_key(account, wanted=wanted, settings=SETTINGS)
    assert caught.value.code == code
    options: Dict[str, Any] = {"replacement": None, "settings": SETTINGS, "rotation": {}}
    assert refusal(account, wanted=wanted, **options) == caught.value.message


def test_the_key_of_another_owner_is_not_found_by_its_label() -> None:
    with pytest.raises(KeyfleetError, match="of MAG3"):
        revoked_key(ACCOUNT, wanted="ci", settings={"uid": "MAG3"})


# The replacement


PAIR = {"public_key": "new", "private_key": "secret"}
PLAN = {"series": "web", "generations": [{"label": "web-20260101", "public_key": "new", "state": "current"}]}
ROTATION = {"magento_rotation_plan": PLAN, "magento_rotation_pair": {"marketplace_keys": [PAIR]}}


def replaced(key: Dict[str, Any], replacement: Any, rotation: Any = None) -> Any:
    known = ROTATION if rotation is None else rotation
    try:
        return replacement_of(key, replacement=replacement, settings=SETTINGS, rotation=known)
    except KeyfleetError as error:
        assert error.code == "bad_options" and "secret" not in error.message
        return error.message


def test_replacements() -> None:
    current = {**KEY, "public_key": "new"}
    assert replaced(KEY, None) == replaced(KEY, "") == {}
    assert replaced(KEY, "current") == PAIR
    assert replaced(KEY, {**PAIR, "public_key": "third", "label": "x"}) == {**PAIR, "public_key": "third"}
    assert replaced(current, {**PAIR, "public_key": "third"}) == {**PAIR, "public_key": "third"}
    assert "current generation" in replaced(current, None)
    assert "cannot replace itself" in replaced(current, "current")
    assert "cannot replace itself" in replaced(KEY, {**PAIR, "public_key": "p1"})
    assert "could not be fetched" in replaced(KEY, "current", {"magento_rotation_plan": PLAN})
    assert "could not be fetched" in replaced(KEY, "current", {})


@pytest.mark.parametrize(
    "replacement",
    [
        "Current", "web-20260101", 7, True, [], ["current"], {"public_key": "a"}, {"private_key": "secret"},
        {**PAIR, "public_key": ""}, {**PAIR, "private_key": " "}, {**PAIR, "private_key": None},
        {**PAIR, "public_key": 7}, {**PAIR, "private_key": ["secret"]}, {**PAIR, "private_key": {"a": "secret"}},
    ],
    ids=str,
)  # fmt: skip
def test_no_replacements(replacement: Any) -> None:
    assert "either current or a pair" in replaced(KEY, replacement)


def test_unknown_options_are_refused_before_anything() -> None:
    names = ["magento_revoke_key", "magento_revoke_found", "magento_revoke_leaked"]
    options: Dict[str, Any] = {"replacement": None, "settings": SETTINGS, "rotation": {}}
    assert "no such option: magento_revoke_leaked" in refusal(ACCOUNT, wanted="ci", names=names, **options)
    assert refusal(ACCOUNT, wanted="ci", names=names[:2], **options) == ""


@pytest.mark.parametrize(
    ("plan", "replacement", "usable"),
    [
        ({"generations": []}, None, True),
        ({"generations": [], "code": "no_generation", "msg": "m"}, None, True),
        ({"generations": [], "code": "all_rejected", "msg": "m"}, None, True),
        ({"generations": [], "code": "no_generation", "msg": "m"}, "current", False),
        ({"generations": [], "code": "api_unreachable", "msg": "m"}, None, False),
        ({"failed": True, "msg": "m"}, None, False),
        (None, None, False),
    ],
)
def test_a_series_that_can_be_worked_with(plan: Any, replacement: Any, usable: bool) -> None:
    assert (unusable(plan, replacement=replacement) == "") is usable


# Who blocks


def host(public_key: str, action: str = "unchanged", path: str = "/a") -> Dict[str, Any]:
    entry = {"public_key": public_key}
    row = {"path": "/a", "action": action, "before": entry, "after": entry if action == "unchanged" else {}}
    confirmed = {"files": [{"path": path, "owner": "eve", "entries": [entry]}], "problems": []}
    return {CONFIRMED: confirmed, WOULD_CHANGE: {"files": [row]}}


@pytest.mark.parametrize(
    ("reports", "replacement", "settings", "reasons"),
    [
        ({"web1": host("new")}, PAIR, {}, []),
        ({"web1": host("other")}, {}, {}, []),
        ({"web1": host("other")}, PAIR, {}, ["the replacement was not seen on any host"]),
        # One reason for one file.
        ({"web1": host("p1")}, {}, {}, ["the host's variables give ci"]),
        ({"web1": host("p1", "removed")}, {}, {}, ["it would be removed"]),
        ({"web1": host("new"), "web2": {}}, PAIR, {}, ["it was not asked"]),
        ({"web1": host("new"), "web2": {}}, PAIR, {"excluded_hosts": ["web2"]}, []),
        # What is nobody's business of a rotation is one of a revocation.
        ({"web1": host("p1", path="/b")}, {}, {"unmanaged_keys": "ignore"},
         ["the host's variables give ci", "it holds ci, and no variable of the host names this file"]),
        ({}, {}, {}, ["no host is expected"]),
        ({"web1": host("new")}, PAIR, {"expected_hosts": ["web3"]}, ["it is expected and not in the target"]),
    ],
)  # fmt: skip
def test_who_blocks(reports: Any, replacement: Any, settings: Dict[str, Any], reasons: List[str]) -> None:
    rows = revocation(reports, key=KEY, replacement=replacement, settings={**SETTINGS, **settings})
    assert [row["reason"] for row in rows] == reasons


@pytest.mark.parametrize(
    ("results", "why"),
    [
        ([], ""),
        ([{"skipped": True}, None], ""),
        ([{"marketplace_keys": [1]}], ""),
        ([{"marketplace_keys": [1]}, {"code": "api_unreachable", "msg": "no\nanswer"}], "no answer"),
        ([{"marketplace_keys": []}], "there is no answer"),
        ([{"verdicts": [1]}, {"verdicts": [1], "code": "keys_invalid", "msg": "no"}], "no"),
        ([{"failed": True, "msg": "Traceback"}], "Traceback"),
    ],
)
def test_calls_that_failed(results: List[Any], why: str) -> None:
    assert failed_call(results) == why


# What is told


def message(blocked: Any = (), **options: Any) -> str:
    known = {"key": KEY, "settings": SETTINGS, "plan": PLAN, "reports": {}}
    return told(list(blocked), **{**known, **options})


ROW = {"host": "web1", "holder": None, "path": "/a", "owner": "eve", "reason": "r"}


def test_the_message() -> None:
    assert message() == "Revocation of ci (p1): it is disabled\nLeft to do: nothing"
    assert "it is disabled and deleted" in message(delete=True)
    assert "it would be disabled" in message(check_mode=True)
    assert message(failure="no answer").splitlines() == [
        "Revocation of ci (p1) failed: no answer",
        "Left to do: run again",
    ]
    lines = message([ROW] * 101).splitlines()
    assert lines[0] == "Revocation of ci (p1) is blocked: it stays enabled"
    assert lines[1] == "Blocked by web1: /a (of eve): r" and lines[101] == "Blocked by 1 more" and len(lines) == 103
    assert "it is disabled, and hosts are not confirmed" in message([ROW], leak=True)
    assert "hosts had no working key" in message(leak=True)
    assert "Excluded, and may have it still: web9" in message(settings={**SETTINGS, "excluded_hosts": ["web9"]})
    generation = {"label": "ci", "public_key": "p1", "state": "retired"}
    ours = {"series": "web", "generations": [generation]}
    assert "name ci in rejected" in message(plan=ours)
    assert "nothing" in message(plan=ours, delete=True)
    assert "nothing" in message(plan=ours, settings={**SETTINGS, "rejected": ["ci"]})


def test_by_hand_the_page_is_left() -> None:
    key = {"label": "a", "public_key": "pa", "uid": None}
    left = "Left to do: disable a on the account page, and name it in disabled_by_hand"
    assert message(key=key, settings=BY_HAND).splitlines()[1:] == [left]
    assert left not in message([ROW], key=key, settings=BY_HAND)
    assert "disable a on the account page" in message([ROW], key=key, settings=BY_HAND, leak=True)
    assert "nothing" in message(key=key, settings={**BY_HAND, "disabled_by_hand": ["a"]})
