# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A series of keys, its next generation, and the way back. Pure: keys and a date in, a plan out.

The account keeps no dates, so a label is the only record of a key's age: ``<prefix>-<YYYYMMDD>`` in UTC, with ``-<n>``
(2 and up) for a further one of the same day. Nothing else is remembered anywhere: every plan is derived anew from the
list of keys, so that a run that was killed is taken up by the next one.
"""

from __future__ import annotations

import bisect
import datetime
import re
from dataclasses import dataclass
from typing import Iterable, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError

LABEL_LIMIT = 32  # characters; Marketplace EQP API, access keys
PREFIX_LIMIT = 20
_PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._ -]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True)
class AccountKey:
    """A key as the account lists it, without its private half."""

    label: str
    public_key: str
    enabled: bool


@dataclass(frozen=True, order=True)
class Generation:
    """One key of a series. Generations are ordered by age, oldest first."""

    date: datetime.date
    number: int
    label: str
    public_key: str
    enabled: bool


@dataclass(frozen=True)
class Series:
    """All generations of a prefix, oldest first."""

    prefix: str
    generations: Tuple[Generation, ...]

    @property
    def current(self) -> Optional[Generation]:
        """The newest enabled generation."""
        enabled = [generation for generation in self.generations if generation.enabled]
        return enabled[-1] if enabled else None

    @property
    def spent(self) -> Tuple[Generation, ...]:
        """Enabled, and older than the current one."""
        current = self.current
        return tuple(g for g in self.generations if g.enabled and g != current)

    @property
    def retired(self) -> Tuple[Generation, ...]:
        """Disabled."""
        return tuple(g for g in self.generations if not g.enabled)

    def successor(self, generation: Generation) -> Optional[Generation]:
        """The next younger generation, enabled or not."""
        number = bisect.bisect_right(self.generations, generation)
        return self.generations[number] if number < len(self.generations) else None

    def by_label(self, label: str) -> Generation:
        """The generation of that label."""
        return next(generation for generation in self.generations if generation.label == label)


def check_prefix(prefix: str) -> None:
    """Raises `KeyfleetError` ``bad_options`` for a prefix that cannot lead a series' labels."""
    if len(prefix) > PREFIX_LIMIT or not _PREFIX.match(prefix):
        raise KeyfleetError(
            "bad_options",
            f"prefix {prefix!r} must have 1 to {PREFIX_LIMIT} letters, digits, dots, blanks, hyphens or underscores, "
            "with a letter or digit first and last",
        )


def _generation(prefix: str, key: AccountKey) -> Optional[Generation]:
    match = re.match(re.escape(prefix) + r"-([0-9]{8})(?:-([2-9]|[1-9][0-9]{1,2}))?\Z", key.label)
    if not match:
        return None
    try:
        date = datetime.datetime.strptime(match.group(1), "%Y%m%d").date()
    except ValueError:
        return None
    return Generation(date, int(match.group(2) or 1), key.label, key.public_key, key.enabled)


def series_of(prefix: str, keys: Iterable[AccountKey]) -> Series:
    """The series among ``keys``, which must be of one owner (uid). Other labels are none of its business."""
    check_prefix(prefix)
    found = [generation for generation in (_generation(prefix, key) for key in keys) if generation]
    return Series(prefix, tuple(sorted(found)))


def next_label(series: Series, today: datetime.date) -> str:
    """The label of a new generation, younger than every other even where a clock has gone backwards."""
    newest = series.generations[-1] if series.generations else None
    date = max(today, newest.date) if newest else today
    number = newest.number + 1 if newest and newest.date == date else 1
    return f"{series.prefix}-{date:%Y%m%d}" + (f"-{number}" if number > 1 else "")


@dataclass(frozen=True)
class IssuePlan:
    """``create`` True: make a key called ``label``. Otherwise ``label`` is the generation to go on with."""

    due: bool
    create: bool
    label: str
    public_key: Optional[str]
    reason: str


def plan_issue(series: Series, *, today: datetime.date, max_age: int, rotate_now: bool = False) -> IssuePlan:
    """Whether a new generation is due (``max_age`` in days), or one that was left unfinished is to be taken up."""
    current = series.current
    if current is None:
        return IssuePlan(True, True, next_label(series, today), None, "no generation is enabled")
    age = (today - current.date).days
    if series.spent:
        # Never a third one: whoever holds the last rotation up would hold the next one up as well.
        held = ", ".join(generation.label for generation in series.spent)
        reason = f"{current.label} has not taken the place of {held} everywhere yet"
        return IssuePlan(False, False, current.label, current.public_key, reason)
    if rotate_now:
        return IssuePlan(True, True, next_label(series, today), None, "rotate_now asks for it")
    if age > max_age:
        reason = f"{current.label} is {age} days old and may be {max_age}"
        return IssuePlan(True, True, next_label(series, today), None, reason)
    reason = f"{current.label} is {age} days old and may be {max_age}"
    return IssuePlan(False, False, current.label, current.public_key, reason)


@dataclass(frozen=True)
class RollbackPlan:
    """The generation to go back to; ``enable`` True if it must be enabled first."""

    target: Generation
    newer: Generation
    enable: bool


def plan_rollback(series: Series) -> RollbackPlan:
    """Back to the generation before the current one. The current one stays enabled for a person to judge."""
    current = series.current
    before = [g for g in series.generations if current and g < current]
    if current is None or not before:
        raise KeyfleetError("no_previous", f"the series {series.prefix} has no generation before its current one")
    return RollbackPlan(target=before[-1], newer=current, enable=not before[-1].enabled)
