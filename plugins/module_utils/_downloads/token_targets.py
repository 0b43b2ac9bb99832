# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From users and paths to the netrc files that shall hold a download token, and how results show them."""

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
class Place:
    """One netrc and whose it is."""

    path: str
    ownership: Ownership = Ownership()
    user: Optional[Account] = None

    def wanted(self, edit: netrc.Edit) -> Wanted:
        """The request to the file layer; its transform is the plan."""

        def transform(data: Optional[bytes]) -> Optional[bytes]:
            return netrc.edited(data, edit)

        return Wanted(
            path=self.path,
            transform=transform,
            ownership=self.ownership,
            user=None if self.user is None else self.user.uid,
        )


@dataclass
class Survey:
    """The files that are meant. ``missing``: their user or home does not exist yet (check mode and removal only)."""

    places: List[Place] = field(default_factory=list)
    missing: List[Place] = field(default_factory=list)
    problems: List[Problem] = field(default_factory=list)


def netrc_of(home: str) -> str:
    """Where curl looks, and everything else that knows the file."""
    return os.path.join(home, ".netrc")


def own_netrc() -> str:
    """That of the user that the module runs as: like curl, HOME goes before the user database."""
    return netrc_of(os.environ.get("HOME") or own_account().home)


def _account_to_serve() -> Account:
    if os.geteuid() == 0:
        raise KeyfleetError(
            "no_target",
            "Neither users nor paths are given and the module runs as root: "
            "name the user whose curl shall use the token (users: [root] if it really is root)",
        )
    return own_account()


def survey(params: Mapping[str, Any], *, present: bool, check_mode: bool) -> Survey:
    """Resolve users to files. What does not exist is a `KeyfleetError`, except in check mode and for a removal."""
    names = listed("users", params["users"]) or ()
    paths = absolute("paths", params["paths"]) or ()
    mode = file_mode(params["mode"])
    found = Survey()
    uid, gid = owner_and_group(params, problems=found.problems if check_mode else None)
    if not (names or paths):
        user = _account_to_serve()
        found.places.append(Place(own_netrc(), Ownership(uid=user.uid, gid=gid, mode=mode), user))
    for name in names:
        someone = account(name)
        if someone is not None and os.path.isdir(someone.home):
            ownership = Ownership(uid=someone.uid, gid=gid, mode=mode)
            found.places.append(Place(netrc_of(someone.home), ownership, someone))
            continue
        problem = (
            Problem("unknown_user", f"users: this host has no user {name!r}")
            if someone is None
            else Problem("no_home", f"users: the home of {name}, {someone.home}, does not exist")
        )
        if present and not check_mode:
            raise KeyfleetError(problem.code, problem.message)
        # In check mode the user may be the work of an earlier task; and where nobody is, nothing is to be removed.
        found.problems.append(problem)
        to_come = someone or Account(name, -1, -1, f"~{name}")
        uid_to_come = None if someone is None else someone.uid
        gid_to_come = gid if gid is not None or someone is None else someone.gid
        ownership = Ownership(uid=uid_to_come, gid=gid_to_come, mode=mode)
        found.missing.append(Place(netrc_of(to_come.home), ownership, to_come))
    found.places += [Place(path, Ownership(uid=uid, gid=gid, mode=mode)) for path in paths]
    found.places = list({place.path: place for place in reversed(found.places)}.values())[::-1]
    return found


Row = Dict[str, Any]


def owner_of(place: Place, state: FileState) -> Optional[str]:
    """The owner's name; a user that is still to be made has one already."""
    if state.uid is None and state.data is not None and place.user is not None:
        return place.user.name
    return owner_name(state.uid)


def _view(place: Place, state: FileState, host: str) -> Optional[Row]:
    """The entry of one file, or None when there is no such file."""
    if state.data is None:
        return None
    own = netrc.entries_for(state.data, host)
    login, password = own[0].pair if own else (None, None)
    return {
        "mage_id": netrc.shown_login(login),
        "fingerprint": describe(password or "") if own else None,
        "owner": owner_of(place, state),
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


def row(place: Place, before: FileState, after: FileState, edit: netrc.Edit) -> Row:
    """One element of ``files``."""
    old, new = _view(place, before, edit.host), _view(place, after, edit.host)
    return {
        "path": place.path,
        "real_path": after.real_path,
        "host": edit.host,
        "owner": (new or old or {}).get("owner"),
        "action": _action(before, after, edit.present),
        "before": old,
        "after": new,
    }


def difference(place: Place, before: FileState, after: FileState) -> Dict[str, str]:
    """Before and after as Ansible prints them: owner and mode in a first line, then the entries without secrets."""

    def text(state: FileState) -> str:
        if state.data is None:
            return ""
        owner = f"{owner_of(place, state)}:{group_name(state.gid) or '?'} {state.mode or 0:04o}\n"
        return owner + netrc.text_for_diff(state.data)

    return {
        "before_header": place.path + ("" if before.data is not None else " (absent)"),
        "after_header": place.path,
        "before": text(before),
        "after": text(after),
    }


def imagined(place: Place, edit: netrc.Edit) -> List[FileState]:
    """A file of a user or home that does not exist yet: before, and after the token has come there."""
    before = FileState(place.path, place.path, None, None, None, None, directory_exists=False)
    data = netrc.edited(None, edit)
    if data is None:
        return [before, before]
    owner = place.ownership
    return [before, replace(before, data=data, uid=owner.uid, gid=owner.gid, mode=owner.mode)]
