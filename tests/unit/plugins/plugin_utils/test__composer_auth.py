# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that Composer would use for the current user."""

from __future__ import annotations

import json
import pathlib
from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import home as composer_home
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.plugin_utils._composer_auth import own_entry

HOST = "repo.magento.com"


def auth(word: str, host: str = HOST) -> str:
    return json.dumps({"http-basic": {host: {"username": f"{word}-user", "password": f"made-up-{word}"}}})


class Home:
    """A home directory and an environment, and lookups in both."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.environ: Dict[str, str] = {"HOME": str(path)}

    def write(self, name: str, content: str) -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return str(path)

    def entry(self, repository: str = HOST, **options: Any) -> Dict[str, Any]:
        return own_entry(repository, path=options.get("path"), environ=self.environ)

    def fails(self, repository: str = HOST, **options: Any) -> KeyfleetError:
        with pytest.raises(KeyfleetError) as caught:
            self.entry(repository, **options)
        assert "made-up" not in caught.value.message
        return caught.value


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Home:
    tmp_path.chmod(0o755)
    return Home(tmp_path)


def test_the_users_own_file(home: Home) -> None:
    path = home.write(".composer/auth.json", auth("file"))
    assert home.entry() == {
        "repository": HOST,
        "public_key": "file-user",
        "private_key": "made-up-file",
        "source": path,
    }


def test_order_of_precedence(home: Home) -> None:
    home.write(".composer/config.json", json.dumps({"config": json.loads(auth("config"))}))
    assert home.entry()["public_key"] == "config-user"
    home.write(".composer/auth.json", auth("file"))
    assert home.entry()["public_key"] == "file-user"
    home.environ["COMPOSER_AUTH"] = auth("environment")
    assert (home.entry()["public_key"], home.entry()["source"]) == ("environment-user", "COMPOSER_AUTH")
    home.environ["COMPOSER_AUTH"] = auth("environment", "other.example")
    assert home.entry()["public_key"] == "file-user"
    assert home.entry("other.example")["public_key"] == "environment-user"


@pytest.mark.parametrize("value", ["", "0"])
def test_an_empty_environment_variable(home: Home, value: str) -> None:
    home.write(".composer/auth.json", auth("file"))
    home.environ["COMPOSER_AUTH"] = value
    assert home.entry()["public_key"] == "file-user"


def test_composer_home_from_the_environment(home: Home) -> None:
    home.write(".composer/auth.json", auth("file"))
    home.write("elsewhere/auth.json", auth("elsewhere"))
    home.environ["COMPOSER_HOME"] = str(home.path / "elsewhere")
    assert home.entry()["public_key"] == "elsewhere-user"


@pytest.mark.parametrize(
    ("system_decides", "session", "expected"),
    [(True, False, "xdg"), (True, True, "xdg"), (False, True, "xdg"), (False, False, "classic")],
)
def test_two_composer_homes(
    home: Home, monkeypatch: pytest.MonkeyPatch, system_decides: bool, session: bool, expected: str
) -> None:
    home.write(".composer/auth.json", auth("classic"))
    home.write(".config/composer/auth.json", auth("xdg"))
    monkeypatch.setattr(composer_home, "XDG_DIRECTORY", str(home.path if system_decides else home.path / "none"))
    if session:
        home.environ["XDG_RUNTIME_DIR"] = "/run/user/1"
    assert home.entry()["public_key"] == f"{expected}-user"


def test_only_the_explicit_file_is_read(home: Home) -> None:
    home.write(".composer/auth.json", auth("file"))
    home.environ["COMPOSER_AUTH"] = auth("environment")
    path = home.write("mine.json", auth("mine"))
    assert home.entry(path=path)["public_key"] == "mine-user"
    error = home.fails("other.example", path=path)
    assert (error.code, path in error.message) == ("no_entry", True)
    assert home.fails(path=str(home.path / "none.json")).code == "no_entry"


def test_no_entry(home: Home) -> None:
    assert home.fails().code == "no_entry"
    home.write(".composer/auth.json", auth("file", "other.example"))
    error = home.fails()
    assert error.code == "no_entry"
    assert "COMPOSER_AUTH and the user's own auth.json" in error.message


def test_an_entry_without_a_user_name_is_an_error(home: Home) -> None:
    both = {**json.loads(auth("file")), "bearer": {HOST: "made-up-token"}}
    home.write(".composer/auth.json", json.dumps(both))
    error = home.fails()
    assert error.code == "no_entry"
    assert "bearer" in error.message


@pytest.mark.parametrize("place", ["file", "environment"])
def test_a_malformed_source_is_an_error(home: Home, place: str) -> None:
    broken = auth("broken")[:-2]
    if place == "file":
        home.write(".composer/auth.json", broken)
    else:
        home.environ["COMPOSER_AUTH"] = broken
    error = home.fails()
    assert error.code == "malformed_file"
    assert ("auth.json" if place == "file" else "COMPOSER_AUTH") in error.message
