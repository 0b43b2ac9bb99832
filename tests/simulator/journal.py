# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests: one JSON object a line in ``requests.jsonl``, without a secret."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One request. ``user`` is a known public half, ``(unknown)`` for any other user name, or None without one.

    ``status`` is None when nothing was sent; ``sent`` are bytes of the body; ``seconds`` is the time it took.
    """

    method: str
    host: str
    path: str
    query: str
    user: str | None
    authorization: bool
    scheme: str | None
    range: str | None
    user_agent: str | None
    part: str
    status: int | None = None
    sent: int = 0
    fault: int | None = None
    seconds: float = 0.0
    complete: bool = True


class Journal:
    """Appends entries to the file and reads them back. Numbers (``n``) go on after a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = max((entry["n"] for entry in self.entries()), default=0)
        self._handle = path.open("a", encoding="utf-8", buffering=1)

    def write(self, entry: Entry, secrets: Iterable[str]) -> None:
        """Appends one entry; a known secret that the client put in the wrong place is blotted out."""
        clean = entry
        for secret in secrets:
            clean = replace(
                clean,
                path=clean.path.replace(secret, "(secret)"),
                query=clean.query.replace(secret, "(secret)"),
                host=clean.host.replace(secret, "(secret)"),
                user_agent=clean.user_agent and clean.user_agent.replace(secret, "(secret)"),
                range=clean.range and clean.range.replace(secret, "(secret)"),
            )
        self._number += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._handle.write(json.dumps({"n": self._number, "time": now, **asdict(clean)}) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first; a line cut by a crash is left out."""
        found = []
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    def clear(self) -> None:
        """Empties the log; numbers go on."""
        self._handle.truncate(0)

    def close(self) -> None:
        """Closes the file."""
        self._handle.close()
