# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a plain netrc, which every curl from 7.55 on reads alike. Pure.

A line of a plain file is blank, a comment, or a row of keywords, each followed by its value; within an entry, other
words are skipped. ``macdef NAME`` has its own line, and the macro ends at an empty line. Anything else is refused,
because versions of curl disagree about where the entries after it begin.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Match, NamedTuple, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile

# Older versions split longer lines (fgets), later ones skip them. The newest versions refuse larger files.
_LONGEST_LINE = 4000
_LARGEST_FILE = 128 * 1024

_STARTS = (b"machine", b"default", b"macdef")
# The keywords that versions without quotes, macros or "account" recognize anywhere.
_SEEN_BY_ALL = (*_STARTS, b"login", b"password")
_KEYWORDS = (*_SEEN_BY_ALL, b"account")

# A carriage return is allowed only between a word and the end of its line.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<![^ \t\r\n])\r|\r(?!\n)")
_MACRO = re.compile(rb"[ \t]*macdef[ \t]+([A-Za-z0-9_.-]+)\Z", re.IGNORECASE)
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"(?![^ \t\r])|[^ \t\r]+')
_ESCAPE = re.compile(rb"\\(.)")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Value(NamedTuple):
    """The value of a keyword: start and end (exclusive) in the file, and the text without quotes."""

    start: int
    end: int
    text: bytes


class NetrcEntry:
    """A ``machine`` entry, or the ``default``, whose ``host`` is None.

    ``start`` and ``end``: its bytes in the file, including comments within it and after its last value. ``leads``: it
    is the first entry of the file or after a macro. ``before``: where the previous entry or macro ends. ``exact``:
    versions without support for quotes and carriage returns read the same host and values.
    """

    def __init__(self, host: Optional[bytes], start: int, *, before: int, leads: bool) -> None:
        self.host = host
        self.start = self.end = start
        self.before = before
        self.leads = leads
        self.exact = True
        self.values: Dict[bytes, Value] = {}

    @property
    def complete(self) -> bool:
        """Whether login and password are set and not empty."""
        return all(self.pair)

    @property
    def pair(self) -> Tuple[Optional[str], Optional[str]]:
        """Login and password as text; None for a missing one."""
        login, password = (self.values.get(keyword) for keyword in (b"login", b"password"))
        return (
            None if login is None else login.text.decode("utf-8", "surrogateescape"),
            None if password is None else password.text.decode("utf-8", "surrogateescape"),
        )


def line_of(data: bytes, place: int) -> str:
    """The line of the byte at ``place``, for messages."""
    number = data.count(b"\n", 0, place) + 1
    return f"line {number}"


class _NotPlain(Exception):
    """Why a file is not plain. The text never repeats content of the file."""


def _check_bytes(data: bytes) -> None:
    if len(data) > _LARGEST_FILE:
        raise MalformedFile(f"it has more than {_LARGEST_FILE} bytes, which is more than curl reads", "the whole file")
    found = _CONTROL.search(data)
    if found:
        reason = "a control character, or a carriage return that is not between a word and a line feed"
        raise MalformedFile(reason, line_of(data, found.start()))


def _text(word: Match[bytes]) -> bytes:
    if word.group(1) is None:
        return word.group()
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found.group(1), found.group(1)), word.group(1))


def _check_word(word: Match[bytes], keyword: bytes) -> None:
    """Raises `_NotPlain` for a value of ``keyword`` (or, if that is empty, a word) that versions read differently."""
    raw, quoted = word.group(), word.group(1) is not None
    if raw[:1] == b'"' and not quoted:
        raise _NotPlain("a quotation mark is not closed on its line, or no blank follows the closing mark")
    if raw[-1:] == b"\\":
        raise _NotPlain("a word ends with a backslash, which makes Python join it with the next word")
    if quoted and not keyword:
        raise _NotPlain("a word in quotation marks where a keyword is expected")
    if keyword and raw[:1] == b"#":
        raise _NotPlain("a value begins with #, as a comment does for some versions of curl")
    forbidden = {b"": (), b"machine": (), b"account": _SEEN_BY_ALL}.get(keyword, _STARTS)
    if _text(word).lower() in forbidden or (quoted and any(part.lower() in _SEEN_BY_ALL for part in raw.split())):
        raise _NotPlain("a value is or contains a word that some versions of curl read as a keyword")


def _pairs(line: bytes) -> Iterator[Tuple[bytes, int, Match[bytes]]]:
    """Each keyword with its offset and value. ``default`` is its own value; a skipped word has the keyword b""."""
    keyword, place, comment = b"", 0, False
    for word in _WORD.finditer(line):
        _check_word(word, keyword)
        name = word.group().lower()
        if keyword:
            yield keyword, place, word
            keyword = b""
        elif name == b"user" and not comment:
            raise _NotPlain("curl does not support user; it must be login")
        elif name not in _KEYWORDS:
            comment = comment or name[:1] == b"#"
            if name == b"#" and not line[word.end() :].strip():
                raise _NotPlain("a lone # after an entry, which makes Python skip the next line")
            yield b"", word.start(), word
        elif comment:
            raise _NotPlain("a comment after an entry contains a keyword, which some versions of curl read")
        elif name == b"macdef":
            raise _NotPlain("macdef is not alone on its line with a name of letters and digits")
        elif name == b"default":
            yield name, word.start(), word
        else:
            keyword, place = name, word.start()
    if keyword:
        raise _NotPlain("a keyword has no value on its line")


def _ends_macro(line: bytes) -> bool:
    words = line.split()
    if line and (not words or line[-1:] == b"\r"):
        raise _NotPlain("a line of blanks or a carriage return in a macro, which ends it for some versions of curl")
    if any(word[:1] == b'"' or word.lower() in _SEEN_BY_ALL for word in words):
        raise _NotPlain("a macro contains a keyword or a quotation mark, which some versions of curl read")
    return not line


def entries(data: bytes) -> List[NetrcEntry]:
    """Every entry, in the order of the file. Raises `MalformedFile` for a file that is not plain."""
    _check_bytes(data)
    found: List[NetrcEntry] = []
    entry: Optional[NetrcEntry] = None
    in_macro, before, start = False, 0, 0
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            if len(line) > _LONGEST_LINE:
                raise _NotPlain(f"a line of more than {_LONGEST_LINE} bytes is split or skipped by curl")
            macro = _MACRO.match(line)
            if in_macro:
                in_macro, before = not _ends_macro(line), start + 1
            elif macro:
                in_macro, entry = True, None
                if macro.group(1).lower() in _KEYWORDS:
                    raise _NotPlain("a macro has the name of a keyword")
            elif line.lstrip()[:1] == b"#":
                words = line.split()
                if words[0][-1:] == b"\\" or b"macdef" in words:
                    raise _NotPlain("a comment has macdef, or a backslash after its first word, which Python may read")
            else:
                for keyword, place, word in _pairs(line):
                    if keyword in _STARTS:
                        previous = entry.end if entry else before
                        host = _text(word) if keyword == b"machine" else None
                        entry = NetrcEntry(host, start + place, before=previous, leads=entry is None)
                        entry.exact = word.group(1) is None
                        found.append(entry)
                    elif entry is None:
                        raise _NotPlain("a word where machine, default or macdef is expected")
                    elif keyword in entry.values:
                        raise _NotPlain("an entry has a keyword twice")
                    elif keyword:
                        entry.values[keyword] = Value(start + word.start(), start + word.end(), _text(word))
                    entry.end = start + word.end()
                    entry.exact = entry.exact and line[-1:] != b"\r"
        except _NotPlain as reason:
            raise MalformedFile(str(reason), f"line {number}") from None
        start += len(line) + 1
    return found
