# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Missing programs are reported before the start, with the packages to install. Everything else runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from place import ROOT, Workspace
from runner import Suite, programs


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all programs of this machine except curl and ssh-keygen."""
    directory = tmp_path_factory.mktemp("programs")
    for path in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(path).glob("*") if os.access(path, os.R_OK) else ():
            (directory / program.name).unlink(missing_ok=True)
            (directory / program.name).symlink_to(program)
    for name in ("curl", "ssh-keygen"):
        (directory / name).unlink(missing_ok=True)
    return directory


def run(bare: Path, *command: str | Path, require_all: bool = False) -> tuple[int, list[str]]:
    """The exit status and the output of a command."""
    env = {**os.environ, "PATH": str(bare), "KEYFLEET_REQUIRE_ALL": str(int(require_all))}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


def suites(bare: Path, *names: str, require_all: bool = False) -> tuple[int, list[str]]:
    return run(bare, "tests/suites.py", *names, require_all=require_all)


def test_reason_names_programs_and_packages(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert programs("sh")() is None
    monkeypatch.setenv("PATH", str(bare))
    both = programs("curl", "sh", "ssh-keygen", "no-such-program-of-ours")()
    assert both == "curl, ssh-keygen, no-such-program-of-ours not found (apt install curl openssh-client)"
    assert programs("no-such-program-of-ours")() == "no-such-program-of-ours not found"


@pytest.mark.parametrize(
    ("require_all", "result", "note"), [(False, "passed", "in part: one"), (True, "failed", "one")]
)
def test_partial_suite_is_reported(require_all: bool, result: str, note: str) -> None:
    workspace = Workspace()
    suite = Suite("some", "", lambda workspace: workspace.run("true"), wants=(lambda: "one", lambda: None))
    [outcome] = runner.run([suite], workspace, require_all=require_all)
    workspace.close()
    assert (outcome.result, outcome.note, runner.lacks(suite)) == (result, note, "runs in part: one")


def test_missing_programs_are_reported_before_the_start(bare: Path) -> None:
    status, lines = suites(bare, "integration", "changelog")
    assert status == 0, lines
    assert lines[:2] == [
        "Skipped or incomplete on this machine:",
        "integration      skipped: ssh-keygen not found (apt install openssh-client)",
    ]
    assert lines.index("=== changelog: changelog fragments") > 1
    assert lines[-1] == "1 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize("name", ["units", "demo"])
def test_partial_suite_fails_if_all_is_required(bare: Path, name: str) -> None:
    status, lines = suites(bare, name, require_all=True)
    assert status == 1
    assert lines[1].startswith(f"{name:<16} runs in part: ") and lines[1].endswith("curl not found (apt install curl)")
    assert lines[-1] == "0 passed, 1 failed, 0 skipped"


def test_list_includes_programs_that_system_tests_need(bare: Path) -> None:
    status, lines = suites(bare, "--list", "system")
    assert status == 0
    assert "curl" in lines[0] and "runs in part: " in lines[0], lines


def test_demo_skips_steps_that_need_curl(bare: Path) -> None:
    status, lines = run(bare, "tests/demo")
    assert status == 0, lines
    assert lines[1] == "Steps 9, 10, 11 are skipped: curl not found (apt install curl)."
    assert lines.count("   [skipped] curl not found (apt install curl)") == 3
    checks = sum(line.startswith("   [checked] ") for line in lines)
    assert lines[-1].startswith(f"Done: {checks} checks passed in ")
    assert sum(line.startswith("== ") for line in lines) == 16


def test_demo_fails_if_all_is_required(bare: Path) -> None:
    status, lines = run(bare, "tests/demo", require_all=True)
    assert status == 1
    assert lines[-1] == "Steps 9, 10, 11 are skipped: curl not found (apt install curl)."


@pytest.mark.parametrize("require_all", [False, True])
def test_integration_excludes_targets_that_need_curl(bare: Path, require_all: bool) -> None:
    workspace = Workspace()
    try:
        # Lists the targets with this alias and runs nothing.
        options = ("--list-targets", "needs/curl/")
        status, lines = run(bare, "tests/integrate.py", workspace.collection, *options, require_all=require_all)
    finally:
        workspace.close()
    if require_all:
        assert (status, lines) == (1, ["curl not found (apt install curl)"])
    else:
        assert lines[0].endswith("these targets are excluded: magento_download_token, magento_release")
        assert "magento_release" not in lines[1:] and "magento_download_token" not in lines[1:]


def test_unit_tests_that_need_curl_are_skipped(bare: Path) -> None:
    file = "tests/unit/plugins/modules/test_magento_release.py"
    status, lines = run(bare, "-m", "pytest", "-q", "-r", "s", file)
    assert status == 0, lines
    assert [line for line in lines if line.startswith("SKIPPED") and line.endswith(": curl not found")], lines
    assert any(re.search(r"\d passed, 2 skipped in ", line) for line in lines), lines
