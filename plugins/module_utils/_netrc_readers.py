# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the versions of curl read a netrc: what each of them would send to a machine. Pure.

Source: ``parsenetrc`` in lib/netrc.c of curl 7.55 to 8.21, ported with its quirks, because the question is never what a
file should mean but what the curl of a host makes of it. Files with NUL bytes or endless lines are refused before.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_tokens import (
    BadSyntax,
    Lexer,
    Piece,
    tokens_of_lines,
    tokens_of_text,
    words_of_lines,
)

# fgets() of older versions cuts longer lines in two, later ones skip them; the newest refuse files beyond the second.
LONGEST_LINE = 4000
LARGEST_FILE = 128 * 1024


class Found(NamedTuple):
    """What curl would use; a half that the file does not give is None."""

    login: Optional[bytes]
    password: Optional[bytes]


class Broken(NamedTuple):
    """curl gives up: the file has bad syntax in this line."""

    line: int


# None: the file has nothing for the machine.
Answer = Union[Found, Broken, None]


class _Scan:
    """The states of curl's reader while it looks for one machine."""

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


class _Forgetless(_Scan):
    """Up to 8.11.0: what an incomplete entry gave is kept for the next one. Complete is noticed a token later."""

    def feed(self, token: bytes) -> None:
        if self.login and self.password:
            self.done = True
        else:
            super().feed(token)

    def new_machine(self) -> None:
        """Nothing is forgotten."""

    def ours(self, token: bytes, word: bytes) -> None:
        if self.keyword:
            setattr(self, self.keyword, token)
            self.keyword = None
        elif word in (b"login", b"password"):
            self.keyword = word.decode()
        elif word == b"machine":
            self.state = "name"


class _Strict(_Scan):
    """8.11.1 and later: an entry stands for itself."""

    password_alone = True

    def __init__(self, host: bytes, *, macros: bool) -> None:
        super().__init__(host, macros=macros)
        self.seen: List[str] = []

    def new_machine(self) -> None:
        self.keyword, self.login, self.password = None, None, None
        self.seen = []

    def ours(self, token: bytes, word: bytes) -> None:
        if self.keyword:
            setattr(self, self.keyword, token)
            self.seen.append(self.keyword)
            self.keyword = None
        elif word in (b"login", b"password"):
            self.keyword = word.decode()
        elif word == b"machine":
            if self.password_alone and "password" in self.seen:
                self.done = True
                return
            self.state = "name"
            self.new_machine()
        elif word == b"default":
            self.login, self.password = None, None
        if "password" in self.seen and "login" in self.seen:
            self.done = True

    def result(self) -> Optional[Found]:
        if not self.matched or (self.login is None and self.password is None and "login" not in self.seen):
            return None
        password = b"" if self.password is None and "login" in self.seen else self.password
        return Found(self.login, password)


class _Mended(_Strict):
    """Older versions that distributions have given the fix for CVE-2024-11053, Debian 12 for one."""

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
    """One way of reading, for 7.55 to 8.20. ``quotes``: it knows quoted tokens."""

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
        """What a curl of this kind would use for each of the hosts."""
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
    """The way of reading of 8.21 and later."""

    name = "8.21 and later"
    quotes = True

    def lookups(self, data: bytes, hosts: Sequence[bytes]) -> Dict[bytes, Answer]:
        """What such a curl would use for each of the hosts."""
        found: Dict[bytes, Answer] = {}
        for host in hosts:
            try:
                found[host] = _scan_lexed(Lexer(data), host)
            except BadSyntax as bad:
                found[host] = Broken(bad.line)
        return found


READERS: Tuple[Union[Reader, LexedReader], ...] = (
    Reader("7.55 to 7.77", words_of_lines, _Forgetless, macros=False, quotes=False),
    Reader("7.78 to 7.83", words_of_lines, _Forgetless, quotes=False),
    Reader("7.84 to 8.10", tokens_of_lines, _Forgetless),
    Reader("7.84 to 8.10, mended", tokens_of_lines, _Mended),
    Reader("8.11.0", tokens_of_text, _Forgetless),
    Reader("8.11.1 to 8.20", tokens_of_text, _Strict),
    LexedReader(),
)
