# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests: one JSON object for each line of ``requests.jsonl``, without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A request. ``user`` is a known public half, MAGEID or application ID, ``(unknown)`` for any other user name,
    or None without one.

    ``status`` is None if nothing was sent; ``sent`` is the number of bytes of the body; ``seconds`` is the duration.
    ``operation``, ``items`` and ``labels`` describe a request to the key API.
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
    operation: str | None = None
    items: int | None = None
    labels: tuple[str, ...] | None = None

    def texts(self) -> str:
        """All texts in which a client may have sent a secret by mistake."""
        texts = (self.path, self.query, self.host, self.user_agent or "", self.range or "", *(self.labels or ()))
        return "\0".join(texts)

    def without(self, secret: str) -> Entry:
        """The entry with a secret masked."""

        def clean(text: str) -> str:
            return text.replace(secret, "(secret)")

        return replace(
            self,
            path=clean(self.path),
            query=clean(self.query),
            host=clean(self.host),
            user_agent=self.user_agent and clean(self.user_agent),
            range=self.range and clean(self.range),
            labels=self.labels and tuple(clean(label) for label in self.labels),
        )


class Journal:
    """Appends entries to the file and reads them back. Numbers (``n``) continue after a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = max((entry["n"] for entry in self.entries()), default=0)
        self._handle = path.open("a", encoding="utf-8", buffering=1)

    def write(self, entry: Entry, secrets: Iterable[str]) -> None:
        """Appends one entry; known secrets that the client sent in the wrong place are masked."""
        clean, texts = entry, entry.texts()
        for secret in secrets:
            if secret in texts:
                clean = clean.without(secret)
        self._number += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._handle.write(json.dumps({"n": self._number, "time": now, **vars(clean)}) + "\n")

    def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first; a line that was truncated by a crash is ignored."""
        found = []
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    def clear(self) -> None:
        """Empties the log; numbers continue."""
        self._handle.truncate(0)

    def close(self) -> None:
        """Closes the file."""
        self._handle.close()
