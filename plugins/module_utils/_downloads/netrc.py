# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set or remove the entry of one machine in a netrc, keeping every other byte. Pure.

Only plain files are edited. There, an edit does not change what curl 7.55 or newer and Python's netrc
read for other machines, and every reader that can read the values at all finds the new pair. The tests verify this with
ports of these readers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Match, NamedTuple, Optional, Sequence, Tuple

from .._errors import MalformedFile
from .._redact import one_line
from .._secrets import describe

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


# A value that every version reads back without quotes.
_UNQUOTED = re.compile(r"[!$-\[\]-~][!-\[\]-~]*\Z")

# The keywords of Python's netrc.
_PYTHON = (b"machine", b"default", b"macdef", b"login", b"user", b"account", b"password")
# Start and end (exclusive) of a range of bytes, and its replacement.
_Patch = Tuple[int, int, bytes]


@dataclass(frozen=True)
class NetrcEdit:
    """The requested entry of one machine. ``login`` without ``present`` removes only the entry of that login."""

    host: str
    present: bool
    login: Optional[str] = None
    password: str = field(default="", repr=False)


def check(data: bytes) -> None:
    """Raises `MalformedFile` for a file that is not plain."""
    entries(data)


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
    if _UNQUOTED.match(text):
        return text.encode()
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def _line(edit: NetrcEdit) -> bytes:
    values = (_quoted(edit.login or ""), _quoted(edit.password))
    return b"machine " + edit.host.encode() + b" login " + values[0] + b" password " + values[1] + b"\n"


def _replacement(data: bytes, old: Value, new: str) -> _Patch:
    """Replace a value. An equal one is kept, unless backslashes or needless quotes hide it from some readers."""
    written, present = _quoted(new), data[old.start : old.end]
    readable = written[:1] == b'"' if present[:1] == b'"' else b"\\" not in present
    return old.start, old.end, present if readable and old.text == new.encode() else written


def _check_order(data: bytes, known: Sequence[NetrcEntry], removed: Sequence[int]) -> None:
    """Raises `MalformedFile` if an incomplete entry would become the last one or the one before default.

    In some versions its meaning depends on whether another ``machine`` follows.
    """
    left = sorted(set(range(len(known))) - set(removed))
    for index, following in zip(left, [*left[1:], len(known)]):
        last = following == len(known) or known[following].host is None
        if last and following > index + 1 and not known[index].complete:
            reason = "an entry without a login or password would become the last one or the one before default"
            raise MalformedFile(reason, line_of(data, known[index].start))


def _refuse_comment(data: bytes, place: int) -> None:
    reason = "the edit would change how Python reads the comment after this line; move or remove the comment"
    raise MalformedFile(reason, line_of(data, place))


def _first_comment(data: bytes, place: int, limit: int) -> List[bytes]:
    """The words of the first comment with several words in the lines after ``place``, unless an entry comes first."""
    for line in data[place:limit].split(b"\n")[1:]:
        words = line.split()
        if words and words[0][:1] != b"#":
            break
        if len(words) > 1:
            return words
    return []


def _ends_clean(data: bytes, end: int) -> bool:
    """Whether Python 3.11 and later skip a comment in the next line; they do not after quotes or blanks."""
    return data[end - 1 : end] != b'"' and data[end : end + 1] in (b"", b"\n", b"\r")


def _check_comment(data: bytes, end: int, limit: int, *, clean: bool, new: bool) -> None:
    """Raises `MalformedFile` if the new end of a line changes whether Python reads the comment after it.

    ``clean`` and ``new``: whether Python skips the comment before and after the edit. ``limit``: the next entry.
    """
    words = _first_comment(data, end, limit)
    if words and clean != new and (clean or words[1] in _PYTHON):
        _refuse_comment(data, end)


def _check_top(data: bytes, end: int, limit: int) -> None:
    """Raises `MalformedFile` for a comment like ``#these words``: Python 3.11 and later read it before all entries."""
    after_blank = False
    for line in data[end:limit].split(b"\n")[1:]:
        words = line.split()
        if (words and words[0][:1] != b"#") or (len(words) > 1 and after_blank):
            # In the second case Python already rejects the file.
            return
        if len(words) > 1 and words[0] != b"#":
            _refuse_comment(data, end)
        after_blank = not words


def _check_lone(data: bytes, end: int, comments: bytes) -> None:
    """Raises `MalformedFile` for a lone ``#`` as first comment: Python up to 3.10 skips the line after it."""
    lone, _line_feed, rest = comments.partition(b"\n")
    if lone.rstrip(b"\r") == b"#" and rest.split(b"\n", 1)[0].split(None, 1)[:1] != [b"#"]:
        _refuse_comment(data, end)


def _removal(
    data: bytes, first: NetrcEntry, previous: bytes, end: int, limit: int, *, leads: bool, instead: bytes
) -> _Patch:
    """Remove the entries from ``first`` to ``end``; the next entry begins at ``limit``.

    ``previous``: the entry before them, if any. ``leads``: no entry is left before them. ``instead``: a line inserted
    in their place.
    """
    head, tail = data[first.before : first.start], data[end:limit]
    start = first.start - len(head) + len(head.rstrip(b" \t"))
    gap = len(tail) - len(tail.lstrip(b" \t"))
    if data[end + gap : end + gap + 1] not in (b"", b"\r", b"\n"):
        return first.start, end + gap, b""
    if data[start - 1 : start] not in (b"", b"\n"):
        # The line of the previous entry now ends here.
        _check_comment(data, end, limit, clean=_ends_clean(data, end), new=data[start - 1 : start] != b'"')
        # A carriage return would become part of a value.
        return start, end + gap + (data[end + gap : end + gap + 1] == b"\r"), b""
    if not first.leads and head.strip() == b"#":
        # Python up to 3.10 skips the line after it.
        _refuse_comment(data, first.before)
    line_end = end + (tail.find(b"\n") + 1 or len(tail))
    rest = data[line_end:limit]
    comments = rest.lstrip()
    if comments[:1] != b"#":
        return start, line_end, b""
    if instead:
        _check_comment(data, end, limit, clean=_ends_clean(data, end), new=instead[-2:] != b'"\n')
        return start, line_end, b""
    blank = not rest.split(b"\n", 1)[0].strip()
    kept = len(head.rstrip())
    after_entry = not kept and previous and b"#" not in previous
    if blank and after_entry:
        return start, line_end, b""
    if not after_entry:
        _check_lone(data, end, comments)
    # Python rejects some comments after an empty line, so the empty lines in between are removed as well.
    clean = _ends_clean(data, first.before + kept) or (first.leads and not kept)
    if kept and not clean:
        _refuse_comment(data, end)
    _check_comment(data, end, limit, clean=not blank and _ends_clean(data, end), new=clean)
    if leads:
        _check_top(data, end, limit)
    start = first.before + (head.find(b"\n", kept) + 1 if kept or not first.leads else 0)
    return start, line_end + rest.rfind(b"\n", 0, len(rest) - len(comments)) + 1, b""


def _removals(
    data: bytes, known: Sequence[NetrcEntry], removed: Sequence[int], *, instead: bytes = b""
) -> List[_Patch]:
    """Remove these entries. ``instead``: a line inserted in place of the first one."""
    _check_order(data, known, removed)
    runs: List[List[int]] = []
    for index in removed:
        if runs and runs[-1][-1] == index - 1 and not data[known[index - 1].end : known[index].start].strip():
            runs[-1].append(index)
        else:
            runs.append([index])
    patches: List[_Patch] = []
    leads, last = False, -1
    for run in runs:
        first = known[run[0]]
        leads = not instead and (first.leads or (leads and last == run[0] - 1))
        last = run[-1]
        limit = _limit(data, known, last)
        previous = b"" if first.leads else data[known[run[0] - 1].start : first.before]
        patches.append(_removal(data, first, previous, known[last].end, limit, leads=leads, instead=instead))
        instead = b""
    return patches


def _limit(data: bytes, known: Sequence[NetrcEntry], index: int) -> int:
    """The start of the next entry, or the end of the file."""
    return known[index + 1].start if index + 1 < len(known) else len(data)


def _insertion(data: bytes, edit: NetrcEdit) -> _Patch:
    """Insert a new entry before all others, after the comments at the top."""
    place = 0
    while place < len(data):
        end = data.find(b"\n", place) + 1 or len(data)
        line = data[place:end].lstrip()
        if line and line[:1] != b"#":
            break
        place = end
    ended = data[place - 1 : place] in (b"", b"\n")
    return place, place, (b"" if ended else b"\n") + _line(edit)


def _set_pair(data: bytes, known: Sequence[NetrcEntry], own: Sequence[int], edit: NetrcEdit) -> List[_Patch]:
    """Set the pair: replace the values of the first entry if every version reads them there, else insert an entry.

    All other entries of the machine are removed.
    """
    first = known[own[0]] if own else None
    if (
        first
        and first.exact
        and None not in first.pair
        and all(entry.host is not None for entry in known[: own[0]])
        # How Python reads comments after the others depends on quotes at the end of this one.
        and (len(own) == 1 or b'"' not in _line(edit) + data[first.start : first.end])
    ):
        limit = _limit(data, known, own[0])
        patches = []
        for keyword, text in ((b"login", edit.login or ""), (b"password", edit.password)):
            start, end, written = _replacement(data, first.values[keyword], text)
            new = _ends_clean(written + data[end : end + 1], len(written))
            _check_comment(data, end, limit, clean=_ends_clean(data, end), new=new)
            patches.append((start, end, written))
        return patches + _removals(data, known, own[1:])
    added = _insertion(data, edit)
    on_top = own[:1] == [0] and not data[added[0] : known[0].start].strip()
    return [added, *_removals(data, known, own, instead=added[2] if on_top else b"")]


def edited(data: Optional[bytes], edit: NetrcEdit) -> Optional[bytes]:
    """The content of the file after the edit, unchanged if it already complies; None for a file that stays missing.

    Raises `MalformedFile` for a file that is not plain, or would not be with the new values, and for a removal that
    would change what curl or Python read for other machines.
    """
    if data is None:
        return edited(b"", edit) if edit.present else None
    known = entries(data)
    own = [index for index, entry in enumerate(known) if _is_for(entry, edit.host)]
    if edit.present:
        patches = _set_pair(data, known, own, edit)
    else:
        removed = [index for index in own if edit.login in (None, known[index].pair[0])]
        patches = _removals(data, known, removed)
    pieces, place = [], 0
    for start, end, text in sorted(patches):
        pieces += [data[place:start], text]
        place = end
    result = b"".join([*pieces, data[place:]])
    try:
        check(result)
    except MalformedFile as malformed:
        raise MalformedFile(
            f"with this entry for {one_line(edit.host)} it would be ambiguous: {malformed.reason}", malformed.place
        ) from None
    return result


def changes_pair(data: Optional[bytes], edit: NetrcEdit) -> bool:
    """Whether the edit would change the file. Raises `MalformedFile`."""
    return edited(data, edit) != data


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
