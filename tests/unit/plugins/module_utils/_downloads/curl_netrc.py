# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How curl 7.55 and later and Python read a netrc: the oracle for tests of edits.

Ports of ``parsenetrc`` and ``file2memory`` in lib/netrc.c of curl 7.55 to 8.21, and of Lib/netrc.py of CPython 3.7 and
3.13, including their quirks. Files with NUL bytes or lines of more than 4000 bytes are not supported.
"""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import dataclass
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

BLANKS = b" \t"
_SPACES = b" \t\n\v\f\r"
_WORDS = re.compile(rb"[^ \t\n]+")
_EMPTY_LINE = re.compile(rb"\n\r*\n")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(frozen=True)
class Piece:
    """A sequence of tokens. ``ends_macro``: a macro ends before them."""

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
    """The token whose opening quote is at ``start`` (None if it is not closed), and where it ends."""
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
            # The character after a token is skipped unread.
            place = end + 1
        pieces.append(Piece(number, line[:1] in (b"\n", b"\r"), tuple(tokens), broken))
    return pieces


def without_comments(data: bytes) -> Tuple[bytes, List[int]]:
    """8.11 and later: the file without comments, and the line number of each byte."""
    kept: List[bytes] = []
    numbers: List[int] = []
    for number, raw in enumerate(lines(data), 1):
        line = raw.lstrip(BLANKS)
        if line[:1] != b"#":
            kept.append(line)
            numbers += [number] * len(line)
    return b"".join(kept), numbers


def tokens_of_text(data: bytes) -> List[Piece]:
    """8.11 to 8.20: comments are whole lines, and a quoted token may continue on the next line."""
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
    """curl fails at this line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Lexer:
    """8.21 and later: a word is a keyword only where a keyword is expected."""

    def __init__(self, data: bytes) -> None:
        self.text, self.numbers = without_comments(data)
        self.place = 0
        self.pushed = False
        self.kind, self.literal = "", b""

    def next(self, *, literal: bool) -> None:
        """Read the next token. Raises `BadSyntax`."""
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
        """Skip to the line feed of the next empty line."""
        found = _EMPTY_LINE.search(self.text, self.place)
        self.place = found.end() - 1 if found else len(self.text)


class Found(NamedTuple):
    """The pair that curl would use; None for a missing half."""

    login: Optional[bytes]
    password: Optional[bytes]


class Broken(NamedTuple):
    """curl fails: the file has a syntax error in this line."""

    line: int


# None: the file has no entry for the machine.
Answer = Union[Found, Broken, None]


class _Scan:
    """The state machine of curl for the lookup of one machine."""

    def __init__(self, host: bytes, *, macros: bool) -> None:
        self.host = host.lower()
        self.macros = macros
        self.state = "nothing"
        self.matched = False
        self.done = False
        self.keyword: Optional[str] = None
        self.login: Optional[bytes] = None
        self.password: Optional[bytes] = None

    def feed(self, token: bytes) -> None:
        word = token.lower()
        if self.state == "macro":
            self.state = "macro" if token else "nothing"
        elif self.state == "name":
            self.state = "ours" if word == self.host else "nothing"
            self.matched = self.matched or self.state == "ours"
        elif self.state == "ours":
            self.ours(token, word)
        elif word == b"macdef" and self.macros:
            self.state = "macro"
        elif word == b"machine":
            self.state = "name"
            self.new_machine()
        elif word == b"default":
            self.state, self.matched = "ours", True

    def ours(self, token: bytes, word: bytes) -> None:
        raise NotImplementedError

    def new_machine(self) -> None:
        raise NotImplementedError

    def result(self) -> Optional[Found]:
        return Found(self.login, self.password) if self.matched else None


class _Remembering(_Scan):
    """Up to 8.11.0: values of an incomplete entry are kept for the next one; completeness is detected a token later."""

    def feed(self, token: bytes) -> None:
        if self.login and self.password:
            self.done = True
        else:
            super().feed(token)

    def new_machine(self) -> None:
        """Values are kept."""

    def ours(self, token: bytes, word: bytes) -> None:
        if self.keyword:
            setattr(self, self.keyword, token)
            self.keyword = None
        elif word in (b"login", b"password"):
            self.keyword = word.decode()
        elif word == b"machine":
            self.state = "name"


class _Strict(_Scan):
    """8.11.1 and later: entries are independent."""

    password_alone = True

    def __init__(self, host: bytes, *, macros: bool) -> None:
        super().__init__(host, macros=macros)
        self.seen: List[str] = []
        self.our_login = False

    def new_machine(self) -> None:
        self.leave()
        self.our_login = False

    def leave(self) -> None:
        """Forget the values at the next machine. That there was a login is remembered up to the one after it."""
        self.keyword, self.login, self.password = None, None, None
        self.seen = []

    def ours(self, token: bytes, word: bytes) -> None:
        if self.keyword:
            setattr(self, self.keyword, token)
            self.seen.append(self.keyword)
            self.our_login = self.our_login or self.keyword == "login"
            self.keyword = None
        elif word in (b"login", b"password"):
            self.keyword = word.decode()
        elif word == b"machine":
            if self.password_alone and "password" in self.seen:
                self.done = True
                return
            self.state = "name"
            self.leave()
        elif word == b"default":
            self.login, self.password = None, None
        if "password" in self.seen and "login" in self.seen:
            self.done = True

    def result(self) -> Optional[Found]:
        if not self.matched or (self.login is None and self.password is None and not self.our_login):
            return None
        password = b"" if self.password is None and self.our_login else self.password
        return Found(self.login, password)


class _Patched(_Strict):
    """Older versions with a backported fix for CVE-2024-11053, as in Debian 12."""

    password_alone = False


def _scan_lexed(lexer: Lexer, host: bytes) -> Optional[Found]:
    ours = False
    halves: Dict[str, Optional[bytes]] = {"login": None, "password": None}
    while True:
        lexer.next(literal=False)
        kind = lexer.kind
        if kind in ("end", "machine", "default", "macdef"):
            login, password = halves["login"], halves["password"]
            if ours and not (login is None and password is None):
                return Found(login, password)
            if kind == "end":
                return None
            ours, halves = kind == "default", {"login": None, "password": None}
        if kind == "machine":
            lexer.next(literal=True)
            ours = lexer.kind == "literal" and lexer.literal.lower() == host.lower()
            lexer.pushed = lexer.kind != "literal"
        elif kind == "macdef":
            lexer.skip_macro()
        elif kind in ("login", "password", "account"):
            lexer.next(literal=True)
            if lexer.kind != "literal":
                lexer.pushed = True
            elif ours and kind != "account":
                halves[kind] = lexer.literal


class Reader:
    """A reader of 7.55 to 8.20. ``quotes``: it supports quoted tokens."""

    def __init__(
        self,
        name: str,
        pieces: Callable[[bytes], List[Piece]],
        scan: Callable[..., _Scan],
        *,
        macros: bool = True,
        quotes: bool = True,
    ) -> None:
        self.name = name
        self.quotes = quotes
        self._pieces, self._scan, self._macros = pieces, scan, macros
        self._by_line = pieces is not tokens_of_text

    def lookups(self, data: bytes, hosts: Sequence[bytes]) -> Dict[bytes, Answer]:
        """The pair for each of the hosts."""
        pieces = self._pieces(data)
        return {host: self._lookup(pieces, host) for host in hosts}

    def _lookup(self, pieces: Sequence[Piece], host: bytes) -> Answer:
        scan = self._scan(host, macros=self._macros)
        for piece in pieces:
            if scan.state == "macro":
                if piece.ends_macro:
                    scan.state = "nothing"
                elif self._by_line:
                    continue
            for token in piece.tokens:
                scan.feed(token)
                if scan.done:
                    return scan.result()
            if piece.broken:
                return Broken(piece.line)
        return scan.result()


class LexedReader:
    """The reader of 8.21 and later."""

    name = "8.21 and later"
    quotes = True

    def lookups(self, data: bytes, hosts: Sequence[bytes]) -> Dict[bytes, Answer]:
        """The pair for each of the hosts."""
        found: Dict[bytes, Answer] = {}
        for host in hosts:
            try:
                found[host] = _scan_lexed(Lexer(data), host)
            except BadSyntax as bad:
                found[host] = Broken(bad.line)
        return found


READERS: Tuple[Union[Reader, LexedReader], ...] = (
    Reader("7.55 to 7.77", words_of_lines, _Remembering, macros=False, quotes=False),
    Reader("7.78 to 7.83", words_of_lines, _Remembering, quotes=False),
    Reader("7.84 to 8.10", tokens_of_lines, _Remembering),
    Reader("7.84 to 8.10, patched", tokens_of_lines, _Patched),
    Reader("8.11.0", tokens_of_text, _Remembering),
    Reader("8.11.1 to 8.20", tokens_of_text, _Strict),
    LexedReader(),
)


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
        """Make `get_token` return the token again."""
        self._pushed.append(token)

    def get_token(self) -> str:
        """The next word; quotes and backslashes work as in a shell."""
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
    """The machine of the next entry; None after a comment or macro, "" at the end."""
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
    """Machine → login, account, password; None if Python rejects the file. ``new``: 3.11 and later."""
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


def _names(*texts: bytes) -> List[bytes]:
    """All words that some version may read as a machine, and an unknown machine."""
    found = {b"no.such.machine.invalid": None}
    for text in texts:
        for word in text.split():
            found[word.lower()] = None
            for start in (place for place, char in enumerate(word) if char == 34):
                found[(quoted(text, text.index(word) + start)[0] or b"").lower()] = None
    return list(found)


def changed_for_others(before: bytes, after: bytes, host: str, *, quotes: bool = False) -> List[str]:
    """The readers for which an edit changes the pair of a machine other than ``host``.

    Readers that could not read the file before are ignored. ``quotes``: the new values are quoted, which Python up to
    3.10 does not support.
    """
    changed = []
    others = [name for name in _names(before, after) if name.strip(b'"') != host.encode()]
    for reader in READERS:
        old, new = reader.lookups(before, others), reader.lookups(after, others)
        if any(old[name] != new[name] and not isinstance(old[name], Broken) for name in others):
            changed.append(reader.name)
    for version in (True,) if quotes else (False, True):
        known = [logins(text, new=version) for text in (before, after)]
        for found in known:
            for name in [name for name in found or () if name.lower().strip('"') == host]:
                del (found or {})[name]
        if known[0] is not None and known[0] != known[1]:
            changed.append("Python " + ("since 3.11" if version else "up to 3.10"))
    return changed


def without_pair(
    before: bytes, after: bytes, host: str, login: str, password: str, *, quotes: bool = False
) -> List[str]:
    """The readers that do not find the pair for ``host`` after an edit. ``quotes``: only those that support quotes.

    A Python version is ignored if it rejects the file, or reads comments as entries (all do after an empty line).
    """
    wanted, name = Found(login.encode(), password.encode()), host.encode()
    readers = [reader for reader in READERS if reader.quotes or not quotes]
    lacking = [reader.name for reader in readers if reader.lookups(after, [name])[name] != wanted]
    uncommented = b"".join(line for line in lines(before) if line.lstrip(BLANKS)[:1] != b"#")
    for version in (True,) if quotes else (False, True):
        known = logins(after, new=version)
        if known is None or logins(before, new=version) != logins(uncommented, new=version):
            continue
        if [(one[0], one[2]) for key, one in known.items() if key.lower() == host] != [(login, password)]:
            lacking.append("Python " + ("since 3.11" if version else "up to 3.10"))
    return lacking


def still_with_entry(data: bytes, host: str) -> List[str]:
    """The readers whose result for ``host`` differs from the result for an unknown machine."""
    unknown, name = b"no.such.machine.invalid", host.encode()
    found = {reader.name: reader.lookups(data, [name, unknown]) for reader in READERS}
    return [reader for reader, answers in found.items() if answers[name] != answers[unknown]]
