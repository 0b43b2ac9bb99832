# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that people type: the real `ansible` with keys from a vault file, where all is well and where it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import _auth_lab
import _control
import _file_lab
import pytest
from _auth_lab import CLASSIC, HOST, state_of
from _control import MODULE, PYTHON, Control, Run
from _file_lab import Account

from simulator.client import Simulator

pytestmark = pytest.mark.needs("root", "useradd", PYTHON)
accounts, lab, same_ids, deploy = _file_lab.accounts, _file_lab.lab, _file_lab.same_ids, _auth_lab.deploy
control = _control.control
INFO = "keyfleet.magento.magento_auth_key_info"


@dataclass(frozen=True)
class Desk:
    """Where the lines are typed: a vault file with a pair, and every output searched for its private half."""

    control: Control
    simulator: Simulator
    user: Account
    secrets: list[str] = field(default_factory=list)

    def type(self, module: str, arguments: str, *words: str) -> Run:
        """``ansible web -m MODULE -e @vault.yml -a ARGUMENTS``, as the documentation has it."""
        vault = ["-e", "@vault.yml", "--vault-password-file", "password"]
        run = self.control.run("ansible", "web", "-m", module, *vault, "-a", arguments, *words)
        for secret in self.secrets:
            assert secret not in run.output, run.output
            assert secret not in json.dumps(run.record), run.output
        return run

    def lock(self, public: str, private: str) -> None:
        """Put a pair into the vault file."""
        content = {"vault_magento_public_key": public, "vault_magento_private_key": private}
        path = self.control.write("vault.yml", content)
        self.secrets.append(private)
        command = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", "--vault-password-file", "password"]
        subprocess.run([*command, path.name], check=True, cwd=path.parent, capture_output=True)
        assert path.read_text().startswith("$ANSIBLE_VAULT")

    @property
    def file(self) -> Path:
        return self.user.home / CLASSIC / "auth.json"


@pytest.fixture
def desk(control: Control, simulator: Simulator, deploy: Account) -> Iterator[Desk]:
    """A desk with a password file and an empty vault."""
    control.write("password", "made up for the test\n")
    yield Desk(control, simulator, deploy)


PAIR = "public_key={{ vault_magento_public_key }} private_key={{ vault_magento_private_key }}"


def test_check_install_repeat_diff_and_remove(desk: Desk) -> None:
    desk.lock(*desk.simulator.key("shop", "web"))
    where = f"users={desk.user.name} url={desk.simulator.url} ca_path={desk.simulator.ca_path}"
    checked = desk.type(INFO, f"{PAIR} url={desk.simulator.url} ca_path={desk.simulator.ca_path}")
    assert checked.status == 0 and checked.of(action=INFO)[0]["verdicts"][0]["status"] == "valid", checked.output
    assert not desk.file.exists()
    before = desk.type(MODULE, f"{PAIR} {where}", "--check", "--diff")
    assert before.status == 0 and not desk.file.exists(), before.output
    done = desk.type(MODULE, f"{PAIR} {where}", "--diff")
    assert done.only()["files"] == before.only()["files"] and done.only()["files"][0]["action"] == "created"
    for run in (before, done):
        assert '+            "password": "sha256:' in run.output and f"+++ after: {desk.file}" in run.output, run.output
    assert json.loads(desk.file.read_text())["http-basic"][HOST]["password"] == desk.secrets[0]
    desk.simulator.clear_log()
    again = desk.type(MODULE, f"{PAIR} {where}", "--diff", "-vvvv")
    assert again.only()["changed"] is False and desk.simulator.requests() == [], again.output
    gone = desk.type(MODULE, f"users={desk.user.name} state=absent", "--diff", "-vvv")
    assert gone.only()["files"][0]["action"] == "removed" and '-            "password": "sha256:' in gone.output
    assert json.loads(desk.file.read_text()) == {"http-basic": {}}


@pytest.mark.parametrize(
    ("case", "code"),
    [("disabled key", "keys_invalid"), ("another's private half", "keys_invalid"), ("no key at all", "bad_key")],
)
def test_the_failing_path_tells_no_half_of_the_secret(case: str, code: str, desk: Desk) -> None:
    public, private = desk.simulator.key("shop", "old")
    halves = {
        "disabled key": private,
        "another's private half": desk.simulator.key("shop", "web")[1],
        "no key at all": private[:16] + "UPPER" + private[21:],
    }
    desk.lock(public, halves[case])
    before = state_of(desk.user.home)
    where = f"users={desk.user.name} url={desk.simulator.url} ca_path={desk.simulator.ca_path}"
    run = desk.type(MODULE, f"{PAIR} {where}", "--diff", "-vvvv")
    assert run.status != 0 and run.only()["code"] == code, run.output
    for part in (desk.secrets[0][:16], desk.secrets[0][16:]):
        assert part not in run.output and part not in json.dumps(run.record), run.output
    assert state_of(desk.user.home) == before


# As the documentation breaks the line.
CHECK = PAIR.replace(" private_key", "\n    private_key") + " fail_on=invalid,refused,not_entitled,unknown"


@pytest.mark.parametrize("label", ["web", "old"])
def test_the_check_of_a_pair_fails_where_it_does_not_work_and_says_so_first(label: str, desk: Desk) -> None:
    public, private = desk.simulator.key("shop", label)
    desk.lock(public, private)
    run = desk.type(INFO, f"{CHECK} url={desk.simulator.url} ca_path={desk.simulator.ca_path}")
    (result,) = run.of(action=INFO)
    assert result["verdicts"][0]["status"] == ("valid" if label == "web" else "invalid"), run.output
    assert (run.status == 0) is (label == "web"), run.output
    if label == "old":
        assert result["msg"].startswith(f"public_key {public} at {HOST}: "), run.output
        assert result["msg"] in run.output.splitlines()[0], run.output


def test_a_list_with_commas(desk: Desk, lab: Path) -> None:
    desk.lock(*desk.simulator.key("shop", "web"))
    for name in ("one", "two"):
        (lab / name).mkdir()
    run = desk.type(MODULE, f"{PAIR} verify=never mode=0640 projects={lab}/one,{lab}/two paths={lab}/auth.json")
    assert [row["path"] for row in run.only()["files"]] == [
        f"{lab}/{name}" for name in ("one/auth.json", "two/auth.json", "auth.json")
    ], run.output
    assert {row["after"]["mode"] for row in run.only()["files"]} == {"0640"}, run.output


def test_bytes_that_are_no_text_reach_the_controller_as_text(desk: Desk, lab: Path) -> None:
    """Otherwise ansible-core refuses the whole result, after the key has been written."""
    desk.lock(*desk.simulator.key("shop", "web"))
    tree = lab / os.fsdecode(b"\xff\xfe\x1b")
    home = desk.user.home / CLASSIC
    desk.user.run(f"mkdir {home}; ln -s \"$(printf '\\377')\" {home}/auth.json")
    tree.mkdir()
    (tree / "auth.json").write_text("{}\n")
    done = desk.type(MODULE, f"{PAIR} verify=never users={desk.user.name}")
    assert done.status == 0 and done.only()["files"][0]["action"] == "created", done.output
    found = desk.type(INFO, f"verify=never search={lab}")
    assert found.status == 0 and found.of(action=INFO)[0]["files"][0]["exists"] is True, found.output
    assert "\x1b" not in found.output
