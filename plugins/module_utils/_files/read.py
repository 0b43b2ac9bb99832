# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read credential files and predict their changes, without writing."""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
from contextlib import suppress
from typing import Callable, Hashable, Iterator, Mapping, NamedTuple, Optional, Tuple, TypeVar

from .._errors import KeyfleetError, MalformedFile
from .accounts import Identity, account_name, acting_as, identity_of
from .path import ANYBODY, Access, Location, locate, not_a_file, path_error, reporting
from .state import Change, FileState, Wanted, decide

LARGEST = 4 * 1024 * 1024
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
ACL = "system.posix_acl_access"
# As in linux/posix_acl_xattr.h: a version, then tag, permissions and id of every entry.
ACL_HEADER, ACL_ENTRY = 4, struct.Struct("<HHI")
ACL_OWNER, ACL_NAMED_USER, ACL_GROUP, ACL_NAMED_GROUP, ACL_MASK, ACL_OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ACL_OF_OTHERS = (ACL_NAMED_USER, ACL_GROUP, ACL_NAMED_GROUP)

REREAD_SECONDS = 1.0  # Composer truncates and writes in place, which takes milliseconds
STEP = 0.02
ATTEMPTS = 20

# Bytes that a file counts for beside its size: for the look-up, and for each character of its path, which is repeated
# in every row.
_LEAST = 1024
_CHARACTER = 4

Key = TypeVar("Key", bound=Hashable)
Read = TypeVar("Read")


class Moved(Exception):
    """The file or its directory was changed in the meantime. The caller starts again from ``/``."""


class Snapshot(NamedTuple):
    """A file as it was read: content, stat result, and whether every member of its group could read it."""

    data: bytes
    info: os.stat_result
    group_reads: bool

    def __repr__(self) -> str:
        return f"Snapshot({self.info})"


def read_file(location: Location, owner: Optional[int] = None) -> Optional[Snapshot]:
    """Read the file; None if it does not exist. ``owner`` is the requested owner."""
    if location.missing:
        return None
    if location.info is not None and not stat.S_ISREG(location.info.st_mode):
        raise not_a_file(location.path, location.info.st_mode)
    try:
        with acting_as(location.acting):
            fd = open_file(location)
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        fd = _open_unreadable(location, owner, exc)
    except OSError as exc:
        raise _read_failure(exc, location) from exc
    try:
        seen = _read_open(location, fd)
    finally:
        os.close(fd)
    info = seen.info
    # A file that others may have moved here is refused if the requested owner could not read it by himself. The
    # excluded cases are refused later, with a more exact reason.
    if (
        owner
        and owner != info.st_uid
        and location.movable
        and not location.led
        and not (location.shared and info.st_uid)
        and not _may_read(location, info, identity_of(owner))
    ):
        raise KeyfleetError(
            "foreign_owner",
            f"{location.path} belongs to {account_name(info.st_uid)}, and may have been moved there, as others may "
            f"write to a directory above it; {account_name(owner)} may not read it. Give it to that account (chown), "
            "or remove it.",
            path=location.path,
        )
    return seen


def _may_read(location: Location, info: os.stat_result, who: Identity) -> bool:
    """Whether an account can open a file by its path. Opening it also covers ACLs."""
    try:
        with acting_as(who):
            fd = os.open(location.real_path, READ_FLAGS)
    except OSError:
        return False
    try:
        return os.path.samestat(os.fstat(fd), info)
    finally:
        os.close(fd)


def open_file(location: Location) -> int:
    return os.open(location.name, READ_FLAGS, dir_fd=location.directory)


def _read_failure(exc: OSError, location: Location) -> Exception:
    if exc.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
        return Moved()  # it is a link or a socket now, which the next walk reports
    return path_error(exc, "read it", location.path, location.acting, code="read_failed")


def _group_reads(fd: int, mode: int) -> bool:
    """Whether every member of the group may read. With an ACL, the group bits of the mode are only its mask."""
    try:
        acl = os.getxattr(fd, ACL)
    except (OSError, AttributeError):
        acl = b""
    entries = ACL_ENTRY.iter_unpack(acl[ACL_HEADER:])
    return bool(mode & stat.S_IRGRP) and all(granted & 4 for tag, granted, _id in entries if tag in ACL_OF_OTHERS)


def acl_within(acl: bytes, mode: int) -> bytes:
    """Set the bits of a mode in an ACL: the kernel sets the mode from it, which must never be wider than wanted."""
    entries = list(ACL_ENTRY.iter_unpack(acl[ACL_HEADER:]))
    # If the ACL has a mask, the group bits of the mode are the mask.
    group = ACL_MASK if any(tag == ACL_MASK for tag, _granted, _id in entries) else ACL_GROUP
    bits = {ACL_OWNER: mode >> 6 & 7, group: mode >> 3 & 7, ACL_OTHER: mode & 7}
    return acl[:ACL_HEADER] + b"".join(
        ACL_ENTRY.pack(tag, bits.get(tag, granted), who) for tag, granted, who in entries
    )


def _read_open(location: Location, fd: int) -> Snapshot:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise not_a_file(location.path, info.st_mode)
    data = bytearray()
    # Files of size 0 are not read: those in /proc can take seconds. If Composer is writing it, it is read again later.
    while info.st_size:
        try:
            piece = os.read(fd, 65536)
        except OSError as exc:
            raise _read_failure(exc, location) from exc
        if not piece:
            break
        data += piece
        if len(data) > LARGEST:
            raise KeyfleetError(
                "not_a_file",
                f"{location.path} is larger than {LARGEST} bytes, too large for a credential file.",
                path=location.path,
            )
    return Snapshot(bytes(data), info, _group_reads(fd, info.st_mode))


def _open_unreadable(location: Location, owner: Optional[int], exc: PermissionError) -> int:
    """Open a file as root that the owner of its directory may not read.

    Only a file of that owner or of the requested ``owner``: any other could be a file of root that was moved here.
    """
    with reporting(location, "inspect it", code="read_failed"), acting_as(location.acting):
        info = os.stat(location.name, dir_fd=location.directory, follow_symlinks=False)
    mine = (location.acting.uid, location.acting.uid if owner is None else owner)

    def repairable(facts: os.stat_result) -> bool:
        return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid in mine

    if location.privileged and location.directory_info.st_uid == location.acting.uid and repairable(info):
        with acting_as(location.own):
            try:
                fd = open_file(location)
            except OSError as other:
                raise _read_failure(other, location) from other
        # Checked again on the open file, since the name could refer to another file by now.
        if repairable(os.fstat(fd)):
            return fd
        os.close(fd)
        raise Moved()
    if info.st_uid == location.acting.uid:
        raise path_error(exc, "read it", location.path, location.acting) from exc
    names = "" if info.st_nlink == 1 else f" and has {info.st_nlink} names (hard links)"
    raise KeyfleetError(
        "foreign_owner",
        f"{location.path} belongs to {account_name(info.st_uid)}{names}, mode {stat.S_IMODE(info.st_mode):04o}, and "
        f"{location.acting} may not read it. Give it to the user who shall read it (chown), or remove it.",
        path=location.path,
    ) from exc


class Seen(NamedTuple):
    """A file as it was read, or the ``error`` that prevented it. ``malformed``: why the bytes cannot be used."""

    state: Optional[FileState]
    malformed: Optional[MalformedFile] = None
    error: Optional[KeyfleetError] = None


def observe(
    path: str, *, parse: Callable[[bytes], object], reread_for: float = REREAD_SECONDS, access: Access = ANYBODY
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
        with suppress(Moved):
            return reread(accept, reread_for)
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
    until = time.monotonic() + reread_for
    for key in malformed:
        path, access = files[key]
        yield key, _look(path, access, parse, max(0.0, until - time.monotonic()))


def predict(state: FileState, wanted: Wanted) -> Change:
    """The change that ``apply`` would make to this state. Raises the same errors, with one exception.

    A missing parent directory that is not to be made is no error here: it may exist by the time of the real run.
    """
    return Change(wanted, state, decide(state, wanted, wanted.transform(state.data)))


def temporary_name(name: str) -> str:
    """The name of the temporary file. It is constant, so that the next run finds the file of a killed run."""
    return f".{name}.keyfleet"


def _left_over(location: Location) -> bool:
    """Whether a temporary file exists, which a killed run may have left."""
    if location.missing:
        return False
    with suppress(OSError), acting_as(location.acting):
        os.stat(temporary_name(location.name), dir_fd=location.directory, follow_symlinks=False)
        return True
    return False


def look(path: str, access: Access) -> FileState:
    """The current state of the file."""
    with locate(path, access) as location:
        state = state_of(location, read_file(location, access.owner))
        return state._replace(left_over=_left_over(location))


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


def reread(action: Callable[[], Read], reread_for: float) -> Read:
    """Retry ``action`` for ``reread_for`` seconds while the file is malformed: Composer may be writing it."""
    until = time.monotonic() + reread_for
    while True:
        try:
            return action()
        except MalformedFile:
            if time.monotonic() >= until:
                raise
            time.sleep(STEP)


def file_keeps_changing(path: str) -> KeyfleetError:
    """The error for a file that other programs keep changing."""
    return KeyfleetError(
        "write_failed",
        f"{path}: another program changes it again and again. Find that program, and run this again.",
        path=path,
    )
