# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources that a Composer run of one user in one project would read, in Composer's order."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import Unfit, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_places import Place
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_plan import Source, shadows
from ansible_collections.keyfleet.magento.plugins.module_utils._composer_home import Home
from ansible_collections.keyfleet.magento.plugins.module_utils._credential_file import ANYBODY, Access, observe
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._options import Key
from ansible_collections.keyfleet.magento.plugins.module_utils._verdict import json_object

# A path → its bytes as they are or would be.
Known = Mapping[str, Optional[bytes]]
# Of all files together: each entry takes a kilobyte until it is told of.
MOST_BYTES = 16 * 1024 * 1024


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
