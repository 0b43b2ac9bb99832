# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing one particular key from the homes of all users and from everywhere below directories.

Every test has its own key, since other tests may use the homes of this machine at the same time.
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

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import removal
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult
from system.auth_key.lab import (
    CLASSIC,
    HOST,
    OLD,
    PAIR,
    PRIVATE,
    VENDOR,
    XDG,
    as_account,
    auth,
    essence,
    install,
    put,
    state_of,
)
from system.files.lab import Account, Accounts, give, owner_and_mode

pytestmark = pytest.mark.needs("root", "useradd")


@pytest.fixture
def old_key() -> str:
    """The public key of the key to remove."""
    return secrets.token_hex(16)


def absent(public_key: str, *roots: Path) -> dict[str, Any]:
    return {"public_key": public_key, "state": "absent", "search": [str(root) for root in roots]}


def both(public_key: str, vendor: str = "kept") -> str:
    """A file with the key and an entry for another repository."""
    entries = {HOST: (public_key, OLD), VENDOR: ("token", vendor)}
    rows = {host: {"username": name, "password": secret} for host, (name, secret) in entries.items()}
    return json.dumps({"http-basic": rows, "bearer": {"h.example": "t"}}, indent=4)


@contextlib.contextmanager
def closed(fd: int) -> Iterator[int]:
    """The open file, closed at the end."""
    yield fd
    os.close(fd)


def hosts_in(path: Path) -> list[str]:
    return sorted(json.loads(path.read_text()).get("http-basic", {}))


def paths(answer: ModuleResult) -> dict[str, str]:
    return {row["path"]: row["action"] for row in answer.result["files"]}


def problems(answer: ModuleResult, *below: Path) -> dict[str, str]:
    """The problems of files below these directories; other tests may have left problems in other homes."""
    found = {problem["path"]: problem["code"] for problem in answer.result["problems"]}
    return {path: code for path, code in found.items() if path and any(path.startswith(str(one)) for one in below)}


def removes(options: dict[str, Any], *where: Path) -> ModuleResult:
    """Check mode, a run, and a second run that changes nothing."""
    before = [state_of(one) for one in where]
    predicted = install(options, check_mode=True)
    assert [state_of(one) for one in where] == before, predicted.result
    answer = install(options)
    assert not answer.code, answer.text
    for name in ("changed", "files", "diff"):
        assert essence(predicted)[name] == essence(answer)[name]
    after = [state_of(one) for one in where]
    again = install(options)
    assert (again.code, again.result["changed"], again.result["diff"]) == ("", False, []), again.result
    assert [state_of(one) for one in where] == after
    return answer


def test_key_is_removed_in_all_homes_and_roots(deploy: Account, accounts: Accounts, lab: Path, old_key: str) -> None:
    classic = put(deploy, f"{CLASSIC}/auth.json", both(old_key))
    xdg = put(deploy, f"{XDG}/auth.json", auth(old_key))
    other = put(accounts.other, f"{CLASSIC}/auth.json", both(old_key), 0o640)
    release = give(lab / "releases", deploy, 0o755)
    project = give(release / "auth.json", deploy, 0o640, both(old_key))
    backup = give(give(lab / "backup", None, 0o755) / "auth.json", None, 0o600, auth(old_key))
    elsewhere = give(give(lab / "elsewhere", None, 0o755) / "auth.json", None, 0o600, auth(old_key))
    kept = give(give(lab / "backup" / "kept", None, 0o755) / "auth.json", None, 0o644, auth("another"))
    untouched = state_of(kept.parent), state_of(elsewhere.parent)
    try:
        answer = removes(absent(old_key, release, lab / "backup"), deploy.home, accounts.other.home, lab)
    finally:
        other.unlink()
    found = [classic, xdg, other, project, backup]
    assert paths(answer) == {str(path): "removed" for path in found}
    assert [hosts_in(path) for path in found if path != other] == [[VENDOR], [], [VENDOR], []]
    assert "kept" in classic.read_text() and json.loads(classic.read_text())["bearer"] == {"h.example": "t"}
    # The owners are unchanged, and nobody gets more access.
    assert owner_and_mode(classic) == (deploy.uid, deploy.gid, 0o600)
    assert owner_and_mode(project) == (deploy.uid, deploy.gid, 0o600)
    assert owner_and_mode(backup) == (0, 0, 0o600)
    assert (state_of(kept.parent), state_of(elsewhere.parent)) == untouched
    assert len(answer.result["diff"]) == 5
    assert answer.result["verdicts"] == [] and problems(answer, lab, deploy.home) == {}


def test_empty_list_means_only_the_homes(deploy: Account, lab: Path, old_key: str) -> None:
    home = put(deploy, f"{CLASSIC}/auth.json", auth(old_key))
    below = give(lab / "auth.json", None, 0o600, auth(old_key))
    assert paths(removes(absent(old_key), deploy.home, lab)) == {str(home): "removed"}
    assert hosts_in(below) == [HOST]


def test_key_is_removed_for_all_repositories_unless_one_is_named(lab: Path, old_key: str) -> None:
    rows = {host: {"username": old_key, "password": OLD} for host in (HOST, VENDOR, "mirror.example")}
    file = give(lab / "auth.json", None, 0o600, json.dumps({"http-basic": rows}))
    assert paths(removes({**absent(old_key, lab), "repository": HOST}, lab)) == {str(file): "removed"}
    assert hosts_in(file) == sorted(["mirror.example", VENDOR])
    assert paths(removes(absent(old_key, lab), lab)) == {str(file): "removed"} and hosts_in(file) == []


def test_a_password_before_a_host_is_not_shown(lab: Path, old_key: str) -> None:
    rows = {"somebody:their-password@h.example": {"username": old_key, "password": OLD}}
    file = give(lab / "auth.json", None, 0o600, json.dumps({"http-basic": rows}))
    answer = removes(absent(old_key, lab), lab)
    assert paths(answer) == {str(file): "removed"} and "their-password" not in json.dumps(answer.result)


def test_file_with_many_entries_is_emptied_in_several_runs(lab: Path, old_key: str) -> None:
    rows = {f"h{number}.example": {"username": old_key, "password": OLD} for number in range(25)}
    file = give(lab / "auth.json", None, 0o600, json.dumps({"http-basic": rows}))
    first = install(absent(old_key, lab))
    assert len(hosts_in(file)) == 5 and problems(first, lab) == {str(file): "read_failed"}, first.result
    assert paths(removes(absent(old_key, lab), lab)) == {str(file): "removed"} and hosts_in(file) == []


def test_several_keys_at_a_time(lab: Path, old_key: str) -> None:
    second = secrets.token_hex(16)
    one = give(give(lab / "one", None, 0o755) / "auth.json", None, 0o600, auth(old_key))
    two = give(give(lab / "two", None, 0o755) / "auth.json", None, 0o600, auth(second))
    # Each entry has its own roots, and two entries can search for the same key.
    options = {"keys": [absent(old_key, lab / "two"), absent(old_key, lab / "one"), absent(second)]}
    assert paths(removes(options, lab)) == {str(one): "removed"}
    assert paths(removes({"keys": [absent(old_key), absent(second, lab)]}, lab)) == {str(two): "removed"}


def test_a_file_with_two_names_is_one_file(deploy: Account, lab: Path, old_key: str) -> None:
    real = give(give(lab / "shared", None, 0o755) / "auth.json", None, 0o600, both(old_key))
    link = give(lab / "shop", None, 0o755) / "auth.json"
    link.symlink_to(real)
    answer = removes(absent(old_key, lab), lab)
    assert list(paths(answer).values()) == ["removed"] and len(answer.result["diff"]) == 1
    assert link.is_symlink() and hosts_in(real) == [VENDOR]
    # A directory that is a root itself and is below another root.
    give(real, None, 0o600, auth(old_key))
    assert len(paths(removes(absent(old_key, lab, lab / "shared"), lab))) == 1


@pytest.mark.parametrize("linked", [False, True])
def test_target_of_a_new_key_is_updated_and_not_searched(lab: Path, old_key: str, linked: bool) -> None:
    shop = give(lab / "shop", None, 0o755)
    real = give(lab / "shared", None, 0o755) if linked else shop
    file = give(real / "auth.json", None, 0o600, auth(old_key))
    if linked:
        (shop / "auth.json").symlink_to(file)
    copy = give(give(lab / "copy", None, 0o755) / "auth.json", None, 0o600, auth(old_key))
    new = {"public_key": secrets.token_hex(16), "private_key": PRIVATE, "projects": [str(shop)]}
    options = {"keys": [new, absent(old_key, lab)]}
    answer = removes(options, lab)
    assert paths(answer) == {str(shop / "auth.json"): "updated", str(copy): "removed"}
    assert json.loads(file.read_text())["http-basic"][HOST]["username"] == new["public_key"]
    # Also if the same run names the file for removal.
    give(copy, None, 0o600, auth(old_key))
    named = {"public_key": old_key, "state": "absent", "paths": [str(copy)]}
    assert paths(removes({"keys": [absent(old_key, lab), named]}, lab)) == {str(copy): "removed"}


def malformed(path: Path, old_key: str) -> None:
    give(path, None, 0o600, f'{{"http-basic": {{"{HOST}": {{"username": "{old_key}"')


def fifo(path: Path, _gone: str) -> None:
    os.mkfifo(path, 0o600)


def test_target_of_a_new_key_loses_the_old_one_for_other_repositories_in_the_same_write(
    lab: Path, old_key: str
) -> None:
    file = lab / "auth.json"
    rows = {host: {"username": old_key, "password": OLD} for host in (HOST, VENDOR)}
    file.write_text(json.dumps({"http-basic": rows}))
    options = {"keys": [{**PAIR, "paths": [str(file)]}, absent(old_key, lab)], "verify": "never"}
    done = [install(options, check_mode=True), install(options)]
    for answer in done:
        found = [(row["path"], row["repository"], row["action"]) for row in answer.result["files"]]
        assert found == [(str(file), HOST, "updated"), (str(file), VENDOR, "removed")]
        assert len(answer.result["diff"]) == 1
    assert hosts_in(file) == [HOST]


@pytest.mark.parametrize(("make", "code"), [(malformed, "malformed_file"), (fifo, "not_a_file")])
def test_unreadable_file_is_kept_and_reported(
    make: Callable[[Path, str], None], code: str, lab: Path, old_key: str
) -> None:
    bad = give(lab / "bad", None, 0o755) / "auth.json"
    make(bad, old_key)
    good = give(give(lab / "good", None, 0o755) / "auth.json", None, 0o600, auth(old_key))
    before = state_of(bad.parent)
    # Also with an option that overwrites malformed files at the targets of a key.
    answer = removes({**absent(old_key, lab), "malformed": "replace"}, lab / "good")
    assert paths(answer) == {str(good): "removed"}
    assert problems(answer, lab) == {str(bad): code} and state_of(bad.parent) == before


def test_ordinary_user_changes_only_own_files(deploy: Account, accounts: Accounts, lab: Path, old_key: str) -> None:
    mine = put(deploy, f"{CLASSIC}/auth.json", auth(old_key))
    theirs = give(give(lab / "theirs", accounts.other, 0o755) / "auth.json", accounts.other, 0o600, auth(old_key))
    answer = as_account(deploy, lambda: install(absent(old_key, lab)), {"HOME": str(deploy.home)})
    assert (answer.code, paths(answer)) == ("", {str(mine): "removed"})
    assert problems(answer, lab) == {str(theirs): "foreign_owner"} and hosts_in(theirs) == [HOST]


def test_refused_file_is_reported_and_does_not_block_other_files(accounts: Accounts, lab: Path, old_key: str) -> None:
    """Anybody can write a public key where root must not write. That must not block the new key of a host."""
    open_ = give(lab / "open", None, 0o1777)
    planted = give(open_ / "auth.json", accounts.other, 0o600, auth(old_key))
    readable = give(give(lab / "readable", accounts.other, 0o755) / "auth.json", accounts.deploy, 0o644, auth(old_key))
    shop = give(lab / "shop", None, 0o755)
    new = {"public_key": secrets.token_hex(16), "private_key": PRIVATE, "projects": [str(shop)]}
    for check_mode in (True, False):
        answer = install({"keys": [new, absent(old_key, lab)]}, check_mode=check_mode)
        assert not answer.code, answer.text
        assert paths(answer).get(str(shop / "auth.json")) == "created", answer.text
    assert hosts_in(shop / "auth.json") == [HOST]
    assert problems(answer, lab)[str(planted)] == "unsafe_path" and hosts_in(planted) == [HOST]
    assert hosts_in(readable) == [], answer.text


def test_locked_file_is_reported_and_does_not_block_other_files(
    accounts: Accounts, lab: Path, old_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of a directory can hold a lock for which a run has to wait."""
    monkeypatch.setattr(removal, "_LOCK_SECONDS", 0.1)
    files = []
    for name in "abc":
        directory = give(lab / name, accounts.other, 0o755)
        files.append(give(directory / "auth.json", accounts.other, 0o600, auth(old_key)))
    new = {"public_key": secrets.token_hex(16), "private_key": PRIVATE, "projects": [str(give(lab / "d", None, 0o755))]}
    temporary = give(lab / "b" / ".auth.json.keyfleet", accounts.other, 0o600, "")
    with closed(os.open(temporary, os.O_RDONLY)) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = install({"keys": [new, absent(old_key, lab)]})
    written = {str(lab / "d/auth.json"): "created", str(files[0]): "removed", str(files[2]): "removed"}
    assert not answer.code and paths(answer) == written, answer.text
    assert problems(answer, lab) == {str(files[1]): "lock_timeout"} and hosts_in(files[1]) == [HOST]
    assert len(answer.result["diff"]) == 3
    assert paths(install(absent(old_key, lab))) == {str(files[1]): "removed"}


def test_file_of_root_in_a_home_is_not_changed(deploy: Account, lab: Path, old_key: str) -> None:
    """A user can move a file that they cannot read to the path of their auth.json."""
    put(deploy, CLASSIC)
    file = give(deploy.home / CLASSIC / "auth.json", None, 0o600, both(old_key, vendor="root's own"))
    answer = install(absent(old_key, lab))
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
def test_refusals(lab: Path, old_key: str, options: dict[str, Any]) -> None:
    give(lab / "auth.json", None, 0o600, auth(old_key))
    before = state_of(lab)
    answer = install({**absent(old_key, lab), **options})
    assert answer.code == "bad_options" and "search" in answer.result["msg"], answer.result
    assert state_of(lab) == before
