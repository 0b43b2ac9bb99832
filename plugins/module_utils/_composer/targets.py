# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the targets: the files that shall hold an entry for given keys, users, projects and paths."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key, bad_options, file_mode
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import KeyEdit, edited
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

# A path, and the uid of the user whose data named it, if any.
TargetId = Tuple[str, Optional[int]]


@dataclass(frozen=True)
class Target:
    """One file, its desired entries and its owner. ``walk_as`` and ``directory_owners``: as in `Wanted`."""

    path: str
    ownership: Ownership
    user: Optional[Account] = None
    config_file: str = ""
    walk_as: Optional[int] = None
    directory_owners: Optional[Tuple[int, ...]] = None
    edits: Tuple[Tuple[Key, KeyEdit], ...] = ()

    @property
    def which(self) -> TargetId:
        """The identity of the target."""
        return self.path, self.walk_as

    @property
    def access(self) -> Access:
        """The rights with which the path is opened."""
        return Access(self.ownership.uid, self.walk_as)

    def wanted(self, *, broken: Optional[bytes]) -> Wanted:
        """Return the request to the file layer. ``broken`` holds malformed bytes that may be overwritten."""
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
class Targets:
    """The targets of all keys. ``missing`` holds those whose user or home does not exist yet."""

    targets: Dict[TargetId, Target] = field(default_factory=dict)
    problems: List[Problem] = field(default_factory=list)
    missing: Dict[TargetId, Target] = field(default_factory=dict)

    def add(self, key: Key, target: Target, *, read_first: bool = True, missing: bool = False) -> None:
        """Add ``key`` to ``target``. ``missing``: its user or home does not exist yet."""
        targets = self.missing if missing else self.targets
        edit = KeyEdit(
            repository=key.repository,
            present=key.present,
            public_key=key.public_key,
            private_key=key.private_key,
            only_existing=not read_first,
        )
        target = targets.get(target.which, target)
        edits = []
        for other, earlier in target.edits:
            if other.repository == key.repository:
                if replace(earlier, only_existing=edit.only_existing) != edit:
                    raise bad_options(
                        f"two different keys for {key.repository} are meant for {target.path}: "
                        f"{other.title} and {key.title}"
                    )
                # A second home that is also named in paths gets the key even if it has no entry.
                edit = replace(edit, only_existing=edit.only_existing and earlier.only_existing)
                key = other
            else:
                edits.append((other, earlier))
        target = replace(target, edits=(*edits, (key, edit)))
        targets[target.which] = target


def predicted_state(target: Target) -> Tuple[FileState, FileState]:
    """Return the file of a user or home that does not exist yet, before and after the keys are installed."""
    before = FileState(target.path, target.path, None, None, None, None, directory_exists=False)
    data = edited(None, [edit for _key, edit in target.edits])
    if data is None:
        return before, before
    return before, replace(
        before, data=data, uid=target.ownership.uid, gid=target.ownership.gid, mode=target.ownership.mode
    )


def setup_home(project: str) -> str:
    """Return the auth.json that ``bin/magento sampledata:deploy`` reads: it sets COMPOSER_HOME to that directory."""
    return os.path.join(project, "var", "composer_home", "auth.json")


def _setup_home_target(project: str, ownership: Ownership, problems: List[Problem]) -> Optional[Target]:
    """Return the target for `setup_home` if its directory exists and may get a key; otherwise add a problem.

    In many projects the web server's user owns ``var/`` and controls its content.
    """
    path = setup_home(project)
    try:
        # Not the owner of auth.json, which may be a link.
        project_uid = os.stat(project).st_uid
        owners = (project_uid,) if ownership.uid is None else (project_uid, ownership.uid)
        state = observe(path, parse=bytes, access=Access(ownership.uid))
        if not state.directory_exists:
            return None
        check_directory_owner(state, owners)
    except OSError:
        # The target for the project's own auth.json reports the fault.
        return None
    except KeyfleetError as error:
        problems.append(Problem(error.code, error.message, path))
        return None
    return Target(path, ownership, directory_owners=owners)


def _default_account() -> Account:
    if os.geteuid() == 0:
        raise KeyfleetError(
            "no_target",
            "Neither users nor projects nor paths are given and the module runs as root: "
            "name the user whose Composer uses the key (users: [root] if it really is root)",
        )
    return own_account()


def _future_target(name: str, user: Optional[Account], gid: Optional[int], mode: int) -> Target:
    if user is None:
        unknown = Account(name, -1, -1, f"~{name}")
        return Target(f"~{name}/.composer/auth.json", Ownership(gid=gid, mode=mode), unknown)
    ownership = Ownership(uid=user.uid, gid=user.gid if gid is None else gid, mode=mode)
    return Target(os.path.join(user.home, ".composer", "auth.json"), ownership, user)


def find_targets(keys: Sequence[Key], params: Mapping[str, Any], *, check_mode: bool) -> Targets:
    """Resolve users, projects and paths to files. Raises `KeyfleetError` for unknown users, except in check mode."""
    mode = file_mode(params["mode"])
    found = Targets()
    uid, gid = owner_and_group(params, problems=found.problems if check_mode else None)
    shared = Ownership(uid=uid, gid=gid, mode=mode)
    seen: Dict[str, Tuple[Home, ...]] = {}
    setup_homes: Dict[str, Optional[Target]] = {}

    def add_user(key: Key, user: Account, environ: Optional[Mapping[str, str]]) -> None:
        if user.name not in seen:
            homes = composer_homes(user, environ=environ)
            found.problems.extend(homes.problems)
            seen[user.name] = homes.homes
        # Without a group the file layer uses the account's primary group.
        ownership = Ownership(uid=user.uid, gid=gid, mode=mode)
        for home in seen[user.name]:
            target = Target(home.auth_file, ownership, user, home.config_file, home.walk_as)
            found.add(key, target, read_first=home.read_first)

    for key in keys:
        if not (key.users or key.projects or key.paths or key.search is not None):
            add_user(key, _default_account(), os.environ)
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
            # In check mode an earlier task may create the user; without the user there is nothing to remove.

            found.problems.append(Problem(missing.code, missing.message))
            found.add(key, _future_target(name, user, gid, mode), missing=True)
        for project in key.projects:
            found.add(key, Target(os.path.join(project, "auth.json"), shared))
            if project not in setup_homes:
                setup_homes[project] = _setup_home_target(project, shared, found.problems)
            setup_target = setup_homes[project]
            if setup_target is not None:
                found.add(key, setup_target)
        for path in key.paths:
            found.add(key, Target(path, shared))
    return found
