# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write one file after the other as it is wanted, make the directories for it, and see to it that it stays so."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import acting_as
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import Place, failure, locate
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import (
    ATTEMPTS,
    STEP,
    judge,
    look,
    patiently,
    predict,
    primary_group,
    restless,
    state_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import (
    Moved,
    Pace,
    Snapshot,
    Wait,
    discard_left_over,
    maker_of,
    read_file,
    replace_file,
    temporary,
    temporary_name,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import (
    Change,
    FileState,
    Wanted,
    check_directory,
    new_directory_uid,
)

_REWRITES = 10


def make_directory(place: Place, uid: int, gid: int, owners: Sequence[int], wait: Wait) -> None:
    """Make the first missing directory of a place, 0700. ``owners`` and ``wait``: as in `temporary`."""
    name = place.missing[0]
    with temporary(place, place.acting, owners, wait, called=temporary_name(name), directory=True) as made:
        try:
            os.fchmod(made.fd, 0o700)
            info = os.fstat(made.fd)
            if (info.st_uid, info.st_gid) != (uid, gid):
                # On our own open directory, so this can reach nothing else.
                os.fchown(made.fd, uid, gid)
            with acting_as(place.acting):
                # Fails when there is something by now, unless it is an empty directory.
                os.rename(made.name, name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as exc:
            raise Moved() from exc
        except OSError as exc:
            raise failure(exc, f"make the directory {name} for it", place.path, place.acting) from exc


class Writer:
    """The part of ``apply`` that writes, with its clock."""

    def __init__(self, lock_timeout: float, patience: float, pace: Pace) -> None:
        self.lock_timeout = lock_timeout
        self.patience = patience
        self.pace = pace
        self._put: Set[Tuple[int, ...]] = set()

    def write(self, wanted: Wanted, last: Optional[bytes] = None) -> Change:
        """Read, decide and replace under the lock.

        ``last`` is what to restore if the file has become unfit. It has the secrets of others in it: it is put only in
        the place of the very file that had them, which Composer writes to as it is.
        """
        made: Optional[FileState] = None
        wait = Wait(self.lock_timeout, self.pace.clock() + self.lock_timeout, self.pace)
        for _attempt in range(ATTEMPTS):
            try:
                with locate(wanted.path, wanted.access) as place:
                    if place.missing:
                        state = state_of(place, None)
                        change = predict(state, wanted)
                        if change.after.data is None:
                            return change
                        self._make_directory(place, state, wanted, wait)
                        made = made or state
                        continue
                    change = self._write_here(place, wanted, last, wait)
            except Moved:
                continue
            return change if made is None else replace(change, before=made)
        raise restless(wanted.path)

    def _make_directory(self, place: Place, state: FileState, wanted: Wanted, wait: Wait) -> None:
        check_directory(state, wanted)
        uid, gid = new_directory_uid(state, wanted), wanted.ownership.gid
        gid = primary_group(state, uid) if gid is None else gid
        make_directory(place, uid, gid, (uid,), wait)

    def _write_here(self, place: Place, wanted: Wanted, last: Optional[bytes], wait: Wait) -> Change:
        _seen, change = self._planned(place, wanted, last)
        uid = change.after.uid
        if change.after is change.before or uid is None:
            discard_left_over(place, [one for one in (uid, wanted.ownership.uid) if one is not None])
            return change
        maker = maker_of(place, uid)
        with temporary(place, maker, (uid,), wait) as made:
            # Once more, now that no other run can be at work on the file.
            seen, change = self._planned(place, wanted, last)
            after = change.after
            if after is change.before or after.data is None or after.gid is None or after.mode is None:
                return change
            if after.uid != uid:
                raise Moved()
            self._put.add(_which(replace_file(place, made, seen, after.data, uid, after.gid, after.mode)))
            return change

    def _planned(self, place: Place, wanted: Wanted, last: Optional[bytes]) -> Tuple[Optional[Snapshot], Change]:
        seen, data = self._read(place, wanted, last)
        before = state_of(place, seen)
        after = judge(before, wanted, data)
        return seen, Change(wanted, before, before if after.data is None else after)

    def _read(self, place: Place, wanted: Wanted, last: Optional[bytes]) -> Tuple[Optional[Snapshot], Optional[bytes]]:
        seen: Optional[Snapshot] = None

        def transformed() -> Optional[bytes]:
            nonlocal seen
            seen = read_file(place, wanted.ownership.uid)
            return wanted.transform(None if seen is None else seen.data)

        try:
            data = patiently(transformed, self.patience, self.pace)
        except Unfit as exc:
            if last is not None and seen is not None and _which(seen.info) in self._put:
                data = last
            elif wanted.when_unfit is not None:
                data = wanted.when_unfit(None if seen is None else seen.data)
            else:
                raise malformed([problem_of(wanted, exc)]) from exc
        return seen, data

    def settle(self, done: List[Change], period: float) -> None:
        """Look again for a while: Composer may have read a file before it was replaced, and write it back after.

        Changes in ``done`` are brought up to date.
        """
        written = [number for number, change in enumerate(done) if change.changed]
        broken_since: Dict[int, float] = {}
        rewrites = 0
        until = self.pace.clock() + period
        end = until + _REWRITES * self.patience
        while written:
            for number in written:
                if self._holds(number, done[number].wanted, broken_since):
                    continue
                rewrites += 1
                if rewrites > _REWRITES:
                    raise restless(done[number].wanted.path)
                again = self.write(done[number].wanted, done[number].after.data)
                done[number] = replace(done[number], after=again.after)
                broken_since.pop(number, None)
                until = self.pace.clock() + period
            if self.pace.clock() >= until and not broken_since:
                return
            if self.pace.clock() >= end:
                raise restless(done[next(iter(broken_since), written[0])].wanted.path)
            self.pace.sleep(STEP)

    def _holds(self, number: int, wanted: Wanted, broken_since: Dict[int, float]) -> bool:
        try:
            data = look(wanted.path, wanted.access).data
            kept = wanted.transform(data) == data
        except Moved:
            return True  # it is being exchanged right now: the next look decides
        except Unfit:
            return self.pace.clock() - broken_since.setdefault(number, self.pace.clock()) <= self.patience
        broken_since.pop(number, None)
        return kept


def _which(info: os.stat_result) -> Tuple[int, ...]:
    """What tells a file from those that others may put in its place."""
    return info.st_dev, info.st_ino, info.st_uid, info.st_gid, info.st_mode


def problem_of(wanted: Wanted, exc: Unfit) -> Problem:
    """An unfit file as one of several problems."""
    return Problem("malformed_file", f"{exc.reason} ({exc.place})", wanted.path)


def malformed(problems: Sequence[Problem]) -> KeyfleetError:
    """All unfit files as one failure."""
    text = "; ".join(f"{problem.path} cannot be edited safely: {problem.message}" for problem in problems)
    return KeyfleetError("malformed_file", text, problems=problems)
