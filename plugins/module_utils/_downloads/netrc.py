# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set or remove the entry of one machine in a netrc, keeping every other byte. Pure.

Only plain files are edited, in whole lines. There, an edit does not change what curl 7.55 or newer and Python's netrc
read for other machines, and every reader that can read the values at all finds the new pair, unless Python skips the
entry or reads another one in a comment, before the edit as after it. An edit that cannot keep this is refused. The
tests verify it with ports of these readers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Match, Optional, Tuple

from .._errors import MalformedFile
from .._secrets import describe
from .._text import one_line

# Older versions split longer lines (fgets), later ones skip them. The newest versions refuse larger files.
_LONGEST_LINE = 4000
_LARGEST_FILE = 128 * 1024

_STARTS = {b"machine", b"default", b"macdef"}
_KEYWORDS = {*_STARTS, b"login", b"password", b"account"}

# A carriage return is allowed only between a word and the end of its line.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<![^ \t\r\n])\r|\r(?!\n)")
_MACRO = re.compile(rb"[ \t]*macdef[ \t]+([A-Za-z0-9_.-]+)\Z", re.IGNORECASE)
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"(?![^ \t\r])|[^ \t\r]+')
_ESCAPE = re.compile(rb"\\(.)")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass
class NetrcEntry:
    """A ``machine`` entry, or the ``default``, whose ``host`` is None.

    ``first`` and ``last``: the indexes of its lines. ``after_macro``: the index of the line after the last macro before
    it. ``after_half``: one of the two entries before it has no login or no password, which curl then takes from later
    entries. ``exact``: it comes before a default entry, and versions without support for quotes and carriage returns
    read the same host and values. ``values``: for each keyword, the index of the line and the match of `_WORD` in it.
    """

    host: Optional[bytes]
    first: int
    last: int
    after_macro: int
    after_half: bool
    exact: bool
    values: Dict[bytes, Tuple[int, Match[bytes]]] = field(default_factory=dict, repr=False)

    @property
    def pair(self) -> Tuple[Optional[str], Optional[str]]:
        """Login and password; None for a missing one."""
        found = {
            keyword: _text(word).decode("utf-8", "surrogateescape") for keyword, (_place, word) in self.values.items()
        }
        return found.get(b"login"), found.get(b"password")


def _refuse(condition: object, reason: str, number: int) -> None:
    """Raises `MalformedFile` if the condition is true. ``number``: of the line. The reason repeats no content."""
    if condition:
        raise MalformedFile(reason, f"line {number}")


def _text(word: Match[bytes]) -> bytes:
    if word.group(1) is None:
        return word.group()
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found.group(1), found.group(1)), word.group(1))


def _check_value(word: Match[bytes], number: int) -> None:
    raw = word.group()
    unclosed = raw[:1] == b'"' and word.group(1) is None
    _refuse(unclosed, "a quotation mark is not closed on its line, or no blank follows the closing mark", number)
    _refuse(raw[-1:] == b"\\", "a word ends with a backslash, which makes Python join it with the next word", number)
    _refuse(raw[:1] == b"#", "a value begins with #, as a comment does for some versions of curl", number)
    words = {part.lower() for part in (_text(word), *raw.split())}
    _refuse(words & _KEYWORDS, "a value is or contains a word that some versions of curl read as a keyword", number)


def _check_unread(text: bytes, what: str, number: int) -> None:
    """Raises `MalformedFile` if some versions read words of a comment after an entry, or of a line of a macro."""
    read = any(word[:1] == b'"' or word[-1:] == b"\\" or word.lower() in _KEYWORDS for word in text.split())
    _refuse(read, f"{what} contains a keyword, a quotation mark or a backslash, which some versions read", number)


def _pairs(line: bytes, number: int) -> Iterator[Tuple[bytes, Match[bytes]]]:
    """Each keyword with its value. ``default`` is its own value."""
    words = _WORD.finditer(line)
    for word in words:
        keyword, value = word.group().lower(), word
        if keyword[:1] == b"#":
            rest = line[word.start() :]
            _refuse(rest.strip() == b"#", "a lone # after an entry, which makes Python skip the next line", number)
            return _check_unread(rest, "a comment after an entry", number)
        _refuse(keyword == b"macdef", "macdef is not alone on its line with a name of letters and digits", number)
        _refuse(keyword not in _KEYWORDS, "a word where a keyword is expected; curl does not support user", number)
        if keyword != b"default":
            value = next(words, word)
            _refuse(value is word, "a keyword has no value on its line", number)
            _check_value(value, number)
        yield keyword, value


def entries(data: bytes) -> List[NetrcEntry]:
    """Every entry, in the order of the file. Raises `MalformedFile` for a file that is not plain."""
    if len(data) > _LARGEST_FILE:
        raise MalformedFile(f"it has more than {_LARGEST_FILE} bytes, which is more than curl reads", "the whole file")
    found: List[NetrcEntry] = []
    in_macro, after_macro, exact = False, 0, True
    for index, full_line in enumerate(data.splitlines(keepends=True)):
        line, number = full_line.rstrip(b"\n"), index + 1
        control = "a control character, or a carriage return that is not between a word and a line feed"
        _refuse(_CONTROL.search(full_line), control, number)
        too_long = f"a line of more than {_LONGEST_LINE} bytes is split or skipped by curl"
        _refuse(len(line) > _LONGEST_LINE, too_long, number)
        macro = _MACRO.match(line)
        if in_macro:
            ends = line and (not line.strip() or line[-1:] == b"\r")
            _refuse(ends, "a line of blanks or a carriage return in a macro, which ends it for some versions", number)
            _check_unread(line, "a macro", number)
            in_macro, after_macro = line != b"", number
        elif macro:
            _refuse(macro.group(1).lower() in _KEYWORDS, "a macro has the name of a keyword", number)
            in_macro, after_macro = True, number
        elif line.lstrip()[:1] == b"#":
            read = line.split()[0][-1:] == b"\\" or b"macdef" in line.split()
            _refuse(read, "a comment has macdef, or a backslash after its first word, which Python may read", number)
        else:
            for keyword, word in _pairs(line, number):
                if keyword in _STARTS:
                    _refuse(found and found[-1].last == index, "two entries on one line", number)
                    host = _text(word) if keyword == b"machine" else None
                    half = not all(all(entry.pair) for entry in found[-2:])
                    found.append(NetrcEntry(host, index, index, after_macro, half, exact and word.group(1) is None))
                    exact = exact and host is not None
                outside = not found or found[-1].first < after_macro
                _refuse(outside, "a word where machine, default or macdef is expected", number)
                entry = found[-1]
                _refuse(keyword in entry.values, "an entry has a keyword twice", number)
                entry.values[keyword] = index, word
                entry.last, entry.exact = index, entry.exact and line[-1:] != b"\r"
    return found


@dataclass(frozen=True)
class NetrcEdit:
    """The requested entry of one machine. ``login`` without ``present`` removes only the entry of that login."""

    host: str
    present: bool
    login: Optional[str] = None
    password: str = field(default="", repr=False)


def entries_for(data: bytes, host: str) -> List[NetrcEntry]:
    """The entries of one machine. Raises `MalformedFile`."""
    return [entry for entry in entries(data) if _is_for(entry, host)]


def pair_for(data: bytes, host: str) -> Optional[Tuple[Optional[str], Optional[str]]]:
    """The pair that curl would use for the machine, default entry included, or None. Raises `MalformedFile`.

    An entry without a login or password is ignored: how curl treats it depends on the version.
    """
    pairs = (entry.pair for entry in entries(data) if entry.host is None or _is_for(entry, host))
    return next((pair for pair in pairs if None not in pair), None)


def _is_for(entry: NetrcEntry, host: str) -> bool:
    return entry.host is not None and entry.host.lower() == host.lower().encode()


def _quoted(text: str) -> bytes:
    """A value, quoted if needed, so that curl and Python's netrc read it back."""
    # These characters are read alike by all versions.
    if re.match(r"[!$-\[\]-~][!-\[\]-~]*\Z", text):
        return text.encode()
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


# A token of Python's netrc 3.11 and later, with quotes and escapes, and of earlier versions, which use shlex.
_NEW_TOKEN = re.compile(
    r'[ \t\n]*(?:"((?:[^"\\]+|\\.)*)(?:"|\\?\Z)|((?:[^ \t\n\\]+|\\.)*)(?:[ \t\n]|\\?\Z))', re.DOTALL
)
_OLD_TOKEN = re.compile(r"[ \t\n]*(?:([!-~]+)(?:[ \t\n]|([^!-~])|\Z)|([^ \t\n])|\Z)")


class _Python:
    """Reads a file as Python's netrc does: 3.11 and later (``new``), or earlier versions.

    These take a comment for one only in some places: elsewhere they read its words.
    """

    def __init__(self, data: bytes, *, new: bool) -> None:
        self._text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        self._new = new
        self._place = 0
        self._same_line = True
        self._pushed: List[str] = []

    def _token(self) -> str:
        if self._pushed:
            self._same_line = True
            return self._pushed.pop()
        found = (_NEW_TOKEN if self._new else _OLD_TOKEN).match(self._text, self._place)
        if found is None:
            return ""
        self._place, self._same_line = found.end(), "\n" not in found.group()
        if self._new:
            return re.sub(r"(?s)\\(.)", r"\1", found.group(1) or found.group(2) or "")
        if found.group(2):
            self._pushed.append(found.group(2))
        return found.group(1) or found.group(3) or ""

    def _line(self) -> str:
        start, self._place = self._place, (self._text.find("\n", self._place) + 1 or len(self._text))
        return self._text[start : self._place]

    def logins(self) -> Optional[Dict[str, Tuple[str, ...]]]:
        """Login, account and password of each machine; None if Python rejects the file."""
        found: Dict[str, Tuple[str, ...]] = {}
        token = self._token()
        while token:
            if token[0] == "#":
                if self._same_line and len(token) == 1:
                    self._line()
            elif token == "macdef":
                self._token()
                line = self._line()
                while line not in ("", "\n"):
                    line = self._line()
                if not line and self._new:
                    return None
            else:
                name = self._token() if token == "machine" else token
                values = self._values() if name and token in ("machine", "default") else None
                if values is None:
                    return None
                found[name] = values
            token = self._token()
        return found

    def _values(self) -> Optional[Tuple[str, ...]]:
        values = {"login": "", "account": "", "password": ""}
        while True:
            token = self._token()
            if token[:1] == "#" and self._new:
                if self._same_line:
                    self._line()
            elif token in ("", "machine", "default", "macdef") or token[:1] == "#":
                self._pushed.append(token)
                return tuple(values.values()) if self._new or values["password"] else None
            elif token in ("login", "user", "account", "password"):
                values["login" if token == "user" else token] = self._token()
            else:
                return None


def _check_python(before: bytes, after: bytes, edit: NetrcEdit, place: str, *, inserted: bool) -> None:
    """Raises `MalformedFile` if Python would read something else for other machines, or not find the new pair.

    ``inserted``: the entry is new.
    """
    pair = [(edit.login or "", edit.password)] if edit.present else []
    by_login = edit.login is not None and not edit.present
    # Earlier versions do not support quotes.
    quoted = edit.present and b'"' in _quoted(edit.login or "") + _quoted(edit.password)
    for new in (True,) if quoted else (True, False):
        old_logins, logins = _Python(before, new=new).logins(), _Python(after, new=new).logins()
        if logins is None and old_logins is None:
            continue
        was, now = ([one.pop(name)[::2] for name in _names(one, edit.host)] for one in (old_logins or {}, logins or {}))
        # Before, too, it may have skipped the entry, or read another one in a comment.
        as_before = now == was and (bool(was) or not inserted)
        if old_logins not in (None, logins) or not (by_login or now == pair or as_before):
            raise MalformedFile("with this edit Python would read a comment near this line differently; move it", place)


def _names(logins: Dict[str, Tuple[str, ...]], host: str) -> List[str]:
    """The names that earlier versions or others read for a host."""
    return [name for name in logins if name.strip('"').lower() == host.lower()]


def _remove(lines: List[bytes], removed: List[NetrcEntry], inserted: int) -> None:
    """Empty the lines of these entries, and the blank lines around them before a comment. Raises `MalformedFile`."""
    for entry in removed:
        start, end = entry.first, entry.last + 1
        half = "one of the two entries before this one has no login or no password"
        _refuse(entry.after_half, half, start + 1 - inserted)
        below = next((index for index in range(end, len(lines)) if lines[index].strip()), end)
        if b"".join(lines[below : below + 1]).lstrip()[:1] == b"#":
            above = start
            while above > entry.after_macro and not lines[above - 1].strip():
                above -= 1
            # A comment after an entry and a blank line stays like that; others move up to the line above.
            if below == end or above == entry.after_macro or b"#" in lines[above - 1]:
                start, end = above, below
        lines[start:end] = [b""] * (end - start)


def _insert(lines: List[bytes], edit: NetrcEdit) -> None:
    """Insert a line with an entry before all others, after the comments at the top."""
    place = next((index for index, line in enumerate(lines) if line.lstrip()[:1] not in (b"", b"#")), len(lines))
    lines[:place] = [line.rstrip(b"\n") + b"\n" for line in lines[:place]]
    values = (edit.host.encode(), _quoted(edit.login or ""), _quoted(edit.password))
    lines.insert(place, b"machine %b login %b password %b\n" % values)


def _replace(lines: List[bytes], entry: NetrcEntry, edit: NetrcEdit) -> None:
    """Replace login and password. An equal value stays as it is, unless it is quoted or has a backslash."""
    new = {b"login": edit.login or "", b"password": edit.password}
    # From the end of a line to its start, so that the places remain right.
    for keyword, (index, word) in reversed(list(entry.values.items())):
        if keyword in new and (word.group() != new[keyword].encode() or b"\\" in word.group()):
            line = lines[index]
            lines[index] = line[: word.start()] + _quoted(new[keyword]) + line[word.end() :]


def edited(data: Optional[bytes], edit: NetrcEdit) -> Optional[bytes]:
    """The content of the file after the edit, unchanged if it already complies; None for a file that stays missing.

    The values of the first entry are replaced if every version reads them there, else an entry is inserted; all other
    entries of the machine are removed. Raises `MalformedFile` for a file that is not plain, or would not be with the
    new values, and for an edit that could change what curl or Python read for other machines.
    """
    if data is None:
        return edited(b"", edit) if edit.present else None
    own = entries_for(data, edit.host)
    removed = [entry for entry in own if edit.login in (None, entry.pair[0])]
    lines = data.splitlines(keepends=True)
    length = len(lines)
    if edit.present:
        # Python distinguishes upper and lower case in names.
        if own and own[0].exact and None not in own[0].pair and own[0].host == edit.host.encode():
            _replace(lines, own[0], edit)
        else:
            _insert(lines, edit)
        try:
            removed = entries_for(b"".join(lines), edit.host)[1:]
        except MalformedFile as malformed:
            reason = f"with this entry for {one_line(edit.host)} it would be ambiguous: {malformed.reason}"
            raise MalformedFile(reason, malformed.place) from None
    _remove(lines, removed, len(lines) - length)
    result = b"".join(lines)
    if result != data:
        place = f"line {own[0].first + 1 if own else 1}"
        _check_python(data, result, edit, place, inserted=len(lines) > length)
    return result


def text_for_diff(data: Optional[bytes]) -> str:
    """The entries for a diff, with `describe` for secrets. Comments and macros may contain secrets and are omitted."""
    if data is None:
        return ""
    try:
        known = entries(data)
    except MalformedFile as malformed:
        return f"(not shown: {malformed})\n"
    rows = []
    for entry in known:
        name = "default" if entry.host is None else f"machine {one_line(entry.host.decode('utf-8', 'replace'))}"
        login, password = (half or "" for half in entry.pair)
        rows.append(f"{name} login {shown_login(login)} password {describe(password)}\n")
    return "".join(rows)


def shown_login(login: Optional[str]) -> Optional[str]:
    """A login for results: a MAGEID unchanged, others by `describe`, since with some code hosts they are secrets."""
    if login is None or re.match(r"MAG[0-9]+\Z", login):
        return login
    return describe(login)
