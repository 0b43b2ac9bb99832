# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netrc of a user: one machine's entry set or taken away, every other byte kept. Pure.

Whether an edit is right is not argued but tried: `_netrc_readers` has every version of curl look up every machine,
before and after, and both kinds of Python's netrc too. What changes the answer for another machine, or does not give
the new one for ours, is never written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_entries import LINES, Entry, entries
from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_python import logins as python_logins
from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_readers import (
    LARGEST_FILE,
    LONGEST_LINE,
    READERS,
    Answer,
    Broken,
    Found,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_tokens import quoted
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe

# The two ways of reading that a file must stand to be touched at all.
_JUDGES = tuple(reader for reader in READERS if reader.name in ("7.84 to 8.10, mended", "8.11.1 to 8.20"))
_KEYWORDS = (b"machine", b"default", b"login", b"password", b"account", b"macdef")
_NAMES = re.compile(rb'(?i)(?<!\S)"?machine"?\s+("(?:\\.|[^"\\])*"|[^\s]+)')
# Nobody's machine: it gets what the default entry gives.
_NOBODY = b"no.such.machine.invalid"
_PLAIN = re.compile(r"[!$-\[\]-~][!-\[\]-~]*\Z")


@dataclass(frozen=True)
class Edit:
    """The entry of one machine as it shall be. ``login`` without ``present`` removes that login's entry only."""

    host: str
    present: bool
    login: Optional[str] = None
    password: str = field(default="", repr=False)


def entries_for(data: bytes, host: str) -> List[Entry]:
    """The entries of one machine."""
    wanted = host.encode().lower()
    return [entry for entry in entries(data) if entry.host is not None and entry.host.lower() == wanted]


def pair_for(data: bytes, host: str) -> Optional[Tuple[Optional[str], Optional[str]]]:
    """What curl would use for the machine, a default entry included; None when there is nothing."""
    answer = _JUDGES[0].lookups(data, [host.encode()])[host.encode()]
    if not isinstance(answer, Found):
        return None
    login, password = (None if half is None else half.decode("utf-8", "replace") for half in answer)
    return login, password


def check(data: bytes) -> None:
    """Raises `Unfit` for a file that curl cannot read, or reads only in parts."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise Unfit("a NUL byte hides what stands behind it from curl", f"line {line}")
    if len(data) > LARGEST_FILE:
        raise Unfit(f"it has more than {LARGEST_FILE} bytes, which is more than curl reads", "the whole file")
    for number, text in enumerate(data.split(b"\n"), 1):
        if len(text) > LONGEST_LINE:
            raise Unfit(f"a line of more than {LONGEST_LINE} bytes is cut or passed over by curl", f"line {number}")
    for reader in _JUDGES:
        answer = reader.lookups(data, [_NOBODY])[_NOBODY]
        if isinstance(answer, Broken):
            raise Unfit(
                "curl gives up here: a quotation mark is not closed, or a blank stands before a carriage return",
                f"line {answer.line}",
            )


def _written(text: str) -> bytes:
    """A value as curl and Python's netrc read it back."""
    if _PLAIN.match(text) and text.lower().encode() not in _KEYWORDS:
        return text.encode()
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def _line(edit: Edit) -> bytes:
    values = (_written(edit.login or ""), _written(edit.password))
    return b"machine " + edit.host.encode() + b" login " + values[0] + b" password " + values[1] + b"\n"


def _needs_quotes(edit: Edit) -> bool:
    return edit.present and b'"' in _line(edit)


def _in_place(data: bytes, own: Sequence[Entry], edit: Edit) -> Optional[bytes]:
    """The values of the first entry exchanged, the other entries of the machine taken out."""
    login, password = own[0].value(b"login"), own[0].value(b"password")
    if not own[0].simple or login is None or password is None:
        return None
    rest = _removed(data, own[1:])
    values = [(login, _written(edit.login or "")), (password, _written(edit.password))]
    for token, text in sorted(values, key=lambda one: -one[0].start):
        rest = rest[: token.start] + text + rest[token.end :]
    return rest


def _removed(data: bytes, gone: Sequence[Entry], *, comments: bool = False) -> bytes:
    """Without the tokens of these entries; lines that held nothing else go with them.

    Comments stay, but for those behind a token of ours if ``comments`` says so: Python rejects some where they would
    come to stand then.
    """
    spans: Dict[int, Tuple[int, int]] = {}
    for token in (token for entry in gone for token in entry.tokens):
        line = data.rfind(b"\n", 0, token.start) + 1
        first, last = spans.get(line, (token.start, token.end))
        spans[line] = (min(first, token.start), max(last, token.end))
    for line, (first, last) in sorted(spans.items(), reverse=True):
        end = data.find(b"\n", last) + 1 or len(data)
        before, behind = data[line:first], data[last:end]
        if comments and behind.lstrip(b" \t")[:1] == b"#":
            behind = b"\n" if behind.endswith(b"\n") else b""
        if not before.strip():
            kept = before + behind.lstrip(b" \t") if behind.strip() else b""
        else:
            kept = before.rstrip(b" \t") + (behind if behind.strip() else behind.lstrip(b" \t"))
        data = data[:line] + kept + data[end:]
    return data


def _inserted(data: bytes, edit: Edit) -> bytes:
    """A new entry before all others, but behind the comments at the top."""
    place = 0
    for line in LINES.findall(data):
        if line.strip() and line.lstrip()[:1] != b"#":
            return data[:place] + _line(edit) + data[place:]
        place += len(line)
    return data + (b"" if not data or data.endswith(b"\n") else b"\n") + _line(edit)


def _machines(*texts: bytes) -> List[bytes]:
    found: Dict[bytes, None] = {_NOBODY: None}
    for text in texts:
        for name in _NAMES.findall(text):
            found[(quoted(name, 0)[0] or b"" if name[:1] == b'"' else name).lower()] = None
    return list(found)


def _same(before: Answer, after: Answer) -> bool:
    return isinstance(before, Broken) or before == after


def _python_keeps_others(before: bytes, after: bytes, edit: Edit) -> bool:
    # Before 3.11 no quotes are known, so that a value which needs them is beyond it in any case.
    for new in (True,) if _needs_quotes(edit) else (False, True):
        old_logins, new_logins = python_logins(before, new=new), python_logins(after, new=new)
        if old_logins is None:
            continue
        if new_logins is None:
            return False
        for known in (old_logins, new_logins):
            for name in [name for name in known if name.lower().strip('"') == edit.host.lower()]:
                del known[name]
        if old_logins != new_logins:
            return False
    return True


def _keeps_others(before: bytes, after: bytes, edit: Edit) -> bool:
    others = [name for name in _machines(before, after) if name != edit.host.lower().encode()]
    for reader in READERS:
        old, new = reader.lookups(before, others), reader.lookups(after, others)
        if not all(_same(old[name], new[name]) for name in others):
            return False
    return _python_keeps_others(before, after, edit)


def _gives(data: bytes, edit: Edit) -> bool:
    """Every version of curl that can read the values at all finds them for the machine."""
    host = edit.host.lower().encode()
    wanted = Found((edit.login or "").encode(), edit.password.encode())
    readers = [reader for reader in READERS if reader.quotes or not _needs_quotes(edit)]
    return all(reader.lookups(data, [host])[host] == wanted for reader in readers)


def _present(data: bytes, edit: Edit) -> bytes:
    own = entries_for(data, edit.host)
    if len(own) == 1 and _gives(data, edit):
        return data
    candidates = [_in_place(data, own, edit)] if own else []
    candidates += [_inserted(_removed(data, own, comments=comments), edit) for comments in (False, True)]
    for candidate in candidates:
        if candidate is None or not _gives(candidate, edit):
            continue
        if _keeps_others(data, candidate, edit):
            return candidate
    raise Unfit(
        f"no entry for {edit.host} can be put there without changing what curl or Python read for other machines",
        "the whole file",
    )


def _absent(data: bytes, edit: Edit) -> bytes:
    own = [entry for entry in entries_for(data, edit.host) if edit.login in (None, entry.pair[0])]
    host = edit.host.lower().encode()
    for comments in (False, True):
        rest = _removed(data, own, comments=comments)
        answers = [reader.lookups(rest, [host, _NOBODY]) for reader in _JUDGES]
        # Without a login, nothing but a default entry may be left for the machine.
        gone = edit.login is not None or all(found[host] == found[_NOBODY] for found in answers)
        if gone and (rest == data or _keeps_others(data, rest, edit)):
            return rest
    raise Unfit(
        f"the entry for {edit.host} cannot be taken out without changing what curl or Python read for other machines",
        "the whole file",
    )


def edited(data: Optional[bytes], edit: Edit) -> Optional[bytes]:
    """The bytes of the file after the edit; the very same when they mean it already; None stays None if so.

    Raises `Unfit` for a file that curl cannot read, and for one that cannot be edited without harm.
    """
    if data is None:
        return _line(edit) if edit.present else None
    check(data)
    return _present(data, edit) if edit.present else _absent(data, edit)


def changes_pair(data: Optional[bytes], edit: Edit) -> bool:
    """Whether the edit would put another pair into the file than curl finds there now."""
    if not edit.present:
        return edited(data, edit) != data
    return data is None or not _gives(data, edit) or edited(data, edit) != data


def text_for_diff(data: Optional[bytes]) -> str:
    """What a diff may show: machines, and of the secrets what `describe` says. Comments and macros may hold any."""
    if data is None:
        return ""
    try:
        check(data)
    except Unfit as unfit:
        return f"(not shown; curl cannot read it: {unfit})\n"
    rows = []
    for entry in entries(data):
        name = "default" if entry.host is None else f"machine {entry.host.decode('utf-8', 'replace')}"
        login, password = (half or "" for half in entry.pair)
        rows.append(f"{name} login {shown_login(login)} password {describe(password)}\n")
    return "".join(rows)


def shown_login(login: Optional[str]) -> Optional[str]:
    """A login as results may show it: a MAGEID as it is. Other logins may be a secret, as with some code hosts."""
    if login is None or re.match(r"MAG[0-9]+\Z", login):
        return login
    return describe(login)
