# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the edits of an auth.json. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import (
    HTTP_BASIC,
    AuthEntry,
    Document,
    masked,
    parse,
    serialise,
    with_entry,
    without_entry,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile


@dataclass(frozen=True)
class KeyEdit:
    """The desired state of one entry in one file.

    ``present`` False removes the entry; with a ``public_key``, only if the entry has it. ``only_existing`` replaces an
    entry for the repository but adds none: a home that Composer does not read first gets no new key.

    """

    repository: str
    present: bool
    public_key: Optional[str] = None
    private_key: str = field(default="", repr=False)
    only_existing: bool = False


def entry_for(document: Document, repository: str) -> Optional[AuthEntry]:
    """Return the http-basic entry of ``repository``, or None."""
    value = (document.get(HTTP_BASIC) or {}).get(repository)
    return None if value is None else AuthEntry(HTTP_BASIC, repository, value["username"], value["password"])


def _read(data: Optional[bytes], *, broken: Optional[bytes]) -> Document:
    if data is None or data == broken:
        return {}
    return parse(data)


def _edited(document: Document, edit: KeyEdit) -> Document:
    if not edit.present:
        return without_entry(document, repository=edit.repository, username=edit.public_key)
    existing = entry_for(document, edit.repository)
    if existing is None and edit.only_existing:
        return document
    if existing and (existing.username, existing.secret) == (edit.public_key, edit.private_key):
        return document
    return with_entry(document, repository=edit.repository, username=edit.public_key or "", password=edit.private_key)


def edited(data: Optional[bytes], edits: Sequence[KeyEdit], *, broken: Optional[bytes] = None) -> Optional[bytes]:
    """Return the bytes of the file after ``edits``: ``data`` itself, also if None, when the edits change nothing.

    Raises `MalformedFile` for a file that Composer would not read. ``broken`` holds the malformed bytes that may be
    overwritten: those that were read before, not what another writer has half written by the time of the write.
    """
    document = _read(data, broken=broken)
    wanted = document
    for edit in edits:
        wanted = _edited(wanted, edit)
    if data is None:
        return serialise(wanted) if wanted else None
    if data == broken:
        return serialise(wanted)
    return data if wanted == document else serialise(wanted, like=data)


def key_changes(data: Optional[bytes], edit: KeyEdit, *, broken: Optional[bytes] = None) -> bool:
    """Whether ``edit`` would change the pair in the file. Owner and mode are not compared."""
    document = _read(data, broken=broken)
    return _edited(document, edit) != document


def text_for_diff(data: Optional[bytes], *, was: Optional[bytes] = None) -> str:
    """Return the file for a diff, without the secrets of any section. ``was`` is the file before a change."""

    if data is None:
        return ""
    try:
        document = parse(data)
    except MalformedFile as malformed:
        return f"(not shown; Composer cannot read it: {malformed})\n"
    try:
        before = None if was is None else parse(was)
    except MalformedFile:
        before = None
    return masked(document, was=before)
