# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate the reports of hosts and external holders: what blocks disabling a key. Pure.

A report maps names to the registered results of one host. Hosts may forge them: only the documented result of a
successful run counts, and text is shortened and made `safe`.
"""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from .._text import one_line, safe
from .series import Generation, Series

COLLECTED = "magento_rotation_collected"
DEPLOYED = "magento_auth_result"
WOULD_CHANGE = "magento_auth_confirmed"
CONFIRMED = "magento_rotation_confirmed"
RESULTS = (COLLECTED, DEPLOYED, WOULD_CHANGE, CONFIRMED)
FACTS = "forged_facts"
# Rows per host.
_MOST_ROWS = 10
_TEXT = 300
# Prefix of the reason if the role would still change the file.
_PENDING = "not yet "
# Problems that leave the keys of a file unknown.
_NOT_READ = (
    "not_a_file",
    "unsafe_path",
    "foreign_owner",
    "permission_denied",
    "read_failed",
    "lock_timeout",
    "no_home",
    "malformed_file",
)


class Blocked(NamedTuple):
    """A reason why a key stays enabled, with the host, file or external holder if there is one."""

    reason: str
    host: Optional[str] = None
    holder: Optional[str] = None
    path: Optional[str] = None
    owner: Optional[str] = None

    def as_result(self) -> Dict[str, Optional[str]]:
        """One element of ``blocked``."""
        return {name: getattr(self, name) for name in ("host", "holder", "path", "owner", "reason")}

    def __str__(self) -> str:
        """One line of a summary."""
        where = self.host or (f"the holder {self.holder}" if self.holder else "")
        owner = f" (of {self.owner})" if self.owner else ""
        return one_line(": ".join(part for part in (where, self.path and self.path + owner, self.reason) if part))


class HostEntry(NamedTuple):
    """One entry of a file on a host."""

    path: str
    real_path: str
    owner: Optional[str]
    public_key: str
    fingerprint: Optional[str]


class Expected(NamedTuple):
    """The hosts that must confirm: names and, if names are unknown, the number. Excluded hosts are omitted."""

    hosts: Tuple[str, ...]
    number: Optional[int] = None
    excluded: Tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any], target: Iterable[str]) -> Expected:
        """From the settings of a series and the hosts of the target."""
        excluded = tuple(settings.get("excluded_hosts") or ())
        names = dict.fromkeys([*(settings.get("expected_hosts") or ()), *target])
        return cls(tuple(n for n in names if n not in excluded), settings.get("expected_count"), excluded)

    def blocked(self, reports: Mapping[str, Any]) -> List[Blocked]:
        """Reasons in the expectations themselves, independent of what the hosts report."""
        found = [Blocked("it is expected but not in the target", host=h) for h in self.hosts if h not in reports]
        if not self.hosts:
            found.append(Blocked("no host is expected"))
        if self.number is not None and self.number != len(self.hosts):
            found.append(Blocked(f"expected_count is {self.number}, and {len(self.hosts)} hosts are expected by name"))
        return found


def failure_of(result: Any) -> Optional[str]:
    """Why a registered result does not count, or None."""
    if not isinstance(result, Mapping):
        return "it did not report"
    if result.get("unreachable"):
        return "it could not be reached: " + _text(result.get("msg"))
    if result.get("failed"):
        return _text(result.get("msg"))
    return None


def _text(value: Any) -> str:
    return one_line(str(value or ""), _TEXT) or "no reason is given"


def rows_of(result: Any, name: str = "files") -> List[Mapping[str, Any]]:
    """The valid rows of the list ``name`` in a host's result."""
    rows = result.get(name) if isinstance(result, Mapping) else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, (list, tuple)) else []


def _paths(row: Mapping[str, Any]) -> Tuple[str, str]:
    """The path of a file, and its real path."""
    path = row.get("path")
    return safe(str(path), _TEXT), safe(str(row.get("real_path") or path), _TEXT)


def _entry(row: Mapping[str, Any], owner: Any, entry: Any) -> Iterator[HostEntry]:
    key = entry.get("public_key") if isinstance(entry, Mapping) else None
    if isinstance(key, str):
        fingerprint = entry.get("fingerprint")
        shown = safe(str(fingerprint), 30) if fingerprint else None
        yield HostEntry(*_paths(row), safe(str(owner), 40) if owner else None, key, shown)


def entries_of(result: Any) -> Iterator[HostEntry]:
    """All entries in a result of M(magento_auth_key_info), or those before the change in one of M(magento_auth_key)."""
    real_paths = {}
    for row in rows_of(result):
        real_paths[str(row.get("path"))] = row.get("real_path")
        for entry in (*rows_of(row, "entries"), row.get("before")):
            yield from _entry(row, row.get("owner"), entry)
    # An effective entry may be in a file other than auth.json: the config of a composer.json.
    for row in rows_of(result, "effective"):
        yield from _entry({**row, "real_path": real_paths.get(str(row.get("path")))}, row.get("user"), row)


def files_of(result: Any, public_key: str) -> Dict[str, HostEntry]:
    """The files that get ``public_key`` by the host's variables, with their current entry."""
    found: Dict[str, HostEntry] = {}
    for row in rows_of(result):
        paths, after = _paths(row), row.get("after")
        if isinstance(after, Mapping) and after.get("public_key") == public_key:
            before = _entry(row, row.get("owner"), row.get("before"))
            found[paths[0]] = next(before, HostEntry(*paths, None, "", None))
    return found


def forged(report: Mapping[str, Any]) -> Optional[str]:
    """Why the report of the host does not count, or None."""
    names = report.get(FACTS)
    if not names:
        return None
    shown = ", ".join(safe(str(name), 40) for name in (names if isinstance(names, (list, tuple)) else [names])[:3])
    return f"its facts set variables of the controller ({shown}); check the host and clear the fact cache"


def _removed_entries(result: Any, older: Collection[str]) -> Iterator[Tuple[str, str]]:
    """Paths and public keys of entries that the role would remove, or replace with a key that is not in ``older``."""
    for row in rows_of(result):
        before, after = row.get("before"), row.get("after")
        if isinstance(before, Mapping) and isinstance(after, Mapping) and str(after.get("public_key")) not in older:
            for path in _paths(row):
                yield path, str(before.get("public_key"))


def _host_rows(
    report: Mapping[str, Any], series: Series, *, ignore: bool, check_mode: bool, replaced: Optional[str]
) -> Iterator[Blocked]:
    """Why one host is not confirmed; rows without its name."""
    confirmed, role = report.get(CONFIRMED), report.get(WOULD_CHANGE)
    why = forged(report) or failure_of(report.get(COLLECTED, {})) or failure_of(confirmed)
    if not why and not isinstance(report[CONFIRMED].get("files"), (list, tuple)):
        why = "its report is malformed"
    # A failed deployment counts even if the key is installed.
    why = why or failure_of(role) or failure_of(report.get(DEPLOYED, {}))
    if why:
        yield Blocked(why)
        return
    reported: Set[str] = set()
    for row in () if check_mode else rows_of(role):
        if row.get("action") != "unchanged":
            reported.update(_paths(row))
            yield Blocked(f"{_PENDING}{_text(row.get('action') or 'changed')}", path=_paths(row)[0])
    current = series.current
    older = {g.public_key: g.label for g in series.generations if g != current}
    staying = {public_key: label for public_key, label in older.items() if public_key != replaced}
    for row in rows_of(role):
        after = row.get("after")
        given = after.get("public_key") if isinstance(after, Mapping) else None
        if isinstance(given, str) and given in staying:
            reported.update(_paths(row))
            yield Blocked(f"the host's variables set {staying[given]}", path=_paths(row)[0])
    if ignore:
        return
    # In check mode hosts still have the old entries.
    removed = set(_removed_entries(role, staying)) if check_mode else set()
    for held in dict.fromkeys(entries_of(confirmed)):
        explained = held.real_path in reported or (held.real_path, held.public_key) in removed
        if held.public_key in older and not explained:
            reason = f"it has {older[held.public_key]}, and no variable of the host names this file"
            yield Blocked(reason, path=held.path, owner=held.owner)
    for problem in rows_of(confirmed, "problems"):
        if str(problem.get("code")) in _NOT_READ:
            path = problem.get("path")
            yield Blocked(_text(problem.get("message")), path=safe(str(path), _TEXT) if path else None)


def blocked_by_hosts(
    series: Series,
    expected: Expected,
    reports: Mapping[str, Any],
    *,
    ignore: bool,
    check_mode: bool = False,
    replaced: Optional[str] = None,
) -> List[Blocked]:
    """Why the current generation is not confirmed; empty if every expected host has it, and no older one.

    ``ignore``: ignore older keys in files that no variable names. ``replaced``: the public key that the current
    generation, which is not created yet, will replace in the hosts' variables.
    """
    found, more = expected.blocked(reports), []
    for host in expected.hosts:
        if host in reports:
            report = reports[host] if isinstance(reports[host], Mapping) else {}
            rows = list(
                dict.fromkeys(_host_rows(report, series, ignore=ignore, check_mode=check_mode, replaced=replaced))
            )
            if len(rows) > _MOST_ROWS:
                rows[_MOST_ROWS:] = [Blocked(f"and {len(rows) - _MOST_ROWS} more files")]
            found += [row._replace(host=host) for row in rows[:1]]
            more += [row._replace(host=host) for row in rows[1:]]
    # A summary is cut off: one row of every host precedes further rows, and failures precede pending changes. The path
    # is checked too, since the reason of a failure is the host's own text and may begin the same.
    found = [*sorted(found, key=lambda row: bool(row.path) and row.reason.startswith(_PENDING)), *more]
    future_key = (replaced or series.current.public_key) if check_mode and series.current else None
    if series.current and not any(has(reports[h], series.current, future_key) for h in reports):
        found.append(Blocked(f"{series.current.label} was not seen on any host"))
    return found


def blocked_by_holders(
    settings: Mapping[str, Any], holders: Mapping[str, Any], *, disables: bool, check_mode: bool
) -> List[Blocked]:
    """The external holders that have not confirmed the current generation; in check mode, none is asked.

    If a key would be disabled (``disables``), a series that neither names nor acknowledges holders is blocked, too.
    """
    named = [str(holder["name"]) for holder in settings["external_holders"] or ()]
    if disables and not named and not settings["external_holders_acknowledged"]:
        words = (
            "holders outside of the inventory (CI, images, laptops, mirrors) are not acknowledged: name them in "
            "external_holders, or set external_holders_acknowledged"
        )
        return [Blocked(words)]
    if check_mode:
        return []
    return [Blocked("it has not confirmed the key", holder=name) for name in named if holders.get(name) is not True]


def has(report: Any, generation: Generation, future_key: Optional[str]) -> bool:
    """Whether the host reports the generation in a file, or in check mode would get the key ``future_key``."""
    if not isinstance(report, Mapping) or forged(report):
        return False
    answers = (report.get(CONFIRMED), report.get(WOULD_CHANGE))
    held = any(held.public_key == generation.public_key for answer in answers for held in entries_of(answer))
    return held or bool(future_key and files_of(report.get(WOULD_CHANGE), future_key))


def not_deployed(expected: Expected, reports: Mapping[str, Any]) -> List[Blocked]:
    """The hosts of a deployment that did not install the key. Only hosts of the target count."""
    found = []
    for host, report in reports.items():
        if host not in expected.excluded:
            report = report if isinstance(report, Mapping) else {}
            why = forged(report) or failure_of(report.get(COLLECTED)) or failure_of(report.get(DEPLOYED))
            found += [Blocked(why, host=host)] if why else []
    return found
