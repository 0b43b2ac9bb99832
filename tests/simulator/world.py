# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that outlives a request: accounts, switches, faults, counters; kept in ``state.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .accounts import Account, Recognised, parse_accounts, recognise
from .exchange import Asked
from .faults import Faults
from .problems import BadInput
from .start_data import StartData
from .switches import Switch, Switches


def write_private(path: Path, content: str) -> None:
    """Replaces a file as a whole, 0600 from birth."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(content)
    temporary.replace(path)


class World:
    """The state of one simulator. Only the event loop's thread touches it; ``save`` writes it to disk.

    ``parts`` is a place for what a part wants to keep besides (sessions, say): JSON-like, by name of the part.
    """

    def __init__(self, directory: Path, start: StartData, known_switches: tuple[Switch, ...]) -> None:
        self.catalog = start.catalog
        self.accounts: dict[str, Account] = dict(start.accounts)
        self.switches = Switches(known_switches)
        self.faults = Faults()
        self.counters: dict[str, int] = {}
        self.parts: dict[str, dict[str, Any]] = {}
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
        self.accounts = parse_accounts(kept["accounts"])
        # A switch that an older or newer version kept and this one lacks is no reason to refuse to start.
        known = self.switches.values()
        self.switches.update({name: value for name, value in kept["switches"].items() if name in known})
        self.faults.load(kept["faults"])
        self.counters = dict(kept["counters"])
        self.parts = dict(kept["parts"])

    def save(self) -> None:
        """Writes the state to disk now."""
        content = {
            "accounts": [account.as_json() for account in self.accounts.values()],
            "switches": self.switches.changed(),
            "faults": self.faults.as_json(),
            "counters": self.counters,
            "parts": self.parts,
        }
        write_private(self._file, json.dumps(content, indent=1) + "\n")
        self._changed = False

    def save_if_changed(self) -> None:
        """Writes the state if ``count`` was called since the last write."""
        if self._changed:
            self.save()

    def reset(self) -> None:
        """Back to the start data: accounts, switches, faults and counters."""
        self.accounts = dict(self._start.accounts)
        self.switches.reset()
        self.faults.clear()
        self.counters = {}
        self.parts = {}
        self.save()

    def count(self, name: str) -> None:
        """Adds one to a counter; written to disk a moment later, since requests must stay cheap."""
        self.counters[name] = self.counters.get(name, 0) + 1
        self._changed = True

    def recognise(self, asked: Asked) -> Recognised | None:
        """Whose pair the request shows, if anybody's."""
        shown = asked.basic
        if shown is None:
            return None
        return recognise(self.accounts.values(), host=asked.host, user=shown[0], password=shown[1])

    def known_user(self, user: str) -> bool:
        """Whether it is a public half (or a MAGEID): what else stands in the user field might be a secret."""
        return any(
            user == account.mage_id or any(user == key.public for key in (*account.keys, *account.deleted))
            for account in self.accounts.values()
        )

    def secrets(self) -> Iterator[str]:
        """Every text that must never be written down, also as it looks in an address."""
        for account in self.accounts.values():
            found = [key.private for key in (*account.keys, *account.deleted)]
            for secret in (*found, account.download_token):
                if secret:
                    yield secret
                    if quote(secret, safe="") != secret:
                        yield quote(secret, safe="")
