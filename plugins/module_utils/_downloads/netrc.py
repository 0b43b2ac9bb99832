# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set or remove the entry of one machine in a netrc, keeping every other byte. Pure.

Only plain files are edited, in whole lines. There, an edit does not change what curl 7.55 or newer and Python's netrc
read for other machines, and every reader that can read the values at all finds the new pair. The tests verify this with
ports of these readers. An edit that cannot keep this is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Match, Optional, Tuple

from .._errors import MalformedFile
from .._redact import one_line
from .._secrets import describe

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
    it. ``after_half``: the entry before it has no login or no password. ``exact``: it comes before a default entry, and
    versions without support for quotes and carriage returns read the same host and values. ``values``: for each
    keyword, the index of the line and the match of `_WORD` in it.
    """

    host: Optional[bytes]
    first: int
    last: int
    after_macro: int
    after_half: bool
    exact: bool
    values: Dict[bytes, Tuple[int, Match[bytes]]] = field(default_factory=dict)

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
                    half = bool(found) and not all(found[-1].pair)
                    found.append(NetrcEntry(host, index, index, after_macro, half, exact and word.group(1) is None))
                    exact = exact and host is not None
                outside = not found or found[-1].first < after_macro
                _refuse(outside, "a word where machine, default or macdef is expected", number)
                entry = found[-1]
                _refuse(keyword in entry.values, "an entry has a keyword twice", number)
                entry.values[keyword] = index, word
                entry.last, entry.exact = index, entry.exact and line[-1:] != b"\r"
    return found


# A word in a comment that Python's netrc, if it reads the comment at all, may accept. It rejects the file for others.
_PYTHON = re.compile(rb'(?:machine|default|macdef|login|user|account|password)\Z|.*["#\\]', re.DOTALL)


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


# For Python's netrc, where it is at the start of a line: the number of the last line of the entry that it reads (0
# outside of entries, -1 in a macro); whether it has read the line feed before, else it does not recognize a comment as
# one; and whether it skips the line, whatever it contains. None: it rejects the file.
_State = Optional[Tuple[int, bool, bool]]


def _python_reads(state: _State, line: bytes, number: int, *, new: bool) -> Tuple[_State, object]:
    """The state after a line, and how Python reads the line: True if it is skipped. ``new``: Python 3.11 and later."""
    text = line.rstrip(b"\r\n")
    if state is None or state[2]:
        return state and (0, True, False), True
    entry, clean, _skips = state
    if entry < 0 or _MACRO.match(text):
        return (-1 if text else 0, True, False), False
    words = list(_WORD.finditer(text))
    start = next((place for place, word in enumerate(words) if word.group()[:1] == b"#"), len(words))
    ended = text[-1:] not in (b"", b" ", b"\t")
    if start == len(words):
        # Later versions do not read the line feed after a closing quotation mark.
        unread = not ended or (new and words[-1].group(1) is not None)
        return (number if words else entry, not unread, False), False
    if start:
        entry, clean = number, True
    comment = [word.group() for word in words[start:]]
    lone, single = comment[0] == b"#", len(comment) == 1
    skipped = clean and (lone or entry > 0) if new else lone and (clean or entry > 0)
    if skipped or single:
        # Older versions leave the entry, and a lone # there makes them skip the next line.
        skips_next = not new and entry > 0 and lone and single and ended
        return (entry if new else 0, skipped or ended, skips_next), start == 0
    if not _PYTHON.match(comment[1]):
        return None, None
    return (number, ended, False), comment[1] not in _STARTS and state


def _check_comments(before: List[bytes], after: List[bytes], inserted: int, *, new: bool) -> None:
    """Raises `MalformedFile` if Python would read a line that stays differently, or no longer skip it.

    ``inserted``: the number of lines that were inserted before.
    """
    old_state: _State = (0, True, False)
    new_state = old_state
    for number, (line, edited_line) in enumerate(zip(before, after), 1):
        same = old_state == new_state and line == edited_line
        old_state, was = _python_reads(old_state, line, number, new=new)
        if same:
            new_state = old_state
        elif edited_line:
            # A comment that adds to an edited entry counts as changed.
            edited_number = number if line == edited_line else number + len(before)
            new_state, now = _python_reads(new_state, edited_line, edited_number, new=new)
            reason = "the edit would change how Python reads this line; move or remove the comment here or above"
            _refuse(old_state and (not new_state or was != now), reason, number - inserted)


def _remove(lines: List[bytes], removed: List[NetrcEntry], inserted: int) -> None:
    """Empty the lines of these entries, and the blank lines around them before a comment. Raises `MalformedFile`."""
    for entry in removed:
        start, end = entry.first, entry.last + 1
        _refuse(entry.after_half, "the entry before this one has no login or no password", start + 1 - inserted)
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
    before = data.splitlines(keepends=True)
    after = list(before)
    if edit.present:
        if own and own[0].exact and None not in own[0].pair:
            _replace(after, own[0], edit)
        else:
            # It changes nothing for other machines.
            _insert(after, edit)
            before = list(after)
        try:
            removed = entries_for(b"".join(after), edit.host)[1:]
        except MalformedFile as malformed:
            reason = f"with this entry for {one_line(edit.host)} it would be ambiguous: {malformed.reason}"
            raise MalformedFile(reason, malformed.place) from None
    inserted = len(before) - len(data.splitlines())
    _remove(after, removed, inserted)
    for new in (False, True) if after != before else ():
        _check_comments(before, after, inserted, new=new)
    return b"".join(after)


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
