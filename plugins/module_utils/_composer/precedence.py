# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential sources that Composer reads for one user in one project, and the entry that wins."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .._argspec import Key
from .._errors import KeyfleetError, MalformedFile, Problem
from .._files.path import ANYBODY, Access
from .._files.read import Seen, observe
from .._text import json_object
from .auth_json import HTTP_BASIC, NEWER_SECTIONS, SECTIONS, AuthEntry, Document, entries, parse
from .home import Home
from .targets import KeyTarget

# Of all files together: each entry takes a kilobyte until it is reported.
MOST_BYTES = 16 * 1024 * 1024


class Source:
    """One file with credentials that Composer reads. Later sources win over earlier ones, section by section.

    ``of`` holds its entries by repository, since every view looks up every repository.
    """

    def __init__(self, name: str, path: str, document: Document) -> None:
        self.name, self.path, self.document = name, path, document
        self.of: Dict[str, List[AuthEntry]] = {}
        for entry in entries(document):
            self.of.setdefault(entry.repository, []).append(entry)


class Winner(NamedTuple):
    """The entry that Composer uses for a host, and why."""

    entry: AuthEntry
    source: Source
    reason: str


def winner(sources: Sequence[Source], repository: str) -> Optional[Winner]:
    """Return the entry that wins for ``repository``. ``sources`` are in Composer's order, weakest first.

    The last source that has the host in a section wins within the section, then the strongest section wins.
    """
    found: Dict[str, List[Tuple[AuthEntry, Source]]] = {}
    for source in sources:
        for entry in source.of.get(repository, ()):
            found.setdefault(entry.section, []).append((entry, source))
    if not found:
        return None
    *weaker, section = sorted(found, key=SECTIONS.index)
    *beaten, (entry, source) = found[section]
    reasons = []
    if beaten:
        reasons.append(f"the {source.name} overrides the {' and the '.join(other.name for _entry, other in beaten)}")
    if weaker:
        reasons.append(f"{section} overrides {' and '.join(weaker)}")
    return Winner(entry, source, "; ".join(reasons) or f"only the {source.name} has an entry")


def repositories(sources: Sequence[Source]) -> List[str]:
    """Return every host that any source has credentials for, in order of appearance."""
    return list(dict.fromkeys(repository for source in sources for repository in source.of))


def shadows(sources: Sequence[Source], key: Key, where: str) -> Iterator[Problem]:
    """Yield a problem for each entry that Composer uses instead of the installed key. ``where`` begins its text."""
    repository = key.repository
    won = winner(sources, repository)
    if won and won.entry != AuthEntry(HTTP_BASIC, repository, key.public_key or "", key.private_key):
        section, path = won.entry.section, won.source.path
        code = "bearer_wins" if section == "bearer" else "another_source_wins"
        text = f"{where}, Composer uses the {section} entry for {repository} in {path}, not the requested key"
        yield Problem(code, f"{text}: {won.reason}", path)
    for source in sources:
        for section in NEWER_SECTIONS:
            hosts = source.document.get(section)
            if isinstance(hosts, dict) and repository in hosts:
                text = f"{where}, Composer 2.9 and newer use {section} for {repository} in {source.path} instead"
                yield Problem("another_source_wins", text, source.path)


# The bytes of files by path, as they are or would be.
Known = Mapping[str, Optional[bytes]]


def not_looked_at(path: str, others: int = 0) -> Problem:
    """Return the problem for a file, and a number of others, that are skipped because of a limit."""
    more = f", nor were {others} others" if others else ""
    text = f"{path} was not read{more}: the files before it reached the limit of one run"
    return Problem("read_failed", text, path)


def faults(path: str, seen: Seen) -> List[Problem]:
    """Return the problem of a file that cannot be read or used, or nothing."""
    if seen.error:
        return [Problem(seen.error.code, seen.error.message, path)]
    if seen.malformed:
        return [Problem("malformed_file", f"{path} is not a file that Composer can use: {seen.malformed}", path)]
    return []


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
            # A file that cannot be read is reported elsewhere and cannot be compared.
            with suppress(KeyfleetError, MalformedFile):
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
        return self._found[which]


def _in_config(data: bytes) -> bytes:
    """Return the credentials in the ``config`` of a composer.json or config.json."""
    return json.dumps((json_object(data) or {}).get("config")).encode()


# One situation in which Composer reads credentials, in words, and then the arguments of `Sources.read_by`.
View = Tuple[str, Optional[int], Sequence[Home], Optional[str]]


def _views(target: KeyTarget, key: Key, first_file: Mapping[str, str], projects: Sequence[str]) -> Iterator[View]:
    """Yield the situations in which the key in ``target`` should be the one that Composer uses."""
    project = os.path.dirname(target.path)
    if target.user is not None:
        name, uid, home = target.user.name, target.user.uid, [Home(target.path, config_file=target.config_file)]
        yield f"For {name}", uid, home, None
        if first_file.get(name) == target.path:
            yield from ((f"For {name} in {project}", uid, home, project) for project in projects)
    elif project in key.projects:
        yield f"In {project}", None, (), project
    else:
        yield f"Where {target.path} is read", None, [Home(target.path)], None


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
            for where, uid, homes, project in _views(target, key, first_file, projects):
                problems.extend(shadows(sources.read_by(uid, homes, project), key, where))
    return problems + sources.problems
