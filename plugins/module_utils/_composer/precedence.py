# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential sources that Composer reads for one user in one project, and the entry that wins."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .._argspec import Key
from .._errors import KeyfleetError, MalformedFile, Problem
from .._files.credential import observe
from .._files.path import ANYBODY, Access
from .._redact import json_object
from .auth_json import HTTP_BASIC, NEWER_SECTIONS, SECTIONS, AuthEntry, Document, entries, parse
from .home import Home
from .targets import KeyTarget

# Of all files together: each entry takes a kilobyte until it is reported.
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """One file with credentials that Composer reads. Later sources win over earlier ones, section by section.

    ``of`` holds its entries by repository, since every view looks up every repository.
    """

    name: str
    path: str
    document: Document
    of: Dict[str, List[AuthEntry]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Group the entries by repository."""
        found: Dict[str, List[AuthEntry]] = {}
        for entry in entries(self.document):
            found.setdefault(entry.repository, []).append(entry)
        object.__setattr__(self, "of", found)


@dataclass(frozen=True)
class Winner:
    """The entry that Composer uses for a host, and why."""

    entry: AuthEntry
    source: Source
    reason: str


def winner(sources: Sequence[Source], repository: str) -> Optional[Winner]:
    """Return the entry that wins for ``repository``. ``sources`` are in Composer's order, weakest first.

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
        reasons.append(f"the {won.source.name} overrides the {' and the '.join(beaten[section])}")
    weaker = [name for name in SECTIONS if name in best and name != section]
    if weaker:
        reasons.append(f"{section} overrides {' and '.join(weaker)}")
    return Winner(won.entry, won.source, "; ".join(reasons) or f"only the {won.source.name} has an entry")


def repositories(sources: Sequence[Source]) -> List[str]:
    """Return every host that any source has credentials for, in order of appearance."""
    return list(dict.fromkeys(repository for source in sources for repository in source.of))


def shadows(
    sources: Sequence[Source], *, repository: str, public_key: str, private_key: str, where: str
) -> List[Problem]:
    """Return a problem for each entry that Composer uses instead of the installed pair. ``where`` begins its text."""
    problems = []
    won = winner(sources, repository)
    if won and (won.entry.section, won.entry.username, won.entry.secret) != (HTTP_BASIC, public_key, private_key):
        code = "bearer_wins" if won.entry.section == "bearer" else "another_source_wins"
        problems.append(
            Problem(
                code,
                f"{where}, Composer uses the {won.entry.section} entry for {repository} in {won.source.path}, "
                f"not the requested key: {won.reason}",
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


# The bytes of files by path, as they are or would be.
Known = Mapping[str, Optional[bytes]]


def not_looked_at(path: str, others: int = 0) -> Problem:
    """Return the problem for a file, and a number of others, that are skipped because of a limit."""
    more = f", nor were {others} others" if others else ""
    text = f"{path} was not read{more}: the files before it reached the limit of one run"
    return Problem("read_failed", text, path)


class Sources:
    """Read and parse each file that Composer reads once. Files that are not ``known`` are read from the disk.

    ``problems`` names the files that were skipped because the limit of one run was reached.
    """

    def __init__(self, known: Known) -> None:
        self.problems: List[Problem] = []
        self._known = known
        self._bytes_left = MOST_BYTES
        self._found: Dict[Tuple[str, str, Access], Optional[Source]] = {}

    def read_by(self, uid: Optional[int], homes: Sequence[Home], project: Optional[str]) -> List[Source]:
        """Return the user's files, then those of the project, weakest first. COMPOSER_AUTH of a process is unknown.

        ``uid`` is that of the user, or None without one: files that others moved into the home are not the user's.
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
                # Known files were not read with the rights of the user whose files name the path.
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
            except (KeyfleetError, MalformedFile):
                pass  # A file that cannot be read is reported elsewhere and cannot be compared.
        return self._found[which]


def _in_config(data: bytes) -> bytes:
    """Return the credentials in the ``config`` of a composer.json or config.json."""
    return json.dumps((json_object(data) or {}).get("config")).encode()


@dataclass(frozen=True)
class View:
    """One situation in which Composer reads credentials: the user with one home, the project, or both."""

    words: str
    uid: Optional[int]
    homes: Tuple[Home, ...]
    project: Optional[str]


def _views(target: KeyTarget, key: Key, first_file: Mapping[str, str], projects: Sequence[str]) -> List[View]:
    """Return the situations in which the key in ``target`` should be the one that Composer uses."""
    if target.user is not None:
        name = target.user.name
        home = (Home(target.path, config_file=target.config_file),)
        uid = target.user.uid
        views = [View(f"For {name}", uid, home, None)]
        if first_file.get(name) == target.path:
            views += [View(f"For {name} in {project}", uid, home, project) for project in projects]
        return views
    project = os.path.dirname(target.path)
    if project in key.projects:
        return [View(f"In {project}", None, (), project)]
    return [View(f"Where {target.path} is read", None, (Home(target.path),), None)]


def shadow_problems(keys: Sequence[Key], targets: Sequence[KeyTarget], known: Known) -> List[Problem]:
    """Return a problem for each key that was written although Composer uses another one.

    Every user is examined alone and in every project in ``keys``, except in projects with a key of their own for the
    same repository: that key should win there.
    """

    first_file: Dict[str, str] = {}
    for target in targets:
        if target.user is not None and any(not key.only_existing for key in target.keys):
            first_file.setdefault(target.user.name, target.path)
    own: Dict[str, Set[str]] = {}
    for key in keys:
        own.setdefault(key.repository, set()).update(key.projects)
    all_projects = list(dict.fromkeys(project for key in keys for project in key.projects))
    sources = Sources(known)
    problems: List[Problem] = []
    for target in targets:
        for key in target.keys:
            if not key.present or key.only_existing:
                continue
            projects = [project for project in all_projects if project not in own[key.repository]]
            for view in _views(target, key, first_file, projects):
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
