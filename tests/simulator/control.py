# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control interface below ``/_simulator/``: JSON in and out, protected by the control token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from . import downloads, fields, sessions
from .accounts import Account, Key, owner_of
from .exchange import Answer, Request, json_answer
from .journal import Journal
from .problems import BadInput
from .world import World

PREFIX = "/_simulator/"


class NoSuchCall(Exception):
    """The control interface has no such address or method."""


class Control:
    """Carries out calls of the control interface."""

    def __init__(self, world: World, journal: Journal, token: str) -> None:
        self._world = world
        self._journal = journal
        self._token = token

    def answer(self, request: Request) -> Answer:
        """Carries out one call: 401 without the token, 400 for invalid input, 404 for unknown addresses."""
        authorization = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(authorization, f"Bearer {self._token}".encode()):
            return json_answer(401, {"error": "the control token is missing or wrong; it is in DIR/control-token"})
        # Split before unquoting, because the name of a key or an account may contain a slash.
        steps = [unquote(step) for step in request.raw_path[len(PREFIX) :].strip("/").split("/")]
        try:
            content = json.loads(request.body) if request.body else {}
            return json_answer(200, self._call(request.method, steps, fields.mapping(content, "the body")))
        except BadInput as error:
            return json_answer(400, {"error": str(error)})
        except ValueError:
            return json_answer(400, {"error": "the body is not JSON"})
        except NoSuchCall:
            return json_answer(404, {"error": f"no such call: {request.method} {request.path}"})

    def _call(self, method: str, steps: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        name, rest = steps[0], steps[1:]
        if name == "" and method == "GET":
            return {"counters": self._world.counters, "switches": self._world.switches.changed()}
        if name == "reset" and method == "POST" and not rest:
            self._world.reset()
            self._journal.clear()
            return {}
        if name == "settle" and method == "POST" and not rest:
            self._world.effects.settle()
            return {}
        handlers = {
            "state": self._state,
            "sessions": self._sessions,
            "downloads": self._downloads,
            "switches": self._switches,
            "faults": self._faults,
            "requests": self._requests,
            "accounts": self._accounts,
            "keys": self._keys,
        }
        if name not in handlers:
            raise NoSuchCall
        result = handlers[name](method, rest, content)
        if method != "GET":
            self._world.save()
        return result

    def _switches(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        if rest or method not in {"GET", "PATCH", "DELETE"}:
            raise NoSuchCall
        if method == "PATCH":
            self._world.switches.update(content)
        if method == "DELETE":
            self._world.switches.reset()
        return {"switches": self._world.switches.described()}

    def _faults(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        faults = self._world.faults
        if method == "POST" and not rest:
            return {"fault": faults.add(content).as_json()}
        if method == "DELETE" and not rest:
            faults.clear()
        elif method == "DELETE" and len(rest) == 1 and rest[0].isdecimal():
            faults.remove(int(rest[0]))
        elif method != "GET" or rest:
            raise NoSuchCall
        return {"faults": [fault.as_json() for fault in faults]}

    def _requests(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        if rest or method not in {"GET", "DELETE"}:
            raise NoSuchCall
        if method == "DELETE":
            self._journal.clear()
        return {"requests": self._journal.entries()}

    def _accounts(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        accounts = self._world.accounts
        if method == "GET" and not rest:
            return {"accounts": [account.as_json() for account in accounts.values()]}
        if method == "PUT" and len(rest) == 1:
            account = Account.parse({**content, "name": rest[0]})
            self._world.put_account(account)
            return {"account": account.as_json()}
        if not rest or rest[0] not in accounts:
            raise BadInput(f"no such account; the accounts are: {', '.join(accounts)}") if rest else NoSuchCall
        account = accounts[rest[0]]
        if method == "GET" and len(rest) == 1:
            return {"account": account.as_json()}
        if method == "DELETE" and len(rest) == 1:
            self._world.remove_account(account.name)
            return {}
        if method == "POST" and rest[1:] == ["keys"]:
            key = Key.parse(content, f"account {account.name}: key", account.name)
            self._world.put_account(account.with_key(key))
            return {"key": key.as_json()}
        if method in {"POST", "DELETE"} and rest[1:] == ["token"]:
            token = downloads.replace_token(account, self._world) if method == "POST" else ""
            self._world.put_account(replace(account, download_token=token))
            return {"account": self._world.accounts[account.name].as_json()}
        raise NoSuchCall

    def _keys(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        if len(rest) != 1 or method not in {"PATCH", "DELETE"}:
            raise NoSuchCall
        account = owner_of(self._world.accounts, rest[0])
        if method == "DELETE":
            changed = account.without_key(rest[0])
        else:
            fields.only(content, {"enabled"}, "key")
            if "enabled" not in content:
                raise BadInput("key: enabled must be true or false")
            changed = account.with_enabled(rest[0], fields.flag(content, "enabled", "key", True))
        self._world.put_account(changed)
        # Changes over the control interface take effect at once and replace a pending change.
        self._world.effects.settle(rest[0])
        return {"account": changed.as_json()}

    def _state(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        if rest or method not in {"GET", "PUT"}:
            raise NoSuchCall
        if method == "PUT":
            self._world.take(content)
            self._journal.clear()
            return {}
        return self._world.as_json()

    def _sessions(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        if rest or method != "DELETE":
            raise NoSuchCall
        return {"expired": sessions.expire_all(self._world)}

    def _downloads(self, method: str, rest: list[str], content: Mapping[str, Any]) -> dict[str, Any]:
        if method != "GET" or len(rest) > 1:
            raise NoSuchCall
        offers = [offer for offer in self._world.offers if not rest or offer.file_name == rest[0]]
        if rest and not offers:
            raise BadInput(f"no such download; the downloads are: {', '.join(o.file_name for o in self._world.offers)}")
        return {
            "downloads": [
                {
                    "file_name": offer.file_name,
                    "category": offer.category,
                    "versions": list(offer.versions),
                    "size": len(offer.body()),
                    **offer.digests(),
                }
                for offer in offers
            ]
        }
