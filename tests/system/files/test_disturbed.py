# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A write that is disturbed at each of its steps: killed, delayed while links are swapped, without disk space."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from system.files.lab import (
    HOST,
    Account,
    Accounts,
    Call,
    Workers,
    entry_text,
    facts,
    give,
    hosts_in,
    owner_and_mode,
    refused,
    write,
)

pytestmark = pytest.mark.needs("root", "strace")

OLD = "old.example"
TEMPORARY = ".auth.json.keyfleet"
# The calls that look up or change names. Between them, nothing is visible from outside.
NAMES = (
    "openat",
    "newfstatat",
    "readlinkat",
    "flock",
    "fchown",
    "fchmod",
    "write",
    "fsync",
    "unlinkat",
    "renameat",
    "rename",
)
# From the creation of a directory until it is renamed.
CHANGES = ("mkdir", "openat", "newfstatat", "getdents", "flock", "fremovexattr", "fch", "chmod", "chown", "rename")


def site_of(lab: Path, number: int, owner: Account) -> Path:
    """One project for one disturbance, with a file that needs a repaired mode and one more entry."""
    site = give(lab / f"{number:03}", owner, 0o755)
    give(site / "auth.json", owner, 0o644, entry_text(OLD))
    return site


def looks_at_names(call: Call) -> bool:
    """Excludes calls on open files and on the account database."""
    return call.name in NAMES and ', "", ' not in call.line and '"/' not in call.line.replace('"/", O', "")


def all_of(run: Callable[[int, Call], str], calls: list[Call]) -> Counter[str]:
    """Runs six at a time, since they mostly wait."""
    with ThreadPoolExecutor(6) as pool:
        return Counter(pool.map(run, range(1, len(calls) + 1), calls))


@pytest.mark.needs("setfacl")
@pytest.mark.parametrize("acl", [False, True])
def test_killed_at_every_system_call(accounts: Accounts, lab: Path, workers: Workers, acl: bool) -> None:
    def made(number: int) -> Path:
        site = site_of(lab, number, accounts.deploy)
        if acl:
            subprocess.run(["setfacl", "-m", f"u:{accounts.other.name}:rw", site / "auth.json"], check=True)
        return site

    reference = made(0)
    old = (reference / "auth.json").read_bytes()
    calls = workers.calls(reference / "auth.json", settle=0)
    new = (reference / "auth.json").read_bytes()
    assert old != new and {call.name for call in calls} >= {"flock", "openat", "write", "fchmod", "fsync", "close"}

    def kill(number: int, call: Call) -> str:
        site = made(number)
        path = site / "auth.json"
        assert "killed" in workers.run(path, strace=call.inject("signal=KILL"), settle=0), call
        content = path.read_bytes()
        assert content in (old, new), call
        assert set(os.listdir(site)) <= {"auth.json", TEMPORARY}, call
        leftover = (site / TEMPORARY).exists()
        if leftover:
            assert owner_and_mode(site / TEMPORARY) == (accounts.deploy.uid, accounts.deploy.gid, 0o600), call
        # The next run finds no lock, and removes the leftover.
        assert workers.run(path, settle=0, lock_timeout=0)["changed"] == [content == old], call
        assert path.read_bytes() == new and os.listdir(site) == ["auth.json"], call
        assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600), call
        return ("new" if content == new else "old") + (" and a temporary file" if leftover else "")

    seen = all_of(kill, calls)
    print(f"killed at {len(calls)} system calls: {dict(seen)}")
    assert set(seen) == {"old", "old and a temporary file", "new"}


@pytest.mark.parametrize("second", ["root", "other"])
def test_runs_of_two_accounts_at_once(accounts: Accounts, lab: Path, workers: Workers, second: str) -> None:
    """One run is about to rename its file, the other has just created its own: neither may rename the other file."""
    first: dict[str, Any] = {"act_as": accounts.web.uid, "settle": 0}
    then: dict[str, Any] = {"act_as": accounts.other.uid} if second == "other" else {}

    def project(name: str) -> Path:
        site = give(lab / name, accounts.deploy, 0o2777)
        return give(site / "auth.json", accounts.web, 0o666, entry_text(OLD))

    (rename,) = [call for call in workers.calls(project("reference"), **first) if call.name.startswith("rename")]
    path = project("site")
    started = workers.start(path, "one.example", strace=rename.inject("delay_enter=700000"), **first)
    assert started.held()
    flock = Call("flock", 1, "")
    other = workers.start(path, "two.example", strace=flock.inject("delay_exit=1500000"), settle=0, **then)
    outcomes = [started.outcome(), other.outcome()]
    assert {OLD, "one.example"} <= set(hosts_in(path)), outcomes
    assert outcomes[0].get("changed") == [True] and os.listdir(path.parent) == ["auth.json"], outcomes


def test_killed_at_every_change_while_making_a_directory(accounts: Accounts, lab: Path, workers: Workers) -> None:
    options: dict[str, Any] = {"make_directory": True, "uid": accounts.web.uid, "user": accounts.web.uid, "settle": 0}
    give(lab / "000", None, 0o755)
    every = workers.calls(lab / "000/.composer/auth.json", **options)
    calls = [
        call for call in every if call.name not in ("close", "read", "lseek", "newfstatat", "brk", "mmap", "munmap")
    ]

    def kill(number: int, call: Call) -> str:
        home = give(lab / f"{number:03}", None, 0o755)
        path = home / ".composer/auth.json"
        assert "killed" in workers.run(path, strace=call.inject("signal=KILL"), **options), call
        if path.parent.exists():
            assert owner_and_mode(path.parent) == (accounts.web.uid, accounts.web.gid, 0o700), call
        state = sorted(os.listdir(home))
        workers.run(path, **options)
        assert hosts_in(path) == [HOST] and os.listdir(home) == [".composer"], call
        assert owner_and_mode(path.parent) == (accounts.web.uid, accounts.web.gid, 0o700), call
        assert owner_and_mode(path) == (accounts.web.uid, accounts.web.gid, 0o600) and len(os.listdir(path.parent)) == 1
        return ",".join(state)

    seen = all_of(kill, calls)
    assert set(seen) == {"", "..composer.keyfleet", ".composer"}, seen


SWAPS: dict[str, str] = {
    # Commands that the owner of the directory runs while the process of root is stopped.
    "file for a link to root's file": "ln -s {lab}/vault/auth.json new; mv -Tf new auth.json",
    "file for a hard link to another's": "ln {lab}/open/auth.json new; mv -Tf new auth.json",
    "directory for a link to root's": "cd ..; mv home aside; ln -s {lab}/vault home",
    "directory for a link to another's": "cd ..; mv home aside; ln -s {lab}/theirs home",
    "temporary file for a link": "ln -s {lab}/vault/auth.json new; mv -Tf new {temporary}",
}
# Cases in which root itself accesses files in the directory of another user.
NO_RIGHTS = "own file without rights for a link to root's file"
LOOKED_AT = "own file without rights for a link to root's file while it is only looked at"
ANOTHER_OWNER = "temporary file of another for a link"
SWAPS[NO_RIGHTS] = SWAPS[LOOKED_AT] = SWAPS["file for a link to root's file"]
SWAPS[ANOTHER_OWNER] = SWAPS["temporary file for a link"]


@pytest.mark.parametrize("swap", SWAPS)
def test_swapped_by_the_owner_during_a_write(accounts: Accounts, lab: Path, workers: Workers, swap: str) -> None:
    give(lab / "vault", None, 0o711)
    give(lab / "vault/auth.json", None, 0o600, entry_text("vault.example"))
    give(lab / "open", accounts.other, 0o755)
    give(lab / "open/auth.json", accounts.other, 0o666, entry_text("open.example"))
    give(lab / "theirs", accounts.other, 0o755)
    give(lab / "theirs/auth.json", accounts.other, 0o644, entry_text("theirs.example"))
    victims = [lab / name for name in ("vault", "vault/auth.json", "theirs", "theirs/auth.json", "open")]
    before = [facts(victim) for victim in victims]
    opened = (lab / "open/auth.json").read_bytes(), owner_and_mode(lab / "open/auth.json")

    def site(number: int) -> Path:
        directory = give(lab / f"{number:03}", accounts.deploy, 0o755)
        home = give(directory / "home", accounts.deploy, 0o755)
        mode = 0o000 if swap in (NO_RIGHTS, LOOKED_AT) else 0o644
        give(home / "auth.json", accounts.deploy, mode, entry_text(OLD))
        return home

    options: dict[str, Any] = {"settle": 0}
    if swap == ANOTHER_OWNER:
        options["uid"] = accounts.other.uid
    if swap == LOOKED_AT:
        options["look"] = True
    calls = [call for call in workers.calls(site(0) / "auth.json", **options) if looks_at_names(call)]
    script = SWAPS[swap].format(lab=lab, temporary=TEMPORARY)

    def disturb(number: int, call: Call) -> str:
        # A busy machine may miss the moment; then try again in another directory.
        for attempt in range(5):
            home = site(number + 1000 * attempt)
            worker = workers.start(home / "auth.json", strace=call.inject("delay_enter=200000"), **options)
            held = worker.held()
            accounts.deploy.run(f"cd {home}; {script}")
            result = worker.outcome()
            if held:
                break
        assert held and "killed" not in result, (call, result)
        assert [facts(victim) for victim in victims] == before, (call, result)
        assert opened == ((lab / "open/auth.json").read_bytes(), owner_and_mode(lab / "open/auth.json")), (call, result)
        grep = ["grep", "-rl", "vault.example", str(home.parent)]
        leaked = subprocess.run(grep, capture_output=True, text=True, check=False)
        assert leaked.stdout == "" and "vault.example" not in str(result), (call, result)
        return str(result.get("code", "done"))

    seen = all_of(disturb, calls)
    print(f"{swap}, at {len(calls)} system calls: {dict(seen)}")
    assert seen.total() == len(calls) > (10 if swap == LOOKED_AT else 40)


# Name → owner of the home (or "root" and the group of `other`), the directory that may be put in place of the new one
# (its name, owner and mode), and the command for it.
ASIDE = "mv -T {temporary} gone 2>/dev/null || :; "
EXCHANGES = {
    "root's directory beside it": ("root", ("home/releases", "root", 0o700), ASIDE + "mv {victim} {temporary}"),
    "a link to root's directory": ("root", ("vault", "root", 0o700), ASIDE + "ln -s {victim} {temporary}"),
    "a link to root's open directory": ("root", ("vault", "root", 0o755), ASIDE + "ln -s {victim} {temporary}"),
    "an empty directory of their own": ("root", ("aside/own", "other", 0o700), ASIDE + "mv {victim} {temporary}"),
    "a directory with a file in their home": (
        "other",
        ("aside/own", "other", 0o700),
        ASIDE + "mv {victim} {temporary}",
    ),
    "a FIFO": ("root", ("vault", "root", 0o700), ASIDE + "mkfifo {temporary}"),
    "a file with its name": ("root", ("vault", "root", 0o700), "touch new"),
}
NEVER_GIVEN = {"a FIFO": "no_directory", "a file with its name": "no_directory"}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_new_directory_exchanged_by_another_user(
    accounts: Accounts, lab: Path, workers: Workers, exchange: str
) -> None:
    """Nothing but the directory that was made is given away, and the key is only in a file of the requested owner."""
    whose, (name, victims_owner, mode), command = EXCHANGES[exchange]
    web, other = accounts.web, accounts.other
    options: dict[str, Any] = {"uid": web.uid, "make_directory": True, "settle": 0}

    def place(number: int) -> tuple[Path, Path]:
        top = give(lab / f"{number:03}", None, 0o755)
        home = give(top / "home", other if whose == "other" else None, 0o755)
        if whose == "root":
            os.chown(home, 0, other.gid)
            home.chmod(0o775)
        give(top / "aside", other, 0o755)
        victim = give(top / name, other if victims_owner == "other" else None, mode)
        if whose == "other":
            give(victim / "auth.json", other, 0o600, entry_text("planted.example"))
        return home, victim

    every = workers.calls(place(0)[0] / "new/auth.json", **options)
    made, renamed = (next(n for n, call in enumerate(every) if call.name.startswith(it)) for it in ("mkdir", "rename"))
    calls = [call for call in every[made : renamed + 1] if call.name.startswith(CHANGES)]

    def disturb(number: int, call: Call) -> str:
        for attempt in range(5):
            home, victim = place(number + 1000 * attempt)
            # Open, so that the inode is not used again if the directory is removed.
            kept = os.open(victim, os.O_RDONLY)
            before = os.fstat(kept)
            worker = workers.start(home / "new/auth.json", strace=call.inject("delay_exit=300000"), **options)
            held = worker.held()
            temporary = home / ".new.keyfleet"
            take = command.format(victim=victim, temporary=temporary)
            other.run(f"cd {home}; {take} 2>/dev/null || :")
            held = held and worker.held()
            result, after = worker.outcome(), os.fstat(kept)
            os.close(kept)
            if held:
                break
        assert held and "killed" not in result, (call, result)
        assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode), call
        for path in home.parent.rglob("*.json"):
            if HOST in path.read_text():
                assert owner_and_mode(path) == (web.uid, web.gid, 0o600), (call, result, path)
        return str(result.get("code", "done"))

    seen = all_of(disturb, calls)
    print(f"{exchange}, at {len(calls)} system calls: {dict(seen)}")
    refusal = NEVER_GIVEN.get(exchange, "unsafe_path")
    full = {"write_failed"} if whose == "other" else set()  # the directory cannot be removed
    assert seen[refusal] and set(seen) <= {refusal, "done", *full}, seen


FULL = [
    ("write", "ENOSPC", "No space left on device", "write_failed"),
    ("write", "EDQUOT", "Disk quota exceeded", "write_failed"),
    ("write", "EIO", "Input/output error", "write_failed"),
    ("fsync", "EIO", "Input/output error", "write_failed"),
    ("fsync", "ENOSPC", "No space left on device", "write_failed"),
    ("fchmod", "EROFS", "Read-only file system", "write_failed"),
    ("renameat", "ENOSPC", "No space left on device", "write_failed"),
    ("renameat", "EBUSY", "Device or resource busy", "busy_file"),
    ("renameat", "EPERM", "Operation not permitted", "permission_denied"),
]


@pytest.mark.parametrize("name, error, words, code", FULL)
def test_error_of_the_disk(
    accounts: Accounts, lab: Path, workers: Workers, name: str, error: str, words: str, code: str
) -> None:
    reference, site = site_of(lab, 0, accounts.deploy), site_of(lab, 1, accounts.deploy)
    before = facts(site / "auth.json")
    calls = workers.calls(reference / "auth.json", settle=0)
    call = next(call for call in calls if call.name.replace("renameat2", "renameat") in (name, f"{name}2"))
    result = workers.run(site / "auth.json", strace=call.inject(f"error={error}"), settle=0)
    assert result["code"] == code and words in result["message"] and accounts.deploy.name in result["message"]
    assert "f" * 32 not in result["message"]
    assert facts(site / "auth.json") == before and os.listdir(site) == ["auth.json"]


def test_directory_that_cannot_be_synced(accounts: Accounts, lab: Path, workers: Workers) -> None:
    reference, site = site_of(lab, 0, accounts.deploy), site_of(lab, 1, accounts.deploy)
    calls = workers.calls(reference / "auth.json", settle=0)
    last = [call for call in calls if call.name == "fsync"][-1]
    assert workers.run(site / "auth.json", strace=last.inject("error=EINVAL"), settle=0)["changed"] == [True]


def test_file_is_synced_before_it_is_renamed(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = site_of(lab, 0, accounts.deploy)
    names = [call.name for call in workers.calls(site / "auth.json", settle=0)]
    order = [
        name.replace("renameat2", "renameat") for name in names if name in ("write", "fsync", "renameat", "renameat2")
    ]
    assert order == ["write", "fsync", "renameat", "fsync"]
    assert names.index("flock") < names.index("write")


# Name → options of the file system for owners and modes, and the requested owner of the file.
MAPPED = {
    "open to all": (["--perms=0755", "--chmod-ignore"], "deploy"),
    "somebody's": (["--force-user={web}", "--chown-ignore"], "deploy"),
    "somebody's, for another": (["--force-user={deploy}", "--chown-ignore"], "other"),
    "no other mode": (["--chmod-ignore"], "deploy"),
    "no other owner": (["--chown-ignore"], "other"),
}


@pytest.mark.needs("bindfs")
@pytest.mark.parametrize("kind", MAPPED)
def test_file_system_that_keeps_no_owner_or_mode(accounts: Accounts, lab: Path, workers: Workers, kind: str) -> None:
    """For example directories shared by a virtual machine, or CIFS. Others could read the key despite the mode."""
    options, whose = MAPPED[kind]
    source, shared = give(lab / "source", accounts.deploy, 0o755), give(lab / "shared", None, 0o755)
    names = {"deploy": accounts.deploy.name, "web": accounts.web.name}
    owner = getattr(accounts, whose)
    mount = ["bindfs", "-o", "allow_other", *(one.format(**names) for one in options), str(source), str(shared)]
    subprocess.run(mount, check=True)
    try:
        error = refused(shared / "auth.json", "mode_not_kept", uid=owner.uid, mode=0o640)
        if kind == "open to all":
            refused(shared / "new/auth.json", "unsafe_path", make_directory=True)
            # It could be another one, so it is not removed.
            (shared / ".new.keyfleet").rmdir()
        assert os.listdir(shared) == [] and str(shared / "auth.json") in error.message
        # The key was not readable for a moment either.
        log = lab / "calls"
        trace = ("-o", str(log), "-e", "trace=write")
        outcome = workers.run(shared / "auth.json", uid=owner.uid, mode=0o640, strace=trace)
        assert outcome.get("code") == "mode_not_kept", outcome
        assert ("http-basic" in log.read_text()) == kind.startswith("no other")
    finally:
        subprocess.run(["umount", str(shared)], check=True)


@pytest.mark.needs("bindfs")
def test_group_forced_by_the_file_system_is_accepted_without_group_access(accounts: Accounts, lab: Path) -> None:
    source, shared = give(lab / "source", accounts.deploy, 0o755), give(lab / "shared", None, 0o755)
    options = [f"--force-user={accounts.deploy.name}", f"--force-group={accounts.web.name}", "--chown-ignore"]
    subprocess.run(["bindfs", "-o", "allow_other", *options, str(source), str(shared)], check=True)
    try:
        path = shared / "auth.json"
        assert write(path).changed and not write(path).changed
        assert owner_and_mode(path) == (accounts.deploy.uid, accounts.web.gid, 0o600)
        error = refused(shared / "new.json", "mode_not_kept", mode=0o640)
        assert f"{accounts.deploy.gid}, 0640" in error.message and f"{accounts.web.gid}, 0640" in error.message
    finally:
        subprocess.run(["umount", str(shared)], check=True)


@pytest.mark.needs("setfacl")
@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_default_acl_without_owner_write_does_not_block_a_write(accounts: Accounts, lab: Path, mode: int) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    subprocess.run(["setfacl", "-m", "d:u::r-x,d:g::r-x,d:o::---", site], check=True)
    assert write(site / "auth.json", mode=mode).changed
    assert owner_and_mode(site / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, mode)


@pytest.mark.needs("mount")
def test_full_file_system(accounts: Accounts, lab: Path) -> None:
    disk = give(lab / "disk", None, 0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "keyfleet", str(disk)], check=True)
    try:
        os.chown(disk, accounts.deploy.uid, accounts.deploy.gid)
        disk.chmod(0o755)
        path = give(disk / "auth.json", accounts.deploy, 0o600, entry_text(OLD))
        before = facts(path)
        with (disk / "filling").open("wb") as filling:
            filling.write(b"x" * (shutil.disk_usage(disk).free))
        assert "No space left" in refused(path, "write_failed").message
        assert facts(path) == before and sorted(os.listdir(disk)) == ["auth.json", "filling"]
        (disk / "filling").unlink()
        write(path)
        assert hosts_in(path) == [OLD, HOST]
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "Read-only" in refused(path, "write_failed", host="third.example").message
        assert write(path).changed is False
    finally:
        subprocess.run(["umount", str(disk)], check=True)
