# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes in which a secret can leave: plain, escaped, quoted, in base64 or hex, whole or in part."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Characters. Anything shorter turns up by accident."""
PART = 16
"""So many consecutive characters of a long secret count as the secret."""
_LONG = 32


@dataclass(frozen=True)
class Secret:
    """A planted value. ``user`` goes before it in HTTP Basic. A ``canary`` has to be found, all others must not be."""

    name: str
    value: str = field(repr=False)
    user: str = ""
    canary: bool = False

    def __post_init__(self) -> None:
        if len(self.value) < SHORTEST:
            raise ValueError(f"the secret {self.name} has fewer than {SHORTEST} characters")


@dataclass(frozen=True)
class Form:
    """One shape of one secret. ``least`` is how many consecutive bytes of it make a find."""

    secret: str
    kind: str
    text: bytes = field(repr=False)
    least: int

    def needles(self) -> Iterator[tuple[int, bytes]]:
        """Offsets and pieces to search for: whatever has ``least`` bytes of the form has one of them whole."""
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
        # JSON as text within JSON, as in a module's standard output within a result.
        yield "JSON-escaped twice", json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield "Python literal", repr(value)[1:-1]
    yield "Python literal", ascii(value)[1:-1]
    yield "YAML-quoted", value.replace("'", "''")
    yield "shell-quoted", value.replace("'", "'\"'\"'")


def _base64(data: bytes) -> Iterator[bytes]:
    """What base64 makes of ``data`` wherever it begins, without the characters that its neighbours change."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        # Leading bytes before ours take 8 bits each of characters with 6 bits; at the end whole characters count.
        begin, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield text[begin:end]
        yield text[begin:end].translate(bytes.maketrans(b"+/", b"-_"))


def forms(secret: Secret) -> tuple[Form, ...]:
    """Every form of a secret, each text once, under the first name that fits it."""
    partial = len(secret.value) >= _LONG and not any(c.isspace() for c in secret.value)
    found: dict[bytes, Form] = {}

    def add(kind: str, text: bytes, least: int) -> None:
        found.setdefault(text, Form(secret.name, kind, text, least if partial else len(text)))

    for kind, text in _escaped(secret.value):
        add(kind, text.encode("utf-8", "surrogateescape"), PART)
    data = secret.value.encode("utf-8", "surrogateescape")
    for shape in _base64(data):
        # 16 bytes fill at least 16 characters of base64, at whatever place they begin.
        add("base64", shape, PART)
    add("hex", data.hex().encode(), 2 * PART)
    add("hex", data.hex().upper().encode(), 2 * PART)
    if secret.user:
        pair = f"{secret.user}:{secret.value}".encode("utf-8", "surrogateescape")
        whole = base64.b64encode(pair)
        found.setdefault(whole, Form(secret.name, "HTTP Basic", whole, len(whole)))
    return tuple(found.values())
