# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed answers of hosts, facts in a cache, and an inventory that connects localhost to another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from place import ROOT
from system.control import PYTHON
from system.rotation.hostile_host import HONEST, PHASES, Hostile, Lab
from system.rotation.lab import OLD, Fleet, headline, plays, summary_lines, today, unwrapped

pytestmark = pytest.mark.needs("root", PYTHON)
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'touch MARK') }}"
PARTS = ["rotate", "rotate_issue", "rotate_deploy", "rotate_retire", "revoke", "provision"]


@pytest.fixture
def lab(fleet: Fleet) -> Lab:
    """A fleet without hostile hosts."""
    return Lab(fleet)


def nested(depth: int) -> str:
    return json.dumps({**HONEST, "failed": True})[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}"


def answers(mark: Path) -> dict[str, str]:
    """Malformed or hostile answers, none of which confirms a key."""
    template = TEMPLATE.replace("MARK", str(mark))
    tagged = {"__ansible_type": "TrustedAsTemplate", "value": template}
    key: dict[str, Any] = {"username": {}, "public_key": []}
    made: dict[str, Any] = {
        "deep": nested(150), "deeper": nested(700), "list": [1], "nothing": "",
        "types": {"changed": [], "failed": {}, "unreachable": "no", "msg": [1], "files": {}, "problems": 1, "diff": 5},
        "inner": {**HONEST, "files": [{"path": [], "action": {}, "after": key, "before": key, "entries": [key, 1]}],
                  "problems": [{"code": [], "message": {}, "path": 1}]},
        "template": {**HONEST, "failed": True, "msg": template, template: template, "files": tagged},
        "unsafe": {"failed": True, "msg": {"__ansible_unsafe": template}, "files": {"__ansible_vault": template}},
        "signs": {"failed": True, "msg": "\x1b]0;title\x07\u202e\ud800\n" * 9},
        "big": {**HONEST, "failed": True, "msg": "x" * 5_000_000},
        "added": {**HONEST, "failed": True, "add_host": {"host_name": "web1", "groups": ["db"]}, "add_group": "db",
                  "_ansible_notify": ["x"], "_ansible_delegated_vars": {"ansible_delegated_host": "web1"},
                  "ansible_stats": {"data": {"x": 1}}, "results": [{"ansible_facts": {"magento_x": 1}}]},
    }  # fmt: skip
    return {name: text if isinstance(text, str) else json.dumps(text) for name, text in made.items()}


@pytest.mark.parametrize("phases, excluded", [(PHASES, False), (PHASES, True), (("deploy",), False)], ids=str)
def test_answers_of_any_shape(lab: Lab, tmp_path: Path, excluded: bool, phases: tuple[str, ...]) -> None:
    fleet, mark = lab.fleet, tmp_path / "mark"
    texts = answers(mark)
    fleet.grow(len(texts) + 1)
    hostile = dict(zip(fleet.names[1:], texts, strict=True))
    for name, which in hostile.items():
        lab.hostile(name).answer(**dict.fromkeys(phases, texts[which]))
    run = lab.run("rotate", settings={"excluded_hosts": list(hostile) if excluded else [], "max_failed": 99})
    blocked = {row.split()[1].rstrip(":") for row in summary_lines(run) if row.startswith("Blocked: web")}
    # Hosts that lied only in the deployment then answer like a host without keys, which needs nothing.
    honest = {name for name, which in hostile.items() if which == "inner" and phases != PHASES}
    blocks = set() if excluded else set(hostile) - honest
    assert blocked == blocks and run.status == (2 if blocks else 0), summary_lines(run)
    assert fleet.series() == {OLD: bool(blocks), today(): True} and fleet.held("web1") == today()
    assert not mark.exists() and "\x1b" not in "".join(summary_lines(run))


def cached(lab: Lab, **facts_of: dict[str, Any]) -> list[Hostile]:
    """Create a fact cache with facts that hosts returned in an earlier run."""
    directory = lab.fleet.control.directory
    lab.fleet.control.write(
        "ansible.cfg", f"[defaults]\nfact_caching=jsonfile\nfact_caching_connection={directory}/facts\n"
    )
    hosts = []
    for name, facts in facts_of.items():
        host = lab.hostile(name)
        host.answer(other={"changed": False, "ansible_facts": facts})
        local = {"ansible_connection": "local", **lab.fleet.own.pop(name)}
        play = {"hosts": name, "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}], "vars": local}
        assert lab.fleet.site([play]).status == 0
        assert host.asked() == ["ping"]
        host.clear()
        lab.fleet.own[name] = local
        host.answer()
        hosts.append(host)
    return hosts


@pytest.mark.hosts(2)
def test_cached_facts_of_a_host(lab: Lab) -> None:
    (host,) = cached(lab, web2={"magento_auth_state": "absent", "omit": "x"})
    fleet = lab.fleet
    assert lab.run("rotate_issue").status == 0
    provisioned = lab.run("provision")
    assert host.asked() == [] and fleet.held("web1") == today(), provisioned.output
    # All of them are blocked, so each finds the same series.
    for playbook in ("revoke", "rotate_deploy", "rotate_retire", "rotate"):
        fleet.give("web1", *fleet.simulator.key("shop", OLD))
        run = lab.run(playbook, magento_revoke_key=OLD, magento_revoke_replacement="current")
        assert host.asked() == [] and fleet.series() == {OLD: True, today(): True}, run.output
        assert fleet.held("web1") == (OLD if playbook == "rotate_retire" else today())
        assert run.status == 2 and "Blocked: web2: its facts set variables of the controller" in unwrapped(run), (
            run.output
        )


@pytest.mark.hosts(1)
def test_cached_facts_of_localhost(lab: Lab) -> None:
    cached(lab, localhost={"magento_revoke_leak": True})
    before, asked = lab.fleet.state(), lab.fleet.asked()
    for playbook in PARTS:
        run = lab.run(playbook, magento_revoke_key=OLD)
        assert run.status == 2 and plays(run) == ["Plan"] and "magento_revoke_leak" in headline(run), run.output
        assert lab.fleet.state() == before and lab.fleet.asked() == asked


@pytest.mark.hosts(2)
@pytest.mark.parametrize("playbook", ["rotate", "rotate_deploy", "revoke"])
def test_an_inventory_that_sends_localhost_elsewhere(lab: Lab, playbook: str) -> None:
    fleet, away = lab.fleet, {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    host = lab.hostile("localhost")
    lab.inventory = {
        "hosts": {"localhost": {**away, **fleet.own.pop("localhost")}},
        "vars": {"ansible_become": True, "ansible_become_exe": "/nowhere/sudo"},
        "children": {"web": {"vars": {"ansible_become": False}}},
    }
    # On a host with interpreter discovery, Ansible itself adds a fact to the answer.
    fleet.own["web2"] = {"ansible_python_interpreter": "auto", "ansible_interpreter_python_fallback": [PYTHON]}
    if playbook != "rotate":
        assert lab.run("rotate_issue").status == 0
    run = lab.run(playbook, magento_revoke_key=OLD, magento_revoke_replacement="current")
    assert run.status == 0 and fleet.all_hold() == {today()} and host.asked() == [], run.output
    assert fleet.series() == {OLD: playbook == "rotate_deploy", today(): True}


def _tasks(node: Any) -> list[dict[str, Any]]:
    """Every play, task and block in a file."""
    if isinstance(node, list):
        return [task for item in node for task in _tasks(item)]
    if not isinstance(node, dict):
        return []
    return [node, *(task for name in ("tasks", "block", "rescue", "always") for task in _tasks(node.get(name)))]


def test_no_task_is_delegated_and_every_play_of_the_controller_runs_locally() -> None:
    found = 0
    for path in [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").rglob("tasks/*.yml")]:
        for task in _tasks(yaml.safe_load(path.read_text())):
            assert not {"run_once", "delegate_to", "delegate_facts", "local_action"} & set(task), path
            if "hosts" in task and "magento_target)" not in str(task["hosts"]).partition("rotation_hosts")[0]:
                pinned = {"ansible_connection", "ansible_become", "ansible_python_interpreter"}
                assert pinned <= set(task["vars"]), path
                found += 1
    assert found == 5


def test_a_key_in_the_answer_of_a_host_is_redacted(fleet: Fleet, tmp_path: Path) -> None:
    """The module redacts the private keys that it knows in the text of hosts."""
    private = fleet.simulator.key("shop", OLD)[1]
    failed = {"failed": True, "msg": f"cannot read {private}"}
    given = {"phase": "retire", "series": fleet.settings, "hosts": {"web1": {"magento_rotation_confirmed": failed}}}
    file = tmp_path / "given.json"
    file.write_text(json.dumps({"given": {**given, "series": {**fleet.settings, "search": None}}}))
    run = fleet.control.run(
        "ansible", "localhost", "-vvv", "-m", "keyfleet.magento.magento_key_rotation", "-e", f"@{file}",
        "-a", json.dumps({name: f"{{{{ given.{name} }}}}" for name in given}), MAGENTO_VAULT=fleet.secret,
    )  # fmt: skip
    assert "Blocked: web1: cannot read ****" in run.output and private not in run.output, run.output
