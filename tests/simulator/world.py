# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that survives a request: accounts, switches, faults and counters; saved in ``state.json``."""

from __future__ import annotations

import copy
import json
import operator
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .accounts import Account, Recognised, parse_accounts, recognise
from .effects import Effects
from .exchange import Request
from .faults import Faults
from .problems import BadInput
from .start_data import StartData
from .switches import Switch, Switches


def write_private(path: Path, content: str) -> None:
    """Replaces a file atomically; the new file is created with mode 0600."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(content)
    temporary.replace(path)


class World:
    """The state of one simulator. Only the event loop's thread touches it; ``save`` writes it to disk.

    ``parts`` holds further state of the parts (such as sessions): JSON-like data by name of the part.
    """

    def __init__(self, directory: Path, start: StartData, known_switches: tuple[Switch, ...]) -> None:
        self.catalog = start.catalog
        self.offers = start.offers
        self.accounts: dict[str, Account] = dict(start.accounts)
        self.switches = Switches(known_switches)
        self.faults = Faults()
        self.counters: dict[str, int] = {}
        self.parts: dict[str, dict[str, Any]] = {}
        self.effects = Effects()
        # Secrets that no account has: replaced tokens, sessions, pairs of removed accounts.
        self._hidden: list[str] = []
        self._secrets: tuple[tuple[Account, ...], tuple[str, ...]] | None = None
        self._start = start
        self._file = directory / "state.json"
        self._changed = False
        self._load()

    def _load(self) -> None:
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.save()
            return
        except ValueError as error:
            raise BadInput(f"{self._file} is not JSON: {error}") from error
        self.take(kept)

    def take(self, kept: Mapping[str, Any]) -> None:
        """Restores the result of ``as_json``; BadInput, without any change, if it is invalid."""
        try:
            accounts = parse_accounts(kept["accounts"])
            switches, faults = kept["switches"], kept["faults"]
            counters, parts = dict(kept["counters"]), copy.deepcopy(dict(kept["parts"]))
            hidden, effects = list(kept.get("hidden", [])), dict(kept.get("effects", {}))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"the saved state of the simulator is invalid: {error!r}") from error
        # Switches that another version saved and this version does not have are ignored.
        known = self.switches.values()
        self.switches.reset()
        self.switches.update({name: value for name, value in switches.items() if name in known})
        self.faults.load(faults)
        self.effects.load(effects)
        self.accounts, self.counters, self.parts = accounts, counters, parts
        self._hidden, self._secrets = hidden, None

    def as_json(self) -> dict[str, Any]:
        """The whole state, including secrets, in the form that ``take`` reads."""
        return {
            "accounts": [account.as_json() for account in self.accounts.values()],
            "switches": self.switches.changed(),
            "faults": self.faults.as_json(),
            "counters": self.counters,
            "parts": self.parts,
            "effects": self.effects.as_json(),
            "hidden": self._hidden,
        }

    def save(self) -> None:
        """Writes the state to disk now."""
        # Without indentation, because Python uses its fast encoder only then.
        write_private(self._file, json.dumps(self.as_json()) + "\n")
        self._changed = False

    def save_if_changed(self) -> None:
        """Writes the state if ``touch`` was called since the last write."""
        if self._changed:
            self.save()

    def reset(self) -> None:
        """Resets accounts, switches, faults and counters to the start data."""
        self.accounts = dict(self._start.accounts)
        self.switches.reset()
        self.faults.clear()
        self.counters = {}
        self.parts = {}
        self.effects.settle()
        self._hidden, self._secrets = [], None
        self.save()

    def touch(self) -> None:
        """Marks the state as changed; it is written to disk a moment later, so that requests stay cheap."""
        self._changed = True

    def part(self, name: str) -> dict[str, Any]:
        """The state of the part with that name; after changing it, call ``touch`` or ``save``."""
        return self.parts.setdefault(name, {})

    def put_account(self, account: Account) -> None:
        """Adds or replaces an account."""
        former = self.accounts.get(account.name)
        kept = set(account.secrets())
        self.hide(*(secret for secret in (former.secrets() if former else ()) if secret not in kept))
        self.accounts[account.name] = account

    def remove_account(self, name: str) -> None:
        """Removes an account."""
        self.hide(*self.accounts.pop(name).secrets())

    def hide(self, *secrets: str) -> None:
        """Records secrets that no account has (any more), so that they are never logged."""
        self._hidden.extend(secrets)
        self._secrets = None

    def count(self, name: str) -> None:
        """Adds one to a counter."""
        self.counters[name] = self.counters.get(name, 0) + 1
        self.touch()

    def recognise(self, request: Request) -> Recognised | None:
        """The pair that the request contains, in the state in which the repository sees it, or None."""
        credentials = request.basic
        if credentials is None:
            return None
        known = recognise(self.accounts.values(), host=request.host, user=credentials[0], password=credentials[1])
        if known is None:
            return None
        state = self.effects.seen(known.key.public, known.state)
        return None if state == "absent" else replace(known, state=state)

    def known_user(self, user: str) -> bool:
        """Whether it is a public half, a MAGEID or an application ID; any other user name might be a secret."""
        return any(
            user == account.mage_id
            or any(user == key.public for key in (*account.keys, *account.deleted))
            or any(user == application.id for application in account.applications)
            for account in self.accounts.values()
        )

    def secrets(self) -> tuple[str, ...]:
        """All secrets, which must never be logged, plain and percent-encoded."""
        accounts = tuple(self.accounts.values())
        if self._secrets is not None:
            known, found = self._secrets
            if len(known) == len(accounts) and all(map(operator.is_, known, accounts)):
                return found
        plain = [secret for account in accounts for secret in account.secrets()] + self._hidden
        quoted = [quote(secret, safe="") for secret in plain]
        found = tuple(dict.fromkeys(plain + quoted))
        self._secrets = (accounts, found)
        return found
