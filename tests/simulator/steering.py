# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls a running simulator over its control interface; standard library only."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .problems import BadInput


class Steering:
    """Controls the simulator whose state directory is ``state``.

    Every method that calls the server raises BadInput if it refuses the call, OSError if it does not answer.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self._address = ""
        self._local = threading.local()

    def _read_address(self, file: str = "address") -> str:
        try:
            address = (self.state / file).read_text().strip()
        except FileNotFoundError:
            raise BadInput(f"no simulator is running with the state directory {self.state}") from None
        # A server that listens on all addresses is reached over loopback.
        return address.replace("0.0.0.0:", "127.0.0.1:", 1).replace("[::]:", "[::1]:", 1)

    @property
    def address(self) -> str:
        """``host:port``: the name of the repository for Composer and auth.json."""
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
        """The URL of the repository, with a trailing slash."""
        return f"https://{self._address}/"

    @property
    def downloads_url(self) -> str:
        """The URL of release downloads, without a trailing slash."""
        return f"https://{self._address}/products/downloads"

    @property
    def marketplace_url(self) -> str:
        """The base URL of the key API, in place of ``https://commercedeveloper-api.adobe.com``."""
        return f"https://{self._address}"

    @property
    def self_signed_address(self) -> str:
        """``host:port`` of the listener with a self-signed certificate."""
        return self._read_address("self-signed-address")

    @property
    def ca_path(self) -> str:
        """The path of the CA certificate to trust."""
        return str(self.state / "ca.pem")

    def call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Calls the control interface; ``path`` is relative to ``/_simulator/``."""
        body = None if content is None else json.dumps(content)
        reused = self._connected()
        try:
            status, answer = self._send(method, path, body)
        except TimeoutError:
            raise
        except OSError:
            # A reused connection may belong to a server that was restarted since, so try once more with a new one.
            if not reused:
                raise
            status, answer = self._send(method, path, body)
        if status != 200:
            raise BadInput(str(answer.get("error", status)))
        return answer

    def _send(self, method: str, path: str, body: str | None) -> tuple[int, dict[str, Any]]:
        # One connection for each thread of each process, because handshakes are the main cost.
        if not self._connected():
            context = ssl.create_default_context(cafile=self.ca_path)
            token = (self.state / "control-token").read_text().strip()
            self._local.headers = {"Authorization": f"Bearer {token}"}
            self._local.connection = http.client.HTTPSConnection(self.host, self.port, timeout=30, context=context)
            self._local.owner = (os.getpid(), self._address)
        connection: http.client.HTTPSConnection = self._local.connection
        try:
            connection.request(method, f"/_simulator/{path}", body, self._local.headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except BaseException:
            # The rest of this answer must not be read as the answer of the next call.
            self._local.owner = None
            connection.close()
            raise
        return response.status, answer

    def _connected(self) -> bool:
        # A connection that was inherited by a fork belongs to the parent.
        return getattr(self._local, "owner", None) == (os.getpid(), self._address)

    def reset(self) -> None:
        """Resets accounts, switches, faults, counters and the log."""
        self.call("POST", "reset")

    def set_switch(self, name: str, value: bool | int | str | None) -> None:
        """Sets one switch; None resets it to its default."""
        self.call("PATCH", "switches", {name: value})

    def switches(self) -> dict[str, dict[str, Any]]:
        """Every switch: value, default, choices, about."""
        return dict(self.call("GET", "switches")["switches"])

    def add_fault(self, kind: str, **fields: Any) -> int:
        """Adds a fault (fields as in ``faults.Fault``) and returns its id."""
        return int(self.call("POST", "faults", {"kind": kind, **fields})["fault"]["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The active faults, with ``matched`` and ``hits``."""
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
        """All accounts, including private halves."""
        return list(self.call("GET", "accounts")["accounts"])

    def account(self, name: str) -> dict[str, Any]:
        """One account."""
        return dict(self.call("GET", f"accounts/{quote(name, safe='')}")["account"])

    def set_account(self, name: str, **fields: Any) -> dict[str, Any]:
        """Creates or replaces an account (fields as in a data file)."""
        return dict(self.call("PUT", f"accounts/{quote(name, safe='')}", fields)["account"])

    def change_account(self, name: str, **fields: Any) -> dict[str, Any]:
        """Changes some fields of an account, such as ``entitlements``."""
        return self.set_account(**{**self.account(name), **fields})

    def remove_account(self, name: str) -> None:
        """Removes an account with all its keys."""
        self.call("DELETE", f"accounts/{quote(name, safe='')}")

    def key(self, account: str, label: str, uid: str | None = None) -> tuple[str, str]:
        """Public and private half of a pair; BadInput if no pair has that label (and organisation)."""
        for key in self.account(account)["keys"]:
            if key["label"] == label and uid in {None, key["uid"]}:
                return key["public"], key["private"]
        raise BadInput(f"account {account} has no key labelled {label}")

    def add_key(self, account: str, label: str, **fields: Any) -> tuple[str, str]:
        """Adds a pair and returns its halves; ``public`` and ``private`` are derived by default."""
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

    def token(self, account: str) -> tuple[str, str]:
        """MAGEID and download token; BadInput if the account has no token."""
        found = self.account(account)
        if not found["download_token"]:
            raise BadInput(f"account {account} has no download token")
        return found["mage_id"], found["download_token"]

    def replace_token(self, account: str) -> tuple[str, str]:
        """Creates a new download token and returns MAGEID and token; the old token stops working at once."""
        self.call("POST", f"accounts/{quote(account, safe='')}/token")
        return self.token(account)

    def remove_token(self, account: str) -> None:
        """Removes the download token of the account."""
        self.call("DELETE", f"accounts/{quote(account, safe='')}/token")

    def download(self, file_name: str) -> dict[str, Any]:
        """``size``, ``md5``, ``sha256``, ``category`` and ``versions`` of a file."""
        return dict(self.call("GET", f"downloads/{quote(file_name, safe='')}")["downloads"][0])

    def downloads(self) -> list[dict[str, Any]]:
        """The result of ``download`` for every file."""
        return list(self.call("GET", "downloads")["downloads"])

    def application(self, account: str, name: str | None = None) -> tuple[str, str]:
        """ID and secret of an application for the key API: the first of the account, or the one with that name."""
        for application in self.account(account)["applications"]:
            if name in {None, application["name"]}:
                return application["id"], application["secret"]
        raise BadInput(f"account {account} has no such application")

    def expire_sessions(self) -> int:
        """Ends every session of the key API and returns the number of active ones."""
        return int(self.call("DELETE", "sessions")["expired"])

    def settle(self) -> None:
        """Makes changes at the key API take effect at the repository now."""
        self.call("POST", "settle")

    def snapshot(self) -> dict[str, Any]:
        """Everything but the log: accounts, switches, faults, counters, sessions and pending changes."""
        return self.call("GET", "state")

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restores a snapshot, with an empty log."""
        self.call("PUT", "state", snapshot)
