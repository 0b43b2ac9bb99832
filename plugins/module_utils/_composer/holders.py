# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the files that hold keys which are to be removed wherever they are: in all homes, and below roots."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key, file_mode
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import HTTP_BASIC, entries, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import Edit
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import composer_homes
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import MOST_BYTES, not_looked_at
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.read import read_each
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.search import search
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import Place, Which
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import all_accounts
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    Change,
    FileState,
    Ownership,
    Wanted,
    apply,
    predict,
)

# Seconds for which others may keep files locked: each, and after a failure all together.
_PATIENCE = 10.0
# Of one file and run: whoever writes it may have written any number.
_MOST_ENTRIES = 20


def _in_homes(mode: int, problems: List[Problem]) -> Iterator[Place]:
    for user in all_accounts():
        try:
            homes = composer_homes(user, environ=None)
        except KeyfleetError as error:
            problems.append(Problem(error.code, error.message, str(error.details.get("path") or user.home)))
            continue
        for home in homes.homes:
            ownership = Ownership(uid=user.uid, gid=None, mode=mode)
            yield Place(home.auth_file, ownership, user, home.config_file, home.walk_as)


def holders_of(
    keys: Sequence[Key], params: Mapping[str, Any], *, taken: Set[Tuple[str, str]], problems: List[Problem]
) -> Iterator[Tuple[Key, Place, FileState]]:
    """Each key with ``search``, and each file that has it. What cannot be read, used or written becomes a problem.

    ``taken``: real path and repository of what other keys are meant for; it grows by what is found.
    """
    mode = file_mode(params["mode"])
    wanted = [key for key in keys if key.search is not None]
    places: Dict[Which, Place] = {place.which: place for place in _in_homes(mode, problems)}
    below: Dict[Which, Set[str]] = {which: set() for which in places}
    homes = frozenset(places)
    for root in dict.fromkeys(root for key in wanted for root in key.search or ()):
        for path in search(root, problems):
            place = Place(path, Ownership(uid=None, gid=None, mode=mode))
            places.setdefault(place.which, place)
            below.setdefault(place.which, set()).add(root)
    files = {which: (place.path, place.access) for which, place in places.items()}
    left = set(files)
    for which, seen in read_each(files, most=4 * MOST_BYTES):
        left.discard(which)
        place, state = places[which], seen.state
        if seen.error:
            problems.append(Problem(seen.error.code, seen.error.message, place.path))
        elif seen.unfit:
            text = f"{place.path} is not a file that Composer can use: {seen.unfit}"
            problems.append(Problem("malformed_file", text, place.path))
        elif state is not None and state.data is not None:
            here = [key for key in wanted if which in homes or not below[which].isdisjoint(key.search or ())]
            found = list(itertools.islice(_of_keys(here, state), _MOST_ENTRIES + 1))
            if len(found) > _MOST_ENTRIES:
                text = f"{place.path} has such keys for more than {_MOST_ENTRIES} repositories; run again"
                problems.append(Problem("read_failed", text, place.path))
            for key in found[:_MOST_ENTRIES]:
                if (state.real_path, key.repository) not in taken and _may_be_written(key, place, state, problems):
                    taken.add((state.real_path, key.repository))
                    yield key, place, state
    if left:
        problems.append(not_looked_at(places[min(left, key=str)].path, others=len(left) - 1))


def _of_keys(keys: Sequence[Key], state: FileState) -> Iterator[Key]:
    """The keys that stand in the file, each for the repository that it stands there for."""
    for entry in entries(parse(state.data or b"{}")):
        for key in keys:
            same = entry.section == HTTP_BASIC and entry.username == key.public_key
            if same and (key.anywhere or entry.repository == key.repository):
                yield replace(key, repository=entry.repository)
                break


def _may_be_written(key: Key, place: Place, state: FileState, problems: List[Problem]) -> bool:
    """Whether the key may be taken out of the file. Whoever put it where it may not keeps nobody from their key."""
    edit = Edit(key.repository, False, key.public_key)
    try:
        predict(state, replace(place, edits=((key, edit),)).wanted(broken=None))
    except KeyfleetError as error:
        problems.append(Problem(error.code, error.message, place.path))
        return False
    return True


def take_away(wanted: Sequence[Wanted], problems: List[Problem]) -> Dict[Which, Change]:
    """Write what `holders_of` found. What cannot be written becomes a problem, and keeps nothing else from it."""
    try:
        return {(change.wanted.path, change.wanted.walk_as): change for change in apply(wanted, lock_timeout=_PATIENCE)}
    except KeyfleetError as error:
        first: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
        done = {(change.wanted.path, change.wanted.walk_as): change for change in first}
        if len(done) == len(wanted):
            problems.append(Problem(error.code, error.message))
    until = time.monotonic() + _PATIENCE
    for one in wanted:
        which = (one.path, one.walk_as)
        if which not in done:
            try:
                (done[which],) = apply([one], settle=0.0, lock_timeout=max(0.0, until - time.monotonic()))
            except KeyfleetError as error:
                problems.append(Problem(error.code, error.message, one.path))
    return done
