# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for the keys of an account: calls, diffs, rows, labels and messages."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.plan import (
    KeyPlan,
    MarketplaceKey,
    Refusal,
    check_label,
    diff_of,
    key_row,
    matches,
    plan_keys,
    refusals_in_words,
    step_row,
)

ME, ORG = "MAG123456789", "000MADEUP000@AdobeOrg"


def fake_key(word: str) -> str:
    """32 hex digits that are not a real key."""
    return hashlib.sha256(f"not a key: {word}".encode()).hexdigest()[:32]


def key(label: str, uid: str = ME, enabled: bool = True) -> MarketplaceKey:
    return MarketplaceKey(label, uid, fake_key(label + uid), enabled, fake_key("private " + label + uid))


def digest(label: str, uid: str = ME) -> str:
    return "sha256:" + hashlib.sha256(fake_key("private " + label + uid).encode()).hexdigest()[:12]


ACCOUNT = [key("on"), key("off", enabled=False), key("on", ORG, enabled=False), key("theirs", ORG)]


def plan(*labels: str, **wanted: Any) -> KeyPlan:
    settings: Dict[str, Any] = {"uid": ME, "present": True, "enabled": None, "delete_enabled": False}
    return plan_keys(ACCOUNT, labels=labels, **{**settings, **wanted})


def calls_of(key_plan: KeyPlan) -> List[str]:
    """The calls in order."""
    calls = [f"create {','.join(key_plan.create)}"] if key_plan.create else []
    calls += [f"{'enable' if step.enabled else 'disable'} {step.label}" for step in key_plan.switch]
    return calls + [f"delete {label}" for label in key_plan.delete]


@pytest.mark.parametrize(
    ("labels", "wanted", "calls"),
    [
        (["on", "off"], {}, []),
        (["on", "off"], {"enabled": True}, ["enable off"]),
        (["on", "off"], {"enabled": False}, ["disable on"]),
        (["new"], {}, ["create new"]),
        (["new"], {"enabled": True}, ["create new"]),
        (["new", "off", "newer"], {"enabled": True}, ["create new,newer", "enable off"]),
        # The same label of another owner is another key.
        (["theirs"], {}, ["create theirs"]),
        (["on"], {"uid": ORG, "enabled": True}, ["enable on"]),
        (["off"], {"uid": ORG}, ["create off"]),
        (["off", "none"], {"present": False}, ["delete off"]),
        (["none"], {"present": False, "enabled": True}, []),
        (["on"], {"present": False, "uid": ORG}, ["delete on"]),
        (["on", "off"], {"present": False, "delete_enabled": True}, ["delete on", "delete off"]),
        (["theirs"], {"present": False}, []),
    ],
)
def test_calls(labels: List[str], wanted: Dict[str, Any], calls: List[str]) -> None:
    key_plan = plan(*labels, **wanted)
    assert calls_of(key_plan) == calls
    assert key_plan.changed is bool(calls)
    assert [step.label for step in key_plan.steps] == labels


@pytest.mark.parametrize(
    ("label", "existing", "words"),
    [
        (
            "laptop of J Doe",
            ["laptop of J. Doe", "ci", "web-20260101"],
            "'laptop of J Doe' (there is 'laptop of J. Doe')",
        ),
        ("CI", ["ci"], "'CI' (there is 'ci')"),
        ("web-2026011", ["ci", "web-20260111", "web-20260101"], "(there is 'web-20260111', 'web-20260101')"),
        ("Doe", ["laptop of J. Doe", "ci"], "'Doe' (there is 'laptop of J. Doe')"),
        ("laptop", ["ci"], f"Nothing was done: {ME} has no key called 'laptop'"),
        ("laptop", [], f"Nothing was done: {ME} has no key called 'laptop'"),
        # Only labels of the same owner are suggested.
        ("theirs", [], "'theirs'"),
        ("w" * 32, ["w" * 33], "'" + "w" * 32 + "'"),
    ],
)
def test_unknown_label_is_not_disabled(label: str, existing: List[str], words: str) -> None:
    account = [key(name) for name in existing] + [key("theirs", ORG)]
    for labels in ([label], [label, *existing], [*existing, label]):
        with pytest.raises(KeyfleetError) as caught:
            plan_keys(account, labels=labels, uid=ME, present=True, enabled=False, delete_enabled=False)
        assert caught.value.code == "unknown_label"
        assert caught.value.message.endswith(words)


def test_five_unknown_labels_are_named() -> None:
    with pytest.raises(KeyfleetError) as caught:
        plan(*(f"none {number}" for number in range(7)), enabled=False)
    assert "'none 4' and 2 others" in caught.value.message and "none 5" not in caught.value.message


def test_enabled_key_is_not_deleted() -> None:
    with pytest.raises(KeyfleetError) as caught:
        plan("off", "on", "none", present=False)
    assert caught.value.code == "key_enabled"
    assert caught.value.message.startswith("Nothing was done: 'on' would be deleted")


@pytest.mark.parametrize(
    ("labels", "wanted", "before", "after"),
    [
        (["on"], {}, "on: enabled", "on: enabled"),
        (["on"], {"enabled": False}, "on: enabled", "on: disabled"),
        (["off"], {"enabled": True}, "off: disabled", "off: enabled"),
        (["off"], {"present": False}, "off: disabled", ""),
        (["none"], {"present": False}, "", ""),
    ],
)
def test_diff(labels: List[str], wanted: Dict[str, Any], before: str, after: str) -> None:
    diff = diff_of(plan(*labels, **wanted))

    def line(text: str) -> str:
        label, _colon, state = text.partition(": ")
        return f"{label} ({ME}): {state} {fake_key(label + ME)} {digest(label)}\n" if text else ""

    assert (diff["before"], diff["after"]) == (line(before), line(after))


def test_diff_of_a_new_key_has_no_public_key() -> None:
    assert diff_of(plan("new"))["after"] == f"new ({ME}): enabled\n"


@pytest.mark.parametrize(("public_key", "shown"), [("a\nforged: line", "a forged: line"), ("k" * 40, "set")])
def test_unusual_public_key_is_shown_like_a_user_name(public_key: str, shown: str) -> None:
    unusual = MarketplaceKey("on", ME, public_key, True, fake_key("private"))
    key_plan = plan_keys([unusual], labels=["on"], uid=ME, present=False, enabled=None, delete_enabled=True)
    assert diff_of(key_plan)["before"].count("\n") == 1 and f" {shown} " in diff_of(key_plan)["before"]
    assert public_key == shown or "k" * 40 not in str(key_row(unusual)["public_key"])


def test_private_key_in_a_row_only_if_requested() -> None:
    row = key_row(key("on"))
    assert row == {
        "label": "on",
        "uid": ME,
        "public_key": fake_key("on" + ME),
        "fingerprint": digest("on"),
        "enabled": True,
    }
    assert key_row(key("on"), include_private_key=True) == dict(row, private_key=fake_key("private on" + ME))
    assert fake_key("private on" + ME) not in repr(key("on"))


def test_row_describes_the_key_after_the_step() -> None:
    step = plan("new").steps[0]
    assert step_row(step, ME) == {
        "label": "new", "uid": ME, "public_key": None, "fingerprint": None, "enabled": True, "action": "created",
    }  # fmt: skip
    row = step_row(step, ME, key("new"))
    assert (row["enabled"], row["action"], row["public_key"]) == (True, "created", fake_key("new" + ME))
    row = step_row(plan("off", present=False).steps[0], ME)
    assert (row["enabled"], row["action"], row["public_key"]) == (None, "deleted", fake_key("off" + ME))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["on", "off", "on", "theirs"]),
        ({"labels": ["on", "none"]}, ["on", "on"]),
        ({"prefix": "o"}, ["on", "off", "on"]),
        ({"prefix": "on", "uid": ORG}, ["on"]),
        ({"uid": "all", "enabled": True}, ["on", "theirs"]),
        ({"enabled": False}, ["off", "on"]),
        ({"public_key": fake_key("off" + ME)}, ["off"]),
        ({"fingerprint": digest("theirs", ORG)}, ["theirs"]),
        ({"labels": ["on"], "enabled": True, "uid": ORG}, []),
    ],
)
def test_filters(filters: Dict[str, Any], found: List[str]) -> None:
    every = dict.fromkeys(("labels", "prefix", "uid", "enabled", "public_key", "fingerprint"))
    assert [one.label for one in ACCOUNT if matches(one, {**every, **filters})] == found


@pytest.mark.parametrize(
    "label", ["a", "a" * 32, "鍵" * 32, "/ % ? # +", " blanks ", "..a", "...", "%2F", "~", "a,b", ".\\.", "=&;:@"]
)
def test_valid_label(label: str) -> None:
    check_label(label)
    assert calls_of(plan(label)) == [f"create {label}"]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("a" * 33, "more than 32 characters"),
        (".", "cannot be used in a URL"),
        ("..", "cannot be used in a URL"),
        ("a\nb", "cannot be printed"),
        ("a\tb", "cannot be printed"),
        ("a\u200bb", "cannot be printed"),
        ("\udc80", "cannot be printed"),
    ],
)
def test_invalid_label(label: str, reason: str) -> None:
    with pytest.raises(KeyfleetError, match=reason) as caught:
        check_label(label)
    assert caught.value.code == "bad_options"


def refusal(label: str, message: str = "", code: Optional[int] = None) -> Refusal:
    return Refusal(label, code, message)


def test_refusals_are_grouped_by_reason() -> None:
    assert refusals_in_words([refusal("a", "Full.", 1210)], asked=3) == (
        "1 of 3 keys were not created: 'a': Full. (code 1210)"
    )
    many = [refusal(f"k{number}", "Full.") for number in range(8)] + [refusal("z")]
    assert refusals_in_words(many, asked=9) == (
        "9 of 9 keys were not created: 'k0', 'k1', 'k2', 'k3', 'k4' and 3 others: Full.; 'z': no reason is shown"
    )
    assert asdict(refusal("a", "m", 1)) == {"label": "a", "code": 1, "message": "m"}
