# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of a rotation pass each setting and variable to modules and holders, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.client import Simulator
from system.control import PYTHON
from system.files.lab import Accounts
from system.rotation.lab import OLD, Fleet, today, unwrapped
from system.rotation.options.lab import (
    PACKAGE,
    UID,
    Recorded,
    expected_settings,
    no_implicit_tasks,
    outcomes,
    recorded_control,
    series,
    set_every_setting,
)

pytestmark = pytest.mark.needs("root", PYTHON)

ISSUE = "Create the next generation if one is due, and verify it"
RETIRE = "Disable superseded or revoked keys, or delete keys retired long ago"
DEPLOYED = "Check which hosts have the key"
LOOK = "Look for keys"
INSTALL, CONFIRM = "Install the auth keys", "Check what the role would change"


@pytest.fixture
def owner(accounts: Accounts) -> Iterator[str]:
    """A user without keys in the home; keys of the test are removed afterwards."""
    yield accounts.deploy.name
    for name in (".composer", ".config/composer"):
        shutil.rmtree(accounts.deploy.home / name, ignore_errors=True)


def both_forms(fleet: Fleet, owner: str) -> None:
    """Set every variable of the role for one key on ``web1``, none to its default; use a list on ``web2``."""
    directory = fleet.directory / "web1"
    fleet.own["web2"] = {"magento_auth_keys": fleet.variables.pop("magento_auth_keys")}
    fleet.own["web1"] = {
        "magento_auth_series": "fleet",
        "magento_auth_repository": "repo.magento.com",
        "magento_auth_url": fleet.simulator.url,
        "magento_auth_packages": [PACKAGE],
        "magento_auth_state": "present",
        "magento_auth_users": [owner],
        "magento_auth_projects": [str(directory / "shop")],
        "magento_auth_paths": [str(directory / "auth.json")],
        "magento_auth_owner": owner,
        "magento_auth_group": owner,
        "magento_auth_mode": "0640",
        "magento_auth_malformed": "replace",
        "magento_auth_verify": "always",
        "magento_auth_fail_on": ["invalid", "refused"],
        "magento_auth_validate_certs": False,
        "magento_auth_ca_path": fleet.simulator.ca_path,
        "magento_auth_timeout": 13.5,
        "magento_auth_use_proxy": False,
    }


def test_every_setting_reaches_its_module(fleet: Fleet, owner: str, tmp_path: Path) -> None:
    control = recorded_control(fleet)
    fleet.names = ("web1", "web2")
    fleet.settings["unmanaged_keys"] = "remove"
    old = set_every_setting(fleet)
    fleet.settings["external_holders"] = control.holders(tmp_path / "holders")
    both_forms(fleet, owner)
    run = fleet.run("rotate", "--diff")
    assert run.status == 0 and "failed=0" in run.output, run.output
    assert series(fleet) == {OLD: True, f"{UID} {OLD}": False, f"{UID} {today()}": True}
    assert {f.stat().st_mode & 0o777 for f in fleet.directory.glob("web1/**/auth.json")} == {0o640}

    new = fleet.simulator.key("shop", today(), UID)
    settings, account = expected_settings(fleet)
    assert control.arguments(ISSUE) == [{"phase": "issue", "series": settings}]
    assert control.arguments("Fetch the pair") == [
        {"labels": [today()], "uid": UID, "include_private_keys": True, **account}
    ]
    assert control.keywords("Fetch the pair", "no_log") == [True]
    removal = [{"public_key": old[0], "state": "absent", "search": ["{{ root | default('/nowhere') }}"]}]
    variables = {name[len("magento_auth_") :]: value for name, value in fleet.own["web1"].items()}
    one = {name: value for name, value in variables.items() if name != "series"}
    one |= {"public_key": new[0], "private_key": new[1], "option_prefix": "magento_auth_"}
    asked = ("verify", "fail_on", "validate_certs", "ca_path", "timeout", "use_proxy")
    for host in fleet.names:
        roots = [str(fleet.directory / host)]
        assert control.arguments(LOOK, host) == [{"all_users": True, "search": roots}] * 2
        for each in removal:
            each["search"] = roots
        pair = {
            "public_key": new[0],
            "private_key": new[1],
            "url": fleet.simulator.url,
            "projects": [f"{roots[0]}/shop"],
        }
        listed = {"keys": [pair, *removal], "option_prefix": "magento_auth_", "ca_path": fleet.simulator.ca_path}
        expected = {**one, "keys": removal} if host == "web1" else listed
        assert control.arguments(INSTALL, host) == [expected]
        unasked = {name: value for name, value in expected.items() if name not in asked}
        assert control.arguments(CONFIRM, host) == [{**unasked, "verify": "never"}]
        assert control.keywords(CONFIRM, "check_mode", host) == [True] and control.keywords(CONFIRM, "diff", host) == [
            False
        ]
    (retired,) = control.arguments(RETIRE)
    assert (retired["phase"], retired["series"], retired["holders"]) == (
        "retire",
        settings,
        {"ci": True, "vault": True},
    )
    assert {host: set(report) for host, report in retired["hosts"].items()} == dict.fromkeys(
        fleet.names,
        {"forged_facts", "magento_rotation_collected", "magento_auth_result", "magento_auth_confirmed",
         "magento_rotation_confirmed"},
    )  # fmt: skip
    for name in ("ci", "vault"):
        received = json.loads((tmp_path / "holders" / f"{name}.json").read_text())
        assert received == {"name": name, "label": today(), "public_key": new[0], "private_key": new[1]}
    assert outcomes(run, "Check for the pair") == ["failed", "ok", "failed", "ok", "ok", "ok"]
    assert outcomes(run, "Store the pair") == ["ok", "ok"]
    assert "holder.yml for localhost => (item=vault)" in run.output
    no_implicit_tasks(run)
    assert "Left to do: nothing" in run.output


def test_holders_are_asked_before_they_get_a_pair_and_are_named_when_they_block(fleet: Fleet, tmp_path: Path) -> None:
    control = recorded_control(fleet)
    fleet.names = ("web1",)
    refuses = control.write("refuses.yml", [{"name": "Refuse", "ansible.builtin.fail": {"msg": "not me"}}])
    fleet.settings |= {"expected_hosts": ["web1"], "batches": [1]}
    fleet.settings["external_holders"] = [
        *control.holders(tmp_path / "holders")[:1],
        {"name": "cloud", "tasks": str(refuses)},
    ]
    before = fleet.state()
    check = fleet.run("rotate", "--check")
    assert check.status == 0 and fleet.state() == before, check.output
    assert not outcomes(check, "Check for the pair") and not outcomes(check, "Refuse") and not outcomes(check, INSTALL)
    assert f"Would get {today()}: web1" in check.output
    assert outcomes(fleet.run("rotate_issue"), "Store the pair") == ["ok"]
    run = fleet.run("rotate")
    assert run.status == 2 and fleet.all_hold() == {today()} and fleet.series()[OLD], run.output
    assert "Blocked: the holder cloud" in run.output and "cloud has not confirmed the pair, which blocks" in unwrapped(
        run
    )
    # ci has the pair since rotate_issue: a confirmed pair is not published again.
    assert outcomes(run, "Store the pair") == [] and outcomes(run, "Check for the pair") == ["ok", "ok"]
    assert outcomes(run, "Refuse") == ["failed"] * 3
    assert control.arguments(RETIRE)[0]["holders"] == {"ci": True, "cloud": False}
    (tmp_path / "holders" / "ci.json").unlink()
    alone = fleet.run("rotate_retire")
    assert alone.status == 2 and "Blocked: the holder ci" in alone.output, alone.output
    assert outcomes(alone, "Store the pair") == [] and outcomes(alone, "Refuse") == ["failed"]


def test_phases_report_what_is_left_and_only_the_summary_fails(fleet: Fleet) -> None:
    control = recorded_control(fleet)
    fleet.names = ("web1", "web2")
    fleet.settings["expected_hosts"] = ["web1", "web2"]
    issue = fleet.run("rotate_issue")
    assert issue.status == 0 and "Left to do: run rotate_deploy" in issue.output, issue.output
    assert control.arguments(ISSUE)[0]["phase"] == "issue" and fleet.all_hold() == {OLD}
    fleet.own["web2"] = {"magento_auth_owner": "nobody-at-all"}
    deploy = fleet.run("rotate_deploy")
    assert deploy.status == 2 and (fleet.held("web1"), fleet.held("web2")) == (today(), OLD), deploy.output
    assert control.arguments(ISSUE)[0]["phase"] == "status"
    assert outcomes(deploy, DEPLOYED) == ["ok"] and outcomes(deploy, "Summary") == ["failed"]
    (given,) = control.arguments(DEPLOYED)
    assert (
        given["phase"] == "status" and given["series"]["prefix"] == "fleet" and set(given["hosts"]) == {"web1", "web2"}
    )
    assert "Hosts that have it: 1 of 2" in deploy.output and "Blocked: web2" in deploy.output
    fleet.own.clear()
    retire = fleet.run("rotate_retire")
    assert retire.status == 2 and fleet.series() == {OLD: True, today(): True}, retire.output
    assert control.arguments(ISSUE)[0]["phase"] == "status" and "Blocked: web2" in retire.output
    assert outcomes(retire, RETIRE) == ["ok"] and outcomes(retire, "Summary") == ["failed"]
    assert not [r for r in retire.record if r["task"].endswith(CONFIRM) and r["result"]["changed"]]
    assert not outcomes(retire, INSTALL) and len(outcomes(retire, LOOK)) == 2
    fine = fleet.run("rotate_deploy")
    assert fine.status == 0 and "Hosts that have it: 2 of 2" in fine.output, fine.output
    done = fleet.run("rotate_retire")
    assert done.status == 0 and fleet.series() == {OLD: False, today(): True}, done.output
    assert f"Disabled: {OLD}" in done.output
    for each in (issue, deploy, retire):
        no_implicit_tasks(each)


def later(value: str, before: str) -> str:
    """A template with another value after the keys of the host are collected."""
    return f"{{{{ '{value}' if magento_rotation_collected is defined else '{before}' }}}}"


UNREACHABLE = {"ansible_host": "127.0.0.1", "ansible_port": 1}
FAILING: dict[str, dict[str, Any]] = {
    "unreachable": {**UNREACHABLE, "ansible_connection": "ssh"},
    "failing": {"ansible_python_interpreter": "/bin/false"},
    "unreachable later": {**UNREACHABLE, "ansible_connection": later("ssh", "local")},
    "failing later": {"ansible_python_interpreter": later("/bin/false", PYTHON)},
}


@pytest.mark.parametrize("how", FAILING)
def test_the_summary_is_reached_when_the_only_host_fails(how: str, fleet: Fleet) -> None:
    fleet.names = ("web1",)
    fleet.settings["expected_hosts"] = ["web1"]
    fleet.own["web1"] = FAILING[how]
    run = fleet.run("rotate")
    assert run.status == 2 and "Blocked: web1" in run.output, run.output
    assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {OLD}
    bad = how.split()[0].replace("failing", "failed")
    late = how.endswith("later")
    assert outcomes(run, LOOK) == (["ok", bad] if late else [bad]), run.output
    assert outcomes(run, INSTALL) == ([bad] if late else []) and outcomes(run, CONFIRM) == ([bad] if late else [])
    assert outcomes(run, RETIRE) == ["ok"] and outcomes(run, "Summary") == ["failed"]


def test_provisioning_passes_the_same_options_as_a_rotation(fleet: Fleet, owner: str) -> None:
    control = recorded_control(fleet)
    fleet.names = ("web1", "web2")
    both_forms(fleet, owner)
    run = fleet.run("provision")
    assert run.status == 0 and f"The current key of the series fleet is {OLD}." in run.output, run.output
    public, private = fleet.simulator.key("shop", OLD)
    asked = fleet.asked()
    assert control.arguments(ISSUE)[0]["phase"] == "status"
    variables = {name[len("magento_auth_") :]: value for name, value in fleet.own["web1"].items()}
    one = {name: value for name, value in variables.items() if name != "series"}
    pair = {"public_key": public, "private_key": private, "option_prefix": "magento_auth_"}
    assert control.arguments(INSTALL, "web1") == [one | pair]
    no_implicit_tasks(run, "Validating arguments")
    # A pair in the host's own variables, and no series.
    fleet.own["web1"] |= {
        "magento_auth_series": None,
        "magento_auth_public_key": public,
        "magento_auth_private_key": private,
    }
    alone = fleet.play("keyfleet.magento.provision", magento_target="web1")
    assert alone.status == 0 and control.arguments(INSTALL, "web1") == [one | pair] and fleet.asked() == asked, (
        alone.output
    )
    assert {r["task"] for r in alone.record if r["host"] == "localhost"} == set()


def test_provisioning_skips_a_host_with_forged_facts(fleet: Fleet) -> None:
    fleet.names = ("web1", "web2")
    new = fleet.simulator.add_key("shop", today())
    recorded_control(fleet).facts["web1"] = {"magento_auth_state": "absent"}
    run = fleet.run("provision")
    assert run.status == 2 and "Nothing was installed on web1, whose facts" in unwrapped(run), run.output
    assert (fleet.held("web1"), fleet.held("web2")) == (OLD, today()) and new[1] not in str(run.record)
    assert {r["host"] for r in run.record} == {"localhost", "web2"}


def test_keys_and_tokens_are_installed_independently(control: Recorded, simulator: Simulator, tmp_path: Path) -> None:
    mage_id, token = simulator.token("shop")
    public, private = simulator.key("shop", "web")
    apart: dict[str, Any] = {
        "magento_auth_mage_id": mage_id,
        "magento_auth_download_token": token,
        "magento_auth_verify": "never",
    }
    apart["magento_auth_token_paths"] = [str(tmp_path / "netrc")]
    key = {"public_key": public, "private_key": private, "paths": [str(tmp_path / "auth.json")]}
    alone = control.role(apart)
    assert alone.status == 0 and not outcomes(alone, INSTALL) and (tmp_path / "netrc").exists(), alone.output
    both = control.role({**apart, "magento_auth_keys": [key]})
    assert both.status == 0 and outcomes(both, INSTALL) == ["ok"] and (tmp_path / "auth.json").exists(), both.output
    neither = control.role({"magento_auth_verify": "never"})
    assert neither.status == 2 and "neither magento_auth_keys nor" in unwrapped(neither), neither.output
