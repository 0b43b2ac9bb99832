# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a search by channel. It contains the names of secrets, never their values."""

from __future__ import annotations

from dataclasses import dataclass, field


class NotSearched(Exception):
    """Something could not be searched, or was unexpectedly empty, so that a clean result would mean nothing."""


@dataclass(frozen=True)
class Finding:
    """One secret at one location. ``where`` is a path or a channel, with ``!`` before the member of an archive."""

    secret: str
    form: str
    channel: str
    where: str
    offset: int

    def __str__(self) -> str:
        return f"{self.channel}: {self.secret} ({self.form}) in {self.where} at byte {self.offset}"


@dataclass
class Channel:
    """The data of one channel that was searched: number of pieces (files, datagrams, processes) and of bytes."""

    pieces: int = 0
    size: int = 0


@dataclass
class Report:
    """The result of a search. ``lacks`` are the channels that could not be watched here, with the reason."""

    channels: dict[str, Channel] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    lacks: dict[str, str] = field(default_factory=dict)

    def add_piece(self, channel: str, size: int) -> None:
        """Counts one piece."""
        seen = self.channels.setdefault(channel, Channel())
        seen.pieces += 1
        seen.size += size

    def merge(self, other: Report) -> None:
        """Adds the result of another search."""
        for name, channel in other.channels.items():
            mine = self.channels.setdefault(name, Channel())
            mine.pieces += channel.pieces
            mine.size += channel.size
        self.findings += other.findings
        self.lacks.update(other.lacks)

    def where(self, secret: str) -> set[str]:
        """The channels in which a secret was found."""
        return {finding.channel for finding in self.findings if finding.secret == secret}

    def require(self, *channels: str) -> None:
        """Raises `NotSearched` unless each of the channels contained data."""
        empty = [name for name in channels if not self.channels.get(name, Channel()).size]
        if empty:
            raise NotSearched(f"nothing was seen of: {', '.join(empty)}; {self}")

    def require_clean(self, *channels: str) -> None:
        """Raises AssertionError with the locations if a secret was found, and `NotSearched` like `require`."""
        if self.findings:
            raise AssertionError("\n".join(sorted({str(finding) for finding in self.findings})))
        self.require(*channels)

    def __str__(self) -> str:
        seen = [f"{name}: {c.pieces} of {c.size} bytes" for name, c in sorted(self.channels.items())]
        return (
            "; ".join([*seen, *(f"{name} not watched ({why})" for name, why in self.lacks.items())]) or "nothing seen"
        )
