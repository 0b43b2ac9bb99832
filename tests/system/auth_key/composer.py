# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Composer: its command, and its classes in one PHP process for many files."""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HARNESS = Path(__file__).with_name("composer_harness.php")


@dataclass(frozen=True)
class Read:
    """Composer's result for a file: accepted, ignored or fatal. ``hosts`` are the credentials that it would send."""

    outcome: str
    error: str = ""
    hosts: Mapping[str, tuple[Any, str | None]] = field(default_factory=dict)
    rest: str | None = None

    @property
    def sent(self) -> dict[str, tuple[str, str]]:
        """Composer joins user name and password with a colon, so that null is sent as an empty password."""
        return {host: (username, password or "") for host, (username, password) in self.hosts.items()}


@dataclass(frozen=True)
class Written:
    """The result of one `composer config`."""

    status: int
    file: bytes
    error: str


def _environment(home: Path) -> dict[str, str]:
    # No other variables: COMPOSER_AUTH and similar ones would have an effect.
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "COMPOSER_HOME": str(home),
        "COMPOSER_ALLOW_SUPERUSER": "1",
        "COMPOSER_NO_INTERACTION": "1",
        "LANG": "C.UTF-8",
    }


class Command:
    """The `composer` command with a separate home, in which each test sets auth.json."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def version(self) -> str:
        """The output of `composer --version`."""
        return self._run("--version").stdout.decode().strip()

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = ["composer", "--no-ansi", *words]
        return subprocess.run(
            command, env=_environment(self._home), cwd=self._home, capture_output=True, timeout=60, check=False
        )

    def accepts(self, file: bytes) -> bool:
        """Whether a command that only reads the file succeeds."""
        (self._home / "auth.json").write_bytes(file)
        return self._run("config", "--global").returncode == 0

    def http_basic(self, file: bytes) -> Any:
        """The section as Composer prints it."""
        (self._home / "auth.json").write_bytes(file)
        done = self._run("config", "--global", "http-basic")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def set(self, file: bytes, *, host: str, username: str, password: str) -> Written:
        """Runs `composer config --global http-basic.HOST USERNAME PASSWORD`."""
        path = self._home / "auth.json"
        path.write_bytes(file)
        done = self._run("config", "--global", f"http-basic.{host}", "--", username, password)
        return Written(done.returncode, path.read_bytes(), done.stderr.decode("utf-8", "replace"))


@functools.cache
def reads(file: str) -> bool:
    """Whether the Composer of this machine, if there is one, reads a file: versions differ."""
    with tempfile.TemporaryDirectory() as home:
        return bool(shutil.which("composer")) and Command(Path(home)).accepts(file.encode())


class Harness:
    """Composer's classes in a PHP process, for the auth.json of each test."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            ["php", str(HARNESS), shutil.which("composer") or "composer"],
            env=_environment(home),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self) -> None:
        """End the process by closing its standard input."""
        self._process.communicate(timeout=30)

    def _ask(self, file: bytes, **question: str | None) -> dict[str, Any]:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the harness has no pipes")
        line = json.dumps({"file": base64.b64encode(file).decode(), **question})
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise AssertionError(f"the harness ended with {process.wait(timeout=30)} over {file!r}")
        result: dict[str, Any] = json.loads(answer)
        return result

    def read(self, file: bytes, *, without: str | None = None) -> Read:
        """Reads the file as every Composer command does first."""
        answer = self._ask(file, do="read", without=without)
        hosts = {host: (username, password) for host, username, password in answer.get("hosts", [])}
        return Read(answer["outcome"], answer.get("error", ""), hosts, answer.get("rest"))

    @functools.cached_property
    def objects(self) -> set[str]:
        """The sections of GitLab whose objects this Composer reads. Older ones take an object for the token."""
        pair = {"username": "u", "token": "t"}
        document = {"gitlab-oauth": {"gitlab-oauth": pair}, "gitlab-token": {"gitlab-token": pair}}
        hosts = self.read(json.dumps(document).encode()).hosts
        return {section for section, (username, _password) in hosts.items() if username != pair}

    def set(self, file: bytes, *, host: str, username: str, password: str) -> Written:
        """`composer config --global http-basic.HOST USERNAME PASSWORD`, run through Composer's application class."""
        answer = self._ask(file, do="set", host=host, username=username, password=password)
        return Written(answer["status"], base64.b64decode(answer["file"]), answer["error"])
