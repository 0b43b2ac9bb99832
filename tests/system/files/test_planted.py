# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks of local users to get keys or files of others from root, and setups of several users that must work."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files import read as files
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import identity_of
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply
from ansible_collections.keyfleet.magento.plugins.modules import magento_download_token
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import Time, once
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module
from system.auth_key.lab import OTHER, PAIR, PRIVATE, PUBLIC, auth, converges, info, install, put
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
    wanted,
    write,
)

pytestmark = pytest.mark.needs("root", "setpriv")

Join = Callable[[Account, Account], None]
MAGE_ID, TOKEN = "MAG000000001", "f" * 40
TEMPORARY = ".auth.json.keyfleet"
UNLISTED = 165540  # a uid without an account


def group_of(directory: Path, account: Account, mode: int) -> Path:
    """A directory of root that the group of an account can write to."""
    give(directory, None, mode)
    os.chown(directory, 0, account.gid)
    directory.chmod(mode)
    return directory


@pytest.fixture
def join() -> Iterator[Join]:
    """Makes one account a member of the other's private group during a test."""
    joined = []

    def member_of(member: Account, account: Account) -> None:
        subprocess.run(["gpasswd", "--add", member.name, account.name], check=True, capture_output=True)
        joined.append([member.name, account.name])
        identity_of.cache_clear()  # a module looks the groups up once per run

    yield member_of
    for names in joined:
        subprocess.run(["gpasswd", "--delete", *names], check=True, capture_output=True)
    identity_of.cache_clear()


def move_home(account: Account, place: Path) -> None:
    """Write a config.json that moves the Composer home."""
    put(account, ".composer/config.json", json.dumps({"config": {"home": str(place)}}))


def netrc(options: Mapping[str, object]) -> ModuleResult:
    base = {"mage_id": MAGE_ID, "token": TOKEN, "verify": "never"}
    return run_module(magento_download_token.main, {**base, **options})


# Locations from data of a user


@pytest.mark.parametrize("state", ["present", "absent"])
def test_moved_home_is_accessed_as_its_user(deploy: Account, lab: Path, state: str) -> None:
    vault = give(lab / "vault", None, 0o700)
    secret = give(vault / "auth.json", None, 0o600, auth())
    before = facts(vault), facts(secret)
    move_home(deploy, vault)
    options = {"users": [deploy.name], "state": state, **(PAIR if state == "present" else {})}
    for check_mode in (True, False):
        answer = install(options, check_mode=check_mode)
        assert answer.code in ("permission_denied", "foreign_owner"), answer.result
    assert (facts(vault), facts(secret)) == before
    for more in ({}, {"all_users": True}, {"projects": [str(deploy.home)]}):
        answer = info({"users": [deploy.name], "verify": "never", **more})
        assert OTHER not in answer.text, answer.text
        assert "permission_denied" in {problem["code"] for problem in answer.result["problems"]}, answer.result


def test_moved_home_creates_no_directory_in_a_directory_of_root(deploy: Account, lab: Path) -> None:
    unit = give(lab / "ssh.service.d", None, 0o755)
    move_home(deploy, unit / "override")
    assert install({**PAIR, "users": [deploy.name]}).code == "permission_denied"
    assert os.listdir(unit) == []


def test_moved_home_in_a_directory_of_the_user_works(deploy: Account, lab: Path) -> None:
    place = give(lab / "composer", deploy, 0o755)
    move_home(deploy, place)
    answer = converges({**PAIR, "users": [deploy.name]}, place)
    assert [row["path"] for row in answer.result["files"]] == [str(place / "auth.json")], answer.result
    assert owner_and_mode(place / "auth.json") == (deploy.uid, deploy.gid, 0o600)


def test_moved_home_in_the_home_of_another_user(accounts: Accounts, deploy: Account) -> None:
    theirs = put(accounts.other, "theirs/auth.json", auth())
    move_home(deploy, theirs.parent)
    before = facts(theirs)
    assert install({**PAIR, "users": [deploy.name]}).code in ("permission_denied", "foreign_owner")
    assert facts(theirs) == before


@pytest.mark.parametrize("whose", ["root's", "another's project"])
@pytest.mark.parametrize("change", ["present", "absent"])
@pytest.mark.parametrize("first", ["the user", "the place"])
def test_moved_home_gives_no_access_to_a_file_of_another(
    accounts: Accounts, deploy: Account, lab: Path, whose: str, change: str, first: str
) -> None:
    """The same path from a user's data and from the task is two targets: neither has the rights of the other."""
    holder = None if whose == "root's" else accounts.other
    place = give(lab / "place", holder, 0o2777 if holder else 0o755)
    secret = give(place / "auth.json", holder, 0o600, auth())
    before = facts(secret), facts(place)
    move_home(deploy, place)
    vendor = {"repository": "vendor.example", "public_key": "token", "private_key": "made-up-secret"}
    users = {"users": [deploy.name], **(vendor if change == "present" else {"state": "absent"})}
    keys = [users, {**PAIR, "paths": [str(secret)]}]
    answer = install({"keys": keys if first == "the user" else keys[::-1]})
    assert answer.code in ("permission_denied", "foreign_owner", "unsafe_path", "bad_options"), answer.result
    assert (facts(secret), facts(place)) == before
    if holder:
        secret.unlink()
        answer = install({"keys": keys if first == "the user" else keys[::-1]})
        assert answer.code == "unsafe_path" and os.listdir(place) == [], answer.result


def test_moved_home_hides_nothing_in_a_report(accounts: Accounts, deploy: Account, lab: Path) -> None:
    put(accounts.other, ".composer/auth.json", auth())
    move_home(deploy, accounts.other.home / ".composer")
    path = str(accounts.other.home / ".composer/auth.json")
    try:
        for users in ([deploy.name, accounts.other.name], [accounts.other.name, deploy.name]):
            answer = info({"users": users, "verify": "never"})
            assert [row["path"] for row in answer.result["files"]] == [path], answer.result
            assert {row["user"] for row in answer.result["effective"]} == {accounts.other.name}, answer.result
            codes = {(row["code"], row["path"]) for row in answer.result["problems"]}
            assert ("foreign_owner", path) in codes, answer.result
    finally:
        subprocess.run(["rm", "-rf", str(accounts.other.home / ".composer")], check=True)


def test_search_follows_a_link_of_a_user_only_as_that_user(accounts: Accounts, lab: Path) -> None:
    vault = give(lab / "vault", None, 0o700)
    give(vault / "customer", None, 0o755)
    give(vault / "customer/auth.json", None, 0o644, auth())
    site = give(lab / "site", accounts.deploy, 0o755)
    give(site / "own", accounts.deploy, 0o755)
    give(site / "own/auth.json", accounts.deploy, 0o600, auth())
    accounts.deploy.run(f"ln -s {vault} {site}/a; ln -s own {site}/b")
    answer = info({"search": [str(site / "a")], "verify": "never"})
    assert answer.result["files"] == [] and "customer" not in answer.text, answer.text
    assert [row["code"] for row in answer.result["problems"]] == ["permission_denied"], answer.result
    found = info({"search": [str(site / "b")], "verify": "never"}).result
    assert [row["real_path"] for row in found["files"]] == [str(site / "own/auth.json")], found


def test_config_of_another_user_moves_no_home(accounts: Accounts, deploy: Account, lab: Path) -> None:
    place = give(lab / "place", deploy, 0o700)
    kept = give(place / "auth.json", deploy, 0o600, auth())
    before = facts(kept)
    put(deploy, ".composer")
    give(deploy.home / ".composer/config.json", accounts.other, 0o644, json.dumps({"config": {"home": str(place)}}))
    for options in ({**PAIR}, {"state": "absent"}):
        answer = install({**options, "users": [deploy.name]})
        assert answer.code == "unsafe_path" and "config.json" in answer.result["msg"], answer.result
    assert facts(kept) == before
    codes = [row["code"] for row in info({"users": [deploy.name], "verify": "never"}).result["problems"]]
    assert codes == ["unsafe_path"]


# Directories of root that a group or others can write to


@pytest.mark.parametrize("mode", [0o775, 0o2775, 0o1777, 0o1775])
def test_planted_file_in_a_directory_of_root_gets_no_key(accounts: Accounts, lab: Path, mode: int) -> None:
    shared = group_of(lab / "shared", accounts.deploy, mode)
    for name, content in (("auth.json", "{}\n"), (".netrc", "\n")):
        planted = give(shared / name, accounts.deploy, 0o600, content)
        before = facts(planted)
        for owner in (None, accounts.other.name):
            options = {"paths": [str(planted)], **({"owner": owner} if owner else {})}
            answer = install({**PAIR, **options}) if name == "auth.json" else netrc(options)
            assert answer.code == "unsafe_path" and accounts.deploy.name in answer.result["msg"], answer.result
        assert facts(planted) == before
    write(shared / "auth.json", uid=accounts.deploy.uid)
    assert owner_and_mode(shared / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


@pytest.mark.parametrize("mode", [0o775, 0o1777])
def test_planted_link_in_a_directory_of_root_is_not_followed(accounts: Accounts, lab: Path, mode: int) -> None:
    shared = group_of(lab / "shared", accounts.deploy, mode)
    home = give(lab / "home", accounts.deploy, 0o700)
    accounts.deploy.run(f"ln -s {home} {shared}/project; ln -s {home}/auth.json {shared}/auth.json")
    for path in (shared / "project/auth.json", shared / "auth.json"):
        for options in ({}, {"uid": accounts.other.uid}, {"uid": 0}):
            refused(path, "unsafe_path", **options)
    assert os.listdir(home) == []
    write(shared / "auth.json", uid=accounts.deploy.uid)
    assert owner_and_mode(home / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_directory_of_a_user_below_a_shared_directory_of_root(accounts: Accounts, lab: Path) -> None:
    """With the option owner, it must belong to root or that owner; without the option, its owner gets the file."""
    www = group_of(lab / "www", accounts.deploy, 0o2775)
    accounts.deploy.run(f"mkdir -p {www}/shop/sub")
    for path in (www / "shop/auth.json", www / "shop/sub/auth.json"):
        message = refused(path, "unsafe_path", uid=accounts.web.uid).message
        assert accounts.deploy.name in message and "chmod go-w" in message
        write(path)
        assert owner_and_mode(path)[0] == accounts.deploy.uid
        write(path, "second.example", uid=accounts.deploy.uid)
    give(www / "roots", None, 0o755)
    write(www / "roots/auth.json", uid=accounts.web.uid)
    assert owner_and_mode(www / "roots/auth.json")[0] == accounts.web.uid


@pytest.fixture
def www(accounts: Accounts) -> Iterator[Path]:
    """The home of `web`, which belongs to root and the group of `deploy`, like /var/www."""
    home = accounts.web.home
    os.chown(home, 0, accounts.deploy.gid)
    home.chmod(0o2775)
    yield home
    subprocess.run(["rm", "-rf", home / ".composer"], check=True)
    os.chown(home, 0, 0)
    home.chmod(0o755)


def test_planted_composer_home_in_a_home_of_root(accounts: Accounts, www: Path) -> None:
    accounts.deploy.run(f"mkdir {www}/.composer")
    answer = install({**PAIR, "users": [accounts.web.name]})
    assert answer.code == "unsafe_path" and os.listdir(www / ".composer") == [], answer.result
    accounts.deploy.run(f"rmdir {www}/.composer")
    converges({**PAIR, "users": [accounts.web.name]}, www)
    assert owner_and_mode(www / ".composer") == (accounts.web.uid, accounts.web.gid, 0o700)


@pytest.mark.parametrize("name", ["auth.json", "config.json"])
def test_report_shows_no_file_of_root_as_a_file_of_a_user(accounts: Accounts, www: Path, name: str) -> None:
    give(www / "admin", None, 0o755)
    entries = auth(host="other.example")
    give(www / "admin" / name, None, 0o600, entries if name == "auth.json" else f'{{"config": {entries}}}')
    accounts.deploy.run(f"cd {www}; mv admin .composer")
    answer = info({"users": [accounts.web.name], "verify": "never"})
    assert answer.result["effective"] == [] and "other.example" not in answer.text, answer.result
    found = {row["code"] for row in answer.result["problems"]}
    assert name == "config.json" or found == {"foreign_owner"}, answer.result


def test_moved_file_of_root_keeps_its_owner(accounts: Accounts, lab: Path) -> None:
    """Users who can write to the directory, or replace the directory, can have moved the file there."""
    shared = group_of(lab / "shared", accounts.deploy, 0o2775)
    give(shared / "secret.json", None, 0o600, auth())
    give(shared / "admin", None, 0o755)
    give(shared / "admin/auth.json", None, 0o600, auth())
    accounts.deploy.run(f"cd {shared}; mv secret.json auth.json; mv admin shop")
    for path in (shared / "auth.json", shared / "shop/auth.json"):
        before = facts(path)
        for owner in (accounts.deploy.name, accounts.other.name):
            for check_mode in (True, False):
                answer = install({**PAIR, "paths": [str(path)], "owner": owner}, check_mode=check_mode)
                assert answer.code == "foreign_owner" and OTHER not in answer.text, answer.result
        assert facts(path) == before
        converges({**PAIR, "paths": [str(path)]}, shared)
        assert owner_and_mode(path) == (0, 0, 0o600)
        path.chmod(0o644)
        converges({**PAIR, "paths": [str(path)], "owner": accounts.deploy.name}, shared)
        assert owner_and_mode(path)[0] == accounts.deploy.uid


@pytest.mark.needs("setfacl")
@pytest.mark.parametrize("how", ["ACL of the file", "mode of the directory", "mode above the directory"])
def test_owner_gets_no_file_that_only_its_mode_makes_readable(accounts: Accounts, lab: Path, how: str) -> None:
    shared = group_of(lab / "shared", accounts.deploy, 0o2775)
    give(shared / "admin", None, 0o755)
    give(shared / "admin/sub", None, 0o755)
    path = give(shared / "admin/sub/auth.json", None, 0o644, auth())
    if how == "ACL of the file":
        subprocess.run(["setfacl", "-m", f"u:{accounts.deploy.name}:-", path], check=True)
    else:
        (path.parent if how == "mode of the directory" else path.parent.parent).chmod(0o700)
    accounts.deploy.run(f"cd {shared}; mv admin shop")
    path = shared / "shop/sub/auth.json"
    before = facts(path)
    refused(path, "foreign_owner", uid=accounts.deploy.uid)
    assert facts(path) == before


@pytest.mark.parametrize("how", ["in a directory that was moved", "in a sticky directory"])
@pytest.mark.parametrize("target", ["file", "directory"])
def test_moved_link_of_root_gives_no_access_to_files_of_root(
    accounts: Accounts, lab: Path, how: str, target: str
) -> None:
    vault = give(lab / "vault", None, 0o755)
    secret = give(vault / "auth.json", None, 0o600, auth())
    shared = group_of(lab / "shared", accounts.deploy, 0o2775)
    before = facts(vault), facts(secret)
    if how == "in a sticky directory":
        give(lab / "sticky", None, 0o1777)
        (shared / "link").symlink_to(secret if target == "file" else vault)
        name = "auth.json" if target == "file" else "shop"
        accounts.deploy.run(f"mv {shared}/link {lab}/sticky/{name}")
        path = lab / "sticky" / ("auth.json" if target == "file" else "shop/auth.json")
    else:
        give(shared / "other", None, 0o755)
        (shared / "other" / ("auth.json" if target == "file" else "sub")).symlink_to(
            secret if target == "file" else "../../vault"
        )
        accounts.deploy.run(f"cd {shared}; mv other shop")
        path = shared / ("shop/auth.json" if target == "file" else "shop/sub/auth.json")
    refused(path, "unsafe_path", uid=accounts.deploy.uid)
    refused(path, "foreign_owner", gid=accounts.deploy.gid, mode=0o640)
    assert (facts(vault), facts(secret)) == before
    # The same for a missing file.
    secret.unlink()
    refused(path, "unsafe_path", uid=accounts.deploy.uid)
    assert os.listdir(vault) == []


@pytest.mark.parametrize("moved_to", ["beside it", "into a sticky directory"])
def test_files_of_root_in_a_sticky_directory_that_was_moved(accounts: Accounts, lab: Path, moved_to: str) -> None:
    """Others cannot replace the files in it, but the whole directory."""
    shared = group_of(lab / "shared", accounts.deploy, 0o2775)
    drop = group_of(shared / "drop", accounts.deploy, 0o3775)
    sub = give(drop / "sub", None, 0o755)
    vault = give(give(lab / "vault", None, 0o755) / "auth.json", None, 0o600, auth())
    (sub / "auth.json").symlink_to(vault)
    given = give(sub / "given.json", accounts.deploy, 0o600, auth())
    mine = give(sub / "mine.json", None, 0o600, auth())
    place = shared / "shop" if moved_to == "beside it" else give(lab / "tmp", None, 0o1777) / "shop"
    accounts.deploy.run(f"mv {drop} {place}")
    before = facts(vault)
    refused(place / "sub/auth.json", "unsafe_path", uid=accounts.web.uid)
    refused(place / "sub" / mine.name, "foreign_owner", uid=accounts.web.uid)
    refused(place / "sub" / given.name, "unsafe_path")
    assert facts(vault) == before
    write(place / "sub" / given.name, uid=accounts.deploy.uid)


@pytest.mark.parametrize("options", [{"group": "deploy"}, {"group": "deploy", "owner": "root"}, {"state": "absent"}])
def test_moved_file_is_not_made_readable_for_a_group(accounts: Accounts, lab: Path, options: dict[str, str]) -> None:
    shared = group_of(lab / "shared", accounts.deploy, 0o2775)
    path = give(shared / "secret.json", None, 0o600, auth())
    os.chown(path, 0, accounts.deploy.gid)
    accounts.deploy.run(f"cd {shared}; mv secret.json auth.json")
    path = shared / "auth.json"
    before = facts(path)
    named = {name: accounts.deploy.name if value == "deploy" else value for name, value in options.items()}
    pair = {} if options.get("state") else PAIR
    for check_mode in (True, False):
        answer = install({**pair, "paths": [str(path)], "mode": "0640", **named}, check_mode=check_mode)
        assert answer.code == "foreign_owner" and "chmod g+r" in answer.result["msg"], answer.result
    assert facts(path) == before
    path.chmod(0o640)
    install({**pair, "paths": [str(path)], "mode": "0640", **named})
    assert owner_and_mode(path) == (0, accounts.deploy.gid, 0o640)


@pytest.mark.parametrize("owner", ["other", "root"])
def test_file_of_another_user_is_not_made_readable_for_a_group(accounts: Accounts, lab: Path, owner: str) -> None:
    """Otherwise the directory's owner could move the file of one project into another, and read it there."""
    project = give(lab / "project", accounts.deploy, 0o755)
    holder = accounts.other if owner == "other" else None
    path = give(project / "auth.json", holder, 0o600, auth())
    options = {"paths": [str(path)], "owner": holder.name if holder else "root", "group": accounts.deploy.name}
    assert install({**PAIR, **options, "mode": "0640"}).code == "foreign_owner"
    accounts.deploy.run(f"! cat {path} 2>/dev/null")
    path.unlink()
    converges({**PAIR, **options, "mode": "0640"}, project)


@pytest.mark.needs("setfacl")
@pytest.mark.parametrize("whose", ["root's", "the owner's"])
def test_group_that_an_acl_excludes_gets_no_access(accounts: Accounts, lab: Path, whose: str) -> None:
    """With an ACL, the group bits of the mode are the mask and not the permissions of the group."""
    holder = None if whose == "root's" else accounts.other
    shared = give(lab / "shared", None if holder is None else accounts.deploy, 0o775)
    os.chown(shared, shared.stat().st_uid, accounts.deploy.gid)
    path = give(shared / "secret.json", holder, 0o600, auth())
    os.chown(path, path.stat().st_uid, accounts.deploy.gid)
    subprocess.run(["setfacl", "-m", f"u:{accounts.web.name}:r,g::-,m::r", path], check=True)
    assert owner_and_mode(path)[1:] == (accounts.deploy.gid, 0o640)
    accounts.deploy.run(f"cd {shared}; mv secret.json auth.json; ! cat auth.json 2>/dev/null")
    path = shared / "auth.json"
    before = facts(path)
    options = {**PAIR, "paths": [str(path)], "group": accounts.deploy.name, "mode": "0640"}
    answer = install({**options, "owner": holder.name if holder else "root"})
    assert answer.code == "foreign_owner" and "setfacl -b" in answer.result["msg"], answer.result
    assert facts(path) == before


def test_link_of_another_user_gives_no_access_to_a_group(accounts: Accounts, lab: Path, join: Join) -> None:
    join(accounts.other, accounts.deploy)
    project = give(lab / "project", accounts.deploy, 0o2775)
    private = give(give(project / "private", accounts.deploy, 0o2775) / "auth.json", accounts.deploy, 0o600, auth())
    accounts.other.run(f"ln -s private/auth.json {project}/auth.json")
    refused(project / "auth.json", "foreign_owner", gid=accounts.deploy.gid, mode=0o640)
    assert owner_and_mode(private) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


@pytest.mark.parametrize("mode", [0o755, 0o2775])
def test_owner_gets_no_file_planted_by_another(accounts: Accounts, projects: tuple[Path, Path], mode: int) -> None:
    """Below a directory that others can write to, directories must belong to the requested or the project's owner."""
    sub = give(projects[0] / "sub", accounts.web, mode)
    path = give(sub / "auth.json", accounts.web, 0o644, auth())
    before = facts(path)
    refused(path, "unsafe_path", uid=accounts.other.uid)
    refused(path, "unsafe_path", uid=accounts.deploy.uid)
    assert facts(path) == before
    write(path)
    write(path, "second.example", uid=accounts.web.uid)


@pytest.mark.parametrize("linked", [False, True])
def test_owner_gets_no_file_in_a_directory_that_was_moved(accounts: Accounts, lab: Path, linked: bool) -> None:
    """The user who moved the directory, or a link to it, has no access to it."""
    project = give(lab / "project", accounts.deploy, 0o2775)
    os.chown(project, accounts.deploy.uid, accounts.web.gid)
    project.chmod(0o2775)
    private = give(project / "private", accounts.deploy, 0o755)
    if linked:
        private = Path(shutil.move(private, lab / "private"))
        accounts.deploy.run(f"ln -s {private} {project}/private")
    accounts.web.run(f"cd {project}; mv private shop; ! touch shop/auth.json 2>/dev/null")
    path = project / "shop/auth.json"
    private = private if linked else project / "shop"
    for account in (accounts.web, accounts.other):
        refused(path, "unsafe_path", uid=account.uid)
    assert os.listdir(private) == []
    write(path)
    write(path, "second.example", uid=accounts.deploy.uid)
    if not linked:
        private.chmod(0o2775)
        (private / "auth.json").chmod(0o644)
        write(path, "third.example", uid=accounts.web.uid)


@pytest.mark.parametrize("whose", ["the user's, moved", "another's"])
def test_link_to_a_file_with_another_name_is_refused(
    accounts: Accounts, lab: Path, workers: Workers, join: Join, whose: str
) -> None:
    """A link must not lead to other files of the user who created it or who runs the module."""
    join(accounts.other, accounts.deploy)
    private = give(accounts.deploy.home / "private", accounts.deploy, 0o700)
    project = give(lab / "project", accounts.deploy, 0o2775)
    for name in ("settings.json", "auth.json"):
        give(private / name, accounts.deploy, 0o600, "{}\n")
        maker = accounts.other if whose == "another's" else accounts.deploy
        maker.run(f"ln -s {private}/{name} {project}/{name}.link")
    before = facts(private / "settings.json")
    accounts.other.run(f"mv {project}/settings.json.link {project}/auth.json")
    as_owner: dict[str, Any] = {"act_as": accounts.deploy.uid}
    for job in [as_owner] if whose == "another's" else [as_owner, {}]:
        outcome = workers.run(project / "auth.json", settle=0, **job)
        assert outcome["code"] == "unsafe_path" and "another name" in outcome["message"], outcome
    assert facts(private / "settings.json") == before
    accounts.other.run(f"mv {project}/auth.json.link {project}/auth.json")
    assert workers.run(project / "auth.json", settle=0, **as_owner)["changed"] == [True]
    shutil.rmtree(private)


def test_file_in_a_moved_directory_is_not_made_readable_for_a_group(accounts: Accounts, lab: Path) -> None:
    shared = group_of(lab / "shared", accounts.deploy, 0o775)
    give(shared / "private", accounts.other, 0o755)
    give(shared / "private/auth.json", accounts.other, 0o600, auth())
    accounts.deploy.run(f"cd {shared}; mv private shop")
    for options in ({"uid": accounts.other.uid}, {}):
        refused(shared / "shop/auth.json", "foreign_owner", gid=accounts.deploy.gid, mode=0o640, **options)
    assert owner_and_mode(shared / "shop/auth.json") == (accounts.other.uid, accounts.other.gid, 0o600)


def test_group_of_a_moved_file_of_root_gets_no_key(accounts: Accounts, lab: Path) -> None:
    shared = group_of(lab / "shared", accounts.other, 0o775)
    planted = give(shared / "other.json", None, 0o640, "{}\n")
    os.chown(planted, 0, accounts.deploy.gid)
    accounts.other.run(f"mv {planted} {shared}/auth.json")
    refused(shared / "auth.json", "foreign_owner", mode=0o640)
    write(shared / "auth.json")
    assert owner_and_mode(shared / "auth.json") == (0, 0, 0o600)


def test_moved_leftover_of_root_is_refused(accounts: Accounts, lab: Path) -> None:
    """A killed run leaves root's temporary file with the key of another user; a member of the group can move it."""
    shared = group_of(lab / "shared", accounts.deploy, 0o2775)
    give(shared / TEMPORARY, None, 0o600, auth())
    accounts.deploy.run(f"mv {shared}/{TEMPORARY} {shared}/auth.json")
    refused(shared / "auth.json", "foreign_owner", uid=accounts.deploy.uid)


def test_directory_that_is_swapped_while_it_is_created(accounts: Accounts, lab: Path, workers: Workers) -> None:
    home = group_of(lab / "home", accounts.other, 0o2775)
    path = home / ".composer/auth.json"
    options: dict[str, Any] = {"uid": accounts.web.uid, "user": accounts.web.uid, "make_directory": True, "settle": 0}
    (made,) = [call for call in workers.calls(path, **options) if call.name.startswith("mkdir")]
    subprocess.run(["rm", "-rf", str(home / ".composer")], check=True)
    victim = give(home / "releases", None, 0o700)
    before = owner_and_mode(victim)
    worker = workers.start(path, strace=made.inject("delay_exit=400000"), **options)
    assert worker.held()
    temporary = f"{home}/..composer.keyfleet"
    file_lab.eventually(Path(temporary).exists, "the temporary directory")
    accounts.other.run(f"mv {temporary} {home}/gone; mv {victim} {temporary}")
    result = worker.outcome()
    left = [path for path in home.iterdir() if path.name != "gone"]
    assert result.get("code") == "unsafe_path", result
    assert [owner_and_mode(path) for path in left] in ([], [before]), left


# Directories that several users share


def test_file_of_the_web_server_in_a_project_of_the_group(accounts: Accounts, lab: Path) -> None:
    project = give(lab / "project", accounts.deploy, 0o2775)
    path = give(project / "auth.json", accounts.web, 0o600, auth())
    planted = path.stat().st_ino
    assert install({**PAIR, "projects": [str(project)]}).code == "foreign_owner"
    converges({**PAIR, "projects": [str(project)], "owner": accounts.web.name}, project)
    assert owner_and_mode(path) == (accounts.web.uid, accounts.web.gid, 0o600) and path.stat().st_ino != planted
    os.chown(path, accounts.web.uid, accounts.deploy.gid)
    path.chmod(0o660)
    converges({**PAIR, "projects": [str(project)], "mode": "0660"}, project)
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o660)


@pytest.mark.parametrize("releases", ["deploy", "other"])
@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("linked_file", [True, False])
def test_current_link_of_a_second_deployer(
    accounts: Accounts, lab: Path, releases: str, existing: bool, linked_file: bool, join: Join
) -> None:
    """The second deployer created the links and perhaps the release; the project belongs to the first one."""
    join(accounts.other, accounts.deploy)
    site = give(lab / "site", accounts.deploy, 0o2775)
    give(site / "shared", accounts.deploy, 0o2775)
    owner = accounts.other if releases == "other" else accounts.deploy
    owner.run(f"umask 002; mkdir -p {site}/releases; chmod 2775 {site}/releases; mkdir {site}/releases/2")
    accounts.other.run(f"ln -s releases/2 {site}/current")
    real = site / "releases/2/auth.json"
    if linked_file:
        accounts.other.run(f"ln -s ../../shared/auth.json {site}/releases/2/auth.json")
        real = site / "shared/auth.json"
    holder = accounts.deploy if linked_file else owner
    if existing:
        give(real, holder, 0o600, auth())
    answer = converges({**PAIR, "paths": [str(site / "current/auth.json")]}, site)
    assert [row["real_path"] for row in answer.result["files"]] == [str(real)], answer.result
    assert owner_and_mode(real) == (holder.uid, holder.gid, 0o600)
    # A link of another user cannot give the file to a third user.
    for account in (accounts.web, *({accounts.deploy, accounts.other} - {holder})):
        code = install({**PAIR, "paths": [str(site / "current/auth.json")], "owner": account.name}).code
        assert code == "permission_denied", code


def test_link_of_another_user_is_followed_only_as_that_user(accounts: Accounts, lab: Path, join: Join) -> None:
    join(accounts.other, accounts.deploy)
    site = give(lab / "site", accounts.deploy, 0o2775)
    private = give(lab / "private", accounts.deploy, 0o755)
    secret = give(private / "auth.json", accounts.deploy, 0o600, entry_text("private.example"))
    before = facts(private), facts(secret)
    accounts.other.run(f"ln -s {private}/auth.json {site}/auth.json; ln -s {private}/new.json {site}/new.json")
    refused(site / "auth.json", "foreign_owner")
    refused(site / "new.json", "permission_denied")
    with pytest.raises(KeyfleetError):
        files.observe(str(site / "auth.json"), parse=auth_json.parse)
    assert (facts(private), facts(secret)) == before


def test_uid_without_an_account_does_not_get_the_group_of_its_directory(accounts: Accounts, lab: Path) -> None:
    """The group comes from a setgid directory, not from a membership."""
    drop = group_of(lab / "drop", accounts.deploy, 0o3777)
    team = give(lab / "team", accounts.deploy, 0o2775)
    script = f"mkdir {drop}/own; ln -s {team}/auth.json {drop}/own/auth.json; ! touch {team}/auth.json 2>/dev/null"
    nobodys = ["setpriv", f"--reuid={UNLISTED}", f"--regid={UNLISTED}", "--clear-groups", "sh", "-ec"]
    subprocess.run([*nobodys, script], check=True)
    answer = install({**PAIR, "paths": [str(drop / "own/auth.json")]})
    assert answer.code == "permission_denied" and os.listdir(team) == [], answer.result
    # Its own file is written, with the group that new files get there.
    subprocess.run([*nobodys, f"rm {drop}/own/auth.json"], check=True)
    converges({**PAIR, "paths": [str(drop / "own/auth.json")]}, drop)
    assert owner_and_mode(drop / "own/auth.json") == (UNLISTED, accounts.deploy.gid, 0o600)


def test_file_of_an_owner_without_an_account_does_not_get_a_group(accounts: Accounts, lab: Path) -> None:
    """Its group is unknown, and the group of the directory may be that of a user who replaced the directory."""
    path = group_of(lab / "shared", accounts.deploy, 0o2775) / "auth.json"
    write(path, uid=UNLISTED, mode=0o640)
    assert owner_and_mode(path) == (UNLISTED, 0, 0o640)
    accounts.deploy.run(f"! cat {path} 2>/dev/null")


def test_links_of_two_users_are_followed_only_where_both_have_access(accounts: Accounts, lab: Path, join: Join) -> None:
    """No user can use a link of another user to make root write to the files of that user."""
    join(accounts.other, accounts.deploy)
    site = give(lab / "site", accounts.deploy, 0o2775)
    theirs = give(lab / "theirs", accounts.web, 0o755)
    victim = give(theirs / "private", accounts.web, 0o755)
    before = facts(victim)
    accounts.web.run(f"ln -s private {theirs}/way")
    accounts.other.run(f"ln -s {theirs}/way {site}/current")
    refused(site / "current/auth.json", "unsafe_path")
    assert facts(victim) == before
    accounts.web.run(f"chmod 2777 {victim}")
    write(site / "current/auth.json")
    assert owner_and_mode(victim / "auth.json")[0] in (accounts.web.uid, accounts.other.uid)


def test_homes_with_private_groups(deploy: Account) -> None:
    deploy.home.chmod(0o2775)
    put(deploy, ".composer").chmod(0o2775)
    put(deploy, ".composer/auth.json", auth(), mode=0o664)
    answer = converges({**PAIR, "users": [deploy.name]}, deploy.home)
    assert [row["action"] for row in answer.result["files"]] == ["updated"], answer.result
    assert owner_and_mode(deploy.home / ".composer/auth.json") == (deploy.uid, deploy.gid, 0o600)


# var/composer_home


def test_composer_home_of_the_web_server_gets_no_key(accounts: Accounts, lab: Path) -> None:
    project = give(lab / "project", accounts.deploy, 0o755)
    give(project / "var", accounts.web, 0o755)
    setup = give(project / "var/composer_home", accounts.web, 0o755)
    planted = give(setup / "auth.json", accounts.web, 0o600, "{}\n")
    before = facts(setup), facts(planted)
    answer = converges({**PAIR, "projects": [str(project)]}, project)
    assert [row["path"] for row in answer.result["files"]] == [str(project / "auth.json")], answer.result
    assert [(row["code"], row["path"]) for row in answer.result["problems"]] == [("foreign_owner", str(planted))]
    assert (facts(setup), facts(planted)) == before
    asked = converges({**PAIR, "projects": [str(project)], "owner": accounts.web.name}, project)
    assert len(asked.result["files"]) == 2 and asked.result["problems"] == []
    assert PRIVATE in planted.read_text() and owner_and_mode(planted)[0] == accounts.web.uid


@pytest.mark.parametrize("planted", ["a link to a home", "a FIFO", "a link to the project", "root's directory"])
def test_planted_composer_home_is_reported_and_not_used(accounts: Accounts, lab: Path, planted: str) -> None:
    project = give(lab / "project", accounts.deploy, 0o755)
    var = give(project / "var", accounts.web, 0o755)
    home = give(lab / "home", accounts.web, 0o755)
    if planted == "root's directory":
        give(var / "composer_home", None, 0o755)
    else:
        accounts.web.run(
            {
                "a link to a home": f"ln -s {home} {var}/composer_home",
                "a FIFO": f"mkfifo {var}/composer_home",
                "a link to the project": f"ln -s {project} {var}/composer_home",
            }[planted]
        )
    answer = converges({**PAIR, "projects": [str(project)]}, project)
    assert [row["path"] for row in answer.result["files"]] == [str(project / "auth.json")], answer.result
    assert [row["path"] for row in answer.result["problems"]] == [str(var / "composer_home/auth.json")]
    assert os.listdir(home) == []


def test_composer_home_of_the_project_owner_gets_the_key(accounts: Accounts, lab: Path) -> None:
    project = give(lab / "project", accounts.deploy, 0o755)
    give(project / "var", accounts.deploy, 0o755)
    setup = give(project / "var/composer_home", accounts.deploy, 0o755)
    answer = converges({**PAIR, "projects": [str(project)]}, project)
    assert answer.result["problems"] == [] and PUBLIC in (setup / "auth.json").read_text()


def test_project_with_a_linked_file_belongs_to_the_directory_owner(accounts: Accounts, lab: Path) -> None:
    project = give(lab / "project", accounts.deploy, 0o755)
    elsewhere = give(lab / "elsewhere", accounts.web, 0o777)
    accounts.deploy.run(f"ln -s {elsewhere}/auth.json {project}/auth.json; mkdir {project}/var")
    give(project / "var/composer_home", accounts.web, 0o755)
    answer = converges({**PAIR, "projects": [str(project)]}, lab)
    assert [row["code"] for row in answer.result["problems"]] == ["foreign_owner"], answer.result
    assert os.listdir(project / "var/composer_home") == []
    accounts.web.run(f"rmdir {project}/var/composer_home 2>/dev/null || :")
    (project / "var/composer_home").rmdir()
    give(project / "var/composer_home", accounts.deploy, 0o755)
    answer = converges({**PAIR, "projects": [str(project)]}, lab)
    assert answer.result["problems"] == [] and os.listdir(project / "var/composer_home") == ["auth.json"]


def test_composer_home_that_changes_its_owner_before_the_write(accounts: Accounts, lab: Path) -> None:
    project = give(lab / "project", accounts.deploy, 0o755)
    give(project / "home", accounts.web, 0o755)
    owners = (accounts.deploy.uid,)
    refused(project / "home/auth.json", "foreign_owner", directory_owners=owners)
    with pytest.raises(KeyfleetError, match="controlled by"):
        one = wanted(project / "home/auth.json", directory_owners=owners)
        files.predict(files.observe(one.path, parse=auth_json.parse), one)
    assert os.listdir(project / "home") == []


# New inodes, and locks that others cannot hold


def test_replaced_file_is_a_new_inode(accounts: Accounts, lab: Path, join: Join) -> None:
    join(accounts.other, accounts.deploy)
    project = give(lab / "project", accounts.deploy, 0o2775)
    path = project / "auth.json"
    accounts.other.run(f"umask 002; echo '{{}}' > {path}; chmod 664 {path}")
    with path.open("r+b") as kept:
        write(path)
        kept.seek(0)
        assert kept.read() == b"{}\n" and os.fstat(kept.fileno()).st_nlink == 0
        assert hosts_in(path) == [HOST] and owner_and_mode(path)[0] == accounts.deploy.uid


def test_lock_on_the_directory_does_not_block_a_write(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    holder = accounts.other.run(f"exec flock --no-fork {site} sleep 60", wait=False)
    try:
        file_lab.eventually(lambda: "FLOCK" in locks_of(holder.pid), "the lock of the other user")
        write(site / "auth.json")
        assert hosts_in(site / "auth.json") == [HOST]
    finally:
        holder.kill()
        holder.wait()


def locks_of(pid: int) -> str:
    return "".join(line for line in Path("/proc/locks").read_text().splitlines() if f" {pid} " in line)


def test_planted_temporary_file_does_not_block_a_write(accounts: Accounts, lab: Path, join: Join) -> None:
    join(accounts.other, accounts.deploy)
    site = give(lab / "site", accounts.deploy, 0o2775)
    accounts.other.run(f"umask 0; echo planted > {site}/{TEMPORARY}")
    with (site / TEMPORARY).open("r+b") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        write(site / "auth.json")
        holder.seek(0)
        assert holder.read() == b"planted\n"
    assert os.listdir(site) == ["auth.json"] and hosts_in(site / "auth.json") == [HOST]


@pytest.mark.parametrize("whose", ["root's", "deploy's"])
def test_planted_temporary_file_with_a_lease_does_not_block_a_write(
    accounts: Accounts, lab: Path, join: Join, whose: str
) -> None:
    """The kernel delays or refuses every other open of the file."""
    join(accounts.other, accounts.deploy)
    site = give(
        lab / "site", accounts.deploy if whose == "deploy's" else None, 0o2775 if whose == "deploy's" else 0o1777
    )
    lease = (
        "import fcntl, os, signal, time; signal.signal(signal.SIGIO, signal.SIG_IGN); "
        f"fd = os.open('{site}/{TEMPORARY}', os.O_RDWR | os.O_CREAT, 0o666); "
        "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK); print(flush=True); time.sleep(60)"
    )
    holder = accounts.other.run(f'exec /usr/bin/python3 -c "{lease}"', wait=False, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline() and holder.poll() is None
        write(site / "auth.json")
    finally:
        holder.kill()
        holder.wait()
    assert os.listdir(site) == ["auth.json"] and hosts_in(site / "auth.json") == [HOST]


def test_temporary_file_that_is_planted_repeatedly(accounts: Accounts, lab: Path, workers: Workers, join: Join) -> None:
    join(accounts.other, accounts.deploy)
    site = give(lab / "site", accounts.deploy, 0o2775)
    planter = accounts.other.run(f"while :; do : > {site}/{TEMPORARY} || :; done 2>/dev/null", wait=False)
    try:
        outcomes = [workers.run(site / "auth.json", lock_timeout=0.2, settle=0) for _again in range(10)]
    finally:
        planter.kill()
        planter.wait()
    # A run may fail, but it does not hang, and no part of the key is in the planted file.
    assert {str(one.get("code", "done")) for one in outcomes} <= {"done", "lock_timeout", "write_failed"}, outcomes
    assert write(site / "auth.json").after.uid == accounts.deploy.uid and os.listdir(site) == ["auth.json"]


def test_link_into_a_directory_of_the_requested_owner_is_not_followed(
    accounts: Accounts, lab: Path, join: Join
) -> None:
    """The file would be created as the maker of the link, who could read it until its owner is changed."""
    join(accounts.deploy, accounts.other)
    theirs = give(lab / "theirs", accounts.other, 0o775)
    site = give(lab / "site", accounts.deploy, 0o755)
    accounts.deploy.run(f"ln -s {theirs}/auth.json {site}/auth.json")
    refused(site / "auth.json", "permission_denied", uid=accounts.other.uid)
    assert os.listdir(theirs) == []


# Directories of users that a group can write to


@pytest.fixture
def projects(accounts: Accounts, lab: Path) -> tuple[Path, Path]:
    """Two projects of `deploy`, open to the group of `web`."""
    both = give(lab / "one", accounts.deploy, 0o755), give(lab / "two", accounts.deploy, 0o755)
    for project in both:
        os.chown(project, accounts.deploy.uid, accounts.web.gid)
        project.chmod(0o2775)
    return both


@pytest.mark.parametrize(
    "options", [{"owner": "web"}, {"owner": "web", "state": "absent"}, {"group": "web", "mode": "0640"}], ids=str
)
@pytest.mark.parametrize(
    ("holder", "mode", "linked"),
    [
        ("deploy", 0o600, False),
        ("deploy", 0, False),
        ("other", 0o640, False),
        ("root", 0o640, False),
        ("deploy", 0o600, True),
    ],
)
def test_file_moved_by_the_group_stays_private(
    accounts: Accounts, projects: tuple[Path, Path], holder: str, mode: int, linked: bool, options: dict[str, str]
) -> None:
    one, two = projects
    moved = give(two / "secret.json", accounts.deploy, mode, auth())
    os.chown(moved, 0 if holder == "root" else getattr(accounts, holder).uid, accounts.deploy.gid)
    if linked:
        accounts.deploy.run(
            f"cd {two}; mkdir -m 700 own; mv secret.json own/auth.json; ln -s {two}/own/auth.json secret.json"
        )
    accounts.web.run(f"mv {moved} {one}/auth.json; ! cat {one}/auth.json 2>/dev/null")
    options = {name: accounts.web.name if value == "web" else value for name, value in options.items()}
    pair = {} if options.get("state") else PAIR
    for check_mode in (True, False):
        answer = install({**pair, "projects": [str(one)], **options}, check_mode=check_mode)
        assert answer.code in ("foreign_owner", "permission_denied", "unsafe_path") and OTHER not in answer.text, (
            answer.result
        )
    accounts.web.run(f"! cat {one}/auth.json 2>/dev/null")
    assert (one / "auth.json").read_text() == auth()


def test_file_in_a_directory_moved_by_the_group_stays_private(accounts: Accounts, projects: tuple[Path, Path]) -> None:
    private = give(projects[0] / "private", accounts.deploy, 0o755)
    path = give(private / "auth.json", accounts.deploy, 0o600, auth())
    accounts.web.run(f"cd {projects[0]}; mv private shop")
    path = projects[0] / "shop/auth.json"
    before = facts(path)
    refused(path, "unsafe_path", uid=accounts.web.uid)
    refused(path, "foreign_owner", gid=accounts.web.gid, mode=0o640)
    assert facts(path) == before
    # A file that the group could read before is not a secret from it.
    os.chown(path, accounts.deploy.uid, accounts.web.gid)
    path.chmod(0o640)
    write(path, gid=accounts.web.gid, mode=0o640)


@pytest.mark.parametrize("how", ["link", "directory", "directory of root's"])
def test_written_file_is_restored_only_at_its_own_location(
    accounts: Accounts, lab: Path, projects: tuple[Path, Path], how: str
) -> None:
    """While the module watches the written file, another user redirects the path to their own file."""
    place = projects[0]
    if how != "link":
        shared = group_of(lab / "shared", accounts.web, 0o2775)
        place = give(shared / "shop", None if how == "directory of root's" else accounts.deploy, 0o755)
    path = give(place / "auth.json", None if how == "directory of root's" else accounts.deploy, 0o600, auth())
    evil = give(give(lab / "evil", accounts.web, 0o755) / "auth.json", accounts.web, 0o644, "broken\n")

    def redirect() -> None:
        accounts.web.run(
            f"cd {place}; mv auth.json old; ln -s {evil} auth.json"
            if how == "link"
            else f"cd {place}/..; mv shop old; mkdir shop; cp {evil} shop/auth.json"
        )

    with pytest.raises(KeyfleetError) as caught, Time(once(0.0, redirect)):
        apply([wanted(path)])
    assert caught.value.code == "malformed_file" and path.read_text() == "broken\n"
    assert path.stat().st_uid == accounts.web.uid


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o2777])
def test_planted_files_in_a_world_writable_directory_of_a_user(accounts: Accounts, lab: Path, mode: int) -> None:
    site = give(lab / "site", accounts.deploy, mode)
    accounts.other.run(
        f"cd {site}; ln -s {accounts.other.home}/auth.json .; mkdir shop; ln -s {accounts.other.home} home"
    )
    for name in ("auth.json", "shop/auth.json", "home/auth.json"):
        refused(site / name, "unsafe_path")
    assert not (accounts.other.home / "auth.json").exists() and os.listdir(site / "shop") == []
    (site / "auth.json").unlink()
    accounts.other.run(f"echo '{{}}' > {site}/auth.json")
    write(site / "auth.json")
    assert owner_and_mode(site / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


@pytest.mark.parametrize("holder", ["web", "deploy"])
def test_link_to_a_file_in_a_sticky_directory_gives_no_access(
    accounts: Accounts, lab: Path, join: Join, holder: str
) -> None:
    join(accounts.other, accounts.deploy)
    drop = give(lab / "drop", accounts.deploy, 0o3775)
    account = accounts.web if holder == "web" else accounts.deploy
    kept = give(drop / "auth.json", account, 0o644, auth())
    before = facts(kept)
    site = give(lab / "site", accounts.deploy, 0o2775)
    accounts.other.run(f"ln -s {drop}/auth.json {site}/auth.json; ! mv {drop}/auth.json {drop}/y.json 2>/dev/null")
    with pytest.raises(KeyfleetError) as caught:
        write(site / "auth.json")
    assert caught.value.code in ("foreign_owner", "permission_denied") and facts(kept) == before


# Attributes


@pytest.mark.needs("setfacl", "getfacl", "setfattr", "getfattr")
def test_attributes_of_a_file_are_kept(accounts: Accounts, lab: Path) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = give(site / "auth.json", accounts.deploy, 0o640, entry_text("old.example"))
    subprocess.run(["setfacl", "-m", f"u:{accounts.web.name}:r", path], check=True)
    subprocess.run(["setfattr", "-n", "user.note", "-v", "kept", path], check=True)
    write(path, mode=0o640)
    assert f"user:{accounts.web.name}:r--" in acl(path) and os.getxattr(path, "user.note") == b"kept"
    accounts.web.run(f"cat {path} >/dev/null")
    write(path, "third.example")
    assert "mask::---" in acl(path) and owner_and_mode(path)[2] == 0o600
    accounts.web.run(f"! cat {path} 2>/dev/null")
    # An ACL entry without effect does not take effect again when the group can read.
    write(path, "fourth.example", mode=0o640)
    assert accounts.web.name not in acl(path) and os.getxattr(path, "user.note") == b"kept"


@pytest.mark.needs("setfacl", "getfacl")
def test_new_file_inherits_no_acl_from_its_directory(accounts: Accounts, lab: Path) -> None:
    """A directory inherits the default ACL of its parent, which may belong to another user."""
    hosting = give(lab / "hosting", accounts.deploy, 0o755)
    accounts.deploy.run(f"setfacl -m d:u:{accounts.deploy.name}:rwx {hosting}")
    site, shop = (give(hosting / name, accounts.web, 0o755) for name in ("site", "shop"))
    for place in (site, Path(shutil.move(shop, lab / "shop"))):
        write(place / "auth.json", mode=0o640)
        assert owner_and_mode(place / "auth.json") == (accounts.web.uid, accounts.web.gid, 0o640)
        assert accounts.deploy.name not in acl(place / "auth.json")


@pytest.mark.needs("setfacl", "getfacl")
def test_new_home_inherits_no_acl_from_its_directory(accounts: Accounts, www: Path) -> None:
    subprocess.run(["setfacl", "-m", f"d:u:{accounts.deploy.name}:rwx", www], check=True)
    answer = install({**PAIR, "users": [accounts.web.name], "mode": "0640"})
    subprocess.run(["setfacl", "-b", www], check=True)
    assert answer.result["changed"], answer.result
    assert accounts.deploy.name not in acl(www / ".composer") + acl(www / ".composer/auth.json")


@pytest.mark.needs("setfacl", "getfacl")
def test_attributes_of_a_file_of_another_user_give_no_access(accounts: Accounts, lab: Path, join: Join) -> None:
    join(accounts.other, accounts.deploy)
    site = give(lab / "site", accounts.deploy, 0o2775)
    path = site / "auth.json"
    accounts.other.run(f"echo '{{}}' > {path}; chmod 664 {path}; setfacl -m u:{accounts.other.name}:r {path}")
    write(path, mode=0o640)
    assert accounts.other.name not in acl(path)
    # Nor does a default ACL of the directory, if the file does not belong to the directory's owner.
    accounts.deploy.run(f"setfacl -m d:u:{accounts.deploy.name}:rwx {site}")
    path.unlink()
    write(path, "second.example", uid=accounts.web.uid, mode=0o640)
    assert accounts.deploy.name not in acl(path) and owner_and_mode(path)[0] == accounts.web.uid


@pytest.mark.needs("setfacl", "getfacl")
@pytest.mark.parametrize("trick", ["group", "ACL"])
def test_directory_owner_cannot_read_the_key_of_another_user(accounts: Accounts, lab: Path, trick: str) -> None:
    """A file of the other user with the group or ACL of a directory of the user who moves it."""
    site = give(lab / "site", accounts.deploy, 0o755)
    var = give(site / "var", accounts.deploy, 0o2777)
    if trick == "ACL":
        accounts.deploy.run(f"setfacl -m d:u:{accounts.deploy.name}:rw {var}")
    accounts.other.run(f"umask 027; echo '{{}}' > {var}/cache.json")
    accounts.deploy.run(f"mv {var}/cache.json {site}/auth.json")
    options = {**PAIR, "paths": [str(site / "auth.json")], "owner": accounts.other.name, "mode": "0640"}
    assert install(options).code == "foreign_owner"
    # With a mode that lets the owner's group read the file, no access is added, and the ACL is not kept.
    subprocess.run(["setfacl", "-b", site / "auth.json"], check=True)
    (site / "auth.json").chmod(0o640)
    os.chown(site / "auth.json", accounts.other.uid, accounts.other.gid)
    converges(options, site)
    assert owner_and_mode(site / "auth.json") == (accounts.other.uid, accounts.other.gid, 0o640)
    accounts.deploy.run(f"! cat {site}/auth.json 2>/dev/null")


def acl(path: Path) -> str:
    return subprocess.run(["getfacl", "-p", path], check=True, capture_output=True, text=True).stdout


# Names that no account can have


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "٣", "4294967295", "9" * 5000])
@pytest.mark.parametrize("option", ["users", "owner", "group"])
def test_names_that_no_account_can_have(lab: Path, option: str, name: str) -> None:
    options = {"users": [name]} if option == "users" else {"paths": [str(lab / "auth.json")], option: name}
    for answer in (install({**PAIR, **options}), netrc(options)):
        assert answer.code == ("unknown_group" if option == "group" else "unknown_user"), answer.result
    assert os.listdir(lab) == []
