# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large download: written to a partial file beside the destination, then renamed.

As with credential files, the owner of the directory is the acting account; names are looked up in the open directory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Optional, Sequence

from .._errors import KeyfleetError
from .._files.accounts import account_name, acting_as
from .._files.path import OTHERS_WRITE, Access, Location, locate, not_a_file, path_error, reporting
from .._files.read import state_of, temporary_name
from .._files.state import primary_group
from .._files.write import Wait, drop_acls, maker_of, temporary, write_all

# Bytes. The largest releases have a few GiB.
LARGEST = 16 * 1024**3
_CHUNK = 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Facts:
    """Size (bytes), owner, group and mode of a file, as they are or shall be. All None if the file is missing."""

    size: Optional[int] = None
    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: Optional[int] = None

    @property
    def exists(self) -> bool:
        """Whether the file exists."""
        return self.size is not None


@dataclass(frozen=True)
class Attributes:
    """The requested owner, group and mode; None for the default of the destination."""

    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: int = 0o644


def hasher(algorithm: str) -> Any:
    """A new hash object, MD5 also where a host policy forbids it for security. ValueError for an unknown algorithm."""
    try:
        return hashlib.new(algorithm)
    except ValueError:
        # Python 3.9 and later allow MD5 as a plain checksum.
        try:
            return hashlib.new(algorithm, usedforsecurity=False)  # type: ignore[call-arg, unused-ignore]
        except TypeError:
            raise ValueError(f"{algorithm} is not available on this host") from None


def digests(fd: int, algorithms: Sequence[str], left: int) -> Dict[str, str]:
    """Checksums of the first ``left`` bytes of an open file, in one pass. The owner may extend the file meanwhile."""
    sums = {name: hasher(name) for name in algorithms}
    os.lseek(fd, 0, os.SEEK_SET)
    while left:
        piece = os.read(fd, min(_CHUNK, left))
        left = left - len(piece) if piece else 0
        for one in sums.values():
            one.update(piece)
    return {name: one.hexdigest() for name, one in sums.items()}


class Destination:
    """The location of the file, with the directory open, and the file too if it exists and is readable."""

    def __init__(self, location: Location, owner: Optional[int] = None) -> None:
        self.location = location
        self.facts = Facts()
        self._info: Optional[os.stat_result] = None
        self._fd = -1
        if location.info is not None:
            if not stat.S_ISREG(location.info.st_mode):
                raise not_a_file(location.path, location.info.st_mode)
            with reporting(self.location, "read it", code="read_failed"):
                self._open(owner)

    def _open(self, owner: Optional[int]) -> None:
        """Open the file once, so that the same file is checked, repaired and reported."""
        location = self.location
        try:
            with acting_as(location.acting):
                self._fd = os.open(location.name, _READ, dir_fd=location.directory)
            info = os.fstat(self._fd)
        except FileNotFoundError:
            return
        except PermissionError:
            with acting_as(location.acting):
                info = os.stat(location.name, dir_fd=location.directory, follow_symlinks=False)
            if location.privileged and info.st_uid == owner and stat.S_ISREG(info.st_mode):
                # Only the owner may read the release; root reads it to verify it.
                with acting_as(location.own), suppress(OSError):
                    self._fd = os.open(location.name, _READ, dir_fd=location.directory)
                    info = os.fstat(self._fd)
        if not stat.S_ISREG(info.st_mode):
            raise not_a_file(location.path, info.st_mode)
        self._info = info
        self.facts = Facts(info.st_size, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)

    def wanted(self, attributes: Attributes, size: Optional[int]) -> Facts:
        """Owner, group and mode as they shall be. Raises ``unsafe_path`` for a file that may have been planted."""
        location = self.location
        own_directory = location.directory_info.st_uid == location.acting.uid
        uid = attributes.uid
        if location.shared and self.facts.uid not in (None, 0, uid):
            raise KeyfleetError(
                "unsafe_path",
                f"{location.path} is in a directory of root that others can write to, and belongs to "
                f"{account_name(self.facts.uid or 0)}, who may have put it there. Remove it, or set owner to that "
                "user.",
            )
        if uid is None:
            keeps = location.privileged and location.acting.uid == 0 and self.facts.uid is not None
            uid = self.facts.uid if keeps else location.acting.uid
        elif location.privileged and location.acting.uid != uid and (location.led or not own_directory):
            raise KeyfleetError(
                "permission_denied",
                f"{location.path}: {location.acting} may not chown it to {account_name(uid)}: its path has a link.",
            )
        gid = attributes.gid
        if gid is None:
            same = self.facts.gid is not None and self.facts.uid == uid
            gid = self.facts.gid if same else primary_group(state_of(location, None), uid or 0)
        return Facts(size, uid, gid, attributes.mode)

    def can_be_kept(self, wanted: Facts) -> bool:
        """Whether the existing file can be kept: no other account can write to it or may have made it."""
        if self._fd < 0 or self._info is None or self._info.st_nlink != 1 or self._info.st_size > LARGEST:
            return False
        if self._info.st_mode & OTHERS_WRITE and (self.facts.mode, self.facts.gid) != (wanted.mode, wanted.gid):
            return False
        return self.facts.uid == wanted.uid or (self.location.acting.uid == 0 and self.facts.uid == 0)

    def sums(self, algorithms: Sequence[str]) -> Dict[str, str]:
        """The checksums of the existing file."""
        with reporting(self.location, "read it", code="read_failed"):
            return digests(self._fd, algorithms, self.facts.size or 0)

    def repair(self, wanted: Facts) -> None:
        """Set owner, group and mode of the existing file, for which `can_be_kept` is true."""
        with reporting(self.location, "change its owner or mode"):
            _give(self.location, self._fd, wanted)

    @contextmanager
    def part(self, uid: Optional[int] = None, *, lock_timeout: float) -> Iterator[PartialFile]:
        """The partial file, open and locked against other runs, for a release that ``uid`` shall own.

        An interrupted run leaves it, and the next run resumes it. If ``uid`` is not the acting account, root owns the
        partial file, because the owner of the directory could keep a descriptor open and change verified content. It
        is not resumed then, nor where another account may have moved another file there.
        """
        location = self.location
        maker = maker_of(location, location.acting.uid if uid is None else uid)
        name = f"{temporary_name(location.name)}-part"
        owners = () if uid is None else (uid,)
        kept = maker == location.acting and not (location.movable or location.led)
        with temporary(location, name, maker, owners, Wait(lock_timeout), kept=kept) as fd:
            yield PartialFile(location, name, fd)

    def is_chosen_by(self, uid: Optional[int]) -> bool:
        """Whether only ``uid`` and root could have placed the existing file here."""
        location = self.location
        return not (location.movable or location.led) and location.acting.uid in (0, uid)


class PartialFile:
    """The partial file."""

    def __init__(self, location: Location, name: str, fd: int) -> None:
        self._location, self._name, self._fd = location, name, fd
        self.size = os.lseek(fd, 0, os.SEEK_END)
        if self.size > LARGEST:
            self.cut()

    def cut(self, size: int = 0) -> None:
        """Truncate to ``size`` bytes."""
        with reporting(self._location, f"write {self._name} beside it"):
            os.ftruncate(self._fd, size)
            os.lseek(self._fd, size, os.SEEK_SET)
        self.size = size

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        with reporting(self._location, f"write {self._name} beside it"):
            try:
                write_all(self._fd, data)
            except OSError as exc:
                if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    # Free the disk.
                    self.cut()
                raise
        self.size += len(data)

    def room_for(self, size: int) -> None:
        """Raises `KeyfleetError` ``write_failed`` if the disk has no room for ``size`` more bytes."""
        facts = os.fstatvfs(self._fd)
        free = facts.f_bavail * facts.f_frsize
        if size > free:
            exc = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            what = f"write {size} more bytes, with {free} free,"
            raise path_error(exc, what, self._location.path, self._location.acting)

    def sums(self, algorithms: Sequence[str]) -> Dict[str, str]:
        """The checksums of the received bytes."""
        with reporting(self._location, "read it", code="read_failed"):
            found = digests(self._fd, algorithms, self.size)
            os.lseek(self._fd, 0, os.SEEK_END)
        return found

    def discard(self) -> None:
        """Remove the partial file."""
        location = self._location
        what = f"remove {self._name} beside it"
        with reporting(location, what), acting_as(location.acting), suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=location.directory)

    def put_in_place(self, wanted: Facts) -> None:
        """Set owner, group and mode, then rename to the destination."""
        location = self._location
        with reporting(location, "write it"):
            _give(location, self._fd, wanted)
            os.fsync(self._fd)
            with acting_as(location.acting):
                self._check_named(self._name)
                os.rename(self._name, location.name, src_dir_fd=location.directory, dst_dir_fd=location.directory)
                self._check_named(location.name)

    def _check_named(self, name: str) -> None:
        location = self._location
        named = os.stat(name, dir_fd=location.directory, follow_symlinks=False)
        if not os.path.samestat(named, os.fstat(self._fd)):
            raise KeyfleetError(
                "unsafe_path",
                f"{location.path}: an account that can write to the directory replaced the temporary file "
                f"{self._name}, so it is not the file that was verified.",
            )


def _give(location: Location, fd: int, wanted: Facts) -> None:
    """Set owner, group and mode of an open file."""
    info = os.fstat(fd)
    with acting_as(location.own if location.privileged else location.acting):
        if (info.st_uid, info.st_gid) != (wanted.uid, wanted.gid):
            os.fchown(fd, -1 if wanted.uid is None else wanted.uid, -1 if wanted.gid is None else wanted.gid)
        mode = 0o644 if wanted.mode is None else wanted.mode
        if mode & 0o070 & ~info.st_mode:
            # Group bits would put ACL entries into effect.
            drop_acls(fd)
        os.fchmod(fd, mode)


@contextmanager
def open_destination(path: str, owner: Optional[int] = None) -> Iterator[Destination]:
    """The destination at ``path``, open within the context. ``owner``: the requested owner."""
    with locate(path, Access(owner)) as location, closing(Destination(location, owner)) as destination:
        yield destination
