# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and searches all of its output."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import syslog_socket
from .forms import Secret
from .report import Report
from .scanner import Scanner
from .syslog_socket import SyslogSocket
from .trace import programs, search, traced

CHANNELS = ("output", "log", "syslog", "temporary", "facts", "retry", "results", "argv", "environment")


@dataclass(frozen=True)
class Watched:
    """The result of a command. ``output`` may contain secrets: tests may search it but must not print it."""

    status: int
    output: str = field(repr=False)
    report: Report
    argvs: tuple[tuple[str, ...], ...] = field(repr=False)


def watched_run(
    command: Sequence[str | Path],
    *,
    secrets: Iterable[Secret],
    scratch: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    files: Mapping[str, Iterable[Path]] | None = None,
    timeout: float = 120.0,
) -> Watched:
    """Runs ``command`` so that it writes only below ``scratch`` (created anew), and searches everything it wrote.

    Ansible runs with verbosity 4, a log file, a fact cache, retry files, temporary directories and a separate home;
    ``env`` overrides these settings. ``RESULTS`` in the environment is a directory for results. With umask 0, other
    users can read every file that is not protected on purpose.
    ``files`` are additional channels: files and directories to search when the command has ended.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    directories = {name: scratch / name for name in ("temporary", "facts", "retry", "results")}
    temporary = directories["temporary"]
    for path in (*directories.values(), scratch / "trace", temporary / "home", temporary / "system"):
        path.mkdir(parents=True)
    scanner = Scanner(secrets)
    report = Report()
    wrapped = traced([str(word) for word in command], scratch / "trace")
    reason = syslog_socket.lacking()
    with contextlib.ExitStack() as stack:
        if reason:
            report.lacks["syslog"] = reason
        else:
            system_log = stack.enter_context(SyslogSocket())
            wrapped = system_log.command(wrapped)
        status, output = _run(wrapped, cwd, {**os.environ, **_settings(scratch), **(env or {})}, timeout)
        if not reason:
            for number, datagram in enumerate(system_log.stop()):
                report.merge(scanner.data(datagram, "syslog", f"message {number}"))
    report.merge(scanner.data(output, "output"))
    if (scratch / "log").exists():
        report.merge(scanner.paths([scratch / "log"], "log"))
    for name, path in directories.items():
        report.merge(scanner.paths([path], name))
    for name, paths in (files or {}).items():
        report.merge(scanner.paths(paths, name))
    started = programs(scratch / "trace")
    report.merge(search(scanner, started))
    argvs = tuple(tuple(os.fsdecode(word) for word in program.argv) for program in started)
    return Watched(status, output.decode(errors="replace"), report, argvs)


def _run(command: Sequence[str], cwd: Path | None, env: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
    """Exit status and output; after the timeout, the command is killed with everything that it started."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=0,
    )
    try:
        output, _nothing = process.communicate(timeout=timeout)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process.returncode, output


def _settings(scratch: Path) -> dict[str, str]:
    temporary = scratch / "temporary"
    return {
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(scratch / "facts"),
        "ANSIBLE_HOME": str(temporary / "home" / ".ansible"),
        "ANSIBLE_KEEP_REMOTE_FILES": "0",
        "ANSIBLE_LOCAL_TEMP": str(temporary / "local"),
        "ANSIBLE_LOG_PATH": str(scratch / "log"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_REMOTE_TEMP": str(temporary / "remote"),
        "ANSIBLE_RETRY_FILES_ENABLED": "1",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(scratch / "retry"),
        # Holds files that another user must read after `become`.
        "ANSIBLE_SYSTEM_TMPDIRS": str(temporary / "system"),
        "ANSIBLE_VERBOSITY": "4",
        "HOME": str(temporary / "home"),
        "RESULTS": str(scratch / "results"),
        "TMPDIR": str(temporary),
    }
