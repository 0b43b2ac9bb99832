# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Concurrent writers of one file: our processes, and the real Composer, which takes no lock and writes in place."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files import read as files
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import Time
from system.files import lab as file_lab
from system.files.lab import (
    HOST,
    Account,
    Accounts,
    Workers,
    entry_text,
    facts,
    give,
    hosts_in,
    owner_and_mode,
    refused,
    state_of,
    write,
)

pytestmark = pytest.mark.needs("root")

PROCESSES = 40
ROUNDS = 60
HELD_ROUNDS = 5


def composer(account: Account, home: Path, host: str, *, strace: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Runs `composer config --global http-basic.HOST …` with its home in one directory."""
    return subprocess.Popen(
        [*strace, "composer", "config", "--global", f"http-basic.{host}", "0" * 32, "a" * 32],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "COMPOSER_HOME": str(home)},
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=home,
    )


def test_as_many_entries_as_processes(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    hosts = [f"host{number}.example" for number in range(PROCESSES)]
    # Root and the owner of the project, all at once.
    as_owner: dict[str, Any] = {"act_as": accounts.deploy.uid}
    jobs = [workers.ready(path, host, **(as_owner if number % 2 else {})) for number, host in enumerate(hosts)]
    for job in jobs:
        os.kill(job.pid, signal.SIGUSR1)
    assert [job.outcome().get("changed") for job in jobs] == [[True]] * PROCESSES
    assert sorted(hosts_in(path)) == sorted(hosts) and os.listdir(site) == ["auth.json"]
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


@pytest.mark.needs("composer")
def test_no_entry_of_ours_is_lost_while_composer_writes(accounts: Accounts, lab: Path, workers: Workers) -> None:
    home = give(lab / "home", accounts.deploy, 0o755)
    path = home / "auth.json"
    hosts = [f"ours{number}.example" for number in range(ROUNDS)]
    theirs: list[str] = []
    job = workers.ready(path, *hosts, settle=0.1)
    os.kill(job.pid, signal.SIGUSR1)
    while Path(f"/proc/{job.pid}").exists():
        theirs.append(f"theirs{len(theirs)}.example")
        assert composer(accounts.deploy, home, theirs[-1]).wait(60) == 0
    assert job.outcome().get("changed") == [True] * ROUNDS
    left = set(hosts_in(path))
    lost = [host for host in theirs if host not in left]
    print(f"{ROUNDS} entries of ours and {len(theirs)} of Composer: Composer lost {len(lost)}, we lost none")
    assert set(hosts) <= left and len(theirs) > 10
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


@pytest.mark.needs("composer", "strace")
def test_composer_that_reads_before_and_writes_after_our_write(accounts: Accounts, lab: Path, workers: Workers) -> None:
    """The worst case, each time: Composer is stopped between its reading and its writing while we write.

    Normally it takes a few milliseconds from one to the other; we watch the file for 250.
    """
    home = give(lab / "home", accounts.deploy, 0o755)
    path = home / "auth.json"
    write(path, "first.example")

    def traced(log: Path, host: str, *more: str) -> subprocess.Popen[bytes]:
        # -P counts only calls on this file, so that the opening for writing has the same number each time.
        only = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", str(log), "-e", "trace=openat", "-P", str(path))
        return composer(accounts.deploy, home, host, strace=(*only, *more))

    assert traced(home / "log", "reference.example").wait(60) == 0
    openings = [line for line in (home / "log").read_text().splitlines() if "openat(" in line]
    (writing,) = [number for number, line in enumerate(openings, 1) if "O_TRUNC" in line]
    for number in range(HELD_ROUNDS):
        log = home / f"log{number}"
        tracer = traced(log, f"theirs{number}.example", "-e", f"inject=openat:delay_enter=1000000:when={writing}")
        file_lab.eventually(partial(held_children, tracer), "Composer to be stopped")
        seen = path.stat()
        job = workers.start(path, f"ours{number}.example", settle=2.0)  # longer than Composer is stopped
        file_lab.eventually(partial(is_replaced, path, seen), "our write")
        assert tracer.poll() is None, "Composer was not stopped long enough"
        assert tracer.wait(60) == 0 and job.outcome().get("changed") == [True]
        left = hosts_in(path)
        assert f"ours{number}.example" in left and f"theirs{number}.example" in left
    assert {f"ours{number}.example" for number in range(HELD_ROUNDS)} <= set(hosts_in(path))


def is_replaced(path: Path, seen: os.stat_result) -> bool:
    """Whether the file has been replaced or changed."""
    now = path.stat()
    return (now.st_ino, now.st_ctime_ns) != (seen.st_ino, seen.st_ctime_ns)


def held_children(tracer: subprocess.Popen[bytes]) -> bool:
    """Whether strace delays a process, as in Job.held."""
    children = [int(pid) for pid in Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()]
    for _attempt in range(8):
        if state_of(tracer.pid) != "S" or "t" not in map(state_of, children):
            return False
        time.sleep(0.004)
    return True


def in_place(account: Account, path: Path, content: bytes) -> None:
    """Write as Composer does, in another process of the user: truncate, then fill."""
    part = path.with_name("part")
    part.write_bytes(content)
    account.run(f": > {path}; sleep 0.05; cat {part} > {path}")


def test_entry_overwritten_by_an_old_copy_is_restored(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o777)
    path = give(site / "auth.json", accounts.deploy, 0o600, entry_text("old.example"))
    old = entry_text("old.example", "theirs.example").encode()
    seen = path.stat()
    job = workers.start(path, settle=2.0)
    file_lab.eventually(partial(is_replaced, path, seen), "our first write")
    for _round in range(3):
        in_place(accounts.deploy, path, old)
        file_lab.eventually(lambda: HOST in hosts_in(path), "our entry to be restored")
        assert sorted(hosts_in(path)) == ["old.example", HOST, "theirs.example"]
    assert job.outcome().get("changed") == [True]
    assert sorted(hosts_in(path)) == ["old.example", HOST, "theirs.example"]


def test_file_left_broken_after_our_write_is_restored(accounts: Accounts, lab: Path, workers: Workers) -> None:
    """Composer leaves an empty file if it is killed while it writes."""
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o600, entry_text("old.example"))
    seen = path.stat()
    job = workers.start(path, settle=0.5)
    file_lab.eventually(partial(is_replaced, path, seen), "our write")
    accounts.deploy.run(f": > {path}")
    assert job.outcome().get("changed") == [True]
    assert hosts_in(path) == ["old.example", HOST]


def test_writer_that_never_stops(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o600, entry_text("old.example"))
    give(site / "copy", accounts.deploy, 0o600, entry_text("old.example"))
    job = workers.start(path)
    with accounts.deploy.run(f"while :; do cat {site}/copy > {path}; sleep 0.01; done", wait=False) as writer:
        try:
            result = job.outcome()
        finally:
            writer.kill()
    assert result["code"] == "write_failed" and "again and again" in result["message"]
    assert ".auth.json.keyfleet" not in os.listdir(site)


def test_file_that_is_being_written_is_read_again(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o777)
    path = give(site / "auth.json", accounts.deploy, 0o600, "")
    give(site / "full", accounts.deploy, 0o600, entry_text("old.example"))

    def finish(now: float) -> None:
        if now >= 0.4 and path.stat().st_size < 2:
            accounts.deploy.run(f"cat {site}/full > {path}")

    with Time(finish):
        state = files.observe(str(path), parse=auth_json.parse)
    assert state.data == entry_text("old.example").encode()
    path.write_text("{")
    with Time(finish):
        change = write(path)
    assert hosts_in(path) == ["old.example", HOST] and change.before.data == state.data


def test_broken_file_is_never_overwritten(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    paths = [give(site / name, accounts.deploy, 0o600, "{") for name in ("one.json", "two.json")]
    good = site / "three.json"
    before = [facts(path) for path in paths]
    clock = Time()
    with clock, pytest.raises(KeyfleetError) as caught:
        apply([file_lab.wanted(path) for path in (good, *paths)])
    assert caught.value.code == "malformed_file"
    # A second for each, of a clock that only the pauses advance.
    assert clock.now == pytest.approx(2, abs=0.1)
    assert [problem.path for problem in caught.value.problems] == [str(path) for path in paths]
    assert [facts(path) for path in paths] == before and not good.exists()


def test_lock_held_by_another(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o600, entry_text("old.example"))
    before = facts(path)
    temporary = give(site / ".auth.json.keyfleet", accounts.deploy, 0o600, "")
    holder = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        error = refused(path, "lock_timeout", lock_timeout=0.3)
        assert f"fuser -v {temporary}" in error.message
        assert facts(path) == before
        job = workers.start(path)
        time.sleep(0.3)
        assert facts(path) == before and temporary.exists()
    finally:
        os.close(holder)
    assert job.outcome().get("changed") == [True] and hosts_in(path) == ["old.example", HOST]
