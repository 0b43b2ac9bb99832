# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the commands of the demo as a user would type them, in an environment without the user's home directory."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.screen import Failed, Screen

_FOREIGN = ("ANSIBLE_", "COMPOSER_", "XDG_", "PYTHONPATH", "PYTHONHOME", "PYTHONUNBUFFERED", "LANGUAGE", "LC_")
_RECAP = re.compile(r"^(\S+) +: +ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)
_REFUSAL = re.compile(r"^fatal: \[(\S+)\]: FAILED! => (\{.*\})$", re.MULTILINE)
_ADHOC = re.compile(r"^(\S+) \| (?:SUCCESS|CHANGED) => (\{\n.*?^\})$", re.MULTILINE | re.DOTALL)
_WARNING = re.compile(r"^\[(?:DEPRECATION )?WARNING\]", re.MULTILINE)


@dataclass(frozen=True)
class Recap:
    """The line of one host in the recap of ansible-playbook."""

    changed: int = 0
    unreachable: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Answer:
    """The output of a command."""

    text: str

    @property
    def recap(self) -> dict[str, Recap]:
        """The line of the recap, by host."""
        return {name: Recap(*map(int, numbers)) for name, *numbers in _RECAP.findall(self.text)}

    @property
    def refusals(self) -> dict[str, dict[str, Any]]:
        """The result of the failed module, by host."""
        return {name: json.loads(text) for name, text in _REFUSAL.findall(self.text)}

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The module result of an ad-hoc command, by host."""
        return {name: json.loads(text) for name, text in _ADHOC.findall(self.text)}

    @property
    def warned(self) -> bool:
        """Whether Ansible printed a warning."""
        return bool(_WARNING.search(self.text))


def environment(directory: Path) -> dict[str, str]:
    """The environment of every command: a home below ``directory``, no foreign settings, no proxy for loopback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    no_proxy = ",".join(filter(None, [kept.get("no_proxy") or kept.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    own = {
        "HOME": "home",
        "TMPDIR": "tmp",
        "ANSIBLE_HOME": "home/.ansible",
        "ANSIBLE_REMOTE_TMP": "home/.ansible/tmp",
        "ANSIBLE_COLLECTIONS_PATH": "collections",
    }
    return {
        **kept,
        **{name: str(directory / value) for name, value in own.items()},
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Shell:
    """Runs commands in a directory and prints their output at once."""

    def __init__(self, screen: Screen, directory: Path, env: Mapping[str, str]) -> None:
        self._screen = screen
        self._directory = directory
        self._env = dict(env)

    def run(self, *command: str, status: int = 0, stdin: str = "", show: bool = True) -> Answer:
        """Runs a command; Failed if it exits with an unexpected status or prints a warning."""
        self._screen.command(shlex.join(command))
        lines = []
        with subprocess.Popen(
            command,
            cwd=self._directory,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a command without pipes")
            try:
                process.stdin.write(stdin)
                process.stdin.close()
                for line in process.stdout:
                    lines.append(line)
                    self._screen.output(line.rstrip(), show=show)
            except BaseException:
                process.terminate()
                raise
        answer = Answer("".join(lines))
        if process.returncode != status:
            raise Failed(f"{command[0]} exited with status {process.returncode}, not {status}")
        if answer.warned:
            raise Failed(f"{command[0]} printed a warning")
        return answer

    def use_vault_password(self, name: str) -> None:
        """Uses the password in this file for all vaults from now on."""
        self._env["ANSIBLE_VAULT_PASSWORD_FILE"] = name
        self._screen.command(f"export ANSIBLE_VAULT_PASSWORD_FILE={name}")
