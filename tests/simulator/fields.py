# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads typed values from JSON-like data, with errors that name the location."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .problems import BadInput


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """The value as an object with string keys; BadInput that names ``where`` otherwise."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadInput(f"{where} must be an object with string keys")
    return value


def only(value: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raises BadInput for unknown keys, because a typing error must not be ignored."""
    unknown = sorted(set(value) - known)
    if unknown:
        raise BadInput(f"{where} has unknown fields: {', '.join(unknown)} (known: {', '.join(sorted(known))})")


def text(value: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    """A string field; without a default it is required and must not be empty."""
    found = value.get(name, default)
    if not isinstance(found, str) or (default is None and not found):
        raise BadInput(f"{where}: {name} must be a string" + ("" if default is not None else " that is not empty"))
    return found


def flag(value: Mapping[str, Any], name: str, where: str, default: bool) -> bool:
    """A boolean field; strings and numbers are not accepted."""
    found = value.get(name, default)
    if not isinstance(found, bool):
        raise BadInput(f"{where}: {name} must be true or false")
    return found


def whole(value: Mapping[str, Any], name: str, where: str, default: int | None) -> int | None:
    """A whole number of zero or more; a missing field is the default, which may be None."""
    found = value.get(name, default)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise BadInput(f"{where}: {name} must be a whole number, 0 or more")
    return found


def seconds(value: Mapping[str, Any], name: str, where: str, default: float) -> float:
    """A duration in seconds, zero or more."""
    found = value.get(name, default)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or found < 0:
        raise BadInput(f"{where}: {name} must be a number of seconds, 0 or more")
    return float(found)


def texts(value: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A list of strings; missing means empty."""
    found = value.get(name, [])
    if not isinstance(found, (list, tuple)) or not all(isinstance(item, str) and item for item in found):
        raise BadInput(f"{where}: {name} must be a list of strings")
    return tuple(found)


def listing(value: Mapping[str, Any], name: str, where: str) -> list[Any]:
    """A list of anything; missing means empty."""
    found = value.get(name, [])
    if not isinstance(found, (list, tuple)):
        raise BadInput(f"{where}: {name} must be a list")
    return list(found)


def string_map(value: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    """An object of strings; missing means empty."""
    found = mapping(value.get(name, {}), f"{where}: {name}")
    if not all(isinstance(item, str) for item in found.values()):
        raise BadInput(f"{where}: every value of {name} must be a string")
    return dict(found)
