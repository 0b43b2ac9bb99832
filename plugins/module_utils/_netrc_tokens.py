# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that the versions of curl make of a netrc. Pure.

Source: ``parsenetrc`` and ``file2memory`` in lib/netrc.c of curl 7.55 to 8.21.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Optional, Tuple

BLANKS = b" \t"
_SPACES = b" \t\n\v\f\r"
_WORDS = re.compile(rb"[^ \t\n]+")
_EMPTY_LINE = re.compile(rb"\n\r*\n")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(frozen=True)
class Piece:
    """Some tokens in a row. ``ends_macro``: a macro that was being skipped is over before them."""

    line: int
    ends_macro: bool
    tokens: Tuple[bytes, ...]
    broken: bool = False


def words_of_lines(data: bytes) -> List[Piece]:
    """Before 7.84: words between blanks; a line that begins with ``#`` is a comment."""
    pieces = []
    for number, line in enumerate(lines(data), 1):
        words = _WORDS.findall(line)
        if words and words[0][:1] == b"#":
            words = []
        pieces.append(Piece(number, line[:1] in (b"\n", b"\r"), tuple(words)))
    return pieces


def lines(data: bytes) -> List[bytes]:
    """The lines, each with a line feed at its end."""
    return [line + b"\n" for line in data[: -1 if data.endswith(b"\n") else None].split(b"\n")] if data else []


def quoted(text: bytes, start: int) -> Tuple[Optional[bytes], int]:
    """The token whose opening quote is at ``start``, and where it ends; None: it is not closed."""
    token, place = b"", start + 1
    while place < len(text):
        char = text[place : place + 1]
        if char == b'"':
            return token, place + 1
        if char == b"\\":
            place += 1
            if place >= len(text):
                break
            char = _ESCAPES.get(text[place : place + 1], text[place : place + 1])
        token += char
        place += 1
    return None, place


def tokens_of_lines(data: bytes) -> List[Piece]:
    """7.84 to 8.10: quoted tokens within a line; ``#`` at the start of a token makes the rest a comment."""
    pieces = []
    for number, line in enumerate(lines(data), 1):
        tokens: List[bytes] = []
        broken = False
        place = 0
        while place < len(line):
            while line[place : place + 1] in (b" ", b"\t"):
                place += 1
            if line[place : place + 1] in (b"", b"#"):
                break
            if line[place : place + 1] == b'"':
                token, end = quoted(line, place)
                if token is None:
                    broken = True
                    break
            else:
                end = place
                while line[end] not in _SPACES:
                    end += 1
                token = line[place:end]
            tokens.append(token)
            # The character behind a token is never looked at.
            place = end + 1
        pieces.append(Piece(number, line[:1] in (b"\n", b"\r"), tuple(tokens), broken))
    return pieces


def without_comments(data: bytes) -> Tuple[bytes, List[int]]:
    """8.11 and later: what is kept of the file, and the line that each byte comes from."""
    kept: List[bytes] = []
    numbers: List[int] = []
    for number, raw in enumerate(lines(data), 1):
        line = raw.lstrip(BLANKS)
        if line[:1] != b"#":
            kept.append(line)
            numbers += [number] * len(line)
    return b"".join(kept), numbers


def tokens_of_text(data: bytes) -> List[Piece]:
    """8.11 to 8.20: comments are whole lines, and a quoted token may go on in the next line."""
    text, numbers = without_comments(data)
    pieces = []
    place = 0
    while place < len(text):
        while text[place : place + 1] in (b" ", b"\t"):
            place += 1
        if place >= len(text):
            break
        char = text[place : place + 1]
        line_number, ends = numbers[place], char in (b"\n", b"\r")
        if char == b"\n":
            pieces.append(Piece(line_number, True, ()))
            place += 1
            continue
        if char == b'"':
            token, end = quoted(text, place)
        else:
            end = place
            while text[end] not in _SPACES:
                end += 1
            token = text[place:end] or None
        if token is None:
            pieces.append(Piece(line_number, ends, (), broken=True))
            break
        pieces.append(Piece(line_number, ends, (token,)))
        place = end + 1
    return pieces


class BadSyntax(Exception):
    """curl gives up in this line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Lexer:
    """8.21 and later: words become keywords where one is expected, and nowhere else."""

    def __init__(self, data: bytes) -> None:
        self.text, self.numbers = without_comments(data)
        self.place = 0
        self.pushed = False
        self.kind, self.literal = "", b""

    def next(self, *, literal: bool) -> None:
        """Read on. Raises `BadSyntax`."""
        if self.pushed:
            self.pushed = False
            return
        self._skip_blanks()
        char = self.text[self.place : self.place + 1]
        self.literal = b""
        if not char:
            self.kind = "end"
        elif char == b'"':
            start = self.place
            token, self.place = quoted(self.text, self.place)
            if token is None:
                raise BadSyntax(self.numbers[start])
            self.kind, self.literal = "literal", token
        else:
            start = self.place
            while self.text[self.place] not in b" \t\r\n":
                self.place += 1
            word = self.text[start : self.place]
            if literal:
                self.kind, self.literal = "literal", word
            elif not word:
                raise BadSyntax(self.numbers[start])
            else:
                self.kind = word.lower().decode("latin-1")

    def _skip_blanks(self) -> None:
        while self.place < len(self.text):
            while self.text[self.place] in BLANKS:
                self.place += 1
            while self.text[self.place] == 13:
                self.place += 1
            if self.text[self.place] != 10:
                return
            self.place += 1

    def skip_macro(self) -> None:
        """On to the end of the line before an empty one."""
        found = _EMPTY_LINE.search(self.text, self.place)
        self.place = found.end() - 1 if found else len(self.text)
