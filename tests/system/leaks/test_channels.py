# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness searches every channel: a canary planted in each is found there and nowhere else."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from leaks import syslog_socket
from leaks.forms import Secret
from leaks.others import readable_by_others
from leaks.report import NotSearched
from leaks.watched import CHANNELS, Watched, watched_run
from system.leaks.lab import INFO, Lab

pytestmark = pytest.mark.needs("strace")

# Reads one canary for each channel from a file, and leaks it only through that channel.
PLANT = """
import base64, gzip, json, os, pathlib, subprocess, sys, syslog, tempfile, zipfile
canary = json.loads(pathlib.Path(sys.argv[1]).read_text())
print("to the output:", canary["output"])
print("to the output, in error:", canary["error"], file=sys.stderr)
pathlib.Path(os.environ["ANSIBLE_LOG_PATH"]).write_text(canary["log"])
if "syslog" in canary:
    syslog.syslog("to the system log: " + canary["syslog"])
tempfile.NamedTemporaryFile("w", delete=False).write(canary["temporary"])
home = pathlib.Path.home() / "kept"
home.write_text(canary["home"])
pathlib.Path(os.environ["ANSIBLE_CACHE_PLUGIN_CONNECTION"], "facts").write_text(canary["facts"])
pathlib.Path(os.environ["ANSIBLE_RETRY_FILES_SAVE_PATH"], "retry").write_text(canary["retry"])
results = pathlib.Path(os.environ["RESULTS"])
(results / "plain").write_text(canary["results"])
(results / "base64").write_text(base64.b64encode(f"user:{canary['base64']}".encode()).decode())
with zipfile.ZipFile(results / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("inside", canary["zip"])
(results / "packed").write_bytes(gzip.compress(canary["gzip"].encode()))
# Also programs that are started by programs, and those that cannot be started.
subprocess.run(["sh", "-c", 'sh -c ": $1"; :', "sh", canary["argv"]])
subprocess.run(["sh", "-c", "true; sh -c :"], env={"PATH": os.environ["PATH"], "PASSWORD": canary["environment"]})
try:
    subprocess.run(["/nonexistent/program", canary["failed"]])
except FileNotFoundError:
    pass
"""
LEAVES_BY = {
    **{name: name for name in CHANNELS},
    "error": "output",
    "home": "temporary",
    "base64": "results",
    "zip": "results",
    "gzip": "results",
    "failed": "argv",
}
SYSLOG = syslog_socket.lacking() is None


def need_syslog() -> None:
    """Skips the test, or fails it if all are required: without the system log, messages of modules are not searched."""
    if reason := syslog_socket.lacking():
        report = pytest.fail if os.environ.get("KEYFLEET_REQUIRE_ALL") == "1" else pytest.skip
        report(f"the system log cannot be watched: {reason}")


def canary(name: str) -> str:
    return hashlib.sha256(f"canary {name} {os.getpid()}".encode()).hexdigest()[:32]


def watch_script(tmp_path: Path, script: str, names: list[str]) -> Watched:
    values = tmp_path / "canaries.json"
    values.write_text(json.dumps({name: canary(name) for name in names}))
    program = tmp_path / "program.py"
    program.write_text(script)
    secrets = [Secret(name, canary(name)) for name in names]
    return watched_run([sys.executable, program, values], secrets=secrets, scratch=tmp_path / "scratch")


def test_canary_is_found_only_in_its_channel(tmp_path: Path) -> None:
    names = [name for name in LEAVES_BY if name != "syslog" or SYSLOG]
    watched = watch_script(tmp_path, PLANT, names)
    assert watched.status == 0, watched.output
    seen = {name: watched.report.where(name) for name in names}
    assert seen == {name: {LEAVES_BY[name]} for name in names}
    watched.report.require(*(name for name in CHANNELS if name != "syslog" or SYSLOG))
    assert any(canary("argv") in argv for argv in watched.argvs)


def test_system_log_is_searched(tmp_path: Path) -> None:
    need_syslog()
    watched = watch_script(tmp_path, PLANT, list(LEAVES_BY))
    assert watched.report.where("syslog") == {"syslog"}
    assert watched.report.lacks == {}


def test_system_log_is_replaced_without_changes_to_the_machine(tmp_path: Path) -> None:
    need_syslog()
    before = sorted(os.listdir("/dev"))
    mounts = Path("/proc/self/mounts").read_text()
    logged = "import syslog\nfor n in range(500): syslog.syslog(f'message {n}')\n"
    watched = watch_script(tmp_path, logged, ["nothing"])
    assert watched.report.channels["syslog"].pieces == 500
    assert sorted(os.listdir("/dev")) == before
    assert Path("/proc/self/mounts").read_text() == mounts


def test_run_without_output_is_not_clean(tmp_path: Path) -> None:
    watched = watch_script(tmp_path, "pass", ["nothing"])
    watched.report.require_clean("argv", "environment")
    with pytest.raises(NotSearched, match="nothing was seen of: output, log"):
        watched.report.require_clean("output", "log")


def test_every_program_is_seen_with_its_arguments(tmp_path: Path) -> None:
    long = "x" * 100_000
    script = f"import subprocess\nsubprocess.run(['true', 'a b', '\\n\\xff\"', '{long}'])\n"
    watched = watch_script(tmp_path, script, ["nothing"])
    assert ("true", "a b", '\n\xff"', long) in watched.argvs


def test_every_channel_receives_data_from_ansible(lab: Lab) -> None:
    """A module and tasks leak on purpose, to verify that the channels are those of Ansible."""
    leak = "/nonexistent/{{ vault_first }}"
    tasks = [
        {"name": "out", "register": "out", "ansible.builtin.file": {"path": leak, "state": "absent"}},
        {"name": "facts", "ansible.builtin.set_fact": {"leaked": "{{ vault_second }}", "cacheable": True}},
        {
            "name": "environment",
            "ansible.builtin.command": {"argv": ["true", "{{ vault_wrong | b64encode }}"]},
            "environment": {"PASSWORD": "{{ vault_upper_case }}"},
        },
        {
            "name": "temporary",
            "ansible.builtin.tempfile": {
                "suffix": "{{ vault_download_token }}",
                "path": "{{ lookup('env', 'TMPDIR') }}",
            },
        },
    ]
    watched, _results = lab.play(tasks)
    out = {"output", "log", "results", *(["syslog"] if SYSLOG else [])}
    assert watched.report.where("first") == out
    assert "facts" in watched.report.where("second")
    assert "argv" in watched.report.where("wrong")
    assert "environment" in watched.report.where("upper_case")
    assert "temporary" in watched.report.where("download_token")


@pytest.mark.needs("root")
def test_files_readable_by_other_users_are_found() -> None:
    # Not below pytest's own directory, to which other users have no access.
    with tempfile.TemporaryDirectory(prefix="leaks-") as name:
        top = Path(name)
        top.chmod(0o755)
        for file, mode in (("open", 0o644), ("closed", 0o640), ("other", 0o604)):
            (top / file).touch()
            (top / file).chmod(mode)
        (top / "private").mkdir(mode=0o700)
        (top / "private" / "open").touch(mode=0o644)
        assert readable_by_others([top]) == [str(top / "open"), str(top / "other")]


def test_timeout_kills_all_processes_of_a_run(tmp_path: Path) -> None:
    mark = f"{tmp_path}/still-here"
    script = f'(sleep 4; touch "{mark}") & sleep 60'
    with pytest.raises(subprocess.TimeoutExpired):
        watched_run(["sh", "-c", script], secrets=[Secret("any", canary("any"))], scratch=tmp_path / "s", timeout=1.5)
    time.sleep(3.5)
    assert not os.path.exists(mark)


@pytest.mark.needs("root", "sudo", "/usr/bin/python3")
def test_temporary_files_of_a_module_are_not_readable_by_others(lab: Lab) -> None:
    # The kept files are those that exist while a module runs.
    pair = {"public_key": "{{ vault_first_public }}", "private_key": "{{ vault_first }}", **lab.ask}
    # Other users may have no access to the Python of these tests.
    other = {"become": True, "become_user": "nobody", "vars": {"ansible_python_interpreter": "/usr/bin/python3"}}
    tasks: list[dict[str, Any]] = [{"name": "as_root", "register": "as_root", INFO: pair}]
    tasks.append({"name": "as_other", "register": "as_other", INFO: pair, **other})
    watched, results = lab.play(tasks, env={"ANSIBLE_KEEP_REMOTE_FILES": "1"})

    assert [results[name]["verdicts"][0]["status"] for name in ("as_root", "as_other")] == ["valid", "valid"]
    # The search finds the parameters in both files.
    assert watched.report.where("first") == {"temporary"}
    kept = {finding.where.partition("!")[0] for finding in watched.report.findings if finding.secret == "first"}
    assert {Path(path).name for path in kept} == {"AnsiballZ_magento_auth_key_info.py"}
    assert len(kept) == 2
    opened = readable_by_others([lab.scratch])
    assert kept.isdisjoint(opened)
    assert str(lab.scratch / "results" / "results.json") in opened
