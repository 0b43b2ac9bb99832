# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From keys, users and projects to the files that shall hold an entry."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key, bad_options, file_mode
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import Edit, edited
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import Home, composer_homes
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    Account,
    account,
    own_account,
    owner_and_group,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    Access,
    FileState,
    Ownership,
    Wanted,
    check_directory_owner,
    observe,
)

# A path, and the uid of the user whose data named it: only with both is it the same place.
Which = Tuple[str, Optional[int]]


@dataclass(frozen=True)
class Place:
    """One file, what shall be in it, and whose it is. ``walk_as`` and ``directory_owners``: as in `Wanted`."""

    path: str
    ownership: Ownership
    user: Optional[Account] = None
    config_file: str = ""
    walk_as: Optional[int] = None
    directory_owners: Optional[Tuple[int, ...]] = None
    edits: Tuple[Tuple[Key, Edit], ...] = ()

    @property
    def which(self) -> Which:
        """What tells it from other places."""
        return self.path, self.walk_as

    @property
    def access(self) -> Access:
        """How the path is walked."""
        return Access(self.ownership.uid, self.walk_as)

    def wanted(self, *, broken: Optional[bytes]) -> Wanted:
        """The request to the file layer; its transform is the plan. ``broken``: unfit bytes that may be overwritten."""
        edits = [edit for _key, edit in self.edits]

        def transform(data: Optional[bytes]) -> Optional[bytes]:
            return edited(data, edits, broken=broken)

        return Wanted(
            path=self.path,
            transform=transform,
            ownership=self.ownership,
            make_directory=self.user is not None,
            user=None if self.user is None else self.user.uid,
            walk_as=self.walk_as,
            directory_owners=self.directory_owners,
        )


@dataclass
class Survey:
    """The places of all keys, and what could not be resolved yet (check mode only)."""

    places: Dict[Which, Place] = field(default_factory=dict)
    problems: List[Problem] = field(default_factory=list)
    missing: Dict[Which, Place] = field(default_factory=dict)

    def add(self, key: Key, place: Place, *, read_first: bool = True, missing: bool = False) -> None:
        """Ask for ``key`` in the file of ``place``. ``missing``: the user or the home of it does not exist yet."""
        places = self.missing if missing else self.places
        edit = Edit(
            repository=key.repository,
            present=key.present,
            public_key=key.public_key,
            private_key=key.private_key,
            only_existing=not read_first,
        )
        place = places.get(place.which, place)
        edits = []
        for other, there in place.edits:
            if other.repository == key.repository:
                if replace(there, only_existing=edit.only_existing) != edit:
                    raise bad_options(
                        f"two different keys for {key.repository} are meant for {place.path}: "
                        f"{other.title} and {key.title}"
                    )
                # Asked for by name, a second home of a user gets the key whether it has one or not.
                edit = replace(edit, only_existing=edit.only_existing and there.only_existing)
                key = other
            else:
                edits.append((other, there))
        place = replace(place, edits=(*edits, (key, edit)))
        places[place.which] = place


def imagined(place: Place) -> Tuple[FileState, FileState]:
    """A file of a user or home that does not exist yet: before, and after the keys have come there."""
    before = FileState(place.path, place.path, None, None, None, None, directory_exists=False)
    data = edited(None, [edit for _key, edit in place.edits])
    if data is None:
        return before, before
    return before, replace(
        before, data=data, uid=place.ownership.uid, gid=place.ownership.gid, mode=place.ownership.mode
    )


def setup_home(project: str) -> str:
    """The auth.json that ``bin/magento sampledata:deploy`` of a project reads: it sets COMPOSER_HOME to that place."""
    return os.path.join(project, "var", "composer_home", "auth.json")


def _setup_home_place(project: str, ownership: Ownership, problems: List[Problem]) -> Optional[Place]:
    """The place of `setup_home` if it is there and may get a key; what speaks against that becomes a problem.

    The web server's user owns ``var/`` of many projects, and with it decides what is found there.
    """
    path = setup_home(project)
    try:
        # Not that of auth.json, which may be a link to somewhere else.
        project_uid = os.stat(project).st_uid
        owners = (project_uid,) if ownership.uid is None else (project_uid, ownership.uid)
        state = observe(path, parse=bytes, access=Access(ownership.uid))
        if not state.directory_exists:
            return None
        check_directory_owner(state, owners)
    except OSError:
        # The project's own file will say what is wrong.
        return None
    except KeyfleetError as error:
        problems.append(Problem(error.code, error.message, path))
        return None
    return Place(path, ownership, directory_owners=owners)


def _account_to_serve() -> Account:
    if os.geteuid() == 0:
        raise KeyfleetError(
            "no_target",
            "Neither users nor projects nor paths are given and the module runs as root: "
            "name the user whose Composer shall use the key (users: [root] if it really is root)",
        )
    return own_account()


def _place_to_come(name: str, user: Optional[Account], gid: Optional[int], mode: int) -> Place:
    if user is None:
        nobody = Account(name, -1, -1, f"~{name}")
        return Place(f"~{name}/.composer/auth.json", Ownership(gid=gid, mode=mode), nobody)
    ownership = Ownership(uid=user.uid, gid=user.gid if gid is None else gid, mode=mode)
    return Place(os.path.join(user.home, ".composer", "auth.json"), ownership, user)


def survey(keys: Sequence[Key], params: Mapping[str, Any], *, check_mode: bool) -> Survey:
    """Resolve users and projects to files. Raises `KeyfleetError` for what does not exist, except in check mode."""
    mode = file_mode(params["mode"])
    found = Survey()
    uid, gid = owner_and_group(params, problems=found.problems if check_mode else None)
    shared = Ownership(uid=uid, gid=gid, mode=mode)
    seen: Dict[str, Tuple[Home, ...]] = {}
    setup_homes: Dict[str, Optional[Place]] = {}

    def add_user(key: Key, user: Account, environ: Optional[Mapping[str, str]]) -> None:
        if user.name not in seen:
            homes = composer_homes(user, environ=environ)
            found.problems.extend(homes.problems)
            seen[user.name] = homes.homes
        # Without a group of one's own the file layer takes the account's primary group.
        ownership = Ownership(uid=user.uid, gid=gid, mode=mode)
        for home in seen[user.name]:
            place = Place(home.auth_file, ownership, user, home.config_file, home.walk_as)
            found.add(key, place, read_first=home.read_first)

    for key in keys:
        if not (key.users or key.projects or key.paths or key.search is not None):
            add_user(key, _account_to_serve(), os.environ)
        for name in key.users:
            user = account(name)
            if user and os.path.isdir(user.home):
                add_user(key, user, None)
                continue
            missing = (
                KeyfleetError("unknown_user", f"users: this host has no user {name!r}")
                if user is None
                else KeyfleetError("no_home", f"users: the home of {name}, {user.home}, does not exist")
            )
            if key.present and not check_mode:
                raise missing
            # In check mode the user may be the work of an earlier task; and where nobody is, nothing is to be removed.
            found.problems.append(Problem(missing.code, missing.message))
            found.add(key, _place_to_come(name, user, gid, mode), missing=True)
        for project in key.projects:
            found.add(key, Place(os.path.join(project, "auth.json"), shared))
            if project not in setup_homes:
                setup_homes[project] = _setup_home_place(project, shared, found.problems)
            setup_place = setup_homes[project]
            if setup_place is not None:
                found.add(key, setup_place)
        for path in key.paths:
            found.add(key, Place(path, shared))
    return found
