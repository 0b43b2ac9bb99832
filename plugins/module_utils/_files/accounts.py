# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up the accounts and groups of the managed host."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, NoReturn, Optional, Tuple

from .._errors import KeyfleetError, Problem


class Identity(NamedTuple):
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
    return Identity(os.geteuid(), os.getegid(), tuple(sorted(set(os.getgroups()))))


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
    before = own_identity()
    if before == who:
        yield
        return
    try:
        _become(who)
        yield
    finally:
        _return_to(before)


def _become(who: Identity) -> None:
    try:
        _set_ids(who)
    except OSError as exc:
        raise KeyfleetError(
            "permission_denied",
            f"This process may not act as {who} ({os.strerror(exc.errno or errno.EPERM)}). For files of others root "
            "needs the capabilities to change its user and groups; some containers take them away.",
        ) from exc


def _set_ids(who: Identity) -> None:
    if os.geteuid() != 0:
        # Only root can change groups. The real user id is still root's.
        os.seteuid(0)
    os.setgroups(who.groups)
    os.setegid(who.gid)
    os.seteuid(who.uid)


def _return_to(who: Identity) -> None:
    interrupted = None
    for _attempt in range(3):
        try:
            if own_identity() != who:
                _set_ids(who)
            break
        except KeyboardInterrupt as exc:
            # Restore the ids first, then raise.
            interrupted = exc
        except OSError:
            _give_up()
    if own_identity() != who:
        _give_up()
    if interrupted is not None:
        raise interrupted


def _give_up() -> NoReturn:
    os.write(2, b"keyfleet.magento: the process could not restore its own user id; it ends here.\n")
    os._exit(70)


_NUMBER = re.compile(r"[0-9]{1,10}\Z")
_LARGEST = 2**32 - 2  # 2**32 - 1 means "no change" to the kernel


class Account(NamedTuple):
    """An account of the host's user database."""

    name: str
    uid: int
    gid: int
    home: str


def account(name: str) -> Optional[Account]:
    """The account called ``name``, or None when the host has no such user."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        # ValueError: the name has a NUL or a lone surrogate, which no account name can have.
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def account_of(uid: int) -> Account:
    """The account with ``uid``. Raises `KeyfleetError` ``unknown_user``."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise KeyfleetError("unknown_user", f"this host has no user with the id {uid}") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def own_account() -> Account:
    """The account of the current user."""
    return account_of(os.geteuid())


def owner_name(uid: Optional[int]) -> Optional[str]:
    """The name of an account, or the uid as text if it has none."""
    if uid is None:
        return None
    try:
        return account_of(uid).name
    except KeyfleetError:
        return str(uid)


def group_name(gid: Optional[int]) -> Optional[str]:
    """The name of a group, or the gid as text if it has none."""
    if gid is None:
        return None
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def shown_ownership(uid: Optional[int], gid: Optional[int], mode: Optional[int]) -> Dict[str, Optional[str]]:
    """Owner, group and mode of a file, as in results."""
    return {"owner": owner_name(uid), "group": group_name(gid), "mode": None if mode is None else f"{mode:04o}"}


def _uid(name: str) -> Optional[int]:
    found = account(name)
    return found.uid if found else None


def _gid(name: str) -> Optional[int]:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


def owner_and_group(
    params: Mapping[str, Any], *, problems: Optional[List[Problem]] = None
) -> Tuple[Optional[int], Optional[int]]:
    """The uid and gid for the options ``owner`` and ``group`` (names or numbers); None for an omitted option.

    Raises `KeyfleetError` for an unknown name. With ``problems``, for check mode, the name becomes a problem and None,
    since an earlier task may be about to create the account.
    """
    numbers: List[Optional[int]] = []
    for option, look_up, code in (("owner", _uid, "unknown_user"), ("group", _gid, "unknown_group")):
        value = params[option]
        number = None if value is None else int(value) if _NUMBER.match(value) else look_up(value)
        if number is not None and number > _LARGEST:
            number = None
        if value is not None and number is None:
            message = f"{option}: this host has no {value!r}"
            if problems is None:
                raise KeyfleetError(code, message)
            problems.append(Problem(code, message))
        numbers.append(number)
    return numbers[0], numbers[1]


def all_accounts() -> List[Account]:
    """All accounts with an existing home directory; of several with the same home, the first."""
    found: Dict[str, Account] = {}
    for entry in pwd.getpwall():
        if entry.pw_dir not in ("", "/") and os.path.isdir(entry.pw_dir):
            found.setdefault(entry.pw_dir, Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir))
    return list(found.values())
