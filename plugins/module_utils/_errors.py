# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures that say what was being done, to which thing, and carry a stable code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import one_line, safe

_LONGEST_PLACE = 300  # characters; a host may be as long as the file


@dataclass(frozen=True)
class Problem:
    """One standing state that deserves attention, of one file where there is one.

    ``code`` is stable and documented; ``message`` is for people and never holds a secret. Message and path are made
    `safe`: either may quote what a user wrote.
    """

    code: str
    message: str
    path: Optional[str] = None

    def __post_init__(self) -> None:
        """Keep only what may reach a terminal."""
        object.__setattr__(self, "message", safe(self.message))
        object.__setattr__(self, "path", None if self.path is None else safe(self.path))

    def as_result(self) -> Dict[str, Optional[str]]:
        """The three keys that every element of ``problems`` has in a result."""
        return {"code": self.code, "path": self.path, "message": self.message}


class KeyfleetError(Exception):
    """A failure as the person at the keyboard should read it.

    ``code`` is what a playbook may test. ``message`` is made `safe`. ``problems`` holds every reason when there are
    several. ``details`` are more facts for callers, by name.
    """

    def __init__(self, code: str, message: str, *, problems: Sequence[Problem] = (), **details: object) -> None:
        self.message = safe(message)
        super().__init__(self.message)
        self.code = code
        self.problems: Tuple[Problem, ...] = tuple(problems)
        self.details = details


def failure(error: KeyfleetError, **fields: object) -> Dict[str, object]:
    """What ``fail_json`` gets: ``msg``, ``code`` and the fields of a result as far as they were reached.

    ``fields`` are the module's own with what stands for "not reached"; without any, those of a module of auth keys.
    """
    result: Dict[str, object] = {"changed": False, **(fields or {"files": [], "verdicts": []})}
    result.update({name: value for name, value in error.details.items() if name in result})
    result["problems"] = [problem.as_result() for problem in error.problems]
    result["msg"] = error.message
    result["code"] = error.code
    return result


class Unfit(Exception):
    """The file would make Composer fail, or be ignored by it. ``reason`` and ``place`` never hold a secret."""

    def __init__(self, reason: str, place: str) -> None:
        place = one_line(place, _LONGEST_PLACE)
        super().__init__(f"{reason} ({place})")
        self.reason = reason
        self.place = place
