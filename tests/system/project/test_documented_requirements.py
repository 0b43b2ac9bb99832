# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented requirements of each module match what the module needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from place import ROOT, linked_collections
from system.playbook import play

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


@pytest.fixture(scope="module")
def documented() -> dict[str, dict[str, Any]]:
    """The documentation of every module, with all its fragments."""
    names = [f"keyfleet.magento.{name}" for name in MODULES]
    found = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-doc")), "--json", *names],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(linked_collections())},
        check=True,
        capture_output=True,
    )
    return {name.rpartition(".")[2]: entry["doc"] for name, entry in json.loads(found.stdout).items()}


@pytest.mark.parametrize("module", MODULES)
def test_documented_requirements_match_the_module(module: str, documented: dict[str, dict[str, Any]]) -> None:
    doc = documented[module]
    platform, requirements = doc["attributes"]["platform"]["description"], doc.get("requirements", [])
    if "downloads_url" in doc["options"]:
        assert "curl" in platform and "only" not in platform and "curl" in requirements[0]
    elif "application_id" in doc["options"] or "series" in doc["options"]:
        assert "controller" in platform and [text.split(",")[0] for text in requirements] == ["requests"]
    else:
        assert platform.endswith("Hosts need only Python 3.7 or newer.") and requirements == []


HOST_MODULES: dict[str, dict[str, Any]] = {
    "magento_auth_key": {"public_key": "a" * 32, "private_key": "b" * 32, "paths": ["{{ directory }}/auth.json"]},
    "magento_auth_key_info": {"public_key": "a" * 32, "private_key": "b" * 32},
    "magento_download_token": {"mage_id": "MAG1", "token": "c" * 40, "paths": ["{{ directory }}/netrc"]},
    "magento_download_token_info": {"mage_id": "MAG1", "token": "c" * 40},
    "magento_release": {"file_name": "a.zip", "dest": "{{ directory }}/", "mage_id": "MAG1", "token": "c" * 40},
    "magento_release_info": {"mage_id": "MAG1", "token": "c" * 40},
}


def test_modules_take_defaults_from_their_documented_group(
    documented: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    groups = {name: doc["attributes"].get("action_group", {}).get("membership") for name, doc in documented.items()}
    assert {name for name, group in groups.items() if group == ["keyfleet.magento.hosts"]} == set(HOST_MODULES)
    tasks = [
        {"name": name, f"keyfleet.magento.{name}": options, "register": name} for name, options in HOST_MODULES.items()
    ]
    defaults = {"group/keyfleet.magento.hosts": {"timeout": 0}}
    run = play(tmp_path, tasks, module_defaults=defaults, vars={"directory": str(tmp_path)})
    for name in HOST_MODULES:
        result = run.results[name]
        assert result.get("code") == "bad_options" and "timeout" in result["msg"], (name, result)
