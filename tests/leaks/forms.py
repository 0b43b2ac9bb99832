# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms in which a secret can leak: plain, escaped, quoted, in base64 or hex, in full or in part."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Minimum number of characters. Shorter texts occur by accident."""
PART = 16
"""Number of consecutive characters of a long secret that count as the secret."""
_LONG = 32


@dataclass(frozen=True)
class Secret:
    """A planted value. ``user`` is its user name in HTTP Basic. A ``canary`` must be found, other secrets must not."""

    name: str
    value: str = field(repr=False)
    user: str = ""
    canary: bool = False

    def __post_init__(self) -> None:
        if len(self.value) < SHORTEST:
            raise ValueError(f"the secret {self.name} has fewer than {SHORTEST} characters")


@dataclass(frozen=True)
class Form:
    """One form of one secret. ``least`` is the number of consecutive bytes that make a finding."""

    secret: str
    kind: str
    text: bytes = field(repr=False)
    least: int

    def needles(self) -> Iterator[tuple[int, bytes]]:
        """Offsets and pieces to search for: any ``least`` consecutive bytes of the form contain one of the pieces."""
        if self.least == len(self.text):
            yield 0, self.text
            return
        # A stretch of 2n-1 bytes always covers a whole block of n that begins at a multiple of n.
        block = self.least // 2
        for offset in range(0, len(self.text) - block + 1, block):
            yield offset, self.text[offset : offset + block]


def _escaped(value: str) -> Iterator[tuple[str, str]]:
    yield "plain", value
    yield "URL-quoted", quote(value, safe="")
    yield "URL-quoted", quote(value)
    yield "URL-quoted", quote_plus(value)
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield "JSON-escaped", once
        yield "JSON-escaped", once.replace("/", "\\/")
        # JSON as text in JSON, like the standard output of a module in a result.
        yield "JSON-escaped twice", json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield "Python literal", repr(value)[1:-1]
    yield "Python literal", ascii(value)[1:-1]
    yield "YAML-quoted", value.replace("'", "''")
    yield "shell-quoted", value.replace("'", "'\"'\"'")


def _base64(data: bytes) -> Iterator[bytes]:
    """The base64 of ``data`` at each alignment, without the characters that depend on neighbouring bytes."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        # A base64 character has 6 bits: skip those that contain preceding bytes, and keep only complete ones.
        begin, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield text[begin:end]
        yield text[begin:end].translate(bytes.maketrans(b"+/", b"-_"))


def forms(secret: Secret) -> tuple[Form, ...]:
    """Every form of a secret; each text once, with the first kind that produces it."""
    partial = len(secret.value) >= _LONG and not any(c.isspace() for c in secret.value)
    found: dict[bytes, Form] = {}

    def add(kind: str, text: bytes, least: int) -> None:
        found.setdefault(text, Form(secret.name, kind, text, least if partial else len(text)))

    for kind, text in _escaped(secret.value):
        add(kind, text.encode("utf-8", "surrogateescape"), PART)
    data = secret.value.encode("utf-8", "surrogateescape")
    for encoded in _base64(data):
        # 16 bytes yield at least 16 characters of base64, at any alignment.
        add("base64", encoded, PART)
    add("hex", data.hex().encode(), 2 * PART)
    add("hex", data.hex().upper().encode(), 2 * PART)
    if secret.user:
        pair = f"{secret.user}:{secret.value}".encode("utf-8", "surrogateescape")
        whole = base64.b64encode(pair)
        found.setdefault(whole, Form(secret.name, "HTTP Basic", whole, len(whole)))
    return tuple(found.values())
