# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a suite is, and how a list of them is run and counted."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from place import ROOT, Place, find_python

Need = Callable[[], str | None]
"""Says why something is not there, or None when it is."""
PACKAGES = dict(line.split() for line in (ROOT / "tests" / "debian-packages").read_text().splitlines())
"""Program to the Debian package that brings it."""


@dataclass(frozen=True)
class Suite:
    name: str
    says: str
    run: Callable[[Place], None]
    needs: tuple[Need, ...] = ()
    """It is skipped without one of these."""
    wants: tuple[Need, ...] = ()
    """Without one of these it runs, and leaves out a part of itself."""
    machine: bool = False
    """Whether it makes accounts or looks at everybody's homes: never beside another such."""


@dataclass(frozen=True)
class Outcome:
    name: str
    result: str
    seconds: float
    note: str = ""
    end: str = ""
    """The last lines that a failed command printed."""


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
    """Whether what cannot run here is a failure."""
    return os.environ.get("KEYFLEET_REQUIRE_ALL") == "1"


def missing(needs: Iterable[Need]) -> str:
    return "; ".join(reason for need in needs if (reason := need()))


def lacks(suite: Suite) -> str:
    """What will be left out of a suite and why; empty when it runs as a whole."""
    if reason := missing(suite.needs):
        return f"skipped: {reason}"
    part = missing(suite.wants)
    return f"runs in part: {part}" if part else ""


def run(suites: Iterable[Suite], place: Place, *, require_all: bool) -> list[Outcome]:
    """Run one after the other; a failure stops nothing but its own suite."""
    return [_outcome(suite, place, require_all) for suite in suites]


def run_side_by_side(suites: Iterable[Suite], *, require_all: bool) -> list[Outcome]:
    """Those of the machine one after the other, and beside them the others. What a suite prints is shown at its end."""
    suites = list(suites)
    lanes = [lane for lane in ([s for s in suites if s.machine], [s for s in suites if not s.machine]) if lane]
    places = [Place() for _lane in lanes]
    turn = threading.Lock()

    def work(lane: Sequence[Suite], place: Place) -> list[Outcome]:
        outcomes = []
        for suite in lane:
            place.buffer = printed = io.StringIO()
            outcomes.append(_outcome(suite, place, require_all))
            with turn:
                print(printed.getvalue(), end="", flush=True)
        return outcomes

    try:
        with ThreadPoolExecutor(len(lanes) or 1) as pool:
            running = [pool.submit(work, lane, place) for lane, place in zip(lanes, places, strict=True)]
            try:
                outcomes = {outcome.name: outcome for lane in running for outcome in lane.result()}
            except BaseException:
                for place in places:
                    place.stop()
                raise
    finally:
        for place in places:
            place.close()
    return [outcomes[suite.name] for suite in suites]


def _outcome(suite: Suite, place: Place, require_all: bool) -> Outcome:
    print(f"\n=== {suite.name}: {suite.says}", flush=True, file=place.out)
    begin = time.monotonic()
    result, note, end = "passed", "", ""
    part = missing(suite.wants)
    if reason := missing(suite.needs):
        result, note = ("failed" if require_all else "skipped"), reason
    elif part and require_all:
        result, note = "failed", part
    else:
        try:
            suite.run(place)
            note = part and f"in part: {part}"
        except subprocess.CalledProcessError as error:
            result, note = "failed", f"exit status {error.returncode} of {error.cmd[0]}"
            end = error.output or ""
        except (OSError, RuntimeError) as error:
            result, note = "failed", str(error)
    outcome = Outcome(suite.name, result, time.monotonic() - begin, note, end)
    print(f"=== {line_of(outcome)}", flush=True, file=place.out)
    return outcome


def line_of(outcome: Outcome) -> str:
    note = f"  ({outcome.note})" if outcome.note else ""
    return f"{outcome.name:<16} {outcome.result:<8}{outcome.seconds:7.1f} s{note}"


def summary(outcomes: Sequence[Outcome]) -> str:
    counts = {word: sum(outcome.result == word for outcome in outcomes) for word in ("passed", "failed", "skipped")}
    ends = [f"--- the end of {one.name}:\n{one.end}" for one in outcomes if one.end]
    return "\n".join(
        [*ends, *map(line_of, outcomes), "", ", ".join(f"{count} {word}" for word, count in counts.items())]
    )
