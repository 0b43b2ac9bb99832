# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts answered, as the rotation needs it: whatever is not plainly a complete report is none."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_reports import (
    files_that_hold,
    report_of,
    reports_of,
)

HOST = "repo.magento.com"
FILE = "/home/deploy/.composer/auth.json"


def seen(path: str, *public_keys: Optional[str], repository: str = HOST) -> Dict[str, Any]:
    """A file as the info module tells of it."""
    entries = [{"repository": repository, "section": "http-basic", "public_key": key} for key in public_keys]
    return {"path": path, "real_path": path, "exists": True, "entries": entries}


def wrote(path: str, public_key: Optional[str], repository: str = HOST) -> Dict[str, Any]:
    """A file as the module that writes tells of it."""
    after = {"public_key": public_key, "fingerprint": None}
    return {"path": path, "repository": repository, "before": {"public_key": "before"}, "after": after}


def wins(path: str, public_key: str, repository: str = HOST) -> Dict[str, Any]:
    return {"repository": repository, "public_key": public_key, "path": path}


def problem(code: str) -> Dict[str, Any]:
    return {"files": [seen(FILE, "new")], "problems": [{"code": code, "path": FILE, "message": "m"}]}


@pytest.mark.parametrize(
    ("result", "held"),
    [
        ({"files": [], "problems": []}, []),
        ({"files": [seen(FILE, "new")]}, ["new"]),
        ({"files": [seen(FILE, "new"), seen("/srv/auth.json", "old")], "problems": None}, ["new", "old"]),
        ({"files": [seen(FILE, "new", repository="h.example")]}, []),
        ({"files": [seen(FILE, None)]}, []),
        ({"files": [{"path": FILE, "exists": False, "entries": []}]}, []),
        ({"files": [wrote(FILE, "new")]}, ["new"]),
        ({"files": [wrote(FILE, None)]}, []),
        ({"files": [{**wrote(FILE, "new"), "after": None}]}, []),
        ({"files": [wrote(FILE, "new", repository="h.example")]}, []),
        # The config of a composer.json is no file that is listed, and yet its key is the one that is used.
        ({"files": [], "effective": [wins("/srv/composer.json", "old")]}, ["old"]),
        ({"files": [seen(FILE, "new")], "effective": [wins(FILE, "new")]}, ["new"]),
        ({"files": [], "effective": [wins("/srv/composer.json", "old", "h.example")]}, []),
        (problem("readable_by_others"), ["new"]),
        (problem("two_homes"), ["new"]),
    ],
)
def test_complete_reports(result: Dict[str, Any], held: List[str]) -> None:
    report = report_of("web1", result)
    assert report.complete and report.host == "web1"
    assert [public_key for _path, public_key in report.held] == held


@pytest.mark.parametrize(
    "result",
    [
        None,
        "",
        [],
        {},
        {"msg": "made up"},
        {"unreachable": True, "msg": "no route", "changed": False},
        {"skipped": True},
        {"files": None},
        {"files": "many"},
        {"files": [seen(FILE, "new")], "failed": True},
        {"files": [seen(FILE, "new")], "unreachable": True},
        {"files": [seen(FILE, "new")], "skipped": True},
        {"files": ["a file"]},
        {"files": [{"entries": []}]},
        {"files": [], "problems": ["a problem"]},
        {"files": [], "effective": ["an entry"]},
        *[
            problem(code)
            for code in ("malformed_file", "not_a_file", "unsafe_path", "foreign_owner", "permission_denied",
                         "read_failed", "lock_timeout", "no_home", "unknown_user")
        ],
    ],
)  # fmt: skip
def test_silence_is_not_consent(result: Any) -> None:
    assert not report_of("web1", result).complete


def test_what_a_failing_host_still_told_is_not_forgotten() -> None:
    report = report_of("web1", {"files": [seen(FILE, "old")], "failed": True})
    assert report.public_keys() == {"old"}


def test_every_host_of_the_option() -> None:
    found = reports_of({"web1": {"files": [seen(FILE, "new")]}, "web2": None})
    assert {host: (r.host, r.complete) for host, r in found.items()} == {
        "web1": ("web1", True),
        "web2": ("web2", False),
    }


def test_files_that_hold() -> None:
    result = {
        "files": [seen("/a", "old"), seen("/b", "new", "old"), seen("/c", "new"), seen("/d", "old", repository="x"),
                  wrote("/e", "older"), seen("/a", "old")],
        "effective": [wins("/srv/composer.json", "old")],
    }  # fmt: skip
    # Nobody writes into a composer.json.
    assert files_that_hold(result, ["old", "older"]) == ["/a", "/b", "/e"]
    assert files_that_hold(result, []) == []
    for silent in (None, {}, {"files": ["a file"]}):
        assert files_that_hold(silent, ["old"]) == []


def test_a_path_that_a_host_made_up_acts_on_no_terminal() -> None:
    path = "/home/\x1b[31m\u202eeve/auth.json"
    (held,) = report_of("web1", {"files": [seen(path, "new")], "effective": [wins(path, "new")]}).held
    assert held == ("/home/\ufffd[31m\ufffdeve/auth.json", "new")
