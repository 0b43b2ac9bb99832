# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources that a Composer run of one user in one project would read, in Composer's order."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import Unfit, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_places import Place
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_plan import Source, shadows
from ansible_collections.keyfleet.magento.plugins.module_utils._composer_home import Home
from ansible_collections.keyfleet.magento.plugins.module_utils._credential_file import ANYBODY, Access, observe
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._options import Key

# A path → its bytes as they are or would be. What is not named is read from the disk, and then remembered here.
Known = Dict[str, Optional[bytes]]


def _bytes(path: str, known: Known, access: Access = ANYBODY) -> Optional[bytes]:
    if path not in known:
        try:
            known[path] = observe(path, parse=bytes, access=access).data
        except KeyfleetError:
            # What this process may not read is somebody else's report, not a source that can be compared.
            known[path] = None
    return known[path]


def _source(name: str, path: str, data: Optional[bytes]) -> Optional[Source]:
    if data is None:
        return None
    try:
        return Source(name, path, parse(data))
    except Unfit:
        return None


def _config(name: str, path: str, known: Known) -> Optional[Source]:
    """The credentials in the ``config`` of a composer.json or config.json."""
    try:
        config = json.loads((_bytes(path, known) or b"{}").decode("utf-8"))["config"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _source(name, path, json.dumps(config).encode())


def sources_for(homes: Sequence[Home], project: Optional[str], known: Known) -> List[Source]:
    """The user's own files, then the project's, weakest first. COMPOSER_AUTH is not seen: it belongs to a process."""
    found = []
    for home in homes:
        if home.config_file:
            found.append(_config("user's config.json", home.config_file, known))
        data = _bytes(home.auth_file, known, Access(walk_as=home.walk_as))
        found.append(_source("user's auth.json", home.auth_file, data))
    if project is not None:
        path = os.path.join(project, "auth.json")
        found.append(_config("project's composer.json", os.path.join(project, "composer.json"), known))
        found.append(_source("project's auth.json", path, _bytes(path, known)))
    return [source for source in found if source is not None]


@dataclass(frozen=True)
class View:
    """One situation in which a Composer would read credentials: for whom, with which home of the user, where."""

    words: str
    homes: Tuple[Home, ...]
    project: Optional[str]


def _views(place: Place, key: Key, first_file: Mapping[str, str], projects: Sequence[str]) -> List[View]:
    """Every situation in which the key in ``place`` is meant to be the one used."""
    if place.user is not None:
        name = place.user.name
        home = (Home(place.path, config_file=place.config_file),)
        views = [View(f"For {name}", home, None)]
        if first_file.get(name) == place.path:
            views += [View(f"For {name} in {project}", home, project) for project in projects]
        return views
    project = os.path.dirname(place.path)
    if project in key.projects:
        return [View(f"In {project}", (), project)]
    return [View(f"Where {place.path} is read", (Home(place.path),), None)]


def shadow_problems(keys: Sequence[Key], places: Sequence[Place], known: Known) -> List[Problem]:
    """Where a key was written and yet is not the one that Composer would use.

    Every user is looked at alone and in every project of the call, unless the project is given a key of its own for
    the same repository: then that one is meant to win there.
    """
    first_file: Dict[str, str] = {}
    for place in places:
        if place.user is not None and any(not edit.only_existing for _key, edit in place.edits):
            first_file.setdefault(place.user.name, place.path)
    problems: List[Problem] = []
    for place in places:
        for key, edit in place.edits:
            if not key.present or edit.only_existing:
                continue
            own = {project for other in keys if other.repository == key.repository for project in other.projects}
            projects = [p for p in dict.fromkeys(p for k in keys for p in k.projects) if p not in own]
            for view in _views(place, key, first_file, projects):
                problems.extend(
                    shadows(
                        sources_for(view.homes, view.project, known),
                        repository=key.repository,
                        public_key=key.public_key or "",
                        private_key=key.private_key,
                        where=view.words,
                    )
                )
    return problems
