# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of the suites: every suite is reported, and a skipped suite does not pass."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

import environments
import runner
import suites
from place import CORES, CURLS, REQUIREMENTS, ROOT, Workspace, find_python, linked_collections, point
from runner import Suite
from system import midnight

ON_REQUEST = tuple(suite.name for suite in suites.SUITES if suite.on_request)


@pytest.mark.parametrize(("time", "seconds"), [("00:00:00", 0), ("23:49:59", 0), ("23:50:00", 600), ("23:59:59", 1)])
def test_a_test_that_could_not_end_on_the_same_day_waits_for_the_next_one(time: str, seconds: float) -> None:
    now = datetime.datetime.fromisoformat(f"2026-12-31T{time}+00:00")
    assert midnight.seconds_to_wait(now, 600) == seconds


@pytest.mark.parametrize(
    ("given", "words"),
    [(None, "; Hypothesis: derandomized"), ("5", "KEYFLEET_SEED=5; Hypothesis: --hypothesis-seed=5")],
)
def test_the_seed_is_printed_at_the_beginning(given: str | None, words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "KEYFLEET_SEED"}
    tests = str(ROOT / "tests" / "system" / "rotation" / "test_properties.py")
    environment |= {"KEYFLEET_SEED": given} if given else {}
    command = [sys.executable, "-m", "pytest", "--collect-only", tests]
    run = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    assert words in run.stdout


def test_examples_are_the_same_in_all_runs(pytestconfig: pytest.Config) -> None:
    assert settings().derandomize is (pytestconfig.option.hypothesis_seed is None)
    assert settings().database is None


def test_tests_with_accounts_run_in_one_process() -> None:
    tests = str(ROOT / "tests" / "system" / "auth_key" / "test_info.py")
    command = [sys.executable, "-m", "pytest", "-n2", "--dist=loadgroup", "-v", "-k", "file_of_the_kernel", tests]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(command, cwd=ROOT, env=own, text=True, capture_output=True, check=False)
    assert re.search(r"test_file_of_the_kernel_is_not_read@accounts", run.stdout), run.stdout


def test_suites_can_be_interrupted_if_they_run_in_the_background() -> None:
    program = (
        "import signal, suites; suites.main(); print('ignored', signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    )
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", program, "ruff"]
    own = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PATH": f"{suites.TOOLS}:{os.environ['PATH']}"}
    run = subprocess.run(command, cwd=ROOT, env=own, text=True, capture_output=True, check=False)
    assert run.stdout.endswith("ignored False\n"), run.stdout + run.stderr


COVERED = """
import os, pathlib, subprocess, sys
import suites
suites.COVERAGE = pathlib.Path(sys.argv[1])
suites.start_coverage()
subprocess.run(sys.argv[2:], check=True)
sys.exit(suites.report_coverage())
"""


def test_coverage_counts_what_runs_on_hosts_and_in_the_workers_of_ansible(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    variables = {
        "magento_auth_public_key": "facade00" * 4, "magento_auth_private_key": "decade00" * 4,
        "magento_auth_verify": "never", "magento_auth_projects": [str(tmp_path / "shop")],
    }  # fmt: skip
    play = {"hosts": "localhost", "gather_facts": False, "roles": ["keyfleet.magento.magento_auth"], "vars": variables}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    command = [sys.executable, "-c", COVERED, str(tmp_path / "coverage")]
    command += [str(suites.TOOLS / "ansible-playbook"), str(tmp_path / "play.yml")]
    tests = {"PYTHONPATH": str(ROOT / "tests"), "ANSIBLE_COLLECTIONS_PATH": str(linked_collections())}
    done = subprocess.run(command, env={**os.environ, **tests}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {name: int(percent) for name, percent in re.findall(r"^(\S+) .* (\d+)%$", done.stdout, re.MULTILINE)}
    # On the host, and in a worker only.
    assert found["plugins/module_utils/_composer/install.py"] > 50 and found["plugins/plugin_utils/_role.py"] > 0
    assert 0 < found["TOTAL"] < 100


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = Workspace()
    yield made
    made.close()


def passes(workspace: Workspace) -> None:
    workspace.run("true")


def fails(workspace: Workspace) -> None:
    workspace.run("sh", "-c", "exit 3")


def breaks(workspace: Workspace) -> None:
    workspace.run("no-such-program-of-ours")


def lacking() -> str:
    return "no such thing"


def results(workspace: Workspace, *suites: Suite, require_all: bool = False) -> list[tuple[str, str, str]]:
    outcomes = runner.run(suites, workspace, require_all=require_all)
    return [(outcome.name, outcome.result, outcome.note) for outcome in outcomes]


@pytest.mark.parametrize(
    ("work", "result", "note"),
    [(passes, "passed", ""), (fails, "failed", "exit status 3 of sh"), (breaks, "failed", "No such file or directory")],
)
def test_result(workspace: Workspace, work: Callable[[Workspace], None], result: str, note: str) -> None:
    [(name, seen, reason)] = results(workspace, Suite("one", "a suite", work))
    assert (name, seen) == ("one", result)
    assert note in reason


def test_failure_stops_no_other_suite(workspace: Workspace) -> None:
    seen = results(workspace, Suite("first", "", fails), Suite("second", "", passes))
    assert [result for _name, result, _note in seen] == ["failed", "passed"]


@pytest.mark.parametrize(("require_all", "result"), [(False, "skipped"), (True, "failed")])
def test_unmet_need(workspace: Workspace, require_all: bool, result: str) -> None:
    suite = Suite("one", "", breaks, (lacking, lambda: None))
    assert results(workspace, suite, require_all=require_all) == [("one", result, "no such thing")]


def test_last_line_counts_every_suite(workspace: Workspace) -> None:
    suites = [Suite("a", "", passes), Suite("b", "", fails), Suite("c", "", passes, (lacking,))]
    assert (
        runner.summary(runner.run(suites, workspace, require_all=False)).splitlines()[-1]
        == "1 passed, 1 failed, 1 skipped"
    )


def test_summary_repeats_the_last_lines_of_failed_suites(
    capfd: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    def prints(workspace: Workspace) -> None:
        workspace.run("sh", "-c", "seq 30; echo to the error output >&2; sleep 8 & exit 4")

    outcomes = runner.run([Suite("a", "", passes), Suite("b", "", prints)], workspace, require_all=False)
    assert "to the error output" in capfd.readouterr().out
    lines = runner.summary(outcomes).splitlines()
    assert lines[0] == "--- last lines of b:"
    assert lines[1:13] == [*map(str, range(20, 31)), "to the error output"]
    assert lines[-1] == "1 passed, 1 failed, 0 skipped"


def meets(directory: Path, mine: str, other: str) -> Callable[[Workspace], None]:
    """Waits until the other suite runs, too."""
    wait = f"until [ -e {directory}/{other} ]; do sleep 0.05; done"
    return lambda workspace: workspace.run(
        "sh", "-c", f"echo {mine}; touch {directory}/{mine}; {wait}; echo end {mine}"
    )


def test_two_suites_run_at_a_time(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The first two suites wait for each other; suites with ``machine=True`` never run at the same time."""

    def alone(workspace: Workspace) -> None:
        workspace.run("sh", "-c", f"mkdir {tmp_path}/lock; sleep 0.2; rmdir {tmp_path}/lock")

    suites = [
        Suite("a", "", meets(tmp_path, "one", "two"), machine=True),
        Suite("b", "", meets(tmp_path, "two", "one")),
        Suite("c", "", alone, machine=True),
        Suite("d", "", fails),
        Suite("e", "", alone, machine=True),
    ]
    outcomes = runner.run_side_by_side(suites, require_all=True)
    assert [(outcome.name, outcome.result) for outcome in outcomes] == [
        ("a", "passed"), ("b", "passed"), ("c", "passed"), ("d", "failed"), ("e", "passed"),
    ]  # fmt: skip
    printed = capfd.readouterr().out
    assert "\none\nend one\n" in printed and "\ntwo\nend two\n" in printed
    assert sorted(line.split(":")[0] for line in printed.splitlines() if line.endswith(": ")) == [
        f"=== {name}" for name in "abcde"
    ]


@pytest.mark.parametrize("machine", [(), ("before",)])
def test_two_suites_run_at_a_time_when_none_of_the_machine_is_left(machine: tuple[str, ...], tmp_path: Path) -> None:
    suites = [Suite(name, "", passes, machine=True) for name in machine]
    suites += [Suite("b", "", meets(tmp_path, "one", "two")), Suite("c", "", meets(tmp_path, "two", "one"))]
    outcomes = runner.run_side_by_side(suites, require_all=True)
    assert [(outcome.name, outcome.result) for outcome in outcomes] == [(suite.name, "passed") for suite in suites]


def test_side_by_side_the_first_ones_run_first() -> None:
    ran: list[str] = []

    def recording(name: str) -> Suite:
        return Suite(name, "", lambda _workspace: ran.append(name), machine=True)

    outcomes = runner.run_side_by_side(map(recording, "abcd"), require_all=True, first=("d", "b", "unknown"))
    assert ran == ["d", "b", "a", "c"] and [outcome.name for outcome in outcomes] == ["a", "b", "c", "d"]


def test_the_longest_suites_exist() -> None:
    assert set(suites.LONGEST) <= {suite.name for suite in suites.SUITES}


def test_running_suites_end_with_the_runner(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import signal\n"
        "import runner\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"work = lambda name: lambda w: w.run('sh', '-c', f'echo $$ > {tmp_path}/{{name}}; exec sleep 300')\n"
        "suites = [runner.Suite('a', '', work('a'), machine=True), runner.Suite('b', '', work('b')),\n"
        "          runner.Suite('never', '', work('never'))]\n"
        "runner.run_side_by_side(suites, require_all=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        pid_files = [tmp_path / "a", tmp_path / "b"]
        for _attempt in range(600):
            if all(path.exists() and path.read_text().strip() for path in pid_files):
                break
            time.sleep(0.05)
        run.terminate()
        assert run.wait(30) != 0
    for path in pid_files:
        state = Path("/proc", path.read_text().strip(), "stat")
        assert not state.exists() or state.read_text().split()[2] == "Z"
    assert not (tmp_path / "never").exists()


def test_find_python_resolves_links(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = find_python(version)
    assert found
    link = tmp_path / f"python{version}"
    link.symlink_to(found)
    program = ["sh", str(ROOT / "tests" / "find-python"), version]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(program, env=env, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == link.resolve()


def test_last_line_of_the_program_is_the_count() -> None:
    command = [sys.executable, str(ROOT / "tests" / "suites.py"), "changelog"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed, 0 skipped", done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.needs("make")
def test_make_alone_lists_every_target(tmp_path: Path) -> None:
    targets = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    # In an empty directory, where every target would fail. Under `make test`, make would also print the directory.
    command = ["make", "--no-print-directory", "--file", str(ROOT / "Makefile")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    listed = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [name for name, _text in listed] == targets[0].split()


@pytest.mark.parametrize(("names", "runs"), [((), False), (ON_REQUEST, True)])
def test_suites_on_request_run_only_if_they_are_named(
    names: tuple[str, ...], runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def recording(suite: Suite) -> Suite:
        return replace(suite, run=lambda _workspace: ran.append(suite.name), needs=(), wants=())

    monkeypatch.setattr("suites.SUITES", tuple(map(recording, suites.SUITES)))
    monkeypatch.setattr("suites.signal.signal", lambda *_handler: None)
    monkeypatch.setattr("sys.argv", ["suites.py", *names])
    monkeypatch.delenv("KEYFLEET_SIDE_BY_SIDE", raising=False)
    assert suites.main() == 0
    assert ran == [suite.name for suite in suites.SUITES if suite.on_request == runs] and ran


def test_readme_names_the_versions_that_the_suites_run() -> None:
    readme = (ROOT / "README.md").read_text()
    later = {core: core.name for core in suites.LATER_CORES}
    assert re.findall(r"^\| (2\.\d+) \| (.+) \| (.+) \| `(.+)` \|$", readme, re.MULTILINE) == [
        (core.version, core.controllers[0], ", ".join(core.hosts), later.get(core, "targets")) for core in CORES
    ]
    *versions, last = CURLS.values()
    assert f"curl {', '.join(versions)} and {last} (suite\n`curl`)" in readme
    assert {"targets", "curl", *later.values()} <= {suite.name for suite in suites.SUITES}
    files = [REQUIREMENTS / f"{core.name}.txt" for core in CORES[:-1]] + [REQUIREMENTS / "constraints.txt"]
    for core, file in zip(CORES, files, strict=True):
        assert f"\nansible-core=={core.version}." in file.read_text()


def test_the_smoke_of_the_oldest_core_runs_every_module() -> None:
    targets = ROOT / "tests" / "integration" / "targets"
    files = [path for target in suites.SMOKE for path in (targets / target).rglob("*.yml")]
    # The playbook provision runs this role.
    files += (ROOT / "roles" / "magento_auth" / "tasks").glob("*.yml")
    used = {name for file in files for name in re.findall(r"keyfleet\.magento\.(\w+)", file.read_text())}
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    # It changes no host, and is the module of the rotation, whose tests are in tests/system.
    assert modules - used == {"magento_key_rotation"}


@pytest.mark.parametrize(("words", "status"), [(["--list"], 0), (["no-such-suite"], 2)])
def test_list_and_unknown_suite(words: list[str], status: int) -> None:
    command = [sys.executable, str(ROOT / "tests" / "suites.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == status, done.stderr
    assert "molecule" in done.stdout + done.stderr


def test_a_command_that_hangs_fails_its_suite(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"

    def hangs(workspace: Workspace) -> None:
        workspace.run("sh", "-c", f"sleep 300 & echo $! > {pid_file}; wait")

    monkeypatch.setattr("place.LIMIT", 1)
    assert results(workspace, Suite("one", "", hangs)) == [("one", "failed", "sh was stopped after 1 s")]
    state = Path("/proc", pid_file.read_text().strip(), "stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_suites_do_not_use_the_home_of_the_user(workspace: Workspace) -> None:
    assert Path(workspace.env["HOME"]).is_relative_to(ROOT / ".work")


def test_suites_read_modules_in_blocks(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    assert "PYTHONUNBUFFERED" not in workspace.env


def test_every_listed_python_runs(workspace: Workspace) -> None:
    found = sorted((ROOT / ".work" / "pythons").iterdir()) if workspace.env else []
    assert found
    for path in found:
        done = subprocess.run(
            [path, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"], capture_output=True, check=False
        )
        assert done.stdout.decode().strip() == path.name


def test_links_change_in_one_step(tmp_path: Path) -> None:
    link = tmp_path / "link"
    for target in ("one", "two", "two"):
        point(link, target)
        assert os.readlink(link) == target
        assert os.listdir(tmp_path) == ["link"]
    point(link, None)
    point(link, None)
    assert os.listdir(tmp_path) == []


def test_named_python_must_be_new_enough(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    command = ["sh", str(ROOT / "tests" / "find-python")]
    env = {**os.environ, "KEYFLEET_PYTHON": str(old)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"KEYFLEET_PYTHON={old}" in done.stderr
    assert find_python("2.0") is None


def test_changed_requirements_make_a_new_environment(tmp_path: Path) -> None:
    requirements = tmp_path / "some.txt"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("")
    stamps = set()
    for content in ("", "# one\n", "# two\n"):
        requirements.write_text(content)
        stamps.add(environments.stamp_of(sys.executable, requirements))
    constraints.write_text("# three\n")
    stamps.add(environments.stamp_of(sys.executable, requirements))
    assert len(stamps) == 4


def test_environment_is_made_once(tmp_path: Path) -> None:
    requirements = tmp_path / "some.txt"
    for path in (requirements, tmp_path / "constraints.txt"):
        path.write_text("")
    directory = tmp_path / "environment"
    environments.make(directory, sys.executable, requirements)
    kept = directory / "kept"
    kept.write_text("")
    environments.make(directory, sys.executable, requirements)
    assert kept.exists()
    requirements.write_text("# changed\n")
    environments.make(directory, sys.executable, requirements)
    assert not kept.exists()
