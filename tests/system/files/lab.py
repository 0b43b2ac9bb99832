# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real accounts, a directory that they can reach, and workers under strace, for the tests of files."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import observe, predict
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Change, Ownership, Wanted
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply
from place import linked_collections
from system.files.worker import adding

IMPORTS = str(linked_collections())
WORKER = str(Path(__file__).with_name("worker.py"))
HOST = "repo.magento.com"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Account:
    """A user that exists only for the tests."""

    name: str
    uid: int
    gid: int
    home: Path

    def run(self, script: str, *, wait: bool = True, **extra: Any) -> subprocess.Popen[str]:
        """Runs a shell script as this user, with all its groups."""
        command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups", "sh", "-euc", script]
        process = subprocess.Popen(command, text=True, cwd="/", **extra)
        if wait and process.wait(30) != 0:
            raise AssertionError(f"as {self.name}: {script!r} ended with {process.returncode}")
        return process


@dataclass(frozen=True)
class Accounts:
    """`deploy` and `other` own their homes; the home of `web` belongs to root, like /var/www."""

    deploy: Account
    other: Account
    web: Account


def give(path: Path, account: Account | None, mode: int, content: str | None = None) -> Path:
    """A file (with content) or a directory of an account, or of root."""
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    os.chown(path, account.uid if account else 0, account.gid if account else 0)
    path.chmod(mode)
    return path


def entry_text(*hosts: str) -> str:
    """An auth.json with an entry for each host."""
    data: bytes | None = None
    for host in hosts:
        data = adding(host)(data)
    return (data or b"{}\n").decode()


def hosts_in(path: Path) -> list[str]:
    """The hosts that have an entry."""
    return [entry.repository for entry in auth_json.entries(auth_json.parse(path.read_bytes()))]


def wanted(path: Path, host: str = HOST, **options: Any) -> Wanted:
    """An entry for a host, added to a file."""
    ownership = Ownership(**{key: options.pop(key) for key in ("uid", "gid", "mode") if key in options})
    return Wanted(str(path), adding(host), ownership, **options)


def write(path: Path, host: str = HOST, *, settle: float = 0.0, **options: Any) -> Change:
    """Apply, and require that check mode predicts the same."""
    one = wanted(path, host, **options)
    state = observe(one.path, parse=auth_json.parse, access=one.access)
    predicted = predict(state, one)
    (change,) = apply([one], settle=settle)
    for state, made in ((predicted.before, change.before), (predicted.after, change.after)):
        # Up to missing_directories; the other fields are facts about the directory, which the write may have made.
        assert state[:7] == made[:7]
    return change


def refused(path: Path, code: str, **options: Any) -> KeyfleetError:
    """Apply must fail with this code."""
    lock_timeout = options.pop("lock_timeout", 1.0)
    with pytest.raises(KeyfleetError) as caught:
        apply([wanted(path, **options)], settle=0.0, lock_timeout=lock_timeout)
    assert caught.value.code == code, caught.value.message
    assert caught.value.message.count("f" * 32) == 0
    assert str(path) in caught.value.message
    return caught.value


def facts(path: Path) -> tuple[object, ...]:
    """Everything about a file or directory that a write could have changed."""
    info = path.lstat()
    content: object = sorted(os.listdir(path)) if stat.S_ISDIR(info.st_mode) else path.read_bytes()
    return content, info.st_ino, info.st_uid, info.st_gid, info.st_mode, info.st_mtime_ns


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    """uid, gid, permissions."""
    info = path.lstat()
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)


def state_of(pid: int) -> str:
    """One letter, as in ps: "t" while strace has stopped the process, "S" while it sleeps; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class Job:
    """One running worker, with strace attached if requested."""

    pid: int
    result: Path
    strace: subprocess.Popen[str] | None

    def held(self) -> bool:
        """Wait until strace delays the worker; False if the worker ended first.

        During a delay, strace sleeps, too. Otherwise it is about to let the worker go on.
        """
        if self.strace is None:
            raise AssertionError("nothing holds this worker")
        still = 0
        while still < 5:
            if not (state := state_of(self.pid)):
                return False
            still = still + 1 if state == "t" and state_of(self.strace.pid) == "S" else 0
            time.sleep(0.003)
        return True

    def outcome(self) -> dict[str, Any]:
        """The result of the worker; {"killed": True} if it wrote none."""
        eventually(lambda: not Path(f"/proc/{self.pid}").exists(), "the end of a worker", 60.0)
        if self.strace is not None:
            self.strace.wait(30)
        answer = self.result.read_text()
        if not answer:
            return {"killed": True}
        result: dict[str, Any] = json.loads(answer)
        return result


@dataclass(frozen=True)
class Call:
    """The n-th call of a system call in a worker, with its line in the log of strace."""

    name: str
    number: int
    line: str

    def inject(self, what: str) -> tuple[str, ...]:
        """The options of strace that inject a fault or delay into this call."""
        return ("-e", f"trace={self.name}", "-e", f"inject={self.name}:{what}:when={self.number}", "-o", "/dev/null")


class Workers:
    """Starts workers: forks of one process that has loaded everything."""

    def __init__(self, scratch: Path) -> None:
        command = [sys.executable, "-S", "-s", "-B", WORKER]
        self.server = subprocess.Popen(
            command, env={"PYTHONPATH": IMPORTS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.scratch = scratch
        self.count = 0
        self.lock = threading.Lock()

    def ready(self, path: Path, *hosts: str, strace: tuple[str, ...] = (), **job: Any) -> Job:
        """Starts a worker that waits for SIGUSR1."""
        with self.lock:
            self.count += 1
            result = self.scratch / f"{self.count}.json"
            job.update(path=str(path), hosts=hosts or (HOST,), result=str(result))
            if self.server.stdin is None or self.server.stdout is None:
                raise AssertionError("the workers have no pipes")
            self.server.stdin.write(json.dumps(job) + "\n")
            self.server.stdin.flush()
            pid = int(self.server.stdout.readline())
        tracer = None
        eventually(result.exists, "a worker")
        if strace:
            # Between TracerPid and this message, strace would miss what the worker does.
            command = ["strace", "--quiet=exit", "-p", str(pid), *strace]
            tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            if tracer.stderr is None or "attached" not in tracer.stderr.readline():
                raise AssertionError("strace did not attach")
        return Job(pid, result, tracer)

    def start(self, path: Path, *hosts: str, strace: tuple[str, ...] = (), **job: Any) -> Job:
        """Starts a worker that runs immediately."""
        started = self.ready(path, *hosts, strace=strace, **job)
        os.kill(started.pid, signal.SIGUSR1)
        return started

    def run(self, path: Path, *hosts: str, strace: tuple[str, ...] = (), **job: Any) -> dict[str, Any]:
        """The outcome of one worker, which has restored its user and groups unless it was killed."""
        result = self.start(path, *hosts, strace=strace, **job).outcome()
        if "ids" in result and "act_as" not in job:
            assert result["ids"] == [os.geteuid(), os.getegid(), os.getgroups()]
        return result

    def calls(self, path: Path, *hosts: str, **job: Any) -> list[Call]:
        """Runs a worker and returns the system calls of its work."""
        log = self.scratch / f"{self.count}.strace"
        result = self.run(path, *hosts, strace=("-o", str(log)), **job)
        assert result.get("changed", [True]) == [True] and "code" not in result, result
        calls: list[Call] = []
        counts: Counter[str] = Counter()
        inside = False
        for line in log.read_text().splitlines():
            match = re.match(r"(\w+)\(", line)
            if match is None:
                continue
            name = match[1]
            counts[name] += 1
            if name == "getsid":
                inside = not inside
            elif inside:
                calls.append(Call(name, counts[name], line))
        return calls


def eventually(probe: Callable[[], Result], what: str, timeout: float = 20.0) -> Result:
    """Wait until the probe succeeds."""
    until = time.monotonic() + timeout
    while not (result := probe()):
        if time.monotonic() > until:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.002)
    return result
