# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons that block disabling a key."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    COLLECTED,
    CONFIRMED,
    DEPLOYED,
    FACTS,
    WOULD_CHANGE,
    Blocked,
    Expected,
    blocked_by_hosts,
    files_of,
    not_deployed,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import Generation
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    FILE,
    has,
    installed,
    role,
    series,
    would,
)

OLD, NEW = "web-20260101", "web-20260301"
SERIES = series("-web-20251201", OLD, NEW)
GOOD = has(NEW)
DOWN = {"unreachable": True, "msg": "Failed to connect\nto the host"}
FAILED = {"failed": True, "msg": "MODULE FAILURE", "files": [], "problems": []}
FORGED = "its facts set variables of the controller (omit); check the host and clear the fact cache"
UNMANAGED = "and no variable of the host names this file"


def blocked(reports: Any, *, expected: Optional[Expected] = None, **options: Any) -> List[Blocked]:
    found = Expected(tuple(reports)) if expected is None else expected
    return blocked_by_hosts(SERIES, found, reports, **{"ignore": False, **options})


def texts(reports: Any, **options: Any) -> List[str]:
    return [str(row) for row in blocked(reports, **options)]


def reasons(report: Any, **options: Any) -> List[str]:
    """The reasons for a host. The fleet has another host, which has the key."""
    rows = blocked({"web1": report, "web2": GOOD}, **options)
    assert {row.host for row in rows} <= {"web1"}, rows
    return [row.reason for row in rows]


def test_fleet_with_the_key_is_not_blocked() -> None:
    assert blocked({"web1": GOOD, "web2": GOOD}) == []
    # A host of another series has no file and no entry of this series.
    assert reasons({CONFIRMED: {"files": [], "problems": []}, WOULD_CHANGE: {"skipped": True}}) == []


PROBLEM = {"path": FILE, "message": "mode 0000"}
CHANGES = role(would("updated", OLD, NEW))


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({}, ["it did not report"]),
        (None, ["it did not report"]),
        ([], ["it did not report"]),
        ({**GOOD, CONFIRMED: None}, ["it did not report"]),
        ({**GOOD, WOULD_CHANGE: None}, ["it did not report"]),
        ({CONFIRMED: GOOD[CONFIRMED]}, ["it did not report"]),
        ({**GOOD, COLLECTED: None}, ["it did not report"]),
        ({**GOOD, CONFIRMED: DOWN}, ["it could not be reached: Failed to connect to the host"]),
        ({**GOOD, COLLECTED: DOWN}, ["it could not be reached: Failed to connect to the host"]),
        ({**GOOD, WOULD_CHANGE: DOWN}, ["it could not be reached: Failed to connect to the host"]),
        ({**GOOD, CONFIRMED: FAILED}, ["MODULE FAILURE"]),
        ({**GOOD, COLLECTED: FAILED}, ["MODULE FAILURE"]),
        ({**GOOD, WOULD_CHANGE: FAILED}, ["MODULE FAILURE"]),
        ({**GOOD, CONFIRMED: {"failed": True}}, ["no reason is given"]),
        ({**GOOD, CONFIRMED: {**installed(NEW), "failed": True, "msg": " \n"}}, ["no reason is given"]),
        ({**GOOD, CONFIRMED: {"problems": []}}, ["its report is malformed"]),
        ({**GOOD, CONFIRMED: {"files": {}}}, ["its report is malformed"]),
        ({**GOOD, CONFIRMED: {"skipped": True}}, ["its report is malformed"]),
        # Pending changes of the role.
        ({**GOOD, WOULD_CHANGE: CHANGES}, ["not yet updated"]),
        ({**GOOD, WOULD_CHANGE: role(would("repaired", NEW, NEW))}, ["not yet repaired"]),
        ({**GOOD, WOULD_CHANGE: role(would("removed", OLD, None))}, ["not yet removed"]),
        ({**GOOD, WOULD_CHANGE: role({"path": FILE})}, ["not yet changed"]),
        # A failed deployment takes precedence.
        ({**GOOD, WOULD_CHANGE: CHANGES, DEPLOYED: FAILED}, ["MODULE FAILURE"]),
        ({**GOOD, WOULD_CHANGE: CHANGES, DEPLOYED: None}, ["it did not report"]),
        ({**GOOD, WOULD_CHANGE: CHANGES, DEPLOYED: role()}, ["not yet updated"]),
        ({**GOOD, DEPLOYED: FAILED}, ["MODULE FAILURE"]),
        # Variables that name an older key.
        ({**GOOD, WOULD_CHANGE: role(would("unchanged", OLD, OLD))}, [f"the host's variables set {OLD}"]),
        ({**GOOD, WOULD_CHANGE: role(would("unchanged", "ci", "ci"))}, []),
        # Files that no variable names.
        ({**GOOD, CONFIRMED: installed(NEW, OLD)}, [f"it has {OLD}, {UNMANAGED}"]),
        ({**GOOD, CONFIRMED: installed("web-20251201")}, [f"it has web-20251201, {UNMANAGED}"]),
        ({**GOOD, CONFIRMED: installed("ci", NEW)}, []),
        (
            {**GOOD, CONFIRMED: {"files": [], "effective": [{"path": "/c", "public_key": f"public of {OLD}"}]}},
            [f"it has {OLD}, {UNMANAGED}"],
        ),
        # Files that could not be read may hold any key.
        ({**GOOD, CONFIRMED: installed(NEW, problems=[{**PROBLEM, "code": "permission_denied"}])}, ["mode 0000"]),
        ({**GOOD, CONFIRMED: installed(NEW, problems=[{"code": "read_failed"}])}, ["no reason is given"]),
        ({**GOOD, CONFIRMED: installed(NEW, problems=[{**PROBLEM, "code": "readable_by_others"}])}, []),
        ({**GOOD, FACTS: ["omit"]}, [FORGED]),
        ({**GOOD, FACTS: ["omit", "magento_a"]}, [FORGED.replace("omit", "omit, magento_a")]),
    ],
)  # fmt: skip
def test_reasons_for_a_host(report: Any, expected: List[str]) -> None:
    assert reasons(report) == expected


@pytest.mark.parametrize(
    "code",
    [
        "not_a_file", "unsafe_path", "foreign_owner", "permission_denied", "read_failed", "lock_timeout", "no_home",
        "malformed_file",
    ],
)  # fmt: skip
def test_unreadable_files_block(code: str) -> None:
    assert reasons({**GOOD, CONFIRMED: installed(NEW, problems=[{**PROBLEM, "code": code}])}) == ["mode 0000"]
    report = {**GOOD, CONFIRMED: installed(NEW, OLD, problems=[{**PROBLEM, "code": code}])}
    assert reasons(report, ignore=True) == []


def test_row_names_host_file_and_owner() -> None:
    reports = {"web1": {**GOOD, CONFIRMED: installed(OLD, path="/home/eve/auth.json", owner="eve")}, "web2": GOOD}
    (row,) = blocked(reports)
    assert row.as_result() == {
        "host": "web1",
        "holder": None,
        "path": "/home/eve/auth.json",
        "owner": "eve",
        "reason": f"it has {OLD}, {UNMANAGED}",
    }
    assert str(row) == f"web1: /home/eve/auth.json (of eve): it has {OLD}, {UNMANAGED}"
    assert str(Blocked("no", holder="vault")) == "the holder vault: no"
    assert str(Blocked("no")) == "no"


# Expectations


@pytest.mark.parametrize(
    ("given", "target", "reports", "expected"),
    [
        ({}, ["web1"], {"web1": GOOD}, []),
        ({"expected_hosts": ["web1"]}, ["web1"], {"web1": GOOD}, []),
        ({"expected_hosts": ["web3"]}, ["web1"], {"web1": GOOD}, ["web3: it is expected but not in the target"]),
        ({"expected_hosts": ["WEB1"]}, ["web1"], {"web1": GOOD}, ["WEB1: it is expected but not in the target"]),
        ({"expected_count": 1}, ["web1"], {"web1": GOOD}, []),
        ({"expected_count": 2}, ["web1"], {"web1": GOOD}, ["expected_count is 2, and 1 hosts are expected by name"]),
        ({"expected_count": 1}, ["web1", "web2"], {"web1": GOOD, "web2": GOOD}, ["expected_count is 1, and 2 hosts are "
                                                                                 "expected by name"]),
        ({}, [], {}, ["no host is expected", f"{NEW} was not seen on any host"]),
        # An excluded host need not report, even if it is expected.
        ({"excluded_hosts": ["web2"]}, ["web1", "web2"], {"web1": GOOD, "web2": {}}, []),
        ({"excluded_hosts": ["web2"], "expected_hosts": ["web2"]}, ["web1"], {"web1": GOOD}, []),
        ({"excluded_hosts": ["web2"], "expected_count": 1}, ["web1", "web2"], {"web1": GOOD, "web2": {}}, []),
        ({"excluded_hosts": ["web1"]}, ["web1"], {"web1": GOOD}, ["no host is expected"]),
        ({"excluded_hosts": ["web2"]}, ["web1", "web2"], {"web1": {}, "web2": GOOD}, ["web1: it did not report"]),
        # At least one host must have the key.
        ({}, ["web1"], {"web1": {CONFIRMED: installed(), WOULD_CHANGE: role()}}, [f"{NEW} was not seen on any host"]),
        ({}, ["web1"], {"web1": has("ci")}, [f"{NEW} was not seen on any host"]),
    ],
)  # fmt: skip
def test_expectations(given: Dict[str, Any], target: List[str], reports: Any, expected: List[str]) -> None:
    assert texts(reports, expected=Expected.of(given, target)) == expected


def test_forged_facts_confirm_nothing() -> None:
    rows = texts({"web1": {**GOOD, FACTS: ["magento_series"]}})
    assert len(rows) == 2 and rows[1] == f"{NEW} was not seen on any host", rows


def test_first_rows_of_all_hosts_precede_second_rows() -> None:
    files = [entry for number in range(30) for entry in installed(OLD, path=f"/srv/{number}/auth.json")["files"]]
    pending = {CONFIRMED: installed(), WOULD_CHANGE: role(would("updated", OLD, NEW))}
    reports = {
        "web1": pending,
        "web2": {CONFIRMED: {"files": files}, WOULD_CHANGE: role()},
        "web3": {**GOOD, DEPLOYED: {"failed": True, "msg": "not yet updated"}},
        "web4": GOOD,
    }
    rows = blocked(reports)
    assert [row.host for row in rows[:4]] == ["web2", "web3", "web1", "web2"]
    assert len(rows) == 13 and rows[-1].reason == "and 20 more files"


def test_blanks_in_a_path_are_collapsed() -> None:
    path = "/a" + " " * 200 + "Left to do: nothing"
    (row,) = texts({"web1": {CONFIRMED: installed(OLD, path=path), WOULD_CHANGE: role()}, "web2": GOOD})
    assert row.startswith("web1: /a Left to do: nothing (of deploy): it has"), row


# Check mode


def test_check_mode_assumes_pending_changes() -> None:
    pending = {CONFIRMED: installed(OLD), WOULD_CHANGE: CHANGES}
    assert reasons(pending, check_mode=True) == []
    # This does not apply to other files, or if the role would not install the new key.
    elsewhere = {CONFIRMED: installed(OLD, path="/tmp/auth.json"), WOULD_CHANGE: CHANGES}
    assert reasons(elsewhere, check_mode=True) == [f"it has {OLD}, {UNMANAGED}"]
    given = {CONFIRMED: installed(OLD), WOULD_CHANGE: role(would("unchanged", OLD, OLD))}
    assert reasons(given, check_mode=True)[0] == f"the host's variables set {OLD}"
    # The file has a second older key, which would stay.
    beside = {CONFIRMED: installed(OLD, "web-20251201"), WOULD_CHANGE: CHANGES}
    assert reasons(beside, check_mode=True) == [f"it has web-20251201, {UNMANAGED}"]
    # In check mode the key need not have been seen.
    assert texts({"web1": pending}, check_mode=True) == []
    not_seen = f"{NEW} was not seen on any host"
    assert texts({"web1": {}}, check_mode=True) == ["web1: it did not report", not_seen]
    # No variable names the key.
    assert texts({"web1": {CONFIRMED: installed(), WOULD_CHANGE: role()}}, check_mode=True) == [not_seen]


@pytest.mark.parametrize("check_mode", [True, False])
def test_real_paths_are_compared(check_mode: bool) -> None:
    real_path = "/srv/releases/1/auth.json"
    changes = role({**would("updated", OLD, NEW), "real_path": real_path})
    report = {CONFIRMED: installed(OLD, path=real_path), WOULD_CHANGE: changes}
    pending = [] if check_mode else ["not yet updated"]
    assert reasons(report, check_mode=check_mode) == pending
    # Rows of effective entries have no real path.
    linked, entry = "/srv/current/auth.json", installed(OLD)["files"][0]["entries"][0]
    effective = {
        "files": [{"path": linked, "real_path": real_path, "entries": []}],
        "effective": [{"path": linked, **entry}],
    }
    real_changes = role(would("updated", OLD, NEW, path=real_path))
    assert reasons({CONFIRMED: effective, WOULD_CHANGE: real_changes}, check_mode=check_mode) == pending
    older = role({**would("unchanged", OLD, OLD), "real_path": real_path})
    given = {CONFIRMED: installed(OLD, path=real_path), WOULD_CHANGE: older}
    assert reasons(given, check_mode=check_mode) == [f"the host's variables set {OLD}"]


def test_check_mode_assumes_the_next_generation() -> None:
    future = series(OLD, NEW)
    future = future._replace(generations=(*future.generations, Generation("web-20260302", "", True)))

    def texts(**report: Any) -> List[str]:
        rows = blocked_by_hosts(
            future, Expected(("web1",)), {"web1": {**GOOD, **report}}, ignore=False, check_mode=True,
            replaced=f"public of {NEW}",
        )  # fmt: skip
        return [row.reason for row in rows]

    assert texts() == []
    copy = {CONFIRMED: installed(NEW, path="/tmp/auth.json")}
    assert texts(**copy) == [f"it has {NEW}, {UNMANAGED}"]
    older = {WOULD_CHANGE: role(would("updated", NEW, OLD))}
    assert texts(**older)[0] == f"the host's variables set {OLD}"


def test_files_that_get_the_key() -> None:
    rows = [would("updated", OLD, NEW), would("created", None, NEW, "/srv/a"), would("unchanged", "ci", "ci", "/srv/b")]
    found = files_of(role(*rows), f"public of {NEW}")
    assert {path: held.public_key for path, held in found.items()} == {FILE: f"public of {OLD}", "/srv/a": ""}
    assert found[FILE].fingerprint == f"sha256:{OLD}"


# Deployment


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({COLLECTED: installed(), DEPLOYED: role()}, None),
        ({COLLECTED: installed(), DEPLOYED: {"skipped": True}}, None),
        ({COLLECTED: installed()}, "it did not report"),
        ({DEPLOYED: role()}, "it did not report"),
        ({}, "it did not report"),
        (None, "it did not report"),
        ({COLLECTED: DOWN}, "it could not be reached: Failed to connect to the host"),
        ({COLLECTED: installed(), DEPLOYED: FAILED}, "MODULE FAILURE"),
        ({COLLECTED: installed(), DEPLOYED: role(), FACTS: ["omit"]}, FORGED),
    ],
)  # fmt: skip
def test_hosts_without_the_deployed_key(report: Any, reason: Optional[str]) -> None:
    rows = not_deployed(Expected(("web1", "elsewhere")), {"web1": report})
    assert [(row.host, row.reason) for row in rows] == ([("web1", reason)] if reason else [])
    assert not_deployed(Expected((), excluded=("web1",)), {"web1": report}) == []
