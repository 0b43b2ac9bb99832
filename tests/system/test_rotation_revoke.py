# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key that has to go, and rotations without rights at the API, under the real ansible-playbook."""

from __future__ import annotations

import json

import _control
import _rotation_lab
import pytest
from _rotation_lab import INSTALL, OLD, PYTHON, Fleet, words

pytestmark = pytest.mark.needs("root", PYTHON)
control, fleet = _control.control, _rotation_lab.fleet
REVOKE = "keyfleet.magento.magento_marketplace_key"


def pair(fleet: Fleet, label: str) -> dict[str, str]:
    public, private = fleet.simulator.key("shop", label)
    return {"public_key": public, "private_key": private}


def at_account(fleet: Fleet, label: str) -> list[tuple[str, bool]]:
    """Every key of that label, with its owner."""
    return sorted((key["uid"], key["enabled"]) for key in fleet.at_account() if key["label"] == label)


@pytest.mark.parametrize("named_by", ["label", "public_key"])
def test_it_is_replaced_everywhere_and_then_disabled(named_by: str, fleet: Fleet) -> None:
    old = pair(fleet, OLD)
    fleet.give("web2", old["public_key"], old["private_key"], "backup/2025")
    fleet.simulator.add_key("shop", OLD, uid="000FAKE0SHOP000@AdobeOrg")
    fleet.variables["magento_revoke_replacement"] = pair(fleet, "web")
    name = OLD if named_by == "label" else old["public_key"]
    run = fleet.run("revoke", magento_revoke_key=name)
    assert run.status == 0, run.output
    assert fleet.all_hold() == {"web"} and fleet.held("web2", "backup/2025") == "web"
    # The same label of another owner is another key.
    assert at_account(fleet, OLD) == [("", False), ("000FAKE0SHOP000@AdobeOrg", True)]
    fleet.everybody_works()
    before = fleet.state()
    again = fleet.run("revoke", magento_revoke_key=name)
    assert again.status == 0 and fleet.state() == before, again.output


def test_it_is_removed_and_deleted(fleet: Fleet) -> None:
    run = fleet.run("revoke", "--check", magento_revoke_key=OLD, magento_revoke_delete=True)
    assert run.status == 0 and fleet.all_hold() == {OLD} and at_account(fleet, OLD) == [("", True)], run.output
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_revoke_delete=True)
    assert run.status == 0 and fleet.all_hold() == {None} and at_account(fleet, OLD) == [], run.output
    assert f"Is deleted: {OLD}" in words(run), run.output


def test_a_host_that_was_not_heard_keeps_it_enabled(fleet: Fleet) -> None:
    fleet.broken = ("web3",)
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_key_rotation_max_fail_percentage=100)  # fmt: skip
    assert run.status != 0 and at_account(fleet, OLD) == [("", True)], run.output
    assert "web3: it could not be asked" in words(run) and "stays enabled" in words(run), run.output


def test_a_leak_is_disabled_first_and_that_is_said(fleet: Fleet) -> None:
    fleet.variables["magento_revoke_replacement"] = pair(fleet, "web")
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_revoke_leak=True)
    assert run.status == 0 and fleet.all_hold() == {"web"} and at_account(fleet, OLD) == [("", False)], run.output
    actions = [r["action"] for r in run.record if r["action"] in (REVOKE, INSTALL)]
    assert actions[0] == REVOKE and actions.count(INSTALL) == 3, actions
    assert "without a working key" in words(run), run.output


def test_a_leak_is_disabled_although_a_host_is_away(fleet: Fleet) -> None:
    fleet.broken = ("web1",)
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_revoke_leak=True, magento_revoke_delete=True,
                    magento_key_rotation_max_fail_percentage=100)  # fmt: skip
    assert run.status != 0 and at_account(fleet, OLD) == [("", False)], run.output
    assert "is disabled and not deleted" in words(run), run.output


def test_the_current_generation_takes_its_place(fleet: Fleet) -> None:
    laptop = fleet.simulator.add_key("shop", "laptop of somebody")
    fleet.give("web2", *laptop, "checkout")
    fleet.variables["magento_revoke_replacement"] = "current"
    run = fleet.run("revoke", magento_revoke_key="laptop of somebody")
    assert run.status == 0 and fleet.held("web2", "checkout") == OLD, run.output
    assert at_account(fleet, "laptop of somebody") == [("", False)] and at_account(fleet, OLD) == [("", True)]
    itself = fleet.run("revoke", magento_revoke_key=OLD)
    assert itself.status != 0 and "rotate first" in words(itself), itself.output
    assert at_account(fleet, OLD) == [("", True)]


@pytest.mark.parametrize("name", ["nobody's", "0" * 32])
def test_a_key_that_nobody_knows(name: str, fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.run("revoke", magento_revoke_key=name)
    assert run.status != 0 and "unknown_key" in run.output and fleet.state() == before, run.output


def test_without_rights_at_the_api_a_person_is_told_when_and_what(fleet: Fleet) -> None:
    old = pair(fleet, OLD)
    fleet.variables = {
        name: value for name, value in fleet.variables.items() if "application" not in name and "api_url" not in name
    }
    fleet.variables["magento_key_rotation_new_key"] = pair(fleet, "web")
    fleet.variables["magento_key_rotation_old_public_keys"] = [old["public_key"]]
    limited = fleet.run("rotate", "--limit", "web1")
    assert limited.status != 0 and "Do not disable the old keys yet" in words(limited), limited.output
    assert "web3: it was not asked" in words(limited), limited.output
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.all_hold() == {"web"}, run.output
    assert f"disable {old['public_key']}" in words(run), run.output
    assert fleet.series() == {OLD: True}
    assert not fleet.simulator.requests(part="marketplace")
    before = fleet.state()
    again = fleet.run("rotate")
    assert again.status == 0 and fleet.state() == before, again.output


def test_without_rights_a_bad_pair_is_not_deployed(fleet: Fleet) -> None:
    fleet.variables["magento_key_rotation_new_key"] = pair(fleet, "old")
    fleet.variables["magento_key_rotation_old_public_keys"] = [pair(fleet, OLD)["public_key"]]
    before = fleet.state()
    run = fleet.run("rotate", magento_key_rotation_propagation_timeout=0)
    assert run.status != 0 and fleet.state() == before, run.output


def test_a_group_is_rotated_with_two_lines(fleet: Fleet) -> None:
    """As docs/rotation.md has them."""
    fleet.inventory()
    application, secret = fleet.simulator.application("shop")
    access = {
        "MAGENTO_APPLICATION_ID": application,
        "MAGENTO_APPLICATION_SECRET": secret,
        "MAGENTO_API_URL": fleet.simulator.marketplace_url,
        "REQUESTS_CA_BUNDLE": fleet.simulator.ca_path,
    }
    made = fleet.control.run(
        "ansible", "localhost", "-m", "keyfleet.magento.magento_marketplace_key", "-a", "label=fleet-20260301", **access
    )
    assert made.status == 0 and fleet.series()["fleet-20260301"] is True, made.output
    lookup = "lookup('keyfleet.magento.magento_marketplace_key', 'fleet-20260301')"
    options = {
        "public_key": "{{ pair.public_key }}",
        "private_key": "{{ pair.private_key }}",
        "projects": ["{{ root }}/shop"],
        "url": fleet.simulator.url,
        "ca_path": fleet.simulator.ca_path,
    }
    put = fleet.control.run(
        "ansible", "web", "-m", INSTALL, "-e", json.dumps({"pair": "{{ " + lookup + " }}"}), "-a", json.dumps(options),
        **access,
    )  # fmt: skip
    assert put.status == 0 and fleet.all_hold() == {"fleet-20260301"}, put.output
    for private in (fleet.simulator.key("shop", "fleet-20260301")[1], secret):
        assert private not in made.output + put.output
