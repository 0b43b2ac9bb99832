# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of real accounts: owners of the files, predictions of check mode, and refused files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import home
from system.auth_key.lab import (
    CLASSIC,
    PAIR,
    PRIVATE,
    PUBLIC,
    XDG,
    as_account,
    auth,
    converges,
    essence,
    install,
    put,
    state_of,
)
from system.files.lab import Account, Accounts, give, owner_and_mode

pytestmark = pytest.mark.needs("root", "useradd")


def codes(result: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in result["problems"]]


def actions(result: dict[str, Any]) -> list[str]:
    return [row["action"] for row in result["files"]]


# Check mode and real runs for users, where owner and home matter


Prepare = Callable[[Account, Accounts], None]
FILE = f"{CLASSIC}/auth.json"


def file_of_root(account: Account, accounts: Accounts) -> None:
    put(account, CLASSIC)
    give(account.home / FILE, None, 0o644, auth())


def file_of_root_with_the_key(account: Account, accounts: Accounts) -> None:
    put(account, CLASSIC)
    give(account.home / FILE, None, 0o644, auth(PUBLIC, PRIVATE))


def linked(account: Account, accounts: Accounts) -> None:
    put(account, CLASSIC)
    target = put(account, "shared-auth.json", auth(), 0o644)
    (account.home / FILE).symlink_to(target)


def two_homes(account: Account, accounts: Accounts) -> None:
    put(account, f"{XDG}/auth.json", auth(), 0o644)
    put(account, FILE, auth())


def two_homes_one_key(account: Account, accounts: Accounts) -> None:
    put(account, XDG)
    put(account, FILE, auth())


def malformed(account: Account, accounts: Accounts) -> None:
    put(account, FILE, '{"http-basic": ""}')


CASES: list[tuple[str, Prepare, dict[str, Any], list[str]]] = [
    ("new home", lambda account, _all: None, {}, ["created"]),
    ("root's file", file_of_root, {}, ["updated"]),
    ("root's file, right key", file_of_root_with_the_key, {}, ["repaired"]),
    ("linked file", linked, {}, ["updated"]),
    ("two homes", two_homes, {}, ["updated", "updated"]),
    ("two homes, one key", two_homes_one_key, {}, ["created", "updated"]),
    ("malformed", malformed, {"malformed": "replace"}, ["updated"]),
    ("absent", two_homes, {"state": "absent"}, ["removed", "removed"]),
    ("absent, of root", file_of_root, {"state": "absent"}, ["removed"]),
    ("absent, another key", two_homes, {"state": "absent", "public_key": PUBLIC}, ["repaired", "unchanged"]),
]


@pytest.mark.parametrize(("prepare", "options", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_check_mode_predicts_the_files_of_a_user(
    prepare: Prepare,
    options: dict[str, Any],
    expected: list[str],
    deploy: Account,
    accounts: Accounts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(home, "XDG_DIRECTORY", "/")
    prepare(deploy, accounts)
    answer = converges({**({} if options.get("state") else PAIR), **options, "users": [deploy.name]}, deploy.home)
    assert actions(answer.result) == expected, answer.result
    for row in answer.result["files"]:
        assert owner_and_mode(Path(row["real_path"])) == (deploy.uid, deploy.gid, 0o600), answer.result
        assert (row["after"]["owner"], row["after"]["mode"]) == (deploy.name, "0600"), answer.result


def test_check_mode_with_missing_users_and_homes(new_name: str) -> None:
    vendor = {"repository": "repo.vendor.example", "public_key": "token", "private_key": "a chosen password"}
    options = {"keys": [PAIR, vendor], "users": [new_name]}
    no_user = install(options, check_mode=True)
    assert install(options).code == "unknown_user"
    subprocess.run(["useradd", "--no-create-home", "--home-dir", f"/home/{new_name}", new_name], check=True)
    no_home = install(options, check_mode=True)
    assert install(options).code == "no_home"
    shutil.copytree("/etc/skel", f"/home/{new_name}")
    subprocess.run(["chown", "--recursive", f"{new_name}:", f"/home/{new_name}"], check=True)
    ready = install(options, check_mode=True)
    real = install(options)
    assert essence(ready) == essence(real)
    assert (codes(no_user.result), codes(no_home.result), codes(real.result)) == (["unknown_user"], ["no_home"], [])
    for name in ("changed", "files", "diff", "verdicts"):
        assert no_home.result[name] == real.result[name], name
    # Unknown for a missing account: its uid, its group and the location of its home.
    rows = json.loads(json.dumps(real.result["files"]).replace(f"/home/{new_name}", f"~{new_name}"))
    for row in rows:
        row["after"]["group"] = None
    assert no_user.result["files"] == rows
    assert no_user.result["changed"] is True and len(no_user.result["diff"]) == 1


def test_removal_for_a_missing_user_changes_nothing(new_name: str) -> None:
    for check_mode in (True, False):
        answer = install({"users": [new_name], "state": "absent"}, check_mode=check_mode)
        assert (answer.code, answer.result["changed"], codes(answer.result)) == ("", False, ["unknown_user"])


# Owners of the files


@pytest.mark.parametrize(
    ("directory", "options", "expected"),
    [
        ("deploy", {}, ("deploy", "deploy", 0o600)),
        ("deploy", {"mode": "0640"}, ("deploy", "deploy", 0o640)),
        ("deploy", {"owner": "other"}, ("other", "other", 0o600)),
        ("deploy", {"owner": "other", "group": "deploy", "mode": "0640"}, ("other", "deploy", 0o640)),
        ("root", {}, ("root", "root", 0o600)),
        ("root", {"owner": "deploy"}, ("deploy", "deploy", 0o600)),
        ("root", {"group": "deploy", "mode": "0640"}, ("root", "deploy", 0o640)),
    ],
)
def test_owner_group_and_mode_of_the_file_of_a_project(
    directory: str, options: dict[str, str], expected: tuple[str, str, int], accounts: Accounts, lab: Path
) -> None:
    known = {"deploy": accounts.deploy, "other": accounts.other}
    shop = give(lab / "shop", known.get(directory), 0o755)
    named = {name: known[value].name if value in known else value for name, value in options.items()}
    answer = converges({**PAIR, "projects": [str(shop)], **named}, shop)
    uid = known[expected[0]].uid if expected[0] in known else 0
    gid = known[expected[1]].gid if expected[1] in known else 0
    assert owner_and_mode(shop / "auth.json") == (uid, gid, expected[2]), answer.result


def test_owner_does_not_apply_to_users(deploy: Account, accounts: Accounts) -> None:
    answer = converges({**PAIR, "users": [deploy.name], "owner": accounts.other.name}, deploy.home)
    assert answer.result["files"][0]["owner"] == deploy.name, answer.result


# The current user


def test_default_is_the_current_user(deploy: Account) -> None:
    cases = {
        f"{CLASSIC}/auth.json": {"HOME": str(deploy.home)},
        "elsewhere/auth.json": {"HOME": "/nonexistent", "COMPOSER_HOME": str(deploy.home / "elsewhere")},
        f"home/{CLASSIC}/auth.json": {"HOME": str(deploy.home / "home")},
    }
    put(deploy, "home")
    for name, environ in cases.items():
        predicted = as_account(deploy, lambda: install(PAIR, check_mode=True), environ)
        real = as_account(deploy, lambda: install(PAIR), environ)
        assert essence(predicted) == essence(real), (name, predicted.result, real.result)
        assert [row["path"] for row in real.result["files"]] == [str(deploy.home / name)], real.result
        assert owner_and_mode(deploy.home / name) == (deploy.uid, deploy.gid, 0o600)


def test_environment_of_root_is_ignored(deploy: Account, accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "COMPOSER_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(accounts.other.home))
    answer = install({**PAIR, "users": [deploy.name]})
    assert [row["path"] for row in answer.result["files"]] == [str(deploy.home / FILE)], answer.result


def test_file_of_another_user_is_refused(deploy: Account, accounts: Accounts) -> None:
    put(deploy, FILE, auth())
    environ = {"HOME": str(accounts.other.home)}
    before = state_of(deploy.home)
    for options in ({"users": [deploy.name]}, {"paths": [str(deploy.home / FILE)]}):
        answer = as_account(accounts.other, lambda o=options: install({**PAIR, **o}), environ)  # type: ignore[misc]
        assert answer.code == "foreign_owner", answer.result
    assert state_of(deploy.home) == before


def test_root_gets_a_key_only_if_named(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install(PAIR).code == "no_target"
    answer = install({**PAIR, "users": ["root"]}, check_mode=True)
    assert [row["owner"] for row in answer.result["files"]] == ["root"], answer.result
