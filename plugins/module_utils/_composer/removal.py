# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and clean the files that hold keys with ``search``: in all homes, and below the directories searched."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from .._argspec import Key, file_mode
from .._errors import KeyfleetError, Problem
from .._files.accounts import all_accounts
from .._files.pipeline import TargetId
from .._files.read import predict, read_each
from .._files.state import Change, FileState, Ownership, Wanted
from .._files.write import apply
from .auth_json import HTTP_BASIC, entries, parse
from .home import composer_homes
from .precedence import MOST_BYTES, faults, not_looked_at
from .search import search
from .targets import KeyTarget

# Seconds to wait for locks of other processes: per file, and after a failure for all files together.
_LOCK_SECONDS = 10.0
# Per file and run, since the writer of a file may put any number into it.
_MOST_ENTRIES = 20


def _in_homes(mode: int, problems: List[Problem]) -> Iterator[KeyTarget]:
    for user in all_accounts():
        try:
            homes = composer_homes(user, environ=None)
        except KeyfleetError as error:
            problems.append(Problem(error.code, error.message, str(error.details.get("path") or user.home)))
            continue
        for home in homes.homes:
            ownership = Ownership(uid=user.uid, gid=None, mode=mode)
            yield KeyTarget(
                path=home.auth_file, ownership=ownership, user=user, walk_as=home.walk_as, config_file=home.config_file
            )


def holders_of(
    keys: Sequence[Key], params: Mapping[str, Any], *, taken: Set[Tuple[str, str]], problems: List[Problem]
) -> Iterator[Tuple[Key, KeyTarget, FileState]]:
    """Yield each key with ``search`` and each file that has it. Files that cannot be read or written become problems.

    ``taken``: real path and repository of the entries of other keys; the entries found are added to it.
    """
    mode = file_mode(params["mode"])
    wanted = [key for key in keys if key.search is not None]
    targets: Dict[TargetId, KeyTarget] = {target.which: target for target in _in_homes(mode, problems)}
    below: Dict[TargetId, Set[str]] = {which: set() for which in targets}
    homes = frozenset(targets)
    for root in dict.fromkeys(root for key in wanted for root in key.search or ()):
        for path in search(root, problems):
            target = KeyTarget(path, Ownership(uid=None, gid=None, mode=mode))
            targets.setdefault(target.which, target)
            below.setdefault(target.which, set()).add(root)
    files = {which: (target.path, target.access) for which, target in targets.items()}
    left = set(files)
    for which, seen in read_each(files, parse, most=4 * MOST_BYTES):
        left.discard(which)
        target, state = targets[which], seen.state
        problems.extend(faults(target.path, seen))
        if state is not None and state.data is not None and not seen.malformed:
            here = [key for key in wanted if which in homes or not below[which].isdisjoint(key.search or ())]
            found = list(itertools.islice(_of_keys(here, state), _MOST_ENTRIES + 1))
            if len(found) > _MOST_ENTRIES:
                text = f"{target.path} has keys to remove for more than {_MOST_ENTRIES} repositories; run again"
                problems.append(Problem("read_failed", text, target.path))
            for key in found[:_MOST_ENTRIES]:
                if (state.real_path, key.repository) not in taken and _may_be_written(key, target, state, problems):
                    taken.add((state.real_path, key.repository))
                    yield key, target, state
    if left:
        problems.append(not_looked_at(targets[min(left, key=str)].path, others=len(left) - 1))


def _of_keys(keys: Sequence[Key], state: FileState) -> Iterator[Key]:
    """Yield the keys in the file, each with the repository of its entry."""
    for entry in entries(parse(state.data or b"{}")):
        for key in keys:
            same = entry.section == HTTP_BASIC and entry.username == key.public_key
            if same and (key.anywhere or entry.repository == key.repository):
                yield key._replace(repository=entry.repository)
                break


def _may_be_written(key: Key, target: KeyTarget, state: FileState, problems: List[Problem]) -> bool:
    """Whether the key may be removed from the file. A file that may not be written becomes a problem, not a failure."""
    try:
        predict(state, replace(target, keys=(key,)).wanted())
    except KeyfleetError as error:
        problems.append(Problem(error.code, error.message, target.path))
        return False
    return True


def remove_keys(wanted: Sequence[Wanted], problems: List[Problem]) -> Dict[TargetId, Change]:
    """Write the files that `holders_of` found. One that cannot be written becomes a problem; the others are written."""
    try:
        return {change.which: change for change in apply(wanted, lock_timeout=_LOCK_SECONDS)}
    except KeyfleetError as error:
        first: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
        done = {change.which: change for change in first}
        if len(done) == len(wanted):
            problems.append(Problem(error.code, error.message))
    until = time.monotonic() + _LOCK_SECONDS
    for one in wanted:
        which = (one.path, one.walk_as)
        if which not in done:
            try:
                (done[which],) = apply([one], settle=0.0, lock_timeout=max(0.0, until - time.monotonic()))
            except KeyfleetError as error:
                problems.append(Problem(error.code, error.message, one.path))
    return done
