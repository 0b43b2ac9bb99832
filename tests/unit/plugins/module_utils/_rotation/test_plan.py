# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next generation is due, and which generations are disabled or deleted."""

from __future__ import annotations

import datetime
from typing import List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import (
    Generation,
    Series,
    plan_issue,
    plan_retire,
    series_of,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    DAY,
    TODAY,
    labels,
    series,
)

# Due


@pytest.mark.parametrize(
    ("account", "rejected", "due", "enable"),
    [
        ([], [], True, False),
        (["web-20260228"], [], False, False),
        # 90 days old is not yet due.
        (["web-20251201"], [], False, False),
        (["web-20251130"], [], True, False),
        (["-web-20260228"], [], False, True),
        # The newest label counts, so that a rejection alone does not make a generation due.
        (["web-20251001", "web-20260228"], ["web-20260228"], False, False),
        (["-web-20251001", "web-20260228"], ["web-20260228"], False, True),
        (["-web-20251001", "web-20251130"], ["web-20251130"], True, False),
        # The clock was set back.
        (["web-20270101"], [], False, False),
    ],
)
def test_due(account: List[str], rejected: List[str], due: bool, enable: bool) -> None:
    found = series(*account, rejected=rejected)
    plan = plan_issue(found, today=TODAY, max_age=90)
    assert (plan.due, plan.enable) == (due, enable)
    assert plan.reason
    if due:
        assert plan.label == "web-20260301"
    else:
        assert found.current and plan.label == found.current.label


def test_generation_is_due_if_all_keys_are_adopted() -> None:
    adopted = series("one", adopt=["one"])
    assert plan_issue(adopted, today=TODAY, max_age=90).label == "web-20260301"
    both = series("one", "web-20260301", adopt=["one"])
    assert plan_issue(both, today=TODAY, max_age=90).due is False


def test_all_rejected_is_an_error_unless_a_generation_is_due() -> None:
    found = series("web-20260228", rejected=["web-20260228"])
    with pytest.raises(KeyfleetError) as caught:
        plan_issue(found, today=TODAY, max_age=90)
    assert caught.value.code == "all_rejected"
    assert plan_issue(found, today=TODAY, max_age=90, rotate_now=True).label == "web-20260301"
    assert plan_issue(found, today=TODAY + 90 * DAY, max_age=90).due


@pytest.mark.parametrize(
    ("account", "rejected", "due"),
    [
        (["web-20260228"], [], True),
        (["-web-20251001", "web-20260228"], [], True),
        # The rotation to the newest generation is not finished.
        (["web-20251001", "web-20260228"], [], False),
        (["web-20251001", "web-20260228"], ["web-20251001"], False),
        (["web-20251001", "web-20260228"], ["web-20260228"], True),
        (["web-20250901", "web-20251001", "web-20260228"], ["web-20260228"], False),
    ],
)
def test_rotate_now(account: List[str], rejected: List[str], due: bool) -> None:
    found = series(*account, rejected=rejected)
    assert plan_issue(found, today=TODAY, max_age=90, rotate_now=True).due is due


# Retire


@pytest.mark.parametrize(
    ("account", "rejected", "overlap", "disable", "wait"),
    [
        (["web-20260101"], [], 0, [], []),
        (["web-20260101", "web-20260301"], [], 0, ["web-20260101"], []),
        (["web-20251201", "web-20260101", "web-20260201"], [], 0, ["web-20251201", "web-20260101"], []),
        (["one", "web-20260201"], [], 0, ["one"], []),
        # The newest generation is 28 days old.
        (["web-20260101", "web-20260201"], [], 27, ["web-20260101"], []),
        (["web-20260101", "web-20260201"], [], 28, [], ["web-20260101"]),
        (["web-20260101", "web-20260301"], [], 1, [], ["web-20260101"]),
        (["web-20260101", "web-20270301"], [], 1, [], ["web-20260101"]),
        # A rejected key has no overlap.
        (["web-20260101", "web-20260301"], ["web-20260301"], 28, ["web-20260301"], []),
        (["web-20251201", "web-20260101", "web-20260301"], ["web-20260301"], 28, ["web-20260301"], ["web-20251201"]),
        # All are disabled already.
        (["-web-20260101", "-web-20260201"], [], 0, [], []),
    ],
)
def test_disabled_generations(
    account: List[str], rejected: List[str], overlap: int, disable: List[str], wait: List[str]
) -> None:
    found = series(*account, rejected=rejected, adopt=["one"] if "one" in account else [])
    plan = plan_retire(found, today=TODAY, overlap=overlap, delete_after=30)
    assert (labels(plan.disable), labels(plan.wait)) == (disable, wait)
    assert not found.current or found.current not in (*plan.disable, *plan.wait, *plan.delete)


@pytest.mark.parametrize(
    ("account", "rejected", "delete_after", "delete"),
    [
        # The newest retired generation is kept for a rollback.
        (["-web-20250101", "web-20250401"], [], 0, []),
        (["-web-20250101", "-web-20250201", "web-20250401"], [], 0, ["web-20250101"]),
        (["-web-20250101", "-web-20250201", "-web-20250301", "web-20250401"], [], 0, ["web-20250101", "web-20250201"]),
        # The age of the successor counts: 28 days.
        (["-web-20250101", "-web-20260201", "web-20260202"], [], 27, ["web-20250101"]),
        (["-web-20250101", "-web-20260201", "web-20260202"], [], 28, []),
        # A rejected generation is not kept for a rollback.
        (["-web-20250101", "-web-20250201", "web-20250401"], ["web-20250201"], 0, ["web-20250201"]),
        (["-web-20250101", "web-20250401", "-web-20250501"], ["web-20250501"], 0, []),
        (["-web-20250101", "web-20250401"], ["web-20250101"], 0, ["web-20250101"]),
        # A run that disables deletes nothing, and no enabled key is deleted.
        (["-web-20250101", "-web-20250201", "web-20250301", "web-20250401"], [], 0, []),
        (["web-20250101", "web-20250401"], ["web-20250101"], 0, []),
        # If none is enabled, the newest is current.
        (["-web-20250101", "-web-20250201", "-web-20250301"], [], 0, ["web-20250101"]),
        # Adopted keys are never deleted.
        (["-one", "-two", "-web-20250101", "-web-20250201", "web-20250301"], [], 0, ["web-20250101"]),
    ],
)
def test_deleted_generations(account: List[str], rejected: List[str], delete_after: int, delete: List[str]) -> None:
    found = series(*account, rejected=rejected, adopt=[name for name in ("one", "two") if "-" + name in account])
    plan = plan_retire(found, today=TODAY, overlap=0, delete_after=delete_after)
    assert labels(plan.delete) == delete
    assert not plan.disable or not plan.delete


def test_overlap_does_not_prevent_deletion() -> None:
    found = series("-web-20240101", "-web-20240201", "web-20250101", "web-20260301")
    plan = plan_retire(found, today=TODAY, overlap=7, delete_after=30)
    assert (labels(plan.wait), labels(plan.delete)) == (["web-20250101"], ["web-20240101"])


def test_empty_series() -> None:
    assert Series("web", ()).current is None
    assert plan_retire(Series("web", ()), today=TODAY, overlap=0, delete_after=0) == ((), (), ())


def test_work_is_linear_in_the_number_of_generations() -> None:
    """Counts comparisons of labels instead of measuring time."""

    class Label(str):
        comparisons = 0

        def __eq__(self, other: object) -> bool:
            Label.comparisons += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    def work(many: int) -> int:
        Label.comparisons = 0
        keys = [Generation(Label(f"web-{2000 + n // 28}01{n % 28 + 1:02}"), str(n), True) for n in range(many)]
        known = series_of("web", keys)
        plan_retire(known, today=datetime.date(2100, 1, 1), overlap=0, delete_after=1)
        plan_issue(known, today=datetime.date(2100, 1, 1), max_age=1, rotate_now=True)
        return Label.comparisons

    assert 0 < work(1000) <= 11 * work(100)
