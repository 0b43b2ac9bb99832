# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files one after the other, create their directories, and check that the files stay as written."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import Callable, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from .._errors import KeyfleetError, MalformedFile, Problem
from .accounts import Identity, account_name, acting_as
from .path import OTHERS_WRITE, Location, kind_of, locate, reporting
from .read import (
    ACL,
    ATTEMPTS,
    READ_FLAGS,
    REREAD_SECONDS,
    STEP,
    Moved,
    Snapshot,
    acl_within,
    file_keeps_changing,
    look,
    observe,
    open_file,
    predict,
    read_file,
    reread,
    state_of,
    temporary_name,
)
from .state import Change, FileState, Wanted, check_directory, decide, new_directory_uid, primary_group

_DEFAULT_ACL = "system.posix_acl_default"
# Seconds. A run holds its temporary file only while it writes; another program could hold one for ever.
_LONGEST_HOLD = 2.0
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KEPT_ATTRIBUTES = ("security.selinux", ACL, "user.")


class Wait:
    """How long to wait for other runs: ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = time.monotonic() + seconds

    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.until


@contextmanager
def temporary(
    location: Location,
    name: str,
    maker: Identity,
    owners: Sequence[int],
    wait: Wait,
    *,
    directory: bool = False,
    kept: bool = False,
) -> Iterator[int]:
    """Create and lock the temporary file, or ``directory``, of a location. Its lock permits replacing the file.

    Yields its descriptor. It is removed afterwards unless it is ``kept``: then an existing file of the maker is
    resumed, and stays. ``owners`` are the accounts whose runs are waited for; a file of any other account was planted,
    and is removed. The lock is on an inode that only its owner can open.
    """
    fd = _claimed(location, name, maker, owners, wait, directory=directory, kept=kept)
    try:
        yield fd
    finally:
        try:
            with acting_as(location.acting), suppress(OSError):
                # After the rename the name may belong to another run.
                if not kept and _is_named(location, name, fd):
                    (os.rmdir if directory else os.unlink)(name, dir_fd=location.directory)
        finally:
            os.close(fd)


def _claimed(
    location: Location, name: str, maker: Identity, owners: Sequence[int], wait: Wait, *, directory: bool, kept: bool
) -> int:
    left_over = False
    began = time.monotonic()
    while True:
        late = time.monotonic() - began >= min(_LONGEST_HOLD, wait.seconds)
        with reporting(location, "write it", maker):
            fd = _kept_file(location, name, maker) if kept else None
            if fd is None:
                fd = _new_directory(location, name, maker) if directory else _new_file(location, name, maker)
            if fd is not None:
                # Before it was locked, another run may have removed it as left over from a killed run.
                if _try_lock(fd) and _is_named(location, name, fd):
                    drop_acls(fd)
                    return fd
                os.close(fd)
            elif not (left_over and wait.over()) and _discarded(location, name, owners, directory=directory, late=late):
                left_over = True
                continue
        if wait.over():
            raise KeyfleetError(
                "lock_timeout",
                f"{location.path}: another process has locked {name} beside it for {wait.seconds:g} s. It may be "
                f"another run of this collection: `fuser -v {os.path.dirname(location.real_path)}/{name}` shows it. "
                "If not, remove the locked file.",
            )
        time.sleep(STEP)


def drop_acls(fd: int) -> None:
    """Remove the ACLs that a new entry inherited from its directory, where another account may have set them."""
    for name in (ACL, _DEFAULT_ACL):
        with suppress(OSError, AttributeError):
            os.removexattr(fd, name)


def _kept_file(location: Location, name: str, maker: Identity) -> Optional[int]:
    """Open the file that an earlier run of the maker left, if others cannot write to it or have hard links to it."""
    try:
        with acting_as(maker):
            fd = os.open(name, _KEPT_FLAGS, dir_fd=location.directory)
    except OSError:
        return None
    info = os.fstat(fd)
    unexpected = info.st_mode & (OTHERS_WRITE | stat.S_ISUID | stat.S_ISGID)
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
    with suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


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
    with reporting(location, "write it"):
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
            )
        plain = is_directory or (stat.S_ISREG(info.st_mode) and info.st_nlink == 1)
        believed = info.st_uid in (location.own.uid, location.acting.uid, *owners) or not location.privileged
        if plain and (believed or not late):
            # BlockingIOError: another process holds a lease on it.
            with acting_as(location.own), suppress(PermissionError, BlockingIOError):
                fd = os.open(name, READ_FLAGS, dir_fd=location.directory)
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
    location: Location, fd: int, seen: Optional[Snapshot], data: bytes, uid: int, gid: int, mode: int
) -> os.stat_result:
    """Replace the file that was ``seen`` with the temporary file ``fd``. Raises Moved if it has changed since.

    Raises `KeyfleetError` ``mode_not_kept`` if the file system does not keep owner, group and mode.
    """
    maker, name = maker_of(location, uid), temporary_name(location.name)
    with acting_as(maker), reporting(location, "write it", maker):
        # A default ACL or the umask may have reduced the owner's permissions.
        _check_kept(location, fd, maker.uid, 0o600, bits=0o077)
        own = location.directory_info.st_uid == uid or location.acting.uid == 0
        write_all(fd, data)
        info = os.fstat(fd)
        if (info.st_uid, info.st_gid) != (uid, gid):
            _as_needed(location, lambda: os.fchown(fd, uid, gid))
        if seen is not None and seen.info.st_uid == uid and own and not (location.shared or location.led):
            _keep_attributes(location, seen.info, fd, mode)
        _as_needed(location, lambda: os.fchmod(fd, mode))
        _check_kept(location, fd, uid, mode, gid)
        os.fsync(fd)
        if not (_same(seen, read_file(location, uid)) and _is_named(location, name, fd)):
            raise Moved()
        try:
            os.rename(name, location.name, src_dir_fd=location.directory, dst_dir_fd=location.directory)
        except (IsADirectoryError, FileNotFoundError) as exc:
            raise Moved() from exc
    _sync_directory(location)
    return os.fstat(fd)


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
        )


def maker_of(location: Location, uid: int) -> Identity:
    """The identity that creates the temporary file for a file of ``uid``: root if the acting account is another one.

    That account could open its own new file before the owner is changed, and read the other's keys in it.
    """
    return location.own if location.privileged and location.acting.uid != uid else location.acting


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``."""
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
    kept = tuple(one for one in _KEPT_ATTRIBUTES if one != ACL or not mode & 0o070 & ~seen.st_mode)
    with suppress(OSError), acting_as(location.own):
        old = open_file(location)
        try:
            names = os.listxattr(old) if os.path.samestat(os.fstat(old), seen) else []
            for name in names:
                if name.startswith(kept):
                    # An attribute that cannot be set here is no reason to fail.
                    with suppress(OSError):
                        value = os.getxattr(old, name)
                        os.setxattr(fd, name, acl_within(value, mode) if name == ACL else value)
        finally:
            os.close(old)


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
    with acting_as(location.acting), reporting(location, "write it"):
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


_REWRITES = 10


def apply(wanted: Sequence[Wanted], *, lock_timeout: float = 30.0, settle: float = 0.25) -> List[Change]:
    """Write all files as wanted. All files are read and checked before the first one is written.

    The details of a `KeyfleetError` hold the changes made before it as ``done``, if all files could be read.
    """
    return carry_out(_planned(wanted), lock_timeout=lock_timeout, settle=settle)


def carry_out(planned: Sequence[Change], *, lock_timeout: float = 30.0, settle: float = 0.25) -> List[Change]:
    """Write all files as `apply` does. ``planned``: the change that `predict` returned for each of them."""
    writer = Writer(lock_timeout)
    done: List[Change] = []
    try:
        for change in planned:
            if change.after.data is not None:
                check_directory(change.before, change.wanted)
        for change in planned:
            done.append(writer.write(change.wanted, planned=change))
        writer.settle(done, settle)
    except KeyfleetError as exc:
        exc.details["done"] = list(done)
        raise
    return done


def _planned(wanted: Sequence[Wanted]) -> List[Change]:
    """The change of each file. Raises all malformed files in one error."""
    changes: List[Change] = []
    problems = []
    for one in wanted:
        try:
            changes.append(predict(observe(one.path, parse=one.transform, access=one.access), one))
        except MalformedFile as exc:
            problems.append(problem_of(one, exc))
    if problems:
        raise malformed_files(problems)
    return changes


def _make_directory(location: Location, state: FileState, wanted: Wanted, wait: Wait) -> None:
    """Create the first missing directory of a location, mode 0700."""
    check_directory(state, wanted)
    uid, gid = new_directory_uid(state, wanted), wanted.ownership.gid
    gid = primary_group(state, uid) if gid is None else gid
    name = location.missing[0]
    called, doing = temporary_name(name), f"make the directory {name} for it"
    with temporary(location, called, location.acting, (uid,), wait, directory=True) as fd, reporting(location, doing):
        try:
            os.fchmod(fd, 0o700)
            info = os.fstat(fd)
            if (info.st_uid, info.st_gid) != (uid, gid):
                # On our own open directory, so nothing else can be affected.
                os.fchown(fd, uid, gid)
            with acting_as(location.acting):
                # Fails if the name exists by now, unless it is an empty directory.
                os.rename(called, name, src_dir_fd=location.directory, dst_dir_fd=location.directory)
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as exc:
            raise Moved() from exc


class Writer:
    """Writes the files of one ``apply``."""

    def __init__(self, lock_timeout: float) -> None:
        self.lock_timeout = lock_timeout
        self._put: Set[Tuple[int, ...]] = set()

    def write(self, wanted: Wanted, last: Optional[bytes] = None, planned: Optional[Change] = None) -> Change:
        """Read, decide and replace under the lock. ``planned``: the change to expect, if the file was already read.

        ``last`` is the content to restore if the file has become malformed. Since it holds the secrets of others, it is
        written only if the file is still one that this object wrote: Composer writes to it in place.
        """
        made: Optional[FileState] = None
        wait = Wait(self.lock_timeout)
        for _attempt in range(ATTEMPTS):
            with suppress(Moved), locate(wanted.path, wanted.access) as location:
                if location.missing:
                    state = state_of(location, None)
                    change = predict(state, wanted)
                    if change.after.data is None:
                        return change
                    _make_directory(location, state, wanted, wait)
                    made = made or state
                    continue
                expected, planned = planned, None
                change = self._write_here(location, wanted, last, wait, expected)
                return change if made is None else change._replace(before=made)
        raise file_keeps_changing(wanted.path)

    def _write_here(
        self, location: Location, wanted: Wanted, last: Optional[bytes], wait: Wait, expected: Optional[Change]
    ) -> Change:
        # A file that is not expected to change is read again, so that the result tells its state at the end.
        if expected is None or not expected.changed:
            _seen, expected = self._planned(location, wanted, last)
        change, uid = expected, expected.after.uid
        if change.after is change.before or uid is None:
            discard_left_over(location, [one for one in (uid, wanted.ownership.uid) if one is not None])
            return change
        with temporary(location, temporary_name(location.name), maker_of(location, uid), (uid,), wait) as fd:
            # Again under the lock, which keeps other runs away from the file.
            seen, change = self._planned(location, wanted, last)
            after = change.after
            if after is change.before or after.data is None or after.gid is None or after.mode is None:
                return change
            if after.uid != uid:
                raise Moved()
            self._put.add(_which(replace_file(location, fd, seen, after.data, uid, after.gid, after.mode)))
            return change

    def _planned(self, location: Location, wanted: Wanted, last: Optional[bytes]) -> Tuple[Optional[Snapshot], Change]:
        seen: Optional[Snapshot] = None

        def transformed() -> Optional[bytes]:
            nonlocal seen
            seen = read_file(location, wanted.ownership.uid)
            return wanted.transform(None if seen is None else seen.data)

        try:
            data = reread(transformed, REREAD_SECONDS)
        except MalformedFile as exc:
            if last is None or seen is None or _which(seen.info) not in self._put:
                raise malformed_files([problem_of(wanted, exc)]) from exc
            data = last
        before = state_of(location, seen)
        return seen, Change(wanted, before, decide(before, wanted, data))

    def settle(self, done: List[Change], period: float) -> None:
        """Check the written files for ``period`` seconds: Composer may write back what it read before the replacement.

        Updates the changes in ``done``.
        """
        written = [number for number, change in enumerate(done) if change.changed]
        broken_since: Dict[int, float] = {}
        rewrites = 0
        end = time.monotonic() + period + _REWRITES * REREAD_SECONDS
        pause = period
        while written:
            time.sleep(pause)
            rewritten = False
            for number in written:
                if self._holds(number, done[number].wanted, broken_since):
                    continue
                rewrites += 1
                if rewrites > _REWRITES:
                    raise file_keeps_changing(done[number].wanted.path)
                again = self.write(done[number].wanted, done[number].after.data)
                done[number] = done[number]._replace(after=again.after)
                broken_since.pop(number, None)
                rewritten = True
            if not (rewritten or broken_since):
                return
            if time.monotonic() >= end:
                raise file_keeps_changing(done[next(iter(broken_since), written[0])].wanted.path)
            pause = period if rewritten else STEP

    def _holds(self, number: int, wanted: Wanted, broken_since: Dict[int, float]) -> bool:
        try:
            data = look(wanted.path, wanted.access).data
            kept = wanted.transform(data) == data
        except Moved:
            return True  # it is being replaced at this moment: the next check decides
        except MalformedFile:
            return time.monotonic() - broken_since.setdefault(number, time.monotonic()) <= REREAD_SECONDS
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
