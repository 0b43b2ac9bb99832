# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command on a terminal of its own, with somebody who types passwords."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence

SILENCE = 180
"""Seconds without output after which a command is taken to hang."""


class Terminal:
    """``setsid --ctty`` must be part of the command: a password is asked for on the controlling terminal."""

    def __init__(self, command: Sequence[str], password: str = "") -> None:
        self._password = password
        self._output = b""
        self._answered = 0
        self._master, slave = os.openpty()
        self._process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    @property
    def output(self) -> str:
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    def read_until(self, ready: Callable[[], bool]) -> None:
        """Reads on until then; AssertionError when the command ends before."""
        while not ready():
            assert self._read(0.1), self.output

    def end(self, typed: str = "") -> int:
        """Types this, reads to the end and returns the exit status."""
        os.write(self._master, typed.encode())
        while self._read(SILENCE, hangs=True):
            pass
        os.close(self._master)
        return self._process.wait()

    def _read(self, seconds: float, *, hangs: bool = False) -> bool:
        """Whether more may come."""
        if not select.select([self._master], [], [], seconds)[0]:
            if hangs:
                os.killpg(self._process.pid, signal.SIGKILL)
            assert not hangs, f"nothing for {seconds} s:\n{self.output}"
            return True
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # EIO: the command and all that it started have closed the terminal
            return False
        self._output += piece
        if b"password" in self._output[self._answered :].lower() and self._output.endswith(b": "):
            os.write(self._master, self._password.encode() + b"\n")
            self._answered = len(self._output)
        return bool(piece)
