# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the targets: the files that shall hold an entry for given keys, users, projects and paths."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .._argspec import Key, bad_options, file_mode
from .._errors import KeyfleetError, MalformedFile, Problem
from .._files.accounts import Account, owner_and_group
from .._files.path import Access
from .._files.pipeline import Row, Target, TargetId, Targets, default_account, future_ownership, named_accounts
from .._files.read import observe
from .._files.state import FileState, Ownership, check_directory_owner
from .._secrets import shown_host
from .auth_json import entry_for, key_changes, parse
from .home import Home, composer_homes


@dataclass(frozen=True)
class KeyTarget(Target):
    """An auth.json and the keys for it. ``config_file`` is in the same home of the user."""

    config_file: str = ""
    keys: Tuple[Key, ...] = ()

    makes_directory = True

    def edited(self, data: Optional[bytes]) -> Optional[bytes]:  # noqa: D102
        if (data is None or data != self.broken) and not any(key_changes(data, key) for key in self.keys):
            return data
        from .edit import edited  # on use: most runs change nothing

        return edited(data, self.keys, broken=self.broken)

    def creates(self) -> bool:  # noqa: D102
        return any(key.present for key in self.keys)

    def malformed(self, reason: MalformedFile) -> str:  # noqa: D102
        return (
            f"{self.path} is not a file that Composer can use: {reason}. It was left as it is; "
            "repair it, or overwrite it with malformed=replace"
        )

    def rows(self, before: FileState, after: FileState) -> List[Row]:  # noqa: D102
        return [
            self.row(
                before,
                after,
                lambda data, key=key: _entry(data, key),  # type: ignore[misc]
                of={"repository": shown_host(key.repository)},
                present=key.present,
                changes=_changes(before.data, key),
            )
            for key in self.keys
        ]

    def text_for_diff(self, data: bytes, was: Optional[bytes]) -> str:  # noqa: D102
        from .edit import text_for_diff

        return text_for_diff(data, was=was)


def _entry(data: bytes, key: Key) -> Row:
    entry = None
    with suppress(MalformedFile):
        entry = entry_for(parse(data), key.repository)
    shown = entry.as_result() if entry else {}
    return {name: shown.get(name) for name in ("public_key", "fingerprint")}


def _changes(data: Optional[bytes], key: Key) -> bool:
    try:
        return key_changes(data, key)
    except MalformedFile:
        return True


def add(targets: Dict[TargetId, KeyTarget], key: Key, target: KeyTarget, *, read_first: bool = True) -> None:
    """Add ``key`` to ``target``, one of ``targets`` or a new one of them."""
    key = key._replace(only_existing=not read_first)
    target = targets.get(target.which, target)
    keys = {one.repository: one for one in target.keys}
    earlier = keys.pop(key.repository, key)
    if earlier.entry != key.entry:
        raise bad_options(
            f"two different keys for {key.repository} are meant for {target.path}: {earlier.title} and {key.title}"
        )
    # A second home that is also named in paths gets the key even if it has no entry.
    keys[key.repository] = earlier._replace(only_existing=earlier.only_existing and key.only_existing)
    targets[target.which] = replace(target, keys=tuple(keys.values()))


def setup_home(project: str) -> str:
    """Return the auth.json that ``bin/magento sampledata:deploy`` reads: it sets COMPOSER_HOME to that directory."""
    return os.path.join(project, "var", "composer_home", "auth.json")


def _setup_home_target(project: str, ownership: Ownership, problems: List[Problem]) -> Optional[KeyTarget]:
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
    return KeyTarget(path, ownership, directory_owners=owners)


def find_targets(keys: Sequence[Key], params: Mapping[str, Any], *, check_mode: bool) -> Targets[KeyTarget]:
    """Resolve users, projects and paths to files. Raises `KeyfleetError` for unknown users, except in check mode."""
    mode = file_mode(params["mode"])
    found: Targets[KeyTarget] = Targets()
    uid, gid = owner_and_group(params, problems=found.problems if check_mode else None)
    shared = Ownership(uid=uid, gid=gid, mode=mode)
    seen: Dict[str, Tuple[Home, ...]] = {}
    setup_homes: Dict[str, Optional[KeyTarget]] = {}

    def add_user(key: Key, user: Account, environ: Optional[Mapping[str, str]]) -> None:
        if user.name not in seen:
            homes = composer_homes(user, environ=environ)
            found.problems.extend(homes.problems)
            seen[user.name] = homes.homes
        # Without a group the file layer uses the account's primary group.
        ownership = Ownership(uid=user.uid, gid=gid, mode=mode)
        for home in seen[user.name]:
            target = KeyTarget(
                path=home.auth_file, ownership=ownership, user=user, walk_as=home.walk_as, config_file=home.config_file
            )
            add(found.targets, key, target, read_first=home.read_first)

    for key in keys:
        if not (key.users or key.projects or key.paths or key.search is not None):
            add_user(key, default_account("whose Composer uses the key"), os.environ)
        accounts = named_accounts(key.users, present=key.present, check_mode=check_mode, problems=found.problems)
        for user, exists in accounts:
            if exists:
                add_user(key, user, None)
                continue
            path = os.path.join(user.home, ".composer", "auth.json")
            add(found.missing, key, KeyTarget(path, future_ownership(user, gid, mode), user))
        for project in key.projects:
            add(found.targets, key, KeyTarget(os.path.join(project, "auth.json"), shared))
            if project not in setup_homes:
                setup_homes[project] = _setup_home_target(project, shared, found.problems)
            setup_target = setup_homes[project]
            if setup_target is not None:
                add(found.targets, key, setup_target)
        for path in key.paths:
            add(found.targets, key, KeyTarget(path, shared))
    return found
