# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged reports: any JSON is evaluated in linear time, shown safely, and attributed to the host that sent it."""

from __future__ import annotations

import copy
import random
import unicodedata
from typing import Any, Dict, Iterator, List, Tuple

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
    not_deployed,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.report import changes, predicted_files
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    FILE,
    has,
    installed,
    role,
    series,
    would,
)

OLD, NEW = "web-20260101", "web-20260301"
SERIES = series(OLD, NEW)
NASTY = "\x00\x07\t\n\r\x1b[31m\x7f\x85\x9b\u200b\u2028\u202e\u2066\ufeff\ud800\U000e0041"
LEAVES: List[Any] = [
    None, True, False, 0, -1, 1.5, 10**400, float("nan"), "", NASTY, "x" * 5000, f"public of {OLD}", "unchanged",
    [], {}, [[]], [{}], {"a": []}, [None, 1, "a"], {NASTY: NASTY}, [[[[[[]]]]]], {"": {"": {}}},
]  # fmt: skip
PROBLEM = {"code": "read_failed", "path": FILE, "message": "m"}
TEMPLATE: Dict[str, Any] = {
    COLLECTED: installed(OLD, problems=[PROBLEM]),
    DEPLOYED: role(would("updated", OLD, NEW)),
    WOULD_CHANGE: role(would("updated", OLD, NEW), would("unchanged", NEW, NEW, "/srv/auth.json"), msg="m"),
    CONFIRMED: installed(
        OLD,
        NEW,
        problems=[PROBLEM],
        effective=[{"path": FILE, "user": "eve", "public_key": f"public of {OLD}"}],
        msg="m",
    ),
    FACTS: ["omit"],
}


def paths(value: Any, path: Tuple[Any, ...] = ()) -> Iterator[Tuple[Any, ...]]:
    """Paths of all values."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inside:
        yield from paths(item, (*path, name))


def replaced(value: Any, path: Tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    made = copy.deepcopy(value)
    target = made
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = by
    return made


def blocked_rows(reports: Dict[str, Any]) -> List[Blocked]:
    """All rows for the reports. Asserts that they are few, and that their texts are short and printable."""
    expected = Expected(tuple(reports))
    found: List[Blocked] = []
    for check_mode in (True, False):
        for ignore in (True, False):
            rows = blocked_by_hosts(SERIES, expected, reports, ignore=ignore, check_mode=check_mode)
            assert len(rows) <= 11 * len(reports) + 1
            found += rows
    found += not_deployed(expected, reports)
    shown = [text for row in found for text in (row.reason, row.path, row.owner, str(row)) if text is not None]
    shown += [text for row in predicted_files(reports, SERIES, label=NEW) for text in (row.path,)]
    for text in shown:
        assert isinstance(text, str) and len(text) <= 800
        assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")], ascii(text)
    return found


@pytest.mark.parametrize("path", [path for path in paths(TEMPLATE) if path[:1] != (FACTS,)], ids=str)
def test_any_json_in_any_place(path: Tuple[Any, ...]) -> None:
    for leaf in LEAVES:
        report = replaced({**TEMPLATE, FACTS: []}, path, leaf)
        rows = blocked_rows({"web1": report, "web2": has(NEW, **{COLLECTED: installed(), DEPLOYED: role()})})
        # Only the host with the forged report is blocked.
        assert {row.host for row in rows} == {"web1"}


def test_several_forged_values() -> None:
    count = 0
    for seed in range(600):
        random_ = random.Random(seed)
        report: Any = copy.deepcopy(TEMPLATE)
        report[FACTS] = []
        for _forgery in range(random_.randrange(1, 6)):
            if not isinstance(report, dict):
                break
            targets = [path for path in paths(report) if path[:1] != (FACTS,)]
            report = replaced(report, random_.choice(targets), random_.choice(LEAVES))
        try:
            count += 1 + len(blocked_rows({"web1": report}))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert count > 600


def test_names_of_facts_are_shortened() -> None:
    rows = blocked_rows({"web1": {**TEMPLATE, FACTS: [NASTY * 50, "magento_" + "x" * 5000, "omit", "group_names"]}})
    assert rows and all(len(row.reason) < 250 for row in rows)


@pytest.mark.parametrize("names", [True, 7, "omit", {"omit": 1}, [None], [7]])
def test_facts_that_are_not_a_list_block(names: Any) -> None:
    assert any("its facts" in row.reason for row in blocked_rows({"web1": {**has(NEW), FACTS: names}}))


def test_huge_report_gives_ten_rows() -> None:
    many = 100000
    files = [
        {"path": f"/{n}" * 9, "owner": "eve", "entries": [{"public_key": f"public of {OLD}"}]} for n in range(many)
    ]
    problems = [{**PROBLEM, "path": f"/{n}"} for n in range(many)]
    rows = [would("updated", OLD, NEW, f"/{n}") for n in range(many)]
    report = {CONFIRMED: {"files": files, "problems": problems}, WOULD_CHANGE: role(*rows)}
    found = blocked_by_hosts(SERIES, Expected(("web1",)), {"web1": report}, ignore=False)
    assert [str(row) for row in (found[0], found[10])] == [
        "web1: /0: not yet updated",
        f"web1: and {3 * many - 10} more files",
    ]
    assert [row.reason for row in found[11:]] == [f"{NEW} was not seen on any host"]
    other = {"web2": has(NEW)}
    # Check mode also reports the other host.
    assert [row.host for row in predicted_files({"web1": report, **other}, SERIES, label=NEW)] == ["web1"] * 10 + [
        "web2"
    ]
    lines = changes({"web1": report, "web2": {WOULD_CHANGE: role(*rows[:1])}}, check_mode=True)
    assert lines[9:] == [
        "Would be updated: web1, /9",
        f"Would be changed: web1, {many - 10} more",
        "Would be updated: web2, /0",
    ]


def test_work_is_linear_in_the_size_of_a_report() -> None:
    """Counts accesses to rows instead of measuring time."""

    class Row(dict):  # type: ignore[type-arg]
        reads = 0

        def get(self, name: Any, default: Any = None) -> Any:
            Row.reads += 1
            return super().get(name, default)

    def work(many: int) -> int:
        Row.reads = 0
        files = [Row(path=f"/{n}", entries=[Row(public_key=f"public of {OLD}")]) for n in range(many)]
        problems = [Row(PROBLEM, path=f"/{n}") for n in range(many)]
        rows = [Row(would("updated", OLD, NEW, f"/{n}")) for n in range(many)]
        reports = {"web1": {CONFIRMED: {"files": files, "problems": problems}, WOULD_CHANGE: role(*rows)}}
        for check_mode in (True, False):
            blocked_by_hosts(SERIES, Expected(("web1",)), reports, ignore=False, check_mode=check_mode)
        return Row.reads

    assert work(2000) <= 11 * work(200)
