# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes, each with a simulator and a fleet of its own."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from place import ROOT
from simulator.client import Simulator
from system.rotation.chaos.fleet import Fleet

WORKERS = 2
SMALL_DISK = "web2"
"""The host whose disk can be filled."""
_NEW_NAMESPACE, _PRIVATE = 0x00020000, 0x00044000
_libc = ctypes.CDLL(None, use_errno=True)


def _isolate() -> None:
    """Give this process a mount namespace of its own, and kill it when its parent ends."""
    _libc.prctl(1, signal.SIGKILL)
    if _libc.unshare(_NEW_NAMESPACE):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("none", "/", "", _PRIVATE)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def copy_collection(directory: Path) -> Path:
    """Create a collections path with a copy of the collection, which does not change during the tests."""
    collection = directory / "ansible_collections" / "keyfleet" / "magento"
    for part in ("plugins", "roles", "playbooks", "meta"):
        shutil.copytree(ROOT / part, collection / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "galaxy.yml", collection)
    return directory


@contextlib.contextmanager
def fleet_in(directory: Path, collections: Path | None = None) -> Iterator[Fleet]:
    """A fleet below ``directory``, with a small disk on one host and, by default, a copy of the collection."""
    disk = directory / "fleet" / SMALL_DISK
    disk.mkdir(parents=True, exist_ok=True)
    if not disk.is_mount():
        _mount("keyfleet-chaos", str(disk), "tmpfs", 0, "size=256k,mode=0755")
    with Simulator() as simulator:
        yield Fleet(simulator, directory / "fleet", collections or copy_collection(directory / "collections"))


Counts = Counter[str]
Work = Callable[[int, Path, Counts], Any]
"""Arguments: number of the worker, its directory, and its counters."""


def run_workers(work: Work, directory: Path) -> tuple[list[Any], Counts]:
    """Run ``work`` in `WORKERS` processes. Returns the result of each, and the sum of their counters."""
    children = [_start(work, number, directory / str(number)) for number in range(WORKERS)]
    results: list[dict[str, Any]] = []
    try:
        while len(results) < WORKERS:
            results.append(_answer(*children[len(results)]))
    except BaseException:
        # The time limit of the test: every worker ends what it started, and says where it was.
        for pid, _pipe in children[len(results) :]:
            os.kill(pid, signal.SIGINT)
        for child in children[len(results) :]:
            print(_answer(*child).get("error"))
        raise
    errors = [result["error"] for result in results if "error" in result]
    assert not errors, "\n".join(errors)
    return [r["result"] for r in results], sum((Counter(r["counts"]) for r in results), Counter())


def _answer(pid: int, pipe: IO[bytes]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(pipe.read() or b'{"error": "a worker ended without an answer"}')
    pipe.close()
    os.waitpid(pid, 0)
    return answer


def _start(work: Work, number: int, directory: Path) -> tuple[int, IO[bytes]]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, os.fdopen(reading, "rb")
    os.close(reading)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    counts: Counts = Counter()
    try:
        directory.mkdir(exist_ok=True)
        _isolate()
        answer = {"result": work(number, directory, counts), "counts": counts}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(answer).encode())
    os._exit(0)
