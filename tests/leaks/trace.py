# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the arguments and the environment of every program that a traced command has started."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .report import NotSearched, Report
from .scanner import Scanner

# The longest argument or variable that Linux supports.
_LONGEST = 32 * 4096
_TEXT = rb'"(?:\\x[0-9a-f]{2})*"'
_LIST = rb"(NULL|\[(?:" + _TEXT + rb"(?:, )?)*\])"
_CALL = re.compile(rb"execve\(" + _TEXT + rb", " + _LIST + rb", " + _LIST)


@dataclass(frozen=True)
class Program:
    """One call of execve, successful or not."""

    argv: tuple[bytes, ...]
    environment: tuple[bytes, ...]


def traced(command: Sequence[str], directory: Path) -> list[str]:
    """The command under strace, which writes one file for each process below ``directory``.

    It runs with no_new_privs, which makes tracing cheap: programs cannot gain root privileges.
    """
    if not shutil.which("strace"):
        raise NotSearched("strace is missing, so the arguments of programs cannot be searched")
    options = [
        "--seccomp-bpf",
        "-ff",
        "-qq",
        "-xx",
        "-v",
        "-s",
        str(_LONGEST),
        "-e",
        "trace=execve",
        "-e",
        "signal=none",
    ]
    return ["strace", *options, "-o", str(directory / "trace"), "--", *command]


def programs(directory: Path) -> list[Program]:
    """Every program that was started. A call that cannot be read completely raises `NotSearched`."""
    found = []
    for path in sorted(directory.glob("trace.*")):
        for line in path.read_bytes().splitlines():
            if b"execve(" not in line:
                continue
            call = _CALL.search(line)
            if not call:
                raise NotSearched(f"{path.name} has a call that cannot be read")
            found.append(Program(_texts(call[1]), _texts(call[2])))
    return found


def search(scanner: Scanner, started: Iterable[Program]) -> Report:
    """Searches the arguments and environments of programs: the channels ``argv`` and ``environment``."""
    report = Report()
    for program in started:
        name = os.path.basename(os.fsdecode(program.argv[0]))[:40] if program.argv else "nothing"
        report.merge(scanner.data(b"\0".join(program.argv), "argv", f"arguments of {name}"))
        report.merge(scanner.data(b"\0".join(program.environment), "environment", f"environment of {name}"))
    return report


def _texts(quoted: bytes) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text.replace(b"\\x", b"").decode()) for text in re.findall(rb'"([^"]*)"', quoted))
