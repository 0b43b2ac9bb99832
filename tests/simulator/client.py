# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, steers and stops a simulator from Python; standard library only."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from .problems import BadInput


class Simulator:
    """One simulator: ``with Simulator() as sim`` starts a server of its own and stops it by its process id.

    ``state`` is the state directory (a temporary one that is removed again when left out); ``listen``, ``names``
    and ``data`` are those of ``serve``. ``attach`` steers one that runs already.
    Every method that talks to the server raises BadInput when it refuses, OSError when it does not answer.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        listen: str = "127.0.0.1:0",
        names: Sequence[str] = (),
        data: Path | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self._temporary = state is None
        self.state = Path(tempfile.mkdtemp(prefix="simulator-")) if state is None else Path(state)
        if self._temporary:
            # Other accounts of the machine must reach ca.pem; what is secret in there is 0600.
            self.state.chmod(0o755)
        self._options = ["--listen", listen, *(part for name in names for part in ("--name", name))]
        self._options += [] if data is None else ["--data", str(data)]
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""

    @classmethod
    def attach(cls, state: Path, address: str | None = None) -> Simulator:
        """A simulator that somebody else started; ``address`` where DIR/address does not lead there."""
        simulator = cls(state)
        simulator._address = address or simulator._read_address()
        return simulator

    def start(self) -> Simulator:
        """Starts the server and waits until it is ready; RuntimeError with its own words when it ends instead."""
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

    def _read_address(self) -> str:
        try:
            address = (self.state / "address").read_text().strip()
        except FileNotFoundError:
            raise BadInput(f"no simulator is running with the state directory {self.state}") from None
        # A server that listens everywhere is reached over loopback.
        return address.replace("0.0.0.0:", "127.0.0.1:", 1).replace("[::]:", "[::1]:", 1)

    def stop(self, *, remove: bool = True) -> None:
        """Ends the server (SIGTERM, after five seconds SIGKILL) and removes a temporary state directory."""
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
        place = self._options.index("--listen") + 1
        self._options[place] = self._address
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

    @property
    def address(self) -> str:
        """``host:port``: the repository's name as Composer and auth.json want it."""
        return self._address

    @property
    def host(self) -> str:
        """The host of ``address``."""
        return self._address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of ``address``."""
        return int(self._address.rpartition(":")[2])

    @property
    def url(self) -> str:
        """The repository's address, with a slash at the end."""
        return f"https://{self._address}/"

    @property
    def ca_path(self) -> str:
        """The file with the CA to trust."""
        return str(self.state / "ca.pem")

    def call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of the control interface; ``path`` is what follows ``/_simulator/``."""
        context = ssl.create_default_context(cafile=self.ca_path)
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=30, context=context)
        token = (self.state / "control-token").read_text().strip()
        try:
            body = None if content is None else json.dumps(content)
            connection.request(method, f"/_simulator/{path}", body, {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise BadInput(str(answer.get("error", response.status)))
        return answer

    def reset(self) -> None:
        """Puts accounts, switches, faults, counters and the log back to the start."""
        self.call("POST", "reset")

    def set_switch(self, name: str, value: bool | int | str | None) -> None:
        """Sets one switch; None puts it back to its default."""
        self.call("PATCH", "switches", {name: value})

    def switches(self) -> dict[str, dict[str, Any]]:
        """Every switch: value, default, choices, about."""
        return dict(self.call("GET", "switches")["switches"])

    def add_fault(self, kind: str, **fields: Any) -> int:
        """Adds a fault (fields as in ``faults.Fault``) and returns its id."""
        return int(self.call("POST", "faults", {"kind": kind, **fields})["fault"]["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, with ``matched`` and ``hits``."""
        return list(self.call("GET", "faults")["faults"])

    def remove_fault(self, number: int) -> None:
        """Removes one fault."""
        self.call("DELETE", f"faults/{number}")

    def clear_faults(self) -> None:
        """Removes all faults."""
        self.call("DELETE", "faults")

    def requests(self, **match: Any) -> list[dict[str, Any]]:
        """The logged requests, oldest first; only those whose fields equal ``match``."""
        found = self.call("GET", "requests")["requests"]
        return [entry for entry in found if all(entry[name] == value for name, value in match.items())]

    def clear_log(self) -> None:
        """Empties the request log."""
        self.call("DELETE", "requests")

    def accounts(self) -> list[dict[str, Any]]:
        """All accounts, private halves included."""
        return list(self.call("GET", "accounts")["accounts"])

    def account(self, name: str) -> dict[str, Any]:
        """One account."""
        return dict(self.call("GET", f"accounts/{quote(name, safe='')}")["account"])

    def set_account(self, name: str, **fields: Any) -> dict[str, Any]:
        """Creates or replaces an account (fields as in a data file)."""
        return dict(self.call("PUT", f"accounts/{quote(name, safe='')}", fields)["account"])

    def change_account(self, name: str, **fields: Any) -> dict[str, Any]:
        """Changes some fields of an account, ``entitlements`` say."""
        return self.set_account(**{**self.account(name), **fields})

    def remove_account(self, name: str) -> None:
        """Removes an account with all its keys."""
        self.call("DELETE", f"accounts/{quote(name, safe='')}")

    def key(self, account: str, label: str) -> tuple[str, str]:
        """Public and private half of a pair; BadInput when there is none of that label."""
        for key in self.account(account)["keys"]:
            if key["label"] == label:
                return key["public"], key["private"]
        raise BadInput(f"account {account} has no key labelled {label}")

    def add_key(self, account: str, label: str, **fields: Any) -> tuple[str, str]:
        """Adds a pair and returns its halves; ``public`` and ``private`` are derived when left out."""
        key = self.call("POST", f"accounts/{quote(account, safe='')}/keys", {"label": label, **fields})["key"]
        return key["public"], key["private"]

    def enable_key(self, public: str) -> None:
        """Enables the pair with this public half."""
        self.call("PATCH", f"keys/{quote(public, safe='')}", {"enabled": True})

    def disable_key(self, public: str) -> None:
        """Disables the pair with this public half."""
        self.call("PATCH", f"keys/{quote(public, safe='')}", {"enabled": False})

    def delete_key(self, public: str) -> None:
        """Deletes the pair with this public half."""
        self.call("DELETE", f"keys/{quote(public, safe='')}")
