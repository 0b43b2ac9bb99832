# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of all series and reports: labels, plans, and arbitrary JSON from a host."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.plan import check_label
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    COLLECTED,
    CONFIRMED,
    DEPLOYED,
    WOULD_CHANGE,
    Expected,
    blocked_by_hosts,
    not_deployed,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.report import predicted_files
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import (
    Generation,
    Series,
    next_label,
    plan_issue,
    plan_retire,
    series_of,
)

DAYS = st.dates(datetime.date(2020, 1, 1), datetime.date(2031, 1, 1))
PREFIXES = st.sampled_from(["a", "web", "web-20260101", "x" * 20])


@st.composite
def known(draw: st.DrawFn) -> Series:
    prefix = draw(PREFIXES)
    numbers = st.sampled_from(["", "-2", "-9", "-10", "-99", "-100", "-999"])
    labels = [f"{prefix}-{day:%Y%m%d}{draw(numbers)}" for day in draw(st.lists(DAYS, max_size=6))]
    adopted = draw(st.sampled_from([[], ["by hand"], ["two", "one"]]))
    keys = [Generation(label, f"public of {label}", draw(st.booleans())) for label in {*labels, *adopted, "ci"}]
    rejected = [label for label in labels if draw(st.integers(0, 3)) == 0]
    return series_of(prefix, keys, adopt=adopted, rejected=[*rejected, f"{prefix}-20250101"])


def thorough(function: Callable[..., None]) -> Callable[..., None]:
    return settings(max_examples=300)(function)


@thorough
@given(series=known(), today=DAYS)
def test_the_next_label_is_unused_and_the_newest(series: Series, today: datetime.date) -> None:
    label = next_label(series, today)
    check_label(label)
    assert label not in series.rejected and label not in {g.label for g in series.generations}
    keys = [g._replace(date=None) for g in series.generations]
    adopted = [g.label for g in series.generations if g.date is None]
    grown = series_of(
        series.prefix, [Generation(label, "new", True), *keys], adopt=adopted, rejected=[*series.rejected]
    )
    assert grown.generations[:-1] == series.generations and grown.current == grown.generations[-1]
    assert grown.current.date is not None and grown.current.date >= today


@thorough
@given(series=known(), today=DAYS, age=st.integers(0, 400), now=st.booleans())
def test_plans_of_an_issue(series: Series, today: datetime.date, age: int, now: bool) -> None:
    try:
        plan = plan_issue(series, today=today, max_age=age, rotate_now=now)
    except KeyfleetError as error:
        assert error.code == "all_rejected" and series.current is None
        return
    assert plan.label not in series.rejected and not (plan.due and plan.enable)
    if not plan.due:
        assert series.current and plan.label == series.current.label and plan.enable is not series.current.enabled
    elif not now:
        assert series.newest is None or (today - series.newest).days > age


@thorough
@given(series=known(), today=DAYS, overlap=st.integers(0, 30), delete_after=st.integers(0, 60))
def test_plans_of_a_retirement(series: Series, today: datetime.date, overlap: int, delete_after: int) -> None:
    plan = plan_retire(series, today=today, overlap=overlap, delete_after=delete_after)
    assert all(g.enabled for g in (*plan.disable, *plan.wait)) and not any(g.enabled for g in plan.delete)
    assert {*plan.disable, *plan.wait} == {g for g in series.generations if g.enabled} - {series.current}
    assert not (plan.disable and plan.delete) and all(g.date for g in plan.delete)
    assert series.current not in plan.delete and not any(g.label in series.rejected for g in plan.wait)
    retired = [g for g in series.generations if series.states()[g.label] == "retired"]
    assert not retired or retired[-1] not in plan.delete
    # After as many runs as there are generations, only the current one is enabled.
    left = series
    for _run in series.generations:
        retirement = plan_retire(left, today=datetime.date(2032, 1, 1), overlap=overlap, delete_after=delete_after)
        kept = [
            g._replace(enabled=g.enabled and g not in retirement.disable)
            for g in left.generations
            if g not in retirement.delete
        ]
        left = left._replace(generations=tuple(kept))
    assert [g for g in left.generations if g.enabled] == [g for g in (left.current,) if g and g.enabled]


TEXT = (
    st.sampled_from(["public of web-20260101", "public of web-20260301", "unchanged", "read_failed", "/a"]) | st.text()
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
NAMES = [
    "files", "problems", "effective", "entries", "before", "after", "public_key", "path", "owner", "user", "action",
    "code", "message", "msg", "failed", "unreachable", "skipped", "fingerprint",
]  # fmt: skip
JSON = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | TEXT, inner, max_size=6),
    max_leaves=25,
)
RESULTS = st.sampled_from([COLLECTED, CONFIRMED, WOULD_CHANGE, DEPLOYED])
FILE = {"path": "/a", "entries": [{"public_key": "public of web-20260301"}]}
ROW = {"path": "/a", "action": "unchanged", "after": {"public_key": "public of web-20260301"}}
HONEST: dict[str, Any] = {CONFIRMED: {"files": [FILE]}, WOULD_CHANGE: {"files": [ROW]}}


@thorough
@given(report=st.dictionaries(RESULTS, JSON) | JSON, check_mode=st.booleans(), ignore=st.booleans())
def test_arbitrary_reports_of_a_host_block_only_that_host(report: Any, check_mode: bool, ignore: bool) -> None:
    keys = [Generation(label, f"public of {label}", True) for label in ("web-20260101", "web-20260301")]
    series = series_of("web", keys)
    reports = {"liar": report, "honest": HONEST}
    rows = blocked_by_hosts(series, Expected(tuple(reports)), reports, ignore=ignore, check_mode=check_mode)
    rows += not_deployed(Expected(("liar",), excluded=("honest",)), reports)
    assert {row.host for row in rows} <= {"liar"}
    assert all(str(row).isprintable() and len(str(row)) < 1000 for row in rows), rows
    assert all(
        stale.host == "honest" or stale.path.isprintable() for stale in predicted_files(reports, series, label="x")
    )
