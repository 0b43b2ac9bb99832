# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that block a retirement, and hosts that do not, with the real ansible-playbook."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.control import PYTHON, Run
from system.files.lab import Accounts
from system.rotation.lab import DEPLOY, OLD, PHASE, REPOSITORY, Fleet, headline, plays, results, summary_lines, today

pytestmark = pytest.mark.needs("root", PYTHON)


def both() -> dict[str, bool]:
    """The series before the retirement."""
    return {OLD: True, today(): True}


def done() -> dict[str, bool]:
    """The series after a rotation."""
    return {OLD: False, today(): True}


def blocked(run: Run) -> list[dict[str, Any]]:
    """The rows of the last answer, which is blocked; the summary has a line for each."""
    assert run.status == 2, run.output
    answer = run.of("localhost", PHASE)[-1]
    assert answer["code"] == "blocked" and answer["disabled"] == answer["deleted"] == [], answer
    rows: list[dict[str, Any]] = answer["blocked"]
    lines = [line for line in summary_lines(run) if line.startswith("Blocked: ")]
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        assert all(part in line for part in row.values() if part), (row, line)
    return rows


@pytest.mark.parametrize("away", ["web1", "web3"])
def test_a_host_that_is_down_blocks_only_the_retirement(away: str, fleet: Fleet) -> None:
    del fleet.settings["batches"]
    fleet.broken = (away,)
    run = fleet.run("rotate")
    (row,) = blocked(run)
    assert row["host"] == away and row["reason"].startswith("it could not be reached: "), row
    assert "Retirement of the series fleet is blocked, and nothing was disabled" in headline(run)
    assert plays(run)[-2:] == ["Retire", "Summary"] and fleet.series() == both()
    assert {name: fleet.held(name) for name in fleet.names} == {**dict.fromkeys(fleet.names, today()), away: OLD}
    fleet.all_keys_work()
    deploy = fleet.run("rotate_deploy")
    assert [row["host"] for row in blocked(deploy)] == [away]
    assert summary_lines(deploy)[0].startswith(
        "Deployment of the series fleet: "
    ) and "Hosts that have it: 2 of 3" in summary_lines(deploy)
    fleet.broken = ()
    whole = fleet.run("rotate")
    assert whole.status == 0 and fleet.all_hold() == {today()} and fleet.series() == done(), whole.output


@pytest.mark.hosts(2)
def test_an_excluded_host_that_is_down_blocks_nothing(fleet: Fleet) -> None:
    del fleet.settings["batches"]
    fleet.broken, fleet.settings["excluded_hosts"] = ("web1",), ["web1"]
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == done(), run.output
    assert "Hosts that are confirmed: 1 of 1" in summary_lines(run)
    assert fleet.held("web1") == OLD and fleet.held("web2") == today()
    deploy = fleet.run("rotate_deploy")
    assert deploy.status == 0, deploy.output
    # An excluded host that answers gets the key, and its answer blocks nothing.
    fleet.broken = ()
    fleet.give("web1", *fleet.simulator.key("shop", OLD), "elsewhere")
    fleet.simulator.enable_key(fleet.simulator.key("shop", OLD)[0])
    again = fleet.run("rotate")
    assert again.status == 0 and fleet.series() == done() and fleet.held("web1") == today(), again.output


def test_a_host_that_never_answers_blocks_after_task_timeout(fleet: Fleet) -> None:
    hanging = fleet.control.write("silent", "#!/bin/sh\nexec sleep 300\n")
    hanging.chmod(0o755)
    fleet.own["web2"] = {"ansible_python_interpreter": str(hanging)}
    fleet.control.write("ansible.cfg", "[defaults]\ntask_timeout = 20\n")
    run = fleet.run("rotate")
    (row,) = blocked(run)
    assert row["host"] == "web2" and "20 second" in row["reason"], row
    assert fleet.series() == both() and [fleet.held(name) for name in fleet.names] == [today(), OLD, today()]


def test_an_excluded_host_whose_deployment_fails_blocks_nothing(fleet: Fleet) -> None:
    fleet.settings |= {"batches": [1, 1, 1], "excluded_hosts": ["web1"]}
    fleet.own["web1"] = {"magento_auth_paths": ["/nowhere/auth.json"], "magento_auth_keys": [{"series": "fleet"}]}
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == done() and results(run, DEPLOY)["web1"]["code"] == "no_directory", (
        run.output
    )
    assert [fleet.held(name) for name in fleet.names] == [OLD, today(), today()]


def test_expected_hosts_and_expected_count(fleet: Fleet) -> None:
    part = fleet.run("rotate", target="web1:web2")
    assert [(row["host"], row["reason"]) for row in blocked(part)] == [("web3", "it is expected but not in the target")]
    assert fleet.series() == both() and fleet.held("web3") == OLD
    # The hosts of the target are expected in addition to expected_hosts.
    fleet.broken = ("web3",)
    assert [row["host"] for row in blocked(fleet.run("rotate", settings={"expected_hosts": ["web1"]}))] == ["web3"]
    fleet.broken = ()
    none = fleet.run("rotate_retire", settings={"excluded_hosts": list(fleet.names)})
    assert "no host is expected" in [row["reason"] for row in blocked(none)]
    count = fleet.run("rotate_retire", settings={"expected_count": 4})
    assert "expected_count is 4, and 3 hosts are expected by name" in [row["reason"] for row in blocked(count)]
    zero = fleet.run("rotate_retire", settings={"expected_count": 0})
    assert zero.status == 2 and "expected_count must be one or more" in headline(zero), zero.output
    assert fleet.series() == both()
    right = fleet.run("rotate", settings={"expected_count": 3, "expected_hosts": []})
    assert right.status == 0 and fleet.series() == done(), right.output


def test_no_further_batch_after_too_many_failures(fleet: Fleet) -> None:
    fleet.settings["batches"] = [1, 1, 1]
    fleet.own["web1"] = {"magento_auth_paths": ["/nowhere/auth.json"], "magento_auth_keys": [{"series": "fleet"}]}
    run = fleet.run("rotate")
    deployed = results(run, DEPLOY)
    assert list(deployed) == ["web1"] and deployed["web1"]["code"] == "no_directory", run.output
    rows = {row["host"]: row["reason"] for row in blocked(run)}
    assert "/nowhere does not exist" in rows.pop("web1") and f"{today()} was not seen on any host" == rows.pop(None)
    assert rows == dict.fromkeys(("web2", "web3"), "not yet updated")
    assert fleet.all_hold() == {OLD} and fleet.series() == both()
    fleet.all_keys_work()
    run = fleet.run("rotate", settings={"max_failed": 1})
    assert list(results(run, DEPLOY)) == ["web1", "web2", "web3"]
    (row,) = blocked(run)
    assert row["host"] == "web1" and "/nowhere" in row["reason"], row
    assert fleet.held("web1") == OLD and fleet.held("web2") == fleet.held("web3") == today()
    fleet.all_keys_work()
    deploy = fleet.run("rotate_deploy")
    assert list(results(deploy, DEPLOY)) == ["web1"] and {row["host"] for row in blocked(deploy)} == set(fleet.names)
    fleet.own.clear()
    whole = fleet.run("rotate")
    assert whole.status == 0 and fleet.series() == done(), whole.output


def state_of(files: list[str]) -> list[tuple[bytes, int, int]]:
    """Content, inode and time of files; any write changes them."""
    return [(Path(file).read_bytes(), os.stat(file).st_ino, os.stat(file).st_mtime_ns) for file in files]


@pytest.fixture
def stray(fleet: Fleet, accounts: Accounts) -> Iterator[list[str]]:
    """Old keys in files that no variable names: in the home of a user, which all hosts share, and below ``search``."""
    home = accounts.other.home / ".composer"
    home.mkdir(mode=0o700, exist_ok=True)
    public, private = fleet.simulator.key("shop", OLD)
    entry, other = {"username": public, "password": private}, {"username": "somebody", "password": "made-up word"}
    file = home / "auth.json"
    file.write_text(json.dumps({"http-basic": {REPOSITORY: entry, "git.example": other}}))
    file.chmod(0o600)
    below = fleet.give("web2", public, private, "releases/1")
    for path in (home, file, below):
        os.chown(path, accounts.other.uid, accounts.other.gid)
    yield [str(file), str(below)]
    # The accounts outlive the test, and every fleet of this machine searches their homes.
    shutil.rmtree(home)


@pytest.mark.hosts(2)
def test_an_old_key_in_a_file_that_no_variable_names_blocks(fleet: Fleet, accounts: Accounts, stray: list[str]) -> None:
    before = state_of(stray)
    run = fleet.run("rotate")
    rows = {(row["host"], row["path"]): row for row in blocked(run)}
    assert set(rows) == {*((name, stray[0]) for name in fleet.names), ("web2", stray[1])}
    for row in rows.values():
        assert row["owner"] == accounts.other.name
        assert row["reason"] == f"it has {OLD}, and no variable of the host names this file"
    assert summary_lines(run)[-1].endswith(
        "name the files in the host's variables, or set unmanaged_keys=remove or =ignore"
    )
    # The new key is installed only in files that variables name.
    assert state_of(stray) == before
    assert fleet.all_hold() == {today()} and fleet.series() == both()


@pytest.mark.hosts(2)
def test_unmanaged_keys_remove_removes_old_keys(fleet: Fleet, accounts: Accounts, stray: list[str]) -> None:
    other = fleet.give("web1", *fleet.simulator.key("shop", "ci"), "tools")
    before = other.read_bytes()
    checked = fleet.run("rotate", "--check", settings={"unmanaged_keys": "remove"})
    assert checked.status == 0 and fleet.held("web2", "releases/1") == OLD, checked.output
    run = fleet.run("rotate", settings={"unmanaged_keys": "remove"})
    assert run.status == 0 and fleet.series() == done() and fleet.all_hold() == {today()}, run.output
    with open(stray[0]) as file:
        assert list(json.load(file)["http-basic"]) == ["git.example"]
    assert fleet.held("web2", "releases/1") is None and other.read_bytes() == before
    assert {os.stat(path).st_uid for path in stray if os.path.exists(path)} == {accounts.other.uid}
    state = fleet.state()
    again = fleet.run("rotate", settings={"unmanaged_keys": "remove"})
    assert again.status == 0 and fleet.state() == state, again.output


@pytest.mark.hosts(2)
def test_unmanaged_keys_ignore_leaves_old_keys(fleet: Fleet, stray: list[str]) -> None:
    before = state_of(stray)
    run = fleet.run("rotate", settings={"unmanaged_keys": "ignore"})
    assert run.status == 0 and fleet.series() == done() and fleet.all_hold() == {today()}, run.output
    assert state_of(stray) == before


@pytest.mark.hosts(2)
def test_a_further_file_that_variables_name_gets_the_new_key(fleet: Fleet) -> None:
    fleet.give("web2", *fleet.simulator.key("shop", OLD), "releases/1")
    fleet.own["web2"] = {
        "magento_auth_keys": [
            {"series": "fleet", "projects": ["{{ root }}/shop", "{{ root }}/releases/1"], "url": fleet.simulator.url}
        ]
    }
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.held("web2", "releases/1") == fleet.held("web2") == today(), run.output
    assert fleet.series() == done()


@pytest.mark.hosts(2)
def test_a_path_through_a_link_names_the_same_file(fleet: Fleet) -> None:
    fleet.give("web2", *fleet.simulator.key("shop", OLD), "releases/1")
    (fleet.directory / "web2" / "current").symlink_to("releases/1")
    projects = ["{{ root }}/shop", "{{ root }}/current"]
    fleet.own["web2"] = {"magento_auth_keys": [{"series": "fleet", "projects": projects, "url": fleet.simulator.url}]}
    before = fleet.run("rotate", "--check")
    assert before.status == 0, before.output
    assert fleet.run("rotate_issue").status == 0
    after = fleet.run("rotate", "--check")
    assert after.status == 0, after.output
    run = fleet.run("rotate")
    assert run.status == 0 and fleet.series() == done() and fleet.held("web2", "releases/1") == today(), run.output


@pytest.mark.hosts(2)
def test_an_unreadable_file_blocks(fleet: Fleet) -> None:
    broken = fleet.file("web2", "broken")
    broken.parent.mkdir()
    broken.write_text("{")
    rows = blocked(fleet.run("rotate"))
    assert [(row["host"], row["path"]) for row in rows] == [("web2", str(broken))] and fleet.series() == both()


@pytest.mark.hosts(2)
def test_a_host_whose_variables_still_give_the_old_pair_blocks(fleet: Fleet) -> None:
    public, private = fleet.simulator.key("shop", OLD)
    pair = {"public_key": public, "private_key": private, "projects": ["{{ root }}/shop"], "url": fleet.simulator.url}
    fleet.own["web2"] = {"magento_auth_keys": [pair]}
    run = fleet.run("rotate")
    rows = blocked(run)
    found = [(row["host"], row["path"], row["reason"]) for row in rows]
    assert found == [("web2", str(fleet.file("web2")), f"the host's variables set {OLD}")]
    assert fleet.series() == both() and fleet.held("web2") == OLD
