# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auth.json files of a user, for every state of the home directory."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import home as composer_home
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import composer_homes
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    Account,
    account,
    account_of,
    all_accounts,
)

CLASSIC, XDG = ".composer", ".config/composer"


def user(home: Path) -> Account:
    return Account("deploy", os.geteuid(), os.getegid(), str(home))


def found(home: Path, environ: Optional[Dict[str, str]] = None) -> Tuple[List[Any], List[str]]:
    """Return the auth.json files relative to the home, each with ``read_first``, and the codes of the problems."""
    homes = composer_homes(user(home), environ=environ)
    files = [(os.path.relpath(one.auth_file, str(home)), one.read_first) for one in homes.homes]
    return files, [problem.code for problem in homes.problems]


@pytest.mark.parametrize(
    ("xdg", "existing", "expected", "problems"),
    [
        (True, [], [(CLASSIC, True)], []),
        (True, [CLASSIC], [(CLASSIC, True)], []),
        (True, [XDG], [(XDG, True)], []),
        (True, [CLASSIC, XDG], [(XDG, True), (CLASSIC, False)], ["two_homes"]),
        (False, [], [(CLASSIC, True)], []),
        (False, [CLASSIC], [(CLASSIC, True)], []),
        # A login session has XDG variables, cron does not.
        (False, [XDG], [(XDG, True), (CLASSIC, True)], ["two_homes"]),
        (False, [CLASSIC, XDG], [(XDG, True), (CLASSIC, True)], ["two_homes"]),
    ],
)
def test_homes_of_a_user(
    xdg: bool,
    existing: List[str],
    expected: List[Tuple[str, bool]],
    problems: List[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(composer_home, "XDG_DIRECTORY", str(tmp_path if xdg else tmp_path / "no"))
    for name in existing:
        (tmp_path / name).mkdir(parents=True)
    assert found(tmp_path) == ([(f"{name}/auth.json", first) for name, first in expected], problems)
    for one in composer_homes(user(tmp_path)).problems:
        assert "deploy" in one.message and one.path in (str(tmp_path / CLASSIC), str(tmp_path / XDG)), one


def test_two_homes_that_are_linked_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer_home, "XDG_DIRECTORY", str(tmp_path))
    (tmp_path / CLASSIC).mkdir()
    (tmp_path / ".config").mkdir()
    (tmp_path / XDG).symlink_to("../.composer")
    assert found(tmp_path) == ([(f"{XDG}/auth.json", True)], [])


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, CLASSIC),
        ({"COMPOSER_HOME": "", "HOME": ""}, CLASSIC),
        ({"COMPOSER_HOME": "0"}, CLASSIC),
        ({"COMPOSER_HOME": "ELSEWHERE"}, "elsewhere"),
        ({"COMPOSER_HOME": "ELSEWHERE", "HOME": "HOME"}, "elsewhere"),
        ({"HOME": "HOME"}, "home/.composer"),
        ({"XDG_CONFIG_HOME": "ELSEWHERE"}, "elsewhere/composer"),
        ({"XDG_CONFIG_HOME": "NOWHERE"}, CLASSIC),
    ],
)
def test_a_known_environment_is_used(
    environ: Dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Some systems have no /etc/xdg.
    monkeypatch.setattr(composer_home, "XDG_DIRECTORY", str(tmp_path))
    (tmp_path / "elsewhere" / "composer").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    paths = {name.upper(): str(tmp_path / name) for name in ("elsewhere", "home", "nowhere")}
    known = {name: paths.get(value, value) for name, value in environ.items()}
    assert found(tmp_path, known)[0] == [(f"{expected}/auth.json", True)]


def test_the_environment_of_this_process_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMPOSER_HOME", "HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert found(tmp_path)[0] == [(f"{CLASSIC}/auth.json", True)]


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ("ELSEWHERE", "elsewhere"),
        ("ELSEWHERE/", "elsewhere"),
        ("~/moved", "moved"),
        ("$HOME/moved", "moved"),
        ("HOME/.composer", None),
        # Composer resolves these against its working directory.
        ("~", None),
        ("~other/moved", None),
        ("${HOME}/moved", None),
        ("relative", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_config_json_may_move_the_home(home: Any, expected: Optional[str], tmp_path: Path) -> None:
    if isinstance(home, str):
        home = home.replace("ELSEWHERE", str(tmp_path / "elsewhere")).replace("HOME/.c", f"{tmp_path}/.c")
    (tmp_path / CLASSIC).mkdir()
    (tmp_path / CLASSIC / "config.json").write_text(json.dumps({"config": {"home": home}}))
    files, problems = found(tmp_path)
    assert files == [(f"{expected or CLASSIC}/auth.json", True)]
    assert problems == (["home_moved"] if expected else [])
    (one,) = composer_homes(user(tmp_path)).homes
    assert one.config_file == str(tmp_path / CLASSIC / "config.json")


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"config": []}', '{"config": 7}', "\xff", "[" * 100000])
def test_an_invalid_config_json_does_not_move_the_home(content: str, tmp_path: Path) -> None:
    (tmp_path / CLASSIC).mkdir()
    (tmp_path / CLASSIC / "config.json").write_bytes(content.encode("latin-1"))
    assert found(tmp_path) == ([(f"{CLASSIC}/auth.json", True)], [])


def test_accounts() -> None:
    entry = pwd.getpwuid(os.geteuid())
    expected = Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    assert account(entry.pw_name) == expected
    assert account_of(entry.pw_uid) == expected
    assert account("no-such-user-of-keyfleet") is None
    unused = max(one.pw_uid for one in pwd.getpwall() if one.pw_uid < 2**31) + 12345
    with pytest.raises(KeyfleetError) as caught:
        account_of(unused)
    assert caught.value.code == "unknown_user" and str(unused) in caught.value.message


def test_all_accounts_have_different_existing_homes() -> None:
    homes = [one.home for one in all_accounts()]
    assert len(homes) == len(set(homes))
    assert "/" not in homes and all(os.path.isdir(home) for home in homes)
    expected = {one.pw_dir for one in pwd.getpwall() if one.pw_dir not in ("", "/") and os.path.isdir(one.pw_dir)}
    assert set(homes) == expected
