# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of an auth.json, and which source wins for whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import (
    HTTP_BASIC,
    NEWER_SECTIONS,
    SECTIONS,
    Document,
    Entry,
    Unfit,
    entries,
    masked,
    parse,
    serialise,
    with_entry,
    without_entry,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import Problem


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


@dataclass(frozen=True)
class Source:
    """One place from which Composer takes credentials. Later sources win over earlier ones, section by section.

    ``of`` holds its entries by repository: every repository is asked for, in every situation.
    """

    name: str
    path: str
    document: Document
    of: Dict[str, List[Entry]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the entries."""
        found: Dict[str, List[Entry]] = {}
        for entry in entries(self.document):
            found.setdefault(entry.repository, []).append(entry)
        object.__setattr__(self, "of", found)


@dataclass(frozen=True)
class Winner:
    """The entry that Composer uses for a host, and why."""

    entry: Entry
    source: Source
    reason: str


def winner(sources: Sequence[Source], repository: str) -> Optional[Winner]:
    """Which entry wins for ``repository`` when ``sources`` are given in Composer's order, weakest first.

    The last source that has the host in a section wins within the section, then the strongest section wins.
    """
    best: Dict[str, Winner] = {}
    beaten: Dict[str, List[str]] = {}
    for source in sources:
        for entry in source.of.get(repository, ()):
            if entry.section in best:
                beaten.setdefault(entry.section, []).append(best[entry.section].source.name)
            best[entry.section] = Winner(entry, source, "")
    if not best:
        return None
    section = max(best, key=SECTIONS.index)
    won = best[section]
    reasons = []
    if beaten.get(section):
        reasons.append(f"the {won.source.name} beats the {' and the '.join(beaten[section])}")
    weaker = [name for name in SECTIONS if name in best and name != section]
    if weaker:
        reasons.append(f"{section} beats {' and '.join(weaker)}")
    return Winner(won.entry, won.source, "; ".join(reasons) or f"only the {won.source.name} has an entry")


def repositories(sources: Sequence[Source]) -> List[str]:
    """Every host that any source has credentials for, in order of appearance."""
    return list(dict.fromkeys(repository for source in sources for repository in source.of))


def shadows(
    sources: Sequence[Source], *, repository: str, public_key: str, private_key: str, where: str
) -> List[Problem]:
    """Problems that keep the given pair from being used although a file holds it. ``where`` says for whom."""
    problems = []
    won = winner(sources, repository)
    if won and (won.entry.section, won.entry.username, won.entry.secret) != (HTTP_BASIC, public_key, private_key):
        code = "bearer_wins" if won.entry.section == "bearer" else "another_source_wins"
        problems.append(
            Problem(
                code,
                f"{where}, Composer uses the {won.entry.section} entry for {repository} in {won.source.path}, "
                f"not the key that was asked for: {won.reason}",
                won.source.path,
            )
        )
    for source in sources:
        for section in NEWER_SECTIONS:
            hosts = source.document.get(section)
            if isinstance(hosts, dict) and repository in hosts:
                problems.append(
                    Problem(
                        "another_source_wins",
                        f"{where}, Composer 2.9 and newer use {section} for {repository} in {source.path} instead",
                        source.path,
                    )
                )
    return problems
