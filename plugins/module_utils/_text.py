# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make untrusted text safe for terminals, and parse untrusted JSON. Pure."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Dict, Optional

# Characters. Longer than any path, and than any message or line of a diff that a person reads.
LIMIT = 8192
REPLACEMENT = "\ufffd"
# Control, format (including bidirectional and zero-width) and surrogate characters, line separators.
_ACTING = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Names of multi-line texts: both sides of a diff, and the summary of a rotation.
_SEVERAL_LINES = ("before", "after", "prepared", "summary")


def safe(text: str, limit: int = LIMIT) -> str:
    """The text with every terminal control character and line break replaced, at most ``limit`` characters long.

    Other characters stay as they are, so that a path without such characters is unchanged.
    """
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isprintable():
        return text
    return "".join(
        REPLACEMENT if not char.isprintable() and unicodedata.category(char) in _ACTING else char for char in text
    )


def one_line(text: str, limit: Optional[int] = LIMIT) -> str:
    """The text, for quoting, with every run of blanks and unprintable characters replaced by one blank.

    ``limit`` None is for callers that search the whole line for a secret before they shorten it.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if limit is None else safe(line, limit)


def safe_result(value: Any, name: Any = None) -> Any:
    """A copy of a result with all texts and names made `safe`; multi-line texts keep line feeds and tabs."""
    if isinstance(value, str):
        if name in _SEVERAL_LINES:
            return "\n".join("\t".join(map(safe, line.split("\t"))) for line in value.split("\n"))
        return safe(value)
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number with too many digits"  # Python would refuse to convert it to text
    if isinstance(value, dict):
        return {safe_result(key): safe_result(item, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [safe_result(item) for item in value]
    return value


# The conversion takes quadratic time. Python itself has this limit since 3.11.
_MOST_DIGITS = 4300


def bounded(digits: str) -> str:
    """The digits of a number that is to be converted. Raises ValueError for too many."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number with too many digits")
    return digits


def json_value(body: bytes) -> Any:
    """Parse JSON. Raises ValueError for invalid JSON, invalid UTF-8, too deep nesting, or a number that is too long."""
    try:
        text = body.decode("utf-8")
        return json.loads(text, parse_int=lambda n: int(bounded(n)), parse_float=lambda n: float(bounded(n)))
    except RecursionError:
        raise ValueError("nested too deep") from None


def json_object(body: bytes) -> Optional[Dict[str, Any]]:
    """Parse a body. Returns None unless it is a JSON object."""
    try:
        value = json_value(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
