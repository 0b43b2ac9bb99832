# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the playbook under the real ansible-playbook: one execution of the module per host."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from simulator.client import Simulator
from system.auth_key.lab import CLASSIC, HOST, OTHER, PAIR, auth
from system.control import PYTHON, Control, Run
from system.files.lab import Account, give, owner_and_mode

pytestmark = pytest.mark.needs("root", "useradd", PYTHON)
COMMUNITY = "magento/product-community-edition"


def role_variables(simulator: Simulator, **variables: Any) -> dict[str, Any]:
    return {f"magento_auth_{name}": value for name, value in {"ca_path": simulator.ca_path, **variables}.items()}


def key(simulator: Simulator, account: str = "shop", label: str = "web", **more: Any) -> dict[str, Any]:
    public, private = simulator.key(account, label)
    return {"public_key": public, "private_key": private, "url": simulator.url, **more}


def asked(simulator: Simulator) -> tuple[int, int]:
    """Numbers of requests for packages.json and of walks through its includes, since the last call."""
    entries = simulator.requests()
    simulator.clear_log()
    further = [(entry["user"], entry["path"]) for entry in entries if entry["path"] != "/packages.json"]
    # A walk requests each file once, and each account has its own files.
    walks = {user: max(further.count(one) for one in further if one[0] == user) for user, _path in further}
    return len(entries) - len(further), sum(walks.values())


def users(path: Path) -> dict[str, str]:
    return {host: entry["username"] for host, entry in json.loads(path.read_text())["http-basic"].items()}


def without_secrets(run: Run, *keys: dict[str, Any]) -> Run:
    for one in keys:
        assert one["private_key"] not in run.output and one["private_key"] not in json.dumps(run.record)
    return run


def test_both_forms_of_variables_are_one_execution_of_the_module(
    control: Control, simulator: Simulator, lab: Path, new_name: str
) -> None:
    one, two = key(simulator), key(simulator, "enterprise")
    vendor = {"repository": simulator.address, **key(simulator, "shop", "ci")}
    variables = role_variables(
        simulator,
        keys=[dict(two, projects=[str(lab / "two")]), dict(vendor, users=[new_name])],
        projects=[str(lab / "one"), str(lab / "three")],
        **one,
    )
    first = without_secrets(control.role(variables, "--check", "--diff"), one, two, vendor)
    assert first.status == 0, first.output
    assert first.only()["changed"] is True and {row["action"] for row in first.only()["files"]} == {"created"}
    assert not (lab / "one").exists() and asked(simulator)[0] == 3
    subprocess.run(["useradd", "--create-home", new_name], check=True)
    for name in ("one", "two", "three"):
        give(lab / name, None, 0o755)
    real = without_secrets(control.role(variables, "--diff"), one, two, vendor)
    assert real.status == 0, real.output
    assert [row["status"] for row in real.only()["verdicts"]] == ["valid"] * 3, real.output
    assert asked(simulator) == (3, 0)
    expected = {"one": one, "two": two, "three": one}
    assert {name: users(lab / name / "auth.json") for name in expected} == {
        name: {HOST: pair["public_key"]} for name, pair in expected.items()
    }
    home = Path(f"/home/{new_name}/{CLASSIC}")
    assert users(home / "auth.json") == {simulator.address: vendor["public_key"]}
    assert owner_and_mode(home / "auth.json")[2] == 0o600 and home.owner() == new_name
    for words in (["--check"], []):
        again = control.role(variables, *words)
        assert (again.status, again.only()["changed"]) == (0, False), again.output
        assert asked(simulator) == (0, 0), again.output


def test_every_host_that_runs_the_role_checks_its_packages(control: Control, simulator: Simulator, lab: Path) -> None:
    control.hosts = {name: {"shop_root": str(give(lab / name, None, 0o755))} for name in ("web1", "web2", "web3")}
    control.group = role_variables(simulator, packages=[COMMUNITY, "made-up/package"], fail_on=[], **key(simulator))
    # The first host of the play has the same variables and does not run the role.
    role = "ansible.builtin.include_role: {name: keyfleet.magento.magento_auth}"
    run = control.play(
        "- hosts: web\n  gather_facts: false\n  tasks:\n"
        f"    - {role}\n      when: inventory_hostname != 'web1'\n"
        "      vars: {magento_auth_projects: ['{{ shop_root }}']}\n"
    )
    assert run.status == 0, run.output
    assert {host: run.only(host)["verdicts"][0]["packages"] for host in ("web2", "web3")} == {
        host: {COMMUNITY: "listed", "made-up/package": "absent"} for host in ("web2", "web3")
    }, run.output


def test_variable_of_another_host_is_not_evaluated(control: Control, simulator: Simulator, lab: Path) -> None:
    control.hosts = {name: {"shop_root": str(give(lab / name, None, 0o755))} for name in ("web1", "web2")}
    control.hosts["web1"].update(
        {"magento_auth_keys": "{{ lookup('ansible.builtin.pipe', 'echo looked >> ' ~ seen) }}"}
    )
    control.group = role_variables(simulator, **key(simulator), packages=[COMMUNITY])
    seen = lab / "seen"
    run = control.role({"magento_auth_projects": ["{{ shop_root }}"], "seen": str(seen)}, "--limit", "web2")
    assert run.status == 0 and not seen.exists(), run.output


def test_empty_list_removes_no_key(control: Control, lab: Path) -> None:
    shop = give(lab / "shop", None, 0o755)
    give(shop / "auth.json", None, 0o600, auth())
    variables = {"magento_auth_state": "absent", "magento_auth_projects": [str(shop)]}
    empty: tuple[Any, ...] = (None, [], "")
    # With and without the short form.
    for value, short in itertools.product(empty, ({}, {"magento_auth_public_key": OTHER})):
        run = control.role({**variables, **short, "magento_auth_keys": value})
        assert run.only()["msg"].startswith("magento_auth_keys is an empty list"), run.output
    assert HOST in users(shop / "auth.json")


def test_a_failure_names_the_variable_the_public_key_and_the_repository(
    control: Control, simulator: Simulator, lab: Path
) -> None:
    shop = str(give(lab / "shop", None, 0o755))
    good, bad = key(simulator), key(simulator, "shop", "old")
    public = bad["public_key"]
    listed = {"keys": [{**good, "projects": [shop]}, {**bad, "repository": simulator.address}], "projects": [shop]}
    cases = [
        (bad, "keys_invalid", f"No file was touched. magento_auth_public_key {public} at {HOST}: "),
        (listed, "keys_invalid", f"magento_auth_keys[1] {public} at {simulator.address}: "),
        (
            {**good, "private_key": "<private key>"},
            "bad_key",
            f"magento_auth_public_key {good['public_key']} at {HOST}: magento_auth_private_key is a placeholder",
        ),
        (
            {"keys": [good, {**bad, "private_key": None}]},
            "bad_options",
            f"magento_auth_keys[1] {public} at {HOST}: magento_auth_keys[1].private_key is missing",
        ),
        (
            {"keys": [good], **bad},
            "bad_options",
            f"magento_auth_keys[0] {good['public_key']} at {HOST} and magento_auth_public_key {public} at {HOST}",
        ),
        (
            {},
            "bad_options",
            "neither magento_auth_keys nor magento_auth_public_key and magento_auth_private_key are set",
        ),
        ({**good, "users": []}, "bad_options", "magento_auth_users is an empty list"),
        ({"keys": ["public:private"]}, None, "magento_auth_keys: every element must be a dictionary"),
    ]
    for variables, code, words in cases:
        run = without_secrets(control.role(role_variables(simulator, **{"projects": [shop], **variables})), good, bad)
        assert run.only().get("code") == code and words in run.only()["msg"], run.output
        assert words in " ".join(run.output.split()), run.output


def test_host_with_an_invalid_key_keeps_its_file_and_other_hosts_continue(
    control: Control, simulator: Simulator, lab: Path
) -> None:
    good, bad = key(simulator), key(simulator, "shop", "old")
    control.hosts = {name: {"shop_root": str(give(lab / name, None, 0o755))} for name in ("web1", "web2")}
    control.hosts["web2"].update(
        role_variables(simulator, public_key=bad["public_key"], private_key=bad["private_key"])
    )
    control.group = role_variables(simulator, **good)
    kept = give(lab / "web2" / "auth.json", None, 0o600, auth())
    before = kept.read_bytes(), kept.stat().st_ino, kept.stat().st_mtime_ns
    run = without_secrets(control.role({"magento_auth_projects": ["{{ shop_root }}"]}, "-vvv"), good, bad)
    assert run.status != 0 and run.only("web2")["code"] == "keys_invalid", run.output
    assert "No file was touched" in run.output
    assert (kept.read_bytes(), kept.stat().st_ino, kept.stat().st_mtime_ns) == before
    assert users(lab / "web1" / "auth.json") == {HOST: good["public_key"]}


@pytest.mark.parametrize("where", ["inventory", "vars", "extra"])
@pytest.mark.parametrize("also", [{}, {"magento_auth_mage_id": "MAG123456789"}])
def test_a_misspelled_variable_is_an_error(
    where: str, also: dict[str, str], control: Control, simulator: Simulator, lab: Path
) -> None:
    shop = str(give(lab / "shop", None, 0o755))
    one = key(simulator)
    # Variables of the playbook, and results of an earlier run of the role.
    own = {"magento_auth_keys_common": [one], "magento_auth_result": {}, "magento_auth_token_result": {}}
    right = {**role_variables(simulator, projects=[shop], **one), **own}
    assert control.role(right).status == 0
    wrong = {"magento_auth_projets": [shop], **also}
    control.group = wrong if where == "inventory" else {}
    words = ["-e", json.dumps(wrong)] if where == "extra" else []
    run = without_secrets(control.role({**right, **(wrong if where == "vars" else {})}, *words), one)
    assert run.status != 0 and all("files" not in result for result in run.of()), run.output
    message = "misspelled variables: 'magento_auth_projets' (magento_auth_projects was probably meant)"
    assert message in " ".join(run.output.split()), run.output


@pytest.mark.needs("sudo")
def test_become_an_ordinary_user(control: Control, simulator: Simulator, deploy: Account) -> None:
    # Without targets, the module installs the key for the current user.
    one = key(simulator)
    for expected in (True, False):
        run = control.role(role_variables(simulator, **one), become=True, become_user=deploy.name)
        assert (run.status, run.only()["changed"]) == (0, expected), run.output
    assert users(deploy.home / CLASSIC / "auth.json") == {HOST: one["public_key"]}
    assert owner_and_mode(deploy.home / CLASSIC / "auth.json") == (deploy.uid, deploy.gid, 0o600)


def test_state_absent_removes_the_entry_of_any_key(control: Control, lab: Path) -> None:
    shop = give(lab / "shop", None, 0o755)
    give(shop / "auth.json", None, 0o600, json.dumps({"http-basic": {
        HOST: {"username": "u", "password": "made up"}, "h.example": {"username": "u", "password": "made up"},
    }}))  # fmt: skip
    variables = {"magento_auth_state": "absent", "magento_auth_projects": [str(shop)]}
    for words, left in ((["--check"], {HOST, "h.example"}), ([], {"h.example"})):
        run = control.role(variables, *words)
        assert (run.status, run.only()["changed"]) == (0, True), run.output
        assert set(users(shop / "auth.json")) == left
    assert control.role(variables).only()["changed"] is False


PLAY = """
- hosts: web
  gather_facts: false
  ignore_errors: true
  tasks:
    - keyfleet.magento.magento_auth_key: {{public_key: {integer}, private_key: {private}, {place}}}
    - keyfleet.magento.magento_auth_key: {{public_key: {public}, private_key: 1e31, {place}}}
    - keyfleet.magento.magento_auth_key: {{keys: [{{public_key: {public}, private_key: 1234567890}}], {place}}}
    - keyfleet.magento.magento_auth_key: {{public_key: {public}, private_key: {private}, {place}, mode: 600}}
    - keyfleet.magento.magento_auth_key: {{public_key: {public}, private_key: {private}, {place}, mode: '0644'}}
    - keyfleet.magento.magento_auth_key: {{public_key: {public}, private_key: {private}, {place}, mode: 0600}}
    - keyfleet.magento.magento_auth_key: {{public_key: {public}, private_key: {private}, {place}, mode: '0640'}}
    - ansible.builtin.include_role: {{name: keyfleet.magento.magento_auth}}
      vars: {{magento_auth_keys: [{{public_key: {public}, private_key: {integer}}}],
             magento_auth_projects: [{shop}]}}
"""


def test_keys_and_modes_that_yaml_reads_as_numbers(control: Control, lab: Path) -> None:
    shop = give(lab / "shop", None, 0o755)
    place = f"projects: [{shop}], verify: never"
    text = PLAY.format(
        place=place, shop=shop, public=PAIR["public_key"], private=PAIR["private_key"], integer="1234567890" * 3 + "12"
    )
    run = control.play(text)
    outcomes = [result.get("code", result["changed"]) for result in run.of()]
    assert outcomes == ["bad_key", "bad_key", "bad_key", "bad_options", "bad_options", True, True, "bad_key"], (
        run.output
    )
    assert [result["files"][0]["after"]["mode"] for result in run.of() if result["changed"]] == ["0600", "0640"]
    assert "1234567890" not in json.dumps([result["msg"] for result in run.of() if "msg" in result]), run.output


# The playbook


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (None, "Name the hosts to work on"),
        ("all", "every host of the inventory"),
        ("all:!web2", "every host of the inventory"),
        ("~.", "every host of the inventory"),
        ("~.+", "every host of the inventory"),
        ("[a-z]*", "every host of the inventory"),
        ("web1*", "every host of the inventory"),
        ("wbe", "matches no host"),
    ],
)
def test_the_playbook_needs_a_target(target: str | None, words: str, control: Control) -> None:
    run = control.run(
        "ansible-playbook", "keyfleet.magento.provision", *(["-e", f"magento_target={target}"] if target else [])
    )
    assert run.status != 0 and words in " ".join(run.output.split()), run.output
    assert run.record == [], run.output


def test_the_playbook_works_on_its_target_and_under_a_limit(control: Control, simulator: Simulator, lab: Path) -> None:
    for name in ("web1", "web2"):
        control.hosts[name] = role_variables(simulator, projects=[str(give(lab / name, None, 0o755))])
    control.group = role_variables(simulator, **key(simulator))
    command = ["ansible-playbook", "keyfleet.magento.provision", "-e", "magento_target=web"]
    limited = control.run(*command, "--limit", "web2")
    assert limited.status == 0 and {r["host"] for r in limited.record} == {"web2"}, limited.output
    assert not (lab / "web1" / "auth.json").exists() and (lab / "web2" / "auth.json").exists()
    whole = control.run(*command)
    assert [whole.only(name)["changed"] for name in ("web1", "web2")] == [True, False], whole.output
