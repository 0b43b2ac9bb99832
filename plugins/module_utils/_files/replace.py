# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one file in an open directory, lock its temporary file, and rename that onto it.

Every name is looked up in the open directory without following it, so no link can redirect these functions.
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
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import (
    Location,
    kind_of,
    not_a_file,
    path_error,
)

LARGEST = 4 * 1024 * 1024
_LOCK_STEP = 0.02
# Seconds. A run holds its temporary file only while it writes; another program could hold one for ever.
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
    """The file or its directory was changed in the meantime. The caller starts again from ``/``."""


@dataclass(frozen=True)
class Timing:
    """Clock and sleep, replaceable in tests."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]


class Snapshot(NamedTuple):
    """A file as it was read: content, stat result, and whether every member of its group could read it."""

    data: bytes
    info: os.stat_result
    group_reads: bool


class Wait(NamedTuple):
    """How long to wait for other runs: ``seconds`` in total, which end at ``until`` on the clock of ``timing``."""

    seconds: float
    until: float
    timing: Timing


def temporary_name(name: str) -> str:
    """The name of the temporary file. It is constant, so that the next run finds the file of a killed run."""
    return f".{name}.keyfleet"


def read_file(location: Location, owner: Optional[int] = None) -> Optional[Snapshot]:
    """Read the file; None if it does not exist. ``owner`` is the requested owner."""
    if location.missing:
        return None
    if location.info is not None and not stat.S_ISREG(location.info.st_mode):
        raise not_a_file(location.path, location.info.st_mode)
    try:
        with acting_as(location.acting):
            fd = _open(location)
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
    # The excluded cases are refused later, with a more exact reason.
    if (
        owner
        and owner != info.st_uid
        and location.movable
        and not location.led
        and not (location.shared and info.st_uid)
    ):
        _check_moved(location, info, identity_of(owner))
    return seen


def _check_moved(location: Location, info: os.stat_result, owner: Identity) -> None:
    """Refuse a file that others may have moved here if the requested owner could not read it by himself."""
    if _may_read(location, info, owner):
        return
    raise KeyfleetError(
        "foreign_owner",
        f"{location.path} belongs to {account_name(info.st_uid)}, and may have been moved there, as others may write "
        f"to a directory above it; {owner} may not read it. Give it to that account (chown), or remove it.",
        path=location.path,
        uid=info.st_uid,
        gid=info.st_gid,
        mode=stat.S_IMODE(info.st_mode),
    )


def _may_read(location: Location, info: os.stat_result, who: Identity) -> bool:
    """Whether an account can open a file by its path. Opening it also covers ACLs."""
    try:
        with acting_as(who):
            fd = os.open(location.real_path, _READ_FLAGS)
    except OSError:
        return False
    try:
        return os.path.samestat(os.fstat(fd), info)
    finally:
        os.close(fd)


def _open(location: Location) -> int:
    return os.open(location.name, _READ_FLAGS, dir_fd=location.directory)


def _read_failure(exc: OSError, location: Location) -> Exception:
    if exc.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
        return Moved()  # it is a link or a socket now, which the next walk reports
    return path_error(exc, "read it", location.path, location.acting, code="read_failed")


def _group_reads(fd: int, mode: int) -> bool:
    """Whether every member of the group may read. With an ACL, the group bits of the mode are only its mask."""
    try:
        acl = os.getxattr(fd, _ACL)
    except (OSError, AttributeError):
        acl = b""
    entries = _ENTRY.iter_unpack(acl[_ACL_HEADER:])
    return bool(mode & stat.S_IRGRP) and all(granted & 4 for tag, granted, _id in entries if tag in _ACL_OF_OTHERS)


def _read_open(location: Location, fd: int) -> Snapshot:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise not_a_file(location.path, info.st_mode)
    pieces: List[bytes] = []
    # Files of size 0 are not read: those in /proc can take seconds. If Composer is writing it, it is read again later.
    size = 0
    while info.st_size:
        try:
            piece = os.read(fd, 65536)
        except OSError as exc:
            raise _read_failure(exc, location) from exc
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise KeyfleetError(
                "not_a_file",
                f"{location.path} is larger than {LARGEST} bytes, too large for a credential file.",
                path=location.path,
            )
    return Snapshot(b"".join(pieces), info, _group_reads(fd, info.st_mode))


def _open_unreadable(location: Location, owner: Optional[int], exc: PermissionError) -> int:
    """Open a file as root that the owner of its directory may not read.

    Only a file of that owner or of the requested ``owner``: any other could be a file of root that was moved here.
    """
    try:
        with acting_as(location.acting):
            info = os.stat(location.name, dir_fd=location.directory, follow_symlinks=False)
    except OSError as other:
        raise path_error(other, "inspect it", location.path, location.acting, code="read_failed") from other
    mine = (location.acting.uid, location.acting.uid if owner is None else owner)

    def repairable(facts: os.stat_result) -> bool:
        return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid in mine

    if location.privileged and location.directory_info.st_uid == location.acting.uid and repairable(info):
        with acting_as(location.own):
            try:
                fd = _open(location)
            except OSError as other:
                raise _read_failure(other, location) from other
        # Checked again on the open file, since the name could refer to another file by now.
        if repairable(os.fstat(fd)):
            return fd
        os.close(fd)
        raise Moved()
    if info.st_uid == location.acting.uid:
        raise path_error(exc, "read it", location.path, location.acting) from exc
    raise _foreign(location, info) from exc


def _foreign(location: Location, info: os.stat_result) -> KeyfleetError:
    names = "" if info.st_nlink == 1 else f" and has {info.st_nlink} names (hard links)"
    return KeyfleetError(
        "foreign_owner",
        f"{location.path} belongs to {account_name(info.st_uid)}{names}, mode {stat.S_IMODE(info.st_mode):04o}, and "
        f"{location.acting} may not read it. Give it to the user who shall read it (chown), or remove it.",
        path=location.path,
        uid=info.st_uid,
        gid=info.st_gid,
        mode=stat.S_IMODE(info.st_mode),
    )


@dataclass(frozen=True)
class Temporary:
    """A new file or directory beside its target, open and locked. ``maker`` created it and renames it."""

    name: str
    fd: int
    maker: Identity


@contextmanager
def temporary(
    location: Location,
    maker: Identity,
    owners: Sequence[int],
    wait: Wait,
    *,
    called: str = "",
    directory: bool = False,
    kept: bool = False,
) -> Iterator[Temporary]:
    """Create and lock the temporary file, or ``directory``, of a location. Its lock permits replacing the file.

    It is removed afterwards unless it is ``kept``: then an existing file of the maker is resumed, and stays. ``owners``
    are the accounts whose runs are waited for; a file of any other account was planted, and is removed. The lock is on
    an inode that only its owner can open.
    """
    made = _claimed(
        location, maker, owners, wait, called or temporary_name(location.name), directory=directory, kept=kept
    )
    try:
        yield made
    finally:
        try:
            with acting_as(location.acting), suppress(OSError):
                # After the rename the name may belong to another run.
                if not kept and _is_named(location, made.name, made.fd):
                    (os.rmdir if directory else os.unlink)(made.name, dir_fd=location.directory)
        finally:
            os.close(made.fd)


def _claimed(
    location: Location, maker: Identity, owners: Sequence[int], wait: Wait, called: str, *, directory: bool, kept: bool
) -> Temporary:
    left_over = False
    began = wait.timing.clock()
    while True:
        late = wait.timing.clock() - began >= min(_LONGEST_HOLD, wait.seconds)
        with _translated(location, maker):
            fd = _kept_file(location, called, maker) if kept else None
            if fd is None:
                fd = _new_directory(location, called, maker) if directory else _new_file(location, called, maker)
            if fd is not None:
                # Before it was locked, another run may have removed it as left over from a killed run.
                if _try_lock(fd) and _is_named(location, called, fd):
                    drop_acls(fd)
                    return Temporary(called, fd, maker)
                os.close(fd)
            elif not (left_over and _over(wait)) and _discarded(
                location, called, owners, directory=directory, late=late
            ):
                left_over = True
                continue
        if _over(wait):
            raise KeyfleetError(
                "lock_timeout",
                f"{location.path}: another process has locked {called} beside it for {wait.seconds:g} s. It may be "
                f"another run of this collection: `fuser -v {os.path.dirname(location.real_path)}/{called}` shows it. "
                "If not, remove the locked file.",
                path=location.path,
            )
        wait.timing.sleep(_LOCK_STEP)


def drop_acls(fd: int) -> None:
    """Remove the ACLs that a new entry inherited from its directory, where another account may have set them."""
    for name in (_ACL, _DEFAULT_ACL):
        with suppress(OSError, AttributeError):
            os.removexattr(fd, name)


def _over(wait: Wait) -> bool:
    return wait.timing.clock() >= wait.until


def _kept_file(location: Location, name: str, maker: Identity) -> Optional[int]:
    """Open the file that an earlier run of the maker left, if others cannot write to it or have hard links to it."""
    try:
        with acting_as(maker):
            fd = os.open(name, _KEPT_FLAGS, dir_fd=location.directory)
    except OSError:
        return None
    info = os.fstat(fd)
    unexpected = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)
    if stat.S_ISREG(info.st_mode) and info.st_nlink == 1 and info.st_uid == maker.uid and not unexpected:
        return fd
    os.close(fd)
    return None


def _new_file(location: Location, name: str, maker: Identity) -> Optional[int]:
    try:
        with acting_as(maker):
            return os.open(name, _NEW_FLAGS, 0o600, dir_fd=location.directory)
    except FileExistsError:
        return None
    except FileNotFoundError as exc:
        raise Moved() from exc


def _new_directory(location: Location, name: str, maker: Identity) -> Optional[int]:
    try:
        with acting_as(maker):
            older = _directories(location) if location.shared else frozenset()
            os.mkdir(name, 0o700, dir_fd=location.directory)
            fd = os.open(name, _DIRECTORY_FLAGS, dir_fd=location.directory)
    except FileExistsError:
        return None
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise Moved() from exc
    # Accounts that may write to the parent could have swapped in another directory, to get its owner changed.
    info = os.fstat(fd)
    if info.st_uid != maker.uid or info.st_mode & 0o077 or info.st_ino in older or os.listdir(fd):
        os.close(fd)
        raise KeyfleetError(
            "unsafe_path",
            f"{location.path}: the new directory for it was replaced by another process, or its file system does not "
            "keep owner and mode.",
            path=location.path,
        )
    return fd


def _directories(location: Location) -> FrozenSet[int]:
    """The inodes of the existing entries. Others can rename a directory of root within this one, not move one here."""
    fd = os.open(".", _DIRECTORY_FLAGS, dir_fd=location.directory)
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


def _is_named(location: Location, name: str, fd: int) -> bool:
    """Whether a name still refers to this open file."""
    try:
        with acting_as(location.acting):
            info = os.stat(name, dir_fd=location.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(info, os.fstat(fd))


def discard_left_over(location: Location, owners: Sequence[int]) -> None:
    """Remove the temporary file of a killed run, but not that of an active one."""
    with _translated(location, location.acting):
        _discarded(location, temporary_name(location.name), owners, directory=False, late=False)


def _discarded(location: Location, name: str, owners: Sequence[int], *, directory: bool, late: bool) -> bool:
    """Remove a left-over temporary file. Returns whether the name is free; False if another run is using it.

    For root, locks of accounts outside ``owners`` only count until it is ``late``, so that they cannot block the run.
    """
    fd = None
    try:
        with acting_as(location.acting):
            info = os.stat(name, dir_fd=location.directory, follow_symlinks=False)
        is_directory = stat.S_ISDIR(info.st_mode)
        if is_directory and not directory:
            raise KeyfleetError(
                "not_a_file",
                f"{location.path}: the name of its temporary file, {name}, is in use by {kind_of(info.st_mode)}. "
                "Move that away.",
                path=location.path,
            )
        plain = is_directory or (stat.S_ISREG(info.st_mode) and info.st_nlink == 1)
        believed = info.st_uid in (location.own.uid, location.acting.uid, *owners) or not location.privileged
        if plain and (believed or not late):
            # BlockingIOError: another process holds a lease on it.
            with acting_as(location.own), suppress(PermissionError, BlockingIOError):
                fd = os.open(name, _READ_FLAGS, dir_fd=location.directory)
            if fd is None or not _try_lock(fd):
                return False
        if fd is None or _is_named(location, name, fd):
            with acting_as(location.acting):
                (os.rmdir if is_directory else os.unlink)(name, dir_fd=location.directory)
        return True
    except FileNotFoundError:
        return True
    except PermissionError:
        if fd is None and not location.privileged:
            # An entry of another account, such as a link, in a sticky directory.
            return False
        raise
    finally:
        if fd is not None:
            os.close(fd)


def replace_file(
    location: Location,
    made: Temporary,
    seen: Optional[Snapshot],
    data: bytes,
    uid: int,
    gid: int,
    mode: int,
) -> os.stat_result:
    """Replace the file that was ``seen`` with a new one. Raises Moved if it has changed since.

    Raises `KeyfleetError` ``mode_not_kept`` if the file system does not keep owner, group and mode.
    """
    with acting_as(made.maker), _translated(location, made.maker):
        # A default ACL or the umask may have reduced the owner's permissions.
        _check_kept(location, made.fd, made.maker.uid, 0o600, bits=0o077)
        own = location.directory_info.st_uid == uid or location.acting.uid == 0
        _fill(made.fd, data)
        info = os.fstat(made.fd)
        if (info.st_uid, info.st_gid) != (uid, gid):
            _as_needed(location, lambda: os.fchown(made.fd, uid, gid))
        if seen is not None and seen.info.st_uid == uid and own and not (location.shared or location.led):
            _keep_attributes(location, seen.info, made.fd, mode)
        _as_needed(location, lambda: os.fchmod(made.fd, mode))
        _check_kept(location, made.fd, uid, mode, gid)
        os.fsync(made.fd)
        if not _same(seen, read_file(location, uid)):
            raise Moved()
        if not _is_named(location, made.name, made.fd):
            raise Moved()
        try:
            os.rename(made.name, location.name, src_dir_fd=location.directory, dst_dir_fd=location.directory)
        except (IsADirectoryError, FileNotFoundError) as exc:
            raise Moved() from exc
    _sync_directory(location)
    return os.fstat(made.fd)


def _check_kept(
    location: Location, fd: int, uid: int, mode: int, gid: Optional[int] = None, bits: int = 0o7777
) -> None:
    """Check owner and mode, and the group if the mode lets it in: some file systems ignore changes without an error."""
    info = os.fstat(fd)
    open_to = stat.S_IMODE(info.st_mode)
    gid = info.st_gid if gid is None else gid
    if info.st_uid != uid or (open_to ^ mode) & bits or (mode & 0o070 and info.st_gid != gid):
        raise KeyfleetError(
            "mode_not_kept",
            f"{location.path}: its file system does not keep the owner, group and mode of a file. Instead of "
            f"{account_name(uid)}, {gid}, {mode:04o} they are "
            f"{account_name(info.st_uid)}, {info.st_gid}, {open_to:04o}. Keep the file elsewhere.",
            path=location.path,
        )


def maker_of(location: Location, uid: int) -> Identity:
    """The identity that creates the temporary file for a file of ``uid``: root if the acting account is another one.

    That account could open its own new file before the owner is changed, and read the other's keys in it.
    """
    return location.own if location.privileged and location.acting.uid != uid else location.acting


@contextmanager
def _translated(location: Location, who: Identity) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise path_error(exc, "write it", location.path, who) from exc


def _fill(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _keep_attributes(location: Location, seen: os.stat_result, fd: int, mode: int) -> None:
    """Copy the extended attributes of the replaced file: SELinux context, ACL and ``user.*``.

    The ACL is omitted if the new mode gives the group more permissions: entries that the mask disabled would take
    effect.
    """
    if not hasattr(os, "listxattr"):
        return
    kept = tuple(one for one in _KEPT_ATTRIBUTES if one != _ACL or not mode & 0o070 & ~seen.st_mode)
    with suppress(OSError), acting_as(location.own):
        old = _open(location)
        try:
            names = os.listxattr(old) if os.path.samestat(os.fstat(old), seen) else []
            for name in names:
                if name.startswith(kept):
                    # An attribute that cannot be set here is no reason to fail.
                    with suppress(OSError):
                        value = os.getxattr(old, name)
                        os.setxattr(fd, name, _within(value, mode) if name == _ACL else value)
        finally:
            os.close(old)


def _within(acl: bytes, mode: int) -> bytes:
    """Set the bits of a mode in an ACL: the kernel sets the mode from it, which must never be wider than wanted."""
    entries = list(_ENTRY.iter_unpack(acl[_ACL_HEADER:]))
    # If the ACL has a mask, the group bits of the mode are the mask.
    group = _MASK if any(tag == _MASK for tag, _granted, _id in entries) else _GROUP
    bits = {_OWNER: mode >> 6 & 7, group: mode >> 3 & 7, _OTHER: mode & 7}
    return acl[:_ACL_HEADER] + b"".join(_ENTRY.pack(tag, bits.get(tag, granted), who) for tag, granted, who in entries)


def _as_needed(location: Location, action: Callable[[], None]) -> None:
    """Act as the acting account or, without permission, as root: on our own open file this affects nothing else."""
    try:
        action()
    except PermissionError:
        if not location.privileged:
            raise
        with acting_as(location.own):
            action()


def _same(one: Optional[Snapshot], two: Optional[Snapshot]) -> bool:
    if one is None or two is None:
        return one is two
    return one.data == two.data and os.path.samestat(one.info, two.info)


def _sync_directory(location: Location) -> None:
    with acting_as(location.acting), _translated(location, location.acting):
        try:
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=location.directory)
        except PermissionError:
            return  # the directory is writable but not readable
        try:
            os.fsync(fd)
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
        finally:
            os.close(fd)
