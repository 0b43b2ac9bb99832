# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of an auth.json. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import (
    HTTP_BASIC,
    Document,
    Entry,
    masked,
    parse,
    serialise,
    with_entry,
    without_entry,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import Unfit


@dataclass(frozen=True)
class Edit:
    """One entry as it shall be in one file.

    ``present`` False takes the entry away; with a ``public_key`` only if the entry has that one. ``only_existing``
    leaves a file alone that has no entry for the repository: a home that Composer does not read first gets no new key.
    """

    repository: str
    present: bool
    public_key: Optional[str] = None
    private_key: str = field(default="", repr=False)
    only_existing: bool = False


def entry_for(document: Document, repository: str) -> Optional[Entry]:
    """The http-basic entry of ``repository``, or None."""
    value = (document.get(HTTP_BASIC) or {}).get(repository)
    return None if value is None else Entry(HTTP_BASIC, repository, value["username"], value["password"])


def _read(data: Optional[bytes], *, broken: Optional[bytes]) -> Document:
    if data is None or data == broken:
        return {}
    return parse(data)


def _edited(document: Document, edit: Edit) -> Document:
    if not edit.present:
        return without_entry(document, repository=edit.repository, username=edit.public_key)
    there = entry_for(document, edit.repository)
    if there is None and edit.only_existing:
        return document
    if there and (there.username, there.secret) == (edit.public_key, edit.private_key):
        return document
    return with_entry(document, repository=edit.repository, username=edit.public_key or "", password=edit.private_key)


def edited(data: Optional[bytes], edits: Sequence[Edit], *, broken: Optional[bytes] = None) -> Optional[bytes]:
    """The bytes of the file after ``edits``; the very same bytes when they mean it already; None stays None if so.

    Raises `Unfit` for a file that Composer would not read. ``broken`` names the unfit bytes that may be overwritten all
    the same: those that were seen, not whatever a writer has left half done by the time of the write.
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


def key_changes(data: Optional[bytes], edit: Edit, *, broken: Optional[bytes] = None) -> bool:
    """Whether ``edit`` would put another pair into the file than it has now (owner and mode are not looked at)."""
    document = _read(data, broken=broken)
    return _edited(document, edit) != document


def text_for_diff(data: Optional[bytes], *, was: Optional[bytes] = None) -> str:
    """What a diff may show of the file: no secret of any section. ``was`` is the file before a change."""
    if data is None:
        return ""
    try:
        document = parse(data)
    except Unfit as unfit:
        return f"(not shown; Composer cannot read it: {unfit})\n"
    try:
        before = None if was is None else parse(was)
    except Unfit:
        before = None
    return masked(document, was=before)
