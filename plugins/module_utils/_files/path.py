# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk from ``/`` to a file, one component at a time, and check who could change the path.

Root must not follow a path that another account controls: the owner of a directory may replace everything below it,
even between two system calls. So the walk holds every directory open, and continues as the owner of a directory as soon
as one is not root's. A replaced entry can then only lead to places where that account could have written by itself.

A link is followed with the rights of its owner. If links of several owners were followed, all of them must have access
to every later entry, so that none can lead root to the files of another.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import Iterator, List, NamedTuple, Optional, Tuple

from .._errors import KeyfleetError
from .accounts import Identity, account_name, acting_as, identity_of, own_identity

MOST_LINKS = 40  # the limit of Linux
_MOST_NAMES = 1000  # components of one path, including those of its links
_PATH_ONLY: Optional[int] = getattr(os, "O_PATH", None)
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Access(NamedTuple):
    """For which accounts a path is walked.

    ``owner`` is the requested uid of the file. ``walk_as`` is the uid whose own data named the path: the whole path is
    walked with the rights of that account.
    """

    owner: Optional[int] = None
    walk_as: Optional[int] = None


ANYBODY = Access()


class Location(NamedTuple):
    """An opened path: a name in an open directory, and the account that acts there.

    ``bound``: a user's link or data led here, so only the rights of ``acting`` may be used. ``led``: one of these links
    does not belong to the owner of its directory. ``shared``: root acts in a directory that others may write to or may
    have moved here. ``movable``: accounts other than root and the directory's owner may have chosen the file here.
    ``missing``: the directories between the open one and the file that do not exist.
    """

    path: str
    real_path: str
    directory: int
    directory_info: os.stat_result
    missing: Tuple[str, ...]
    name: str
    info: Optional[os.stat_result]
    own: Identity
    acting: Identity
    bound: bool
    led: bool
    shared: bool
    movable: bool

    @property
    def privileged(self) -> bool:
        """Whether this process runs as root, regardless of ``acting``."""
        return self.own.uid == 0


@contextmanager
def locate(path: str, access: Access = ANYBODY) -> Iterator[Location]:
    """Walk to ``path``. The directory stays open until the context ends."""
    walk = _Walk(path, access)
    try:
        yield walk.go()
    finally:
        walk.close()


def path_error(exc: OSError, doing: str, path: str, who: Identity, *, code: str = "write_failed") -> KeyfleetError:
    """Convert an OSError: which operation failed, on which file, as which account."""
    number = exc.errno or 0
    code = {errno.EACCES: "permission_denied", errno.EPERM: "permission_denied", errno.EBUSY: "busy_file"}.get(
        number, code
    )
    hint = ""
    if code == "busy_file":
        hint = " It is a mount point, as single files in containers often are: mount its directory instead."
    return KeyfleetError(code, f"{path}: cannot {doing} as {who}: {os.strerror(number)}.{hint}", path=path)


@contextmanager
def reporting(
    location: Location, doing: str, who: Optional[Identity] = None, *, code: str = "write_failed"
) -> Iterator[None]:
    """Turn an OSError of the block into a `path_error`. ``who``: by default the acting account."""
    try:
        yield
    except OSError as exc:
        raise path_error(exc, doing, location.path, who or location.acting, code=code) from exc


def kind_of(mode: int) -> str:
    """The kind of a directory entry, for messages."""
    kinds = {
        stat.S_IFREG: "a regular file",
        stat.S_IFDIR: "a directory",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def not_a_file(path: str, mode: int) -> KeyfleetError:
    """The error for an entry that is not a regular file."""
    return KeyfleetError("not_a_file", f"{path} is {kind_of(mode)}, not a regular file. Move it away.", path=path)


class _Step(NamedTuple):
    name: str
    fd: int
    info: os.stat_result
    acting: Identity
    shared: bool
    # Accounts other than its owner and root may have moved it here.
    placed: bool

    @property
    def movable(self) -> bool:
        """Whether accounts other than its owner and root may have put its entries there."""
        return self.placed or bool(self.info.st_mode & OTHERS_WRITE)


class _Walk:
    def __init__(self, path: str, access: Access) -> None:
        self.path = path
        self.owner = access.owner
        self.own = own_identity()
        self.privileged = self.own.uid == 0
        self.acting = self.own
        self.bound = False
        # The owners of the followed links, without root; and the directory owner at the first link of another account.
        self.makers: List[Identity] = []
        self.host: Optional[int] = None
        self.led = False
        # A followed link may have been moved to its directory by others.
        self.misled = False
        self.steps: List[_Step] = []
        self.links = 0
        self.names = 0
        if self.privileged and access.walk_as:
            self._follow_as(identity_of(access.walk_as))

    def go(self) -> Location:
        todo = self._components()
        self._start()
        while todo:
            name = todo.pop()
            self.names += 1
            if self.names > _MOST_NAMES:
                raise self._unsafe(f"it has more than {_MOST_NAMES} components, including those of its links")
            if name == "..":
                self._back()
                continue
            fd, info, target = self._look(name)
            if info is None:
                return self._end(name, None, todo)
            if target is not None:
                self._follow(name, info, target, last=not todo)
                todo.extend(_split(target))
                if os.path.isabs(target):
                    self._start()
            elif fd is not None and todo:
                self._enter(name, fd, info)
            else:
                if fd is not None:
                    os.close(fd)
                if todo:
                    raise self._no_directory(f"{self._where(name)} is {kind_of(info.st_mode)}, not a directory")
                return self._end(name, info, todo)
        raise not_a_file(self.path, stat.S_IFDIR)

    def close(self) -> None:
        while self.steps:
            os.close(self.steps.pop().fd)

    def _components(self) -> List[str]:
        try:
            encoded = os.fsencode(self.path)
        except UnicodeEncodeError:
            encoded = b"\0"
        if b"\0" in encoded:
            raise self._unsafe("it contains a character that no path can have")
        if not os.path.isabs(self.path):
            raise self._unsafe("it is not absolute. Start it with /")
        return _split(self.path)

    def _start(self) -> None:
        self.close()
        fd = os.open("/", os.O_DIRECTORY | os.O_CLOEXEC | (_PATH_ONLY or os.O_RDONLY))
        if not self.bound:
            self.acting = self.own
        self._enter("", fd, os.fstat(fd))

    def _back(self) -> None:
        # The parent is the directory that the walk came through, which is still open.
        if len(self.steps) > 1:
            os.close(self.steps.pop().fd)
        if not self.bound:
            self.acting = self.steps[-1].acting

    def _look(self, name: str) -> Tuple[Optional[int], Optional[os.stat_result], Optional[str]]:
        directory, who = self.steps[-1].fd, self.acting
        try:
            for who in self.makers[:-1]:
                with acting_as(who):
                    os.stat(name, dir_fd=directory, follow_symlinks=False)
            who = self.acting
            with acting_as(who):
                return _look(directory, name)
        except FileNotFoundError:
            return None, None, None
        except OSError as exc:
            raise path_error(exc, f"look up {self._where(name)}", self.path, who, code="read_failed") from exc

    def _enter(self, name: str, fd: int, info: os.stat_result) -> None:
        owner = info.st_uid
        above = self.steps[-1].info if self.steps else info
        shared, placed = self._shared_below(info), self._placed(info)
        # First, since close() closes only the directories in self.steps.
        self.steps.append(_Step(name, fd, info, self.acting, shared, placed))
        if not self.privileged:
            return
        if owner == 0 and info.st_mode & stat.S_IWOTH and not info.st_mode & stat.S_ISVTX:
            raise self._unsafe(
                f"everybody may write to {self._where()}, so anybody could replace its entries. Remove that "
                "permission (chmod o-w), or set the sticky bit"
            )
        if self.bound:
            return
        if self.acting.uid != 0 and owner == 0:
            raise self._unsafe(
                f"{self._where()} belongs to root, but is in a directory of {self.acting}, who could replace it with "
                f"another directory of root. Give it to {self.acting} (chown), or move it below root's own directories"
            )
        given = self.owner not in (None, owner)
        if above.st_uid and above.st_uid != owner and above.st_mode & (OTHERS_WRITE if given else stat.S_IWOTH):
            raise self._unsafe(
                f"{self._where()} of {account_name(owner)} is in a directory of {account_name(above.st_uid)} that "
                "others may write to, so they could have moved it there. Remove that permission (chmod go-w), or give "
                "the directory to the owner that the file shall have"
            )
        if shared and owner and given:
            raise self._unsafe(
                f"{self._where()} belongs to {account_name(owner)} and is below a directory of root that others may "
                f"write to, so it may have been moved there; the file shall belong to {account_name(self.owner or 0)}. "
                "Remove that permission (chmod go-w), or give the directory to that account"
            )
        if owner != self.acting.uid:
            self.acting = identity_of(owner)
            self.steps[-1] = _Step(name, fd, info, self.acting, shared, placed)

    def _shared_below(self, info: os.stat_result) -> bool:
        """Whether accounts other than root may have put entries into the directory that is being entered."""
        above = self.steps[-1] if self.steps else None
        if self.misled:
            return True
        if above is not None and above.shared:
            # In a sticky directory others cannot replace entries of root, unless they can replace the directory itself.
            sticky = above.info.st_uid == 0 and above.info.st_mode & stat.S_ISVTX
            if info.st_uid or not sticky or above.placed:
                return True
        return info.st_uid == 0 and bool(info.st_mode & OTHERS_WRITE)

    def _placed(self, info: os.stat_result) -> bool:
        """Whether accounts other than its owner and root may have moved the directory that is being entered."""
        if self.misled or not self.steps:
            return self.misled
        above = self.steps[-1]
        # In a sticky directory of root, only the owner of a directory can rename it. To move it there from another
        # directory, others need write permission on it.
        sticky = above.info.st_uid == 0 and above.info.st_mode & stat.S_ISVTX and not info.st_mode & OTHERS_WRITE
        others_write = above.info.st_mode & OTHERS_WRITE and not sticky
        return above.placed or bool(others_write) or above.info.st_uid not in (0, info.st_uid)

    def _follow_as(self, maker: Identity) -> None:
        """Continue with the rights of an account that owns a followed link, besides the owners of earlier links."""
        self.makers = [one for one in self.makers if one.uid != maker.uid] + [maker]
        self.acting = maker
        self.bound = True

    def _follow(self, name: str, link: os.stat_result, target: str, *, last: bool) -> None:
        self.links += 1
        if self.links > MOST_LINKS:
            raise self._unsafe(f"it leads through more than {MOST_LINKS} links, probably a loop")
        if last and self.steps[-1].movable and os.path.basename(target) != name:
            # The link may have been moved here so that another kind of file of its owner is written to.
            raise self._unsafe(
                f"others may have put the link {self._where(name)} there, and its target has another name. "
                "Use the path of the target, or remove the permission of others to write to the directory (chmod go-w)"
            )
        directory = self.steps[-1].info
        others_write = directory.st_mode & OTHERS_WRITE
        if self.privileged and not self.bound and self.acting.uid == 0:
            if not self.steps[-1].shared:
                return
            if link.st_uid != 0:
                if link.st_uid != self.owner:
                    raise self._unsafe(
                        f"the link {self._where(name)} of {account_name(link.st_uid)} is in a directory of root that "
                        "others may write to. Remove that permission (chmod go-w), use the path of the link's target, "
                        "or set the option owner to that account"
                    )
                self._follow_as(identity_of(link.st_uid))
            elif others_write and (not directory.st_mode & stat.S_ISVTX or link.st_nlink != 1):
                raise self._unsafe(
                    f"the link {self._where(name)} is in a directory that others may write to, so they "
                    "could have put it there. Remove that permission (chmod go-w), or use the path of the link's target"
                )
            # Root made the link, but others may have moved it here, so its target is trusted as little as this place.
            self.misled = True
            return
        if others_write & stat.S_IWOTH and link.st_uid not in (self.acting.uid, directory.st_uid):
            # The kernel refuses these in sticky directories (fs.protected_symlinks); this walk would bypass that.
            raise self._unsafe(
                f"the link {self._where(name)}, in a directory that everybody may write to, belongs to "
                f"{account_name(link.st_uid)}, not to {self.acting}. Use the path of the link's target"
            )
        self.misled = self.misled or self.steps[-1].movable
        if not self.privileged:
            return
        if link.st_uid in (0, self.acting.uid):
            self._follow_as(self.acting)
            return
        if not self.bound:
            self.host = self.acting.uid
        self.led = True
        self._follow_as(identity_of(link.st_uid))

    def _act_at_the_end(self, info: Optional[os.stat_result]) -> None:
        """Choose who acts where another account's link led: the directory's owner, if the link's owner may write there.

        Otherwise the link's owner. Refused if the links of several accounts led here and one of them may not write.
        """
        if not self.led:
            return
        directory = self.steps[-1]
        # In a sticky directory the kernel lets only the owner of the directory or the file replace the file.
        free = info is None or not directory.info.st_mode & stat.S_ISVTX
        for one in self.makers:
            with acting_as(one):
                open_to = os.access(".", os.W_OK | os.X_OK, dir_fd=directory.fd, effective_ids=True)
            if open_to and (free or info is None or one.uid in (directory.info.st_uid, info.st_uid)):
                continue
            if len(self.makers) == 1:
                return
            raise self._unsafe(
                f"links of several accounts lead to {self._where()}, where {one} may not write. Use that path directly"
            )
        if directory.info.st_uid in (self.host, *(one.uid for one in self.makers)):
            self.acting = identity_of(directory.info.st_uid)

    def _end(self, name: str, info: Optional[os.stat_result], todo: List[str]) -> Location:
        names = [name] + todo[::-1]
        if ".." in names:
            raise self._no_directory(f"{self._where(name)} does not exist")
        self._act_at_the_end(info)
        last = self.steps[-1]
        closed = self.acting.uid != 0 and last.placed and not last.info.st_mode & OTHERS_WRITE
        if self.privileged and self.owner not in (None, self.acting.uid) and (self.misled or closed) and not self.led:
            raise self._unsafe(
                f"others may control the path {self._where()}, a directory of {self.acting}, so no file in it is "
                f"given to {account_name(self.owner or 0)}. Use that path directly, or chown it to that account"
            )
        return Location(
            path=self.path,
            real_path=self._where(*names),
            directory=self.steps[-1].fd,
            directory_info=self.steps[-1].info,
            missing=tuple(names[:-1]),
            name=names[-1],
            info=info,
            own=self.own,
            acting=self.acting,
            bound=self.bound,
            led=self.led,
            shared=self.privileged and self.acting.uid == 0 and self.steps[-1].shared,
            movable=self.misled or self.steps[-1].movable,
        )

    def _where(self, *names: str) -> str:
        return "/" + "/".join([step.name for step in self.steps[1:]] + list(names))

    def _unsafe(self, why: str) -> KeyfleetError:
        return KeyfleetError("unsafe_path", f"{self.path!r} is not a safe path: {why}.", path=self.path)

    def _no_directory(self, why: str) -> KeyfleetError:
        return KeyfleetError("no_directory", f"{self.path}: {why}.", path=self.path)


def _split(path: str) -> List[str]:
    """The components of a path, in reverse order."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _look(directory: int, name: str) -> Tuple[Optional[int], os.stat_result, Optional[str]]:
    """Stat a name without following it: (descriptor of a directory, stat result, target of a link)."""
    if _PATH_ONLY is None:
        info = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            return None, info, os.readlink(name, dir_fd=directory)
        if not stat.S_ISDIR(info.st_mode):
            return None, info, None
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        return fd, os.fstat(fd), None
    fd = os.open(name, _PATH_ONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        info = os.fstat(fd)
        if stat.S_ISDIR(info.st_mode):
            keep, fd = fd, -1
            return keep, info, None
        # Through the open descriptor, so that owner and target are those of the same link.
        return None, info, os.readlink("", dir_fd=fd) if stat.S_ISLNK(info.st_mode) else None
    finally:
        if fd >= 0:
            os.close(fd)
