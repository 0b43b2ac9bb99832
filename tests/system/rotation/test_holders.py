# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External holders in real rotations: when they are asked, which variables they get, and how a refusal blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from system.control import PYTHON, Run
from system.rotation.holders import Recorder, pair_of, use_hosts
from system.rotation.lab import OLD, Fleet, today, unwrapped

# Complete rotations search the homes of all users.
needs_root = pytest.mark.needs("root", PYTHON)

CONFIRM, PUBLISH = "confirm", "publish"
# Tasks of a holder that print the private key.
LOUD = r"""
- name: Print it
  ansible.builtin.debug:
    msg: "{{ holder_private_key }}"
- name: Print it for each
  ansible.builtin.command: "echo {{ item }}"
  loop: ["{{ holder_private_key }}"]
- name: Try again
  ansible.builtin.command: "sh -c 'echo {{ holder_private_key }}; exit 1'"
  register: loud
  until: loud is success
  retries: 1
  delay: 0
  failed_when: false
- name: Include more tasks
  ansible.builtin.include_tasks: more.yml
"""
MORE = r"""
- name: Print it in an included file
  ansible.builtin.debug:
    msg: "{{ holder_private_key }}"
- name: Print it and fail
  ansible.builtin.command: "sh -c 'echo {{ holder_private_key }}; echo {{ holder_private_key }} >&2; exit 1'"
"""


def done(run: Run) -> None:
    assert run.status == 0, run.output


def blocked_by(run: Run, *holders: str, hosts: tuple[str, ...] = ()) -> None:
    """Exactly these holders and hosts block."""
    assert run.status == 2, run.output
    found = {part.split(":")[0] for part in unwrapped(run).split("Blocked: ")[1:]}
    assert found == {*hosts, *(f"the holder {name}" for name in holders)}, run.output


@needs_root
def test_confirm_publish_and_confirm_again_before_the_retirement(fleet: Fleet, recorder: Recorder) -> None:
    new, holders = today(), [recorder.holder("ci")]
    done(recorder.run("rotate", holders=holders))
    # The holder is asked before the deployment, and again after it: the recorder logs the key of the first host.
    steps = [(CONFIRM, OLD), (PUBLISH, OLD), (CONFIRM, OLD), (CONFIRM, new)]
    assert recorder.calls() == [("ci", phase, new, first) for phase, first in steps]
    assert recorder.has("ci") == new and fleet.series() == {OLD: False, new: True}
    # A holder that has the pair does not get it again.
    done(recorder.run("rotate", holders=holders))
    assert recorder.phases() == [("ci", CONFIRM)] * 2


@needs_root
def test_only_issue_and_retire_ask_holders_and_only_issue_publishes(fleet: Fleet, recorder: Recorder) -> None:
    holders = [recorder.holder("ci")]
    issued = recorder.run("rotate_issue", holders=holders)
    done(issued)
    assert "failed=0" in issued.output and "rescued=1" in issued.output, issued.output
    assert recorder.phases() == [("ci", CONFIRM), ("ci", PUBLISH), ("ci", CONFIRM)]
    done(recorder.run("rotate_deploy", holders=holders))
    assert recorder.phases() == [] and fleet.all_hold() == {today()}
    # rotate_retire does not publish a missing pair again, but blocks.
    (recorder.directory / "has-ci").unlink()
    blocked_by(recorder.run("rotate_retire", holders=holders), "ci")
    assert recorder.phases() == [("ci", CONFIRM)]
    assert recorder.has("ci") is None and fleet.series() == {OLD: True, today(): True}
    done(recorder.run("rotate_issue", holders=holders))
    done(recorder.run("rotate_retire", holders=holders))
    assert recorder.phases() == [("ci", CONFIRM), ("ci", PUBLISH), ("ci", CONFIRM), ("ci", CONFIRM)]
    assert fleet.series() == {OLD: False, today(): True}


@needs_root
def test_a_holder_that_refuses_blocks_and_is_named(fleet: Fleet, recorder: Recorder) -> None:
    holders = [recorder.holder("ci"), recorder.holder("images")]
    refusal = recorder.refuse(PUBLISH, "ci")
    blocked_by(recorder.run("rotate", holders=holders), "ci")
    new = today()
    assert fleet.series() == {OLD: True, new: True} and fleet.all_hold() == {new}
    assert (recorder.has("ci"), recorder.has("images")) == (None, new)
    assert recorder.phases() == [
        ("ci", CONFIRM), ("ci", PUBLISH), ("images", CONFIRM), ("images", PUBLISH), ("images", CONFIRM),
        ("ci", CONFIRM), ("images", CONFIRM),
    ]  # fmt: skip
    refusal.unlink()
    done(recorder.run("rotate", holders=holders))
    assert (recorder.has("ci"), fleet.series()) == (new, {OLD: False, new: True})
    assert ("images", PUBLISH) not in recorder.phases()


@needs_root
def test_a_published_pair_must_be_confirmed(fleet: Fleet, recorder: Recorder) -> None:
    recorder.refuse(CONFIRM, "ci")
    blocked_by(recorder.run("rotate", holders=[recorder.holder("ci")]), "ci")
    assert recorder.phases() == [("ci", CONFIRM), ("ci", PUBLISH), ("ci", CONFIRM), ("ci", CONFIRM)]
    assert recorder.has("ci") == today() and fleet.series()[OLD] is True


@needs_root
def test_check_mode_asks_no_holder(fleet: Fleet, recorder: Recorder) -> None:
    holders = [recorder.holder("ci")]
    done(recorder.run("rotate", "--check", holders=holders))
    done(recorder.run("rotate_issue", "--check", holders=holders))
    done(recorder.run("rotate_issue", holders=[], settings={"external_holders_acknowledged": True}))
    done(recorder.run("rotate_deploy", holders=holders))
    done(recorder.run("rotate_retire", "--check", holders=holders))
    assert recorder.phases() == [] and fleet.series() == {OLD: True, today(): True}


@needs_root
def test_roles_as_holders(fleet: Fleet, recorder: Recorder) -> None:
    recorder.write("roles/keeper/tasks/main.yml", "- ansible.builtin.fail:\n")
    recorder.write("roles/keeper/tasks/keep.yml", recorder.tasks.read_text())
    # Variables of the same names in the role have no effect.
    recorder.write("roles/keeper/vars/main.yml", "holder_phase: publish\nholder_private_key: another\n")
    recorder.write("roles/plain/tasks/main.yml", recorder.tasks.read_text())
    fleet.control.write("ansible.cfg", f"[defaults]\nroles_path = {recorder.directory}/roles\n")
    named = [recorder.holder("ci", role="keeper", tasks_from="keep"), recorder.holder("images", role="plain")]
    done(recorder.run("rotate", holders=named))
    assert (recorder.has("ci"), recorder.has("images")) == (today(), today())
    assert fleet.series() == {OLD: False, today(): True}
    blocked = recorder.run("rotate_issue", holders=[recorder.holder("ci", role="keeper")])
    assert "ci has not confirmed the pair" in unwrapped(blocked)


@pytest.mark.parametrize("by_role", [False, True])
def test_output_of_holder_tasks_is_hidden(fleet: Fleet, recorder: Recorder, by_role: bool) -> None:
    loud = recorder.write("roles/loud/tasks/main.yml", LOUD)
    recorder.write("roles/loud/tasks/more.yml", MORE)
    fleet.control.write("ansible.cfg", f"[defaults]\nroles_path = {recorder.directory}/roles\n")
    holder = recorder.holder("ci", **({"role": "loud"} if by_role else {"tasks": str(loud)}))
    # `Fleet.run` searches the output and the record for private keys.
    run = recorder.run("rotate_issue", "-vvvv", "--diff", holders=[holder])
    assert run.status == 0 and "ci has not confirmed the pair" in unwrapped(run), run.output
    printed = [r["result"] for r in run.record if r["task"].split(" : ")[-1].startswith(("Print it", "Try again"))]
    assert len(printed) == 10
    assert all("censored" in result or "censored" in result["results"][0] for result in printed)


@needs_root
def test_unacknowledged_holders_block_only_if_a_key_is_to_be_disabled(fleet: Fleet, recorder: Recorder) -> None:
    done(recorder.run("rotate", holders=[], settings={"overlap": 30}))
    run = recorder.run("rotate", holders=[])
    assert run.status == 2 and "Blocked: holders outside of the inventory" in unwrapped(run), run.output
    assert "external_holders_acknowledged" in unwrapped(run) and fleet.series() == {OLD: True, today(): True}
    done(recorder.run("rotate", holders=[], settings={"external_holders_acknowledged": True}))
    assert fleet.series() == {OLD: False, today(): True}
    done(recorder.run("rotate", holders=[]))


# All others are in the unit tests of the module.
@pytest.mark.parametrize(
    ("holders", "message"),
    [
        ([{"name": "ci", "role": ""}], "ci needs tasks, or a role"),
        ([{"name": "ci", "task": "/srv/ci.yml"}], "Unsupported parameters"),
    ],
)
def test_invalid_holders_are_refused_by_the_plan(
    fleet: Fleet, recorder: Recorder, holders: list[dict[str, Any]], message: str
) -> None:
    before = fleet.state()
    run = recorder.run("rotate", holders=holders)
    assert run.status == 2 and message in unwrapped(run), run.output
    assert fleet.state() == before and {row["host"] for row in run.record} == {"localhost"}


FACTS = {
    "magento_key_rotation_confirmed": {"ci": True, "images": True},
    "magento_key_rotation_holder": {"name": "images", "tasks": "/nowhere"},
    "magento_rotation_target": ["web1"],
    "magento_rotation_current": [],
    "magento_auth_keys": [],
    "magento_auth_state": "absent",
    "magento_series": {},
    "holder_name": "images",
    "holder_phase": "publish",
    "holder_label": "another",
    "holder_private_key": "1" * 32,
}


@needs_root
def test_facts_set_by_a_holder_change_nothing_else(fleet: Fleet, recorder: Recorder) -> None:
    facts = f"- ansible.builtin.set_fact: {json.dumps(FACTS)}\n"
    forging = recorder.write("forging.yml", facts + recorder.tasks.read_text())
    holders = [recorder.holder("ci", tasks=str(forging)), recorder.holder("images")]
    refusal = recorder.refuse(CONFIRM, "images")
    # The facts name a smaller target, without the unreachable host.
    use_hosts(fleet, "web1", "web2")
    fleet.broken = ("web2",)
    run = recorder.run("rotate", holders=holders, settings={"expected_hosts": None})
    blocked_by(run, "images", hosts=("web2",))
    assert fleet.series() == {OLD: True, today(): True} and fleet.held("web1") == today()
    assert (recorder.has("ci"), recorder.has("images")) == (today(), today())
    refusal.unlink()
    fleet.broken = ()
    done(recorder.run("rotate", holders=holders))
    assert fleet.series() == {OLD: False, today(): True} and fleet.all_hold() == {today()}


@needs_root
@pytest.mark.parametrize("how", [{"tasks": "/nowhere/tasks.yml"}, {"role": "nobody_has_it"}, {"tasks": "nested"}])
def test_a_holder_whose_tasks_cannot_be_included_blocks_and_is_named(
    fleet: Fleet, recorder: Recorder, how: dict[str, str]
) -> None:
    if how == {"tasks": "nested"}:
        nested = recorder.write("nested.yml", "- ansible.builtin.include_tasks: missing.yml\n")
        how = {"tasks": str(nested)}
    # Without a rescue, such a task ends the run with exit code 0.
    # The next holder is asked all the same; the failing one may also be the last.
    holders = [recorder.holder("ci", **how), recorder.holder("images"), recorder.holder("late", **how)]
    blocked_by(recorder.run("rotate", holders=holders), "ci", "late")
    assert recorder.has("images") == today() and fleet.all_hold() == {today()}
    assert fleet.series() == {OLD: True, today(): True}


@needs_root
@pytest.mark.parametrize(
    "tasks",
    [
        "- name: [\n",
        "- ansible.builtin.ping:\n  delegate_to: 127.0.0.1\n  vars: {ansible_connection: ssh, ansible_port: 1}\n",
    ],
)
def test_a_holder_that_ends_the_run_leaves_all_keys_enabled(fleet: Fleet, recorder: Recorder, tasks: str) -> None:
    wrong = recorder.write("wrong.yml", tasks)
    run = recorder.run("rotate", holders=[recorder.holder("ci", tasks=str(wrong))])
    assert run.status == 4 and fleet.series() == {OLD: True, today(): True}, run.output
    done(recorder.run("rotate", holders=[recorder.holder("ci")]))
    assert fleet.series() == {OLD: False, today(): True}


@needs_root
def test_a_pair_made_by_hand(fleet: Fleet, recorder: Recorder) -> None:
    public, private = fleet.simulator.add_key("shop", "made by hand")
    by_hand = {
        "application_id": None, "application_secret": None,
        "pair": {"label": "made by hand", "public_key": public, "private_key": private},
        "previous": [{"label": OLD, "public_key": pair_of(fleet, OLD)[0]}],
    }  # fmt: skip
    refusal = recorder.refuse(PUBLISH, "ci")
    blocked_by(recorder.run("rotate", holders=[recorder.holder("ci")], settings=by_hand), "ci")
    refusal.unlink()
    run = recorder.run("rotate", holders=[recorder.holder("ci")], settings=by_hand)
    done(run)
    assert recorder.has("ci") == "made by hand" and f"disable {OLD} on the account page" in unwrapped(run)
