# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host's answer Ansible would act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.action import magento_auth_key
from ansible_collections.keyfleet.magento.plugins.action.magento_auth_key import acted_on


@pytest.mark.parametrize(
    ("result", "names"),
    [
        ({}, []),
        ({"changed": True, "files": [], "msg": "ansible_facts"}, []),
        ({"ansible_facts": {}}, []),
        ({"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}, []),
        ({"ansible_facts": {"ansible_host": "10.0.0.1", "a": 1}}, ["a", "ansible_host"]),
        ({"ansible_facts": ["a"]}, ["ansible_facts"]),
        ({"ansible_facts": "a"}, ["ansible_facts"]),
        ({"ansible_stats": {}, "results": []}, ["ansible_stats", "results"]),
        ({"ansible_stats": 5, "ansible_facts": {"a": 1}}, ["a", "ansible_stats"]),
    ],
)
def test_names_that_ansible_acts_on(result: Any, names: list[str]) -> None:
    assert acted_on(result) == names


def test_every_module_that_runs_on_hosts_is_looked_at() -> None:
    here = Path(str(magento_auth_key.__file__)).parent
    modules = {path.name for path in (here.parent / "modules").glob("magento_*.py")}
    controller = {"magento_key_rotation.py", "magento_marketplace_key.py", "magento_marketplace_key_info.py"}
    assert {path.name for path in here.glob("magento_*.py")} == modules - controller
