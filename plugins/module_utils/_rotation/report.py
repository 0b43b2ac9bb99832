# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a phase, its diff and its summary. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .._marketplace.plan import difference
from .._text import one_line, safe
from .fleet import DEPLOYED, WOULD_CHANGE, Blocked, files_of, forged, rows_of
from .series import Series

# Rows of a list in a summary, and files per host.
_MOST_ROWS, _MOST_FILES = 100, 10


class Revoked(NamedTuple):
    """A key to be revoked, and its replacement, if any."""

    label: str
    public_key: str
    uid: Optional[str]
    enabled: bool
    replacement: Optional[Mapping[str, str]] = None
    leak: bool = False
    delete: bool = False
    by_hand: bool = False

    def __repr__(self) -> str:
        return f"Revoked({self.label!r})"

    def as_result(self) -> Dict[str, Optional[str]]:
        """The value of ``revoked``."""
        replacement = self.replacement["public_key"] if self.replacement else None
        return {"label": self.label, "public_key": self.public_key, "uid": self.uid, "replacement": replacement}


class Stale(NamedTuple):
    """A file of a host that would get another key, with texts for the current and the new one."""

    host: str
    path: str
    before: str
    after: str


@dataclass
class Outcome:
    """What a phase has found and done so far. ``lines`` are label, state before and state after.

    ``changed`` need not be set for keys in ``disabled`` and ``deleted``.
    """

    phase: str
    prefix: str
    check_mode: bool
    changed: bool = False
    label: Optional[str] = None
    due: bool = False
    reason: str = ""
    disabled: List[str] = field(default_factory=list)
    deleted: List[str] = field(default_factory=list)
    blocked: List[Blocked] = field(default_factory=list)
    left: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    confirmed: List[str] = field(default_factory=list)
    asked: Optional[int] = None
    lines: List[Tuple[str, str, str]] = field(default_factory=list)
    hosts: List[Stale] = field(default_factory=list)
    revoked: Optional[Revoked] = None
    warnings: List[str] = field(default_factory=list)

    def diff(self) -> List[Dict[str, str]]:
        """The diff for Ansible. An empty state means that the key does not exist."""
        found = [difference(row.before, row.after, name=f"{row.host}:{row.path}") for row in self.hosts]
        if self.lines:
            before = "".join(f"{label}: {state}\n" for label, state, _after in self.lines if state)
            after = "".join(f"{label}: {state}\n" for label, _before, state in self.lines if state)
            found.append(difference(before, after))
        return found


def predicted_files(reports: Mapping[str, Any], series: Series, *, label: str) -> List[Stale]:
    """The files that would get the generation ``label``, by host: those that the hosts' variables name."""
    labels = {generation.public_key: generation.label for generation in series.generations}
    rows: List[Stale] = []
    for host, report in reports.items():
        if series.current and isinstance(report, Mapping) and not forged(report):
            places = files_of(report.get(WOULD_CHANGE), series.current.public_key)
            for path, held in itertools.islice(places.items(), _MOST_FILES):
                words = [labels.get(held.public_key) or safe(held.public_key, 40), held.fingerprint]
                before = " ".join(word for word in words if word)
                rows.append(Stale(host, path, before and f"{before}\n", f"{label}\n"))
    return rows


def changes(reports: Mapping[str, Any], *, check_mode: bool) -> List[str]:
    """A line for each file that the hosts have changed, or would change in check mode."""
    name, verb = (WOULD_CHANGE, "Would be") if check_mode else (DEPLOYED, "Was")
    lines: List[str] = []
    for host, report in reports.items():
        if isinstance(report, Mapping) and not forged(report):
            rows = [row for row in rows_of(report.get(name)) if row.get("action") != "unchanged"]
            for row in rows[:_MOST_FILES]:
                action, path = one_line(str(row.get("action")), 20), one_line(str(row.get("path")), 300)
                lines.append(f"{verb} {action}: {host}, {path}")
            if len(rows) > _MOST_FILES:
                lines.append(f"{verb} changed: {host}, {len(rows) - _MOST_FILES} more")
    return _first_lines(lines, f"{verb} changed:")


def _first_lines(lines: List[str], words: str) -> List[str]:
    """The first lines and, after ``words``, the number of further ones."""
    more = len(lines) - _MOST_ROWS
    return [*lines[:_MOST_ROWS], *([f"{words} {more} more"] if more > 0 else [])]


def summary(
    done: Outcome, series: Series, *, label: Optional[str], public_key: Optional[str], failed: Optional[str] = None
) -> str:
    """The last message of a run, one statement per line. The first line says how the phase ended."""
    lines = [_headline(done, failed)]
    if label and not done.revoked:
        key = f", public key {public_key}" if public_key else ", not made yet"
        lines.append(f"Generation: {label}{key}")
    if done.asked is not None:
        what = "that have it" if done.phase == "status" else "that are confirmed"
        # In check mode the hosts have not changed yet.
        what = "that are ready for it" if done.check_mode else what
        lines.append(f"Hosts {what}: {len(done.confirmed)} of {done.asked}")
    lines += _first_lines([f"Blocked: {row}" for row in done.blocked], "Blocked:")
    lines += done.notes
    if done.disabled:
        lines.append(f"Disabled: {', '.join(done.disabled)}")
    if done.deleted:
        lines.append(f"Deleted: {', '.join(done.deleted)}")
    if done.check_mode:
        lines += [f"Would be {after or 'deleted'}: {name}" for name, _before, after in done.lines]
        files = [one_line(f"Would get {row.after.strip()}: {row.host}, {row.path}") for row in done.hosts]
        lines += _first_lines(files, "Would get it:")
    lines.append(f"Left to do: {'; '.join(_left_to_do(done, series, failed)) or 'nothing'}")
    return "\n".join(lines)


def _headline(done: Outcome, failed: Optional[str]) -> str:
    key = done.revoked
    phase = {"issue": "Issue", "retire": "Retirement", "status": "Deployment"}[done.phase]
    if done.phase == "status" and done.asked is None:
        phase = "Status"
    name = f"Revocation of {key.label} ({key.public_key})" if key else f"{phase} of the series {done.prefix}"
    name += ", check mode" if done.check_mode else ""
    if failed:
        return f"{name} failed: {failed}"
    if key:
        return name + _end_of_revocation(key, done)
    if done.blocked and done.phase == "retire":
        return f"{name} is blocked, and nothing was disabled: {done.reason}"
    return f"{name}: {done.reason}"


def _end_of_revocation(key: Revoked, done: Outcome) -> str:
    if done.blocked and key.enabled:
        return " is blocked: it stays enabled"
    if done.blocked:
        return " is blocked: it is disabled, and hosts are not confirmed to be without it"
    if key.by_hand:
        return f": no expected host {'would have' if done.check_mode else 'has'} it any more"
    return f": it {'would be' if done.check_mode else 'is'} disabled{' and deleted' if key.delete else ''}"


def _left_to_do(done: Outcome, series: Series, failed: Optional[str]) -> List[str]:
    left = list(done.left)
    if failed or done.blocked:
        left.insert(0, "fix what is named above, and run again" if not failed else "run again")
    elif done.check_mode and (done.lines or done.hosts):
        left.append("run it without check mode")
    elif done.revoked:
        return left
    elif done.phase == "issue" and not done.check_mode:
        left.append("run rotate_deploy, then rotate_retire")
    elif done.phase == "status" and series.superseded:
        left.append(f"retire {', '.join(g.label for g in series.superseded)} (rotate_retire)")
    if any(row.owner for row in done.blocked) and not done.revoked:
        left.append("name the files in the host's variables, or set unmanaged_keys=remove or =ignore")
    return left
