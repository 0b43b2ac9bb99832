# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client and the modules of the Marketplace against the simulator, and a real proxy."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.client import Marketplace
from ansible_collections.keyfleet.magento.plugins.modules import magento_marketplace_key, magento_marketplace_key_info
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module
from simulator.client import Simulator

SHOP = "MAG000000001"
ORGANISATION = "000FAKE0SHOP000@AdobeOrg"
NOW = 1_780_000_000.0
# Labels with characters that are special in URLs, shells and YAML.
ODD_LABELS = [
    "a/b",
    "/",
    "100% sure",
    "%2F",
    "%2e%2E",
    "what?",
    "#1",
    "1+1",
    "a&b=c;d",
    "~",
    "..a",
    "...",
    ". .",
    "./..",
    " blank ends ",
    "comma, comma",
    '"\\',
    "{{ label }}",
    "größe",
    "鍵🔑",
    "-" * 32,
]


def access(simulator: Simulator, account: str = "shop", **changes: Any) -> dict[str, Any]:
    """The options for the simulator's API."""
    application_id, secret = simulator.application(account)
    return {
        "application_id": application_id,
        "application_secret": secret,
        "api_url": simulator.marketplace_url,
        "ca_path": simulator.ca_path,
        **changes,
    }


@contextlib.contextmanager
def opened(simulator: Simulator, account: str = "shop", **changes: Any) -> Iterator[Marketplace]:
    """A client of the account."""
    with Marketplace(**access(simulator, account, **changes)) as client:
        yield client


def operations(simulator: Simulator) -> list[str]:
    """The operations requested from the API, in order."""
    return [str(entry["operation"]) for entry in simulator.requests() if entry["part"] == "marketplace"]


def pairs(simulator: Simulator, account: str = "shop") -> dict[tuple[str, str], dict[str, Any]]:
    """The account's pairs by uid ("" is the account itself) and label; every pair once."""
    keys = simulator.account(account)["keys"]
    found = {(key["uid"], key["label"]): key for key in keys}
    assert len(found) == len(keys), keys
    return found


def secrets_of(simulator: Simulator) -> list[str]:
    """Every current private key and application secret."""
    accounts = simulator.accounts()
    found = [key["private"] for account in accounts for key in account["keys"]]
    return found + [application["secret"] for account in accounts for application in account["applications"]]


def manage(simulator: Simulator, options: dict[str, Any], *, check_mode: bool = False, **changes: Any) -> ModuleResult:
    """Runs magento_marketplace_key; its result must contain no secret."""
    return _run(magento_marketplace_key.main, simulator, {**options, **changes}, check_mode=check_mode)


def query(simulator: Simulator, options: dict[str, Any]) -> ModuleResult:
    """Runs magento_marketplace_key_info; its result must contain no secret unless private keys are requested."""
    return _run(magento_marketplace_key_info.main, simulator, options)


def _run(main: Any, simulator: Simulator, options: dict[str, Any], *, check_mode: bool = False) -> ModuleResult:
    before = secrets_of(simulator)
    answer = run_module(main, {**access(simulator), **options}, check_mode=check_mode)
    if not options.get("include_private_keys"):
        for secret in before + secrets_of(simulator):
            assert secret not in answer.text, answer.text.replace(secret, "(a secret)")
    return answer


class Proxy:
    """A real proxy that tunnels. ``pair``: required HTTP Basic credentials. ``cut``: the next answer is cut off before
    its first byte. ``connect_to``: the end of every tunnel, for any requested host."""

    def __init__(self, pair: tuple[str, str] | None = None, connect_to: str = "") -> None:
        self.pair = pair
        self.connect_to = connect_to
        self.tunnels: list[str] = []
        self.cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            lines = head.decode("latin-1").split("\r\n")
            if self.pair and f"Basic {_basic(self.pair)}" not in head.decode("latin-1"):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            target = lines[0].split(" ")[1]
            self.tunnels.append(target)
            host, _colon, port = (self.connect_to or target).rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            ready, _writable, _broken = select.select([client, server], [], [], 30)
            for source, sink in ((client, server), (server, client)):
                if source not in ready:
                    continue
                data = source.recv(65536)
                if source is server and self.cut:
                    self.cut = False
                    return
                if not data:
                    return
                sink.sendall(data)


def _basic(pair: tuple[str, str]) -> str:
    return base64.b64encode(":".join(pair).encode()).decode()
