# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receives the syslog messages of modules on the /dev/log of a private /dev, so that they do not reach the real log."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# Builds the private /dev in $1, then runs the rest. Only this command and its children see it.
_ENTER = """
set -e
n=0
dev=$1
shift
for name in null zero full random urandom tty; do
    : > "$dev/$name"
    mount --bind "/dev/$name" "$dev/$name"
done
for name in pts shm; do
    mkdir "$dev/$name"
    mount --rbind "/dev/$name" "$dev/$name"
done
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
for name in in out err; do ln -s "fd/$((n))" "$dev/std$name"; n=$((n + 1)); done
mount --rbind "$dev" /dev
exec "$@"
"""
_UNSHARE = ("unshare", "--mount", "--propagation", "private")
_MOST = 1 << 20


@functools.cache
def lacking() -> str | None:
    """Why the system log cannot be watched here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("unshare"):
        return "no unshare"
    # Containers without CAP_SYS_ADMIN refuse mounts.
    trial = subprocess.run([*_UNSHARE, "mount", "--bind", "/dev", "/dev"], capture_output=True, check=False)
    return "no private mounts (CAP_SYS_ADMIN)" if trial.returncode else None


class SyslogSocket:
    """``with SyslogSocket() as log`` receives the syslog messages of commands that ``log.command`` has wrapped."""

    def __init__(self) -> None:
        self._received: list[bytes] = []
        self._dev = Path(tempfile.mkdtemp(prefix="leaks-dev-"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def command(self, command: Sequence[str]) -> list[str]:
        """Wraps the command to run in its own mount namespace."""
        return [*_UNSHARE, "sh", "-c", _ENTER, "leaks", str(self._dev), *command]

    def _listen(self) -> None:
        while datagram := self._socket.recv(_MOST):
            self._received.append(datagram)

    def __enter__(self) -> SyslogSocket:
        path = self._dev / "log"
        self._socket.bind(str(path))
        self._dev.chmod(0o755)
        path.chmod(0o666)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._dev, ignore_errors=True)

    def stop(self) -> list[bytes]:
        """Stops receiving and returns all messages, in order."""
        if self._thread.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                # An empty datagram after all others ends the thread.
                end.connect(str(self._dev / "log"))
                end.send(b"")
            self._thread.join(10)
        self._socket.close()
        return list(self._received)
