# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the result of a host that Ansible would act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.keyfleet.magento.plugins.action import magento_auth_key
from ansible_collections.keyfleet.magento.plugins.action.magento_auth_key import ActionModule, acted_on


@pytest.mark.parametrize(
    ("result", "names"),
    [
        ({}, []),
        ({"changed": True, "files": [], "msg": "ansible_facts"}, []),
        ({"ansible_facts": {}}, []),
        ({"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}, []),
        ({"ansible_facts": {"ansible_host": "10.0.0.1", "a": 1}}, ["a", "ansible_host"]),
        ({"ansible_facts": {"discovered_host": "10.0.0.1"}}, ["discovered_host"]),
        ({"ansible_facts": ["a"]}, ["ansible_facts"]),
        ({"ansible_facts": "a"}, ["ansible_facts"]),
        ({"ansible_stats": {}, "results": []}, ["ansible_stats", "results"]),
        ({"ansible_stats": 5, "ansible_facts": {"a": 1}}, ["a", "ansible_stats"]),
    ],
)
def test_names_that_ansible_acts_on(result: Any, names: list[str]) -> None:
    assert acted_on(result) == names


def run_action(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any]) -> dict[str, Any]:
    """Run the action plugin on the ``result`` of a host."""
    monkeypatch.setattr(NormalAction, "run", lambda *_args: result)
    action: ActionModule = ActionModule.__new__(ActionModule)
    return action.run(task_vars={})


def test_a_forged_result_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {f"{number}\x1b{'x' * 100}": 1 for number in range(1000)}
    found = run_action(monkeypatch, {"ansible_facts": facts, "failed_when_result": False, "files": []})
    assert set(found) == {"failed", "msg"} and found["failed"] is True
    assert len(found["msg"]) < 250 and "\x1b" not in found["msg"]


def test_values_too_long_to_show_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    short = {"before": "a\n" * 1000, "after": ""}
    harmless = {"files": [1], "diff": [short] * 3, "warnings": ["x"], "deprecations": []}
    assert run_action(monkeypatch, dict(harmless)) == harmless
    for name, value in (
        ("diff", [short, {"before": "", "after": "a\n" * 1001}]),
        ("diff", {"before": "a\r" * 1001}),
        ("diff", {"before": "", "after": {"a": 1}}),
        ("warnings", ["x" * 100_001]),
        ("deprecations", "x" * 100_001),
    ):
        expected = {**harmless, name: value}
        del expected[name]
        assert run_action(monkeypatch, {**harmless, name: value}) == expected


def test_every_module_that_runs_on_hosts_has_the_plugin() -> None:
    here = Path(str(magento_auth_key.__file__)).parent
    modules = {path.name for path in (here.parent / "modules").glob("magento_*.py")}
    controller = {"magento_key_rotation.py", "magento_marketplace_key.py", "magento_marketplace_key_info.py"}
    files = {path.name: path.read_bytes() for path in here.glob("magento_*.py")}
    assert set(files) == modules - controller and len(set(files.values())) == 1
