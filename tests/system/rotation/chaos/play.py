# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the real ansible-playbook in a process group of its own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import COMPILED
from place import ROOT
from system.control import LIMIT, wait_for_processes


@dataclass(frozen=True)
class Kill:
    """When to kill: at an event of callbacks/kill.py, or a number of seconds after the start.

    Since ansible-core 2.19, the workers have sessions of their own, and their tasks continue after the kill.
    ``workers``: kill them, too, as when the machine stops; otherwise, wait for them.
    """

    event: int = 0
    seconds: float | None = None
    workers: bool = True


@dataclass(frozen=True)
class Result:
    """``status`` is None for a run that was killed. ``events`` are those of callbacks/kill.py."""

    status: int | None
    output: str = field(repr=False)
    record: list[dict[str, Any]] = field(repr=False)
    events: list[dict[str, Any]] = field(repr=False)
    seconds: float = 0.0

    def all_output(self) -> str:
        """The output of Ansible and the record of its tasks."""
        return self.output + json.dumps(self.record)

    def summary(self) -> str:
        """The last message, or the last event of a run that was killed."""
        if self.status is None:
            last = self.events[-1] if self.events else {}
            return f"killed after {' '.join(str(value) for value in last.values())}"
        found = [r["result"].get("msg") for r in self.record if r["task"].rpartition(" : ")[2] == "Summary"]
        text = "\n".join(found[-1]) if found and isinstance(found[-1], list) else str(found[-1] if found else "")
        failed = [str(r["result"].get("msg")) for r in self.record if r["outcome"] == "failed"]
        return text or "".join(failed[-1:]) or self.output[-600:]


def play(
    directory: Path,
    words: Sequence[str],
    *,
    collections: Path,
    environ: Mapping[str, str],
    kill: Kill | None = None,
) -> Result:
    """``directory`` gets all files of the controller; ``collections`` is the path with the collection."""
    files = {name: directory / name for name in ("record", "events", "output")}
    for file in files.values():
        file.write_bytes(b"")
    environment = {
        **{n: v for n, v in os.environ.items() if not n.startswith("ANSIBLE_") and n != "PYTHONPATH"},
        "ANSIBLE_CALLBACKS_ENABLED": "record,kill",
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "system" / "callbacks"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(directory / "ansible-home"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SSH_RETRIES": "0",
        "RECORD": str(files["record"]),
        "KILL_EVENTS": str(files["events"]),
        "KILL_AT": str(kill.event if kill else 0),
        "PYTHONPATH": str(COMPILED),
        "no_proxy": "*",
        **environ,
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *words]
    began = time.monotonic()
    with files["output"].open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    mark = f"KILL_EVENTS={files['events']}".encode()
    try:
        status = process.wait(kill.seconds if kill and kill.seconds is not None else LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        if kill is None or kill.seconds is None:
            raise AssertionError(f"a run hangs: {files['output'].read_text()}") from None
    except KeyboardInterrupt:
        wait_for_processes(mark, end=True)
        raise
    finally:
        wait_for_processes(mark, end=kill is None or kill.workers)
    if status < 0 and not kill:
        raise AssertionError(f"a run that was not killed exited with {status}")
    return Result(
        None if status < 0 else status,
        files["output"].read_text(errors="replace"),
        _lines(files["record"]),
        _lines(files["events"]),
        time.monotonic() - began,
    )


def _lines(file: Path) -> list[dict[str, Any]]:
    # A kill from outside may leave an incomplete line.
    found = []
    for line in file.read_text(errors="replace").splitlines(keepends=True):
        if line.endswith("\n"):
            found.append(json.loads(line))
    return found
