# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A credential file as it is, and as it would become. Nothing is changed here."""

from __future__ import annotations

import stat
import time
from typing import Callable, Optional, TypeVar

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import group_of
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import ANYBODY, Access, Place, locate
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import Moved, Pace, Snapshot, read_file
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Change, FileState, Wanted, decide

PATIENCE = 1.0  # seconds: Composer truncates and writes in place, which takes it milliseconds
STEP = 0.02
ATTEMPTS = 20

Seen = TypeVar("Seen")


def observe(
    path: str,
    *,
    parse: Callable[[bytes], object],
    patience: float = PATIENCE,
    access: Access = ANYBODY,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FileState:
    """The file as it is, without a lock. What ``parse`` finds Unfit is read again for a while before Unfit is raised.

    The file of ``access.owner`` can be read even where the owner of the directory may not.
    """

    def accept() -> FileState:
        state = look(path, access)
        if state.data is not None:
            parse(state.data)
        return state

    for _attempt in range(ATTEMPTS):
        try:
            return patiently(accept, patience, Pace(clock, sleep))
        except Moved:
            continue
    raise restless(path)


def predict(state: FileState, wanted: Wanted) -> Change:
    """What ``apply`` would do with this state, with the same refusals.

    One refusal is missing: a parent directory that nobody asked to make may be there by the time of the real run.
    Unfit is raised unless ``wanted.when_unfit`` helps.
    """
    try:
        data = wanted.transform(state.data)
    except Unfit:
        if wanted.when_unfit is None:
            raise
        data = wanted.when_unfit(state.data)
    return Change(wanted, state, judge(state, wanted, data))


def judge(state: FileState, wanted: Wanted, data: Optional[bytes]) -> FileState:
    """The decision of ``predict`` and of the real run, with the account database of this host."""
    return decide(state, wanted, data, primary_group=lambda uid: primary_group(state, uid))


def primary_group(state: FileState, uid: int) -> int:
    """The group that a new file of an account gets."""
    if not state.privileged:
        return state.acting.gid
    return group_of(uid, directory_uid=state.directory_uid, directory_gid=state.directory_gid)


def look(path: str, access: Access) -> FileState:
    """The file at this moment."""
    with locate(path, access) as place:
        return state_of(place, read_file(place, access.owner))


def state_of(place: Place, seen: Optional[Snapshot]) -> FileState:
    """What was seen at a place, without its open directory."""
    info = None if seen is None else seen.info
    return FileState(
        path=place.path,
        real_path=place.real_path,
        data=None if seen is None else seen.data,
        uid=None if info is None else info.st_uid,
        gid=None if info is None else info.st_gid,
        mode=None if info is None else stat.S_IMODE(info.st_mode),
        group_reads=seen is not None and seen.group_reads,
        directory_exists=not place.missing,
        directory_uid=place.directory_info.st_uid,
        directory_gid=place.directory_info.st_gid,
        shared=place.shared and not place.missing,
        movable=place.movable,
        missing_directories=len(place.missing),
        acting=place.acting,
        bound=place.bound,
        led=place.led,
        privileged=place.privileged,
    )


def patiently(action: Callable[[], Seen], patience: float, pace: Pace) -> Seen:
    """Try again for a while as long as the file is Unfit: Composer may be in the middle of writing it."""
    until = pace.clock() + patience
    while True:
        try:
            return action()
        except Unfit:
            if pace.clock() >= until:
                raise
            pace.sleep(STEP)


def restless(path: str) -> KeyfleetError:
    """For a file that never stands still."""
    return KeyfleetError(
        "write_failed",
        f"{path}: another program changes it again and again. Find it, and run this once more.",
        path=path,
    )
