# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small key API on loopback for one account, with HTTPS and JSON. The system tests use the complete simulator."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    CA,
    Exchange,
    Loopback,
    fake_key,
)

ME = "MAG123456789"
SECRET = "made-up-application-secret"


def private_half(label: str) -> str:
    """Return the private half of the pair with this label."""
    return fake_key(f"private {label}")


class KeyApi:
    """Answers calls about the keys of one account. ``calls`` lists them in order; ``closed`` refuses all of them."""

    def __init__(self) -> None:
        self.keys: Dict[Tuple[str, str], Dict[str, Any]] = {}
        self.calls: List[str] = []
        self.refused: Dict[str, str] = {}
        self.closed = False

    def add(self, label: str, *, uid: str = ME, enabled: bool = True) -> Dict[str, Any]:
        """Add a pair."""
        pair = {
            "label": label,
            "uid": uid,
            "user_key": fake_key(f"public {label}"),
            "password_key": private_half(label),
            "is_enabled": enabled,
        }
        self.keys[uid, label] = pair
        return pair

    def options(self, server: Loopback, **changes: Any) -> Dict[str, Any]:
        """Return the options for a module that uses this API."""
        options = {"application_id": "APP0000001", "application_secret": SECRET, "ca_path": CA}
        return {**options, "api_url": server.url, "timeout": 10, **changes}

    def answer(self, exchange: Exchange) -> None:
        """Answer one request."""
        if self.closed:
            exchange.reply(403)
            return
        parts = urlsplit(exchange.path)
        if parts.path == "/rest/v1/app/session/token":
            self.calls.append("session")
            exchange.json(json.dumps({"mage_id": ME, "ust": "made-up-token", "expires_in": 60}))
            return
        if exchange.headers.get("authorization") != "Bearer made-up-token":
            raise AssertionError(f"{exchange.method} without the session")
        items = json.loads(exchange.body)["m2"] if exchange.body else []
        uid = items[0]["uid"] if items else parse_qs(parts.query)["uid"][0]
        label = unquote(parts.path.rpartition("/keys/")[2]) if "/keys/" in parts.path else ""
        self.calls.append(" ".join([exchange.method, *([label] if label else [i["label"] for i in items])]))
        if exchange.method == "GET":
            found = [pair for pair in self.keys.values() if uid in ("all", pair["uid"])]
            exchange.json(json.dumps({"m2": found}))
        elif exchange.method == "POST":
            exchange.json(json.dumps({"m2": [self._create(item["label"], uid) for item in items]}))
        elif exchange.method == "PUT":
            self.keys[uid, label]["is_enabled"] = items[0]["is_enabled"]
            exchange.json(json.dumps({"m2": [self.keys[uid, label]]}))
        else:
            del self.keys[uid, label]
            exchange.reply(204)

    def _create(self, label: str, uid: str) -> Dict[str, Any]:
        if label in self.refused:
            return {"label": label, "code": 1208, "message": self.refused[label]}
        return dict(self.add(label, uid=uid), code=200, message="Success")
