# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chaos: random fleets, random faults, controllers that are killed, and the promises asked for after every step.

`KEYFLEET_CHAOS_SEED` repeats a run, `KEYFLEET_CHAOS` is the number of histories.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _aloud import Aloud
from _chaos_history import History, World
from _chaos_host import alone
from _chaos_run import APPLIES, Violation

from ansible_collections.keyfleet.magento.plugins.module_utils import _rotation_fleet, _rotation_reports, _rotation_run
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace import Marketplace

pytestmark = pytest.mark.needs("root", "setpriv", "composer")
HISTORIES = int(os.environ.get("KEYFLEET_CHAOS", "200"))
SEED = int(os.environ.get("KEYFLEET_CHAOS_SEED", str(time.time_ns() % 10**6)))
WORKERS = 2
ROWS = [(fault, phase) for fault, phases in APPLIES.items() for phase in phases]


def _worker(seeds: range, directory: Path) -> dict[str, Any]:
    """Live these histories; what came of them."""
    histogram: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    with World.made(directory) as world:
        for seed in seeds:
            # What has been met least comes up more often; the same seed still gives the same run.
            met = {row: histogram["/".join(row)] for row in ROWS}
            history = History(world, seed, focus=min(met, key=lambda row: met[row]))
            try:
                history.live()
            except Exception:
                told = "\n".join(history.story)
                return {"error": f"history {seed}: {traceback.format_exc()}\n{told}"}
            if seed % 10 == 0:
                counts["composer"] += _agrees_with_composer(history)
            histogram.update({f"{fault}/{phase}": n for (fault, phase), n in history.histogram.items()})
            counts.update(history.counts)
            counts["histories"] += 1
            killed = [phase for fault, phase in history.histogram if fault == "kill"]
            counts["killed in deploy or retire"] += bool({"deploy", "retire"} & set(killed))
    return {"histogram": histogram, "counts": counts}


def _agrees_with_composer(history: History) -> int:
    """The real Composer takes the pair that the promises were asked with."""
    asked = 0
    for host in list(history.hosts.values())[:3]:
        for project, pair in host.used().items():
            if project:
                told = host.call("composer", {"project": project})
                assert told["status"] == 0, told
                if json.loads(told["output"])["username"] != pair[0]:
                    raise AssertionError(f"Composer takes another key in {project}: {told}")
                asked += 1
    return asked


def _in_processes(work: Callable[[int, Path], dict[str, Any]], number: int, directory: Path) -> list[dict[str, Any]]:
    """``work`` in as many processes, each with a directory of its own."""
    children = []
    for place in range(number):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            where = directory / str(place)
            where.mkdir()
            try:
                alone()
                result = work(place, where)
            except BaseException:
                result = {"error": traceback.format_exc()}
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(json.dumps(result).encode())
            os._exit(0)
        os.close(writing)
        children.append((pid, reading))
    results = []
    for pid, reading in children:
        with os.fdopen(reading, "rb") as pipe:
            results.append(json.loads(pipe.read() or b'{"error": "it ended without a word"}'))
        os.waitpid(pid, 0)
    return results


@pytest.fixture
def directory() -> Any:
    with tempfile.TemporaryDirectory(prefix="kf-chaos-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_whatever_happens_nobody_is_left_without_a_working_key(directory: Path, aloud: Aloud) -> None:
    began = time.monotonic()
    share = -(-HISTORIES // WORKERS)

    def work(place: int, where: Path) -> dict[str, Any]:
        return _worker(range(SEED + place * share, SEED + (place + 1) * share), where)

    results = _in_processes(work, WORKERS, directory)
    errors = [result["error"] for result in results if "error" in result]
    assert not errors, f"KEYFLEET_CHAOS_SEED={SEED}\n" + "\n".join(errors)
    histogram: Counter[str] = sum((Counter(result["histogram"]) for result in results), Counter())
    counts: Counter[str] = sum((Counter(result["counts"]) for result in results), Counter())
    rows = ["/".join(row) for row in ROWS]
    with aloud():
        print(f"\n\nKEYFLEET_CHAOS_SEED={SEED}, {time.monotonic() - began:.0f} s")
        for name, count in [*sorted(counts.items()), *((row, histogram[row]) for row in rows)]:
            print(f"{count:6} {name}")
    assert counts["histories"] >= HISTORIES
    if HISTORIES >= 200:
        assert not [row for row in rows if histogram[row] < 5], histogram
        assert counts["killed in deploy or retire"] >= 0.3 * counts["histories"], counts
        assert counts["composer"] >= 20


# Mutants: what the same histories must find out


def _disables_before_confirmation() -> None:
    def retire(series: Any, **_rest: Any) -> _rotation_fleet.RetirePlan:
        return _rotation_fleet.RetirePlan(series.spent, (), "mutant")

    setattr(_rotation_run, "plan_retire", retire)  # noqa: B010


def _prunes_enabled_keys() -> None:
    real = _rotation_fleet.plan_prune

    def prune(series: Any, **rest: Any) -> _rotation_fleet.PrunePlan:
        plan = real(series, **rest)
        return replace(plan, delete=(*plan.delete, *series.spent))

    setattr(_rotation_run, "plan_prune", prune)  # noqa: B010


def _takes_unreachable_for_confirmed() -> None:
    real = _rotation_reports.reports_of

    def reports(installed: Any, **_rest: Any) -> Any:
        return {host: replace(report, complete=True) for host, report in real(installed).items()}

    setattr(_rotation_run, "reports_of", reports)  # noqa: B010


def _accepts_empty_expectations() -> None:
    _rotation_fleet.Fleet.declared = property(lambda _fleet: True)  # type: ignore[assignment, method-assign]


def _posts_again() -> None:
    real = Marketplace.create

    def create(self: Marketplace, labels: Any, *, uid: str) -> Any:
        body = {"m2": [{"label": label, "uid": uid} for label in labels]}
        for _time in range(2):
            try:
                self._line.call("POST", "keys", doing="create a key", json=body)
                break
            except KeyfleetError as error:
                if not error.details.get("answer_lost"):
                    raise
                body = {"m2": [{"label": f"{label}-2", "uid": uid} for label in labels]}
        return real(self, [item["label"] for item in body["m2"]], uid=uid)

    Marketplace.create = create  # type: ignore[method-assign]


MUTANTS = {
    _disables_before_confirmation: ("disk full", "deploy"),
    _prunes_enabled_keys: ("lost answer", "prune"),
    _takes_unreachable_for_confirmed: ("unreachable", "confirm"),
    _accepts_empty_expectations: ("nobody expected", "retire"),
    _posts_again: ("lost answer", "issue"),
}
"""Each with a fault that there is more of in its histories, so that it is found out early."""


def test_every_mutant_is_caught(directory: Path, aloud: Aloud) -> None:
    def work(place: int, where: Path) -> dict[str, Any]:
        caught = {}
        with World.made(where) as world:
            for mutant, focus in list(MUTANTS.items())[place::WORKERS]:
                for seed in range(SEED, SEED + 400):
                    try:
                        History(world, seed, mutant=mutant, focus=focus).live()
                    except Violation as violation:
                        caught[mutant.__name__] = f"after {seed - SEED + 1} histories: {violation}"
                        break
        return caught

    found = {name: told for result in _in_processes(work, WORKERS, directory) for name, told in result.items()}
    with aloud():
        print()
        for name, told in found.items():
            print(f"caught {name.strip('_')} {told.splitlines()[0]}")
    assert set(found) == {mutant.__name__ for mutant in MUTANTS}, f"seed {SEED}: {found}"
