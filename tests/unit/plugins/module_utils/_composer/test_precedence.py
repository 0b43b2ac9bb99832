# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files with credentials that Composer reads, in its order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import Home
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import Sources

HOST = "repo.magento.com"


def entries(user: str) -> Dict[str, Any]:
    return {"http-basic": {HOST: {"username": user, "password": "made up"}}}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Home:
    config = write(tmp_path / "home" / "config.json", {"config": entries("config")})
    return Home(str(write(tmp_path / "home" / "auth.json", entries("home"))), config_file=str(config))


def names(home: Optional[Home], project: Optional[Path]) -> List[str]:
    return [
        source.name for source in Sources({}).read_by(None, [home] if home else [], str(project) if project else None)
    ]


def test_sources_are_in_the_order_of_composer(home: Home, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    write(project / "auth.json", entries("project"))
    write(project / "composer.json", {"config": entries("composer.json")})
    user_files = ["user's config.json", "user's auth.json"]
    assert names(home, None) == user_files
    assert names(home, project) == [*user_files, "project's composer.json", "project's auth.json"]
    assert names(None, project) == ["project's composer.json", "project's auth.json"]
    assert names(Home(home.auth_file), None) == ["user's auth.json"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"config": null}', '{"config": []}', '{"require": {}}', '{"config": {"http-basic": ""}}'],
)
def test_a_composer_json_without_credentials_is_no_source(content: str, home: Home, tmp_path: Path) -> None:
    write(tmp_path / "shop" / "composer.json", content)
    write(Path(home.config_file), content)
    assert names(home, tmp_path / "shop") == ["user's auth.json"]


def test_a_missing_or_malformed_file_is_no_source(tmp_path: Path) -> None:
    home = Home(str(write(tmp_path / "auth.json", '{"http-basic": ""}')), config_file=str(tmp_path / "config.json"))
    assert names(home, tmp_path / "no") == []


def test_known_content_is_used_instead_of_the_file(home: Home) -> None:
    known = {home.auth_file: json.dumps(entries("new")).encode()}
    found = Sources(known).read_by(None, [home], None)
    assert found[-1].document == entries("new")
    assert Sources({home.auth_file: None}).read_by(None, [home], None)[-1].name == "user's config.json"
