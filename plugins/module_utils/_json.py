# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that somebody else wrote, read in linear time by every version of Python. Pure."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Union

# The time of a conversion grows with their square. What Python refuses since 3.11, every version does here.
_MOST_DIGITS = 4300


def whole_number(digits: str) -> int:
    """The integer. Raises ValueError for too many digits."""
    return int(_bounded(digits))


def fraction(digits: str) -> float:
    """The number. Raises ValueError for too many digits."""
    return float(_bounded(digits))


def _bounded(digits: str) -> str:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return digits


def json_value(text: Union[str, bytes]) -> Any:
    """The value. Raises ValueError for what is no JSON, not UTF-8, nested too deep, or has too long a number."""
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(decoded, parse_int=whole_number, parse_float=fraction)
    except RecursionError:
        raise ValueError("nested too deep") from None


def json_object(body: bytes) -> Optional[Dict[str, Any]]:
    """The JSON object that a body is, or None."""
    try:
        value = json_value(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
