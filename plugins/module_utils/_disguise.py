# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In what shapes a server may throw a secret back that it was sent. Pure."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import sys
from typing import Iterator, Match, Set, Tuple
from urllib.parse import quote, quote_plus, unquote

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import REPLACEMENT

_BACKSLASH = re.compile(
    r"\\(?:[ux]\{([0-9a-f]{1,8})\}|(?-i:u)([0-9a-f]{4})|(?-i:U)([0-9a-f]{8})|x([0-9a-f]{2})|([0-7]{1,3})|(.))", re.I
)
_OCTAL, _ITSELF = 5, 6
_PERCENT_U = re.compile(r"%u([0-9a-f]{4})", re.I)
_AT_END = re.compile(r"(?:&#?\w{0,100}|%[0-9a-fu]{0,5}|\\[0-9a-fux]?\{?[0-9a-f]{0,8})\Z", re.I)
# In front of the digits of a character reference; and one of more digits than Python reads.
_ZEROS = re.compile(r"(&#x?)0+(?=[0-9a-f])", re.I)
_ENDLESS = re.compile(r"&#(?:x[0-9a-f]{100,}|[0-9]{100,});?", re.I)


def _in_base64(data: bytes) -> Iterator[str]:
    """What ``data`` becomes in base64 behind 0 to 2 other bytes, less the characters that neighbours take part in."""
    for ahead in range(3):
        text = base64.b64encode(b"\0" * ahead + data).decode("ascii")
        # A character holds 6 bits, and only those that lie within ``data`` as a whole are sure.
        inner = text[-(-8 * ahead // 6) : 8 * (ahead + len(data)) // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _escaped(secret: str) -> Iterator[str]:
    for plain_ascii in (True, False):
        literal = json.dumps(secret, ensure_ascii=plain_ascii)[1:-1]
        yield literal
        yield literal.replace("/", "\\/")
    yield html.unescape(secret)
    yield html.escape(secret)
    yield html.escape(secret).replace("&#x27;", "&#039;")  # so PHP writes it
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]


def as_bytes(secret: str) -> bytes:
    """A secret as it is sent: in a netrc it may have bytes that are no UTF-8."""
    try:
        return secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return secret.encode("utf-8", "replace")


def disguises(secret: str) -> Set[str]:
    """Every shape of ``secret``, itself among them: escaped for an address, JSON, HTML or Python, in base64, in hex."""
    data = as_bytes(secret)
    shapes = {secret, quote(data, safe=""), quote(data), quote_plus(data)}
    shapes.update(_escaped(secret), _in_base64(data))
    shapes.add(binascii.hexlify(data).decode("ascii"))
    shapes.add("".join(f"%{byte:02x}" for byte in data))
    shapes.add(data.decode("utf-8", "replace"))
    # UTF-8 that was taken for Latin-1 or its like, as in headers, and the other way round.
    for one in ("latin-1", "cp1252"):
        shapes.add(data.decode(one, "replace"))
        shapes.add(secret.encode(one, "replace").decode("utf-8", "replace"))
    return {shape for shape in shapes if shape}


def unescaped(text: str) -> Tuple[str, ...]:
    """What a text says once the escapes of addresses, of HTML, and of JSON and programs are resolved, each for itself.

    Every language leaves other characters as they are.
    """
    references = html.unescape(_ENDLESS.sub("", _ZEROS.sub(r"\1", text)))
    # Characters beyond the first 65,536 are written as two there.
    codes = _BACKSLASH.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    older = unquote(_PERCENT_U.sub(_character, text), encoding="cp1252")
    plain = (unquote(one, errors="surrogateescape") for one in (text, text.replace("+", " ")))
    return (*plain, older, references, codes)


def without_cut_escape(text: str) -> str:
    """The text less an escape at its end that may have been cut."""
    return _AT_END.sub("", text)


def _character(found: Match[str]) -> str:
    """The character of an escape; the last two kinds of `_BACKSLASH` are octal, and the character itself."""
    kind = found.lastindex or 0
    if kind == _ITSELF:
        return found[kind]
    code = int(found[kind], 8 if kind == _OCTAL else 16)
    return chr(code) if code <= sys.maxunicode else REPLACEMENT
