# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands, and keeps what they cost as pyperf benchmarks."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyperf


@dataclass(frozen=True)
class Cost:
    """Seconds of user and system time, seconds of wall time, bytes of the largest process; standard output.

    The memory is never less than that of this process, from which the command is started.
    """

    cpu: float
    wall: float
    memory: int = 0
    output: str = field(default="", repr=False)


def run(*commands: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> Cost:
    """Runs commands at the same time; all must succeed. Counts them with all descendants that they have waited for."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        started = [
            subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
            for command in commands
        ]
        used = []
        for process in started:
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            used.append(usage)
        wall = time.perf_counter() - start
        for stream in (out, errors):
            stream.seek(0)
        output, printed = out.read().decode(), errors.read().decode()
        for process in started:
            assert process.returncode == 0, f"{process.args!r} failed: {output[-4000:]}{printed[-4000:]}"
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in used)
    return Cost(cpu, wall, max(usage.ru_maxrss for usage in used) * 1024, output)


Work = Callable[[], Cost]
"""Does one measurement, and asserts its effect."""


@dataclass
class Bench:
    """One run of the bench: ``sizes`` are numbers of hosts, ``size`` is that of the transferred file in bytes."""

    directory: Path
    pairs: int
    sizes: tuple[int, int, int]
    size: int
    accounts: bool
    suite: list[pyperf.Benchmark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def interleaved(self, case: str, works: Mapping[str, Work], pairs: int | None = None) -> dict[str, list[Cost]]:
        """Measures A B B A …, each ``pairs`` times, and adds the times. The costs with the same index are a pair."""
        costs: dict[str, list[Cost]] = {name: [] for name in works}
        for number in range(pairs or self.pairs):
            for name in list(works)[:: -1 if number % 2 else 1]:
                costs[name].append(works[name]())
                print(f"{case}: {name}: {costs[name][-1].cpu:.3f} s, wall {costs[name][-1].wall:.3f} s", flush=True)
        for name, measured in costs.items():
            self.add(f"{case}: {name}", [cost.cpu for cost in measured], "s")
            self.add(f"{case}: {name}, wall", [cost.wall for cost in measured], "s")
        return costs

    def add(self, name: str, values: Sequence[float], unit: str, target: str = "") -> list[float]:
        """Adds one figure, one value for each pair. ``target`` is ``<= 1.2``, ``>= 1.2`` or ``0.9 to 1.1``."""
        # pyperf knows few units, and accepts no value below zero: a difference of two noisy measurements.
        known = {"s": "second", "bytes": "byte"}.get(unit, "integer")
        metadata = {"name": name, "unit": known, "figure_unit": unit, **({"target": target} if target else {})}
        kept = [max(float(value), 1e-9) for value in values]
        self.suite.append(pyperf.Benchmark([pyperf.Run(kept, metadata=metadata)]))
        return kept

    def ratio(self, name: str, over: Sequence[float], under: Sequence[float], target: str = "") -> None:
        """Adds the ratio of each pair."""
        self.add(name, [a / b for a, b in zip(over, under, strict=True)], "ratio", target)
