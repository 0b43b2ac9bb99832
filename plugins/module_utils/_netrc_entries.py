# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a netrc with the places of their tokens, as a person means them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterator, List, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_tokens import quoted

LINES = re.compile(rb"[^\n]*\n|[^\n]+\Z")
_BLANK = re.compile(rb"[ \t\r\n\v\f]")


@dataclass(frozen=True)
class Token:
    """A token and where it stands."""

    start: int
    end: int
    text: bytes = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """One ``machine`` or ``default`` (then ``host`` is None) with the tokens that belong to it."""

    host: Optional[bytes]
    tokens: Tuple[Token, ...] = field(repr=False)

    def value(self, keyword: bytes) -> Optional[Token]:
        """The token behind ``login``, ``password`` or ``account``."""
        found = None
        rest = self._rest()
        for name, value in zip(rest[::2], rest[1::2]):
            if name.text.lower() == keyword and found is None:
                found = value
        return found

    def _rest(self) -> Sequence[Token]:
        return self.tokens[1 if self.host is None else 2 :]

    @property
    def simple(self) -> bool:
        """True for one login and one password, with nothing else but perhaps an account."""
        rest = self._rest()
        names = sorted(name.text.lower() for name in rest[::2])
        return len(rest) % 2 == 0 and names in ([b"login", b"password"], [b"account", b"login", b"password"])

    @property
    def pair(self) -> Tuple[Optional[str], Optional[str]]:
        """Login and password as text."""
        login, password = self.value(b"login"), self.value(b"password")
        return (
            None if login is None else login.text.decode("utf-8", "replace"),
            None if password is None else password.text.decode("utf-8", "replace"),
        )


def _tokens_of_line(line: bytes, start: int) -> Iterator[Token]:
    """The tokens before a comment. Nothing follows a quote that is not closed."""
    at = 0
    while at < len(line):
        if _BLANK.match(line, at):
            at += 1
            continue
        if line[at : at + 1] == b"#":
            return
        if line[at : at + 1] == b'"':
            text, end = quoted(line, at)
            if text is None:
                return
        else:
            blank = _BLANK.search(line, at)
            end = blank.start() if blank else len(line)
            text = line[at:end]
        yield Token(start + at, start + end, text)
        at = end


def _tokens(data: bytes) -> Iterator[Optional[Token]]:
    """The tokens outside of macros; None where a macro has been."""
    in_macro = False
    for found in LINES.finditer(data):
        line, start = found.group(), found.start()
        if in_macro:
            in_macro = bool(line.strip(b"\r\n"))
            continue
        for token in _tokens_of_line(line, start):
            if data[token.start : token.end].lower() == b"macdef":
                in_macro = True
                yield None
                break
            yield token


def entries(data: bytes) -> List[Entry]:
    """Every entry, in the order of the file."""
    found: List[Entry] = []
    current: List[Token] = []
    value_next = False

    def close() -> None:
        if current:
            named = current[0].text.lower() == b"machine" and len(current) > 1
            if named or current[0].text.lower() == b"default":
                found.append(Entry(current[1].text if named else None, tuple(current)))
            current.clear()

    for token in _tokens(data):
        if token is None:
            close()
            value_next = False
            continue
        word = token.text.lower()
        if not value_next and word in (b"machine", b"default"):
            close()
            current.append(token)
            value_next = word == b"machine"
        elif current:
            current.append(token)
            value_next = not value_next and word in (b"login", b"password", b"account")
    close()
    return found
