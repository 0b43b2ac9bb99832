# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of expressions in YAML: conditions are inverted; operands, branches and arguments of filters are dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_TEMPLATE = re.compile(r"\A\{\{(.*)\}\}\Z", re.DOTALL)
_FILTER = re.compile(r"keyfleet\.magento\.(\w+)\(")
_DICT = re.compile(r"\A(\w+)=(\{.*\})\Z", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"


def _template(expression: str) -> str:
    return "{{ " + expression + " }}"


def inverted(value: Any) -> Any:
    """The inverse of a condition, switch or template."""
    if isinstance(value, bool):
        return not value
    match = _TEMPLATE.match(str(value).strip())
    return _template(f"not ({match.group(1).strip()})") if match else f"not ({value})"


def condition_mutants(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields name and new value of each edit of a condition."""
    yield "turned", inverted(value)
    if not isinstance(value, bool):
        yield from _expression(value)


def template_mutants(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields name and new value of each edit of a string that is one template."""
    match = _TEMPLATE.match(value.strip()) if isinstance(value, str) else None
    if match:
        yield from ((name, _template(new)) for name, new in _expression(match.group(1).strip()))


def _expression(text: str) -> Iterator[tuple[str, str]]:
    chosen = _split(text, " if ")
    if len(chosen) == 2:
        condition, *other = _split(chosen[1], " else ")
        yield f"'if {_short(condition)}' taken for true", chosen[0]
        yield f"'if {_short(condition)}' taken for false", other[0] if other else "''"
    else:
        for word in (" or ", " and "):
            parts = _split(text, word)
            for number, part in enumerate(parts if len(parts) > 1 else ()):
                yield f"'{_short(part)}' dropped", word.join(parts[:number] + parts[number + 1 :])
            if len(parts) > 1:
                break
    yield from _arguments(text)


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """Drop keyword arguments of the collection's filters, and entries of their dictionaries."""
    for match in _FILTER.finditer(text):
        start = match.end()
        end = start + len(_split(text[start:], ")")[0])
        given = [part.strip() for part in _split(text[start:end], ",")]
        for number, argument in enumerate(given):
            if re.match(r"\w+=", argument):
                rest = ", ".join(given[:number] + given[number + 1 :])
                name = argument.split("=")[0]
                yield f"{match.group(1)}({name}) dropped", text[:start] + rest + text[end:]
                for entry, fewer in _entries(argument):
                    changed = ", ".join([*given[:number], f"{name}={fewer}", *given[number + 1 :]])
                    yield f"{match.group(1)}({name}.{entry}) dropped", text[:start] + changed + text[end:]


def _entries(argument: str) -> Iterator[tuple[str, str]]:
    match = _DICT.match(argument)
    parts = [part.strip() for part in _split(match.group(2)[1:-1], ",")] if match else []
    for number, part in enumerate(parts):
        yield part.split("'")[1], "{" + ", ".join(parts[:number] + parts[number + 1 :]) + "}"


def _short(text: str) -> str:
    return " ".join(text.split())[:44]


def _split(text: str, word: str) -> list[str]:
    """Split at ``word``, but not inside brackets or quotes; whitespace of any kind matches its spaces."""
    plain = re.sub(r"\s", " ", text)
    parts, depth, quote, begin, at = [], 0, "", 0, 0
    while at < len(text):
        char = plain[at]
        if quote:
            quote = "" if char == quote else quote
        elif not depth and plain.startswith(word, at):
            parts.append(text[begin:at])
            begin = at = at + len(word)
            continue
        elif char in "'\"":
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        at += 1
    return [*parts, text[begin:]]
