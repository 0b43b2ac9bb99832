# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership of credential files, the acting user, and refusals: root writes for real accounts."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files import read as files
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply
from system.files.lab import (
    HOST,
    Accounts,
    Workers,
    entry_text,
    facts,
    give,
    hosts_in,
    owner_and_mode,
    refused,
    wanted,
    write,
)

pytestmark = pytest.mark.needs("root")


def test_new_file_in_a_home_belongs_to_the_user(accounts: Accounts) -> None:
    home = give(accounts.deploy.home / "new", accounts.deploy, 0o755)
    change = write(home / ".composer/auth.json", user=accounts.deploy.uid, make_directory=True)
    assert change.changed and not change.before.directory_exists
    assert owner_and_mode(home / ".composer") == (accounts.deploy.uid, accounts.deploy.gid, 0o700)
    assert owner_and_mode(home / ".composer/auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)
    assert sorted(os.listdir(home / ".composer")) == ["auth.json"] and os.listdir(home) == [".composer"]


def test_two_missing_levels_below_a_home_are_created(accounts: Accounts) -> None:
    home = give(accounts.deploy.home / "xdg", accounts.deploy, 0o755)
    path = home / ".config/composer/auth.json"
    write(path, user=accounts.deploy.uid, make_directory=True)
    for made in (path.parent, path.parent.parent):
        assert owner_and_mode(made) == (accounts.deploy.uid, accounts.deploy.gid, 0o700)


@pytest.mark.parametrize("missing, home", [("a/auth.json", False), ("a/b/auth.json", True), ("a/b/c/auth.json", True)])
def test_only_requested_directories_are_created(accounts: Accounts, lab: Path, missing: str, home: bool) -> None:
    above = Path(missing).parent.parent
    options = {"user": accounts.deploy.uid} if home and missing.count("/") > 2 else {}
    refused(lab / missing, "no_directory", make_directory=missing.count("/") > 1, **options)
    assert os.listdir(lab) == [] and not (lab / above / "a").exists()


def test_root_creates_the_composer_home_in_a_home_of_root(accounts: Accounts) -> None:
    path = accounts.web.home / ".composer/auth.json"
    write(path, uid=accounts.web.uid, user=accounts.web.uid, make_directory=True)
    assert owner_and_mode(path.parent) == (accounts.web.uid, accounts.web.gid, 0o700)
    assert owner_and_mode(path) == (accounts.web.uid, accounts.web.gid, 0o600)
    assert owner_and_mode(accounts.web.home) == (0, 0, 0o755)
    assert write(path, uid=accounts.web.uid, user=accounts.web.uid, make_directory=True).changed is False
    assert os.listdir(accounts.web.home) == [".composer"]


def test_leftover_directory_is_removed(accounts: Accounts, lab: Path) -> None:
    give(lab / ".home.keyfleet", None, 0o700)
    write(lab / "home/auth.json", uid=accounts.web.uid, make_directory=True)
    assert os.listdir(lab) == ["home"]
    assert owner_and_mode(lab / "home") == (accounts.web.uid, accounts.web.gid, 0o700)


def test_check_mode_changes_nothing(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    before = facts(site)
    one = wanted(site / "deep/er/auth.json", user=accounts.deploy.uid, make_directory=True)
    state = files.observe(one.path, parse=auth_json.parse)
    change = files.predict(state, one)
    assert (state.data, state.directory_exists) == (None, False)
    assert change.changed and change.after.uid == accounts.deploy.uid and change.after.mode == 0o600
    assert facts(site) == before


def test_world_readable_file_is_repaired(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o644, entry_text(HOST))
    content = path.read_bytes()
    change = write(path)
    assert change.changed and (change.before.mode, change.after.mode) == (0o644, 0o600)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600) and path.read_bytes() == content


def test_file_of_root_that_the_directory_owner_cannot_read(accounts: Accounts, lab: Path) -> None:
    """It looks like a forgotten chown, but the user may have moved a file of root there to become its owner."""
    vault = give(lab / "vault", None, 0o775)
    os.chown(vault, 0, accounts.deploy.gid)
    give(vault / "secret.json", None, 0o600, entry_text("secret.example"))
    site = give(lab / "site", accounts.deploy, 0o755)
    accounts.deploy.run(f"mv {vault}/secret.json {site}/auth.json")
    before = facts(site / "auth.json")
    for options in ({}, {"uid": accounts.deploy.uid}, {"uid": accounts.other.uid}):
        assert "chown" in refused(site / "auth.json", "foreign_owner", **options).message
    with pytest.raises(KeyfleetError, match="may not read it"):
        files.observe(str(site / "auth.json"), parse=auth_json.parse)
    assert facts(site / "auth.json") == before and os.listdir(site) == ["auth.json"]


def test_readable_file_of_root_is_replaced(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", None, 0o644, entry_text("other.example"))
    planted = path.stat().st_ino
    change = write(path)
    assert (change.before.uid, change.after.uid) == (0, accounts.deploy.uid) and path.stat().st_ino != planted
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)
    assert hosts_in(path) == ["other.example", HOST]


def test_file_without_permissions_is_repaired(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o000, entry_text(HOST))
    write(path)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_hard_link_to_a_file_of_root_is_refused(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    secret = give(lab / "secret.json", None, 0o600, entry_text("secret.example"))
    (site / "auth.json").hardlink_to(secret)
    before = facts(secret)
    error = refused(site / "auth.json", "foreign_owner")
    assert "hard links" in error.message
    assert facts(secret) == before and os.listdir(site) == ["auth.json"]


def test_unreadable_file_of_another_user_is_refused(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.other, 0o600, entry_text(HOST))
    before = facts(path)
    error = refused(path, "foreign_owner")
    assert accounts.other.name in error.message
    with pytest.raises(KeyfleetError, match=accounts.other.name):
        files.observe(str(path), parse=auth_json.parse)
    assert facts(path) == before


def test_requested_owner_in_a_directory_of_another_user_is_kept(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    write(path, uid=accounts.other.uid)
    assert owner_and_mode(path) == (accounts.other.uid, accounts.other.gid, 0o600)
    before = facts(path)
    assert write(path, uid=accounts.other.uid).changed is False
    assert facts(path) == before
    write(path, "second.example", uid=accounts.other.uid)
    assert owner_and_mode(path) == (accounts.other.uid, accounts.other.gid, 0o600)
    assert hosts_in(path) == [HOST, "second.example"]


@pytest.mark.needs("strace")
def test_temporary_file_for_another_owner_never_belongs_to_the_directory_owner(
    accounts: Accounts, lab: Path, workers: Workers
) -> None:
    """Otherwise the owner of the directory could open it before its owner is changed, and read the keys."""
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    (chown,) = [call for call in workers.calls(path, uid=accounts.other.uid, settle=0) if call.name == "fchown"]
    path.unlink()
    assert "killed" in workers.run(path, strace=chown.inject("signal=KILL"), uid=accounts.other.uid, settle=0)
    assert owner_and_mode(site / ".auth.json.keyfleet") == (0, 0, 0o600)


def test_owner_is_kept_in_a_directory_of_root(accounts: Accounts, lab: Path) -> None:
    path = give(lab / "auth.json", accounts.deploy, 0o640, entry_text("other.example"))
    os.chown(path, accounts.deploy.uid, accounts.other.gid)
    write(path, mode=0o640)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.other.gid, 0o640)


def test_new_file_in_a_directory_of_root_belongs_to_root(lab: Path) -> None:
    write(lab / "auth.json")
    assert owner_and_mode(lab / "auth.json") == (0, 0, 0o600)


def test_requested_group_and_mode(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    write(path, gid=accounts.web.gid, mode=0o640)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.web.gid, 0o640)
    write(path, "second.example", mode=0o640)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.web.gid, 0o640)


def test_group_changes_with_the_owner(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.other, 0o644, entry_text(HOST))
    write(path)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_group_of_a_setgid_directory_is_not_used(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    os.chown(site, accounts.deploy.uid, accounts.web.gid)
    site.chmod(0o2775)
    write(site / "auth.json")
    write(site / "sub/auth.json", make_directory=True)
    for path in (site / "auth.json", site / "sub/auth.json", site / "sub"):
        assert owner_and_mode(path)[:2] == (accounts.deploy.uid, accounts.deploy.gid)
    assert owner_and_mode(site / "sub")[2] == 0o700


def test_unchanged_file_is_not_written(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    write(site / "auth.json")
    before = facts(site), facts(site / "auth.json")
    assert write(site / "auth.json").changed is False
    assert (facts(site), facts(site / "auth.json")) == before


def test_leftover_temporary_file_is_removed_even_when_nothing_changes(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    write(site / "auth.json")
    before = facts(site / "auth.json")
    give(site / ".auth.json.keyfleet", accounts.deploy, 0o600, "{")
    assert write(site / "auth.json").changed is False
    assert os.listdir(site) == ["auth.json"] and facts(site / "auth.json") == before


def test_link_at_the_temporary_name_is_not_followed(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    victim = give(lab / "victim", None, 0o600, entry_text("victim.example"))
    before = facts(victim)
    (site / ".auth.json.keyfleet").symlink_to(victim)
    write(site / "auth.json")
    assert facts(victim) == before and os.listdir(site) == ["auth.json"]


def test_directory_at_the_temporary_name_is_refused(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / ".auth.json.keyfleet", accounts.deploy, 0o755)
    refused(site / "auth.json", "not_a_file")
    assert os.listdir(site) == [".auth.json.keyfleet"]


def test_other_kinds_of_files(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / "directory", accounts.deploy, 0o755)
    os.mkfifo(site / "fifo", 0o666)
    os.mknod(site / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(site / "socket"))
    kinds = {"directory": "a directory", "fifo": "a FIFO", "device": "a character device", "socket": "a socket"}
    for name, kind in kinds.items():
        assert kind in refused(site / name, "not_a_file").message
    assert "not a directory" in refused(site / "fifo/auth.json", "no_directory").message
    give(site / "large", accounts.deploy, 0o600, " " * (4 * 1024 * 1024 + 1))
    assert "larger" in refused(site / "large", "not_a_file").message
    assert sorted(os.listdir(site)) == sorted([*kinds, "large"])


@pytest.mark.needs("mount")
def test_mounted_file_is_refused(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o600, entry_text("old.example"))
    outside = give(lab / "outside.json", accounts.deploy, 0o600, entry_text("mounted.example"))
    subprocess.run(["mount", "--bind", str(outside), str(path)], check=True)
    try:
        assert "mount its directory" in refused(path, "busy_file").message
        assert os.listdir(site) == ["auth.json"] and hosts_in(path) == ["mounted.example"]
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_failure_lists_the_completed_changes(accounts: Accounts, lab: Path) -> None:
    one, two = give(lab / "one", accounts.deploy, 0o755), give(lab / "two", accounts.deploy, 0o500)
    with pytest.raises(KeyfleetError) as caught:
        apply([wanted(one / "auth.json"), wanted(two / "auth.json")], settle=0.0)
    done = caught.value.details["done"]
    assert caught.value.code == "permission_denied" and isinstance(done, list)
    assert [change.wanted.path for change in done] == [str(one / "auth.json")] and hosts_in(one / "auth.json") == [HOST]
