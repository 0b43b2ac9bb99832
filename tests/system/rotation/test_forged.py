# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose facts set variables of the controller get no more secrets, and cannot redirect its requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from system.control import PYTHON
from system.rotation.hostile_host import HONEST, PHASES, CountingServer, Hostile, Lab, listening
from system.rotation.lab import OLD, Fleet, summary_lines, today, unwrapped

pytestmark = pytest.mark.needs("root", PYTHON)


@pytest.fixture
def elsewhere() -> Iterator[CountingServer]:
    """A server of the attacker."""
    with listening() as server:
        yield server


@pytest.fixture
def lab(fleet: Fleet) -> Lab:
    """A fleet without hostile hosts. All hosts of the inventory except those in `web` have an unusable ``become``."""
    unusable = {"ansible_become": True, "ansible_become_exe": "/nowhere/sudo"}
    return Lab(fleet, {"vars": unusable, "children": {"web": {"vars": {"ansible_become": False}}}})


def facts(elsewhere: CountingServer, program: str) -> dict[str, Any]:
    """A fact for every variable that the collection reads, or Ansible on its behalf."""
    url, pair = elsewhere.url, {"label": "x", "public_key": "1" * 32, "private_key": "2" * 32}
    series = {
        "prefix": "fleet",
        "application_id": "x",
        "application_secret": "x",
        "api_url": url,
        "url": url,
        "pair": pair,
    }
    plan = {"changed": True, "series": "fleet", "label": "x", "uid": "x", "summary": "forged", "generations": []}
    keys = [{**pair, "url": url, "paths": ["/nowhere/auth.json"]}]
    everyone = {"web1": {}, "web2": {}, "web3": {}, "localhost": {"magento_rotation_plan": plan}}
    return {
        "magento_series": series, "magento_target": "all", "magento_rotation_plan": plan, "ansible_async": 1,
        "magento_rotation_pair": {"marketplace_keys": [pair]}, "magento_rotation_current": [OLD],
        "magento_rotation_target": [], "magento_rotation_controller": "all", "magento_rotation_retired": plan,
        "magento_rotation_deployed": plan, "magento_rotation_answer": plan, "magento_rotation_collected": HONEST,
        "magento_rotation_confirmed": HONEST, "magento_auth_result": HONEST, "magento_auth_confirmed": HONEST,
        "magento_auth_resolved": {"entries": keys, "given": True, "idle": False}, "magento_auth_keys": keys,
        "magento_auth_series": "fleet", "magento_auth_state": "absent", "magento_auth_verify": "never",
        "magento_auth_url": url, "magento_auth_ca_path": "/nowhere", "magento_auth_users": ["root"],
        "magento_auth_mage_id": "x", "magento_auth_download_token": "x", "magento_auth_token_downloads_url": url,
        "magento_revoke_key": today(), "magento_revoke_leak": True, "magento_revoke_delete": True,
        "magento_revoke_replacement": pair, "magento_revoke_found": pair, "magento_revoke_pair": pair,
        "magento_revoke_account": {"marketplace_keys": []}, "magento_revoke_disabled": {"failed": False},
        "magento_key_rotation_confirmed": {"x": True}, "magento_key_rotation_publish": True, "holder_phase": "publish",
        "holder_name": "x", "ansible_limit": "web1", "ansible_check_mode": False, "ansible_play_hosts_all": [],
        "ansible_play_hosts": [], "ansible_facts": {}, "hostvars": everyone, "groups": {"all": ["web1"], "web": []},
        "omit": "x", "inventory_hostname": "web1", "inventory_hostname_short": "web1", "group_names": [],
        "playbook_dir": "/", "ansible_playbook_python": str(program), "ansible_connection": "ssh",
        "ansible_host": "203.0.113.1", "ansible_become": True, "root": "/nowhere", "role_path": "/",
        "ansible_python_interpreter": str(program), "ansible_delegated_vars": {}, "ansible_control_path": "/nowhere",
        "ansible_sftp_executable": str(program), "magento_rotation_phase": "issue", "vars": {},
        "ansible_become_exe": "/nowhere/sudo", "environment": {"A": "B"}, "item": "x", "ansible_loop_var": "x",
    }  # fmt: skip


INFO, INSTALL = "magento_auth_key_info", "magento_auth_key"
# All modules that a host gets if it forges facts in this phase.
UNTIL = {
    "collect": [INFO],
    "deploy": [INFO, INSTALL, INSTALL, INFO],
    "would": [INFO, INSTALL, INSTALL, INFO],
    "confirm": [INFO, INSTALL, INSTALL, INFO],
}
ALL = ("web1", "web2", "web3")


def nothing_redirected(lab: Lab, elsewhere: CountingServer, hosts: list[Hostile]) -> None:
    """The hosts got no credentials and no modules of the controller; no request went to the attacker's server."""
    for host in hosts:
        given = host.given()
        assert set(host.asked()) <= {INFO, INSTALL}, host.asked()
        assert lab.fleet.secret not in given and "application_secret" not in given
    assert elsewhere.connections() == 0


@pytest.mark.parametrize(
    "phases",
    [
        {"web1": "collect", "web3": "deploy"},
        {"web1": "deploy", "web3": "collect"},
        {"web1": "confirm", "web2": "collect"},
        dict.fromkeys(ALL, "collect"),
        dict.fromkeys(ALL, "deploy"),
        {"web1": "would", "web2": "confirm", "web3": "would"},
    ],
    ids=str,
)
def test_a_host_that_forges_facts_blocks_and_redirects_no_request(
    lab: Lab, elsewhere: CountingServer, phases: dict[str, str]
) -> None:
    hosts = {name: lab.hostile(name) for name in phases}
    for name, host in hosts.items():
        host.forge(facts(elsewhere, host.program), phases[name])
    fleet, honest = lab.fleet, [name for name in lab.fleet.names if name not in phases]
    # A forged answer is a failure: without max_failed, no further batch would start.
    run = lab.run("rotate", settings={"batches": [1, "100%"], "max_failed": len(phases)})
    assert run.status == 2 and fleet.series() == {OLD: True, today(): True}, run.output
    assert {name: fleet.held(name) for name in fleet.names} == {n: today() if n in honest else OLD for n in fleet.names}
    rows = [row for row in summary_lines(run) if "the result sets variables of the controller" in row]
    assert [row.split(": ")[:2] for row in rows] == [["Blocked", name] for name in phases], run.output
    assert {name: host.asked() for name, host in hosts.items()} == {name: UNTIL[phases[name]] for name in phases}
    private = fleet.simulator.key("shop", today())[1]
    assert not any(private in host.given() for name, host in hosts.items() if phases[name] == "collect")
    nothing_redirected(lab, elsewhere, list(hosts.values()))


@pytest.mark.hosts(2)
def test_an_excluded_host_that_forges_facts_blocks_nothing(lab: Lab, elsewhere: CountingServer) -> None:
    host, fleet = lab.hostile("web1"), lab.fleet
    host.forge(facts(elsewhere, host.program), "collect")
    run = lab.run("rotate", settings={"excluded_hosts": ["web1"]})
    assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output
    assert host.asked() == [INFO] and fleet.held("web2") == today()
    nothing_redirected(lab, elsewhere, [host])


@pytest.mark.parametrize(
    "forged", [{"address": "203.0.113.1"}, {"ansible_control_path": "/nowhere"}], ids=["own", "core"]
)
@pytest.mark.hosts(2)
def test_facts_in_an_answer_count_as_forged(lab: Lab, forged: dict[str, Any]) -> None:
    host, fleet = lab.hostile("web2"), lab.fleet
    fleet.own["web2"] |= {"address": "127.0.0.1", "ansible_host": "{{ address }}"}
    host.forge(forged, "collect")
    run = lab.run("rotate")
    assert run.status == 2 and f"({', '.join(map(repr, forged))}" in unwrapped(run), run.output
    assert host.asked() == [INFO] and fleet.series()[OLD] and fleet.held("web1") == today()


# Other keys by which a host could end the run for all hosts, or set variables of later jobs of a workflow.
OTHERS: dict[str, Any] = {
    "ansible_stats": {"data": {"magento_series": {"prefix": "x"}}, "aggregate": False},
    "results": [1, {"unreachable": "x"}],
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("name", OTHERS)
def test_other_keys_that_ansible_acts_on_count_as_forged(lab: Lab, name: str) -> None:
    host = lab.hostile("web2")
    host.answer(**dict.fromkeys(PHASES, {**HONEST, name: OTHERS[name]}))
    run = lab.run("rotate")
    reason = f"Blocked: web2: the result sets variables of the controller ('{name}')"
    assert run.status == 2 and reason in unwrapped(run), run.output
    assert host.asked() == [INFO] and lab.fleet.series()[OLD]
    assert lab.fleet.held("web1") == today()
    lab.fleet.settings["excluded_hosts"] = ["web2"]
    excluded = lab.run("rotate")
    assert excluded.status == 0 and not lab.fleet.series()[OLD], excluded.output


@pytest.mark.hosts(2)
def test_a_host_that_forges_facts_gets_no_token(lab: Lab) -> None:
    mage_id, token = lab.fleet.simulator.token("shop")
    host = lab.hostile("web2")
    host.forge({"ansible_control_path": "/nowhere", "discovered_interpreter_python": host.program}, "deploy")
    paths = {"magento_auth_token_paths": ["{{ root }}/netrc"], "magento_auth_verify": "never"}
    lab.fleet.variables |= {"magento_auth_mage_id": mage_id, "magento_auth_download_token": token, **paths}
    run = lab.run("provision")
    assert run.status == 2 and "the result sets variables of the controller ('ansible_control_path')" in unwrapped(
        run
    ), run.output
    assert host.asked() == [INSTALL] and (lab.fleet.directory / "web1" / "netrc").exists()
    host.answer(deploy=HONEST, other={**HONEST, "ansible_facts": {"x": 1}})
    again = lab.run("provision")
    assert again.status == 2 and "('x')" in unwrapped(again) and host.asked()[-1] == "magento_download_token", (
        again.output
    )


@pytest.mark.hosts(2)
@pytest.mark.parametrize("phase", ["collect", "confirm"])
def test_a_revocation_with_a_forging_host(lab: Lab, elsewhere: CountingServer, phase: str) -> None:
    host, fleet = lab.hostile("web2"), lab.fleet
    assert lab.run("rotate_issue").status == 0
    host.forge(facts(elsewhere, host.program), phase)
    run = lab.run("revoke", magento_revoke_key=OLD, magento_revoke_replacement="current")
    assert run.status == 2 and fleet.series() == {OLD: True, today(): True}, run.output
    assert "Blocked: web2: the result sets variables of the controller" in unwrapped(run), run.output
    assert host.asked() == UNTIL[phase] and fleet.held("web1") == today()
    nothing_redirected(lab, elsewhere, [host])


@pytest.mark.hosts(2)
@pytest.mark.parametrize("playbook", ["rotate_deploy", "rotate_retire"])
def test_a_part_of_a_rotation_with_a_forging_host(lab: Lab, elsewhere: CountingServer, playbook: str) -> None:
    host, fleet = lab.hostile("web2"), lab.fleet
    assert lab.run("rotate_issue").status == 0
    host.forge(facts(elsewhere, host.program), "collect", "would", "confirm")
    run = lab.run(playbook)
    assert run.status == 2 and fleet.series() == {OLD: True, today(): True}, run.output
    assert "Blocked: web2: the result sets variables of the controller" in unwrapped(run), run.output
    assert fleet.held("web1") == (today() if playbook == "rotate_deploy" else OLD)
    assert host.asked() == ([INFO] if playbook == "rotate_deploy" else [INSTALL, INFO])
    nothing_redirected(lab, elsewhere, [host])
