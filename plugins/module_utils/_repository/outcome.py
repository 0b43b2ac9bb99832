# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request has led to: an answer, what was found in it, and the verdict on a pair. Pure."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional


class HttpAnswer(NamedTuple):
    """An HTTP answer. ``body`` is decoded; for a plain verdict it may be only the beginning."""

    http_status: int
    body: bytes = b""
    content_type: str = ""
    retry_after: str = ""

    def __repr__(self) -> str:
        return f"HttpAnswer({self.http_status})"


class Finding(NamedTuple):
    """The outcome of a request, good or bad: a code, and a sentence that is safe to show.

    ``hint`` replaces the usual advice for the code; ``{url}`` in it is the name of an option.
    """

    code: str
    what: str
    hint: str = ""
    http_status: Optional[int] = None


class Verdict(NamedTuple):
    """The verdict on one pair at one repository."""

    repository: str
    url: Optional[str]
    status: str
    code: str
    http_status: Optional[int]
    message: str
    packages: Dict[str, str]

    def as_result(self) -> Dict[str, Any]:
        """Return the verdict as an element of ``verdicts`` in a result."""
        return dict(self._asdict())
