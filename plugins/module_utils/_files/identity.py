# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporarily act as another account, by changing the effective ids of this process.

The real user id stays root's, so the other account can neither trace nor signal this process.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Iterator, NoReturn, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError

Ids = Tuple[int, int, Tuple[int, ...]]


@dataclass(frozen=True)
class Identity:
    """User, group and supplementary groups that the kernel checks permissions against."""

    uid: int
    gid: int
    groups: Tuple[int, ...]

    def __str__(self) -> str:
        return account_name(self.uid)


def account_name(uid: int) -> str:
    """The name of an account for messages; ``uid N`` for an unknown uid."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def own_identity() -> Identity:
    """The current effective identity of this process."""
    return Identity(*_current_ids())


@lru_cache(maxsize=None)
def identity_of(uid: int) -> Identity:
    """An account with all its groups. Without a passwd entry: an unused group, and no others.

    The group of a directory does not show that its owner is a member. Cached, since the lookup may ask a directory
    server and the process lives for one module run.
    """
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return Identity(uid, _unused_group(uid), ())
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return Identity(uid, account.pw_gid, tuple(sorted(set(groups))))


def _unused_group(number: int) -> int:
    """The first gid, from ``number`` on, without a group entry."""
    with suppress(KeyError):
        while grp.getgrgid(number):
            number += 1
    return number


def group_of(uid: int, *, directory_uid: int, directory_gid: int) -> int:
    """The group of an account's new files. For an unknown account: the group of its own directory, else root's."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return directory_gid if directory_uid == uid else 0


@contextmanager
def acting_as(who: Identity) -> Iterator[None]:
    """Run the block with the effective ids of ``who`` and restore them afterwards, also after an exception.

    Only root can act as another account. If the ids cannot be restored, the process exits.
    """
    before = _current_ids()
    if before == (who.uid, who.gid, who.groups):
        yield
        return
    try:
        _become(who)
        yield
    finally:
        _return_to(before)


def _current_ids() -> Ids:
    return os.geteuid(), os.getegid(), tuple(sorted(set(os.getgroups())))


def _become(who: Identity) -> None:
    try:
        _set_ids((who.uid, who.gid, who.groups))
    except OSError as exc:
        raise KeyfleetError(
            "permission_denied",
            f"This process may not act as {who} ({os.strerror(exc.errno or errno.EPERM)}). For files of others root "
            "needs the capabilities to change its user and groups; some containers take them away.",
        ) from exc


def _set_ids(ids: Ids) -> None:
    uid, gid, groups = ids
    if os.geteuid() != 0:
        # Only root can change groups. The real user id is still root's.
        os.seteuid(0)
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)


def _return_to(ids: Ids) -> None:
    interrupted = None
    for _attempt in range(3):
        try:
            if _current_ids() != ids:
                _set_ids(ids)
            break
        except KeyboardInterrupt as exc:
            # Restore the ids first, then raise.
            interrupted = exc
        except OSError:
            _give_up()
    if _current_ids() != ids:
        _give_up()
    if interrupted is not None:
        raise interrupted


def _give_up() -> NoReturn:
    os.write(2, b"keyfleet.magento: the process could not restore its own user id; it ends here.\n")
    os._exit(70)
