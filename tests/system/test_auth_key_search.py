# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing one particular key wherever it is: in the homes of all users, and below directories.

Every test has a key of its own, since tests of others may be at work in the homes of this machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _auth_lab
import _file_lab
import pytest
from _auth_lab import CLASSIC, HOST, OLD, PRIVATE, VENDOR, XDG, as_account, auth, essence, install, put, state_of
from _file_lab import Account, Accounts, give, owner_and_mode

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import holders
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult

pytestmark = pytest.mark.needs("root", "useradd")
accounts, lab, same_ids, deploy = _file_lab.accounts, _file_lab.lab, _file_lab.same_ids, _auth_lab.deploy


@pytest.fixture
def gone() -> str:
    """The public half of the key that is to go."""
    return secrets.token_hex(16)


def absent(public_key: str, *roots: Path) -> dict[str, Any]:
    return {"public_key": public_key, "state": "absent", "search": [str(root) for root in roots]}


def both(public_key: str, vendor: str = "kept") -> str:
    """A file with the key and an entry of somebody else's repository."""
    entries = {HOST: (public_key, OLD), VENDOR: ("token", vendor)}
    rows = {host: {"username": name, "password": secret} for host, (name, secret) in entries.items()}
    return json.dumps({"http-basic": rows, "bearer": {"h.example": "t"}}, indent=4)


@contextlib.contextmanager
def closed(fd: int) -> Iterator[int]:
    """The open file, closed in the end."""
    yield fd
    os.close(fd)


def hosts_in(path: Path) -> list[str]:
    return sorted(json.loads(path.read_text()).get("http-basic", {}))


def paths(answer: ModuleResult) -> dict[str, str]:
    return {row["path"]: row["action"] for row in answer.result["files"]}


def problems(answer: ModuleResult, *below: Path) -> dict[str, str]:
    """Those of the test's own files: others may have left some of theirs in other homes."""
    found = {problem["path"]: problem["code"] for problem in answer.result["problems"]}
    return {path: code for path, code in found.items() if path and any(path.startswith(str(one)) for one in below)}


def removes(options: dict[str, Any], *where: Path) -> ModuleResult:
    """Check mode, the run, and a second one, which finds nothing."""
    before = [state_of(one) for one in where]
    foreseen = install(options, check_mode=True)
    assert [state_of(one) for one in where] == before, foreseen.result
    answer = install(options)
    assert not answer.code, answer.text
    for name in ("changed", "files", "diff"):
        assert essence(foreseen)[name] == essence(answer)[name]
    after = [state_of(one) for one in where]
    again = install(options)
    assert (again.code, again.result["changed"], again.result["diff"]) == ("", False, []), again.result
    assert [state_of(one) for one in where] == after
    return answer


def test_in_all_homes_and_below_all_roots(deploy: Account, accounts: Accounts, lab: Path, gone: str) -> None:
    classic = put(deploy, f"{CLASSIC}/auth.json", both(gone))
    xdg = put(deploy, f"{XDG}/auth.json", auth(gone))
    other = put(accounts.other, f"{CLASSIC}/auth.json", both(gone), 0o640)
    release = give(lab / "releases", deploy, 0o755)
    project = give(release / "auth.json", deploy, 0o640, both(gone))
    backup = give(give(lab / "backup", None, 0o755) / "auth.json", None, 0o600, auth(gone))
    elsewhere = give(give(lab / "elsewhere", None, 0o755) / "auth.json", None, 0o600, auth(gone))
    kept = give(give(lab / "backup" / "kept", None, 0o755) / "auth.json", None, 0o644, auth("another"))
    untouched = state_of(kept.parent), state_of(elsewhere.parent)
    try:
        answer = removes(absent(gone, release, lab / "backup"), deploy.home, accounts.other.home, lab)
    finally:
        other.unlink()
    found = [classic, xdg, other, project, backup]
    assert paths(answer) == {str(path): "removed" for path in found}
    assert [hosts_in(path) for path in found if path != other] == [[VENDOR], [], [VENDOR], []]
    assert "kept" in classic.read_text() and json.loads(classic.read_text())["bearer"] == {"h.example": "t"}
    # Whoever had a file has it still, and nobody else has any more of it.
    assert owner_and_mode(classic) == (deploy.uid, deploy.gid, 0o600)
    assert owner_and_mode(project) == (deploy.uid, deploy.gid, 0o600)
    assert owner_and_mode(backup) == (0, 0, 0o600)
    assert (state_of(kept.parent), state_of(elsewhere.parent)) == untouched
    assert len(answer.result["diff"]) == 5
    assert answer.result["verdicts"] == [] and problems(answer, lab, deploy.home) == {}


def test_an_empty_list_means_the_homes_alone(deploy: Account, lab: Path, gone: str) -> None:
    home = put(deploy, f"{CLASSIC}/auth.json", auth(gone))
    below = give(lab / "auth.json", None, 0o600, auth(gone))
    assert paths(removes(absent(gone), deploy.home, lab)) == {str(home): "removed"}
    assert hosts_in(below) == [HOST]


def test_the_key_goes_whatever_repository_it_is_for_unless_one_is_named(lab: Path, gone: str) -> None:
    rows = {host: {"username": gone, "password": OLD} for host in (HOST, VENDOR, "mirror.example")}
    file = give(lab / "auth.json", None, 0o600, json.dumps({"http-basic": rows}))
    assert paths(removes({**absent(gone, lab), "repository": HOST}, lab)) == {str(file): "removed"}
    assert hosts_in(file) == sorted(["mirror.example", VENDOR])
    assert paths(removes(absent(gone, lab), lab)) == {str(file): "removed"} and hosts_in(file) == []


def test_a_password_before_a_host_is_not_shown(lab: Path, gone: str) -> None:
    rows = {"somebody:their-password@h.example": {"username": gone, "password": OLD}}
    file = give(lab / "auth.json", None, 0o600, json.dumps({"http-basic": rows}))
    answer = removes(absent(gone, lab), lab)
    assert paths(answer) == {str(file): "removed"} and "their-password" not in json.dumps(answer.result)


def test_a_file_full_of_the_key_is_emptied_run_by_run(lab: Path, gone: str) -> None:
    rows = {f"h{number}.example": {"username": gone, "password": OLD} for number in range(25)}
    file = give(lab / "auth.json", None, 0o600, json.dumps({"http-basic": rows}))
    first = install(absent(gone, lab))
    assert len(hosts_in(file)) == 5 and problems(first, lab) == {str(file): "read_failed"}, first.result
    assert paths(removes(absent(gone, lab), lab)) == {str(file): "removed"} and hosts_in(file) == []


def test_several_keys_at_a_time(lab: Path, gone: str) -> None:
    second = secrets.token_hex(16)
    one = give(give(lab / "one", None, 0o755) / "auth.json", None, 0o600, auth(gone))
    two = give(give(lab / "two", None, 0o755) / "auth.json", None, 0o600, auth(second))
    # Each looks below its own roots, and the same key may be looked for twice.
    options = {"keys": [absent(gone, lab / "two"), absent(gone, lab / "one"), absent(second)]}
    assert paths(removes(options, lab)) == {str(one): "removed"}
    assert paths(removes({"keys": [absent(gone), absent(second, lab)]}, lab)) == {str(two): "removed"}


def test_a_file_with_two_names_is_one_file(deploy: Account, lab: Path, gone: str) -> None:
    real = give(give(lab / "shared", None, 0o755) / "auth.json", None, 0o600, both(gone))
    link = give(lab / "shop", None, 0o755) / "auth.json"
    link.symlink_to(real)
    answer = removes(absent(gone, lab), lab)
    assert list(paths(answer).values()) == ["removed"] and len(answer.result["diff"]) == 1
    assert link.is_symlink() and hosts_in(real) == [VENDOR]
    # One directory that is a root twice, by itself and above.
    give(real, None, 0o600, auth(gone))
    assert len(paths(removes(absent(gone, lab, lab / "shared"), lab))) == 1


@pytest.mark.parametrize("linked", [False, True])
def test_a_file_that_another_key_is_meant_for_is_left_to_it(lab: Path, gone: str, linked: bool) -> None:
    shop = give(lab / "shop", None, 0o755)
    real = give(lab / "shared", None, 0o755) if linked else shop
    file = give(real / "auth.json", None, 0o600, auth(gone))
    if linked:
        (shop / "auth.json").symlink_to(file)
    copy = give(give(lab / "copy", None, 0o755) / "auth.json", None, 0o600, auth(gone))
    new = {"public_key": secrets.token_hex(16), "private_key": PRIVATE, "projects": [str(shop)]}
    options = {"keys": [new, absent(gone, lab)]}
    answer = removes(options, lab)
    assert paths(answer) == {str(shop / "auth.json"): "updated", str(copy): "removed"}
    assert json.loads(file.read_text())["http-basic"][HOST]["username"] == new["public_key"]
    # Named for removal alone, it is no different.
    give(copy, None, 0o600, auth(gone))
    named = {"public_key": gone, "state": "absent", "paths": [str(copy)]}
    assert paths(removes({"keys": [absent(gone, lab), named]}, lab)) == {str(copy): "removed"}


def malformed(path: Path, gone: str) -> None:
    give(path, None, 0o600, f'{{"http-basic": {{"{HOST}": {{"username": "{gone}"')


def fifo(path: Path, _gone: str) -> None:
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(("make", "code"), [(malformed, "malformed_file"), (fifo, "not_a_file")])
def test_what_cannot_be_read_is_left_and_told(
    make: Callable[[Path, str], None], code: str, lab: Path, gone: str
) -> None:
    bad = give(lab / "bad", None, 0o755) / "auth.json"
    make(bad, gone)
    good = give(give(lab / "good", None, 0o755) / "auth.json", None, 0o600, auth(gone))
    before = state_of(bad.parent)
    # Also where malformed files of keys that have places may be overwritten.
    answer = removes({**absent(gone, lab), "malformed": "replace"}, lab / "good")
    assert paths(answer) == {str(good): "removed"}
    assert problems(answer, lab) == {str(bad): code} and state_of(bad.parent) == before


def test_who_is_not_root_reaches_what_is_theirs(deploy: Account, accounts: Accounts, lab: Path, gone: str) -> None:
    mine = put(deploy, f"{CLASSIC}/auth.json", auth(gone))
    theirs = give(give(lab / "theirs", accounts.other, 0o755) / "auth.json", accounts.other, 0o600, auth(gone))
    answer = as_account(deploy, lambda: install(absent(gone, lab)), {"HOME": str(deploy.home)})
    assert (answer.code, paths(answer)) == ("", {str(mine): "removed"})
    assert problems(answer, lab) == {str(theirs): "foreign_owner"} and hosts_in(theirs) == [HOST]


def test_what_may_not_be_written_is_told_and_keeps_no_other_file_from_its_key(
    accounts: Accounts, lab: Path, gone: str
) -> None:
    """Anybody can put a public key where root must not write. That must not keep a host from its new key."""
    open_ = give(lab / "open", None, 0o1777)
    planted = give(open_ / "auth.json", accounts.other, 0o600, auth(gone))
    readable = give(give(lab / "readable", accounts.other, 0o755) / "auth.json", accounts.deploy, 0o644, auth(gone))
    shop = give(lab / "shop", None, 0o755)
    new = {"public_key": secrets.token_hex(16), "private_key": PRIVATE, "projects": [str(shop)]}
    for check_mode in (True, False):
        answer = install({"keys": [new, absent(gone, lab)]}, check_mode=check_mode)
        assert not answer.code, answer.text
        assert paths(answer).get(str(shop / "auth.json")) == "created", answer.text
    assert hosts_in(shop / "auth.json") == [HOST]
    assert problems(answer, lab)[str(planted)] == "unsafe_path" and hosts_in(planted) == [HOST]
    assert hosts_in(readable) == [], answer.text


def test_a_file_that_cannot_be_written_keeps_none_from_being_written(
    accounts: Accounts, lab: Path, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever a directory belongs to may hold what a run has to wait for."""
    monkeypatch.setattr(holders, "_LOCK_SECONDS", 0.1)
    files = []
    for name in "abc":
        directory = give(lab / name, accounts.other, 0o755)
        files.append(give(directory / "auth.json", accounts.other, 0o600, auth(gone)))
    new = {"public_key": secrets.token_hex(16), "private_key": PRIVATE, "projects": [str(give(lab / "d", None, 0o755))]}
    temporary = give(lab / "b" / ".auth.json.keyfleet", accounts.other, 0o600, "")
    with closed(os.open(temporary, os.O_RDONLY)) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = install({"keys": [new, absent(gone, lab)]})
    written = {str(lab / "d/auth.json"): "created", str(files[0]): "removed", str(files[2]): "removed"}
    assert not answer.code and paths(answer) == written, answer.text
    assert problems(answer, lab) == {str(files[1]): "lock_timeout"} and hosts_in(files[1]) == [HOST]
    assert len(answer.result["diff"]) == 3
    assert paths(install(absent(gone, lab))) == {str(files[1]): "removed"}


def test_nobody_is_given_the_file_of_another(deploy: Account, lab: Path, gone: str) -> None:
    """A user can move a file that they cannot read to where Composer looks for theirs."""
    put(deploy, CLASSIC)
    file = give(deploy.home / CLASSIC / "auth.json", None, 0o600, both(gone, vendor="root's own"))
    answer = install(absent(gone, lab))
    assert not answer.code, answer.text
    assert "root's own" in file.read_text() and owner_and_mode(file) == (0, 0, 0o600), answer.text
    assert list(problems(answer, deploy.home)) == [str(file)] and hosts_in(file) == [HOST, VENDOR]


@pytest.mark.parametrize(
    "options",
    [
        {"state": "present", "private_key": PRIVATE},
        {"public_key": None},
        {"users": ["root"]},
        {"projects": ["/srv"]},
        {"paths": ["/srv/auth.json"]},
        {"search": ["srv/.."]},
    ],
)
def test_refusals(lab: Path, gone: str, options: dict[str, Any]) -> None:
    give(lab / "auth.json", None, 0o600, auth(gone))
    before = state_of(lab)
    answer = install({**absent(gone, lab), **options})
    assert answer.code == "bad_options" and "search" in answer.result["msg"], answer.result
    assert state_of(lab) == before
