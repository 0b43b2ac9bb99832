# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong settings, targets and limits of a rotation, its check mode, and the length of its output."""

from __future__ import annotations

from typing import Any

import pytest

from place import ROOT, linked_collections
from system.control import PYTHON, Run
from system.rotation.lab import DEPLOY, OLD, PHASE, Fleet, headline, plays, results, summary_lines, today, unwrapped

pytestmark = pytest.mark.needs("root", PYTHON)
PLAYBOOKS = ["rotate", "rotate_issue", "rotate_deploy", "rotate_retire", "provision"]
PLAYS = sorted(path.name for path in (ROOT / "playbooks" / "plays").glob("*.yml"))
# All others are in the unit tests of the module.
SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"max_agee": 1}, "series.max_agee"),
    ({"prefix": None}, "missing required arguments: prefix found in series"),
    ({"uid": "all"}, "uid 'all' is not an owner"),
]


@pytest.mark.hosts(1)
@pytest.mark.parametrize("wrong, reason", SETTINGS, ids=[reason for _wrong, reason in SETTINGS])
def test_a_wrong_setting_is_named_in_the_headline(wrong: dict[str, Any], reason: str, fleet: Fleet) -> None:
    before = fleet.state()
    fleet.settings |= wrong
    fleet.variables["magento_auth_keys"][0]["series"] = wrong.get("prefix") or "fleet"
    fleet.settings = {name: value for name, value in fleet.settings.items() if value is not None}
    run = fleet.run("rotate")
    assert run.status == 2 and plays(run) == ["Plan"] and reason in headline(run), run.output
    assert fleet.asked() == 0 and fleet.state() == before


@pytest.mark.parametrize("settings", [None, "web", ["web"]])
def test_settings_of_the_wrong_type(settings: Any, fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.play("keyfleet.magento.rotate", magento_target="web", magento_series=settings)
    assert run.status == 2 and plays(run) == ["Plan"] and fleet.state() == before and fleet.asked() == 0, run.output
    assert "series" in headline(run), run.output


def refused(run: Run, reason: str, fleet: Fleet) -> None:
    """The run exits with 4 before any task or request."""
    assert run.status == 4 and reason in headline(run) and run.record == [] and fleet.asked() == 0, run.output


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_limit_is_refused(playbook: str, fleet: Fleet) -> None:
    # Ansible itself refuses a limit to localhost if the inventory does not contain it.
    refused(fleet.run(playbook, "--limit", "localhost", "-i", "localhost,"), "--limit is refused", fleet)


@pytest.mark.parametrize("play", PLAYS)
def test_limit_is_refused_by_every_play(play: str, fleet: Fleet) -> None:
    path = str(linked_collections() / "ansible_collections" / "keyfleet" / "magento" / "playbooks" / "plays" / play)
    run = fleet.play(path, "--limit", "web1", magento_target="web", magento_series=fleet.settings)
    refused(run, "--limit is refused", fleet)


def test_provisioning_without_a_series_takes_a_limit(fleet: Fleet) -> None:
    fleet.variables["magento_auth_keys"][0] |= zip(
        ("public_key", "private_key"), fleet.simulator.key("shop", OLD), strict=True
    )
    del fleet.variables["magento_auth_keys"][0]["series"]
    run = fleet.play("keyfleet.magento.provision", "--limit", "web2", magento_target="web")
    assert run.status == 0 and set(results(run, DEPLOY)) == {"web2"} and fleet.asked() == 0, run.output


@pytest.mark.parametrize("target", [None, "", "all", "wbe"])
def test_an_invalid_target_is_refused(target: str | None, fleet: Fleet) -> None:
    for playbook in ("rotate", "provision") if target in (None, "all") else ("rotate",):
        given = {} if target is None else {"magento_target": target}
        run = fleet.play(f"keyfleet.magento.{playbook}", magento_series=fleet.settings, **given)
        refused(run, "magento_target", fleet)


@pytest.mark.parametrize("target", [None, "all", "wbe"])
def test_an_invalid_target_is_refused_without_a_series(target: str | None, fleet: Fleet) -> None:
    given = {} if target is None else {"magento_target": target}
    refused(fleet.play("keyfleet.magento.provision", **given), "magento_target", fleet)


@pytest.mark.hosts(2)
def test_check_mode_predicts_a_generation_that_is_due_and_confirms_nothing(fleet: Fleet) -> None:
    # What a run would do with these keys depends on a key that does not exist yet.
    fleet.simulator.add_key("shop", "fleet-20250601")
    fleet.simulator.add_key("shop", "fleet-20250101", enabled=False)
    before = fleet.state()
    run = fleet.run("rotate", "--check", "--diff")
    assert run.status == 0 and fleet.state() == before, run.output
    plan = run.of("localhost", PHASE)[0]
    assert (plan["due"], plan["label"], plan["public_key"], plan["changed"]) == (True, today(), None, True)
    # No host is asked about a pair that does not exist yet.
    assert not results(run, DEPLOY) and fleet.asked(operation="create") == 0
    rows = {row["after_header"]: row for row in run.of("localhost", PHASE)[-1]["diff"]}
    assert set(rows) == {f"{name}:{fleet.file(name)}" for name in fleet.names}
    for row in rows.values():
        label, fingerprint = row["before"].split()
        assert (label, row["after"]) == (OLD, f"{today()}\n") and fingerprint.startswith("sha256:")
    lines = summary_lines(run)
    assert lines[:2] == [
        f"Retirement of the series fleet, check mode: {plan['reason']}",
        f"Generation: {today()}, not made yet",
    ]
    assert [f"Would get {today()}: {name}, {fleet.file(name)}" in lines for name in fleet.names] == [True] * len(
        fleet.names
    )
    # Check mode cannot know which hosts will have the key.
    claims = ("Disabled", "Deleted", "Would be d")
    assert not [line for line in lines if "confirmed" in line or line.startswith(claims)], lines


@pytest.mark.hosts(2)
def test_check_mode_of_an_existing_generation(fleet: Fleet) -> None:
    assert fleet.run("rotate_issue").status == 0
    before = fleet.state()
    run = fleet.run("rotate", "--check", "--diff")
    assert run.status == 0 and fleet.state() == before, run.output
    for name in fleet.names:
        (row,) = results(run, DEPLOY, name)[name]["files"]
        assert (row["path"], row["action"]) == (str(fleet.file(name)), "updated") and row["after"]["fingerprint"]
    assert f"Would be disabled: {OLD}" in summary_lines(run) and f"Disabled: {OLD}" not in summary_lines(run)
    assert "Hosts that are confirmed: 2 of 2" not in summary_lines(run)
    # A reason that would block the run blocks check mode, too.
    elsewhere = fleet.give("web2", *fleet.simulator.key("shop", OLD), "elsewhere")
    blocked = fleet.run("rotate", "--check")
    assert blocked.status == 2 and f"Blocked: web2: {elsewhere}" in unwrapped(blocked), blocked.output


@pytest.mark.hosts(1)
def test_check_mode_of_a_rejected_generation(fleet: Fleet) -> None:
    assert fleet.run("rotate").status == 0
    before = fleet.state()
    run = fleet.run("rotate", "--check", "--diff", settings={"rejected": [today()]})
    assert run.status == 0 and fleet.state() == before, run.output
    plan = run.of("localhost", PHASE)[0]
    assert (plan["label"], plan["due"], plan["changed"]) == (OLD, False, True)
    assert [(row["before"], row["after"]) for row in plan["diff"]] == [(f"{OLD}: disabled\n", f"{OLD}: enabled\n")]
    lines = summary_lines(run)
    assert [f"Would get {OLD}: {name}, {fleet.file(name)}" in lines for name in fleet.names] == [True] * len(
        fleet.names
    ), lines
    assert not [line for line in lines if "confirmed" in line or line.startswith("Disabled")], lines


@pytest.mark.hosts(1)
def test_check_mode_of_a_new_series(fleet: Fleet) -> None:
    fleet.simulator.delete_key(fleet.simulator.key("shop", OLD)[0])
    for name in fleet.names:
        fleet.file(name).unlink()
    before = fleet.state()
    for playbook in ("rotate", "rotate_issue"):
        run = fleet.run(playbook, "--check", "--diff")
        assert run.status == 0 and fleet.state() == before, run.output
        assert not [r["task"] for r in run.record if r["outcome"] == "failed"], run.output
        lines = summary_lines(run)
        assert "there is no generation yet" in lines[0] and f"Generation: {today()}, not made yet" in lines
        assert not results(run, DEPLOY) and not [line for line in lines if "confirmed" in line]
    assert fleet.run("rotate").status == 0 and fleet.all_hold() == {today()} and fleet.series() == {today(): True}


@pytest.mark.hosts(1)
def test_check_mode_with_nothing_to_do(fleet: Fleet) -> None:
    assert fleet.run("rotate").status == 0
    for playbook in ("rotate", "rotate_deploy", "rotate_retire"):
        run = fleet.run(playbook, "--check", "--diff")
        assert run.status == 0 and not any(r["result"].get("changed") for r in run.record), run.output
        assert summary_lines(run)[-1] == "Left to do: nothing"


def lines_of(run: Run) -> int:
    return len(run.output.splitlines())


def test_a_run_on_twenty_hosts_prints_at_most_two_hundred_lines(fleet: Fleet) -> None:
    fleet.grow(20)
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.all_hold() == {today()} and lines_of(run) <= 200, run.output


def test_a_failing_host_adds_at_most_twelve_lines(fleet: Fleet) -> None:
    whole = lines_of(fleet.run("rotate"))
    failing = {"magento_auth_paths": ["/nowhere/auth.json"], "magento_auth_keys": [{"series": "fleet"}]}
    for unreachable, failed in ((1, 0), (2, 0), (0, 1), (0, 2)):
        fleet.broken = ("web2", "web3")[:unreachable]
        fleet.own = dict.fromkeys(("web2", "web3")[:failed], failing)
        run = fleet.run("rotate", settings={"rotate_now": True})
        rows = [line.split(": ")[1] for line in summary_lines(run) if line.startswith("Blocked")]
        count = unreachable + failed
        assert run.status == 2 and rows == ["web2", "web3"][:count], run.output
        assert lines_of(run) <= whole + 12 * count, run.output
