# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netrc of a user: one machine's entry set or removed, every other byte kept. Pure.

Only plain files are edited (`netrc_entries`). In those, an edit leaves what any curl from 7.55 on and Python's netrc
read for other machines as it is, and all of them that can read the values at all find the new pair. The tests hold this
against ports of their readers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.netrc_entries import (
    Entry,
    Value,
    entries,
    line_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import one_line
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe

# What every version reads back without quotes.
_UNQUOTED = re.compile(r"[!$-\[\]-~][!-\[\]-~]*\Z")

# What Python's netrc acts on.
_PYTHON = (b"machine", b"default", b"macdef", b"login", b"user", b"account", b"password")
# Bytes of the file, from the first to before the second, and what takes their place.
_Patch = Tuple[int, int, bytes]


@dataclass(frozen=True)
class Edit:
    """The entry of one machine as it shall be. ``login`` without ``present`` removes that login's entry only."""

    host: str
    present: bool
    login: Optional[str] = None
    password: str = field(default="", repr=False)


def check(data: bytes) -> None:
    """Raises `Unfit` for a file that is not plain."""
    entries(data)


def entries_for(data: bytes, host: str) -> List[Entry]:
    """The entries of one machine. Raises `Unfit`."""
    return [entry for entry in entries(data) if _is(entry, host)]


def pair_for(data: bytes, host: str) -> Optional[Tuple[Optional[str], Optional[str]]]:
    """What curl would use for the machine, a default entry included; None when there is nothing. Raises `Unfit`.

    An entry that has no login or no password does not count: what curl makes of it depends on its version.
    """
    pairs = (entry.pair for entry in entries(data) if entry.host is None or _is(entry, host))
    return next((pair for pair in pairs if None not in pair), None)


def _is(entry: Entry, host: str) -> bool:
    return entry.host is not None and entry.host.lower() == host.lower().encode()


def _written(text: str) -> bytes:
    """A value as curl and Python's netrc read it back."""
    if _UNQUOTED.match(text):
        return text.encode()
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def _line(edit: Edit) -> bytes:
    values = (_written(edit.login or ""), _written(edit.password))
    return b"machine " + edit.host.encode() + b" login " + values[0] + b" password " + values[1] + b"\n"


def _exchanged(data: bytes, old: Value, new: str) -> _Patch:
    """A value that means the same already stays, unless backslashes or needless quotes hide it from some readers."""
    written, present = _written(new), data[old.start : old.end]
    readable = written[:1] == b'"' if present[:1] == b'"' else b"\\" not in present
    return old.start, old.end, present if readable and old.text == new.encode() else written


def _check_order(data: bytes, known: Sequence[Entry], gone: Sequence[int]) -> None:
    """What an incomplete entry gives depends on whether another ``machine`` follows, in some versions."""
    left = sorted(set(range(len(known))) - set(gone))
    for index, following in zip(left, [*left[1:], len(known)]):
        last = following == len(known) or known[following].host is None
        if last and following > index + 1 and not known[index].complete:
            reason = "an entry that has no login or no password would come to stand last or right before default"
            raise Unfit(reason, line_of(data, known[index].start))


def _refuse_comment(data: bytes, place: int) -> None:
    reason = "Python would read the comment behind this differently then; move or remove that comment"
    raise Unfit(reason, line_of(data, place))


def _first_comment(data: bytes, place: int, limit: int) -> List[bytes]:
    """The words of the first comment in the lines behind ``place`` that has several, unless an entry comes first."""
    for line in data[place:limit].split(b"\n")[1:]:
        words = line.split()
        if words and words[0][:1] != b"#":
            break
        if len(words) > 1:
            return words
    return []


def _ends_clean(data: bytes, end: int) -> bool:
    """Whether Python 3.11 and later pass over a comment in the next line, as they do not behind quotes or blanks."""
    return data[end - 1 : end] != b'"' and data[end : end + 1] in (b"", b"\n", b"\r")


def _check_comment(data: bytes, end: int, limit: int, *, clean: bool, new: bool) -> None:
    """Raises `Unfit` where another end of a line makes a comment behind it one that Python reads, or no longer reads.

    ``clean`` and ``new``: whether Python passes over it, before and after the edit. ``limit``: the next entry.
    """
    words = _first_comment(data, end, limit)
    if words and clean != new and (clean or words[1] in _PYTHON):
        _refuse_comment(data, end)


def _check_top(data: bytes, end: int, limit: int) -> None:
    """Where no entry stands before it, Python 3.11 and later read the words of a comment like ``#these words``."""
    behind_blank = False
    for line in data[end:limit].split(b"\n")[1:]:
        words = line.split()
        if (words and words[0][:1] != b"#") or (len(words) > 1 and behind_blank):
            # In the second case they reject the file already.
            return
        if len(words) > 1 and words[0] != b"#":
            _refuse_comment(data, end)
        behind_blank = not words


def _check_lone(data: bytes, end: int, comments: bytes) -> None:
    """Python up to 3.10 passes over the line behind a lone ``#`` if no other comment stands between entry and that."""
    lone, _line_feed, rest = comments.partition(b"\n")
    if lone.rstrip(b"\r") == b"#" and rest.split(b"\n", 1)[0].split(None, 1)[:1] != [b"#"]:
        _refuse_comment(data, end)


def _removal(
    data: bytes, first: Entry, previous: bytes, end: int, limit: int, *, leads: bool, instead: bytes
) -> _Patch:
    """Take out what begins with ``first`` and ends at ``end``; the next entry begins at ``limit``.

    ``previous``: the entry before it, if any; ``leads``: none is left before it; ``instead``: a line inserted there.
    """
    head, tail = data[first.before : first.start], data[end:limit]
    start = first.start - len(head) + len(head.rstrip(b" \t"))
    gap = len(tail) - len(tail.lstrip(b" \t"))
    if data[end + gap : end + gap + 1] not in (b"", b"\r", b"\n"):
        return first.start, end + gap, b""
    if data[start - 1 : start] not in (b"", b"\n"):
        # The line of the entry before it ends now where this one did.
        _check_comment(data, end, limit, clean=_ends_clean(data, end), new=data[start - 1 : start] != b'"')
        # A carriage return would become part of a value of that entry.
        return start, end + gap + (data[end + gap : end + gap + 1] == b"\r"), b""
    if not first.leads and head.strip() == b"#":
        # Up to 3.10, Python passes over the line behind it, whatever that is.
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
    behind_entry = not kept and previous and b"#" not in previous
    if blank and behind_entry:
        return start, line_end, b""
    if not behind_entry:
        _check_lone(data, end, comments)
    # Python rejects some comments behind an empty line, so that those in between go as well.
    clean = _ends_clean(data, first.before + kept) or (first.leads and not kept)
    if kept and not clean:
        _refuse_comment(data, end)
    _check_comment(data, end, limit, clean=not blank and _ends_clean(data, end), new=clean)
    if leads:
        _check_top(data, end, limit)
    start = first.before + (head.find(b"\n", kept) + 1 if kept or not first.leads else 0)
    return start, line_end + rest.rfind(b"\n", 0, len(rest) - len(comments)) + 1, b""


def _removals(data: bytes, known: Sequence[Entry], gone: Sequence[int], *, instead: bytes = b"") -> List[_Patch]:
    """Take out these entries. ``instead``: the line inserted where the first of them stands."""
    _check_order(data, known, gone)
    runs: List[List[int]] = []
    for index in gone:
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


def _limit(data: bytes, known: Sequence[Entry], index: int) -> int:
    """Where the entry behind this one begins, or the file ends."""
    return known[index + 1].start if index + 1 < len(known) else len(data)


def _new(data: bytes, edit: Edit) -> _Patch:
    """A new entry before all others, but behind the comments at the top."""
    place = 0
    while place < len(data):
        end = data.find(b"\n", place) + 1 or len(data)
        line = data[place:end].lstrip()
        if line and line[:1] != b"#":
            break
        place = end
    ended = data[place - 1 : place] in (b"", b"\n")
    return place, place, (b"" if ended else b"\n") + _line(edit)


def _settings(data: bytes, known: Sequence[Entry], own: Sequence[int], edit: Edit) -> List[_Patch]:
    """The values of the first entry exchanged where every version finds them there, else a new entry; no others."""
    first = known[own[0]] if own else None
    if (
        first
        and first.exact
        and None not in first.pair
        and all(entry.host is not None for entry in known[: own[0]])
        # What Python makes of comments behind the others depends on quotes at the end of this one.
        and (len(own) == 1 or b'"' not in _line(edit) + data[first.start : first.end])
    ):
        limit = _limit(data, known, own[0])
        patches = []
        for keyword, text in ((b"login", edit.login or ""), (b"password", edit.password)):
            start, end, written = _exchanged(data, first.values[keyword], text)
            new = _ends_clean(written + data[end : end + 1], len(written))
            _check_comment(data, end, limit, clean=_ends_clean(data, end), new=new)
            patches.append((start, end, written))
        return patches + _removals(data, known, own[1:])
    added = _new(data, edit)
    on_top = own[:1] == [0] and not data[added[0] : known[0].start].strip()
    return [added, *_removals(data, known, own, instead=added[2] if on_top else b"")]


def edited(data: Optional[bytes], edit: Edit) -> Optional[bytes]:
    """The bytes of the file after the edit; the very same when they mean it already; None stays None if so.

    Raises `Unfit` for a file that is not plain, or would not be so with the new values, and for a removal that would
    change what curl or Python read for other machines.
    """
    if data is None:
        return edited(b"", edit) if edit.present else None
    known = entries(data)
    own = [index for index, entry in enumerate(known) if _is(entry, edit.host)]
    if edit.present:
        patches = _settings(data, known, own, edit)
    else:
        gone = [index for index in own if edit.login in (None, known[index].pair[0])]
        patches = _removals(data, known, gone)
    pieces, place = [], 0
    for start, end, text in sorted(patches):
        pieces += [data[place:start], text]
        place = end
    result = b"".join([*pieces, data[place:]])
    try:
        check(result)
    except Unfit as unfit:
        raise Unfit(
            f"with this entry for {one_line(edit.host)} it would not be plain: {unfit.reason}", unfit.place
        ) from None
    return result


def changes_pair(data: Optional[bytes], edit: Edit) -> bool:
    """Whether the edit would change the file. Raises `Unfit`."""
    return edited(data, edit) != data


def text_for_diff(data: Optional[bytes]) -> str:
    """What a diff may show: machines, and of the secrets what `describe` says. Comments and macros may hold any."""
    if data is None:
        return ""
    try:
        known = entries(data)
    except Unfit as unfit:
        return f"(not shown: {unfit})\n"
    rows = []
    for entry in known:
        name = "default" if entry.host is None else f"machine {one_line(entry.host.decode('utf-8', 'replace'))}"
        login, password = (half or "" for half in entry.pair)
        rows.append(f"{name} login {shown_login(login)} password {describe(password)}\n")
    return "".join(rows)


def shown_login(login: Optional[str]) -> Optional[str]:
    """A login as results may show it: a MAGEID as it is. Other logins may be a secret, as with some code hosts."""
    if login is None or re.match(r"MAG[0-9]+\Z", login):
        return login
    return describe(login)
