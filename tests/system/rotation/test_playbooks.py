# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations with the real ansible-playbook: which generation is created, confirmed, disabled and deleted."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from system.control import PYTHON
from system.rotation import lab as rotation_lab
from system.rotation.lab import DEPLOY, INSTALL, OLD, Fleet, days_ago, headline, plays, results, summary_lines, today

pytestmark = pytest.mark.needs("root", PYTHON)
PAIR = "keyfleet.magento.magento_marketplace_key_info"


def second_of_today() -> str:
    """The label of the second generation of a day."""
    return f"{today()}-2"


def changes(fleet: Fleet, playbook: str, **given: Any) -> bool:
    """Whether a run, which must exit with 0, changed anything or reported a change."""
    before = fleet.state()
    run = fleet.run(playbook, **given)
    assert run.status == 0, run.output
    return fleet.state() != before or any(r["result"].get("changed") for r in run.record)


def test_one_command_rotates_the_fleet_and_the_next_one_changes_nothing(fleet: Fleet) -> None:
    del fleet.settings["batches"]
    run = fleet.run("rotate", "-vvvv", "--diff")
    assert run.status == 0, run.output
    assert fleet.series() == {OLD: False, today(): True}
    assert fleet.all_hold() == {today()}
    fleet.all_keys_work()
    # Three hosts in batches of 1 and 20 %.
    assert plays(run) == ["Plan", "Collect installed keys", *["Deploy"] * 3, "Confirm", "Retire", "Summary"]
    public, _private = fleet.simulator.key("shop", today())
    assert summary_lines(run)[0].startswith("Retirement of the series fleet: "), summary_lines(run)
    assert summary_lines(run)[1:] == [
        f"Generation: {today()}, public key {public}",
        "Hosts that are confirmed: 3 of 3",
        f"Disabled: {OLD}",
        "Left to do: nothing",
    ]
    # The pair is fetched once and never shown.
    assert [r["result"] for r in run.record if r["action"] == PAIR] == run.of("localhost", PAIR)
    (shown,) = run.of("localhost", PAIR)
    assert "marketplace_keys" not in shown and "censored" in shown, shown
    assert not changes(fleet, "rotate") and not changes(fleet, "provision")


@pytest.mark.hosts(1)
def test_registered_results(fleet: Fleet) -> None:
    run = fleet.site(
        [{"import_playbook": "keyfleet.magento.rotate"}, {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"web1": "{{ hostvars['web1'] }}"},
            "tasks": [{"ansible.builtin.debug": {"msg": {
                "plan": "{{ magento_rotation_plan }}",
                "owner of the pair": "{{ magento_rotation_pair.marketplace_keys[0].public_key }}",
                "retired": "{{ magento_rotation_retired }}",
                "collected": "{{ web1.magento_rotation_collected.files | map(attribute='path') }}",
                "deployed": "{{ web1.magento_auth_result.files | map(attribute='action') }}",
                "confirmed": "{{ web1.magento_auth_confirmed.files | map(attribute='action') }}",
                "seen": "{{ web1.magento_rotation_confirmed.files | map(attribute='path') }}",
            }}}],
        }],
        magento_target="web", magento_series=fleet.settings,
    )  # fmt: skip
    assert run.status == 0, run.output
    found = run.of("localhost", "ansible.builtin.debug")[-1]["msg"]
    old, new = (fleet.simulator.key("shop", label)[0] for label in (OLD, today()))
    states = [(g["label"], g["public_key"], g["enabled"], g["state"]) for g in found["plan"]["generations"]]
    assert states == [(OLD, old, True, "superseded"), (today(), new, True, "current")]
    after = [(g["label"], g["enabled"], g["state"]) for g in found["retired"]["generations"]]
    assert after == [(OLD, False, "retired"), (today(), True, "current")]
    for result, due in ((found["plan"], True), (found["retired"], False)):
        same = {name: result[name] for name in ("series", "label", "public_key", "due", "blocked", "deleted", "left")}
        expected = {"series": "fleet", "label": today(), "public_key": new, "due": due}
        assert same == {**expected, "blocked": [], "deleted": [], "left": []}
        assert result["fingerprint"].startswith("sha256:") and result["uid"] == "MAG000000001"
        assert result["reason"] and result["reason"] in result["summary"]
    assert (found["plan"]["disabled"], found["retired"]["disabled"]) == ([], [OLD])
    file = str(fleet.file("web1"))
    assert file in found["collected"] and file in found["seen"] and found["owner of the pair"] == new
    assert (found["deployed"], found["confirmed"]) == (["updated"], ["unchanged"])


@pytest.mark.hosts(2)
def test_parts_one_by_one_with_slices_for_the_deployment_only(fleet: Fleet) -> None:
    issue = fleet.run("rotate_issue")
    assert issue.status == 0 and plays(issue) == ["Plan", "Summary"], issue.output
    assert summary_lines(issue)[0].startswith("Issue of the series fleet: ")
    assert summary_lines(issue)[-1] == "Left to do: run rotate_deploy, then rotate_retire"
    assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {OLD}
    for target, missing in (("web1", {"web2"}), ("web2", set())):
        deploy = fleet.run("rotate_deploy", target=target)
        assert deploy.status == 0, deploy.output
        assert plays(deploy) == ["Plan", "Collect installed keys", "Deploy", "Summary"]
        assert summary_lines(deploy)[0].startswith("Deployment of the series fleet: ")
        assert summary_lines(deploy)[-1] == f"Left to do: retire {OLD} (rotate_retire)"
        assert {name for name in fleet.names if fleet.held(name) == OLD} == missing
        assert fleet.series() == {OLD: True, today(): True}
        retire = fleet.run("rotate_retire")
        assert plays(retire) == ["Plan", "Confirm", "Retire", "Summary"]
        assert summary_lines(retire)[0].startswith("Retirement of the series fleet")
        assert retire.status == (2 if missing else 0), retire.output
        assert {row["host"] for row in retire.of("localhost", rotation_lab.PHASE)[-1]["blocked"]} == missing
    assert fleet.series() == {OLD: False, today(): True}
    assert not changes(fleet, "rotate_issue") and not changes(fleet, "rotate_deploy")
    assert not changes(fleet, "rotate_retire")


@pytest.mark.hosts(1)
def test_when_a_generation_is_due(fleet: Fleet) -> None:
    age = (datetime.datetime.now(datetime.UTC).date() - datetime.date(2026, 1, 1)).days
    assert not changes(fleet, "rotate", settings={"max_age": age})
    assert fleet.series() == {OLD: True}
    issue = fleet.run("rotate_issue", settings={"max_age": age - 1})
    assert issue.status == 0 and fleet.series() == {OLD: True, today(): True}, issue.output
    assert f"{age} days old, and max_age is {age - 1}" in summary_lines(issue)[0]


@pytest.mark.hosts(2)
def test_rotate_now_completes_a_blocked_rotation_first(fleet: Fleet) -> None:
    now = {"rotate_now": True, "max_age": 10_000}
    fleet.broken = ("web2",)
    assert fleet.run("rotate", settings=now).status == 2
    assert fleet.run("rotate", settings=now).status == 2
    assert fleet.series() == {OLD: True, today(): True}
    fleet.broken = ()
    whole = fleet.run("rotate", settings=now)
    assert whole.status == 0 and fleet.series() == {OLD: False, today(): True}, whole.output
    second = fleet.run("rotate", settings=now)
    assert second.status == 0 and fleet.series() == {OLD: False, today(): False, second_of_today(): True}, second.output
    assert fleet.all_hold() == {second_of_today()}


@pytest.mark.hosts(1)
def test_the_first_generation_is_verified_until_the_repository_accepts_it(fleet: Fleet) -> None:
    fleet.simulator.delete_key(fleet.simulator.key("shop", OLD)[0])
    fleet.simulator.set_switch("api_effect_requests", 1000)
    hosts = fleet.state()[0]
    for _run in range(2):
        run = fleet.run("rotate")
        assert run.status == 2 and plays(run) == ["Plan"], run.output
        assert f"The repository did not accept {today()} within 2 s" in headline(run)
        assert run.of("localhost", rotation_lab.PHASE)[-1]["code"] == "unverified"
        assert fleet.series() == {today(): True} and fleet.state()[0] == hosts
    fleet.simulator.settle()
    fleet.simulator.set_switch("api_effect_requests", None)
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.all_hold() == {today()} and fleet.asked(operation="create") == 1, run.output


@pytest.mark.hosts(2)
def test_a_rejected_generation_is_replaced_and_stays_disabled(fleet: Fleet) -> None:
    assert fleet.run("rotate").status == 0
    rejected = {"rejected": [today(), days_ago(400)], "overlap": 30}
    fleet.broken = ("web2",)
    part = fleet.run("rotate", settings=rejected)
    assert part.status == 2 and fleet.series() == {OLD: True, today(): True}, part.output
    assert (fleet.held("web1"), fleet.held("web2")) == (OLD, today())
    fleet.all_keys_work()
    fleet.broken = ()
    back = fleet.run("rotate", settings=rejected)
    assert back.status == 0 and fleet.series() == {OLD: True, today(): False}, back.output
    assert fleet.all_hold() == {OLD} and f"Disabled: {today()}" in summary_lines(back)
    fleet.all_keys_work()
    for playbook in ("rotate", "provision"):
        assert not changes(fleet, playbook, settings=rejected)
    again = fleet.run("rotate", settings={**rejected, "rotate_now": True})
    assert again.status == 0 and fleet.all_hold() == {second_of_today()}, again.output
    assert fleet.series() == {OLD: True, today(): False, second_of_today(): True}, "the overlap is for superseded keys"


@pytest.mark.hosts(1)
def test_the_previous_generation_is_verified_before_it_is_installed_again(fleet: Fleet) -> None:
    assert fleet.run("rotate").status == 0
    fault = fleet.simulator.add_fault("status", status=401, path="*", user=fleet.simulator.key("shop", OLD)[0])
    run = fleet.run("rotate", settings={"rejected": [today()]})
    assert run.status == 2 and fleet.all_hold() == {today()} and fleet.series()[today()], run.output
    fleet.simulator.remove_fault(fault)
    all_rejected = fleet.run("rotate", settings={"rejected": [today(), OLD]})
    assert all_rejected.status == 2 and "every generation of fleet is rejected" in headline(all_rejected), (
        all_rejected.output
    )
    wrong = fleet.run("rotate", settings={"rejected": ["web"]})
    assert wrong.status == 2 and "rejected: 'web' is not a label of the series fleet" in headline(wrong), wrong.output
    assert fleet.all_hold() == {today()} and fleet.series() == {OLD: True, today(): True}


@pytest.mark.hosts(1)
def test_a_key_made_by_hand_becomes_the_oldest_generation(fleet: Fleet) -> None:
    by_hand = fleet.simulator.add_key("shop", "made by hand")
    fleet.simulator.delete_key(fleet.simulator.key("shop", OLD)[0])
    for name in fleet.names:
        fleet.give(name, *by_hand)
    for label, message in (("nobody", "the account has no key 'nobody'"), ("web-20260101", "cannot be adopted")):
        before = fleet.state()
        wrong = fleet.run("rotate", settings={"adopt": [label]})
        assert wrong.status == 2 and message in headline(wrong) and fleet.state() == before, wrong.output
    adopt = {"adopt": ["made by hand"], "delete_after": 0}
    # Provisioning keeps installing it, although a rotation is due.
    assert not changes(fleet, "provision", settings=adopt)
    run = fleet.run("rotate", settings=adopt)
    assert run.status == 0 and fleet.all_hold() == {today()}, run.output
    assert fleet.series("") | {"made by hand": False, today(): True} == fleet.series("")
    assert "Disabled: made by hand" in summary_lines(run)
    again = fleet.run("rotate", settings={**adopt, "rotate_now": True})
    assert again.status == 0 and fleet.series() == {today(): False, second_of_today(): True}, again.output
    assert not changes(fleet, "rotate", settings=adopt) and fleet.series("made") == {"made by hand": False}


@pytest.mark.hosts(1)
def test_an_overlap_keeps_the_old_key_enabled(fleet: Fleet) -> None:
    run = fleet.run("rotate", settings={"overlap": 1})
    assert run.status == 0 and fleet.series() == {OLD: True, today(): True}, run.output
    assert summary_lines(run)[-1] == f"Left to do: disable {OLD} when the overlap of 1 days is over"
    assert fleet.all_hold() == {today()} and not changes(fleet, "rotate", settings={"overlap": 1})
    over = fleet.run("rotate")
    assert over.status == 0 and fleet.series() == {OLD: False, today(): True}, over.output


@pytest.mark.hosts(1)
def test_keys_retired_long_ago_are_deleted_but_not_in_a_run_that_disables_keys(fleet: Fleet) -> None:
    long_ago, enabled = "fleet-20250101", "fleet-20250601"
    fleet.simulator.add_key("shop", long_ago, enabled=False)
    fleet.simulator.add_key("shop", enabled)
    stranger = fleet.simulator.add_key("shop", long_ago, uid="000FAKE0SHOP000@AdobeOrg", enabled=False)[0]
    first = fleet.run("rotate")
    assert first.status == 0 and "Deleted" not in first.output, first.output
    assert fleet.series()[long_ago] is False and fleet.asked(operation="delete") == 0
    assert fleet.series() == {long_ago: False, enabled: False, OLD: False, today(): True}
    assert not changes(fleet, "rotate", settings={"delete_after": 10_000})
    second = fleet.run("rotate")
    assert second.status == 0 and f"Deleted: {long_ago}, {enabled}" in summary_lines(second), second.output
    # The newest retired generation is kept, and so is the key of another owner with the same label.
    assert {key["label"]: key["enabled"] for key in fleet.at_account() if key["public"] != stranger} | {
        OLD: False, today(): True,
    } == {key["label"]: key["enabled"] for key in fleet.at_account() if key["public"] != stranger}  # fmt: skip
    assert [key["label"] for key in fleet.at_account() if key["public"] == stranger] == [long_ago]
    assert not changes(fleet, "rotate", settings={"delete_after": 0})


@pytest.mark.hosts(1)
def test_the_newest_retired_generation_is_kept_to_fall_back_on(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", "fleet-20250101", enabled=False)
    fleet.simulator.add_key("shop", days_ago(80))
    fleet.simulator.disable_key(fleet.simulator.key("shop", OLD)[0])
    run = fleet.run("rotate")
    assert run.status == 0 and "Deleted: fleet-20250101" in summary_lines(run), run.output
    assert fleet.series() == {OLD: False, days_ago(80): True} and fleet.all_hold() == {days_ago(80)}
    assert not changes(fleet, "rotate")


@pytest.mark.hosts(2)
def test_provisioning_installs_the_current_pair_and_creates_none(fleet: Fleet) -> None:
    new = fleet.simulator.add_key("shop", days_ago(100))
    run = fleet.run("provision")
    assert run.status == 0 and fleet.all_hold() == {days_ago(100)}, run.output
    assert {host: result["changed"] for host, result in results(run, DEPLOY).items()} == dict.fromkeys(
        fleet.names, True
    )
    assert plays(run) == ["Plan", "Install the Magento credentials", "Summary"]
    assert summary_lines(run) == [f"The current key of the series fleet is {days_ago(100)}."]
    assert fleet.series() == {OLD: True, days_ago(100): True} and not changes(fleet, "provision")
    for label in (OLD, days_ago(100)):
        fleet.simulator.disable_key(fleet.simulator.key("shop", label)[0])
    before = fleet.state()
    none = fleet.run("provision")
    assert none.status == 2 and "no generation of fleet is enabled; run rotate_issue first" in headline(none), (
        none.output
    )
    assert fleet.state() == before and not none.of(action=INSTALL) and new
