# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files one after the other, create their directories, and check that the files stay as written."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    ATTEMPTS,
    REREAD_SECONDS,
    STEP,
    file_keeps_changing,
    look,
    observe,
    predict,
    primary_group,
    reread,
    state_after,
    state_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import acting_as
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import Location, locate, path_error
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import (
    Moved,
    Snapshot,
    Timing,
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


def make_directory(location: Location, uid: int, gid: int, owners: Sequence[int], wait: Wait) -> None:
    """Create the first missing directory of a location, mode 0700. ``owners`` and ``wait``: as in `temporary`."""
    name = location.missing[0]
    with temporary(location, location.acting, owners, wait, called=temporary_name(name), directory=True) as made:
        try:
            os.fchmod(made.fd, 0o700)
            info = os.fstat(made.fd)
            if (info.st_uid, info.st_gid) != (uid, gid):
                # On our own open directory, so nothing else can be affected.
                os.fchown(made.fd, uid, gid)
            with acting_as(location.acting):
                # Fails if the name exists by now, unless it is an empty directory.
                os.rename(made.name, name, src_dir_fd=location.directory, dst_dir_fd=location.directory)
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as exc:
            raise Moved() from exc
        except OSError as exc:
            raise path_error(exc, f"make the directory {name} for it", location.path, location.acting) from exc


def apply(
    wanted: Sequence[Wanted],
    *,
    lock_timeout: float = 30.0,
    settle: float = 0.25,
    reread_for: float = REREAD_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> List[Change]:
    """Write all files as wanted. All files are read and checked before the first one is written.

    The details of a `KeyfleetError` hold the changes made before it as ``done``.
    """
    timing = Timing(clock, sleep)
    writer = Writer(lock_timeout, reread_for, timing)
    done: List[Change] = []
    try:
        _examine(wanted, reread_for, timing)
        for one in wanted:
            done.append(writer.write(one))
        writer.settle(done, settle)
    except KeyfleetError as exc:
        exc.details["done"] = list(done)
        raise
    return done


def _examine(wanted: Sequence[Wanted], reread_for: float, timing: Timing) -> None:
    """Raise the errors that can be found before the first write; all malformed files in one error."""
    problems = []
    for one in wanted:
        try:
            state = observe(
                one.path,
                parse=one.transform,
                reread_for=reread_for,
                access=one.access,
                clock=timing.clock,
                sleep=timing.sleep,
            )
            change = predict(state, one)
        except MalformedFile as exc:
            problems.append(problem_of(one, exc))
            continue
        if change.after.data is not None:
            check_directory(state, one)
    if problems:
        raise malformed_files(problems)


class Writer:
    """Writes the files of one ``apply``, with its time limits and clock."""

    def __init__(self, lock_timeout: float, reread_for: float, timing: Timing) -> None:
        self.lock_timeout = lock_timeout
        self.reread_for = reread_for
        self.timing = timing
        self._put: Set[Tuple[int, ...]] = set()

    def write(self, wanted: Wanted, last: Optional[bytes] = None) -> Change:
        """Read, decide and replace under the lock.

        ``last`` is the content to restore if the file has become malformed. Since it holds the secrets of others, it is
        written only if the file is still one that this object wrote: Composer writes to it in place.
        """
        made: Optional[FileState] = None
        wait = Wait(self.lock_timeout, self.timing.clock() + self.lock_timeout, self.timing)
        for _attempt in range(ATTEMPTS):
            try:
                with locate(wanted.path, wanted.access) as location:
                    if location.missing:
                        state = state_of(location, None)
                        change = predict(state, wanted)
                        if change.after.data is None:
                            return change
                        self._make_directory(location, state, wanted, wait)
                        made = made or state
                        continue
                    change = self._write_here(location, wanted, last, wait)
            except Moved:
                continue
            return change if made is None else replace(change, before=made)
        raise file_keeps_changing(wanted.path)

    def _make_directory(self, location: Location, state: FileState, wanted: Wanted, wait: Wait) -> None:
        check_directory(state, wanted)
        uid, gid = new_directory_uid(state, wanted), wanted.ownership.gid
        gid = primary_group(state, uid) if gid is None else gid
        make_directory(location, uid, gid, (uid,), wait)

    def _write_here(self, location: Location, wanted: Wanted, last: Optional[bytes], wait: Wait) -> Change:
        _seen, change = self._planned(location, wanted, last)
        uid = change.after.uid
        if change.after is change.before or uid is None:
            discard_left_over(location, [one for one in (uid, wanted.ownership.uid) if one is not None])
            return change
        maker = maker_of(location, uid)
        with temporary(location, maker, (uid,), wait) as made:
            # Again under the lock, which keeps other runs away from the file.
            seen, change = self._planned(location, wanted, last)
            after = change.after
            if after is change.before or after.data is None or after.gid is None or after.mode is None:
                return change
            if after.uid != uid:
                raise Moved()
            self._put.add(_which(replace_file(location, made, seen, after.data, uid, after.gid, after.mode)))
            return change

    def _planned(self, location: Location, wanted: Wanted, last: Optional[bytes]) -> Tuple[Optional[Snapshot], Change]:
        seen, data = self._read(location, wanted, last)
        before = state_of(location, seen)
        after = state_after(before, wanted, data)
        return seen, Change(wanted, before, before if after.data is None else after)

    def _read(
        self, location: Location, wanted: Wanted, last: Optional[bytes]
    ) -> Tuple[Optional[Snapshot], Optional[bytes]]:
        seen: Optional[Snapshot] = None

        def transformed() -> Optional[bytes]:
            nonlocal seen
            seen = read_file(location, wanted.ownership.uid)
            return wanted.transform(None if seen is None else seen.data)

        try:
            data = reread(transformed, self.reread_for, self.timing)
        except MalformedFile as exc:
            if last is not None and seen is not None and _which(seen.info) in self._put:
                data = last
            else:
                raise malformed_files([problem_of(wanted, exc)]) from exc
        return seen, data

    def settle(self, done: List[Change], period: float) -> None:
        """Check the written files for ``period`` seconds: Composer may write back what it read before the replacement.

        Updates the changes in ``done``.
        """
        written = [number for number, change in enumerate(done) if change.changed]
        broken_since: Dict[int, float] = {}
        rewrites = 0
        until = self.timing.clock() + period
        end = until + _REWRITES * self.reread_for
        while written:
            for number in written:
                if self._holds(number, done[number].wanted, broken_since):
                    continue
                rewrites += 1
                if rewrites > _REWRITES:
                    raise file_keeps_changing(done[number].wanted.path)
                again = self.write(done[number].wanted, done[number].after.data)
                done[number] = replace(done[number], after=again.after)
                broken_since.pop(number, None)
                until = self.timing.clock() + period
            if self.timing.clock() >= until and not broken_since:
                return
            if self.timing.clock() >= end:
                raise file_keeps_changing(done[next(iter(broken_since), written[0])].wanted.path)
            self.timing.sleep(STEP)

    def _holds(self, number: int, wanted: Wanted, broken_since: Dict[int, float]) -> bool:
        try:
            data = look(wanted.path, wanted.access).data
            kept = wanted.transform(data) == data
        except Moved:
            return True  # it is being replaced at this moment: the next check decides
        except MalformedFile:
            return self.timing.clock() - broken_since.setdefault(number, self.timing.clock()) <= self.reread_for
        broken_since.pop(number, None)
        return kept


def _which(info: os.stat_result) -> Tuple[int, ...]:
    """The facts that distinguish a file from any that others may put in its place."""
    return info.st_dev, info.st_ino, info.st_uid, info.st_gid, info.st_mode


def problem_of(wanted: Wanted, exc: MalformedFile) -> Problem:
    """A malformed file as a Problem."""
    return Problem("malformed_file", f"{exc.reason} ({exc.place})", wanted.path)


def malformed_files(problems: Sequence[Problem]) -> KeyfleetError:
    """All malformed files as one failure."""
    text = "; ".join(f"{problem.path} cannot be edited safely: {problem.message}" for problem in problems)
    return KeyfleetError("malformed_file", text, problems=problems)
