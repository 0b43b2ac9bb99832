# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ad-hoc commands: the real `ansible` with keys from a vault file, for success and for failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simulator.client import Simulator
from system.auth_key.lab import CLASSIC, HOST, state_of
from system.control import MODULE, PYTHON, Control, Run
from system.files.lab import Account

pytestmark = pytest.mark.needs("root", "useradd", PYTHON)
INFO = "keyfleet.magento.magento_auth_key_info"


@dataclass(frozen=True)
class AdHoc:
    """Runs commands with a pair from a vault file, and searches every output for the private key."""

    control: Control
    simulator: Simulator
    user: Account
    secrets: list[str] = field(default_factory=list)

    def run(self, module: str, arguments: str, *words: str) -> Run:
        """``ansible web -m MODULE -e @vault.yml -a ARGUMENTS``, as in the documentation."""
        vault = ["-e", "@vault.yml", "--vault-password-file", "password"]
        run = self.control.run("ansible", "web", "-m", module, *vault, "-a", arguments, *words)
        for secret in self.secrets:
            assert secret not in run.output, run.output
            assert secret not in json.dumps(run.record), run.output
        return run

    def write_vault(self, public: str, private: str) -> None:
        """Write a pair to the vault file."""
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
def adhoc(control: Control, simulator: Simulator, deploy: Account) -> Iterator[AdHoc]:
    """With a password file, before the vault file is written."""
    control.write("password", "made up for the test\n")
    yield AdHoc(control, simulator, deploy)


PAIR = "public_key={{ vault_magento_public_key }} private_key={{ vault_magento_private_key }}"


def test_check_install_repeat_diff_and_remove(adhoc: AdHoc) -> None:
    adhoc.write_vault(*adhoc.simulator.key("shop", "web"))
    where = f"users={adhoc.user.name} url={adhoc.simulator.url} ca_path={adhoc.simulator.ca_path}"
    checked = adhoc.run(INFO, f"{PAIR} url={adhoc.simulator.url} ca_path={adhoc.simulator.ca_path}")
    assert checked.status == 0 and checked.of(action=INFO)[0]["verdicts"][0]["status"] == "valid", checked.output
    assert not adhoc.file.exists()
    before = adhoc.run(MODULE, f"{PAIR} {where}", "--check", "--diff")
    assert before.status == 0 and not adhoc.file.exists(), before.output
    done = adhoc.run(MODULE, f"{PAIR} {where}", "--diff")
    assert done.only()["files"] == before.only()["files"] and done.only()["files"][0]["action"] == "created"
    for run in (before, done):
        assert '+            "password": "sha256:' in run.output and f"+++ after: {adhoc.file}" in run.output, (
            run.output
        )
    assert json.loads(adhoc.file.read_text())["http-basic"][HOST]["password"] == adhoc.secrets[0]
    adhoc.simulator.clear_log()
    again = adhoc.run(MODULE, f"{PAIR} {where}", "--diff", "-vvvv")
    assert again.only()["changed"] is False and adhoc.simulator.requests() == [], again.output
    removed = adhoc.run(MODULE, f"users={adhoc.user.name} state=absent", "--diff", "-vvv")
    assert removed.only()["files"][0]["action"] == "removed" and '-            "password": "sha256:' in removed.output
    assert json.loads(adhoc.file.read_text()) == {"http-basic": {}}


@pytest.mark.parametrize(
    ("case", "code"),
    [("disabled key", "keys_invalid"), ("another's private half", "keys_invalid"), ("no key at all", "bad_key")],
)
def test_failure_shows_no_half_of_the_secret(case: str, code: str, adhoc: AdHoc) -> None:
    public, private = adhoc.simulator.key("shop", "old")
    halves = {
        "disabled key": private,
        "another's private half": adhoc.simulator.key("shop", "web")[1],
        "no key at all": private[:16] + "UPPER" + private[21:],
    }
    adhoc.write_vault(public, halves[case])
    before = state_of(adhoc.user.home)
    where = f"users={adhoc.user.name} url={adhoc.simulator.url} ca_path={adhoc.simulator.ca_path}"
    run = adhoc.run(MODULE, f"{PAIR} {where}", "--diff", "-vvvv")
    assert run.status != 0 and run.only()["code"] == code, run.output
    for part in (adhoc.secrets[0][:16], adhoc.secrets[0][16:]):
        assert part not in run.output and part not in json.dumps(run.record), run.output
    assert state_of(adhoc.user.home) == before


# With the line break of the documentation.
CHECK = PAIR.replace(" private_key", "\n    private_key") + " fail_on=invalid,refused,not_entitled,unknown"


@pytest.mark.parametrize("label", ["web", "old"])
def test_check_of_an_invalid_pair_fails_and_the_reason_comes_first(label: str, adhoc: AdHoc) -> None:
    public, private = adhoc.simulator.key("shop", label)
    adhoc.write_vault(public, private)
    run = adhoc.run(INFO, f"{CHECK} url={adhoc.simulator.url} ca_path={adhoc.simulator.ca_path}")
    (result,) = run.of(action=INFO)
    assert result["verdicts"][0]["status"] == ("valid" if label == "web" else "invalid"), run.output
    assert (run.status == 0) is (label == "web"), run.output
    if label == "old":
        assert result["msg"].startswith(f"public_key {public} at {HOST}: "), run.output
        assert result["msg"] in run.output.splitlines()[0], run.output


def test_a_list_with_commas(adhoc: AdHoc, lab: Path) -> None:
    adhoc.write_vault(*adhoc.simulator.key("shop", "web"))
    for name in ("one", "two"):
        (lab / name).mkdir()
    run = adhoc.run(MODULE, f"{PAIR} verify=never mode=0640 projects={lab}/one,{lab}/two paths={lab}/auth.json")
    assert [row["path"] for row in run.only()["files"]] == [
        f"{lab}/{name}" for name in ("one/auth.json", "two/auth.json", "auth.json")
    ], run.output
    assert {row["after"]["mode"] for row in run.only()["files"]} == {"0640"}, run.output


def test_paths_that_are_not_utf8_are_returned_as_text(adhoc: AdHoc, lab: Path) -> None:
    """Otherwise ansible-core rejects the whole result, after the key has been written."""
    adhoc.write_vault(*adhoc.simulator.key("shop", "web"))
    tree = lab / os.fsdecode(b"\xff\xfe\x1b")
    home = adhoc.user.home / CLASSIC
    adhoc.user.run(f"mkdir {home}; ln -s \"$(printf '\\377')\" {home}/auth.json")
    tree.mkdir()
    (tree / "auth.json").write_text("{}\n")
    done = adhoc.run(MODULE, f"{PAIR} verify=never users={adhoc.user.name}")
    assert done.status == 0 and done.only()["files"][0]["action"] == "created", done.output
    found = adhoc.run(INFO, f"verify=never search={lab}")
    assert found.status == 0 and found.of(action=INFO)[0]["files"][0]["exists"] is True, found.output
    assert "\x1b" not in found.output
