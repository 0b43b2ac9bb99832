# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of keys that have not taken effect at the repository yet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Pending:
    """The former state of a pair, which the repository still sees: ``absent``, ``enabled`` or ``disabled``.

    This lasts until the time ``until`` (seconds since the epoch) and for ``requests`` more requests with this pair.
    """

    state: str
    until: float
    requests: int

    @property
    def over(self) -> bool:
        """Whether the change has taken effect."""
        return self.requests <= 0 and time.time() >= self.until


class Effects:
    """The pending changes, by public half."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    def begin(self, public: str, before: str, *, seconds: float, requests: int) -> None:
        """Records that a pair with the state ``before`` was changed; a second change starts the delay again."""
        known = self._pending.get(public)
        state = before if known is None or known.over else known.state
        self._pending[public] = Pending(state, time.time() + seconds, requests)

    def seen(self, public: str, actual: str) -> str:
        """The state in which the repository sees the pair for this request."""
        known = self._pending.get(public)
        if known is None:
            return actual
        if known.over:
            del self._pending[public]
            return actual
        self._pending[public] = replace(known, requests=max(0, known.requests - 1))
        return known.state

    def settle(self, public: str | None = None) -> None:
        """Makes the change of this pair, or all changes, take effect now."""
        if public is None:
            self._pending = {}
        else:
            self._pending.pop(public, None)

    def as_json(self) -> dict[str, Any]:
        """The form in which the changes are saved."""
        return {public: asdict(pending) for public, pending in self._pending.items()}

    def load(self, value: Mapping[str, Any]) -> None:
        """Restores the result of ``as_json``."""
        self._pending = {public: Pending(**pending) for public, pending in value.items()}
