# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve users and paths to the netrc files that shall hold a download token, and format them for results."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import absolute, file_mode, listed
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    Account,
    account,
    group_name,
    own_account,
    owner_and_group,
    owner_name,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import FileState, Ownership, Wanted
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe


@dataclass(frozen=True)
class NetrcTarget:
    """A netrc with its ownership and user."""

    path: str
    ownership: Ownership = Ownership()
    user: Optional[Account] = None

    def wanted(self, edit: netrc.NetrcEdit) -> Wanted:
        """The request to the file layer."""

        def transform(data: Optional[bytes]) -> Optional[bytes]:
            return netrc.edited(data, edit)

        return Wanted(
            path=self.path,
            transform=transform,
            ownership=self.ownership,
            user=None if self.user is None else self.user.uid,
        )


@dataclass
class NetrcTargets:
    """The target files. ``missing``: their user or home does not exist (check mode and removal only)."""

    targets: List[NetrcTarget] = field(default_factory=list)
    missing: List[NetrcTarget] = field(default_factory=list)
    problems: List[Problem] = field(default_factory=list)


def netrc_of(home: str) -> str:
    """The netrc in a home directory."""
    return os.path.join(home, ".netrc")


def own_netrc() -> str:
    """The netrc of the current user. As in curl, HOME has precedence over the user database."""
    return netrc_of(os.environ.get("HOME") or own_account().home)


def _target_account() -> Account:
    if os.geteuid() == 0:
        raise KeyfleetError(
            "no_target",
            "Neither users nor paths are given and the module runs as root: "
            "name the user whose curl shall use the token (users: [root] if it really is root)",
        )
    return own_account()


def find_targets(params: Mapping[str, Any], *, present: bool, check_mode: bool) -> NetrcTargets:
    """Resolve users to files. A missing user or home raises `KeyfleetError`, except in check mode and for a removal."""
    names = listed("users", params["users"]) or ()
    paths = absolute("paths", params["paths"]) or ()
    mode = file_mode(params["mode"])
    found = NetrcTargets()
    uid, gid = owner_and_group(params, problems=found.problems if check_mode else None)
    if not (names or paths):
        user = _target_account()
        found.targets.append(NetrcTarget(own_netrc(), Ownership(uid=user.uid, gid=gid, mode=mode), user))
    for name in names:
        user_account = account(name)
        if user_account is not None and os.path.isdir(user_account.home):
            ownership = Ownership(uid=user_account.uid, gid=gid, mode=mode)
            found.targets.append(NetrcTarget(netrc_of(user_account.home), ownership, user_account))
            continue
        problem = (
            Problem("unknown_user", f"users: this host has no user {name!r}")
            if user_account is None
            else Problem("no_home", f"users: the home of {name}, {user_account.home}, does not exist")
        )
        if present and not check_mode:
            raise KeyfleetError(problem.code, problem.message)
        # In check mode an earlier task may create the user. For a removal there is nothing to do.
        found.problems.append(problem)
        future = user_account or Account(name, -1, -1, f"~{name}")
        future_uid = None if user_account is None else user_account.uid
        future_gid = gid if gid is not None or user_account is None else user_account.gid
        ownership = Ownership(uid=future_uid, gid=future_gid, mode=mode)
        found.missing.append(NetrcTarget(netrc_of(future.home), ownership, future))
    found.targets += [NetrcTarget(path, Ownership(uid=uid, gid=gid, mode=mode)) for path in paths]
    found.targets = list({target.path: target for target in reversed(found.targets)}.values())[::-1]
    return found


Row = Dict[str, Any]


def owner_of(target: NetrcTarget, state: FileState) -> Optional[str]:
    """The owner's name, also of a user that does not exist yet."""
    if state.uid is None and state.data is not None and target.user is not None:
        return target.user.name
    return owner_name(state.uid)


def _view(target: NetrcTarget, state: FileState, host: str) -> Optional[Row]:
    """The entry of one file, or None if the file is missing."""
    if state.data is None:
        return None
    own = netrc.entries_for(state.data, host)
    login, password = own[0].pair if own else (None, None)
    return {
        "mage_id": netrc.shown_login(login),
        "fingerprint": describe(password or "") if own else None,
        "owner": owner_of(target, state),
        "group": group_name(state.gid),
        "mode": None if state.mode is None else f"{state.mode:04o}",
    }


def _action(before: FileState, after: FileState, present: bool) -> str:
    if after.data is None:
        return "unchanged"
    if before.data is None:
        return "created"
    if before.data != after.data:
        return "updated" if present else "removed"
    same = (before.uid, before.gid, before.mode) == (after.uid, after.gid, after.mode)
    return "unchanged" if same else "repaired"


def row(target: NetrcTarget, before: FileState, after: FileState, edit: netrc.NetrcEdit) -> Row:
    """One element of ``files``."""
    old, new = _view(target, before, edit.host), _view(target, after, edit.host)
    return {
        "path": target.path,
        "real_path": after.real_path,
        "host": edit.host,
        "owner": (new or old or {}).get("owner"),
        "action": _action(before, after, edit.present),
        "before": old,
        "after": new,
    }


def difference(target: NetrcTarget, before: FileState, after: FileState) -> Dict[str, str]:
    """The diff of a file: a line with owner and mode, then the entries without secrets."""

    def text(state: FileState) -> str:
        if state.data is None:
            return ""
        owner = f"{owner_of(target, state)}:{group_name(state.gid) or '?'} {state.mode or 0:04o}\n"
        return owner + netrc.text_for_diff(state.data)

    return {
        "before_header": target.path + ("" if before.data is not None else " (absent)"),
        "after_header": target.path,
        "before": text(before),
        "after": text(after),
    }


def predicted_state(target: NetrcTarget, edit: netrc.NetrcEdit) -> List[FileState]:
    """Before and after states of a file whose user or home does not exist yet."""
    before = FileState(target.path, target.path, None, None, None, None, directory_exists=False)
    data = netrc.edited(None, edit)
    if data is None:
        return [before, before]
    owner = target.ownership
    return [before, replace(before, data=data, uid=owner.uid, gid=owner.gid, mode=owner.mode)]
