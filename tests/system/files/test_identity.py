# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting as another account and restoring the identity; and the limits of a user who is not root."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    acting_as,
    identity_of,
    own_identity,
)
from system.files.lab import (
    HOST,
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

pytestmark = pytest.mark.needs("root")


def test_acting_as_restores_the_identity(accounts: Accounts) -> None:
    before = own_identity()
    deploy = identity_of(accounts.deploy.uid)
    assert deploy.gid == accounts.deploy.gid and accounts.deploy.gid in deploy.groups
    with pytest.raises(ZeroDivisionError), acting_as(deploy):
        assert own_identity() == deploy and os.getuid() == 0
        with acting_as(before):
            assert own_identity() == before
        with acting_as(identity_of(accounts.other.uid)):
            assert os.geteuid() == accounts.other.uid
        assert own_identity() == deploy
        raise ZeroDivisionError
    assert own_identity() == before
    own_groups = os.getgroups()
    try:
        os.setgroups([0, 4, 27])
        with acting_as(deploy):
            assert os.getgroups() == list(deploy.groups) == [accounts.deploy.gid]
        assert os.getgroups() == [0, 4, 27]
    finally:
        os.setgroups(own_groups)
    nobody = identity_of(4242424)
    assert (nobody.gid, nobody.groups) == (4242424, ())
    # It does not get the group of another account that has the same number.
    name = accounts.deploy.name.replace("deploy", "group")
    subprocess.run(["groupadd", "--gid", "4343434", name], check=True)
    try:
        assert identity_of(4343434).gid == 4343435
    finally:
        subprocess.run(["groupdel", name], check=True)


CHANGES_IDS = re.compile(r"(setresuid|setresgid|setgroups)\((?:-1, |\d+, \[)(\d*)(?:, -1|\])\) += 0")
USES_NAME = re.compile(r'\w+at2?\(\d+, "[^"]')
IDS = ("setresuid", "setresgid", "setgroups")
READS_IDS = ("geteuid", "getegid", "getgroups")


@dataclass(frozen=True)
class Disturbed:
    """Runs that are disturbed at a change of their ids, on a file of `deploy` each."""

    accounts: Accounts
    lab: Path
    workers: Workers
    logs: Path

    def site(self, number: int) -> Path:
        home = give(self.lab / f"{number:03}", self.accounts.deploy, 0o755)
        return give(home / "auth.json", self.accounts.deploy, 0o644, entry_text("old.example"))

    def calls(self) -> list[Call]:
        return [call for call in self.workers.calls(self.site(0), settle=0) if call.name in IDS]

    def run(self, number: int, call: Call, fault: str) -> tuple[dict[str, Any], list[str], bool]:
        """The result, the system calls, and whether the last ids are those of root."""
        path, log = self.site(number), self.logs / f"{number}.strace"
        strace = ("-e", f"inject={call.name}:{fault}", "-o", str(log))
        result = self.workers.run(path, strace=strace, settle=0)
        assert owner_and_mode(path)[:2] == (self.accounts.deploy.uid, self.accounts.deploy.gid), call
        assert hosts_in(path) in (["old.example"], ["old.example", HOST]), call
        uid, gid = str(self.accounts.deploy.uid), str(self.accounts.deploy.gid)
        roots = ("0", "0", ",".join(map(str, os.getgroups())))
        lines = [line for line in log.read_text().splitlines() if not line.startswith("---")]
        now = dict(zip(IDS, roots, strict=True))
        for line in lines:
            if change := CHANGES_IDS.match(line):
                now[change[1]] = change[2]
            # With the ids of two accounts, nothing is done.
            assert not USES_NAME.match(line) or tuple(now.values()) in (roots, (uid, gid, gid)), (call, line)
        return result, lines, tuple(now.values()) == roots

    def all_of(self, run: Callable[[int, Call], str], calls: list[Call]) -> Counter[str]:
        with ThreadPoolExecutor(6) as pool:
            seen = Counter(pool.map(run, range(1, len(calls) + 1), calls))
        print(f"at {len(calls)} system calls: {dict(seen)}")
        return seen


@pytest.fixture
def disturbed(accounts: Accounts, lab: Path, workers: Workers, tmp_path: Path) -> Disturbed:
    return Disturbed(accounts, lab, workers, tmp_path)


@pytest.mark.needs("strace")
@pytest.mark.parametrize("when", ["once", "from then on"])
def test_ids_that_cannot_be_changed_or_restored(disturbed: Disturbed, when: str) -> None:
    """The run fails with its own ids, or ends at once with status 70."""

    def refuse(number: int, call: Call) -> str:
        count = f"{call.number}{'' if when == 'once' else '+'}"
        result, lines, restored = disturbed.run(number, call, f"error=EPERM:when={count}")
        if "killed" not in result:
            assert (result["code"], restored) == ("permission_denied", True), (call, result)
            return "reported"
        last = max(number for number, line in enumerate(lines) if "(INJECTED)" in line)
        rest = [line for line in lines[last:] if not line.startswith((*IDS, *READS_IDS))]
        assert [re.split(r"[,)]", line)[0] for line in rest] == ["write(2", "exit_group(70"], (call, rest)
        return "ended"

    calls = disturbed.calls()
    seen = disturbed.all_of(refuse, calls if when == "once" else calls[:14])
    assert set(seen) == {"reported", "ended"}, seen


@pytest.mark.needs("strace")
@pytest.mark.parametrize("when", ["once", "from then on"])
def test_interrupted_while_ids_are_changed(disturbed: Disturbed, when: str) -> None:
    """The ids are restored before the interrupt takes effect; if it comes again and again, the process ends."""

    def interrupt(number: int, call: Call) -> str:
        count = f"{call.number}{'' if when == 'once' else '+'}"
        result, lines, restored = disturbed.run(number, call, f"signal=INT:when={count}")
        assert "killed" in result, (call, result)
        ended = lines[-1].startswith("exit_group(70)")
        assert ended or (lines[-1].startswith("exit_group(1)") and restored), (call, lines[-1])
        return "ended" if ended else "interrupted"

    seen = disturbed.all_of(interrupt, disturbed.calls()[:14])
    assert set(seen) == ({"interrupted"} if when == "once" else {"interrupted", "ended"}), seen


def test_supplementary_groups_of_the_account_apply(accounts: Accounts, lab: Path) -> None:
    """A link leads to a directory that only the group of the account may write to."""
    site = give(lab / "site", accounts.deploy, 0o755)
    shared = give(lab / "shared", None, 0o770)
    os.chown(shared, 0, accounts.web.gid)
    accounts.deploy.run(f"ln -s {shared} {site}/shared")
    refused(site / "shared/auth.json", "permission_denied")
    subprocess.run(["usermod", "-aG", str(accounts.web.gid), accounts.deploy.name], check=True)
    identity_of.cache_clear()
    try:
        write(site / "shared/auth.json")
        assert owner_and_mode(shared / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)
    finally:
        subprocess.run(["gpasswd", "-d", accounts.deploy.name, accounts.web.name], check=True, capture_output=True)
        identity_of.cache_clear()


def test_account_without_a_name(lab: Path) -> None:
    site = lab / "site"
    site.mkdir()
    os.chown(site, 4242424, 17)
    write(site / "auth.json")
    assert owner_and_mode(site / "auth.json") == (4242424, 17, 0o600)


def test_ordinary_user_cannot_change_owner_or_group(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    refusals: list[dict[str, Any]] = [{"uid": accounts.other.uid}, {"gid": accounts.other.gid}]
    for asked in refusals:
        assert workers.run(path, act_as=accounts.deploy.uid, **asked)["code"] == "permission_denied"
        assert os.listdir(site) == []
    assert workers.run(path, act_as=accounts.deploy.uid)["changed"] == [True]
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_ordinary_user_does_not_replace_a_file_of_another_user(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", None, 0o777)
    path = give(site / "auth.json", accounts.other, 0o644, entry_text("theirs.example"))
    before = facts(path)
    assert workers.run(path, act_as=accounts.deploy.uid)["code"] == "foreign_owner"
    assert facts(path) == before and os.listdir(site) == ["auth.json"]
