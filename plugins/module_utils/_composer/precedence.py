# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of credentials that a Composer run of one user in one project would read, and which of them wins."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import (
    HTTP_BASIC,
    NEWER_SECTIONS,
    SECTIONS,
    Document,
    Entry,
    entries,
    parse,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import Home
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import Place
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import ANYBODY, Access, observe
from ansible_collections.keyfleet.magento.plugins.module_utils._json import json_object

# Of all files together: each entry takes a kilobyte until it is told of.
MOST_BYTES = 16 * 1024 * 1024


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


# A path → its bytes as they are or would be.
Known = Mapping[str, Optional[bytes]]


def not_looked_at(path: str, others: int = 0) -> Problem:
    """For a file that is left out, and others after it, since the rest of the run would wait for it."""
    more = f", nor were {others} others" if others else ""
    text = f"{path} was not looked at{more}: so much was found before it that the limit of one run was reached"
    return Problem("read_failed", text, path)


class Sources:
    """Files that Composer reads, each read and parsed once. What is not ``known`` is read from the disk.

    ``problems`` are those that were left out since the limit of one run was reached.
    """

    def __init__(self, known: Known) -> None:
        self.problems: List[Problem] = []
        self._known = known
        self._bytes_left = MOST_BYTES
        self._found: Dict[Tuple[str, str, Access], Optional[Source]] = {}

    def read_by(self, uid: Optional[int], homes: Sequence[Home], project: Optional[str]) -> List[Source]:
        """The user's own files, then the project's, weakest first. COMPOSER_AUTH is not seen: it is a process's.

        ``uid`` is the user's, where one is meant: what others moved into their home is none of theirs.
        """
        found = []
        for home in homes:
            if home.config_file:
                found.append(self._source("user's config.json", home.config_file, _in_config, Access(uid)))
            found.append(self._source("user's auth.json", home.auth_file, bytes, Access(uid, home.walk_as)))
        if project is not None:
            found.append(self._source("project's composer.json", os.path.join(project, "composer.json"), _in_config))
            found.append(self._source("project's auth.json", os.path.join(project, "auth.json"), bytes))
        return [source for source in found if source is not None]

    def _source(
        self, name: str, path: str, part: Callable[[bytes], bytes], access: Access = ANYBODY
    ) -> Optional[Source]:
        which = name, path, access
        if which not in self._found:
            self._found[which] = None
            try:
                # What is known was read on behalf of whoever asked for it, not of the user whose data name the place.
                if path in self._known and access.walk_as is None:
                    data = self._known[path]
                else:
                    data = observe(path, parse=bytes, access=access).data
                    self._bytes_left -= len(data or b"")
                    if self._bytes_left < 0:
                        self.problems.append(not_looked_at(path))
                        data = None
                if data is not None:
                    self._found[which] = Source(name, path, parse(part(data)))
            except (KeyfleetError, Unfit):
                # What this process may not read is somebody else's report, not a source that can be compared.
                pass
        return self._found[which]


def _in_config(data: bytes) -> bytes:
    """The credentials in the ``config`` of a composer.json or config.json."""
    return json.dumps((json_object(data) or {}).get("config")).encode()


@dataclass(frozen=True)
class View:
    """One situation in which a Composer would read credentials: for whom, with which home of the user, where."""

    words: str
    uid: Optional[int]
    homes: Tuple[Home, ...]
    project: Optional[str]


def _views(place: Place, key: Key, first_file: Mapping[str, str], projects: Sequence[str]) -> List[View]:
    """Every situation in which the key in ``place`` is meant to be the one used."""
    if place.user is not None:
        name = place.user.name
        home = (Home(place.path, config_file=place.config_file),)
        uid = place.user.uid
        views = [View(f"For {name}", uid, home, None)]
        if first_file.get(name) == place.path:
            views += [View(f"For {name} in {project}", uid, home, project) for project in projects]
        return views
    project = os.path.dirname(place.path)
    if project in key.projects:
        return [View(f"In {project}", None, (), project)]
    return [View(f"Where {place.path} is read", None, (Home(place.path),), None)]


def shadow_problems(keys: Sequence[Key], places: Sequence[Place], known: Known) -> List[Problem]:
    """Where a key was written and yet is not the one that Composer would use.

    Every user is looked at alone and in every project of the call, unless the project is given a key of its own for
    the same repository: then that one is meant to win there.
    """
    first_file: Dict[str, str] = {}
    for place in places:
        if place.user is not None and any(not edit.only_existing for _key, edit in place.edits):
            first_file.setdefault(place.user.name, place.path)
    own: Dict[str, Set[str]] = {}
    for key in keys:
        own.setdefault(key.repository, set()).update(key.projects)
    all_projects = list(dict.fromkeys(project for key in keys for project in key.projects))
    sources = Sources(known)
    problems: List[Problem] = []
    for place in places:
        for key, edit in place.edits:
            if not key.present or edit.only_existing:
                continue
            projects = [project for project in all_projects if project not in own[key.repository]]
            for view in _views(place, key, first_file, projects):
                problems.extend(
                    shadows(
                        sources.read_by(view.uid, view.homes, view.project),
                        repository=key.repository,
                        public_key=key.public_key or "",
                        private_key=key.private_key,
                        where=view.words,
                    )
                )
    return problems + sources.problems
