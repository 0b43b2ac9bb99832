# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations and revocations without access to the key API: a person creates and disables keys on the account page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from system.control import PYTHON, Run
from system.rotation.lab import OLD, PHASE, Fleet, headline, pair, plays, summary, unwrapped

pytestmark = [pytest.mark.needs("root", PYTHON), pytest.mark.hosts(1)]
DISABLE = f"disable {OLD} on the account page, and name it in disabled_by_hand"


@pytest.fixture
def by_hand(fleet: Fleet) -> Fleet:
    """A fleet whose hosts have `OLD`, with the key `web` of the account as the setting ``pair``."""
    for name in ("application_id", "application_secret", "api_url"):
        del fleet.settings[name]
    private = "{{ lookup('env', 'MAGENTO_VAULT') }}"
    web = pair(fleet, "web")
    fleet.secret = web["private_key"]
    fleet.settings["pair"] = {"label": "web", "public_key": web["public_key"], "private_key": private}
    fleet.settings["previous"] = [{"label": OLD, "public_key": pair(fleet, OLD)["public_key"]}]
    return fleet


def done(run: Run, fleet: Fleet, status: int = 0) -> str:
    """The summary of a run that sent no request to the API."""
    assert run.status == status, run.output
    assert not fleet.asked()
    return summary(run)


def test_a_rotation_ends_when_a_person_has_disabled_the_key(by_hand: Fleet) -> None:
    before = by_hand.state()
    check = by_hand.run("rotate", "--check", "--diff")
    assert f"Left to do: {DISABLE}" in done(check, by_hand) and by_hand.state() == before
    run = by_hand.run("rotate")
    assert done(run, by_hand).endswith(f"Left to do: {DISABLE}")
    assert by_hand.all_hold() == {"web"}
    by_hand.all_keys_work()
    before = by_hand.state()
    again = by_hand.run("rotate")
    assert done(again, by_hand).endswith(f"Left to do: {DISABLE}") and by_hand.state() == before
    by_hand.simulator.disable_key(pair(by_hand, OLD)["public_key"])
    completed = by_hand.run("rotate", settings={"disabled_by_hand": [OLD]})
    assert done(completed, by_hand).endswith("Left to do: nothing")


def test_returning_to_the_previous_pair(by_hand: Fleet) -> None:
    assert by_hand.run("rotate").status == 0
    old, new = pair(by_hand, OLD), by_hand.settings["pair"]
    by_hand.secret = old["private_key"]
    back = {
        "pair": {**new, "label": OLD, "public_key": old["public_key"]},
        "previous": [{"label": "web", "public_key": new["public_key"]}],
    }
    message = done(by_hand.run("rotate", settings=back), by_hand)
    assert message.endswith("Left to do: disable web on the account page, and name it in disabled_by_hand")
    assert by_hand.all_hold() == {OLD}


def test_the_phases_one_by_one(by_hand: Fleet) -> None:
    issued = by_hand.run("rotate_issue")
    assert "web was made by hand" in done(issued, by_hand) and by_hand.all_hold() == {OLD}
    deployed = by_hand.run("rotate_deploy")
    assert "Hosts that have it: 1 of 1" in done(deployed, by_hand) and by_hand.all_hold() == {"web"}
    assert done(by_hand.run("rotate_retire"), by_hand).endswith(f"Left to do: {DISABLE}")


@pytest.mark.hosts(2)
def test_the_summary_does_not_ask_to_disable_a_key_that_a_host_still_has(by_hand: Fleet) -> None:
    old = pair(by_hand, OLD)
    unmanaged = by_hand.give("web2", old["public_key"], old["private_key"], "backup")
    message = done(by_hand.run("rotate"), by_hand, status=2)
    assert "is blocked" in message and f"Blocked: web2: {unmanaged} (of root): it has {OLD}" in message
    assert "Left to do: fix what is named above, and run again; " in message, message
    assert "on the account page" not in message, message
    unmanaged.unlink()
    by_hand.broken = ("web1",)
    message = done(by_hand.run("rotate"), by_hand, status=2)
    assert "Blocked: web1: it could not be reached" in message and "on the account page" not in message, message


def test_unacknowledged_external_holders_block(by_hand: Fleet) -> None:
    message = done(by_hand.run("rotate", settings={"external_holders_acknowledged": False}), by_hand, status=2)
    assert "outside of the inventory" in message and "on the account page" not in message, message


@pytest.mark.hosts(2)
def test_unmanaged_keys_remove_removes_older_keys(by_hand: Fleet) -> None:
    old = pair(by_hand, OLD)
    by_hand.give("web2", old["public_key"], old["private_key"], "backup")
    message = done(by_hand.run("rotate", settings={"unmanaged_keys": "remove"}), by_hand)
    assert message.endswith(f"Left to do: {DISABLE}") and by_hand.held("web2", "backup") is None


def test_a_pair_that_does_not_work_reaches_no_host(by_hand: Fleet) -> None:
    by_hand.simulator.disable_key(pair(by_hand, "web")["public_key"])
    before = by_hand.state()
    run = by_hand.run("rotate", settings={"propagation_timeout": 0})
    assert run.status == 2 and "did not accept web" in unwrapped(run), run.output
    assert {r["host"] for r in run.record} == {"localhost"} and by_hand.state() == before


def test_provisioning_installs_the_same_pair(by_hand: Fleet) -> None:
    run = by_hand.run("provision")
    assert run.status == 0 and by_hand.all_hold() == {"web"} and not by_hand.asked(), run.output
    before = by_hand.state()
    assert done(by_hand.run("rotate"), by_hand).endswith(DISABLE) and by_hand.state() == before


@pytest.mark.hosts(2)
@pytest.mark.parametrize("leak", [False, True])
def test_a_revocation(leak: bool, by_hand: Fleet) -> None:
    old = pair(by_hand, OLD)
    by_hand.give("web2", old["public_key"], old["private_key"], "backup")
    options: dict[str, Any] = {
        "magento_revoke_key": OLD,
        "magento_revoke_replacement": "current",
        "magento_revoke_leak": leak,
    }
    run = by_hand.run("revoke", **options)
    message = done(run, by_hand)
    assert "no expected host has it any more Was updated: web1, " in message and message.endswith(f"to do: {DISABLE}")
    assert by_hand.all_hold() == {"web"} and by_hand.held("web2", "backup") is None
    warned = [
        r["host"] for r in run.record if f"Disable {OLD} on the account page now" in str(r["result"].get("warnings"))
    ]
    assert warned == ["localhost"] * leak and unwrapped(run).count("on the account page now") == leak, run.output
    completed = by_hand.run("revoke", **options, settings={"disabled_by_hand": [OLD]})
    assert done(completed, by_hand).endswith("Left to do: nothing")
    by_hand.broken = ("web1",)
    blocked = done(by_hand.run("revoke", **options), by_hand, status=2)
    assert ("on the account page" in blocked) == leak, blocked


def test_revoking_an_unknown_key_or_the_replacement_is_refused(by_hand: Fleet) -> None:
    before = by_hand.state()
    unknown = by_hand.run("revoke", magento_revoke_key="laptop")
    assert unknown.status == 2 and "there is no key with the label, public key or fingerprint 'laptop'" in unwrapped(
        unknown
    )
    same = by_hand.run("revoke", magento_revoke_key="web", magento_revoke_replacement="current")
    assert same.status == 2 and "web cannot replace itself" in unwrapped(same), same.output
    assert by_hand.state() == before and not by_hand.asked()


# All others are in the unit tests of the module.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no public key": ({"pair": {"label": "web", "public_key": "of me", "private_key": "{{ 'f' * 32 }}"}}, "public_key"),
    "an unknown word": (
        {"pair": {"label": "web", "public_key": "0" * 32, "private_key": "{{ 'f' * 32 }}", "uid": "me"}},
        "series.pair.uid",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_invalid_settings_are_refused(case: str, by_hand: Fleet) -> None:
    settings, reason = BAD[case]
    before = by_hand.state()
    run = by_hand.run("rotate", settings=settings)
    assert run.status == 2 and reason in unwrapped(run), run.output
    assert {r["host"] for r in run.record} == {"localhost"} and by_hand.state() == before and not by_hand.asked()


def test_requests_is_needed_only_for_the_key_api(
    by_hand: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requests.py").write_text("raise ImportError('there is no requests')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    run = by_hand.run("rotate")
    assert done(run, by_hand).endswith(DISABLE) and by_hand.all_hold() == {"web"}
    revoked = by_hand.run("revoke", magento_revoke_key=OLD, magento_revoke_replacement="current")
    assert done(revoked, by_hand).endswith(DISABLE)
    application = {"application_id": "APP0", "application_secret": "{{ 'f' * 40 }}"}
    api = by_hand.run("rotate_issue", settings={"pair": None, "previous": None, **application})
    assert [r["result"].get("code") for r in api.record if r["action"] == PHASE] == ["requests_missing"], api.output


@pytest.mark.parametrize("playbook", ["rotate", "rotate_deploy"])
def test_a_module_that_breaks_on_the_controller_fails_the_summary_with_its_message(
    by_hand: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, playbook: str
) -> None:
    """The import of a library fails in the second process with an unexpected exception."""
    processes = tmp_path / "processes"
    processes.mkdir()
    (tmp_path / "requests.py").write_text(
        f"import os, pathlib\nprocesses = pathlib.Path({str(processes)!r})\n(processes / str(os.getpid())).touch()\n"
        "raise (ImportError if len(list(processes.iterdir())) < 2 else RuntimeError)('made to break')\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    run = by_hand.run(playbook)
    assert run.status == 2 and plays(run)[-1] == "Summary" and by_hand.series() == {OLD: True}, run.output
    assert "The module crashed on the controller" in headline(run), headline(run)
