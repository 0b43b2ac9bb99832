# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse untrusted JSON, in linear time with every version of Python. Pure."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Union

# The conversion takes quadratic time. Python itself has this limit since 3.11.
_MOST_DIGITS = 4300


def whole_number(digits: str) -> int:
    """Convert to an integer. Raises ValueError for too many digits."""
    return int(_bounded(digits))


def fraction(digits: str) -> float:
    """Convert to a float. Raises ValueError for too many digits."""
    return float(_bounded(digits))


def _bounded(digits: str) -> str:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number with too many digits")
    return digits


def json_value(text: Union[str, bytes]) -> Any:
    """Parse JSON. Raises ValueError for invalid JSON, invalid UTF-8, too deep nesting, or a number that is too long."""
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(decoded, parse_int=whole_number, parse_float=fraction)
    except RecursionError:
        raise ValueError("nested too deep") from None


def json_object(body: bytes) -> Optional[Dict[str, Any]]:
    """Parse a body. Returns None unless it is a JSON object."""
    try:
        value = json_value(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
