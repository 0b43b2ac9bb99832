# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A series, its next generation, and the way back."""

from __future__ import annotations

import datetime
from typing import List, Optional, Sequence, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import (
    AccountKey,
    Series,
    check_prefix,
    next_label,
    plan_issue,
    plan_rollback,
    series_of,
)

TODAY = datetime.date(2026, 3, 1)


def series(*labels: str, prefix: str = "web") -> Series:
    """Labels of keys; a minus in front means disabled."""
    keys = [AccountKey(label.lstrip("-"), f"public of {label.lstrip('-')}", label[:1] != "-") for label in labels]
    return series_of(prefix, keys)


def labels(generations: Sequence[object]) -> List[str]:
    return [str(generation.label) for generation in generations]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("label", "counts"),
    [
        ("web-20260101", True),
        ("web-20260101-2", True),
        ("web-20260101-999", True),
        # No generation of ours has such a label.
        ("web-20260101-0", False),
        ("web-20260101-1", False),
        ("web-20260101-02", False),
        ("web-20260101-1000", False),
        ("web-20260101-", False),
        ("web-20260101-2-3", False),
        ("web-20260101 ", False),
        ("web-20260101\n", False),
        ("web-20261301", False),
        ("web-20260230", False),
        ("web-00000101", False),
        ("web-2026010", False),
        ("web-202601011", False),
        ("web-\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", False),
        ("web", False),
        ("web-", False),
        ("web-old", False),
        ("Web-20260101", False),
        ("webs-20260101", False),
        ("my web-20260101", False),
        ("web-api-20260101", False),
        ("webx20260101", False),
    ],
)
def test_labels_of_a_series(label: str, counts: bool) -> None:
    assert labels(series_of("web", [AccountKey(label, "p", True)]).generations) == [label] * counts


@pytest.mark.parametrize(
    ("prefix", "label", "counts"),
    [("web.eu", "webxeu-20260101", False), ("web.eu", "web.eu-20260101", True), ("a b", "a b-20260101", True),
     ("web-20260101", "web-20260101-20260202", True), ("web", "web-20260101-20260202", False)],
)  # fmt: skip
def test_a_prefix_is_no_pattern(prefix: str, label: str, counts: bool) -> None:
    assert bool(series_of(prefix, [AccountKey(label, "p", True)]).generations) == counts


@pytest.mark.parametrize("prefix", ["a", "A1", "x" * 20, "shop one", "a.b_c-d"])
def test_prefixes(prefix: str) -> None:
    check_prefix(prefix)
    assert len(next_label(Series(prefix, ()), TODAY)) <= 32


@pytest.mark.parametrize("prefix", ["", "x" * 21, ".", "..", "-a", "a-", " a", "a ", "a/b", "a\n", "\u00e4", "a\x00b"])
def test_no_prefixes(prefix: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        check_prefix(prefix)
    assert caught.value.code == "bad_options"


def test_the_order_is_that_of_age_and_not_of_text() -> None:
    found = series("web-20260101-10", "web-20260101-2", "-web-20251231", "web-20260101", "-web-20260201", "ci")
    assert labels(found.generations) == [
        "web-20251231", "web-20260101", "web-20260101-2", "web-20260101-10", "web-20260201"
    ]  # fmt: skip
    assert found.current and found.current.label == "web-20260101-10"
    assert labels(found.spent) == ["web-20260101", "web-20260101-2"]
    assert labels(found.retired) == ["web-20251231", "web-20260201"]
    younger = [found.successor(generation) for generation in found.generations]
    assert [g.label if g else None for g in younger] == [*labels(found.generations)[1:], None]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "web-20260301"),
        (["web-20260101"], "web-20260301"),
        (["web-20260301"], "web-20260301-2"),
        (["-web-20260301", "-web-20260301-2"], "web-20260301-3"),
        (["web-20260301-9"], "web-20260301-10"),
        # A gap is not filled: it would be older than what is there.
        (["web-20260301-3"], "web-20260301-4"),
        # The clock went backwards.
        (["web-20260401"], "web-20260401-2"),
        (["-web-20260401-2"], "web-20260401-3"),
    ],
)
def test_next_label(given: List[str], expected: str) -> None:
    before = series(*given)
    assert next_label(before, TODAY) == expected
    after = series(*given, expected)
    assert after.current and after.current.label == expected and after.generations[-1].label == expected


@pytest.mark.parametrize(
    ("given", "max_age", "now", "expected"),
    [
        ([], 90, False, (True, True, "web-20260301")),
        (["-web-20260101"], 90, False, (True, True, "web-20260301")),
        (["web-20260301"], 0, False, (False, False, "web-20260301")),
        (["web-20260228"], 0, False, (True, True, "web-20260301")),
        (["web-20251201"], 90, False, (False, False, "web-20251201")),
        (["web-20251130"], 90, False, (True, True, "web-20260301")),
        (["web-20260228"], 90, True, (True, True, "web-20260301")),
        (["web-20260301"], 90, True, (True, True, "web-20260301-2")),
        (["web-20260401"], 0, False, (False, False, "web-20260401")),
        # Never a third, whoever asks for it and however old they are.
        (["web-20240101", "web-20240102"], 1, True, (False, False, "web-20240102")),
        (["web-20240101", "-web-20240102", "web-20240103"], 1, False, (False, False, "web-20240103")),
        # One that was disabled is no reason to wait.
        (["-web-20240101", "web-20240102"], 1, False, (True, True, "web-20260301")),
        (["web-20260220", "-web-20260221"], 90, False, (False, False, "web-20260220")),
    ],
)
def test_issue(given: List[str], max_age: int, now: bool, expected: Tuple[bool, bool, str]) -> None:
    plan = plan_issue(series(*given), today=TODAY, max_age=max_age, rotate_now=now)
    assert (plan.due, plan.create, plan.label) == expected
    assert plan.public_key == (None if plan.create else f"public of {plan.label}")
    assert plan.reason


@pytest.mark.parametrize(
    ("given", "target", "enable"),
    [
        (["web-20260101", "web-20260201"], "web-20260101", False),
        (["-web-20260101", "web-20260201"], "web-20260101", True),
        (["web-20251201", "-web-20260101", "web-20260201", "-web-20260301"], "web-20260101", True),
        (["web-20260201"], None, False),
        (["-web-20260101"], None, False),
        (["web-20260101", "-web-20260201"], None, False),
        ([], None, False),
    ],
)
def test_rollback(given: List[str], target: Optional[str], enable: bool) -> None:
    if target is None:
        with pytest.raises(KeyfleetError) as caught:
            plan_rollback(series(*given))
        assert caught.value.code == "no_previous"
        return
    plan = plan_rollback(series(*given))
    assert (plan.target.label, plan.newer.label, plan.enable) == (target, "web-20260201", enable)
