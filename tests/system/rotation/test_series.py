# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries of a host get the pair of a series, alone and beside other series, with the real ansible-playbook."""

from __future__ import annotations

import json
from typing import Any

import pytest

from system.control import PYTHON
from system.rotation.lab import (
    CONFIRM,
    DEPLOY,
    INSTALL,
    OLD,
    PHASE,
    Fleet,
    days_ago,
    headline,
    pair,
    plays,
    results,
    summary_lines,
    today,
    unwrapped,
)

pytestmark = pytest.mark.needs("root", PYTHON)
OTHER = "db"


def entry(fleet: Fleet, path: str, **more: Any) -> dict[str, Any]:
    return {"projects": [f"{{{{ root }}}}/{path}"], "url": fleet.simulator.url, **more}


@pytest.fixture
def two(fleet: Fleet) -> dict[str, Any]:
    """Install keys of two series and one other key on every host. Returns the settings of the second series."""
    fleet.simulator.add_key("shop", f"{OTHER}-20260101")
    for name in fleet.names:
        fleet.give(name, *fleet.simulator.key("shop", f"{OTHER}-20260101"), OTHER)
        fleet.give(name, *fleet.simulator.key("shop", "ci"), "tools")
    fleet.variables["magento_auth_keys"] = [
        entry(fleet, OTHER, series=OTHER),
        entry(fleet, "shop", series="fleet"),
        entry(fleet, "tools", **pair(fleet, "ci")),
    ]
    return {**fleet.settings, "prefix": OTHER}


def places(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Directory and action of each file in one result of the module."""
    return [(row["path"].split("/")[-2], row["action"]) for row in result["files"]]


@pytest.mark.hosts(2)
def test_all_keys_of_a_host_in_one_execution_and_none_of_another_series(fleet: Fleet, two: dict[str, Any]) -> None:
    fleet.variables["magento_auth_keys"].append(entry(fleet, "more", series="fleet"))
    for name in fleet.names:
        (fleet.directory / name / "more").mkdir()
    run = fleet.run("rotate")
    assert run.status == 0, run.output
    assert len(run.of(action=INSTALL)) == 4
    for name in fleet.names:
        deployed, confirmed = results(run, DEPLOY)[name], results(run, CONFIRM)[name]
        assert sorted(places(deployed)) == [("more", "created"), ("shop", "updated"), ("tools", "unchanged")]
        assert sorted(places(confirmed)) == [(path, "unchanged") for path in ("more", "shop", "tools")]
        held = [fleet.held(name, path) for path in ("shop", "more", OTHER, "tools")]
        assert held == [today(), today(), f"{OTHER}-20260101", "ci"]
    assert fleet.series(f"{OTHER}-") == {f"{OTHER}-20260101": True} and fleet.series() == {OLD: False, today(): True}


def imported(**settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Plays that import one rotation after the other, each with the settings of its series."""
    return [
        {"name": name, "import_playbook": "keyfleet.magento.rotate",
         "vars": {"magento_target": "web", "magento_series": each}}
        for name, each in settings.items()
    ]  # fmt: skip


@pytest.mark.hosts(2)
def test_two_series_in_one_run_never_mix(fleet: Fleet, two: dict[str, Any]) -> None:
    run = fleet.site(imported(one=fleet.settings, other=two))
    assert run.status == 0, run.output
    assert plays(run) == 2 * ["Plan", "Collect installed keys", "Deploy", "Confirm", "Retire", "Summary"]
    new = days_ago(0, OTHER)
    for name in fleet.names:
        assert [fleet.held(name, path) for path in ("shop", OTHER, "tools")] == [today(), new, "ci"]
    assert fleet.series("") | {OLD: False, today(): True, f"{OTHER}-20260101": False, new: True} == fleet.series("")
    assert [r["msg"][0].split(":")[0] for r in run.of("localhost", "ansible.builtin.assert")] == [
        "Retirement of the series fleet",
        f"Retirement of the series {OTHER}",
    ]
    before = fleet.state()
    again = fleet.site(imported(other=two, one=fleet.settings))
    assert again.status == 0 and fleet.state() == before, again.output


@pytest.mark.hosts(1)
def test_a_series_that_blocks_ends_the_run(fleet: Fleet, two: dict[str, Any]) -> None:
    fleet.settings["expected_hosts"].append("web4")
    run = fleet.site(imported(one=fleet.settings, other=two))
    assert run.status == 2 and plays(run).count("Plan") == 1, run.output
    assert fleet.series() == {OLD: True, today(): True}
    assert fleet.series(f"{OTHER}-") == {f"{OTHER}-20260101": True} and fleet.all_hold() == {today()}


def test_the_flat_form_and_state_absent(fleet: Fleet) -> None:
    fleet.variables = {
        "magento_auth_series": "fleet",
        "magento_auth_projects": ["{{ root }}/shop"],
        "magento_auth_url": fleet.simulator.url,
        "magento_auth_ca_path": fleet.simulator.ca_path,
    }
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.all_hold() == {today()}, run.output
    assert fleet.series() == {OLD: False, today(): True}
    # In this form, too, an entry of another series is skipped.
    fleet.own["web2"] = {"magento_auth_series": OTHER}
    idle = fleet.run("provision")
    assert idle.status == 0 and set(results(idle, DEPLOY)) == {"web1", "web3"}, idle.output
    del fleet.own["web2"]
    # Any key is removed, even without the settings of the series.
    absent = fleet.play("keyfleet.magento.provision", magento_target="web", magento_auth_state="absent")
    assert absent.status == 0 and fleet.all_hold() == {None}, absent.output


def test_a_series_with_state_absent_in_the_list(fleet: Fleet) -> None:
    fleet.own["web2"] = {"magento_auth_keys": [entry(fleet, "shop", series="fleet", state="absent")]}
    fleet.own["web3"] = {"magento_auth_state": "absent"}
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output
    assert [fleet.held(name) for name in fleet.names] == [today(), None, None]


def test_a_series_beside_a_pair_fails_only_its_host(fleet: Fleet) -> None:
    fleet.own["web2"] = {"magento_auth_keys": [entry(fleet, "shop", series="fleet", **pair(fleet, "ci"))]}
    run = fleet.run("rotate", settings={"max_failed": 1})
    reason = "magento_auth_keys[0]: series cannot be combined with a pair; the pair comes from the series"
    assert run.status == 2 and fleet.series() == {OLD: True, today(): True}, run.output
    assert [
        line.startswith("Blocked: web2: ") and line.endswith(reason) for line in summary_lines(run) if "Blocked" in line
    ] == [True]
    assert [fleet.held(name) for name in fleet.names] == [today(), OLD, today()]


def test_a_series_without_settings(fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.play("keyfleet.magento.provision", magento_target="web")
    assert run.status == 2 and plays(run) == ["Plan", "Install the Magento credentials"], run.output
    assert "magento_auth_keys[0]: the pair of the series fleet comes from magento_series, which is not set" in headline(
        run
    )
    assert fleet.state() == before and fleet.asked() == 0


@pytest.mark.hosts(1)
def test_a_pair_beside_the_series_keeps_the_old_key(fleet: Fleet) -> None:
    halves = zip(("magento_auth_public_key", "magento_auth_private_key"), fleet.simulator.key("shop", OLD), strict=True)
    fleet.variables |= dict(halves)
    run = fleet.run("rotate")
    assert run.status == 2 and fleet.all_hold() == {OLD} and fleet.series()[OLD], run.output


@pytest.mark.hosts(1)
def test_a_playbook_of_the_operator_imports_provisioning(fleet: Fleet) -> None:
    fleet.file("web1").unlink()
    site = {"name": "Provision", "import_playbook": "keyfleet.magento.provision", "vars": {"magento_target": "web"}}
    run = fleet.site([site], magento_series=fleet.settings)
    assert run.status == 0 and fleet.all_hold() == {OLD}, run.output


@pytest.mark.hosts(1)
@pytest.mark.parametrize("playbook", ["rotate", "provision"])
def test_no_key_of_the_series_in_the_target(playbook: str, fleet: Fleet) -> None:
    fleet.variables["magento_auth_keys"] = [
        entry(fleet, "shop", series=OTHER),
        entry(fleet, "tools", **pair(fleet, "ci")),
    ]
    before = fleet.state()
    run = fleet.run(playbook)
    assert run.status == 2 and plays(run) == ["Plan"] and fleet.state() == before, run.output
    assert "no host of the target names the series fleet in magento_auth_keys" in headline(run)
    assert fleet.asked() == 0


def test_one_host_with_a_key_of_the_series_is_enough(fleet: Fleet) -> None:
    fleet.grow(4)
    for name in ("web1", "web2", "web4"):
        fleet.file(name).unlink()
        fleet.give(name, *fleet.simulator.key("shop", "ci"), "tools")
    fleet.own = {
        # No key, and only a key of another series: the module does not run on these hosts.
        "web1": {"magento_auth_mage_id": "MAG0", "magento_auth_download_token": "{{ 'f' * 40 }}"},
        "web2": {"magento_auth_keys": [entry(fleet, "shop", series=OTHER)]},
        "web3": {"magento_auth_keys": fleet.variables.pop("magento_auth_keys")},
        # Only a pair of its own.
        "web4": {"magento_auth_keys": [entry(fleet, "tools", **pair(fleet, "ci"))]},
    }
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output
    assert [fleet.held(name) for name in fleet.names] == [None, None, today(), None]
    assert set(results(run, DEPLOY)) == set(results(run, CONFIRM)) == {"web3", "web4"}


@pytest.mark.hosts(1)
def test_keys_as_extra_variables(fleet: Fleet) -> None:
    run = fleet.run("rotate", magento_auth_keys=fleet.variables.pop("magento_auth_keys"))
    assert run.status == 0 and fleet.all_hold() == {today()}, run.output


@pytest.mark.hosts(1)
@pytest.mark.parametrize(
    ("half", "playbook"), [("magento_auth_public_key", "rotate"), ("magento_auth_private_key", "provision")]
)
def test_extra_variables_that_fix_the_pair(half: str, playbook: str, fleet: Fleet) -> None:
    before = fleet.state()
    key = pair(fleet, "ci")[half.removeprefix("magento_auth_")]
    given: dict[str, Any] = {half: key}
    run = fleet.run(playbook, **given)
    assert run.status == 2 and plays(run) == ["Plan"] and fleet.state() == before, run.output
    assert "are set by extra variables, which override the pair of a series on every host" in headline(run)
    assert fleet.asked() == 0 and key not in unwrapped(run) + json.dumps(run.record)


@pytest.mark.hosts(2)
def test_the_same_pair_in_the_inventory_is_an_error_of_its_host(fleet: Fleet) -> None:
    fleet.variables |= {"magento_auth_series": "fleet", "magento_auth_projects": ["{{ root }}/shop"]}
    del fleet.variables["magento_auth_keys"]
    fleet.own["web1"] = {f"magento_auth_{name}": half for name, half in pair(fleet, "ci").items()}
    run = fleet.run("rotate_deploy")
    assert run.status == 2 and run.of("localhost", PHASE)[-1]["blocked"][0]["host"] == "web1", run.output
    assert "magento_auth_series: series cannot be combined with a pair" in unwrapped(run) and fleet.held("web1") == OLD
