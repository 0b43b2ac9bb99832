# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain client of the simulated key API: one account, one persistent connection, no retries."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

from simulator.client import Simulator
from simulator.tests.https import Response, ask, basic

SESSION = "/rest/v1/app/session/token"


@dataclass
class Api:
    """The API for one account of a simulator; ``open`` starts a session. ``host`` is sent in the Host header."""

    simulator: Simulator
    account: str = "shop"
    token: str = ""
    mage_id: str = ""
    host: str = ""

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=self.simulator.ca_path)
        self._connection = http.client.HTTPSConnection(
            self.simulator.host, self.simulator.port, timeout=10, context=context
        )

    def __enter__(self) -> Api:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Closes the connection; the next request opens another."""
        self._connection.close()

    def open(self, **body: Any) -> Api:
        """Opens a new session and uses it from now on."""
        got = self.session(**{"grant_type": "session", **body})
        assert got.status == 200, got.body
        self.token, self.mage_id = got.json["ust"], got.json["mage_id"]
        return self

    def session(self, pair: tuple[str, str] | None = None, **body: Any) -> Response:
        """Requests a session, with ``pair`` or the credentials of the application."""
        return self.send("POST", SESSION, body, basic(*(pair or self.simulator.application(self.account))))

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Response:
        """Sends one request, with the session unless ``headers`` are given."""
        sent = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        sent = {**({"Host": self.host} if self.host else {}), **sent}
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = self._connection.getresponse()
            return Response(response.status, response.headers, response.read())
        except BaseException:
            self.disconnect()
            raise

    @property
    def keys(self) -> str:
        """The path of the account's keys."""
        return f"/rest/v1/users/{self.mage_id}/keys"

    def list(self, **query: str) -> Response:
        """Lists the keys."""
        return self.send("GET", f"{self.keys}?{urlencode(query)}")

    def pairs(self, **query: str) -> dict[tuple[str, str], dict[str, Any]]:
        """The m2 pairs by uid and label."""
        got = self.list(**{"type": "m2", **query})
        assert got.status == 200, got.body
        return {(pair["uid"], pair["label"]): pair for pair in got.json["m2"]}

    def create(self, *labels: str, **fields: str) -> Response:
        """Creates pairs in one request."""
        return self.send("POST", self.keys, {"m2": [{"label": label, **fields} for label in labels]})

    def create_pair(self, label: str, **fields: str) -> tuple[str, str]:
        """Creates one pair and returns its halves."""
        (item,) = self.create(label, **fields).json["m2"]
        assert item["code"] == 200, item
        return item["user_key"], item["password_key"]

    def enable(self, label: str, enabled: Any, **fields: str) -> Response:
        """Enables or disables a pair."""
        return self.send("PUT", self.at(label), {"m2": [{"is_enabled": enabled, **fields}]})

    def delete(self, label: str, **query: str) -> Response:
        """Deletes a pair."""
        return self.send("DELETE", self.at(label) + (f"?{urlencode(query)}" if query else ""))

    def at(self, label: str) -> str:
        """The path of a pair."""
        return f"{self.keys}/{quote(label, safe='')}"


def takes_effect_after_time(api: Api) -> None:
    """With ``api_effect_milliseconds`` at an hour."""
    simulator, late, old = api.simulator, api.create_pair("late"), api.simulator.key("shop", "web")
    api.delete("web")
    assert set(api.pairs()) >= {("MAG000000001", "late")} and not api.pairs(label="web")
    simulator.set_switch("api_effect_milliseconds", 300)
    soon = api.create_pair("soon")
    while ask(simulator, key=soon).status == 401:
        time.sleep(0.05)
    api.delete("soon")
    while ask(simulator, key=soon).status == 200:
        time.sleep(0.05)
    assert [ask(simulator, key=key).status for key in (late, old, soon)] == [401, 200, 401]
    simulator.settle()
    assert [ask(simulator, key=key).status for key in (late, old)] == [200, 401]


def takes_effect_after_requests(api: Api) -> None:
    """With ``api_effect_requests`` at 2."""
    key, other = api.create_pair("fleet"), api.simulator.key("shop", "web")
    assert ask(api.simulator, key=other).status == 200
    assert [ask(api.simulator, key=key).status for _turn in range(4)] == [401, 401, 200, 200]
    api.enable("fleet", False)
    assert api.pairs()["MAG000000001", "fleet"]["is_enabled"] is False
    assert ask(api.simulator, key=key).status == 200
    # The delay starts again, with the state that is effective until then.
    api.enable("fleet", True)
    assert [ask(api.simulator, key=key).status for _turn in range(3)] == [200, 200, 200]
    api.enable("fleet", False)
    api.simulator.settle()
    assert ask(api.simulator, key=key).status == 401
    # Changes through the control interface take effect at once.
    api.enable("fleet", True)
    api.simulator.disable_key(key[0])
    api.simulator.enable_key(key[0])
    assert ask(api.simulator, key=key).status == 200
