# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocations: where the key is replaced, where it is removed, and when it is disabled."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.control import PYTHON, Run
from system.rotation.lab import LAPTOP, OLD, REPOSITORY, Fleet, pair, summary, today, unwrapped

pytestmark = pytest.mark.needs("root", PYTHON)
NOBODY = 65534
ORGANISATION = "000FAKE0SHOP000@AdobeOrg"


def at_account(fleet: Fleet, label: str) -> list[tuple[str, bool]]:
    """Owner, and whether it is enabled, of every key with this label."""
    return sorted((key["uid"], key["enabled"]) for key in fleet.at_account() if key["label"] == label)


def disabling(run: Run) -> list[str]:
    """The plays that disabled a key."""
    phases = {"Disable a leaked key at once": "Plan"}
    return [phases.get(r["task"], "Retire") for r in run.record if r["result"].get("disabled")]


@pytest.fixture
def leaver() -> Iterator[Path]:
    """The home of a user of the hosts."""
    name = f"kf-leaver-{secrets.token_hex(3)}"
    subprocess.run(["useradd", "--create-home", name], check=True)
    home = Path(pwd.getpwnam(name).pw_dir)
    yield home
    subprocess.run(["userdel", name], check=True)
    shutil.rmtree(home)


@pytest.mark.hosts(2)
def test_the_key_is_replaced_where_variables_name_the_series_and_removed_elsewhere(fleet: Fleet) -> None:
    old = pair(fleet, OLD)
    fleet.simulator.add_key("shop", today())
    fleet.simulator.add_key("shop", OLD, uid=ORGANISATION)
    unmanaged = fleet.give("web2", old["public_key"], old["private_key"], "backup/2025")
    os.chown(unmanaged, NOBODY, NOBODY)
    fingerprint = f"sha256:{hashlib.sha256(old['private_key'].encode()).hexdigest()[:12]}"
    run = fleet.run("revoke", magento_revoke_key=fingerprint, magento_revoke_replacement="current")
    assert run.status == 0, run.output
    assert fleet.all_hold() == {today()} and fleet.held("web2", "backup/2025") is None
    assert unmanaged.stat().st_uid == NOBODY
    # A key of another owner with the same label is another key.
    assert at_account(fleet, OLD) == [("", False), (ORGANISATION, True)]
    assert at_account(fleet, today()) == [("", True)]
    fleet.all_keys_work()
    assert disabling(run) == ["Retire"], "the key was disabled before the hosts were updated"
    assert f"Revocation of {OLD} ({old['public_key']}): it is disabled Was updated: web1, " in summary(run)
    assert f"Was removed: web2, {unmanaged} " in summary(run) and f" Disabled: {OLD} Left to do: " in summary(run)
    assert f"name {OLD} in rejected" in summary(run)
    before = fleet.state()
    again = fleet.run("revoke", settings={"rejected": [OLD]}, magento_revoke_key=OLD,
                      magento_revoke_replacement="current")  # fmt: skip
    assert again.status == 0 and fleet.state() == before, again.output
    assert summary(again).endswith("it is disabled Left to do: nothing"), again.output
    assert not any(r["result"].get("changed") for r in again.record), again.output


@pytest.mark.hosts(1)
def test_an_adopted_key_stays_revoked_once_it_is_rejected(fleet: Fleet) -> None:
    fleet.give("web1", *fleet.simulator.add_key("shop", LAPTOP))
    fleet.settings["adopt"] = [LAPTOP]
    run = fleet.run("revoke", magento_revoke_key=LAPTOP, magento_revoke_replacement="current")
    assert run.status == 0 and f"name {LAPTOP} in rejected" in summary(run), run.output
    fleet.settings["rejected"] = [LAPTOP]
    assert fleet.run("rotate", settings={"rotate_now": True}).status == 0
    # Only rejected generations are left.
    fleet.settings["rejected"] += [OLD, today()]
    again = fleet.run("rotate")
    assert again.status == 2 and "every generation of fleet is rejected" in again.output, again.output
    assert at_account(fleet, LAPTOP) == [("", False)]


def test_a_given_pair_replaces_the_key_in_both_forms_of_variables(fleet: Fleet) -> None:
    url, projects = fleet.simulator.url, ["{{ root }}/shop"]
    del fleet.variables["magento_auth_keys"]
    fleet.own = {
        "web1": {"magento_auth_keys": [{"series": "fleet", "projects": projects, "url": url}]},
        "web2": {"magento_auth_series": "fleet", "magento_auth_projects": projects, "magento_auth_url": url},
        # Its variables do not name the series at all.
        "web3": {"magento_auth_keys": [{**pair(fleet, "web"), "paths": ["{{ root }}/other.json"], "url": url}]},
    }
    fleet.simulator.add_key("shop", "the next")
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_revoke_replacement=pair(fleet, "the next"))
    assert run.status == 0, run.output
    assert [fleet.held(name) for name in fleet.names] == ["the next", "the next", None]
    own = json.loads((fleet.directory / "web3" / "other.json").read_text())["http-basic"][REPOSITORY]
    assert own["username"] == pair(fleet, "web")["public_key"]
    assert at_account(fleet, OLD) == [("", False)]


@pytest.mark.hosts(2)
@pytest.mark.needs("useradd")
def test_the_keys_of_a_leaver_are_removed_and_none_is_installed(fleet: Fleet, leaver: Path) -> None:
    # A key of the organisation, and one of the account with the same label.
    laptop = fleet.simulator.add_key("shop", LAPTOP, uid=ORGANISATION)
    fleet.simulator.add_key("shop", LAPTOP)
    home = leaver / ".composer" / "auth.json"
    home.parent.mkdir()
    entry = {"username": laptop[0], "password": laptop[1]}
    home.write_text(json.dumps({"http-basic": {REPOSITORY: entry, "h.example": {"username": "u", "password": "p"}}}))
    owner = leaver.stat()
    for path in (home.parent, home):
        os.chown(path, owner.st_uid, owner.st_gid)
    fleet.give("web2", *laptop, "checkout")
    before, text = fleet.state(), home.read_bytes()
    options: dict[str, Any] = {
        "magento_revoke_key": laptop[0],
        "magento_revoke_replacement": "current",
        "magento_revoke_delete": True,
    }
    check = fleet.run("revoke", "--check", "--diff", **options, magento_revoke_leak=True)
    assert check.status == 0 and fleet.state() == before and home.read_bytes() == text, check.output
    assert "check mode: it would be disabled and deleted" in summary(check)
    assert f"Would be removed: web2, {fleet.file('web2', 'checkout')}" in summary(check)
    run = fleet.run("revoke", **options)
    assert run.status == 0, run.output
    assert list(json.loads(home.read_text())["http-basic"]) == ["h.example"], "a key was installed in the home"
    assert home.stat().st_uid == owner.st_uid
    assert fleet.held("web2", "checkout") is None and fleet.all_hold() == {OLD}
    assert at_account(fleet, LAPTOP) == at_account(fleet, OLD) == [("", True)]
    assert summary(run).endswith(f"Disabled: {LAPTOP} Deleted: {LAPTOP} Left to do: nothing")


@pytest.mark.hosts(1)
def test_a_leaked_key_is_disabled_first_and_the_summary_says_so(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today())
    options: dict[str, Any] = {
        "magento_revoke_key": OLD,
        "magento_revoke_leak": True,
        "magento_revoke_replacement": "current",
    }
    number = fleet.simulator.add_fault("status", path="*/keys/*", method="PUT", status=500)
    before = fleet.state()
    refused = fleet.run("revoke", **options)
    assert refused.status == 2 and fleet.state() == before, refused.output
    assert f"{OLD} was not disabled, and no host was changed" in unwrapped(refused), refused.output
    fleet.simulator.remove_fault(number)
    run = fleet.run("revoke", **options)
    assert run.status == 0 and fleet.all_hold() == {today()} and at_account(fleet, OLD) == [("", False)], run.output
    assert disabling(run) == ["Plan"]
    assert "had no working key until the run reached them" in summary(run)


def test_a_leaked_key_is_disabled_last_in_the_plan_and_a_failing_host_stops_no_batch(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today())
    options: dict[str, Any] = {
        "magento_revoke_key": OLD,
        "magento_revoke_leak": True,
        "magento_revoke_replacement": "current",
    }
    # The third list request is that of the pair.
    number = fleet.simulator.add_fault("status", path="*/keys", method="GET", status=500, skip=2)
    before = fleet.state()
    assert fleet.run("revoke", **options).status == 2 and fleet.state() == before
    fleet.simulator.remove_fault(number)
    shutil.rmtree(fleet.directory / "web1" / "shop")
    one_by_one = {"batches": [1], "max_failed": 0}
    run = fleet.run("revoke", settings=one_by_one, **{**options, "magento_revoke_leak": False})
    assert run.status == 2 and fleet.held("web2") == OLD, run.output
    run = fleet.run("revoke", settings=one_by_one, **options)
    assert run.status == 2 and at_account(fleet, OLD) == [("", False)], run.output
    assert fleet.held("web2") == fleet.held("web3") == today()
    assert "Blocked: web1: " in summary(run) and "Blocked: web2" not in summary(run)


@pytest.mark.hosts(2)
@pytest.mark.parametrize("leak", [False, True])
def test_a_host_that_is_down(leak: bool, fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today())
    options: dict[str, Any] = {"magento_revoke_key": OLD, "magento_revoke_replacement": "current"}
    options |= {"magento_revoke_leak": leak, "magento_revoke_delete": True}
    fleet.broken = ("web1",)
    run = fleet.run("revoke", **options)
    assert run.status == 2 and at_account(fleet, OLD) == [("", not leak)], run.output
    assert [fleet.held(name) for name in fleet.names] == [OLD, today()]
    assert "Blocked: web1: it could not be reached" in summary(run)
    state = "it is disabled, and hosts are not confirmed to be without it" if leak else "it stays enabled"
    assert f"is blocked: {state}" in summary(run)
    fleet.broken = ()
    run = fleet.run("revoke", **options)
    assert run.status == 0 and fleet.all_hold() == {today()} and at_account(fleet, OLD) == [], run.output


@pytest.mark.hosts(1)
def test_faults_of_the_api_fail_the_summary_with_the_reason(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today())
    options: dict[str, Any] = {
        "magento_revoke_key": OLD,
        "magento_revoke_replacement": "current",
        "magento_revoke_delete": True,
    }
    for method, enabled in (("PUT", True), ("DELETE", False)):
        number = fleet.simulator.add_fault("status", path="*/keys/*", method=method, status=403)
        run = fleet.run("revoke", **options)
        assert run.status == 2 and at_account(fleet, OLD) == [("", enabled)], run.output
        assert f"Revocation of {OLD} ({pair(fleet, OLD)['public_key']}) failed: " in summary(run)
        assert "403" in summary(run) and "run again" in summary(run), run.output
        assert fleet.all_hold() == {today()}
        fleet.simulator.remove_fault(number)
    run = fleet.run("revoke", **options)
    assert run.status == 0 and at_account(fleet, OLD) == [], run.output


def test_the_summary_names_what_blocks(fleet: Fleet) -> None:
    laptop = fleet.simulator.add_key("shop", LAPTOP)
    literal, url = {"public_key": laptop[0], "private_key": laptop[1]}, fleet.simulator.url
    # Variables that would install it again, in both forms.
    fleet.own["web1"] = {"magento_auth_keys": [{**literal, "url": url, "projects": ["{{ root }}/shop"]}]}
    flat = {f"magento_auth_{name}": value for name, value in literal.items()}
    fleet.own["web2"] = {**flat, "magento_auth_url": url, "magento_auth_paths": ["{{ root }}/flat.json"]}
    entries = fleet.variables.pop("magento_auth_keys")
    fleet.own["web3"] = {"magento_auth_keys": entries}
    # An entry for another repository, which is removed, too, and a file that cannot be read.
    login = {"username": laptop[0], "password": laptop[1]}
    mirror = fleet.give("web3", *laptop, "mirror")
    mirror.write_text(json.dumps({"http-basic": {"mirror.example": login}}))
    fleet.give("web3", *laptop, "broken").write_text('{"http-basic": ')
    run = fleet.run("revoke", magento_revoke_key=LAPTOP, settings={"expected_hosts": ["web9"]})
    assert run.status == 2 and at_account(fleet, LAPTOP) == [("", True)], run.output
    message = summary(run)
    assert f"Blocked: web1: {fleet.file('web1')}: the host's variables set {LAPTOP}" in message
    assert f"Blocked: web2: {fleet.directory}/web2/flat.json: the host's variables set {LAPTOP}" in message
    assert "mirror.example" not in mirror.read_text()
    assert f"{fleet.file('web3', 'broken')}" in message
    assert "Blocked: web9: it is expected but not in the target" in message


@pytest.mark.hosts(2)
def test_excluded_hosts_do_not_block_and_are_named(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today())
    fleet.broken = ("web2",)
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_revoke_replacement="current",
                    settings={"excluded_hosts": ["web2"]})  # fmt: skip
    assert run.status == 0 and at_account(fleet, OLD) == [("", False)], run.output
    assert "Excluded, and may still have it: web2" in summary(run)


@pytest.mark.hosts(1)
def test_a_replacement_that_stops_working_meanwhile(fleet: Fleet) -> None:
    """As if another run disabled it: then the revoked key may be the only one that works."""
    public, _private = fleet.simulator.add_key("shop", today())
    fleet.variables["magento_auth_verify"] = "never"
    # The first request is that of the play *Plan*.
    number = fleet.simulator.add_fault("status", path="/packages.json", user=public, skip=1, status=401)
    options: dict[str, Any] = {
        "magento_revoke_key": OLD,
        "magento_revoke_replacement": "current",
        "magento_revoke_delete": True,
    }
    run = fleet.run("revoke", **options)
    assert run.status == 2 and at_account(fleet, OLD) == [("", True)], run.output
    assert f"failed: The repository does not accept the replacement of {OLD}, which stays as it is" in summary(run)
    assert summary(run).endswith("Left to do: run again"), run.output
    assert fleet.all_hold() == {today()} and not disabling(run)
    fleet.simulator.remove_fault(number)
    assert fleet.run("revoke", **options).status == 0 and at_account(fleet, OLD) == []
