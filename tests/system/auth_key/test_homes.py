# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of users are written where the real Composer of the user reads them, in every state of the home."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import home as composer_home
from system.auth_key.lab import (
    CLASSIC,
    HOST,
    OTHER,
    PAIR,
    PUBLIC,
    XDG,
    auth,
    composer,
    converges,
    install,
    install_under,
    put,
)
from system.files.lab import Account, Accounts, owner_and_mode

pytestmark = pytest.mark.needs("root", "composer", "unshare", "setpriv")

LOGIN = {"XDG_RUNTIME_DIR": "/run/user/none"}
CRON: dict[str, str] = {}
MOVED = '{"config": {"home": "%s"}}'


@pytest.fixture(scope="module", params=[True, False], ids=["with /etc/xdg", "without /etc/xdg"])
def mounts(request: pytest.FixtureRequest, accounts: Accounts) -> Iterator[list[str]]:
    """A command that runs another one with or without /etc/xdg, in a copy of /etc with the accounts."""
    etc = Path(tempfile.mkdtemp(prefix="kf-etc-"))
    # Lock files of the user database may appear and disappear meanwhile.
    subprocess.run(["cp", "--archive", "/etc/.", str(etc)], stderr=subprocess.DEVNULL, check=False)
    assert accounts.deploy.name in (etc / "passwd").read_text()
    shutil.rmtree(etc / "xdg", ignore_errors=True)
    if request.param:
        (etc / "xdg").mkdir()
    yield ["unshare", "--mount", "sh", "-ec", f'mount --bind {etc} /etc; exec "$@"', "sh"]
    shutil.rmtree(etc)


# Name → content of the home: directories (None), and files with their content.
STATES: dict[str, dict[str, str | None]] = {
    "neither": {},
    "classic": {CLASSIC: None},
    "xdg": {XDG: None},
    "both": {CLASSIC: None, XDG: None},
    "old key in classic": {f"{CLASSIC}/auth.json": auth()},
    "old key in xdg": {f"{XDG}/auth.json": auth()},
    "old key in both": {f"{CLASSIC}/auth.json": auth(), f"{XDG}/auth.json": auth()},
    "moved": {f"{CLASSIC}/config.json": MOVED % "THERE/elsewhere", "elsewhere": None},
    "moved by tilde": {f"{XDG}/config.json": MOVED % "~/elsewhere", "elsewhere": None},
    "moved by variable": {f"{CLASSIC}/config.json": MOVED % "$HOME/elsewhere/", "elsewhere": None},
}


@pytest.mark.parametrize("state", STATES)
def test_composer_reads_the_written_key(state: str, mounts: list[str], deploy: Account) -> None:
    for name, content in STATES[state].items():
        put(deploy, name, None if content is None else content.replace("THERE", str(deploy.home)))
    result = install_under(mounts, {**PAIR, "users": [deploy.name]})
    assert result.get("changed") is True, result
    for row in result["files"]:
        path = Path(row["path"])
        assert not path.exists() or owner_and_mode(path) == (deploy.uid, deploy.gid, 0o600), result
    for environ in (LOGIN, CRON):
        output, log = composer(
            deploy, "config", "--global", "-vvv", f"http-basic.{HOST}", environ=environ, prefix=mounts
        )
        assert json.loads(output)["username"] == PUBLIC, (environ, log, result)
        (read,) = set(re.findall(r"Loading config file (.*/auth\.json)", log))
        assert read in {row["path"] for row in result["files"]}, (environ, log, result)
        # Composer creates these files; the next command must find the home as the module left it.
        for htaccess in deploy.home.rglob(".htaccess"):
            htaccess.unlink()
    assert OTHER not in "".join(path.read_text() for path in deploy.home.rglob("auth.json")), result
    again = install_under(mounts, {**PAIR, "users": [deploy.name]})
    assert again["changed"] is False, again


def written(deploy: Account) -> list[str]:
    return sorted(str(path.relative_to(deploy.home)) for path in deploy.home.rglob("auth.json"))


def codes(result: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in result["problems"]]


@pytest.mark.parametrize(
    ("there", "expected", "problems"),
    [
        ([], [CLASSIC], []),
        ([CLASSIC], [CLASSIC], []),
        ([XDG], [XDG], []),
        ([CLASSIC, XDG], [XDG], ["two_homes"]),
    ],
)
def test_key_is_written_only_to_the_home_that_composer_reads(
    there: list[str], expected: list[str], problems: list[str], deploy: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Independent of /etc/xdg on this machine.
    monkeypatch.setattr(composer_home, "XDG_DIRECTORY", str(deploy.home))
    for name in there:
        put(deploy, name)
    answer = converges({**PAIR, "users": [deploy.name]}, deploy.home)
    assert written(deploy) == [f"{name}/auth.json" for name in expected], answer.result
    assert codes(answer.result) == problems, answer.result
    assert len(answer.warnings()) == len(problems), answer.result
    assert owner_and_mode(deploy.home / expected[0])[:2] == (deploy.uid, deploy.gid)
    assert there or owner_and_mode(deploy.home / CLASSIC)[2] == 0o700


def test_path_in_a_home_of_the_named_user_is_the_same_target(deploy: Account) -> None:
    """``paths`` can contain files in the homes of a user in ``users``."""
    for home in (CLASSIC, XDG):
        put(deploy, home)
    second = put(deploy, f"{CLASSIC}/auth.json", auth())
    options = {**PAIR, "users": [deploy.name], "paths": [str(second)]}
    assert {row["path"] for row in converges(options, deploy.home).result["files"]} == {
        str(second),
        str(deploy.home / XDG / "auth.json"),
    }
    other = install({"keys": [{**PAIR, "users": [deploy.name]}, {**PAIR, "public_key": OTHER, "paths": [str(second)]}]})
    assert other.code == "bad_options", other.text
