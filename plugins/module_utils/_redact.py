# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of other people's text may reach a terminal: no character that acts instead of being seen. Pure."""

from __future__ import annotations

import unicodedata
from typing import Any, Optional

# Characters. More than any path has, and more than a person reads of one message or one line of a diff.
LIMIT = 8192
REPLACEMENT = "\ufffd"
# Control, format (bidirectional and zero-width ones among them) and surrogate characters, separators of lines.
_ACTING = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Texts of several lines: both sides of a diff, and the summary of a rotation.
_SEVERAL_LINES = ("before", "after", "prepared", "summary")


def safe(text: str, limit: int = LIMIT) -> str:
    """The text on one line, every character that acts replaced by one that is seen, at most ``limit`` characters.

    All else keeps its place, so that a path without such characters is still that path.
    """
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isprintable():
        return text
    return "".join(
        REPLACEMENT if not char.isprintable() and unicodedata.category(char) in _ACTING else char for char in text
    )


def one_line(text: str, limit: Optional[int] = LIMIT) -> str:
    """The text with every run of blanks and unprintable characters turned into one blank: for texts to be quoted.

    ``limit`` None is for a caller that looks for a secret in the whole line before it cuts it.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if limit is None else safe(line, limit)


def safe_result(value: Any, name: Any = None) -> Any:
    """A copy of a result with every text in it `safe`, names too; what a diff compares keeps line feeds and tabs."""
    if isinstance(value, str):
        if name in _SEVERAL_LINES:
            return "\n".join("\t".join(map(safe, line.split("\t"))) for line in value.split("\n"))
        return safe(value)
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of too many digits"  # which Python refuses to write
    if isinstance(value, dict):
        return {safe_result(key): safe_result(item, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [safe_result(item) for item in value]
    return value
