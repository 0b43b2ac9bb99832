# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file in one open directory: read it, lock it, put another in its place, make its directory.

Every name is looked up in the open directory and never followed, so nothing here can be led away by a link.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._identity import Identity, account_name, acting_as
from ansible_collections.keyfleet.magento.plugins.module_utils._safe_path import Place, failure, kind_of, not_a_file

LARGEST = 4 * 1024 * 1024
_LOCK_STEP = 0.02
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Moved(Exception):
    """Somebody changed the file or its directory in the meantime. Start again from ``/``."""


@dataclass(frozen=True)
class Pace:
    """Time, so that tests can have their own."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]


def temporary_name(name: str) -> str:
    """Always the same name, so that the next run finds what a killed one left."""
    return f".{name}.keyfleet"


def read_file(place: Place, owner: Optional[int] = None) -> Optional[Tuple[bytes, os.stat_result]]:
    """Bytes and facts of the file, None when there is none. ``owner``: the account it was asked to belong to."""
    if place.missing:
        return None
    if place.info is not None and not stat.S_ISREG(place.info.st_mode):
        raise not_a_file(place.path, place.info.st_mode)
    try:
        with acting_as(place.acting):
            fd = os.open(place.name, _READ_FLAGS, dir_fd=place.directory)
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        fd = _open_unreadable(place, owner, exc)
    except OSError as exc:
        raise _read_failure(exc, place) from exc
    try:
        return _read_open(place, fd)
    finally:
        os.close(fd)


def _read_failure(exc: OSError, place: Place) -> Exception:
    if exc.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
        return Moved()  # a link or a socket now: the next walk sees it
    return failure(exc, "read it", place.path, place.acting, code="read_failed")


def _read_open(place: Place, fd: int) -> Tuple[bytes, os.stat_result]:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise not_a_file(place.path, info.st_mode)
    pieces: List[bytes] = []
    size = 0
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError as exc:
            raise _read_failure(exc, place) from exc
        if not piece:
            return b"".join(pieces), info
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise KeyfleetError(
                "not_a_file",
                f"{place.path} is larger than {LARGEST} bytes: not a file of credentials.",
                path=place.path,
            )


def _open_unreadable(place: Place, owner: Optional[int], exc: PermissionError) -> int:
    """A forgotten chown leaves root's file in a user's own directory. Root may read that one, and no other's."""
    try:
        with acting_as(place.acting):
            info = os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
    except OSError as other:
        raise failure(other, "look at it", place.path, place.acting, code="read_failed") from other
    mine = (0, place.acting.uid, place.acting.uid if owner is None else owner)

    def repairable(facts: os.stat_result) -> bool:
        return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid in mine

    if place.privileged and place.directory_info.st_uid == place.acting.uid and repairable(info):
        with acting_as(place.own):
            try:
                fd = os.open(place.name, _READ_FLAGS, dir_fd=place.directory)
            except OSError as other:
                raise _read_failure(other, place) from other
        # Once more by the open file: the name could mean another one by now.
        if repairable(os.fstat(fd)):
            return fd
        os.close(fd)
        raise Moved()
    if info.st_uid == place.acting.uid:
        raise failure(exc, "read it", place.path, place.acting) from exc
    raise _foreign(place, info) from exc


def _foreign(place: Place, info: os.stat_result) -> KeyfleetError:
    names = "" if info.st_nlink == 1 else f" and has {info.st_nlink} names (hard links)"
    return KeyfleetError(
        "foreign_owner",
        f"{place.path} belongs to {account_name(info.st_uid)}{names}, mode {stat.S_IMODE(info.st_mode):04o}, and "
        f"{place.acting} may not read it. Composer would fail on it, too. Give it to its reader (chown) or remove it.",
        path=place.path,
        uid=info.st_uid,
        gid=info.st_gid,
        mode=stat.S_IMODE(info.st_mode),
    )


@contextmanager
def locked(place: Place, timeout: float, pace: Pace) -> Iterator[int]:
    """Hold the lock of the open directory; yields a descriptor of it that can be synced."""
    try:
        with acting_as(place.acting):
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.directory)
    except FileNotFoundError as exc:
        raise Moved() from exc
    except OSError as exc:
        raise failure(exc, "open its directory", place.path, place.acting) from exc
    try:
        _wait_for_lock(place, fd, timeout, pace)
        yield fd
    finally:
        os.close(fd)


def _wait_for_lock(place: Place, fd: int, timeout: float, pace: Pace) -> None:
    until = pace.clock() + timeout
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if pace.clock() >= until:
                raise KeyfleetError(
                    "lock_timeout",
                    f"{place.path}: another process has held the lock on {place.directory_path} for {timeout:g} s. It "
                    f"may be another run of this collection: `lslocks` or `fuser -v {place.directory_path}` names it.",
                    path=place.path,
                ) from exc
            pace.sleep(_LOCK_STEP)
        except OSError as exc:
            raise failure(exc, "lock its directory", place.path, place.acting) from exc


def discard_temporary(place: Place) -> None:
    """Remove what a killed run left. Only under the lock: then nobody is at work on it."""
    name = temporary_name(place.name)
    try:
        with acting_as(place.acting):
            info = os.stat(name, dir_fd=place.directory, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                raise KeyfleetError(
                    "not_a_file",
                    f"{place.path}: the name of its temporary file, {name}, is taken by {kind_of(info.st_mode)}. "
                    "Move it away.",
                    path=place.path,
                )
            os.unlink(name, dir_fd=place.directory)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise failure(exc, f"remove the left-over {name} beside it", place.path, place.acting) from exc


def replace_file(
    place: Place,
    directory: int,
    seen: Optional[Tuple[bytes, os.stat_result]],
    data: bytes,
    uid: int,
    gid: int,
    mode: int,
) -> None:
    """Put a new file in the place of the one that was ``seen``; Moved when it is not that one any more."""
    name = temporary_name(place.name)
    # The owner of a directory could open a new file of his own before it is given away, and read another's keys in it.
    apart = place.privileged and place.directory_info.st_uid == place.acting.uid != uid
    who = place.own if apart else place.acting
    with acting_as(who), _translated(place, who):
        try:
            fd = os.open(name, _NEW_FLAGS, 0o600, dir_fd=place.directory)
        except (FileNotFoundError, FileExistsError) as exc:
            raise Moved() from exc
        try:
            try:
                _fill(place, fd, data, uid, gid, mode)
            finally:
                os.close(fd)
            if not _same(seen, read_file(place, uid)):
                raise Moved()
            os.rename(name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except BaseException as exc:
            _unlink_quietly(name, place.directory)
            if isinstance(exc, (IsADirectoryError, FileNotFoundError)):
                raise Moved() from exc
            raise
        _sync_directory(directory)


@contextmanager
def _translated(place: Place, who: Identity) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise failure(exc, "write it", place.path, who) from exc


def _fill(place: Place, fd: int, data: bytes, uid: int, gid: int, mode: int) -> None:
    info = os.fstat(fd)
    if (info.st_uid, info.st_gid) != (uid, gid):
        _as_needed(place, lambda: os.fchown(fd, uid, gid))
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    _as_needed(place, lambda: os.fchmod(fd, mode))
    os.fsync(fd)


def _as_needed(place: Place, action: Callable[[], None]) -> None:
    """By the acting account if it may, else by root: on our own open file that can reach nothing else."""
    try:
        action()
    except PermissionError:
        if not place.privileged:
            raise
        with acting_as(place.own):
            action()


def _same(one: Optional[Tuple[bytes, os.stat_result]], two: Optional[Tuple[bytes, os.stat_result]]) -> bool:
    if one is None or two is None:
        return one is two
    return one[0] == two[0] and (one[1].st_dev, one[1].st_ino) == (two[1].st_dev, two[1].st_ino)


def _unlink_quietly(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        return  # the error that led here is the one to tell


def _sync_directory(directory: int) -> None:
    try:
        os.fsync(directory)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
