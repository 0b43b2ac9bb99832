# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Python's netrc reads a file: up to 3.10, and since 3.11. Pure.

Source: Lib/netrc.py of CPython 3.7 and 3.13, ported with its quirks: where a comment may stand, for one.
"""

from __future__ import annotations

import io
import shlex
from typing import Dict, List, Optional, Tuple, Union

Logins = Dict[str, Tuple[Optional[str], ...]]
_NEXT_ENTRY = ("", "machine", "default", "macdef")


class _Rejected(Exception):
    """Python raises NetrcParseError here."""


class _NewLexer:
    def __init__(self, text: str) -> None:
        self.instream = io.StringIO(text)
        self.lineno = 1
        self._pushed: List[str] = []

    def _read(self) -> str:
        char = self.instream.read(1)
        self.lineno += char == "\n"
        return char

    def push_token(self, token: str) -> None:
        """Give it out again."""
        self._pushed.append(token)

    def get_token(self) -> str:
        """The next word; quotes and backslashes count as in a shell."""
        if self._pushed:
            return self._pushed.pop(0)
        char = self._read()
        while char and char in "\n\t\r ":
            char = self._read()
        ends = '"' if char == '"' else "\n\t\r "
        if char == '"':
            char = self._read()
        token = ""
        while char and char not in ends:
            token += self._read() if char == "\\" else char
            char = self._read()
        return token


class _OldLexer(shlex.shlex):
    def __init__(self, text: str) -> None:
        super().__init__(io.StringIO(text))
        self.wordchars += r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
        self.commenters = ""

    def get_token(self) -> str:
        """The next word."""
        return super().get_token() or ""


_Lexer = Union[_NewLexer, _OldLexer]


def _skip_macro(lexer: _Lexer) -> None:
    lexer.get_token()
    for line in iter(lexer.instream.readline, ""):
        if line == "\n":
            return
    if isinstance(lexer, _NewLexer):
        raise _Rejected


def _name(lexer: _Lexer) -> Optional[str]:
    """The machine of the next entry; None where there is something else to be skipped, or nothing more ("")."""
    line = lexer.lineno
    token = lexer.get_token()
    if token[:1] == "#":
        if lexer.lineno == line and len(token) == 1:
            lexer.instream.readline()
        return None
    if token == "macdef":
        _skip_macro(lexer)
        return None
    if token not in _NEXT_ENTRY:
        raise _Rejected
    name = lexer.get_token() if token == "machine" else token
    if token and not name:
        raise _Rejected
    return name


def _entry(lexer: _Lexer) -> Tuple[Optional[str], ...]:
    new = isinstance(lexer, _NewLexer)
    halves: Dict[str, Optional[str]] = {"login": "", "account": "" if new else None, "password": "" if new else None}
    while True:
        line = lexer.lineno
        token = lexer.get_token()
        if new and token[:1] == "#":
            if lexer.lineno == line:
                lexer.instream.readline()
            continue
        if token in _NEXT_ENTRY or token[:1] == "#":
            if not new and not halves["password"]:
                raise _Rejected
            lexer.push_token(token)
            return tuple(halves.values())
        if token not in ("login", "user", "account", "password"):
            raise _Rejected
        halves["login" if token == "user" else token] = lexer.get_token()


def logins(data: bytes, *, new: bool) -> Optional[Logins]:
    """Machine → login, account, password; None where Python rejects the file. ``new``: 3.11 and later."""
    try:
        text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
    lexer: _Lexer = _NewLexer(text) if new else _OldLexer(text)
    found: Logins = {}
    try:
        while True:
            name = _name(lexer)
            if name == "":
                return found
            if name is not None:
                found[name] = _entry(lexer)
    except _Rejected:
        return None
