# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links and directories of other users in a path: which ones root follows, as which user, and which ones it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files import read as files
from system.files.lab import (
    HOST,
    Accounts,
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


def test_deploy_tool_layout(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / "releases", accounts.deploy, 0o755)
    give(site / "shared", accounts.deploy, 0o755)
    give(site / "releases/1", accounts.deploy, 0o755)
    accounts.deploy.run(f"cd {site}; ln -s releases/1 current; ln -s ../../shared/auth.json releases/1/auth.json")
    for host in (HOST, "second.example"):
        change = write(site / "current/auth.json", host)
        assert change.after.real_path == str(site / "shared/auth.json")
    assert hosts_in(site / "shared/auth.json") == [HOST, "second.example"]
    assert owner_and_mode(site / "shared/auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)
    assert os.readlink(site / "current") == "releases/1" and (site / "releases/1/auth.json").is_symlink()


def test_deploy_tool_layout_with_another_owner(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / "shared", accounts.deploy, 0o755)
    accounts.deploy.run(f"cd {site}; ln -s shared/auth.json auth.json")
    write(site / "auth.json", uid=accounts.web.uid)
    assert owner_and_mode(site / "shared/auth.json") == (accounts.web.uid, accounts.web.gid, 0o600)
    assert write(site / "auth.json", uid=accounts.web.uid).changed is False


def test_deploy_tool_layout_keeps_a_group_given_by_root(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / "shared", accounts.deploy, 0o755)
    accounts.deploy.run(f"cd {site}; ln -s shared/auth.json auth.json")
    write(site / "auth.json", gid=accounts.web.gid, mode=0o640)
    write(site / "auth.json", "second.example", mode=0o640)
    assert owner_and_mode(site / "shared/auth.json") == (accounts.deploy.uid, accounts.web.gid, 0o640)


def test_links_in_directories_of_root_are_followed_as_root(accounts: Accounts, lab: Path) -> None:
    give(lab / "real", None, 0o755)
    site = give(lab / "real/site", accounts.deploy, 0o755)
    (lab / "absolute").symlink_to(lab / "real")
    (lab / "relative").symlink_to("./real/../absolute/site")
    change = write(lab / "relative/auth.json")
    assert change.after.real_path == str(site / "auth.json")
    assert owner_and_mode(site / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_directory_of_one_user_in_a_directory_of_another(accounts: Accounts, lab: Path) -> None:
    sites = give(lab / "sites", accounts.web, 0o755)
    site = give(sites / "shop", accounts.deploy, 0o700)
    write(site / "auth.json")
    assert owner_and_mode(site / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def planted(accounts: Accounts, lab: Path, target: Path) -> Path:
    """A project of deploy whose auth.json is a link."""
    site = give(lab / "site", accounts.deploy, 0o755)
    accounts.deploy.run(f"ln -s {target} {site}/auth.json")
    return site / "auth.json"


def test_link_to_a_file_of_root(accounts: Accounts, lab: Path) -> None:
    give(lab / "etc", None, 0o755)
    victim = give(lab / "etc/secret.json", None, 0o600, entry_text("secret.example"))
    before = facts(victim), facts(lab / "etc")
    path = planted(accounts, lab, victim)
    refused(path, "foreign_owner")
    with pytest.raises(KeyfleetError):
        files.observe(str(path), parse=auth_json.parse)
    assert (facts(victim), facts(lab / "etc")) == before


def test_link_to_a_readable_file_in_a_directory_of_root(accounts: Accounts, lab: Path) -> None:
    give(lab / "etc", None, 0o755)
    victim = give(lab / "etc/open.json", None, 0o644, entry_text("open.example"))
    before = facts(victim), facts(lab / "etc")
    refused(planted(accounts, lab, victim), "foreign_owner")
    assert (facts(victim), facts(lab / "etc")) == before


def test_link_to_a_missing_file_in_a_directory_of_root(accounts: Accounts, lab: Path) -> None:
    give(lab / "etc", None, 0o755)
    before = facts(lab / "etc")
    error = refused(planted(accounts, lab, lab / "etc/new.json"), "permission_denied")
    assert accounts.deploy.name in error.message and "Permission denied" in error.message
    assert facts(lab / "etc") == before


def test_link_into_another_home(accounts: Accounts, lab: Path) -> None:
    home = give(lab / "home", accounts.other, 0o755)
    victim = give(home / "auth.json", accounts.other, 0o644, entry_text("victim.example"))
    before = facts(victim), facts(home)
    refused(planted(accounts, lab, victim), "permission_denied", uid=accounts.deploy.uid)
    refused(lab / "site/auth.json", "foreign_owner")
    assert (facts(victim), facts(home)) == before


def test_linked_directory_of_another(accounts: Accounts, lab: Path) -> None:
    home = give(lab / "home", accounts.other, 0o755)
    site = give(lab / "site", accounts.deploy, 0o755)
    accounts.deploy.run(f"ln -s {home} {site}/.composer")
    before = facts(home)
    refused(site / ".composer/auth.json", "permission_denied", uid=accounts.deploy.uid)
    refused(site / ".composer/auth.json", "permission_denied", uid=accounts.other.uid)
    assert facts(home) == before


def test_links_of_root_do_not_restore_root_after_a_link_of_a_user(accounts: Accounts, lab: Path) -> None:
    """After a link of a user, root's own links are followed as that user."""
    give(lab / "etc", None, 0o755)
    (lab / "way").symlink_to(lab / "etc")
    before = facts(lab / "etc")
    refused(planted(accounts, lab, lab / "way/auth.json"), "permission_denied")
    assert facts(lab / "etc") == before


def test_directory_of_root_in_a_directory_of_a_user(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / ".composer", None, 0o755)
    before = facts(site / ".composer")
    error = refused(site / ".composer/auth.json", "unsafe_path")
    assert f"directory of {accounts.deploy.name}" in error.message and "chown" in error.message
    assert facts(site / ".composer") == before


def test_world_writable_directory(accounts: Accounts, lab: Path) -> None:
    give(lab / "open", None, 0o777)
    give(lab / "open/site", accounts.deploy, 0o755)
    assert "chmod o-w" in refused(lab / "open/site/auth.json", "unsafe_path").message
    assert os.listdir(lab / "open/site") == []


def test_sticky_directory(accounts: Accounts, lab: Path) -> None:
    shared = give(lab / "tmp", None, 0o1777)
    give(shared / "own", None, 0o755)
    write(shared / "own/auth.json")
    (shared / "roots").symlink_to("own")
    assert write(shared / "roots/auth.json").changed is False
    accounts.deploy.run(f"ln -s own {shared}/planted; mkdir {shared}/mine; ln -s mine {shared}/toown")
    before = facts(shared / "own"), facts(shared / "own/auth.json")
    for uid in (None, 0, accounts.other.uid):
        assert accounts.deploy.name in refused(shared / "planted/auth.json", "unsafe_path", uid=uid).message
        refused(shared / "toown/auth.json", "unsafe_path", uid=uid)
    refused(shared / "planted/auth.json", "foreign_owner", uid=accounts.deploy.uid)
    refused(shared / "planted/new.json", "permission_denied", uid=accounts.deploy.uid)
    assert (facts(shared / "own"), facts(shared / "own/auth.json")) == before and os.listdir(shared / "mine") == []
    write(shared / "toown/auth.json", uid=accounts.deploy.uid)
    assert owner_and_mode(shared / "mine/auth.json")[0] == accounts.deploy.uid


def test_planted_file_in_a_sticky_directory_gets_no_key(accounts: Accounts, lab: Path) -> None:
    shared = give(lab / "tmp", None, 0o1777)
    path = give(shared / "auth.json", accounts.deploy, 0o600, "{}\n")
    refused(path, "unsafe_path")
    write(path, uid=accounts.deploy.uid)
    assert hosts_in(path) == [HOST]


def test_link_of_a_third_user_in_a_sticky_directory(accounts: Accounts, lab: Path) -> None:
    """Like the kernel with fs.protected_symlinks."""
    shared = give(lab / "tmp", accounts.web, 0o1777)
    home = give(shared / "home", accounts.deploy, 0o755)
    accounts.other.run(f"ln -s {home} {shared}/trap")
    refused(shared / "trap/auth.json", "unsafe_path")
    assert os.listdir(home) == []


def test_link_of_root_in_a_directory_that_others_can_write(accounts: Accounts, lab: Path) -> None:
    shared = give(lab / "shared", None, 0o775)
    os.chown(shared, 0, accounts.deploy.gid)
    give(shared / "site", None, 0o755)
    (shared / "current").symlink_to("site")
    assert "chmod go-w" in refused(shared / "current/auth.json", "unsafe_path").message
    assert os.listdir(shared / "site") == []


def test_home_that_belongs_to_another_user(accounts: Accounts, lab: Path) -> None:
    home = give(lab / "home", accounts.other, 0o755)
    error = refused(home / "auth.json", "unsafe_path", user=accounts.deploy.uid)
    assert accounts.other.name in error.message and accounts.deploy.name in error.message
    with pytest.raises(KeyfleetError, match="controlled by"):
        one = wanted(home / "auth.json", user=accounts.deploy.uid)
        files.predict(files.observe(one.path, parse=auth_json.parse), one)
    assert os.listdir(home) == []


def test_circle_of_links(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    accounts.deploy.run(f"ln -s auth.json {site}/auth.json")
    refused(site / "auth.json", "unsafe_path")
