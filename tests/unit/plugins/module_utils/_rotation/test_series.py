# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of a series, the next label, and states of generations."""

from __future__ import annotations

import datetime
import random
from typing import Any, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.plan import LABEL_LIMIT, check_label
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import (
    PREFIX_LIMIT,
    check_prefix,
    date_of,
    next_label,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    DAY,
    TODAY,
    labels,
    series,
)


def refused(*given: str, **options: Any) -> str:
    with pytest.raises(KeyfleetError) as caught:
        series(*given, **options)
    assert caught.value.code == "bad_options"
    return caught.value.message


# Labels


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("web-20260101", True),
        ("web-20260101-2", True),
        ("web-20260101-999", True),
        ("web-20240229", True),
        # The collection creates no such labels.
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
        ("", False),
        (".", False),
        ("..", False),
        ("web-old", False),
        ("Web-20260101", False),
        ("webs-20260101", False),
        ("my web-20260101", False),
        ("web-api-20260101", False),
        ("webx20260101", False),
    ],
)
def test_labels_of_a_series(label: str, expected: bool) -> None:
    assert labels(series(label or "x").generations) == [label] * expected
    assert (date_of("web", label) is not None) is expected


@pytest.mark.parametrize(
    ("prefix", "label", "expected"),
    [
        ("web.eu", "webxeu-20260101", False),
        ("web.eu", "web.eu-20260101", True),
        ("a b", "a b-20260101", True),
        # The longest prefix counts, so that no label belongs to two series.
        ("web-20260101", "web-20260101-20260202", True),
        ("web", "web-20260101-20260202", False),
    ],
)
def test_prefix_is_matched_literally(prefix: str, label: str, expected: bool) -> None:
    assert bool(series(label, prefix=prefix).generations) is expected


@pytest.mark.parametrize("prefix", ["a", "A1", "x" * PREFIX_LIMIT, "shop one", "a.b_c-d"])
def test_valid_prefix(prefix: str) -> None:
    check_prefix(prefix)
    assert date_of(prefix, f"{prefix}-20260101") == datetime.date(2026, 1, 1)


@pytest.mark.parametrize("prefix", ["", "x" * 21, ".", "..", "-a", "a-", " a", "a ", "a/b", "a\n", "\u00e4", "a\x00b"])
def test_invalid_prefix(prefix: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        check_prefix(prefix)
    assert caught.value.code == "bad_options"
    assert "prefix" in refused(prefix=prefix)


def test_generations_are_ordered_by_age() -> None:
    ordered = ["web-20251231", "web-20260101", "web-20260101-2", "web-20260101-10", "web-20260102"]
    for seed in range(20):
        given = list(ordered)
        random.Random(seed).shuffle(given)
        assert labels(series(*given, "other-20260101").generations) == ordered, f"seed {seed}"


# The next label


@pytest.mark.parametrize(
    ("account", "rejected", "expected"),
    [
        ([], [], "web-20260301"),
        (["web-20260101"], [], "web-20260301"),
        (["-web-20260301"], [], "web-20260301-2"),
        (["web-20260301", "web-20260301-2"], [], "web-20260301-3"),
        # A clock that was set back, or was ahead.
        (["web-20260302"], [], "web-20260302-2"),
        (["web-20270101-4"], [], "web-20270101-5"),
        # Rejected labels are not used again, whether the account has them or not.
        ([], ["web-20260301"], "web-20260301-2"),
        (["web-20260301"], ["web-20260301-2"], "web-20260301-3"),
        ([], ["web-20260303"], "web-20260303-2"),
        (["web-20260101"], ["web-20260201"], "web-20260301"),
        # Labels of other series do not count.
        (["other-20260301", "web-20260301-2-3"], [], "web-20260301"),
        # LABEL_LIMIT leaves room for a number of two digits.
        (["web-20260301-98"], [], "web-20260301-99"),
        (["web-20260301-99"], [], "web-20260302"),
        (["web-20260301-999"], [], "web-20260302"),
        (["web-20261231-99"], [], "web-20270101"),
    ],
)
def test_next_label(account: List[str], rejected: List[str], expected: str) -> None:
    assert next_label(series(*account, rejected=rejected), TODAY) == expected


@pytest.mark.parametrize("prefix", ["web", "x" * PREFIX_LIMIT])
def test_next_label_is_always_unused_and_the_newest(prefix: str) -> None:
    random_ = random.Random(7)
    today = TODAY
    made: List[str] = []
    rejected: List[str] = []
    kept: List[str] = []
    for _step in range(1500):
        today += random_.choice([0, 0, 0, 0, 1, -1, 30, -40]) * DAY
        known = series(*kept, rejected=rejected, prefix=prefix)
        label = next_label(known, today)
        check_label(label)
        assert len(label) <= LABEL_LIMIT and label not in (*made, *rejected)
        made.append(label)
        kept.append(label)
        assert labels(series(*kept, rejected=rejected, prefix=prefix).generations)[-1] == label
        if random_.random() < 0.3:
            rejected.append(random_.choice(made[-5:]))
        # Only the newest labels stay in the account and the settings.
        kept, rejected = kept[-3:], rejected[-9:]


# States


@pytest.mark.parametrize(
    ("account", "rejected", "states"),
    [
        ([], [], []),
        (["web-20260101"], [], ["current"]),
        # If none is enabled, the newest is current.
        (["-web-20260101", "-web-20260201"], [], ["retired", "current"]),
        (["web-20260101", "-web-20260201"], [], ["current", "retired"]),
        (["web-20260101", "web-20260201"], [], ["superseded", "current"]),
        (["web-20260101", "web-20260201"], ["web-20260201"], ["current", "rejected"]),
        (["-web-20260101", "web-20260201"], ["web-20260201"], ["current", "rejected"]),
        (["-web-20260101", "-web-20260201"], ["web-20260201"], ["current", "rejected"]),
        (["web-20260101", "-web-20260201", "web-20260202"], ["web-20260202"], ["current", "retired", "rejected"]),
        (["web-20260101", "web-20260201"], ["web-20260101"], ["rejected", "current"]),
        (["web-20260101"], ["web-20260101"], ["rejected"]),
        (["web-20260101"], ["web-20260201"], ["current"]),
    ],
)
def test_states(account: List[str], rejected: List[str], states: List[str]) -> None:
    found = series(*account, rejected=rejected)
    assert list(found.states().values()) == states
    assert [g for g in found.generations if found.states()[g.label] == "current"] == [g for g in (found.current,) if g]
    # An enabled rejected key is retired like a superseded one.
    remaining = [g for g in found.generations if g.enabled and found.states()[g.label] in ("superseded", "rejected")]
    assert list(found.superseded) == remaining


@pytest.mark.parametrize("label", ["web", "other-20260101", "web-20260101-1", "web-20260230", "web-20260101 ", ""])
def test_rejected_label_must_belong_to_the_series(label: str) -> None:
    assert "rejected" in refused("web-20260101", rejected=["web-20260101", label])


# Adopted keys


def test_adopted_key_may_be_rejected() -> None:
    found = series("one", "-two", "web-20260101", adopt=["one", "two"], rejected=["one", "web-20260101"])
    assert found.states() == {"one": "rejected", "two": "current", "web-20260101": "rejected"}
    assert "rejected" in refused("one", rejected=["one"])


def test_adopted_keys_are_the_oldest() -> None:
    found = series("web-20260101", "two", "one", "other", adopt=["one", "two", "one"])
    assert [(g.label, g.date is None) for g in found.generations] == [
        ("one", True),
        ("two", True),
        ("web-20260101", False),
    ]


@pytest.mark.parametrize("label", ["web-20260101", "other-20260101", "other-20260101-7", "unknown"])
def test_labels_that_cannot_be_adopted(label: str) -> None:
    assert "adopt" in refused("one", "web-20260101", "other-20260101", "other-20260101-7", adopt=["one", label])


@pytest.mark.parametrize(
    "label", ["web-20260101-1", "web-20261301", "2026", "x" * 21 + "-20260101", "-\u00e4-20260101"]
)
def test_labels_that_can_be_adopted(label: str) -> None:
    name = label.lstrip("-")
    assert labels(series(name, adopt=[name]).generations) == [name]
