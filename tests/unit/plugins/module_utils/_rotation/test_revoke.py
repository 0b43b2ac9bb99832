# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation: the key, its replacement, and reasons that block disabling the key."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.account import ByHand
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.report import Outcome
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.revoke import begin, finish
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.run import rotate
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    FILE,
    FakeClient,
    Lab,
    has,
    installed,
    role,
    settings,
    would,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import CA, fake_key

CI, NEW = "ci", "web-20260228"
GOOD = {"web1": has(NEW), "web2": has(NEW)}


def revoke(lab: Lab, phase: str = "issue", *, check_mode: bool = False, **given: Any) -> Dict[str, Any]:
    options = {"key": CI, "replacement": None, "leak": False, "delete": False}
    options.update({name: given.pop(name) for name in list(options) if name in given})
    return lab.run(phase, check_mode=check_mode, revoke=options, **given)


@pytest.fixture(autouse=True)
def _account(lab: Lab) -> None:
    """A current generation, and two keys of different owners with the same label."""
    lab.client = FakeClient(NEW, CI)
    lab.client.add(CI, "ORG2")
    other = lab.client.keys_["ORG2", CI]
    lab.client.keys_["ORG2", CI] = other.__class__("ci", "ORG2", "public of theirs", True, fake_key("private theirs"))


@pytest.mark.parametrize(
    ("wanted", "uid", "public_key", "owner"),
    [
        (CI, None, "public of ci", "MAG1"),
        (CI, "ORG2", "public of theirs", "ORG2"),
        # Public key and fingerprint find the key of any owner.
        ("public of theirs", None, "public of theirs", "ORG2"),
        (describe(fake_key("private theirs")), None, "public of theirs", "ORG2"),
    ],
)
def test_key_is_found(lab: Lab, wanted: str, uid: Optional[str], public_key: str, owner: str) -> None:
    result = revoke(lab, key=wanted, uid=uid)
    assert result["revoked"] == {"label": CI, "public_key": public_key, "uid": owner, "replacement": None}
    assert (lab.client.calls, result["changed"], result["uid"]) == ([], False, uid or "MAG1")
    # The second phase finds the key again, and disables no other key.
    assert revoke(lab, "retire", key=wanted, uid=uid, hosts=GOOD)["disabled"] == [CI]
    assert [name for name, pair in lab.client.keys_.items() if not pair.enabled] == [(owner, CI)]


@pytest.mark.parametrize("phase", ["issue", "retire"])
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("0" * 32, "unknown_key"),
        ("c", "unknown_key"), ("CI", "unknown_key"), ("MAG1", "unknown_key"), (" ci", "unknown_key"),
        (None, "bad_options"), ("", "bad_options"), (" ", "bad_options"), ("public of ci", "ambiguous_key"),
    ],
)  # fmt: skip
def test_key_is_not_found(lab: Lab, phase: str, wanted: Any, code: str) -> None:
    similar = lab.client.keys_["MAG1", NEW]
    lab.client.keys_["MAG1", "public of ci"] = similar.__class__(
        "public of ci", "MAG1", "public of it", True, fake_key("private it")
    )
    result = revoke(lab, phase, key=wanted, leak=True, hosts=GOOD)
    assert (result["code"], result["revoked"], lab.client.calls) == (code, None, [])
    words = {
        "unknown_key": "there is no key with the label",
        "ambiguous_key": "name the public key or label",
        "bad_options": "name the key: -e magento_revoke_key=LABEL",
    }
    assert words[code] in result["message"]
    assert (" failed: " + result["message"]) in result["summary"]


@pytest.mark.parametrize(
    "wanted",
    [pytest.param(fake_key("private ci"), id="private half"), {"private_key": "secret"}, ["secret"], 7, True],
)
def test_possible_secret_is_not_quoted(lab: Lab, wanted: Any) -> None:
    # The lab asserts that the result has no private key of the account.
    result = revoke(lab, key=wanted)
    assert result["code"] in ("unknown_key", "bad_options") and "secret" not in str(result)


def test_unusual_private_key_and_label(lab: Lab) -> None:
    plain = lab.client.keys_["MAG1", CI]
    # An ordinary word has no fingerprint, and the label ".." cannot be used in a URL.
    for label, private_key in (("chosen", "a word of somebody"), ("..", fake_key("private dots"))):
        lab.client.keys_["MAG1", label] = plain.__class__(label, "MAG1", f"public of {label}", True, private_key)
    assert revoke(lab, "retire", key="set", hosts=GOOD)["code"] == "unknown_key"
    assert revoke(lab, "retire", key="public of ..", hosts=GOOD)["code"] == "bad_options"
    assert lab.client.calls == []


def test_key_named_like_its_replacement(lab: Lab) -> None:
    plain = lab.client.keys_["MAG1", CI]
    name = "the replacement"
    lab.client.keys_["MAG1", name] = plain.__class__(name, "MAG1", "public of it", True, fake_key("private it"))
    assert revoke(lab, "retire", key=name, replacement="current", hosts=GOOD)["disabled"] == [name]


def test_label_of_another_owner_is_not_found(lab: Lab) -> None:
    assert "(of MAG3)" in revoke(lab, uid="MAG3")["message"]


# The replacement


@pytest.mark.parametrize(
    ("phase", "leak", "message"), [("retire", False, "not every expected host"), ("issue", True, "was not disabled")]
)
def test_private_key_of_the_replacement_is_hidden(lab: Lab, phase: str, leak: bool, message: str) -> None:
    given = pair("of another account")
    hidden: List[str] = []
    lab.answer = lambda exchange: exchange.json("{}")
    lab.client.failing["disable"] = "down"
    options = {"key": CI, "replacement": given, "leak": leak, "delete": False}
    series = settings(url=lab.server.url, ca_path=CA, timeout=10.0)
    params = {"phase": phase, "hosts": GOOD, "holders": None, "revoke": options, "series": series}
    with pytest.raises(KeyfleetError, match=message):
        rotate(lab.client, params, check_mode=False, hide=hidden.extend)  # type: ignore[arg-type]
    assert given["private_key"] in hidden


def pair(label: str, **halves: Any) -> Dict[str, Any]:
    return {"public_key": fake_key(f"public {label}"), "private_key": fake_key(f"private {label}"), **halves}


@pytest.mark.parametrize(
    "given",
    [
        "Current", NEW, 7, True, ["current"], {"public_key": "a"}, {"private_key": "secret"},
        pair("x", public_key=""), pair("x", private_key=" "), pair("x", private_key=None), pair("x", public_key=7),
        pair("x", private_key=["secret"]), pair("x", private_key={"a": "secret"}), pair("x", private_key="f" * 33),
    ],
    ids=str,
)  # fmt: skip
def test_invalid_replacement(lab: Lab, given: Any) -> None:
    result = revoke(lab, replacement=given, leak=True)
    assert (result["code"], lab.client.calls, lab.server.requests) == ("bad_options", [], [])
    assert "magento_revoke_replacement" in result["message"] and "secret" not in result["message"]


def test_current_generation(lab: Lab) -> None:
    result = revoke(lab, replacement="current")
    assert result["revoked"]["replacement"] == f"public of {NEW}" and len(lab.server.requests) == 1
    assert f"{NEW} is the current generation of web" in revoke(lab, key=NEW)["message"]
    assert "cannot replace itself" in revoke(lab, key=NEW, replacement="current")["message"]
    lab.client.set_enabled(NEW, uid="MAG1", enabled=False)
    assert revoke(lab, replacement="current")["code"] == "no_generation"
    # Without a replacement no enabled generation is needed.
    assert "code" not in revoke(lab)
    assert "code" not in revoke(lab, rejected=[NEW])
    assert revoke(lab, replacement="current", rejected=[NEW])["code"] == "no_generation"


def test_generation_needs_a_replacement(lab: Lab) -> None:
    lab.client.add("web-20251001")
    for phase in ("issue", "retire"):
        result = revoke(lab, phase, key="web-20251001", leak=True, hosts=GOOD)
        assert "web-20251001 is a generation of web: give magento_revoke_replacement" in result["message"]
    assert lab.client.calls == []
    assert revoke(lab, "retire", key="web-20251001", replacement="current", hosts=GOOD)["disabled"]
    # A disabled generation needs none.
    assert "code" not in revoke(lab, "retire", key="web-20251001", hosts=GOOD)


def test_given_pair_is_verified_in_both_phases(lab: Lab) -> None:
    known = pair("x")
    original = lab.client.keys_["MAG1", CI]
    lab.client.keys_["MAG1", CI] = original.__class__(CI, "MAG1", known["public_key"], True, known["private_key"])
    assert "cannot replace itself" in revoke(lab, replacement=known)["message"]
    lab.client.keys_["MAG1", CI] = original
    for phase in ("issue", "retire"):
        hosts = {"web1": {**has(NEW), **has_key(known["public_key"])}}
        result = revoke(lab, phase, replacement=known, leak=phase == "issue", hosts=hosts)
        assert (result["code"], lab.client.calls, lab.slept) == ("unverified", [], []), result
        assert [verdict["http_status"] for verdict in result["verdicts"]] == [401]
    lab.client.keys_["MAG1", "x"] = original.__class__("x", "MAG1", known["public_key"], True, known["private_key"])
    assert revoke(lab, replacement=known)["revoked"]["replacement"] == known["public_key"]
    assert revoke(lab, "retire", replacement=known, hosts=hosts)["disabled"] == [CI]


def test_swapped_halves_are_not_shown(lab: Lab) -> None:
    current = lab.client.keys_["MAG1", NEW]
    swapped = {"public_key": current.private_key, "private_key": fake_key("whatever")}
    for phase in ("issue", "retire"):
        result = revoke(lab, phase, replacement=swapped, leak=True, hosts={})
        assert (result["code"], result["revoked"], lab.client.calls) == ("unverified", None, [])


def has_key(public_key: str) -> Dict[str, Any]:
    entry = {"public_key": public_key, "fingerprint": "f"}
    return {"magento_auth_confirmed": role({"path": FILE, "action": "unchanged", "before": entry, "after": entry})}


# Disabling


def test_leaked_key_is_disabled_at_once(lab: Lab) -> None:
    predicted = revoke(lab, leak=True, check_mode=True)
    assert (predicted["changed"], predicted["diff"], lab.client.calls) == (False, [], [])
    lab.client.failing["disable"] = "down"
    failed = revoke(lab, leak=True)
    assert failed["message"].startswith("ci was not disabled, and no host was changed: ") and not failed["changed"]
    lab.client.failing.clear()
    result = revoke(lab, leak=True)
    assert (result["disabled"], result["changed"], lab.client.calls) == ([CI], True, ["disable ci"])
    again = revoke(lab, leak=True)
    assert (again["disabled"], again["changed"], lab.client.calls) == ([], False, ["disable ci"])
    ended = revoke(lab, "retire", leak=True, hosts=GOOD)
    assert (ended["changed"], lab.client.calls) == (False, ["disable ci"])
    assert "It was disabled first, so hosts had no working key until the run reached them" in ended["summary"]
    predicted = revoke(lab, "retire", leak=True, check_mode=True, hosts=GOOD)
    assert (
        "would be disabled first, so hosts would have no working key until the run reached them" in predicted["summary"]
    )
    blocked = revoke(lab, "retire", leak=True, hosts={"web1": {}})
    assert "is blocked: it is disabled, and hosts are not confirmed to be without it" in blocked["summary"]


@pytest.mark.parametrize("delete", [False, True])
def test_retire(lab: Lab, delete: bool) -> None:
    predicted = revoke(lab, "retire", check_mode=True, delete=delete, hosts=GOOD)
    assert lab.client.calls == [] and "it would be disabled" in predicted["summary"]
    result = revoke(lab, "retire", delete=delete, hosts=GOOD)
    assert lab.client.calls == ["disable ci", "delete ci"][: 1 + delete]
    assert (result["disabled"], result["deleted"], result["left"]) == ([CI], [CI] if delete else [], [])
    assert result["diff"][0]["before"] == predicted["diff"][0]["before"] and predicted["changed"] and result["changed"]
    assert f"it is disabled{' and deleted' if delete else ''}\n" in result["summary"]
    if not delete:
        again = revoke(lab, "retire", hosts=GOOD)
        assert (again["changed"], again["disabled"], len(lab.client.calls)) == (False, [], 1)


def test_failing_calls(lab: Lab) -> None:
    for failing, calls in (("disable", []), ("delete", ["disable ci"])):
        lab.client.failing[failing] = "down"
        result = revoke(lab, "retire", delete=True, hosts=GOOD)
        assert (result["code"], lab.client.calls) == ("api_unreachable", calls)
        assert "Revocation of ci (public of ci) failed: " in result["summary"]
        assert result["summary"].endswith("Left to do: run again")
        lab.client.failing.clear()
    assert revoke(lab, "retire", delete=True, hosts=GOOD)["deleted"] == [CI]


def held(label: str, path: str = FILE, action: str = "unchanged") -> Dict[str, Any]:
    after = label if action == "unchanged" else None
    return {**has(label), **{"magento_rotation_confirmed": installed(label, path=path)},
            "magento_auth_confirmed": role(would(action, label, after))}  # fmt: skip


@pytest.mark.parametrize(
    ("hosts", "given", "reasons"),
    [
        ({"web1": has(NEW)}, {"replacement": "current"}, []),
        ({"web1": has("other")}, {}, []),
        ({"web1": has("other")}, {"replacement": "current"}, ["the replacement of ci was not seen on any host"]),
        # One reason per file.
        ({"web1": has(CI)}, {}, ["the host's variables set ci"]),
        ({"web1": held(CI, action="removed")}, {}, ["not yet removed"]),
        ({"web1": has(NEW), "web2": {}}, {"replacement": "current"}, ["it did not report"]),
        ({"web1": has(NEW), "web2": {}}, {"excluded_hosts": ["web2"]}, []),
        # unmanaged_keys does not apply to a revocation.
        ({"web1": held(CI, path="/b")}, {"unmanaged_keys": "ignore"},
         ["the host's variables set ci", "it has ci, and no variable of the host names this file"]),
        ({}, {}, ["no host is expected"]),
        (None, {}, ["no host is expected"]),
        ({"web1": has(NEW)}, {"expected_hosts": ["web3"]}, ["it is expected but not in the target"]),
        # External holders need not confirm.
        ({"web1": has(NEW)}, {"external_holders_acknowledged": False}, []),
    ],
)  # fmt: skip
def test_blocked(lab: Lab, hosts: Any, given: Dict[str, Any], reasons: List[str]) -> None:
    result = revoke(lab, "retire", hosts=hosts, delete=True, **given)
    assert [row["reason"] for row in result["blocked"]] == reasons
    assert (result.get("code") == "blocked") is bool(reasons) and bool(lab.client.calls) is not bool(reasons)
    if reasons:
        assert "is blocked: it stays enabled" in result["summary"] and "fix what is named above" in result["summary"]
    if "excluded_hosts" in given:
        assert "Excluded, and may still have it: web2" in result["summary"]


def test_changes_of_hosts_are_reported(lab: Lab) -> None:
    result = revoke(lab, "retire", check_mode=True, hosts={"web1": held(CI, action="removed"), "web2": has(NEW)})
    assert f"Would be removed: web1, {FILE}" in result["summary"].splitlines()
    done = {**has(NEW), "magento_auth_result": role(would("removed", CI, None))}
    result = revoke(lab, "retire", hosts={"web1": done, "web2": has(NEW)})
    assert f"Was removed: web1, {FILE}" in result["summary"].splitlines()


@pytest.mark.parametrize(
    ("given", "expected"), [({}, True), ({"rejected": ["web-20251001"]}, False), ({"delete": True}, False)]
)
def test_revoked_generation_must_be_rejected(lab: Lab, given: Dict[str, Any], expected: bool) -> None:
    lab.client.add("web-20251001")
    result = revoke(lab, "retire", key="web-20251001", replacement="current", hosts=GOOD, **given)
    left = "name web-20251001 in rejected, so that no rotation enables it again"
    assert (left in result["left"]) is (left in result["summary"]) is expected


def test_revoked_adopted_key(lab: Lab) -> None:
    lab.client.add("made by hand")
    given: Dict[str, Any] = {
        "key": "made by hand", "replacement": "current", "hosts": GOOD, "adopt": ["made by hand"],
    }  # fmt: skip
    assert revoke(lab, "retire", **given)["left"] == [
        "name made by hand in rejected, so that no rotation enables it again"
    ]
    assert revoke(lab, "retire", rejected=["made by hand"], **given)["left"] == []
    deleted = revoke(lab, "retire", rejected=["made by hand"], delete=True, **given)
    assert deleted["left"] == ["remove made by hand from adopt and rejected"] and deleted["deleted"] == ["made by hand"]
    lab.client.add("made by hand")
    assert revoke(lab, "retire", delete=True, **given)["left"] == ["remove made by hand from adopt"]


# By hand


def by_hand(lab: Lab, phase: Any, hosts: Any = None, *, key: str = "a", leak: bool = False, delete: bool = False,
            **given: Any) -> Outcome:  # fmt: skip
    halves = {"public_key": fake_key("public b"), "private_key": fake_key("private b")}
    older = [{"label": "a", "public_key": fake_key("public a")}]
    known = settings(
        pair={"label": "b", **halves}, previous=older, url=lab.server.url, ca_path=CA, timeout=10.0, **given
    )
    lab.answer = lambda exchange: exchange.json("{}")
    done = Outcome(phase="retire", prefix="web", check_mode=False)
    options = {"key": key, "replacement": "current", "leak": leak, "delete": delete}
    phase(ByHand(known), {"series": known, "revoke": options, "hosts": hosts}, done)
    return done


def test_instructions_for_a_pair_by_hand(lab: Lab) -> None:
    todo = ["disable a on the account page, and name it in disabled_by_hand"]
    good = {"web1": {**has(NEW), **has_key(fake_key("public b"))}}
    assert by_hand(lab, finish, good).left == todo and by_hand(lab, finish, {}).left == []
    assert by_hand(lab, finish, {}, leak=True).left == todo
    assert by_hand(lab, finish, good, disabled_by_hand=["a"]).left == []
    assert by_hand(lab, finish, good, delete=True).left == [*todo, "delete a on the account page"]
    with pytest.raises(KeyfleetError, match="name it in previous"):
        by_hand(lab, finish, good, key="laptop")
    assert by_hand(lab, begin).warnings == []
    (warning,) = by_hand(lab, begin, leak=True).warnings
    assert "Disable a on the account page now" in warning
    named = by_hand(lab, begin, key=fake_key("public a")).revoked
    assert named and (named.label, named.uid) == ("a", None)
