# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from ``/`` to a file, one component at a time, and the question whose hands it leads through.

Root must not follow a path that somebody else can bend: who owns a directory may exchange everything below it, between
two looks too. So the walk holds every directory open, and goes on as the owner as soon as a directory is not root's.
Whatever is exchanged then, it can only lead to places where that account could have written by itself.

A link has the rights of its maker. Where several people made the links that were followed, what is looked up has to be
within the reach of all of them: none can lead root into the files of another.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import (
    Identity,
    account_name,
    acting_as,
    identity_of,
    own_identity,
)

MOST_LINKS = 40  # as many as Linux follows
_MOST_NAMES = 1000  # in one path, those of its links included
_PATH_ONLY: Optional[int] = getattr(os, "O_PATH", None)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Access(NamedTuple):
    """On whose behalf a path is walked.

    ``owner`` is the uid that the file was asked to belong to. ``walk_as`` is the uid whose own data named the path: it
    is walked with the rights of that account from ``/`` on.
    """

    owner: Optional[int] = None
    walk_as: Optional[int] = None


ANYBODY = Access()


@dataclass(frozen=True)
class Place:
    """Where a path ends: a name in an open directory, and who acts there.

    ``bound``: a link or somebody's data led here, so that nothing but the rights of ``acting`` may be used. ``led``: a
    link did that was not made by the owner of its directory. ``shared``: root acts in a directory that others than root
    may write to, or may have put in place; ``movable``: whoever acts, others than the owner of the directory and root
    may have chosen which file stands there. ``missing`` are directories between the open one and the file that do not
    exist.
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
        """Whether this process is root, whoever it acts as here."""
        return self.own.uid == 0


@contextmanager
def locate(path: str, access: Access = ANYBODY) -> Iterator[Place]:
    """Walk to ``path``. The directory stays open for the time of the context."""
    walk = _Walk(path, access)
    try:
        yield walk.go()
    finally:
        walk.close()


def failure(exc: OSError, doing: str, path: str, who: Identity, *, code: str = "write_failed") -> KeyfleetError:
    """An error of the operating system as one of ours: what was being done, to which file, as whom."""
    number = exc.errno or 0
    code = {errno.EACCES: "permission_denied", errno.EPERM: "permission_denied", errno.EBUSY: "busy_file"}.get(
        number, code
    )
    hint = ""
    if code == "busy_file":
        hint = " Something is mounted on it, as containers do with single files: mount its directory instead."
    return KeyfleetError(code, f"{path}: cannot {doing} as {who}: {os.strerror(number)}.{hint}", path=path)


def kind_of(mode: int) -> str:
    """What a directory entry is, for people."""
    for test, name in (
        (stat.S_ISREG, "a regular file"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    ):
        if test(mode):
            return name
    return "no regular file"


def not_a_file(path: str, mode: int) -> KeyfleetError:
    """For an entry of another kind under the name of the file."""
    return KeyfleetError("not_a_file", f"{path} is {kind_of(mode)}, not a regular file. Move it away.", path=path)


@dataclass(frozen=True)
class _Step:
    name: str
    fd: int
    info: os.stat_result
    acting: Identity
    shared: bool
    # Others than its owner and root may have put it where it is.
    placed: bool

    @property
    def movable(self) -> bool:
        """Whether that holds for what is in it."""
        return self.placed or bool(self.info.st_mode & _OTHERS_WRITE)


class _Walk:
    def __init__(self, path: str, access: Access) -> None:
        self.path = path
        self.owner = access.owner
        self.own = own_identity()
        self.privileged = self.own.uid == 0
        self.acting = self.own
        self.bound = False
        # Who made the links that were followed, root aside; and in whose directory another one's was found.
        self.makers: List[Identity] = []
        self.host: Optional[int] = None
        self.led = False
        # A link was followed that others may have moved to where it was.
        self.misled = False
        self.steps: List[_Step] = []
        self.links = 0
        self.names = 0
        if self.privileged and access.walk_as:
            self._follow_as(identity_of(access.walk_as))

    def go(self) -> Place:
        todo = self._components()
        self._start()
        while todo:
            name = todo.pop()
            self.names += 1
            if self.names > _MOST_NAMES:
                raise self._unsafe(f"it leads through more than {_MOST_NAMES} directories, one after the other")
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
            raise self._unsafe("it holds a character that no path can hold")
        if not os.path.isabs(self.path):
            raise self._unsafe("it is not absolute. Write it from / on")
        return _split(self.path)

    def _start(self) -> None:
        self.close()
        fd = os.open("/", os.O_DIRECTORY | os.O_CLOEXEC | (_PATH_ONLY or os.O_RDONLY))
        if not self.bound:
            self.acting = self.own
        self._enter("", fd, os.fstat(fd))

    def _back(self) -> None:
        # The directory above is the one that the walk came through, and that it still holds open.
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
            raise failure(exc, f"look up {self._where(name)}", self.path, who, code="read_failed") from exc

    def _enter(self, name: str, fd: int, info: os.stat_result) -> None:
        owner = info.st_uid
        above = self.steps[-1].info if self.steps else info
        shared, placed = self._shared_below(info), self._placed(info)
        # On the list first: what is on the list is closed in the end.
        self.steps.append(_Step(name, fd, info, self.acting, shared, placed))
        if not self.privileged:
            return
        if owner == 0 and info.st_mode & stat.S_IWOTH and not info.st_mode & stat.S_ISVTX:
            raise self._unsafe(
                f"everybody may write to {self._where()}, so anybody could exchange what is in it. Take that right "
                "away (chmod o-w), or set the sticky bit"
            )
        if self.bound:
            return
        if self.acting.uid != 0 and owner == 0:
            raise self._unsafe(
                f"{self._where()} is root's, but lies in a directory of {self.acting}, who could exchange it for "
                f"another one of root's. Give it to {self.acting} (chown), or put it below directories of root alone"
            )
        given = self.owner not in (None, owner)
        if above.st_uid and above.st_uid != owner and above.st_mode & (_OTHERS_WRITE if given else stat.S_IWOTH):
            raise self._unsafe(
                f"{self._where()} of {account_name(owner)} lies in a directory of {account_name(above.st_uid)} that "
                "others may write to, so they could have put it there. Take that right away (chmod go-w), or give the "
                "directory to whom the file is to belong"
            )
        if shared and owner and given:
            raise self._unsafe(
                f"{self._where()} belongs to {account_name(owner)} and lies below a directory of root that others may "
                f"write to, so it may have been put there; the file is to belong to {account_name(self.owner or 0)}. "
                "Take that right away (chmod go-w), or give the directory to that account"
            )
        if owner != self.acting.uid:
            self.acting = identity_of(owner)
            self.steps[-1] = _Step(name, fd, info, self.acting, shared, placed)

    def _shared_below(self, info: os.stat_result) -> bool:
        """Whether what lies in a directory that is being entered may have been put there by others than root."""
        above = self.steps[-1] if self.steps else None
        if self.misled:
            return True
        if above is not None and above.shared:
            # In a sticky directory nobody can exchange what is root's, unless they can exchange the directory.
            sticky = above.info.st_uid == 0 and above.info.st_mode & stat.S_ISVTX
            if info.st_uid or not sticky or above.placed:
                return True
        return info.st_uid == 0 and bool(info.st_mode & _OTHERS_WRITE)

    def _placed(self, info: os.stat_result) -> bool:
        """Whether others than its owner and root may have put a directory where it is being entered."""
        if self.misled or not self.steps:
            return self.misled
        above = self.steps[-1]
        # In a sticky directory of root's, only its owner can rename a directory. To bring one there from another place,
        # others have to be allowed to write to it.
        sticky = above.info.st_uid == 0 and above.info.st_mode & stat.S_ISVTX and not info.st_mode & _OTHERS_WRITE
        others_write = above.info.st_mode & _OTHERS_WRITE and not sticky
        return above.placed or bool(others_write) or above.info.st_uid not in (0, info.st_uid)

    def _follow_as(self, maker: Identity) -> None:
        """From here on with the rights of an account that made a link, and of those who made others before."""
        self.makers = [one for one in self.makers if one.uid != maker.uid] + [maker]
        self.acting = maker
        self.bound = True

    def _follow(self, name: str, link: os.stat_result, target: str, *, last: bool) -> None:
        self.links += 1
        if self.links > MOST_LINKS:
            raise self._unsafe(f"it leads through more than {MOST_LINKS} links; they go round in a circle")
        if last and self.steps[-1].movable and os.path.basename(target) != name:
            # Whoever moved one of its maker's links there must not have another kind of file of theirs written to.
            raise self._unsafe(
                f"others may have put the link {self._where(name)} there, and it leads to a file of another name. Name "
                "the place where the link leads, or take the right to write to its directory away (chmod go-w)"
            )
        directory = self.steps[-1].info
        others_write = directory.st_mode & _OTHERS_WRITE
        if self.privileged and not self.bound and self.acting.uid == 0:
            if not self.steps[-1].shared:
                return
            if link.st_uid != 0:
                if link.st_uid != self.owner:
                    raise self._unsafe(
                        f"the link {self._where(name)} of {account_name(link.st_uid)} lies in a directory of root that "
                        "others may write to. Take that right away (chmod go-w), name the place where the link leads, "
                        "or say that the file shall belong to that account"
                    )
                self._follow_as(identity_of(link.st_uid))
            elif others_write and (not directory.st_mode & stat.S_ISVTX or link.st_nlink != 1):
                raise self._unsafe(
                    f"the link {self._where(name)} lies in a directory that others than root may write to, so they "
                    "could have put it there. Take that right away (chmod go-w), or name the place where the link leads"
                )
            # Root made it, but it can have been moved here: what it leads to is no more to be trusted than this place.
            self.misled = True
            return
        if others_write & stat.S_IWOTH and link.st_uid not in (self.acting.uid, directory.st_uid):
            # What the kernel does in sticky directories, with fs.protected_symlinks; following by hand would undo it.
            raise self._unsafe(
                f"the link {self._where(name)} in a directory that many may write to belongs to "
                f"{account_name(link.st_uid)}, not to {self.acting}. Name the place where the link leads"
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
        """Who acts where another one's link led to: the owner of the directory, if its maker could write there alone.

        Otherwise its maker, and nobody where several people's links led to a place that is not open to all of them.
        """
        if not self.led:
            return
        directory = self.steps[-1]
        # What the kernel lets people exchange in a sticky directory.
        free = info is None or not directory.info.st_mode & stat.S_ISVTX
        for one in self.makers:
            with acting_as(one):
                open_to = os.access(".", os.W_OK | os.X_OK, dir_fd=directory.fd, effective_ids=True)
            if open_to and (free or info is None or one.uid in (directory.info.st_uid, info.st_uid)):
                continue
            if len(self.makers) == 1:
                return
            raise self._unsafe(
                f"links of several people lead to {self._where()}, where {one} may not write. Name that place itself"
            )
        if directory.info.st_uid in (self.host, *(one.uid for one in self.makers)):
            self.acting = identity_of(directory.info.st_uid)

    def _end(self, name: str, info: Optional[os.stat_result], todo: List[str]) -> Place:
        names = [name] + todo[::-1]
        if ".." in names:
            raise self._no_directory(f"{self._where(name)} does not exist")
        self._act_at_the_end(info)
        last = self.steps[-1]
        closed = self.acting.uid != 0 and last.placed and not last.info.st_mode & _OTHERS_WRITE
        if self.privileged and self.owner not in (None, self.acting.uid) and (self.misled or closed) and not self.led:
            raise self._unsafe(
                f"others may have put there what leads to {self._where()}, a directory of {self.acting}, so nothing in "
                f"it is given to {account_name(self.owner or 0)}. Name that place itself, or give it the directory"
            )
        return Place(
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
    """The components, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _look(directory: int, name: str) -> Tuple[Optional[int], os.stat_result, Optional[str]]:
    """What a name is, without following it: (an open directory, its facts, the target of a link)."""
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
        # By its open descriptor, so that owner and target belong to the same link.
        return None, info, os.readlink("", dir_fd=fd) if stat.S_ISLNK(info.st_mode) else None
    finally:
        if fd >= 0:
            os.close(fd)
