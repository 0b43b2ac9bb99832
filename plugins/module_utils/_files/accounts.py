# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up the accounts and groups of the managed host."""

from __future__ import annotations

import grp
import os
import pwd
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem

_NUMBER = re.compile(r"[0-9]{1,10}\Z")
_LARGEST = 2**32 - 2  # 2**32 - 1 means "no change" to the kernel


@dataclass(frozen=True)
class Account:
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
