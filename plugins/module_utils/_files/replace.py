# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file in one open directory: read it, lock its temporary file, put that in its place.

Every name is looked up in the open directory and never followed, so nothing here can be led away by a link.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Callable, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import (
    Identity,
    account_name,
    acting_as,
    identity_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import Place, failure, kind_of, not_a_file

LARGEST = 4 * 1024 * 1024
_LOCK_STEP = 0.02
# Seconds. A run holds its temporary file as long as it takes to write it; somebody else could hold one for ever.
_LONGEST_HOLD = 2.0
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_ACL, _DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"
# As in linux/posix_acl_xattr.h: a version, then tag, permissions and id of every entry.
_ACL_HEADER, _ENTRY = 4, struct.Struct("<HHI")
_OWNER, _NAMED_USER, _GROUP, _NAMED_GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_ACL_OF_OTHERS = (_NAMED_USER, _GROUP, _NAMED_GROUP)
_KEPT_ATTRIBUTES = ("security.selinux", _ACL, "user.")


class Moved(Exception):
    """Somebody changed the file or its directory in the meantime. Start again from ``/``."""


@dataclass(frozen=True)
class Pace:
    """Time, so that tests can have their own."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]


class Snapshot(NamedTuple):
    """A file as it was read: its bytes, its facts, and whether everybody in its group could read it, too."""

    data: bytes
    info: os.stat_result
    group_reads: bool


class Wait(NamedTuple):
    """How long to wait for other runs: ``seconds`` in all, which end at ``until`` on the clock of ``pace``."""

    seconds: float
    until: float
    pace: Pace


def temporary_name(name: str) -> str:
    """Always the same name, so that the next run finds what a killed one left."""
    return f".{name}.keyfleet"


def read_file(place: Place, owner: Optional[int] = None) -> Optional[Snapshot]:
    """The file, None when there is none. ``owner``: the account it was asked to belong to."""
    if place.missing:
        return None
    if place.info is not None and not stat.S_ISREG(place.info.st_mode):
        raise not_a_file(place.path, place.info.st_mode)
    try:
        with acting_as(place.acting):
            fd = _open(place)
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        fd = _open_unreadable(place, owner, exc)
    except OSError as exc:
        raise _read_failure(exc, place) from exc
    try:
        seen = _read_open(place, fd)
    finally:
        os.close(fd)
    info = seen.info
    # Where a link of another led, and for what another one put among root's files, there are better reasons to refuse.
    if owner and owner != info.st_uid and place.movable and not place.led and not (place.shared and info.st_uid):
        _check_moved(place, info, identity_of(owner))
    return seen


def _check_moved(place: Place, info: os.stat_result, owner: Identity) -> None:
    """What others may have moved there is not given to an owner who could not read it by himself."""
    if _may_read(place, info, owner):
        return
    raise KeyfleetError(
        "foreign_owner",
        f"{place.path} belongs to {account_name(info.st_uid)}, {owner} may not read it, and others may write to a "
        "directory above it, so it may have been moved there. Give it to that account (chown), or remove it.",
        path=place.path,
        uid=info.st_uid,
        gid=info.st_gid,
        mode=stat.S_IMODE(info.st_mode),
    )


def _may_read(place: Place, info: os.stat_result, who: Identity) -> bool:
    """Whether an account can reach and read a file by itself. The kernel answers, which knows of every ACL."""
    try:
        with acting_as(who):
            fd = os.open(place.real_path, _READ_FLAGS)
    except OSError:
        return False
    try:
        return os.path.samestat(os.fstat(fd), info)
    finally:
        os.close(fd)


def _open(place: Place) -> int:
    return os.open(place.name, _READ_FLAGS, dir_fd=place.directory)


def _read_failure(exc: OSError, place: Place) -> Exception:
    if exc.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
        return Moved()  # a link or a socket now: the next walk sees it
    return failure(exc, "read it", place.path, place.acting, code="read_failed")


def _group_reads(fd: int, mode: int) -> bool:
    """Whether nobody in the group is kept from reading. With an ACL, the group's part of the mode is its mask alone."""
    try:
        acl = os.getxattr(fd, _ACL)
    except (OSError, AttributeError):
        acl = b""
    entries = _ENTRY.iter_unpack(acl[_ACL_HEADER:])
    return bool(mode & stat.S_IRGRP) and all(granted & 4 for tag, granted, _id in entries if tag in _ACL_OF_OTHERS)


def _read_open(place: Place, fd: int) -> Snapshot:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise not_a_file(place.path, info.st_mode)
    pieces: List[bytes] = []
    # A file of /proc has no size, and can take seconds to be read. One that Composer is about to fill is read again.
    size = 0
    while info.st_size:
        try:
            piece = os.read(fd, 65536)
        except OSError as exc:
            raise _read_failure(exc, place) from exc
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise KeyfleetError(
                "not_a_file",
                f"{place.path} is larger than {LARGEST} bytes: not a file of credentials.",
                path=place.path,
            )
    return Snapshot(b"".join(pieces), info, _group_reads(fd, info.st_mode))


def _open_unreadable(place: Place, owner: Optional[int], exc: PermissionError) -> int:
    """The owner of a directory may have a file of his own there without rights, or one of the owner that was asked for.

    Root may read these, and no others: who owns a directory may have moved a file of root's there to be given it.
    """
    try:
        with acting_as(place.acting):
            info = os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
    except OSError as other:
        raise failure(other, "look at it", place.path, place.acting, code="read_failed") from other
    mine = (place.acting.uid, place.acting.uid if owner is None else owner)

    def repairable(facts: os.stat_result) -> bool:
        return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid in mine

    if place.privileged and place.directory_info.st_uid == place.acting.uid and repairable(info):
        with acting_as(place.own):
            try:
                fd = _open(place)
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
        f"{place.acting} may not read it. Give it to its reader (chown) or remove it.",
        path=place.path,
        uid=info.st_uid,
        gid=info.st_gid,
        mode=stat.S_IMODE(info.st_mode),
    )


@dataclass(frozen=True)
class Temporary:
    """A new file or directory of ours beside its place, open and locked. ``maker`` is who made it and renames it."""

    name: str
    fd: int
    maker: Identity


@contextmanager
def temporary(
    place: Place,
    maker: Identity,
    owners: Sequence[int],
    wait: Wait,
    *,
    called: str = "",
    directory: bool = False,
    kept: bool = False,
) -> Iterator[Temporary]:
    """The temporary file of a place, or ``directory``: whoever holds its lock may replace the file.

    Nothing of it remains, unless it is ``kept``: then a file of the maker's that is there is gone on with, and stays.
    ``owners`` are the accounts whose runs are waited for; what belongs to anybody else was planted, and is removed. The
    lock is on an inode that nobody but its owner can open.
    """
    made = _claimed(place, maker, owners, wait, called or temporary_name(place.name), directory=directory, kept=kept)
    try:
        yield made
    finally:
        try:
            with acting_as(place.acting), suppress(OSError):
                # After the rename there is nothing to be removed, and it may be another run's by now.
                if not kept and _is_named(place, made.name, made.fd):
                    (os.rmdir if directory else os.unlink)(made.name, dir_fd=place.directory)
        finally:
            os.close(made.fd)


def _claimed(
    place: Place, maker: Identity, owners: Sequence[int], wait: Wait, called: str, *, directory: bool, kept: bool
) -> Temporary:
    left_over = False
    began = wait.pace.clock()
    while True:
        late = wait.pace.clock() - began >= min(_LONGEST_HOLD, wait.seconds)
        with _translated(place, maker):
            fd = _kept_file(place, called, maker) if kept else None
            if fd is None:
                fd = _new_directory(place, called, maker) if directory else _new_file(place, called, maker)
            if fd is not None:
                # Another run may have taken it for what a killed one left, before it was locked.
                if _try_lock(fd) and _is_named(place, called, fd):
                    drop_acls(fd)
                    return Temporary(called, fd, maker)
                os.close(fd)
            elif not (left_over and _over(wait)) and _discarded(place, called, owners, directory=directory, late=late):
                left_over = True
                continue
        if _over(wait):
            raise KeyfleetError(
                "lock_timeout",
                f"{place.path}: another process has held {called} beside it for {wait.seconds:g} s. It may be another "
                f"run of this collection: `fuser -v {os.path.dirname(place.real_path)}/{called}` names it. If there is "
                "none, remove it.",
                path=place.path,
            )
        wait.pace.sleep(_LOCK_STEP)


def drop_acls(fd: int) -> None:
    """Take away what a new entry got from its directory, which has it from whoever owned the one it was made in."""
    for name in (_ACL, _DEFAULT_ACL):
        with suppress(OSError, AttributeError):
            os.removexattr(fd, name)


def _over(wait: Wait) -> bool:
    return wait.pace.clock() >= wait.until


def _kept_file(place: Place, name: str, maker: Identity) -> Optional[int]:
    """What an earlier run of the maker's left, which nobody else can have open or under another name."""
    try:
        with acting_as(maker):
            fd = os.open(name, _KEPT_FLAGS, dir_fd=place.directory)
    except OSError:
        return None
    info = os.fstat(fd)
    odd = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)
    if stat.S_ISREG(info.st_mode) and info.st_nlink == 1 and info.st_uid == maker.uid and not odd:
        return fd
    os.close(fd)
    return None


def _new_file(place: Place, name: str, maker: Identity) -> Optional[int]:
    try:
        with acting_as(maker):
            return os.open(name, _NEW_FLAGS, 0o600, dir_fd=place.directory)
    except FileExistsError:
        return None
    except FileNotFoundError as exc:
        raise Moved() from exc


def _new_directory(place: Place, name: str, maker: Identity) -> Optional[int]:
    try:
        with acting_as(maker):
            older = _directories(place) if place.shared else frozenset()
            os.mkdir(name, 0o700, dir_fd=place.directory)
            fd = os.open(name, _DIRECTORY_FLAGS, dir_fd=place.directory)
    except FileExistsError:
        return None
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise Moved() from exc
    # Whoever may write to the directory above could have put another one here, to have it given away.
    info = os.fstat(fd)
    if info.st_uid != maker.uid or info.st_mode & 0o077 or info.st_ino in older or os.listdir(fd):
        os.close(fd)
        raise KeyfleetError(
            "unsafe_path",
            f"{place.path}: a directory was exchanged while it was made for it, or is on a file system that does not "
            "keep its owner and mode.",
            path=place.path,
        )
    return fd


def _directories(place: Place) -> FrozenSet[int]:
    """The inodes of what is there. A directory of root's can be renamed by others here, but not brought here."""
    fd = os.open(".", _DIRECTORY_FLAGS, dir_fd=place.directory)
    try:
        with os.scandir(fd) as found:
            return frozenset(entry.inode() for entry in found)
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_named(place: Place, name: str, fd: int) -> bool:
    """Whether a name still means this open file."""
    try:
        with acting_as(place.acting):
            there = os.stat(name, dir_fd=place.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))


def discard_left_over(place: Place, owners: Sequence[int]) -> None:
    """Remove what a killed run left of its temporary file; what a run works on stays."""
    with _translated(place, place.acting):
        _discarded(place, temporary_name(place.name), owners, directory=False, late=False)


def _discarded(place: Place, name: str, owners: Sequence[int], *, directory: bool, late: bool) -> bool:
    """Whether the name is free now. False: another run is at work on what it means.

    Root believes that of others than ``owners`` until it is ``late``: they could mean nothing but a delay.
    """
    fd = None
    try:
        with acting_as(place.acting):
            info = os.stat(name, dir_fd=place.directory, follow_symlinks=False)
        is_directory = stat.S_ISDIR(info.st_mode)
        if is_directory and not directory:
            raise KeyfleetError(
                "not_a_file",
                f"{place.path}: the name of its temporary file, {name}, is taken by {kind_of(info.st_mode)}. "
                "Move it away.",
                path=place.path,
            )
        plain = is_directory or (stat.S_ISREG(info.st_mode) and info.st_nlink == 1)
        believed = info.st_uid in (place.own.uid, place.acting.uid, *owners) or not place.privileged
        if plain and (believed or not late):
            # BlockingIOError: whoever holds a lease on it.
            with acting_as(place.own), suppress(PermissionError, BlockingIOError):
                fd = os.open(name, _READ_FLAGS, dir_fd=place.directory)
            if fd is None or not _try_lock(fd):
                return False
        if fd is None or _is_named(place, name, fd):
            with acting_as(place.acting):
                (os.rmdir if is_directory else os.unlink)(name, dir_fd=place.directory)
        return True
    except FileNotFoundError:
        return True
    except PermissionError:
        if fd is None and not place.privileged:
            # A link or the like of somebody else's in a sticky directory.
            return False
        raise
    finally:
        if fd is not None:
            os.close(fd)


def replace_file(
    place: Place,
    made: Temporary,
    seen: Optional[Snapshot],
    data: bytes,
    uid: int,
    gid: int,
    mode: int,
) -> os.stat_result:
    """Put a new file in the place of the one that was ``seen``; Moved when it is not that one any more.

    Raises `KeyfleetError` ``mode_not_kept`` where the file system makes it another's, or opens it to others.
    """
    with acting_as(made.maker), _translated(place, made.maker):
        # Its owner's rights may be fewer by now, by a default ACL or umask.
        _check_kept(place, made.fd, made.maker.uid, 0o600, bits=0o077)
        own = place.directory_info.st_uid == uid or place.acting.uid == 0
        _fill(made.fd, data)
        info = os.fstat(made.fd)
        if (info.st_uid, info.st_gid) != (uid, gid):
            _as_needed(place, lambda: os.fchown(made.fd, uid, gid))
        if seen is not None and seen.info.st_uid == uid and own and not (place.shared or place.led):
            _keep_attributes(place, seen.info, made.fd, mode)
        _as_needed(place, lambda: os.fchmod(made.fd, mode))
        _check_kept(place, made.fd, uid, mode, gid)
        os.fsync(made.fd)
        if not _same(seen, read_file(place, uid)):
            raise Moved()
        if not _is_named(place, made.name, made.fd):
            raise Moved()
        try:
            os.rename(made.name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except (IsADirectoryError, FileNotFoundError) as exc:
            raise Moved() from exc
    _sync_directory(place)
    return os.fstat(made.fd)


def _check_kept(place: Place, fd: int, uid: int, mode: int, gid: Optional[int] = None, bits: int = 0o7777) -> None:
    """What a file system made of owner, mode, and of a group that the mode lets in. Some only say that they did it."""
    info = os.fstat(fd)
    open_to = stat.S_IMODE(info.st_mode)
    gid = info.st_gid if gid is None else gid
    if info.st_uid != uid or (open_to ^ mode) & bits or (mode & 0o070 and info.st_gid != gid):
        raise KeyfleetError(
            "mode_not_kept",
            f"{place.path}: its file system does not keep owner, group and mode of a file. Instead of "
            f"{account_name(uid)}, {gid}, {mode:04o} they are "
            f"{account_name(info.st_uid)}, {info.st_gid}, {open_to:04o}. Keep the file elsewhere.",
            path=place.path,
        )


def maker_of(place: Place, uid: int) -> Identity:
    """Who makes the temporary file for a file of ``uid``: root where whoever acts there must not read it.

    The owner of a directory could open a new file of his own before it is given away, and read another's keys in it.
    """
    return place.own if place.privileged and place.acting.uid != uid else place.acting


@contextmanager
def _translated(place: Place, who: Identity) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise failure(exc, "write it", place.path, who) from exc


def _fill(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _keep_attributes(place: Place, seen: os.stat_result, fd: int, mode: int) -> None:
    """Give the new file the attributes of the one that it replaces: SELinux context, ACL, and those of users.

    Where the mode lets the group do more than it could before, the ACL is left out: entries of it would come to life
    that had no effect.
    """
    if not hasattr(os, "listxattr"):
        return
    kept = tuple(one for one in _KEPT_ATTRIBUTES if one != _ACL or not mode & 0o070 & ~seen.st_mode)
    with suppress(OSError), acting_as(place.own):
        old = _open(place)
        try:
            names = os.listxattr(old) if os.path.samestat(os.fstat(old), seen) else []
            for name in names:
                if name.startswith(kept):
                    # What a file system, a kernel or this process cannot set is not worth a failure.
                    with suppress(OSError):
                        value = os.getxattr(old, name)
                        os.setxattr(fd, name, _within(value, mode) if name == _ACL else value)
        finally:
            os.close(old)


def _within(acl: bytes, mode: int) -> bytes:
    """An ACL with the bits of a mode. The kernel gives the file those of the ACL, not for a moment may they be more."""
    entries = list(_ENTRY.iter_unpack(acl[_ACL_HEADER:]))
    # Where there is a mask, it is what the mode shows for the group.
    group = _MASK if any(tag == _MASK for tag, _granted, _id in entries) else _GROUP
    bits = {_OWNER: mode >> 6 & 7, group: mode >> 3 & 7, _OTHER: mode & 7}
    return acl[:_ACL_HEADER] + b"".join(_ENTRY.pack(tag, bits.get(tag, granted), who) for tag, granted, who in entries)


def _as_needed(place: Place, action: Callable[[], None]) -> None:
    """By the acting account if it may, else by root: on our own open file that can reach nothing else."""
    try:
        action()
    except PermissionError:
        if not place.privileged:
            raise
        with acting_as(place.own):
            action()


def _same(one: Optional[Snapshot], two: Optional[Snapshot]) -> bool:
    if one is None or two is None:
        return one is two
    return one.data == two.data and os.path.samestat(one.info, two.info)


def _sync_directory(place: Place) -> None:
    with acting_as(place.acting), _translated(place, place.acting):
        try:
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.directory)
        except PermissionError:
            return  # a directory that may be written to and not listed
        try:
            os.fsync(fd)
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
        finally:
            os.close(fd)
