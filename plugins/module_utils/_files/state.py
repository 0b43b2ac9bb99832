# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of credential files: current, wanted and after a change, and the ownership rules.

No disk access, except that accounts are looked up.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Tuple

from .._errors import KeyfleetError
from .accounts import Identity, account_name, group_of
from .path import Access

# Takes the content of the file, or None if it does not exist; returns the wanted content, or None for "no change".
# Pure and idempotent. Raises MalformedFile for a file that it cannot read.
Transform = Callable[[Optional[bytes]], Optional[bytes]]


class Ownership(NamedTuple):
    """The requested owner, group and mode. None: chosen by `right_owner`."""

    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: int = 0o600


class FileState(NamedTuple):
    """A file at one moment. ``data`` is None if it does not exist; in ``real_path`` all links are resolved.

    ``group_reads``: every member of its group may read it. ``privileged``: root may do what ``acting`` may not, unless
    ``bound``. ``missing_directories`` is a number. ``left_over``: a temporary file exists, too, which a killed run may
    have left. For the other fields of the location, see `Location`.
    """

    path: str
    real_path: str
    data: Optional[bytes]
    uid: Optional[int]
    gid: Optional[int]
    mode: Optional[int]
    missing_directories: int = 0
    group_reads: bool = False
    directory_uid: int = 0
    directory_gid: int = 0
    shared: bool = False
    movable: bool = False
    acting: Identity = Identity(0, 0, (0,))
    bound: bool = False
    led: bool = False
    privileged: bool = False
    left_over: bool = False

    @property
    def directory_exists(self) -> bool:
        """Whether the directory of the file exists."""
        return not self.missing_directories

    def __repr__(self) -> str:
        return f"FileState({self.path!r})"


class Wanted(NamedTuple):
    """The wanted state of one file.

    ``make_directory``: create a missing parent (for a home: up to two levels), 0700. ``user`` is the account whose home
    this is. ``walk_as`` is the account whose own data named the path, see `Access`. ``directory_owners``: the file is
    written only if these accounts own the directory and act there.
    """

    path: str
    transform: Transform
    ownership: Ownership = Ownership()
    make_directory: bool = False
    user: Optional[int] = None
    walk_as: Optional[int] = None
    directory_owners: Optional[Tuple[int, ...]] = None

    @property
    def access(self) -> Access:
        """For which accounts the path is walked."""
        return Access(self.ownership.uid, self.walk_as)

    def __repr__(self) -> str:
        return f"Wanted({self.path!r})"


class Change(NamedTuple):
    """The state of a file before and after a change, made or predicted."""

    wanted: Wanted
    before: FileState
    after: FileState

    @property
    def which(self) -> Tuple[str, Optional[int]]:
        """The path, and the uid of the user whose data named it."""
        return self.wanted.path, self.wanted.walk_as

    @property
    def changed(self) -> bool:
        """Whether content, owner, group or mode differ."""
        return _essence(self.before) != _essence(self.after)


def _essence(state: FileState) -> Tuple[object, ...]:
    return state.data, state.uid, state.gid, state.mode


def new_directory_uid(state: FileState, wanted: Wanted) -> int:
    """The owner of a directory that has to be created."""
    if wanted.ownership.uid is not None:
        return wanted.ownership.uid
    if wanted.user is not None and state.privileged:
        return wanted.user
    return state.acting.uid


def primary_group(state: FileState, uid: int) -> int:
    """The gid of a new file of account ``uid``."""
    if not state.privileged:
        return state.acting.gid
    return group_of(uid, directory_uid=state.directory_uid, directory_gid=state.directory_gid)


def _keeps_group(state: FileState, uid: int, directory_uid: int) -> bool:
    """Whether the group is kept. In other directories, their owner may have moved a file of another group there."""
    return not state.privileged or (directory_uid in (0, uid) and not state.shared)


def right_owner(state: FileState, ownership: Ownership, *, directory_uid: int) -> Tuple[int, int]:
    """The (uid, gid) of the file: as requested, else the directory's owner; in root's directory the current owner."""
    bound = state.bound or not state.privileged
    if ownership.uid is not None:
        uid = ownership.uid
    elif directory_uid != 0 and (not bound or directory_uid == state.acting.uid):
        uid = directory_uid
    elif state.uid is not None:
        uid = state.uid
    else:
        uid = state.acting.uid
    if ownership.gid is not None:
        gid = ownership.gid
    elif state.gid is not None and state.uid == uid and _keeps_group(state, uid, directory_uid):
        gid = state.gid
    else:
        gid = primary_group(state, uid)
    return uid, gid


def decide(state: FileState, wanted: Wanted, data: Optional[bytes]) -> FileState:
    """The state after the change, or ``state`` itself if nothing has to be done. Raises for a refused change."""
    _check_home(state, wanted)
    check_directory_owner(state, wanted.directory_owners)
    _check_planted(state, wanted.ownership)
    if data is None:
        return state
    directory_uid = state.directory_uid
    if not state.directory_exists:
        directory_uid = new_directory_uid(state, wanted)
        if state.bound and state.privileged and directory_uid != state.acting.uid:
            raise _denied(state, f"make a directory of {account_name(directory_uid)} for it")
    uid, gid = right_owner(state, wanted.ownership, directory_uid=directory_uid)
    mode = wanted.ownership.mode
    if mode & ~0o770:
        raise ValueError(f"mode {mode:04o}: a credential file must give no permissions to others")
    if (state.data, state.uid, state.gid, state.mode) == (data, uid, gid, mode):
        return state
    _check_widening(state, uid, gid, mode)
    if state.bound or not state.privileged:
        gid = _within_own_rights(state, wanted.ownership, uid, gid)
    return state._replace(data=data, uid=uid, gid=gid, mode=mode, directory_uid=directory_uid, missing_directories=0)


def _check_home(state: FileState, wanted: Wanted) -> None:
    if wanted.user is None or not state.privileged or state.acting.uid in (0, wanted.user):
        return
    raise KeyfleetError(
        "unsafe_path",
        f"{state.path} is meant for {account_name(wanted.user)}, but its directory is controlled by {state.acting}, "
        f"who could replace it at any time. Give the directories to {account_name(wanted.user)} (chown), or set "
        "paths instead of users.",
    )


def check_directory_owner(state: FileState, owners: Optional[Tuple[int, ...]]) -> None:
    """Raise ``foreign_owner`` if root would write into a directory of an account that is not in ``owners``."""
    if owners is None or not state.privileged or {state.directory_uid, state.acting.uid} <= set(owners):
        return
    whose = " or ".join(dict.fromkeys(account_name(uid) for uid in owners))
    raise KeyfleetError(
        "foreign_owner",
        f"{state.path}: its directory is controlled by {account_name(state.directory_uid)}, not by {whose}, so the "
        "file is not written. Give the directory to one of them (chown), or set the option owner to its owner.",
    )


def _check_planted(state: FileState, ownership: Ownership) -> None:
    # Only root gives keys to other accounts.
    if not state.shared or state.uid in (None, 0, ownership.uid):
        return
    raise KeyfleetError(
        "unsafe_path",
        f"{state.path} is in a directory of root that others may write to, and belongs to "
        f"{account_name(state.uid or 0)}, who may have put it there to get the keys that are written to it. Remove it, "
        "or set owner to that user.",
    )


def _check_widening(state: FileState, uid: int, gid: int, mode: int) -> None:
    """Refuse to let a group read a file that it could not read before and that others may have moved here."""
    chosen = state.movable or state.led or state.directory_uid not in (0, uid)
    if state.data is None or not chosen or not mode & 0o070 or (state.group_reads and state.gid == gid):
        return
    by_hand = "setfacl -b, chgrp, chmod g+r" if (state.mode or 0) & 0o040 else "chgrp, chmod g+r"
    raise KeyfleetError(
        "foreign_owner",
        f"{state.path}: its group cannot read it yet, and users other than {account_name(uid)} may have put it there, "
        f"so its group gets no access. Give it access by hand ({by_hand}), or remove the file.",
    )


def check_directory(state: FileState, wanted: Wanted) -> None:
    """Raise ``no_directory`` if more are missing than may be made: one directory, two in a home (.config/composer)."""
    most = 0 if not wanted.make_directory else 1 if wanted.user is None else 2
    if state.missing_directories > most:
        parent = state.real_path.rpartition("/")[0]
        raise KeyfleetError("no_directory", f"{state.path}: the directory {parent} does not exist.")


def _within_own_rights(state: FileState, ownership: Ownership, uid: int, gid: int) -> int:
    """The gid that ``acting`` can set. Raises an error if a requested owner or group cannot be set."""
    acting = state.acting
    if uid != acting.uid:
        if ownership.uid is not None and (state.led or state.directory_uid != acting.uid):
            # Afterwards, the owner of the link could not read the file to verify it.
            raise _denied(state, f"give it to {account_name(uid)}: its path has a link")
        if ownership.uid is None:
            raise KeyfleetError(
                "foreign_owner",
                f"{state.path} belongs to {account_name(uid)}. Replaced by {acting}, it would belong to {acting}, and "
                f"{account_name(uid)} could no longer read it. Do this as {account_name(uid)}, or as root with a path "
                "without links.",
            )
        if not state.privileged:
            raise _denied(state, f"give it to {account_name(uid)}")
    if state.privileged or gid == acting.gid or gid in acting.groups:
        # Root may set any group on the file that it has just made.
        return gid
    if ownership.gid is not None:
        raise _denied(state, f"give it to group {gid}, to which {acting} does not belong")
    return acting.gid


def _denied(state: FileState, what: str) -> KeyfleetError:
    return KeyfleetError(
        "permission_denied",
        f"{state.path}: {state.acting} may not {what}. Do this as root, or do not set owner and group.",
    )
