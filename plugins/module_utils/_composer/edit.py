# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit an auth.json, serialise it, and show it in a diff. Pure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from .._argspec import Key
from .._errors import MalformedFile
from .._secrets import describe, shown_host, shown_user
from .auth_json import HTTP_BASIC, SECTIONS, Document, changes, document_of, parse

_INDENT = re.compile(r'\n([ ]+|\t+)"')
_WIDEST_INDENT = 16  # repeated at every line, once for each level of nesting
_LARGEST = 4 * 1024 * 1024  # bytes; a larger file is not read
_MOST_SHOWN = 256 * 1024  # characters of a file in a diff
_USER_NAMES = ("username", "consumer-key")


def with_entry(document: Document, *, repository: str, username: str, password: str) -> Document:
    """Return a copy with the http-basic entry set. Its extra keys and the order of everything else are kept.

    User name and password come first, in the order in which Composer writes them.
    """
    hosts = dict(document.get(HTTP_BASIC) or {})
    entry = {"username": username, "password": password}
    hosts[repository] = {**entry, **hosts.get(repository, {}), **entry}
    return {**document, HTTP_BASIC: hosts}


def without_entry(document: Document, repository: str) -> Document:
    """Return a copy without the http-basic entry of ``repository``, or the document itself if it has none."""
    hosts = dict(document.get(HTTP_BASIC) or {})
    if repository not in hosts:
        return document
    del hosts[repository]
    return {**document, HTTP_BASIC: hosts}


def serialise(document: Document, *, like: Optional[bytes] = None) -> bytes:
    """Return several lines in UTF-8 with the indent of ``like``, or 4 spaces, and one line feed at the end.

    Every Composer version keeps this form, while each write of Composer triples the inner indent of a one-line file.
    Raises `MalformedFile` if the result would be too large to be read again, since each line repeats the indent.
    """
    found = _INDENT.search(like.decode("utf-8", "replace")) if like else None
    indent: Union[int, str] = found.group(1) if found and len(found.group(1)) <= _WIDEST_INDENT else 4
    data = (_lines(document, indent, _LARGEST) + "\n").encode("utf-8")
    if len(data) > _LARGEST:
        raise MalformedFile(f"with one value per line it would have more than {_LARGEST} bytes", "the whole file")
    return data


def _lines(document: Document, indent: Union[int, str], most: int) -> str:
    """Return the document in several lines. If they have more than ``most`` characters, the rest is cut off."""
    parts: List[str] = []
    for part in json.JSONEncoder(indent=indent, ensure_ascii=False).iterencode(document):
        parts.append(part)
        most -= len(part)
        if most < 0:
            break
    return "".join(parts)


_SHOWN_DEPTH = 32  # enough for a reader, and Python's stack does not hold twice the levels that PHP reads


def _changed(shown: str, value: str, was: Any, describe_it: Callable[[str], str]) -> str:
    """Mark a value that changed although its description did not, so that the diff shows the change."""
    other = isinstance(was, str) and was != value and describe_it(was) == shown
    return shown + " (changed)" if other else shown


def _mask(value: Any, was: Any, shown: Tuple[str, ...], depth: int = 1) -> Any:
    if isinstance(value, (dict, list)) and depth > _SHOWN_DEPTH:
        return "…"
    if isinstance(value, dict):
        old = was if isinstance(was, dict) else {}
        return {
            shown_host(k): _changed(shown_user(v), v, old.get(k), shown_user)
            if k in shown and isinstance(v, str)
            else _mask(v, old.get(k), shown, depth + 1)
            for k, v in value.items()
        }
    if isinstance(value, list):
        before = (was if isinstance(was, list) else []) + [None] * len(value)
        return [_mask(item, old, shown, depth + 1) for item, old in zip(value, before)]
    if isinstance(value, str):
        return _changed(describe(value), value, was, describe)
    # A number may be a secret with missing quotes.
    return value if value is None or isinstance(value, bool) else "set"


def masked(document: Document, *, was: Optional[Document] = None) -> str:
    """Return the document for a diff: its structure, user names by `shown_user`, all other text by `describe`.

    ``was`` is the document before. A secret that changed although its description did not is marked.
    """
    before = was or {}
    shown = {
        shown_host(section): _mask(value, before.get(section), _USER_NAMES if section in SECTIONS else ())
        for section, value in document.items()
    }
    text = _lines(shown, 4, _MOST_SHOWN)
    return text + ("\n" if len(text) <= _MOST_SHOWN else "\n(the rest is not shown)\n")


def edited(data: Optional[bytes], keys: Sequence[Key], *, broken: Optional[bytes] = None) -> Optional[bytes]:
    """Return the bytes of the file with ``keys``: ``data`` itself, also if None, when they change nothing.

    Raises `MalformedFile` for a file that Composer would not read. ``broken``: see `document_of`.
    """
    read = document = document_of(data, broken)
    for key in keys:
        if changes(document, key) and key.present:
            document = with_entry(
                document, repository=key.repository, username=key.public_key or "", password=key.private_key
            )
        elif changes(document, key):
            document = without_entry(document, key.repository)
    if data is not None and data == broken:
        return serialise(document)
    return data if document is read else serialise(document, like=data)


def text_for_diff(data: bytes, *, was: Optional[bytes] = None) -> str:
    """Return the file for a diff, without the secrets of any section. ``was`` is the file before a change."""
    try:
        document = parse(data)
    except MalformedFile as malformed:
        return f"(not shown; Composer cannot read it: {malformed})\n"
    with suppress(MalformedFile):
        return masked(document, was=parse(was or b"{}"))
    return masked(document)
