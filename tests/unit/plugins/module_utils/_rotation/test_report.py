# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summary and diff of a phase."""

from __future__ import annotations

from typing import Any, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import FACTS, WOULD_CHANGE, Blocked
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.report import (
    Outcome,
    Stale,
    predicted_files,
    summary,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    FILE,
    has,
    role,
    series,
    would,
)

OLD, NEW = "web-20260101", "web-20260301"


def outcome(phase: str = "retire", **given: Any) -> Outcome:
    made = Outcome(phase=phase, prefix="web", check_mode=given.pop("check_mode", False), reason="r")
    for name, value in given.items():
        setattr(made, name, value)
    return made


def summary_of(done: Outcome, **options: Any) -> List[str]:
    return summary(done, series(OLD, NEW), **{"label": None, "public_key": None, **options}).splitlines()


@pytest.mark.parametrize(
    ("done", "options", "expected"),
    [
        (outcome("issue"), {"label": NEW, "public_key": "p"}, [
            "Issue of the series web: r", f"Generation: {NEW}, public key p",
            "Left to do: run rotate_deploy, then rotate_retire"]),
        (outcome("issue", check_mode=True, lines=[(NEW, "", "enabled")]), {"label": NEW}, [
            "Issue of the series web, check mode: r", f"Generation: {NEW}, not made yet",
            f"Would be enabled: {NEW}", "Left to do: run it without check mode"]),
        (outcome("issue"), {"failed": "no answer"}, [
            "Issue of the series web failed: no answer", "Left to do: run again"]),
        (outcome("status"), {}, ["Status of the series web: r", f"Left to do: retire {OLD} (rotate_retire)"]),
        (outcome("status", asked=2, confirmed=["a"]), {}, [
            "Deployment of the series web: r", "Hosts that have it: 1 of 2",
            f"Left to do: retire {OLD} (rotate_retire)"]),
        (outcome(asked=2, confirmed=["a", "b"], disabled=[OLD], left=["x", "y"]), {}, [
            "Retirement of the series web: r", "Hosts that are confirmed: 2 of 2", f"Disabled: {OLD}",
            "Left to do: x; y"]),
        (outcome(deleted=["a", "b"]), {}, ["Retirement of the series web: r", "Deleted: a, b", "Left to do: nothing"]),
        (outcome(check_mode=True, asked=1, lines=[(OLD, "enabled", "disabled"), ("a", "disabled", "")]), {}, [
            "Retirement of the series web, check mode: r", "Hosts that are ready for it: 0 of 1",
            f"Would be disabled: {OLD}", "Would be deleted: a", "Left to do: run it without check mode"]),
        (outcome(check_mode=True, hosts=[Stale("web1", "/a", "", f"{NEW}\n")]), {}, [
            "Retirement of the series web, check mode: r", f"Would get {NEW}: web1, /a",
            "Left to do: run it without check mode"]),
        (outcome(blocked=[Blocked("it did not report", host="web1")], left=["x"]), {}, [
            "Retirement of the series web is blocked, and nothing was disabled: r",
            "Blocked: web1: it did not report",
            "Left to do: fix what is named above, and run again; x"]),
        (outcome("status", blocked=[Blocked("no", host="web1")], asked=1), {}, [
            "Deployment of the series web: r", "Hosts that have it: 0 of 1", "Blocked: web1: no",
            "Left to do: fix what is named above, and run again"]),
        (outcome(blocked=[Blocked("it has x", host="web1", path="/a", owner="eve")]), {}, [
            "Retirement of the series web is blocked, and nothing was disabled: r",
            "Blocked: web1: /a (of eve): it has x",
            "Left to do: fix what is named above, and run again; name the files in the host's variables, or set "
            "unmanaged_keys=remove or =ignore"]),
    ],
)  # fmt: skip
def test_summary(done: Outcome, options: Any, expected: List[str]) -> None:
    assert summary_of(done, **options) == expected


def test_long_lists_are_shortened() -> None:
    many = [Blocked("no", host=f"web{n}") for n in range(250)]
    lines = summary_of(outcome(blocked=many))
    assert len(lines) == 103 and lines[101] == "Blocked: 150 more"
    stale = [Stale(f"web{n}", "/a", "", "x\n") for n in range(250)]
    rows = [line for line in summary_of(outcome(check_mode=True, hosts=stale)) if line.startswith("Would get")]
    assert len(rows) == 101 and rows[100] == "Would get it: 150 more"


def test_diff() -> None:
    done = outcome(lines=[(OLD, "enabled", "disabled"), ("a", "disabled", ""), (NEW, "", "enabled")])
    done.hosts = [Stale("web1", "/a", "old\n", "new\n")]
    hosts, keys = done.diff()
    assert hosts == {"before_header": "web1:/a", "after_header": "web1:/a", "before": "old\n", "after": "new\n"}
    assert keys["before"] == f"{OLD}: enabled\na: disabled\n"
    assert keys["after"] == f"{OLD}: disabled\n{NEW}: enabled\n"
    assert outcome().diff() == []


def test_predicted_files_are_named_by_variables() -> None:
    rows = [would("updated", OLD, NEW), would("created", None, NEW, "/b"), would("unchanged", "ci", "ci", "/c")]
    reports = {
        "web1": {WOULD_CHANGE: role(*rows)},
        "web2": has("ci"),
        "web3": {**has(NEW), FACTS: ["omit"]},
        "web4": {},
        "web5": None,
    }
    assert predicted_files(reports, series(OLD, NEW), label="web-20260401") == [
        Stale("web1", FILE, f"{OLD} sha256:{OLD}\n", "web-20260401\n"),
        Stale("web1", "/b", "", "web-20260401\n"),
    ]
    assert predicted_files(reports, series(), label="web-20260401") == []
