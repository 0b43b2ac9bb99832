# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generations of a series: labels, states, and plans to issue and retire them. Pure.

The account stores no dates, so a label is the only record of the age of a key: ``<prefix>-<YYYYMMDD>`` in UTC, with
``-<n>`` (2 and up) for another key of the same day. Every plan is derived from the list of keys, the clock and the
settings, so the next run continues a run that was killed.
"""

from __future__ import annotations

import datetime
import re
from typing import Dict, FrozenSet, Iterable, NamedTuple, Optional, Sequence, Tuple

from .._argspec import bad_options
from .._errors import KeyfleetError

HALVES = ("public_key", "private_key")

PREFIX_LIMIT = 20
# With a third digit, a label could exceed 32 characters.
_MOST_A_DAY = 99
_PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._ -]*[A-Za-z0-9])?\Z")
_LABEL = re.compile(r"(.+)-([0-9]{8})(?:-([2-9]|[1-9][0-9]{1,2}))?\Z", re.DOTALL)


class Generation(NamedTuple):
    """One key of a series. ``date`` is None if the label has none: for an adopted key, or one made by hand."""

    label: str
    public_key: str
    enabled: bool
    date: Optional[datetime.date] = None


class Series(NamedTuple):
    """The generations of a prefix, oldest first. ``rejected``: labels that must not be used any more."""

    prefix: str
    generations: Tuple[Generation, ...]
    rejected: FrozenSet[str] = frozenset()

    @property
    def current(self) -> Optional[Generation]:
        """The newest generation that is not rejected, enabled ones first; None if there is none."""
        usable = [generation for generation in self.generations if generation.label not in self.rejected]
        enabled = [generation for generation in usable if generation.enabled]
        return (enabled or usable or [None])[-1]  # type: ignore[list-item]

    @property
    def superseded(self) -> Tuple[Generation, ...]:
        """Enabled generations other than the current one, including rejected ones."""
        current = self.current
        return tuple(g for g in self.generations if g.enabled and g != current)

    @property
    def newest(self) -> Optional[datetime.date]:
        """The date of the newest label, rejected or not."""
        return max((g.date for g in self.generations if g.date), default=None)

    def states(self) -> Dict[str, str]:
        """``current``, ``rejected``, ``superseded`` or ``retired``, by label."""
        current, states = self.current, {}
        for generation in self.generations:
            if generation.label in self.rejected:
                state = "rejected"
            elif generation == current:
                state = "current"
            else:
                state = "superseded" if generation.enabled else "retired"
            states[generation.label] = state
        return states


def check_prefix(prefix: str) -> None:
    """Raises `KeyfleetError` ``bad_options`` for an invalid prefix."""
    if len(prefix) > PREFIX_LIMIT or not _PREFIX.match(prefix):
        raise bad_options(
            f"prefix {prefix!r} must have 1 to {PREFIX_LIMIT} letters, digits, dots, blanks, hyphens or underscores, "
            "with a letter or digit first and last"
        )


def _dated(label: str) -> Optional[Tuple[str, datetime.date, int]]:
    """Prefix, date and number of a label of a generation of any series, or None."""
    match = _LABEL.match(label)
    if not match or len(match.group(1)) > PREFIX_LIMIT or not _PREFIX.match(match.group(1)):
        return None
    try:
        date = datetime.datetime.strptime(match.group(2), "%Y%m%d").date()
    except ValueError:
        return None
    return match.group(1), date, int(match.group(3) or 1)


def date_of(prefix: str, label: str) -> Optional[datetime.date]:
    """The date in a label of the series ``prefix``, or None."""
    parts = _dated(label)
    return parts[1] if parts and parts[0] == prefix else None


def series_of(
    prefix: str, keys: Iterable[Generation], *, adopt: Sequence[str] = (), rejected: Sequence[str] = ()
) -> Series:
    """The series among the account's ``keys``, which must be of one owner (uid). Other labels are left alone.

    Raises `KeyfleetError` ``bad_options`` for an invalid prefix, or an invalid label in ``adopt`` or ``rejected``.
    """
    check_prefix(prefix)
    for label in rejected:
        if date_of(prefix, label) is None and label not in adopt:
            raise bad_options(
                f"rejected: {label!r} is not a label of the series {prefix} ({prefix}-YYYYMMDD), and not in adopt"
            )
    by_label = {key.label: key for key in keys}
    for label in adopt:
        if _dated(label):
            raise bad_options(f"adopt: {label!r} is the label of a series' generation, which cannot be adopted")
        if label not in by_label:
            raise bad_options(f"adopt: the account has no key {label!r}")
    found = []
    for label, key in by_label.items():
        parts = _dated(label)
        if parts and parts[0] == prefix:
            found.append((parts[1:], key._replace(date=parts[1])))
    adopted = [by_label[label] for label in dict.fromkeys(adopt)]
    return Series(prefix, (*adopted, *(key for _age, key in sorted(found))), frozenset(rejected))


def next_label(series: Series, today: datetime.date) -> str:
    """The label of a new generation, newer than all others even if the clock was set back."""
    labels = [*(g.label for g in series.generations), *series.rejected]
    ages = [parts[1:] for parts in map(_dated, labels) if parts and parts[0] == series.prefix]
    date, number = max(ages, default=(today, 0))
    date, number = (date, number + 1) if date >= today else (today, 1)
    if number > _MOST_A_DAY:
        date, number = date + datetime.timedelta(days=1), 1
    return f"{series.prefix}-{date:%Y%m%d}" + (f"-{number}" if number > 1 else "")


class IssuePlan(NamedTuple):
    """The key ``label`` to use, and whether to create it (``due``) or to enable it first."""

    label: str
    reason: str
    due: bool = False
    enable: bool = False


def plan_issue(series: Series, *, today: datetime.date, max_age: int, rotate_now: bool = False) -> IssuePlan:
    """The plan: a new generation if one is due (``max_age`` in days), else the current one.

    Raises `KeyfleetError` ``all_rejected``.
    """
    due = _due(series, today=today, max_age=max_age, rotate_now=rotate_now)
    if due:
        return IssuePlan(next_label(series, today), due, due=True)
    current = series.current
    if current is None:
        words = f"every generation of {series.prefix} is rejected; set rotate_now to make a new one"
        raise KeyfleetError("all_rejected", words)
    reason = f"{current.label} is the newest generation not rejected, and no new one is due"
    return IssuePlan(current.label, reason, enable=not current.enabled)


def _due(series: Series, *, today: datetime.date, max_age: int, rotate_now: bool) -> Optional[str]:
    newest = series.newest
    if newest is None:
        return "there is no generation yet"
    age = (today - newest).days
    if age > max_age:
        return f"the newest generation is {age} days old, and max_age is {max_age}"
    if rotate_now and not _waiting(series):
        return "rotate_now is set"
    return None


def _waiting(series: Series) -> bool:
    """Whether another enabled generation still has to be retired in favour of the current one.

    A newer rejected generation does not count: it is replaced by the next generation.
    """
    current = series.current
    older = frozenset(series.generations[: series.generations.index(current)] if current else ())
    return any(g in older or g.label not in series.rejected for g in series.superseded)


class RetirePlan(NamedTuple):
    """Generations to disable once confirmed, those that stay enabled for the overlap, and those to delete."""

    disable: Tuple[Generation, ...]
    wait: Tuple[Generation, ...]
    delete: Tuple[Generation, ...]


def plan_retire(series: Series, *, today: datetime.date, overlap: int, delete_after: int) -> RetirePlan:
    """The plan; ``overlap`` and ``delete_after`` in days. Rejected keys have no overlap; no enabled key is deleted."""
    newest = series.newest
    early = bool(overlap) and newest is not None and (today - newest).days <= overlap
    wait = tuple(g for g in series.superseded if early and g.label not in series.rejected)
    disable = tuple(g for g in series.superseded if not early or g.label in series.rejected)
    return RetirePlan(disable, wait, () if disable else _old(series, today=today, delete_after=delete_after))


def _old(series: Series, *, today: datetime.date, delete_after: int) -> Tuple[Generation, ...]:
    """Dated retired generations whose successor is older than ``delete_after`` days, except the newest retired one."""
    kept = [label for label, state in series.states().items() if state == "retired"][-1:]
    current = series.current
    return tuple(
        generation
        for generation, successor in zip(series.generations, series.generations[1:])
        if generation.date and not generation.enabled and generation != current and generation.label not in kept
        if successor.date and (today - successor.date).days > delete_after
    )
