# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of a rotation under the real ansible-playbook: who holds it up, what is left alone, what is said."""

from __future__ import annotations

import os
from typing import Any

import _control
import _file_lab
import _rotation_lab
import pytest
from _file_lab import Accounts
from _rotation_lab import INFO, INSTALL, OLD, PHASE, PYTHON, Fleet, today, words

pytestmark = pytest.mark.needs("root", PYTHON)
accounts, control, fleet = _file_lab.accounts, _control.control, _rotation_lab.fleet
QUIET = "changed=0"


def test_one_command_rotates_the_fleet_and_the_next_one_changes_nothing(fleet: Fleet) -> None:
    del fleet.variables["magento_key_rotation_serial"]
    run = fleet.run("rotate", "-vvvv", "--diff")
    assert run.status == 0, run.output
    assert fleet.series() == {OLD: False, today(): True}
    assert fleet.all_hold() == {today()}
    fleet.everybody_works()
    for line in (f"Generation: {today()}", "Hosts that have it: 3 of 3", f"Disabled: {OLD}", "Left to do: nothing"):
        assert line in run.output, run.output
    before = fleet.state()
    again = fleet.run("rotate")
    assert again.status == 0 and fleet.state() == before, again.output
    assert {r["result"]["changed"] for r in again.record} == {False}, again.output


def test_a_host_that_is_down(fleet: Fleet) -> None:
    fleet.broken = ("web2",)
    run = fleet.run("rotate", magento_key_rotation_max_fail_percentage=100)
    assert run.status != 0, run.output
    assert "Held up by web2: it could not be asked" in run.output, run.output
    assert f"Left to do: {OLD} still enabled" in run.output, run.output
    assert fleet.series() == {OLD: True, today(): True}
    fleet.everybody_works()
    fleet.broken = ()
    whole = fleet.run("rotate")
    assert whole.status == 0 and fleet.all_hold() == {today()}, whole.output
    assert fleet.series() == {OLD: False, today(): True}


def test_a_host_that_is_given_up_by_name(fleet: Fleet) -> None:
    fleet.broken = ("web2",)
    run = fleet.run("rotate", magento_key_rotation_max_fail_percentage=100,
                    magento_key_rotation_written_off=["web2"])  # fmt: skip
    assert fleet.series() == {OLD: False, today(): True}, run.output
    assert fleet.held("web2") == OLD


def test_too_many_failures_stop_the_run_in_the_deployment(fleet: Fleet) -> None:
    del fleet.variables["magento_key_rotation_serial"]
    fleet.broken = ("web1",)
    run = fleet.run("rotate")
    assert run.status != 0 and not [r for r in run.of(action=PHASE) if "retired" in r], run.output
    assert fleet.held("web3") == OLD and fleet.series() == {OLD: True, today(): True}
    fleet.everybody_works()


@pytest.mark.parametrize("how", ["limit", "shortened"])
def test_hosts_that_a_run_does_not_see_hold_it_up(how: str, fleet: Fleet) -> None:
    if how == "limit":
        run = fleet.run("rotate", "--limit", "web1")
    else:
        names, fleet.names = fleet.names, ("web1", "web2")
        run = fleet.run("rotate")
        fleet.names = names
    assert run.status != 0 and "Held up by web3: it was not asked" in run.output, run.output
    assert fleet.series() == {OLD: True, today(): True}
    fleet.everybody_works()
    whole = fleet.run("rotate")
    assert whole.status == 0 and fleet.all_hold() == {today()}, whole.output
    assert fleet.series() == {OLD: False, today(): True}


def test_a_number_does_where_names_cannot_be_known(fleet: Fleet) -> None:
    fleet.variables["magento_key_rotation_expected_hosts"] = []
    four = fleet.run("rotate", magento_key_rotation_expected_count=4)
    assert four.status != 0 and "4 hosts are expected and 3 are accounted for" in words(four), four.output
    assert fleet.series()[OLD] is True
    three = fleet.run("rotate", magento_key_rotation_expected_count=3)
    assert three.status == 0 and fleet.series()[OLD] is False, three.output


@pytest.mark.parametrize("target", [None, "wbe", "all"])
@pytest.mark.parametrize("playbook", ["rotate", "rotate_retire"])
def test_a_mistyped_group(target: str | None, playbook: str, fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.run(playbook, target=target)
    assert run.status != 0 and run.record == [] and fleet.state() == before, run.output


def test_nobody_expected_is_an_error_before_anything_is_done(fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.run("rotate", magento_key_rotation_expected_hosts=[])
    assert run.status != 0 and "Declare which hosts have to go over" in words(run), run.output
    assert fleet.state() == before and not run.of(action=PHASE)
    alone = fleet.run("rotate_retire", magento_key_rotation_expected_hosts=[])
    assert alone.status != 0 and fleet.state() == before, alone.output


def test_nobody_outside_has_been_asked(fleet: Fleet) -> None:
    run = fleet.run("rotate", magento_key_rotation_external_holders_acknowledged=False)
    assert run.status != 0 and "have not been acknowledged" in words(run), run.output
    assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {today()}


def test_a_stale_file_is_found_and_renewed(fleet: Fleet) -> None:
    public, private = fleet.simulator.key("shop", OLD)
    fleet.give("web2", public, private, "releases/1")
    stranger = fleet.simulator.key("shop", "ci")
    fleet.give("web2", *stranger, "tools")
    run = fleet.run("rotate")
    assert run.status == 0, run.output
    assert (fleet.held("web2"), fleet.held("web2", "releases/1"), fleet.held("web2", "tools")) == (
        today(), today(), "ci"
    )  # fmt: skip


def test_the_owner_of_a_stale_file_stays(fleet: Fleet, accounts: Accounts) -> None:
    deploy, other = accounts.deploy, accounts.other
    pair = fleet.simulator.key("shop", OLD)
    stale = {}
    for name in fleet.names:
        # The deploy user's file in a directory of root's, and another user's copy that no variable names.
        os.chown(fleet.file(name), deploy.uid, deploy.gid)
        stale[name] = fleet.give(name, *pair, "elsewhere")
        for path in (stale[name], stale[name].parent):
            os.chown(path, other.uid, other.gid)
        (fleet.directory / name / "link").symlink_to("shop")
    # The project is reached through a link, as after a deployment, and its file is found below the search root as well.
    fleet.variables |= {"magento_auth_owner": deploy.name, "magento_auth_mode": "0640"}
    fleet.variables["magento_auth_projects"] = ["{{ root }}/link"]
    run = fleet.run("rotate")
    assert run.status == 0, run.output
    for name in fleet.names:
        assert fleet.held(name) == fleet.held(name, "elsewhere") == today()
        assert (fleet.file(name).stat().st_uid, stale[name].stat().st_uid) == (deploy.uid, other.uid)
        assert {file.stat().st_mode & 0o777 for file in (fleet.file(name), stale[name])} == {0o640}
    assert fleet.run("rotate").status == 0
    checked = fleet.run("rotate", "--check", magento_key_rotation_rotate_now=True)
    assert checked.status == 0, checked.output


def test_an_old_key_where_nobody_may_write_holds_it_up(fleet: Fleet) -> None:
    public, private = fleet.simulator.key("shop", OLD)
    # The project's composer.json takes part, too; it is a person's file, and tracked by git.
    config = '{"config": {"http-basic": {"repo.magento.com": {"username": "%s", "password": "%s"}}}}'
    (fleet.directory / "web3" / "shop" / "composer.json").write_text(config % (public, private))
    fleet.variables["magento_auth_projects"] = []
    fleet.variables["magento_key_rotation_projects"] = ["{{ root }}/shop"]
    fleet.file("web3").unlink()
    (fleet.directory / "web3" / "shop" / "auth.json").symlink_to("/dev/null")
    run = fleet.run("rotate", magento_key_rotation_max_fail_percentage=100)
    assert run.status != 0 and fleet.series()[OLD] is True, run.output


def test_a_key_that_the_repository_does_not_know_yet(fleet: Fleet) -> None:
    fleet.simulator.set_switch("api_effect_requests", 1000)
    run = fleet.run("rotate")
    assert run.status != 0 and "did not accept it within 2 s" in words(run), run.output
    assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {OLD}
    assert run.of(action=PHASE)[-1]["code"] == "unproved"
    fleet.simulator.settle()
    fleet.simulator.set_switch("api_effect_requests", None)
    again = fleet.run("rotate")
    assert again.status == 0 and fleet.series() == {OLD: False, today(): True}, again.output


def test_a_lost_answer_makes_no_second_key(fleet: Fleet) -> None:
    fleet.simulator.add_fault("reset", method="POST", path="*/keys", count=1)
    run = fleet.run("rotate")
    assert run.status == 0, run.output
    assert fleet.series() == {OLD: False, today(): True}
    assert len(fleet.simulator.requests(operation="create")) == 1


@pytest.mark.parametrize("outage", ["api", "repository"])
def test_an_outage_disables_nothing(outage: str, fleet: Fleet) -> None:
    path = "/rest/*" if outage == "api" else "/packages.json"
    assert fleet.run("rotate_issue").status == 0
    if outage == "repository":
        assert fleet.run("rotate_deploy").status == 0
    fault = fleet.simulator.add_fault("status", status=401, path=path)
    for playbook in ("rotate", "rotate_retire"):
        run = fleet.run(playbook)
        assert run.status != 0, run.output
        assert fleet.series() == {OLD: True, today(): True}, run.output
    fleet.simulator.remove_fault(fault)
    fleet.everybody_works()
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output


def test_check_mode_writes_nothing_anywhere_and_tells(fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.run("rotate", "--check", "--diff")
    assert run.status == 0 and fleet.state() == before, run.output
    assert f"{today()} does not exist yet" in words(run), run.output
    assert run.of(action=PHASE)[0]["due"] is True
    assert fleet.run("rotate_issue").status == 0
    before = fleet.state()
    run = fleet.run("rotate", "--check", "--diff")
    assert run.status == 0 and fleet.state() == before, run.output
    assert [r["changed"] for r in run.of(action=INSTALL)] == [True] * 3
    assert f"Would disable: {OLD}" in run.output, run.output


@pytest.mark.parametrize("given", ["inventory", "extra"])
def test_batches_are_those_of_the_variables_wherever_they_stand(given: str, fleet: Fleet) -> None:
    assert fleet.run("rotate_issue").status == 0
    del fleet.variables["magento_key_rotation_serial"]
    batches: dict[str, Any] = {"magento_key_rotation_serial": [2, 1]}
    if given == "inventory":
        fleet.variables.update(batches)
    run = fleet.run("rotate_deploy", **(batches if given == "extra" else {}))
    assert run.status == 0 and fleet.all_hold() == {today()}, run.output
    plays = run.output.split("PLAY [")[1:]
    told = [{host for host in fleet.names if f": [{host}" in play} for play in plays]
    assert [len(hosts) for hosts in told] == [0, 2, 1], run.output


def test_phases_one_by_one_with_slices_for_the_deployment_only(fleet: Fleet) -> None:
    assert fleet.run("rotate_issue").status == 0
    for name in fleet.names:
        assert fleet.run("rotate_deploy", "--limit", name, magento_key_rotation_expected_hosts=[]).status == 0
        if name != "web3":
            early = fleet.run("rotate_retire")
            assert early.status != 0 and "Held up by web3" in early.output, early.output
    run = fleet.run("rotate_retire")
    assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output


def test_there_is_nothing_to_deploy(fleet: Fleet) -> None:
    run = fleet.run("rotate_deploy", magento_key_rotation_prefix="nothing")
    assert run.status != 0 and "Run keyfleet.magento.rotate_issue first" in words(run), run.output


def test_an_overlap_keeps_the_old_key_for_those_who_follow(fleet: Fleet) -> None:
    run = fleet.run("rotate", magento_key_rotation_overlap=7)
    assert run.status == 0 and fleet.series() == {OLD: True, today(): True}, run.output
    assert "older ones stay enabled until it is older than 7" in words(run), run.output


def test_pruning_asks_the_whole_inventory_and_waits_for_it(fleet: Fleet) -> None:
    """``web3`` is no part of the target; it is asked, and only then the oldest generation goes."""
    fleet.simulator.add_key("shop", "fleet-20250101", enabled=False)
    fleet.variables["magento_key_rotation_expected_hosts"] = ["web1", "web2"]
    fleet.broken = ("web3",)
    held_up = fleet.run("rotate", target="web1:web2")
    assert "fleet-20250101" in fleet.series() and "web3" in held_up.output, held_up.output
    fleet.broken = ()
    public, private = fleet.simulator.key("shop", "fleet-20250101")
    file = fleet.give("web3", public, private, "backup")
    kept = fleet.run("rotate", target="web1:web2")
    assert kept.status == 0 and "fleet-20250101" in fleet.series(), kept.output
    assert "Held up by web3: it still holds fleet-20250101" in kept.output, kept.output
    file.unlink()
    gone = fleet.run("rotate", target="web1:web2")
    assert gone.status == 0 and "fleet-20250101" not in fleet.series(), gone.output
    assert "Deleted: fleet-20250101" in gone.output, gone.output
    # Outside of the target nothing was written.
    assert fleet.held("web3") == OLD and len(gone.of("web3", action=INFO)) == 1
    assert not gone.of("web3", action=INSTALL)


def test_rollback(fleet: Fleet) -> None:
    assert fleet.run("rotate").status == 0
    back = fleet.run("rollback")
    assert back.status == 0, back.output
    assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {OLD}
    assert f"Generation: {OLD}" in back.output and "Hosts that have it: 3 of 3" in back.output, back.output
    fleet.everybody_works()
    none = fleet.run("rollback", magento_key_rotation_prefix="nothing")
    assert none.status != 0 and none.of(action=PHASE)[-1]["code"] == "no_previous", none.output
