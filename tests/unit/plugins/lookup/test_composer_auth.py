# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of an entry of the controller's own auth.json or COMPOSER_AUTH."""

from __future__ import annotations

import json
import pathlib

import pytest
from ansible.errors import AnsibleLookupError

from ansible_collections.keyfleet.magento.tests.unit.plugins.lookup.plugins import look_up

NAME = "composer_auth"


def auth(word: str, *hosts: str) -> str:
    return json.dumps({"http-basic": {h: {"username": f"{word}-user", "password": f"made-up-{word}"} for h in hosts}})


def test_a_pair_for_each_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSER_AUTH", auth("environment", "repo.magento.com", "vendor.example:8443"))
    found = look_up(NAME, ["vendor.example:8443", "repo.magento.com"])
    assert [pair["repository"] for pair in found] == ["vendor.example:8443", "repo.magento.com"]
    assert found[1] == {
        "repository": "repo.magento.com",
        "public_key": "environment-user",
        "private_key": "made-up-environment",
        "source": "COMPOSER_AUTH",
    }


def test_an_explicit_file(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("COMPOSER_AUTH", auth("environment", "repo.magento.com"))
    tmp_path.chmod(0o755)
    (tmp_path / "auth.json").write_text(auth("mine", "repo.magento.com"))
    (pair,) = look_up(NAME, "repo.magento.com", path=str(tmp_path / "auth.json"))
    assert pair["public_key"] == "mine-user"
    monkeypatch.setenv("HOME", str(tmp_path))
    (pair,) = look_up(NAME, "repo.magento.com", path="~/auth.json")
    assert pair["public_key"] == "mine-user"


def test_failures_have_a_code_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSER_AUTH", auth("environment", "repo.magento.com"))
    with pytest.raises(AnsibleLookupError, match=r"no entry for vendor.example in .* \(no_entry\)"):
        look_up(NAME, "vendor.example")
    monkeypatch.setenv("COMPOSER_AUTH", auth("broken", "repo.magento.com")[:-1])
    with pytest.raises(AnsibleLookupError, match=r"COMPOSER_AUTH.*\(malformed_file\)") as caught:
        look_up(NAME, "repo.magento.com")
    assert "made-up" not in str(caught.value)
