# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large file that comes bit by bit: written beside its place under a fixed name, and renamed when it is right.

Who acts is the owner of the directory, as with credential files; every name is looked up in the open directory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import account_name, acting_as, group_of
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import (
    Access,
    Place,
    failure,
    locate,
    not_a_file,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import (
    Pace,
    Wait,
    drop_acls,
    maker_of,
    temporary,
    temporary_name,
)

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Bytes. The largest releases have a few GiB.
LARGEST = 16 * 1024**3
_CHUNK = 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Facts:
    """What a file is, or is to be; nothing of it is known to be None where there is none."""

    size: Optional[int] = None
    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: Optional[int] = None

    @property
    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.size is not None


@dataclass(frozen=True)
class Attributes:
    """What was asked for; None: what is right for the place."""

    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: int = 0o644


def hasher(algorithm: str) -> Any:
    """A new hash, also of MD5 where a policy of the host forbids it for security. ValueError if there is none."""
    try:
        return hashlib.new(algorithm)
    except ValueError:
        # From Python 3.9 on, a checksum of a download may say that it is no more than that.
        try:
            return hashlib.new(algorithm, usedforsecurity=False)  # type: ignore[call-arg, unused-ignore]
        except TypeError:
            raise ValueError(f"{algorithm} is not available on this host") from None


def digests(fd: int, algorithms: Sequence[str], left: int) -> Dict[str, str]:
    """The sums of so many bytes of an open file, all in one pass: whose it is may make it larger at any time."""
    sums = {name: hasher(name) for name in algorithms}
    os.lseek(fd, 0, os.SEEK_SET)
    while left:
        piece = os.read(fd, min(_CHUNK, left))
        left = left - len(piece) if piece else 0
        for one in sums.values():
            one.update(piece)
    return {name: one.hexdigest() for name, one in sums.items()}


class Target:
    """The place of the file, with its directory open, and the file too where there is one that may be read."""

    def __init__(self, place: Place, owner: Optional[int] = None) -> None:
        self.place = place
        self._owner = owner
        self.facts = Facts()
        self._info: Optional[os.stat_result] = None
        self._fd: Optional[int] = None
        if place.info is not None:
            if not stat.S_ISREG(place.info.st_mode):
                raise not_a_file(place.path, place.info.st_mode)
            with self.doing("read it", code="read_failed"):
                self._open()

    def _open(self) -> None:
        """Once, so that what is checked, repaired and told of is one and the same file."""
        place = self.place
        try:
            with acting_as(place.acting):
                self._fd = os.open(place.name, _READ, dir_fd=place.directory)
            info = os.fstat(self._fd)
        except FileNotFoundError:
            return
        except PermissionError:
            with acting_as(place.acting):
                info = os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
            if place.privileged and info.st_uid == self._owner and stat.S_ISREG(info.st_mode):
                # A release of an owner who lets nobody else read it; root looks only whether it is right.
                with acting_as(place.own), suppress(OSError):
                    self._fd = os.open(place.name, _READ, dir_fd=place.directory)
                    info = os.fstat(self._fd)
        if not stat.S_ISREG(info.st_mode):
            raise not_a_file(place.path, info.st_mode)
        self._info = info
        self.facts = Facts(info.st_size, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))

    def close(self) -> None:
        """End the use of the file."""
        if self._fd is not None:
            os.close(self._fd)

    @property
    def directory_exists(self) -> bool:
        """Whether there is a directory to write into."""
        return not self.place.missing

    def wanted(self, attributes: Attributes, size: Optional[int]) -> Facts:
        """Owner, group and mode as they shall be. Raises ``unsafe_path`` for a file that may have been planted."""
        place = self.place
        uid = attributes.uid
        if place.shared and self.facts.uid not in (None, 0, uid):
            raise KeyfleetError(
                "unsafe_path",
                f"{place.path} lies in a directory of root that others may write to, and belongs to "
                f"{account_name(self.facts.uid or 0)}, who may have put it there. Remove it, or say to whom the file "
                "shall belong.",
                path=place.path,
            )
        if uid is None:
            keeps = place.privileged and place.acting.uid == 0 and self.facts.uid is not None
            uid = self.facts.uid if keeps else place.acting.uid
        elif place.privileged and place.acting.uid != uid and (place.led or not self._in_own_directory()):
            raise KeyfleetError(
                "permission_denied",
                f"{place.path}: {place.acting} may not give it to {account_name(uid)}, since a link led to it.",
                path=place.path,
            )
        gid = attributes.gid
        if gid is None:
            same = self.facts.gid is not None and self.facts.uid == uid
            gid = self.facts.gid if same else self._primary_group(uid or 0)
        return Facts(size, uid, gid, attributes.mode)

    def _in_own_directory(self) -> bool:
        return self.place.directory_info.st_uid == self.place.acting.uid

    def _primary_group(self, uid: int) -> int:
        directory = self.place.directory_info
        if not self.place.privileged:
            return self.place.acting.gid
        return group_of(uid, directory_uid=directory.st_uid, directory_gid=directory.st_gid)

    def counts(self, wanted: Facts) -> bool:
        """Whether the file that is there can be the one that is wanted. Whoever else made it may still write to it."""
        if self._info is None or self._info.st_nlink != 1 or self.facts.mode is None:
            return False
        if self._fd is None or self._info.st_size > LARGEST:
            return False
        if self.facts.mode & _OTHERS_WRITE and (self.facts.mode, self.facts.gid) != (wanted.mode, wanted.gid):
            return False
        return self.facts.uid == wanted.uid or (self.place.acting.uid == 0 and self.facts.uid == 0)

    def sums(self, algorithms: Sequence[str]) -> Dict[str, str]:
        """The checksums of the file that is there."""
        with self.doing("read it", code="read_failed"):
            return digests(self._opened(), algorithms, self.facts.size or 0)

    def repair(self, wanted: Facts) -> None:
        """Give the file that is there, and that `counts`, the owner, group and mode."""
        with self.doing("change its owner or mode"):
            self._give(self._opened(), wanted, helped=self.place.privileged)

    def _opened(self) -> int:
        if self._fd is None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return self._fd

    def _give(self, fd: int, wanted: Facts, *, helped: bool) -> None:
        info = os.fstat(fd)
        who = self.place.own if helped else self.place.acting
        with acting_as(who):
            if (info.st_uid, info.st_gid) != (wanted.uid, wanted.gid):
                os.fchown(fd, -1 if wanted.uid is None else wanted.uid, -1 if wanted.gid is None else wanted.gid)
            mode = 0o644 if wanted.mode is None else wanted.mode
            if mode & 0o070 & ~info.st_mode:
                # Entries of an ACL would come to life that had no effect.
                drop_acls(fd)
            os.fchmod(fd, mode)

    @contextmanager
    def doing(self, what: str, *, code: str = "write_failed") -> Iterator[None]:
        """Errors of the operating system, told as ours."""
        try:
            yield
        except OSError as exc:
            raise failure(exc, what, self.place.path, self.place.acting, code=code) from exc

    @contextmanager
    def part(
        self,
        uid: Optional[int] = None,
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Part]:
        """The file beside it, open and held against other runs, for a release that ``uid`` gets.

        What it holds is left there when a run breaks off, and gone on with by the next. Where it is not for who acts,
        it is root's: the owner of the directory could keep a descriptor of one of his own, and change what has been
        checked. There, and where others may have moved another file, nothing is gone on with.
        """
        place = self.place
        maker = maker_of(place, place.acting.uid if uid is None else uid)
        wait = Wait(patience, clock() + patience, Pace(clock, sleep))
        name = f"{temporary_name(place.name)}-part"
        owners = () if uid is None else (uid,)
        kept = maker == place.acting and not (place.movable or place.led)
        with temporary(place, maker, owners, wait, called=name, kept=kept) as made:
            yield Part(self, made.name, made.fd)

    def is_chosen_by(self, uid: Optional[int]) -> bool:
        """Whether nobody but an account, and root, can have chosen which of their files stands here."""
        place = self.place
        return not (place.movable or place.led) and place.acting.uid in (0, uid)


class Part:
    """What has come of the file so far."""

    def __init__(self, target: Target, name: str, fd: int) -> None:
        self._target, self._name, self._fd = target, name, fd
        self.size = os.lseek(fd, 0, os.SEEK_END)
        if self.size > LARGEST:
            self.cut()

    def cut(self, size: int = 0) -> None:
        """Forget what is behind ``size``."""
        with self._target.doing(f"write {self._name} beside it"):
            os.ftruncate(self._fd, size)
            os.lseek(self._fd, size, os.SEEK_SET)
        self.size = size

    def write(self, data: bytes) -> None:
        """Add some more."""
        rest = memoryview(data)
        with self._target.doing(f"write {self._name} beside it"):
            try:
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
            except OSError as exc:
                if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    # What filled the disk must not stay there.
                    self.cut()
                raise
        self.size += len(data)

    def room_for(self, size: int) -> None:
        """Raises `KeyfleetError` ``write_failed`` when the disk cannot hold so many bytes more."""
        facts = os.fstatvfs(self._fd)
        free = facts.f_bavail * facts.f_frsize
        if size > free:
            exc = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            what = f"write {size} bytes more, where {free} are free,"
            raise failure(exc, what, self._target.place.path, self._target.place.acting)

    def beginning(self, size: int) -> bytes:
        """The first bytes."""
        return os.pread(self._fd, size, 0)

    def sums(self, algorithms: Sequence[str]) -> Dict[str, str]:
        """The checksums of what has come."""
        with self._target.doing("read it", code="read_failed"):
            found = digests(self._fd, algorithms, self.size)
            os.lseek(self._fd, 0, os.SEEK_END)
        return found

    def discard(self) -> None:
        """Take it away."""
        place = self._target.place
        with self._target.doing(f"remove {self._name} beside it"), acting_as(place.acting), suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=place.directory)

    def put_in_place(self, wanted: Facts) -> None:
        """Owner, group and mode, then the name."""
        place = self._target.place
        with self._target.doing("write it"):
            self._target._give(self._fd, wanted, helped=place.privileged)
            os.fsync(self._fd)
            with acting_as(place.acting):
                self._check_named(self._name)
                os.rename(self._name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
                self._check_named(place.name)

    def _check_named(self, name: str) -> None:
        place = self._target.place
        there = os.stat(name, dir_fd=place.directory, follow_symlinks=False)
        if not os.path.samestat(there, os.fstat(self._fd)):
            raise KeyfleetError(
                "unsafe_path",
                f"{place.path}: its temporary file, {self._name}, was exchanged by somebody who may write to the "
                "directory, so it is not the file that was checked.",
                path=place.path,
            )


@contextmanager
def target(path: str, owner: Optional[int] = None) -> Iterator[Target]:
    """The place at the end of a path, open for the time of the context. ``owner``: whom it was asked to belong to."""
    with locate(path, Access(owner)) as place:
        found = Target(place, owner)
        try:
            yield found
        finally:
            found.close()
