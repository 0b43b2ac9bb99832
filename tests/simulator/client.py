# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, controls and stops a simulator from Python; standard library only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .steering import Steering


class Simulator(Steering):
    """A simulator: ``with Simulator() as sim`` starts a separate server and stops it by its process id.

    ``state`` is the state directory (by default a temporary one, removed at the end); ``listen``, ``names``,
    ``self_signed`` and ``data`` are those of ``serve``. ``attach`` controls a running simulator.
    Every method that calls the server raises BadInput if it refuses the call, OSError if it does not answer.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        listen: str = "127.0.0.1:0",
        self_signed: str = "127.0.0.1:0",
        names: Sequence[str] = (),
        data: Path | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self._temporary = state is None
        super().__init__(Path(tempfile.mkdtemp(prefix="simulator-")) if state is None else Path(state))
        if self._temporary:
            # Other users of the machine must be able to read ca.pem; secret files in this directory have mode 0600.
            self.state.chmod(0o755)
        self._options = ["--listen", listen, "--self-signed", self_signed]
        self._options += [*(part for name in names for part in ("--name", name))]
        self._options += [] if data is None else ["--data", str(data)]
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def attach(cls, state: Path, address: str | None = None) -> Simulator:
        """Connects to a running simulator; ``address`` is needed if DIR/address cannot be used."""
        simulator = cls(state)
        simulator._address = address or simulator._read_address()
        return simulator

    def start(self) -> Simulator:
        """Starts the server and waits until it is ready; RuntimeError with its output if it ends or is not ready in
        time."""
        (self.state / "address").unlink(missing_ok=True)
        self.state.mkdir(parents=True, exist_ok=True)
        log = self.state / "server.log"
        command = [sys.executable, str(Path(__file__).resolve().parent), "serve", "--state", str(self.state)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "--parent-pid", str(os.getpid()), *self._options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + self._start_timeout
        while not (self.state / "address").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(remove=False)
                raise RuntimeError(f"the simulator did not start: {log.read_text(errors='replace')}")
            time.sleep(0.02)
        self._address = self._read_address()
        return self

    def stop(self, *, remove: bool = True) -> None:
        """Stops the server (SIGTERM, after five seconds SIGKILL) and removes a temporary state directory."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
                try:
                    self._process.wait(5)
                except subprocess.TimeoutExpired:
                    self._process.kill()
            self._process.wait()
            self._process = None
        if remove and self._temporary:
            shutil.rmtree(self.state, ignore_errors=True)

    def restart(self) -> None:
        """Stops the server and starts it again on the same state directory and port."""
        self.stop(remove=False)
        index = self._options.index("--listen") + 1
        self._options[index] = self._address
        self.start()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the server that ``start`` started."""
        if self._process is None:
            raise RuntimeError("the simulator is not running")
        return self._process.pid
