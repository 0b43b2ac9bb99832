# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key API and the repository fail in the middle of a rotation: nothing is disabled, and the next run converges."""

from __future__ import annotations

import pytest

from system.control import PYTHON, Run
from system.rotation.lab import DEPLOY, OLD, PHASE, Fleet, headline, plays, results, summary_lines, today

pytestmark = [pytest.mark.needs("root", PYTHON), pytest.mark.hosts(1)]


def converges(fleet: Fleet, **settings: object) -> None:
    """The next run completes the rotation, with the only generation that was created."""
    fleet.simulator.clear_faults()
    run = fleet.run("rotate", settings=settings)
    assert run.status == 0 and fleet.all_hold() == {today()}, run.output
    assert fleet.series() == {OLD: False, today(): True} and created(fleet) == 1, run.output
    fleet.all_keys_work()


def created(fleet: Fleet) -> int:
    """The number of requests for a new key that were not refused."""
    return fleet.asked(operation="create") - fleet.asked(operation="create", status=500)


def failed(run: Run, phase: str, reason: str) -> None:
    """The run exits with 2, with the reason in the headline and a summary that names the phase."""
    assert run.status == 2 and reason in headline(run), run.output
    assert f"{phase} of the series fleet failed: " in run.of("localhost", PHASE)[-1]["summary"]


def test_a_call_of_the_issue_fails(fleet: Fleet) -> None:
    before = fleet.state()
    for method, path in (("POST", "*session*"), ("GET", "*/keys"), ("POST", "*/keys")):
        number = fleet.simulator.add_fault("status", status=500, method=method, path=path)
        run = fleet.run("rotate")
        failed(run, "Issue", "500")
        assert plays(run) == ["Plan"] and fleet.state() == before, run.output
        assert fleet.simulator.faults()[0]["hits"] >= 1 and not run.of("localhost", PHASE)[-1]["changed"]
        fleet.simulator.remove_fault(number)
    # A secret that is wrong has the same effect.
    secret, fleet.secret = fleet.secret, "plainly-wrong-application-secret"
    run = fleet.run("rotate")
    assert run.status == 2 and plays(run) == ["Plan"] and fleet.state() == before, run.output
    assert fleet.secret not in run.output and "Issue of the series fleet failed" in run.output
    fleet.secret = secret
    converges(fleet)


def test_the_call_that_disables_fails(fleet: Fleet) -> None:
    fleet.simulator.add_fault("status", status=500, method="PUT", path="*/keys/*")
    run = fleet.run("rotate")
    failed(run, "Retirement", "500")
    assert plays(run)[-2:] == ["Retire", "Summary"] and summary_lines(run)[0].startswith(
        "Retirement of the series fleet failed"
    )
    assert fleet.series() == {OLD: True, today(): True} and fleet.all_hold() == {today()}
    answer = run.of("localhost", PHASE)[-1]
    assert (answer["disabled"], answer["changed"]) == ([], False)
    converges(fleet)


def test_the_call_that_enables_the_previous_one_fails(fleet: Fleet) -> None:
    assert fleet.run("rotate").status == 0
    before = fleet.state()
    fleet.simulator.add_fault("status", status=500, method="PUT", path="*/keys/*")
    run = fleet.run("rotate", settings={"rejected": [today()]})
    failed(run, "Issue", "500")
    assert fleet.state() == before
    fleet.simulator.clear_faults()
    back = fleet.run("rotate", settings={"rejected": [today()]})
    assert back.status == 0 and fleet.series() == {OLD: True, today(): False} and fleet.all_hold() == {OLD}, back.output


def test_the_call_that_deletes_fails(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", "fleet-20250101", enabled=False)
    assert fleet.run("rotate").status == 0
    before = fleet.state()
    fleet.simulator.add_fault("status", status=500, method="DELETE", path="*/keys/*")
    run = fleet.run("rotate")
    failed(run, "Retirement", "500")
    assert fleet.state() == before and "Deleted" not in run.output
    fleet.simulator.clear_faults()
    assert fleet.run("rotate").status == 0 and "fleet-20250101" not in fleet.series()


def test_the_pair_cannot_be_fetched(fleet: Fleet) -> None:
    before = fleet.state()[0]
    # The first list request is that of the issue.
    fleet.simulator.add_fault("status", status=500, method="GET", path="*/keys", skip=1)
    run = fleet.run("rotate")
    assert run.status == 2 and plays(run) == ["Plan"] and fleet.state()[0] == before, run.output
    assert fleet.series() == {OLD: True, today(): True}
    converges(fleet)


def test_the_list_of_keys_fails_before_the_retirement(fleet: Fleet) -> None:
    # List requests: issue, pair, retire.
    fleet.simulator.add_fault("status", status=500, method="GET", path="*/keys", skip=2)
    run = fleet.run("rotate")
    failed(run, "Retirement", "500")
    assert set(results(run, DEPLOY)) == set(fleet.names) and fleet.series() == {OLD: True, today(): True}
    converges(fleet)


def test_a_lost_answer_makes_no_second_key(fleet: Fleet) -> None:
    fleet.simulator.add_fault("reset", method="POST", path="*/keys", count=1)
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == {OLD: False, today(): True}, run.output
    assert fleet.asked(operation="create") == 1 and fleet.all_hold() == {today()}


def test_a_lost_answer_and_a_failing_list_after_it(fleet: Fleet) -> None:
    fleet.simulator.add_fault("reset", method="POST", path="*/keys", count=1)
    fleet.simulator.add_fault("status", status=500, method="GET", path="*/keys", skip=1)
    run = fleet.run("rotate")
    assert run.status == 2 and plays(run) == ["Plan"] and fleet.all_hold() == {OLD}, run.output
    assert fleet.series() == {OLD: True, today(): True}
    converges(fleet)
    assert fleet.asked(operation="create") == 1


def test_a_lost_answer_of_the_call_that_disables(fleet: Fleet) -> None:
    fleet.simulator.add_fault("reset", method="PUT", path="*/keys/*", count=1)
    fleet.run("rotate")
    fleet.all_keys_work()
    assert fleet.all_hold() == {today()} and fleet.series()[today()] is True
    converges(fleet)


def test_nothing_is_disabled_while_the_repository_refuses_the_new_key(fleet: Fleet) -> None:
    assert fleet.run("rotate_issue").status == 0 and fleet.run("rotate_deploy").status == 0
    fleet.simulator.add_fault("status", status=401, path="/packages.json")
    run = fleet.run("rotate_retire")
    failed(run, "Retirement", f"Nothing was disabled or deleted: the repository does not accept {today()} now")
    assert fleet.series() == {OLD: True, today(): True}
    assert run.of("localhost", PHASE)[-1]["code"] == "unverified"
    whole = fleet.run("rotate")
    failed(whole, "Issue", f"The repository did not accept {today()} within 2 s")
    assert fleet.series() == {OLD: True, today(): True} and plays(whole) == ["Plan"]
    converges(fleet)


@pytest.mark.hosts(3)
def test_a_host_that_cannot_verify_the_key_keeps_the_old_one(fleet: Fleet) -> None:
    fleet.own["web2"] = {"magento_auth_ca_path": "/nowhere/ca.pem"}
    run = fleet.run("rotate", settings={"max_failed": 1})
    answer = run.of("localhost", PHASE)[-1]
    assert run.status == 2 and {row["host"] for row in answer["blocked"]} == {"web2"}, run.output
    assert [fleet.held(name) for name in fleet.names] == [today(), OLD, today()]
    assert fleet.series() == {OLD: True, today(): True}
    fleet.all_keys_work()
    fleet.own.clear()
    converges(fleet)
