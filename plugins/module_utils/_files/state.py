# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a credential file, what is wanted of it, and who must own it. No disk is touched here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Callable, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import Identity, account_name
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import Access

# Gets the bytes of the file, or None when there is no file; returns the wanted bytes, or None for "leave it as it is".
# Pure, and a fixed point of itself: what it returned satisfies it. Raises Unfit for a file that it cannot read.
Transform = Callable[[Optional[bytes]], Optional[bytes]]


@dataclass(frozen=True)
class Ownership:
    """What was asked for; None: what is right for the place."""

    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: int = 0o600

    def __post_init__(self) -> None:
        if self.mode & ~0o770:
            raise ValueError(f"mode {self.mode:04o}: a file of credentials is for its owner and group alone")


@dataclass(frozen=True)
class FileState:
    """A file at one moment. ``data`` is None when there is none; ``real_path`` has all links resolved.

    ``group_reads``: everybody in its group can. The second half is about the place: who would act there (``acting``;
    where it is ``privileged``, root may do the rest, unless ``bound``), whether a link of another led there, how many
    directories are missing, and whether others may have put the file there (see `Place`).
    """

    path: str
    real_path: str
    data: Optional[bytes] = field(repr=False)
    uid: Optional[int]
    gid: Optional[int]
    mode: Optional[int]
    directory_exists: bool
    group_reads: bool = field(default=False, compare=False)
    directory_uid: int = field(default=0, compare=False)
    directory_gid: int = field(default=0, compare=False)
    shared: bool = field(default=False, compare=False)
    movable: bool = field(default=False, compare=False)
    missing_directories: int = field(default=0, compare=False)
    acting: Identity = field(default=Identity(0, 0, (0,)), compare=False)
    bound: bool = field(default=False, compare=False)
    led: bool = field(default=False, compare=False)
    privileged: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Wanted:
    """One file as it shall be.

    ``make_directory`` makes a missing parent (for a home: up to two levels), 0700. ``user`` is the account whose home
    this is. ``walk_as`` is the account whose own data named the path, see `Access`. ``directory_owners``: the file is
    written only where one of these accounts owns the directory and acts there. ``when_unfit`` takes the place of
    ``transform`` for a file that is still unfit after some patience.
    """

    path: str
    transform: Transform = field(repr=False)
    ownership: Ownership = Ownership()
    make_directory: bool = False
    user: Optional[int] = None
    walk_as: Optional[int] = None
    directory_owners: Optional[Tuple[int, ...]] = None
    when_unfit: Optional[Transform] = field(default=None, repr=False)

    @property
    def access(self) -> Access:
        """How the path is walked."""
        return Access(self.ownership.uid, self.walk_as)


@dataclass(frozen=True)
class Change:
    """What a file was and what it is now, or would be."""

    wanted: Wanted
    before: FileState
    after: FileState

    @property
    def changed(self) -> bool:
        """True when bytes, owner, group or mode are not what they were."""
        return _essence(self.before) != _essence(self.after)


def _essence(state: FileState) -> Tuple[object, ...]:
    return state.data, state.uid, state.gid, state.mode


def new_directory_uid(state: FileState, wanted: Wanted) -> int:
    """Who owns the directory that has to be made."""
    if wanted.ownership.uid is not None:
        return wanted.ownership.uid
    if wanted.user is not None and state.privileged:
        return wanted.user
    return state.acting.uid


def _keeps_group(state: FileState, uid: int, directory_uid: int) -> bool:
    """Whether the group stays. Elsewhere the directory's owner can have moved a file with another group there."""
    return not state.privileged or (directory_uid in (0, uid) and not state.shared)


def right_owner(
    state: FileState, ownership: Ownership, *, directory_uid: int, primary_group: Callable[[int], int]
) -> Tuple[int, int]:
    """Whose the file must be: as asked; else the directory's owner; in root's directory it stays whose it is."""
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
        gid = primary_group(uid)
    return uid, gid


def decide(
    state: FileState, wanted: Wanted, data: Optional[bytes], *, primary_group: Callable[[int], int]
) -> FileState:
    """The file after the change, or the same state when nothing has to be done. Refuses what cannot be done."""
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
    uid, gid = right_owner(state, wanted.ownership, directory_uid=directory_uid, primary_group=primary_group)
    mode = wanted.ownership.mode
    if (state.data, state.uid, state.gid, state.mode) == (data, uid, gid, mode):
        return state
    _check_widening(state, uid, gid, mode)
    if state.bound or not state.privileged:
        gid = _within_own_rights(state, wanted.ownership, uid, gid)
    return replace(
        state,
        data=data,
        uid=uid,
        gid=gid,
        mode=mode,
        directory_exists=True,
        directory_uid=directory_uid,
        missing_directories=0,
    )


def _check_home(state: FileState, wanted: Wanted) -> None:
    if wanted.user is None or not state.privileged or state.acting.uid in (0, wanted.user):
        return
    raise KeyfleetError(
        "unsafe_path",
        f"{state.path} is meant for {account_name(wanted.user)}, but its directory is in the hands of {state.acting}, "
        f"who could exchange it at any time. Give the directories to {account_name(wanted.user)} (chown), or name the "
        "file by its path instead of by the user.",
        path=state.path,
    )


def check_directory_owner(state: FileState, owners: Optional[Tuple[int, ...]]) -> None:
    """Raises ``foreign_owner`` where root would write into a directory of somebody who is not among ``owners``."""
    if owners is None or not state.privileged or {state.directory_uid, state.acting.uid} <= set(owners):
        return
    whose = " or ".join(dict.fromkeys(account_name(uid) for uid in owners))
    raise KeyfleetError(
        "foreign_owner",
        f"{state.path}: its directory is in the hands of {account_name(state.directory_uid)}, not of {whose}, so "
        "nothing is written there. Give the directory to one of them (chown), or name its owner in the option owner.",
        path=state.path,
    )


def _check_planted(state: FileState, ownership: Ownership) -> None:
    # Whoever acts but root gives the keys to nobody else anyway.
    if not state.shared or state.uid in (None, 0, ownership.uid):
        return
    raise KeyfleetError(
        "unsafe_path",
        f"{state.path} lies in a directory of root that others may write to, and belongs to "
        f"{account_name(state.uid or 0)}, who may have put it there to be given what is written to it. Remove it, or "
        "say to whom the file shall belong.",
        path=state.path,
    )


def _check_widening(state: FileState, uid: int, gid: int, mode: int) -> None:
    """Where others choose which file stands there, no group gets to read one that it could not read before."""
    chosen = state.movable or state.led or state.directory_uid not in (0, uid)
    if state.data is None or not chosen or not mode & 0o070 or (state.group_reads and state.gid == gid):
        return
    by_hand = "setfacl -b, chgrp, chmod g+r" if (state.mode or 0) & 0o040 else "chgrp, chmod g+r"
    raise KeyfleetError(
        "foreign_owner",
        f"{state.path} cannot be read by its group yet, and others than {account_name(uid)} may have moved it there, "
        f"so what is in it is opened to no group. Do that by hand ({by_hand}), or remove the file.",
        path=state.path,
    )


def check_directory(state: FileState, wanted: Wanted) -> None:
    """A missing directory is made where that was asked for: one; below a home two, for ``.config/composer``."""
    most = 0 if not wanted.make_directory else 1 if wanted.user is None else 2
    if state.missing_directories > most:
        parent = state.real_path.rpartition("/")[0]
        raise KeyfleetError("no_directory", f"{state.path}: there is no directory {parent}.", path=state.path)


def _within_own_rights(state: FileState, ownership: Ownership, uid: int, gid: int) -> int:
    """The group that can be given by one who is not root. What was asked for and cannot be given is an error."""
    acting = state.acting
    if uid != acting.uid:
        if ownership.uid is not None and (state.led or state.directory_uid != acting.uid):
            # Whoever made the link that led here would not be allowed to look at it once more.
            raise _denied(state, f"give it to {account_name(uid)}, since a link led to it")
        if ownership.uid is None:
            raise KeyfleetError(
                "foreign_owner",
                f"{state.path} belongs to {account_name(uid)}. Replaced by {acting} it would belong to {acting}, and "
                f"{account_name(uid)} could no longer read it. Do this as {account_name(uid)}, or as root by a path "
                "without links.",
                path=state.path,
                uid=uid,
                mode=state.mode,
            )
        if not state.privileged:
            raise _denied(state, f"give it to {account_name(uid)}")
    if state.privileged or gid == acting.gid or gid in acting.groups:
        # Root may give any group to a file that it has just made: its own, the one asked for, the owner's.
        return gid
    if ownership.gid is not None:
        raise _denied(state, f"give it to group {gid}, to which {acting} does not belong")
    return acting.gid


def _denied(state: FileState, what: str) -> KeyfleetError:
    return KeyfleetError(
        "permission_denied",
        f"{state.path}: {state.acting} may not {what}. Do this as root, or leave the owner and group alone.",
        path=state.path,
    )
