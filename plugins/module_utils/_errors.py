# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures with a message for people and a stable code."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from ._text import one_line, safe

_LONGEST_PLACE = 300  # characters; a host in a file may be as long as the file


class Problem(NamedTuple):
    """A state that needs attention, of the file ``path`` if it concerns one.

    ``code`` is stable and documented; ``message`` is for people and never holds a secret. In results,
    message and path are made `safe`, since they may quote input.
    """

    code: str
    message: str
    path: Optional[str] = None

    def as_result(self) -> Dict[str, Optional[str]]:
        """The problem as an element of ``problems`` in a result."""
        return {
            "code": self.code,
            "path": None if self.path is None else safe(self.path),
            "message": safe(self.message),
        }


class KeyfleetError(Exception):
    """A failure with a message for users.

    ``code`` is stable, for playbooks to test. ``message`` is made `safe`. ``problems`` holds all reasons if there are
    several. ``details`` are further facts for callers, by name.
    """

    def __init__(self, code: str, message: str, *, problems: Sequence[Problem] = (), **details: object) -> None:
        self.message = safe(message)
        super().__init__(self.message)
        self.code = code
        self.problems: Tuple[Problem, ...] = tuple(problems)
        self.details = details


class MalformedFile(Exception):
    """Composer would fail on the file or ignore it. ``reason`` and ``place`` never hold a secret."""

    def __init__(self, reason: str, place: str) -> None:
        place = one_line(place, _LONGEST_PLACE)
        super().__init__(f"{reason} ({place})")
        self.reason = reason
        self.place = place
