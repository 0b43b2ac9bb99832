# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simultaneous runs: slices of a deployment, two rotations, two series. Every host always has a working key."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simulator.tests.https import ask
from system.control import PYTHON, Control, Run
from system.rotation.lab import OLD, REPOSITORY, Fleet, days_ago, today, unwrapped

pytestmark = pytest.mark.needs("root", PYTHON)


def controller(fleet: Fleet, directory: Path, name: str, *hosts: str) -> Fleet:
    """The same fleet on another controller, whose inventory has these hosts, or all."""
    own = directory / name
    own.mkdir()
    return dataclasses.replace(fleet, control=Control(own), names=hosts or fleet.names)


def at_once(*runs: Callable[[], Run]) -> list[Run]:
    with ThreadPoolExecutor(len(runs)) as pool:
        return [future.result() for future in [pool.submit(run) for run in runs]]


def entry(path: Path) -> tuple[str, str] | None:
    found = json.loads(path.read_text()).get("http-basic", {}).get(REPOSITORY)
    return (found["username"], found["password"]) if found else None


@contextmanager
def all_keys_keep_working(fleet: Fleet, *files: Path) -> Iterator[None]:
    """Assert that the repository always accepts the key in every file: keys are disabled after their replacement."""
    paths = files or tuple(fleet.file(name) for name in fleet.names)
    lost: list[str] = []
    asked: list[Path] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in paths:
                key = entry(path)
                asked.append(path)
                # A key that was replaced meanwhile may be disabled.
                if key is None or (ask(fleet.simulator, key=key).status != 200 and entry(path) == key):
                    lost.append(f"{path} has {key and key[0]}")
            over.wait(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert len(asked) > 3 * len(paths) and not lost, lost


def test_a_deployment_in_two_halves_and_a_retirement_of_all(fleet: Fleet, tmp_path: Path) -> None:
    """The first controller has only its half in the inventory; the other has all hosts, and its half as the target."""
    assert fleet.run("rotate_issue").status == 0
    first, second = controller(fleet, tmp_path, "first", "web1", "web2"), controller(fleet, tmp_path, "second")
    with all_keys_keep_working(fleet):
        runs = at_once(partial(first.run, "rotate_deploy"), partial(second.run, "rotate_deploy", target="web3"))
        for half, run in zip((("web1", "web2"), ("web3",)), runs, strict=True):
            assert run.status == 0, run.output
            assert f"Hosts that have it: {len(half)} of {len(half)}" in unwrapped(run), run.output
            assert {r["host"] for r in run.record} == {"localhost", *half}
        assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {today()}
        # expected_hosts has all hosts, so a retirement with half of them is blocked.
        sliced = first.run("rotate_retire")
        assert sliced.status == 2 and "web3: it is expected but not in the target" in unwrapped(sliced), sliced.output
        assert fleet.series() == {OLD: True, today(): True}
        run = fleet.run("rotate_retire")
        assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output


@pytest.mark.hosts(2)
@pytest.mark.parametrize("now", [False, True])
def test_two_whole_rotations(now: bool, fleet: Fleet, tmp_path: Path) -> None:
    """They share one generation, create one each, or one of them fails; the next run exits with 0."""
    both = [controller(fleet, tmp_path, name) for name in ("first", "second")]
    # If no generation is due by age, rotate_now requests one from both.
    settings = {"rotate_now": now, "max_age": 10**4 if now else 90}
    with all_keys_keep_working(fleet):
        runs = at_once(*(partial(one.run, "rotate", settings=settings) for one in both))
        assert 0 in {run.status for run in runs}, runs[0].output + runs[1].output
        assert {run.status for run in runs} <= {0, 2}, runs[0].output + runs[1].output
        run = fleet.run("rotate")
        assert run.status == 0, run.output
    series = fleet.series()
    alive = [label for label, enabled in series.items() if enabled]
    assert len(alive) == 1 and fleet.all_hold() == set(alive)
    assert set(series) <= {OLD, today(), f"{today()}-2"} and OLD not in alive
    assert now or set(series) == {OLD, today()}


@pytest.mark.hosts(2)
def test_a_rotation_and_a_rollback(fleet: Fleet, tmp_path: Path) -> None:
    """The last run decides, and one key is left that works on all hosts, or one of the runs fails."""
    fleet.simulator.add_key("shop", today())
    both = [controller(fleet, tmp_path, name) for name in ("first", "second")]
    settings: list[dict[str, Any]] = [{"rejected": []}, {"rejected": [today()]}]
    runs = at_once(*(partial(one.run, "rotate", settings=own) for one, own in zip(both, settings, strict=True)))
    assert {run.status for run in runs} <= {0, 2}, runs[0].output + runs[1].output
    assert any(fleet.series().values()), "both keys were disabled"
    for own in settings:
        run = fleet.run("rotate", settings=own)
        assert run.status == 0, run.output
        fleet.all_keys_work()
        (alive,) = [label for label, enabled in fleet.series().items() if enabled]
        assert fleet.all_hold() == {alive}
    assert alive == OLD


@pytest.mark.hosts(2)
def test_two_series_at_once(fleet: Fleet, tmp_path: Path) -> None:
    """On the same hosts: each run changes only its own entries and keys."""
    other = fleet.simulator.add_key("shop", "api-20260101")
    for name in fleet.names:
        fleet.give(name, *other, "api")
    (one,) = fleet.variables["magento_auth_keys"]
    fleet.variables["magento_auth_keys"].append({**one, "series": "api", "projects": ["{{ root }}/api"]})
    second = controller(fleet, tmp_path, "second")
    second.settings = {**fleet.settings, "prefix": "api"}
    files = [fleet.file(name, path) for name in fleet.names for path in ("shop", "api")]
    with all_keys_keep_working(fleet, *files):
        runs = at_once(partial(fleet.run, "rotate"), partial(second.run, "rotate"))
    assert [run.status for run in runs] == [0, 0], runs[0].output + runs[1].output
    new = days_ago(0, "api")
    assert fleet.series() == {OLD: False, today(): True}
    assert fleet.series("api-") == {"api-20260101": False, new: True}
    assert fleet.all_hold() == {today()} and {fleet.held(name, "api") for name in fleet.names} == {new}
    before = fleet.state()
    runs = at_once(partial(fleet.run, "rotate"), partial(second.run, "rotate"))
    assert [run.status for run in runs] == [0, 0] and fleet.state() == before, runs[0].output + runs[1].output
