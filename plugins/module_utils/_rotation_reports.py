# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts reported of their files, as the rotation needs it. Pure.

A report is a result of M(magento_auth_key_info) or M(magento_auth_key). Whatever is not plainly a complete report
counts as a host that was not heard: to take silence for consent would disable keys that are in use.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import safe
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_fleet import HostReport
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import MAGENTO_REPOSITORY

# A file that is unknown in content may hold any key.
_BLIND = frozenset(
    (
        "malformed_file",
        "not_a_file",
        "unsafe_path",
        "foreign_owner",
        "permission_denied",
        "read_failed",
        "lock_timeout",
        "no_home",
        "unknown_user",
    )
)


def _written(files: Sequence[Any], repository: str) -> Iterator[Tuple[str, str]]:
    """The entries of the files that the host reports."""
    for row in files:
        path = safe(str(row["path"]))
        for entry in row.get("entries") or []:
            if entry.get("repository") == repository and entry.get("public_key"):
                yield path, str(entry["public_key"])
        after = row.get("after") or {}
        if row.get("repository") == repository and after.get("public_key"):
            yield path, str(after["public_key"])


def _held(result: Mapping[str, Any], repository: str) -> Iterator[Tuple[str, str]]:
    yield from _written(result["files"], repository)
    # An entry that wins may stand in a file that is nobody's auth.json: the config of a composer.json.
    for row in result.get("effective") or []:
        if row.get("repository") == repository and row.get("public_key"):
            yield safe(str(row["path"])), str(row["public_key"])


def report_of(host: str, result: Any, *, repository: str = MAGENTO_REPOSITORY) -> HostReport:
    """One host's report. Anything but the documented result of a successful run is incomplete."""
    silent = HostReport(host, (), complete=False)
    if not isinstance(result, Mapping) or not isinstance(result.get("files"), (list, tuple)):
        return silent
    try:
        held = tuple(dict.fromkeys(_held(result, repository)))
        codes = {problem.get("code") for problem in result.get("problems") or []}
    except (AttributeError, KeyError, TypeError):
        return silent
    bad = bool(result.get("failed") or result.get("unreachable") or result.get("skipped"))
    return HostReport(host, held, complete=not bad and not codes & _BLIND)


def reports_of(installed: Mapping[str, Any], *, repository: str = MAGENTO_REPOSITORY) -> Dict[str, HostReport]:
    """The reports of option ``installed``, by host."""
    return {str(host): report_of(str(host), result, repository=repository) for host, result in installed.items()}


def files_that_hold(result: Any, public_keys: Iterable[str], *, repository: str = MAGENTO_REPOSITORY) -> List[str]:
    """The C(auth.json) files of one host that hold one of the public keys. Empty for a host that was not heard."""
    if not report_of("", result, repository=repository).held:
        return []
    wanted = frozenset(public_keys)
    return list(dict.fromkeys(path for path, key in _written(result["files"], repository) if key in wanted))
