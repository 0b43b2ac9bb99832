# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read credential files and predict their changes, without writing."""

from __future__ import annotations

import stat
import time
from typing import Callable, Hashable, Iterator, Mapping, NamedTuple, Optional, Tuple, TypeVar

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import group_of
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import ANYBODY, Access, Location, locate
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import Moved, Snapshot, Timing, read_file
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Change, FileState, Wanted, decide

REREAD_SECONDS = 1.0  # Composer truncates and writes in place, which takes milliseconds
STEP = 0.02
ATTEMPTS = 20

# Bytes that a file counts for beside its size: for the look-up, and for each character of its path, which is repeated
# in every row.
_LEAST = 1024
_CHARACTER = 4

Key = TypeVar("Key", bound=Hashable)
Read = TypeVar("Read")


class Seen(NamedTuple):
    """A file as it was read, or the ``error`` that prevented it. ``malformed``: why the bytes cannot be used."""

    state: Optional[FileState]
    malformed: Optional[MalformedFile] = None
    error: Optional[KeyfleetError] = None


def observe(
    path: str,
    *,
    parse: Callable[[bytes], object],
    reread_for: float = REREAD_SECONDS,
    access: Access = ANYBODY,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FileState:
    """Read the file without a lock. While ``parse`` raises MalformedFile, it is read again for ``reread_for`` seconds.

    A file of ``access.owner`` is read even if the owner of the directory may not read it.
    """

    def accept() -> FileState:
        state = look(path, access)
        if state.data is not None:
            parse(state.data)
        return state

    for _attempt in range(ATTEMPTS):
        try:
            return reread(accept, reread_for, Timing(clock, sleep))
        except Moved:
            continue
    raise file_keeps_changing(path)


def _look(path: str, access: Access, parse: Callable[[bytes], object], reread_for: float) -> Seen:
    try:
        try:
            return Seen(observe(path, parse=parse, access=access, reread_for=reread_for))
        except MalformedFile:
            state = observe(path, parse=bytes, access=access)
    except KeyfleetError as error:
        return Seen(None, error=error)
    try:
        # The bytes that are shown or overwritten must be those that were judged.
        if state.data is not None:
            parse(state.data)
    except MalformedFile as malformed:
        return Seen(state, malformed)
    return Seen(state)


def read_each(
    files: Mapping[Key, Tuple[str, Access]],
    parse: Callable[[bytes], object],
    *,
    most: Optional[int] = None,
    reread_for: float = REREAD_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Tuple[Key, Seen]]:
    """Yield every file with its key. The values of ``files`` are a path and the `Access` to use.

    Malformed files come last: they are read again until ``reread_for`` seconds after the first reading of all files.
    No file is kept, so that many large ones take no more memory than one. After ``most`` bytes the remaining files and
    the malformed ones are skipped.
    """
    malformed = []
    left = most
    for key, (path, access) in files.items():
        seen = _look(path, access, parse, 0.0)
        if left is not None:
            left -= _LEAST + _CHARACTER * len(path) + len(seen.state.data or b"" if seen.state else b"")
            if left < 0:
                return
        if seen.malformed:
            malformed.append(key)
        else:
            yield key, seen
    until = clock() + reread_for
    for key in malformed:
        path, access = files[key]
        yield key, _look(path, access, parse, max(0.0, until - clock()))


def predict(state: FileState, wanted: Wanted) -> Change:
    """The change that ``apply`` would make to this state. Raises the same errors, with one exception.

    A missing parent directory that is not to be made is no error here: it may exist by the time of the real run.
    """
    return Change(wanted, state, state_after(state, wanted, wanted.transform(state.data)))


def state_after(state: FileState, wanted: Wanted, data: Optional[bytes]) -> FileState:
    """The state after the change, for ``predict`` and the real run, with the account database of this host."""
    return decide(state, wanted, data, primary_group=lambda uid: primary_group(state, uid))


def primary_group(state: FileState, uid: int) -> int:
    """The gid of a new file of account ``uid``."""
    if not state.privileged:
        return state.acting.gid
    return group_of(uid, directory_uid=state.directory_uid, directory_gid=state.directory_gid)


def look(path: str, access: Access) -> FileState:
    """The current state of the file."""
    with locate(path, access) as location:
        return state_of(location, read_file(location, access.owner))


def state_of(location: Location, seen: Optional[Snapshot]) -> FileState:
    """The state of the file at an opened path, without the open directory."""
    info = None if seen is None else seen.info
    return FileState(
        path=location.path,
        real_path=location.real_path,
        data=None if seen is None else seen.data,
        uid=None if info is None else info.st_uid,
        gid=None if info is None else info.st_gid,
        mode=None if info is None else stat.S_IMODE(info.st_mode),
        group_reads=seen is not None and seen.group_reads,
        directory_exists=not location.missing,
        directory_uid=location.directory_info.st_uid,
        directory_gid=location.directory_info.st_gid,
        shared=location.shared and not location.missing,
        movable=location.movable,
        missing_directories=len(location.missing),
        acting=location.acting,
        bound=location.bound,
        led=location.led,
        privileged=location.privileged,
    )


def reread(action: Callable[[], Read], reread_for: float, timing: Timing) -> Read:
    """Retry ``action`` for ``reread_for`` seconds while the file is malformed: Composer may be writing it."""
    until = timing.clock() + reread_for
    while True:
        try:
            return action()
        except MalformedFile:
            if timing.clock() >= until:
                raise
            timing.sleep(STEP)


def file_keeps_changing(path: str) -> KeyfleetError:
    """The error for a file that other programs keep changing."""
    return KeyfleetError(
        "write_failed",
        f"{path}: another program changes it again and again. Find that program, and run this again.",
        path=path,
    )
