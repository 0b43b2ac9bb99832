# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Suites: their definition, how they are run, and the summary."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from place import ROOT, Workspace, find_python

Need = Callable[[], str | None]
"""Returns the reason why something is missing, or None if it is available."""
PACKAGES = dict(line.split() for line in (ROOT / "tests" / "debian-packages").read_text().splitlines())
"""Debian package by program."""


@dataclass(frozen=True)
class Suite:
    name: str
    description: str
    run: Callable[[Workspace], None]
    needs: tuple[Need, ...] = ()
    """The suite is skipped if one of these is missing."""
    wants: tuple[Need, ...] = ()
    """If one of these is missing, the suite runs without the tests that need it."""
    machine: bool = False
    """Whether it creates accounts or reads all home directories; two such suites never run at the same time."""
    on_request: bool = False
    """Whether it runs only if it is named."""


@dataclass(frozen=True)
class Outcome:
    name: str
    result: str
    seconds: float
    note: str = ""
    end: str = ""
    """The last lines of a failed command's output."""


def root() -> str | None:
    return None if os.geteuid() == 0 else "not root"


def docker() -> str | None:
    if lacking := programs("docker")():
        return lacking
    try:
        answer = subprocess.run(
            ["docker", "info"], capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return "the docker engine does not answer"
    return "no docker engine answers" if answer.returncode else None


def programs(*names: str) -> Need:
    def need() -> str | None:
        lacking = [name for name in names if not shutil.which(name)]
        packages = sorted({PACKAGES[name] for name in lacking if name in PACKAGES})
        how = f" (apt install {' '.join(packages)})" if packages else ""
        return f"{', '.join(lacking)} not found{how}" if lacking else None

    return need


def python(*versions: str) -> Need:
    reason = f"no Python {' or '.join(versions)} with venv (pyenv install {versions[0]})"
    return lambda: None if find_python(*versions) else reason


def must_run_all() -> bool:
    """Whether a suite that cannot run here is a failure."""
    return os.environ.get("KEYFLEET_REQUIRE_ALL") == "1"


def missing(needs: Iterable[Need]) -> str:
    return "; ".join(reason for need in needs if (reason := need()))


def lacks(suite: Suite) -> str:
    """Whether the suite is skipped or runs in part, and why; empty if it runs completely."""
    if reason := missing(suite.needs):
        return f"skipped: {reason}"
    part = missing(suite.wants)
    return f"runs in part: {part}" if part else ""


def run(suites: Iterable[Suite], workspace: Workspace, *, require_all: bool) -> list[Outcome]:
    """Runs the suites one after the other; a failure stops only its own suite."""
    return [_outcome(suite, workspace, require_all) for suite in suites]


def run_side_by_side(suites: Iterable[Suite], *, require_all: bool, first: Sequence[str] = ()) -> list[Outcome]:
    """Runs the suites with `machine` one after the other and, at the same time, the others; then two of the others at a
    time. Those that are named in ``first`` run first. The output of a suite is printed at its end."""
    suites = list(suites)
    ordered = sorted(suites, key=lambda suite: first.index(suite.name) if suite.name in first else len(first))
    others = collections.deque(suite for suite in ordered if not suite.machine)
    lanes = [collections.deque(suite for suite in ordered if suite.machine), others]
    # ansible-test keeps environments in the home, which two of its runs must not create at the same time.
    workspaces = [Workspace("home"), Workspace("home-2")]
    printing = threading.Lock()

    def work(lane: collections.deque[Suite], workspace: Workspace) -> list[Outcome]:
        outcomes = []
        while suite := _next(lane) or _next(others):
            workspace.buffer = printed = io.StringIO()
            outcomes.append(_outcome(suite, workspace, require_all))
            with printing:
                print(printed.getvalue(), end="", flush=True)
        return outcomes

    try:
        with ThreadPoolExecutor(len(lanes)) as pool:
            running = [pool.submit(work, lane, workspace) for lane, workspace in zip(lanes, workspaces, strict=True)]
            try:
                outcomes = {outcome.name: outcome for lane in running for outcome in lane.result()}
            except BaseException:
                others.clear()
                for workspace in workspaces:
                    workspace.stop()
                raise
    finally:
        for workspace in workspaces:
            workspace.close()
    return [outcomes[suite.name] for suite in suites]


def _next(lane: collections.deque[Suite]) -> Suite | None:
    # Another thread may take the last one.
    with contextlib.suppress(IndexError):
        return lane.popleft()
    return None


def _outcome(suite: Suite, workspace: Workspace, require_all: bool) -> Outcome:
    print(f"\n=== {suite.name}: {suite.description}", flush=True, file=workspace.out)
    begin = time.monotonic()
    result, note, end = "passed", "", ""
    part = missing(suite.wants)
    if reason := missing(suite.needs):
        result, note = ("failed" if require_all else "skipped"), reason
    elif part and require_all:
        result, note = "failed", part
    else:
        try:
            suite.run(workspace)
            note = part and f"in part: {part}"
        except subprocess.CalledProcessError as error:
            result, note = "failed", f"exit status {error.returncode} of {error.cmd[0]}"
            end = error.output or ""
        except (OSError, RuntimeError) as error:
            result, note = "failed", str(error)
    outcome = Outcome(suite.name, result, time.monotonic() - begin, note, end)
    print(f"=== {line_of(outcome)}", flush=True, file=workspace.out)
    return outcome


def line_of(outcome: Outcome) -> str:
    note = f"  ({outcome.note})" if outcome.note else ""
    return f"{outcome.name:<16} {outcome.result:<8}{outcome.seconds:7.1f} s{note}"


def summary(outcomes: Sequence[Outcome]) -> str:
    counts = {word: sum(outcome.result == word for outcome in outcomes) for word in ("passed", "failed", "skipped")}
    ends = [f"--- last lines of {outcome.name}:\n{outcome.end}" for outcome in outcomes if outcome.end]
    return "\n".join(
        [*ends, *map(line_of, outcomes), "", ", ".join(f"{count} {word}" for word, count in counts.items())]
    )
