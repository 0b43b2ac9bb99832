# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts reported, and what of it keeps a key from being disabled. Pure.

A report holds the registered results of one host by their names. Hosts may lie in them: whatever is not plainly the
documented result of a successful run is no answer, and text is shortened and made `safe`.
"""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import one_line, safe
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import Generation, Series

COLLECTED = "magento_rotation_collected"
DEPLOYED = "magento_auth_result"
WOULD_CHANGE = "magento_auth_confirmed"
CONFIRMED = "magento_rotation_confirmed"
RESULTS = (COLLECTED, DEPLOYED, WOULD_CHANGE, CONFIRMED)
FACTS = "forged_facts"
# Rows told of one host.
_MOST_ROWS = 10
_TEXT = 300
# The beginning of the reason where the role has still to bring the key.
_WAITS = "it would be "
# Problems after which a file that Composer could use may hold any key.
_NOT_READ = frozenset(
    (
        "not_a_file",
        "unsafe_path",
        "foreign_owner",
        "permission_denied",
        "read_failed",
        "lock_timeout",
        "no_home",
        "malformed_file",
    )
)


class Blocked(NamedTuple):
    """Why a key stays enabled: one host, file or external holder, or none of them in particular."""

    reason: str
    host: Optional[str] = None
    holder: Optional[str] = None
    path: Optional[str] = None
    owner: Optional[str] = None

    def as_result(self) -> Dict[str, Optional[str]]:
        """The form that the module documents."""
        return {name: getattr(self, name) for name in ("host", "holder", "path", "owner", "reason")}

    def __str__(self) -> str:
        """One line of a summary."""
        where = self.host or (f"the holder {self.holder}" if self.holder else "")
        owner = f" (of {self.owner})" if self.owner else ""
        return one_line(": ".join(part for part in (where, self.path and self.path + owner, self.reason) if part))


class Held(NamedTuple):
    """One entry of a file on a host."""

    path: str
    real_path: str
    owner: Optional[str]
    public_key: str
    fingerprint: Optional[str]


class Expected(NamedTuple):
    """Who has to confirm: names, and their number where names cannot be known. Excluded hosts never have to."""

    hosts: Tuple[str, ...]
    number: Optional[int] = None
    excluded: Tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any], target: Collection[str]) -> Expected:
        """From the settings of a series and the hosts of the target."""
        excluded = tuple(settings.get("excluded_hosts") or ())
        names = dict.fromkeys([*(settings.get("expected_hosts") or ()), *target])
        return cls(tuple(n for n in names if n not in excluded), settings.get("expected_count"), excluded)

    def blocked(self, reports: Mapping[str, Any]) -> List[Blocked]:
        """What is wrong with the expectations themselves, whatever the hosts report."""
        found = [Blocked("it is expected and not in the target", host=h) for h in self.hosts if h not in reports]
        if not self.hosts:
            found.append(Blocked("no host is expected"))
        if self.number is not None and self.number != len(self.hosts):
            found.append(Blocked(f"expected_count is {self.number}, and {len(self.hosts)} hosts are expected by name"))
        return found


def failure_of(result: Any) -> Optional[str]:
    """Why a registered result is no answer, or None."""
    if not isinstance(result, Mapping):
        return "it was not asked"
    if result.get("unreachable"):
        return "it could not be reached: " + _text(result.get("msg"))
    if result.get("failed"):
        return _text(result.get("msg"))
    return None


def _text(value: Any) -> str:
    return one_line(str(value or "no reason is given"), _TEXT)


def rows_of(value: Any) -> Iterator[Mapping[str, Any]]:
    """What of a list in a host's answer has the shape of a row."""
    return (row for row in value if isinstance(row, Mapping)) if isinstance(value, (list, tuple)) else iter(())


def _paths(row: Mapping[str, Any]) -> Tuple[str, str]:
    """The path of a file, and the one that its links lead to."""
    path = row.get("path")
    return safe(str(path), _TEXT), safe(str(row.get("real_path") or path), _TEXT)


def _held(row: Mapping[str, Any], owner: Any, entry: Any) -> Iterator[Held]:
    key = entry.get("public_key") if isinstance(entry, Mapping) else None
    if isinstance(key, str):
        fingerprint = entry.get("fingerprint")
        shown = safe(str(fingerprint), 30) if fingerprint else None
        yield Held(*_paths(row), safe(str(owner), 40) if owner else None, key, shown)


def entries_of(result: Any) -> Iterator[Held]:
    """Every entry in a result of M(magento_auth_key_info), and of M(magento_auth_key) before anything was written."""
    if not isinstance(result, Mapping):
        return
    behind = {}
    for row in rows_of(result.get("files")):
        behind[str(row.get("path"))] = row.get("real_path")
        for entry in (*rows_of(row.get("entries")), row.get("before")):
            yield from _held(row, row.get("owner"), entry)
    # An entry that wins may stand in a file that is nobody's auth.json: the config of a composer.json.
    for row in rows_of(result.get("effective")):
        yield from _held({**row, "real_path": behind.get(str(row.get("path")))}, row.get("user"), row)


def places_of(result: Any, public_key: str) -> Dict[str, Held]:
    """The files that the host's variables name for the key ``public_key``, and what is in them now."""
    found: Dict[str, Held] = {}
    for row in rows_of(result.get("files") if isinstance(result, Mapping) else None):
        paths, after = _paths(row), row.get("after")
        if isinstance(after, Mapping) and after.get("public_key") == public_key:
            before = list(_held(row, row.get("owner"), row.get("before")))
            found[paths[0]] = before[0] if before else Held(*paths, None, "", None)
    return found


def forged(report: Mapping[str, Any]) -> Optional[str]:
    """Why nothing that the host says counts, or None."""
    names = report.get(FACTS)
    if not names:
        return None
    shown = ", ".join(safe(str(name), 40) for name in (names if isinstance(names, (list, tuple)) else [names])[:3])
    return f"its facts set variables of the controller ({shown}); it gets nothing and confirms nothing"


def _going(result: Any, older: Collection[str]) -> Iterator[Tuple[str, str]]:
    """Paths and public keys of entries that the role would remove, or replace by a key that is none of ``older``."""
    for row in rows_of(result.get("files") if isinstance(result, Mapping) else None):
        before, after = row.get("before"), row.get("after")
        if isinstance(before, Mapping) and isinstance(after, Mapping) and str(after.get("public_key")) not in older:
            for path in _paths(row):
                yield path, str(before.get("public_key"))


def _unread(result: Mapping[str, Any]) -> Iterator[Blocked]:
    for problem in rows_of(result.get("problems")):
        if str(problem.get("code")) in _NOT_READ:
            path = problem.get("path")
            yield Blocked(_text(problem.get("message")), path=safe(str(path), _TEXT) if path else None)


def _on_host(
    report: Mapping[str, Any], series: Series, *, ignore: bool, check_mode: bool, replaced: Optional[str]
) -> Iterator[Blocked]:
    """What keeps one host from being confirmed, without its name."""
    why = forged(report) or failure_of(report.get(COLLECTED, {})) or failure_of(report.get(CONFIRMED))
    if why:
        yield Blocked(why)
        return
    confirmed, role = report[CONFIRMED], report.get(WOULD_CHANGE)
    if not isinstance(confirmed.get("files"), (list, tuple)):
        yield Blocked("its answer is no report")
        return
    unsure, missing = failure_of(role), []
    if not unsure and role and not check_mode:
        missing = [row for row in rows_of(role.get("files")) if row.get("action") != "unchanged"]
    if not unsure and DEPLOYED in report:
        # Also where the key is in place: somebody has to know of the failure.
        unsure = failure_of(report[DEPLOYED])
    if unsure:
        yield Blocked(unsure)
        return
    told: Set[str] = set()
    for row in missing:
        told.update(_paths(row))
        yield Blocked(f"{_WAITS}{_text(row.get('action') or 'changed')}", path=_paths(row)[0])
    current = series.current
    older = {g.public_key: g.label for g in series.generations if g != current}
    staying = {public_key: label for public_key, label in older.items() if public_key != replaced}
    for row in rows_of(role.get("files") if role else None):
        after = row.get("after")
        given = after.get("public_key") if isinstance(after, Mapping) else None
        if isinstance(given, str) and given in staying:
            reason = f"the host's variables give {staying[given]}"
            told.update(_paths(row))
            yield Blocked(reason, path=_paths(row)[0])
    if ignore:
        return
    # In check mode they still have what they had.
    going = set(_going(role, staying)) if check_mode else set()
    for held in dict.fromkeys(entries_of(confirmed)):
        if held.public_key in older and held.real_path not in told and (held.real_path, held.public_key) not in going:
            reason = f"it holds {older[held.public_key]}, and no variable of the host names this file"
            yield Blocked(reason, path=held.path, owner=held.owner)
    yield from _unread(confirmed)


def blocked_by_hosts(
    series: Series,
    expected: Expected,
    reports: Mapping[str, Any],
    *,
    ignore: bool,
    check_mode: bool = False,
    replaced: Optional[str] = None,
) -> List[Blocked]:
    """Who keeps the current generation from being confirmed; empty when every expected host has it and nothing older.

    ``ignore``: older keys in files that the fleet's variables do not name are nobody's business. ``replaced``: public
    key in the place of which the hosts' variables will give the current one, which is not made yet.
    """
    found, more = expected.blocked(reports), []
    for host in expected.hosts:
        if host in reports:
            report = reports[host] if isinstance(reports[host], Mapping) else {}
            rows = list(
                dict.fromkeys(_on_host(report, series, ignore=ignore, check_mode=check_mode, replaced=replaced))
            )
            if len(rows) > _MOST_ROWS:
                rows[_MOST_ROWS:] = [Blocked(f"and {len(rows) - _MOST_ROWS} more files")]
            found += [row._replace(host=host) for row in rows[:1]]
            more += [row._replace(host=host) for row in rows[1:]]
    # A summary ends somewhere: every host comes before the second file of any, and who failed before who waits.
    # Only who waits has a path: the reason of a failure is the host's own text.
    found = [*sorted(found, key=lambda row: bool(row.path) and row.reason.startswith(_WAITS)), *more]
    to_come = (replaced or series.current.public_key) if check_mode and series.current else None
    if series.current and not any(has(reports[h], series.current, to_come) for h in reports):
        found.append(Blocked(f"{series.current.label} was not seen on any host"))
    return found


def has(report: Any, generation: Generation, to_come: Optional[str]) -> bool:
    """Whether the host reports the generation in a file of its. In check mode it may be the key ``to_come``."""
    if not isinstance(report, Mapping) or forged(report):
        return False
    answers = (report.get(CONFIRMED), report.get(WOULD_CHANGE))
    held = any(held.public_key == generation.public_key for answer in answers for held in entries_of(answer))
    return held or bool(to_come and places_of(report.get(WOULD_CHANGE), to_come))


def not_deployed(expected: Expected, reports: Mapping[str, Any]) -> List[Blocked]:
    """The hosts of a deployment that did not take the key. Only those of the target have to."""
    found = []
    for host, report in reports.items():
        if host not in expected.excluded:
            report = report if isinstance(report, Mapping) else {}
            why = forged(report) or failure_of(report.get(COLLECTED)) or failure_of(report.get(DEPLOYED))
            found += [Blocked(why, host=host)] if why else []
    return found
