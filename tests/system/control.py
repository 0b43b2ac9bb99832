# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller: the real `ansible` and `ansible-playbook`, hosts that are directories of this machine, and a record."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from place import controller, linked_collections

LIMIT = 900
"""Seconds after which a run is considered to hang."""
MODULE = "keyfleet.magento.magento_auth_key"
PYTHON = "/usr/bin/python3"
"""A Python that every account of the machine can run; not every account can run that of the tests."""


@dataclass(frozen=True)
class Run:
    """One run: exit status, output (both streams), and results of the tasks."""

    status: int
    output: str
    record: list[dict[str, Any]]

    def of(self, host: str | None = None, action: str = MODULE) -> list[dict[str, Any]]:
        """The results of a module, on one host or on all."""
        return [r["result"] for r in self.record if r["action"] == action and host in (None, r["host"])]

    def only(self, host: str | None = None) -> dict[str, Any]:
        """The result of the only execution of the module."""
        (result,) = self.of(host)
        return result


@dataclass
class Control:
    """``hosts`` are names with variables of their own; all of them are in the group ``web``."""

    directory: Path
    hosts: dict[str, dict[str, Any]] = field(default_factory=lambda: {"web1": {}})
    group: dict[str, Any] = field(default_factory=dict)

    def inventory(self) -> Path:
        local = {"ansible_connection": "local", "ansible_python_interpreter": PYTHON}
        web = {"hosts": self.hosts, "vars": {**local, **self.group}}
        return self.write("inventory.yml", {"all": {"children": {"web": web}}})

    def write(self, name: str, content: Any) -> Path:
        """Write a file beside the inventory: text unchanged, anything else as YAML."""
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path

    def run(self, program: str, *words: str, **environ: str) -> Run:
        record = self.directory / "record"
        record.unlink(missing_ok=True)
        environment = {
            **{
                n: v for n, v in os.environ.items() if not n.startswith("ANSIBLE_") and not n.lower().endswith("_proxy")
            },
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callbacks")),
            "ANSIBLE_COLLECTIONS_PATH": str(linked_collections()),
            "ANSIBLE_HOME": str(self.directory / "home"),
            # Without this, `ansible` loads no callbacks.
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "True",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "True",
            "RECORD": str(record),
            "no_proxy": "*",
            **environ,
        }
        command = [str(controller() / program), "--inventory", str(self.inventory()), *words]
        try:
            run = subprocess.run(
                command,
                env=environment,
                cwd=self.directory,
                text=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except BaseException:
            # The time limit of the test: ansible-playbook was killed, but not its tasks.
            wait_for_processes(f"RECORD={record}".encode(), end=True)
            raise
        lines = record.read_text().splitlines() if record.exists() else []
        return Run(run.returncode, run.stdout + run.stderr, [json.loads(line) for line in lines])

    def play(self, tasks: Sequence[Mapping[str, Any]] | str, *words: str, **keywords: Any) -> Run:
        """Run a play of the group with these tasks, or a playbook with this text."""
        content: Any = tasks
        if not isinstance(tasks, str):
            content = [{"hosts": "web", "gather_facts": False, "tasks": list(tasks), **keywords}]
        return self.run("ansible-playbook", str(self.write("play.yml", content)), *words)

    def role(self, variables: Mapping[str, Any], *words: str, **keywords: Any) -> Run:
        """Run a play that includes the role with these variables."""
        include = {"ansible.builtin.include_role": {"name": "keyfleet.magento.magento_auth"}, "vars": dict(variables)}
        return self.play([include], *words, **keywords)


def wait_for_processes(mark: bytes, *, end: bool) -> None:
    """Wait until no process of a run is left; ``mark`` is a variable that only their environment has."""
    deadline = time.monotonic() + LIMIT
    while found := [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _has_variable(pid, mark)]:
        for pid in found if end else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"processes {found} of a run do not end"
        time.sleep(0.02)


def _has_variable(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
