# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quote untrusted text without any part of a secret. Pure.

A server's text that contains a part of a secret, in any usual form, is not shown at all. Cutting the secret out is not
enough: a gap in a known sentence tells what was there, and the end of a secret may be unknown.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import sys
from typing import Callable, Dict, Iterable, Iterator, Match, Optional, Pattern, Set, Tuple
from urllib.parse import unquote

from ._secrets import shown_user
from ._text import REPLACEMENT, json_object, one_line

# Characters.
TEXT_LIMIT = 300
# Consecutive characters of a secret that hide a text. Fewer would often match by chance.
_ROW = 8
# The same for lists of names and checksums, which are much longer than a message.
_ROW_IN_LISTS = 16
_ROW_OF_NAMES = 64
# Characters. With a longer secret, no text is shown.
_LONGEST_SECRET = 8192
# Rows for more than a thousand auth keys; they take some 25 MB.
_MOST_ROWS = 250_000

_BACKSLASH = re.compile(
    r"\\(?:[ux]\{([0-9a-f]{1,8})\}|(?-i:u)([0-9a-f]{4})|(?-i:U)([0-9a-f]{8})|x([0-9a-f]{2})|([0-7]{1,3})|([\W_]))", re.I
)
_OCTAL, _ITSELF = 5, 6
_PERCENT_U = re.compile(r"%u([0-9a-f]{4})", re.I)
_REFERENCE = re.compile(r"&#0*([0-9]+)(;?)")
# Digits. No code point has as many, and Python does not convert numbers with thousands of digits.
_TOO_MANY = 8

Quote = Callable[[str], str]


class Secrets:
    """Secrets to search texts for: any 8 consecutive characters of any form of a secret match.

    The secrets are those of ``pairs`` (user, secret), and the user names that `shown_user` hides. ``in_lists``: 16
    characters, and user names only as a whole (up to 64), since names in lists may have much in common. Secrets
    shorter than ``shortest`` are not searched for.
    """

    def __init__(self, pairs: Iterable[Tuple[str, str]], *, in_lists: bool = False, shortest: int = _ROW) -> None:
        self._pairs = tuple(pairs)
        self._in_lists = in_lists
        self._shortest = shortest
        self._rows: Optional[Dict[int, Set[str]]] = None

    def occur_in(self, text: str) -> bool:
        """Whether a text contains a part of a secret, plain or escaped. True if they are too many to search for."""
        if self._rows is None:
            # Built on first use: most pairs of a report are never compared with a text.
            self._rows = self._all_rows()
        views = {one.casefold() for view in {text, *unescaped(text)} for one in (view, one_line(view, None))}
        return any(
            not rows.isdisjoint(view[at : at + size] for at in range(len(view) - size + 1))
            for size, rows in self._rows.items()
            for view in views
        )

    def _all_rows(self) -> Dict[int, Set[str]]:
        """The rows of characters to search for, by length."""
        rows: Dict[int, Set[str]] = {}
        for user, secret in self._pairs:
            name = user if shown_user(user) != user else ""
            long = _ROW_IN_LISTS if self._in_lists else _ROW
            for one, row in ((secret, long), (name, min(len(name), _ROW_OF_NAMES) if self._in_lists else long)):
                if len(one) < self._shortest:
                    continue
                if len(one) > _LONGEST_SECRET or sum(map(len, rows.values())) > _MOST_ROWS:
                    return {0: {""}}  # matches every text
                for form in _forms(one):
                    size = min(len(form), row)
                    # A secret of escapes may unescape to a single letter, which would match everywhere.
                    if size >= min(len(one), row // 2):
                        rows.setdefault(size, set()).update(form[at : at + size] for at in range(len(form) - size + 1))
        return rows


def quoting(public_key: str, private_key: str, *others: Secrets) -> Quote:
    """A function that makes a server's text safe to show: one printable line of limited length.

    It returns "" for a text with a part of the pair's secrets or of ``others``.
    """
    hidden = (Secrets([(public_key, private_key)], shortest=1), *others)

    def quote(text: str) -> str:
        shown = one_line(text, TEXT_LIMIT)
        return "" if not shown or any(secrets.occur_in(shown) for secrets in hidden) else shown

    return quote


def _as_bytes(secret: str) -> bytes:
    """The secret as it is sent. A secret from a netrc may have bytes that are not UTF-8."""
    try:
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return secret.encode("utf-8", "replace")


def _forms(secret: str) -> Set[str]:
    """The casefolded forms of a secret that `unescaped` does not resolve to the secret."""
    data = _as_bytes(secret)
    forms = {secret, *unescaped(secret), *_in_base64(data), binascii.hexlify(data).decode("ascii")}
    forms.add(data.decode("utf-8", "replace"))
    # UTF-8 decoded as Latin-1 or CP1252, as in headers, and the other way round.
    for encoding in ("latin-1", "cp1252"):
        forms.add(data.decode(encoding, "replace"))
        forms.add(secret.encode(encoding, "replace").decode("utf-8", "replace"))
    return {one.casefold() for form in forms for one in (form, one_line(form, None))}


def _in_base64(data: bytes) -> Iterator[str]:
    """Base64 of ``data`` after 0 to 2 other bytes, without the characters that also encode neighbouring bytes."""
    for ahead in range(3):
        text = base64.b64encode(b"\0" * ahead + data).decode("ascii")
        # A character encodes 6 bits. Only characters whose bits are all from ``data`` are certain.
        inner = text[-(-8 * ahead // 6) : 8 * (ahead + len(data)) // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def unescaped(text: str) -> Tuple[str, ...]:
    """The text with the escapes of URLs, of HTML, and of JSON and programming languages resolved, each separately.

    Each leaves other characters unchanged.
    """
    address = _resolved(_PERCENT_U, text)
    return unquote(address), unquote(address.replace("+", " ")), from_html(text), _resolved(_BACKSLASH, text)


def from_html(text: str) -> str:
    """The text with HTML's character references resolved."""
    return html.unescape(_REFERENCE.sub(_short_reference, text))


def _short_reference(found: Match[str]) -> str:
    return f"&#{found[1]}{found[2]}" if len(found[1]) < _TOO_MANY else REPLACEMENT


def _resolved(escapes: Pattern[str], text: str) -> str:
    # Characters above U+FFFF are escaped as surrogate pairs.
    return escapes.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(found: Match[str]) -> str:
    """The character of an escape. The last two groups of `_BACKSLASH` are octal digits and the character itself."""
    kind = found.lastindex or 0
    if kind == _ITSELF:
        return found[kind]
    code = int(found[kind], 8 if kind == _OCTAL else 16)
    return chr(code) if code <= sys.maxunicode else REPLACEMENT


def server_text(body: bytes, content_type: str) -> str:
    """The message in a server's response: ``warning`` and similar fields of JSON, an HTML title, or plain text."""
    text = body.decode("utf-8", "replace")
    value = json_object(body)
    if value is not None:
        known = (value.get(name) for name in ("warning", "message", "error", "detail", "info"))
        return next((found for found in known if isinstance(found, str) and found.strip()), "")
    if "html" in content_type or text.lstrip()[:1] == "<":
        title = re.search(r"<title[^<>]*>([^<]*)</title>", text, re.I)
        return from_html(title.group(1)) if title else ""
    return text if content_type.startswith("text/plain") else ""
