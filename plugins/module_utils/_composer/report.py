# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on a host: files, entries, the entry that wins, and what the repository says of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import (
    Key,
    absolute,
    address,
    bad_options,
    keys_from,
    listed,
    package_names,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import Home, composer_homes
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import (
    MOST_BYTES,
    Sources,
    not_looked_at,
    repositories,
    winner,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.read import read_each
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.search import search
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import Which, setup_home
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    Account,
    account,
    all_accounts,
    group_name,
    own_account,
    owner_name,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import Access, FileState
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verify import (
    LIMIT_FACTOR,
    MOST_PAIRS,
    Question,
    prove,
    stop_on,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import host_as_shown, repository_fault

# Of all files, and of all rows of `effective`.
_MOST_ENTRIES = 50000
# Bytes, those of files that are left out included: a small one behind them still counts.
_MOST_READ = 4 * MOST_BYTES


@dataclass(frozen=True)
class Asked:
    """Why a file is looked at: ``only_existing`` leaves it out where it is not, ``user`` is who reads it."""

    only_existing: bool
    user: Optional[Account]
    access: Access


@dataclass
class Report:
    """What has been found so far."""

    asked: Dict[Which, Asked] = field(default_factory=dict)
    files: Dict[Which, Dict[str, Any]] = field(default_factory=dict)
    found: Dict[Which, auth_json.Document] = field(default_factory=dict)
    bytes_of: Dict[str, Optional[bytes]] = field(default_factory=dict)
    problems: List[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class User:
    """A user and the homes of theirs, the one that Composer reads first at the front."""

    account: Account
    homes: Tuple[Home, ...]


def _ask(
    report: Report, path: str, *, only_existing: bool, user: Optional[Account] = None, walk_as: Optional[int] = None
) -> None:
    """Put the file on the list; ``user`` is the one whose Composer reads it, ``walk_as`` whose data named it."""
    there = report.asked.get(
        (path, walk_as), Asked(only_existing, user, Access(None if user is None else user.uid, walk_as))
    )
    report.asked[path, walk_as] = Asked(there.only_existing and only_existing, there.user or user, there.access)


def _look(report: Report) -> None:
    """Read every file on the list, whatever state it is in."""
    bytes_left, entries_left = MOST_BYTES, _MOST_ENTRIES
    problems: Dict[Which, List[Problem]] = {}
    files = {which: (which[0], asked.access) for which, asked in report.asked.items()}
    for which, seen in read_each(files, most=_MOST_READ):
        path, asked = which[0], report.asked[which]
        told = problems[which] = []
        if seen.error:
            told.append(Problem(seen.error.code, seen.error.message, path))
        if seen.unfit:
            text = f"{path} is not a file that Composer can use: {seen.unfit}"
            told.append(Problem("malformed_file", text, path))
        if seen.state is None or (seen.state.data is None and asked.only_existing):
            continue
        data = None if seen.unfit else seen.state.data
        if data is not None:
            document = auth_json.parse(data)
            bytes_left -= len(data)
            entries_left -= 1 + len(auth_json.entries(document))
            if bytes_left < 0 or entries_left < 0:
                report.bytes_of[path] = None
                told.append(not_looked_at(path))
                continue
            report.found[which] = document
        if which[1] is None:
            report.bytes_of[path] = data
        report.files[which] = _row(path, seen.state, report.found.get(which, {}))
        told.extend(_owner_and_mode(path, seen.state, asked.user))
    left = [path for path, walk_as in files if (path, walk_as) not in problems]
    for path in left:
        report.bytes_of.setdefault(path, None)
    for which in report.asked:
        report.problems.extend(problems.get(which, ()))
    if left:
        report.problems.append(not_looked_at(left[0], others=len(left) - 1))


def _row(path: str, state: FileState, document: auth_json.Document) -> Dict[str, Any]:
    return {
        "path": path,
        "real_path": state.real_path,
        "exists": state.data is not None,
        "owner": owner_name(state.uid),
        "group": group_name(state.gid),
        "mode": None if state.mode is None else f"{state.mode:04o}",
        "entries": [entry.as_result() for entry in auth_json.entries(document)],
    }


def _owner_and_mode(path: str, state: FileState, user: Optional[Account]) -> Iterator[Problem]:
    """What is wrong with them; ``user`` is the one whose Composer reads the file."""
    if state.mode is not None and state.mode & 0o007:
        text = f"{path} has mode {state.mode:04o}: everybody on the host can use it"
        yield Problem("readable_by_others", text, path)
    if user and state.uid not in (None, user.uid):
        text = f"{path} belongs to {owner_name(state.uid)}, so that Composer of {user.name} may fail on it"
        yield Problem("wrong_owner", text, path)


def _ask_for_users(
    report: Report,
    users: Sequence[Account],
    *,
    only_existing: bool = False,
    environ: Optional[Mapping[str, str]] = None,
) -> List[User]:
    result = []
    for user in users:
        try:
            homes = composer_homes(user, environ=environ)
        except KeyfleetError as error:
            report.problems.append(Problem(error.code, error.message, user.home))
            continue
        report.problems.extend(homes.problems)
        for home in homes.homes:
            _ask(report, home.auth_file, only_existing=only_existing, user=user, walk_as=home.walk_as)
        result.append(User(user, homes.homes))
    return result


def _named_users(report: Report, names: Sequence[str]) -> List[Account]:
    result = []
    for name in names:
        user = account(name)
        if user is None:
            report.problems.append(Problem("unknown_user", f"users: this host has no user {name!r}"))
        else:
            result.append(user)
    return result


def _effective(report: Report, users: Sequence[User], projects: Sequence[str]) -> List[Dict[str, Any]]:
    """For every user alone and in every project: the entry that Composer takes, host by host, and why."""
    result = []
    views: List[Tuple[Optional[User], Optional[str]]] = [(user, None) for user in users]
    views += [(user, project) for user in (users or [None]) for project in projects]  # type: ignore[list-item]
    files = Sources(report.bytes_of)
    left = _MOST_ENTRIES
    for user, project in views:
        uid, homes = (user.account.uid, user.homes[:1]) if user else (None, ())
        sources = files.read_by(uid, homes, project)
        named = repositories(sources)
        if len(named) > left:
            where = " in ".join(part for part in (user and user.account.name, project) if part)
            text = (
                f"effective, {where}: {len(named)} hosts were left out: {_MOST_ENTRIES} rows are the limit of one run"
            )
            report.problems.append(Problem("read_failed", text, project))
            continue
        left -= len(named)
        for repository in named:
            won = winner(sources, repository)
            if won:
                result.append(
                    dict(
                        won.entry.as_result(),
                        user=user.account.name if user else None,
                        project=project,
                        path=won.source.path,
                        reason=won.reason,
                    )
                )
    report.problems.extend(files.problems)
    return result


def _questions(report: Report, params: Mapping[str, Any], given: Optional[Key]) -> List[Question]:
    """The pair of the options, or every pair that was found."""
    repository, packages = params["repository"], package_names(params["packages"])
    if given:
        return [
            Question(
                option=given.option,
                repository=repository,
                url=given.url,
                public_key=given.public_key or "",
                private_key=given.private_key,
                packages=packages,
            )
        ]
    if params["verify"] == "never":
        return []
    url = address(params["url"])
    return [
        Question(
            option=f"{path}: public key",
            repository=entry.repository,
            url=url if entry.repository == repository else None,
            public_key=entry.username,
            private_key=entry.secret,
            packages=packages if entry.repository == repository else (),
            # Composer reads such an entry, but there is no address or no user name to ask with.
            ask=bool(entry.username) and repository_fault(entry.repository) is None,
            # The first of each file, then the second of each: a file full of entries keeps no other one waiting.
            turn=turn,
        )
        for (path, _walk_as), document in report.found.items()
        for turn, entry in enumerate(e for e in auth_json.entries(document) if e.section == auth_json.HTTP_BASIC)
    ]


def _given_pair(params: Mapping[str, Any]) -> Optional[Key]:
    halves = [params["public_key"], params["private_key"]]
    if halves == [None, None]:
        fault = repository_fault(params["repository"])
        if fault:
            raise bad_options(f"repository {host_as_shown(params['repository'])}: {fault}")
        if params["fail_on"] and params["verify"] == "never":
            raise bad_options("fail_on has no effect on the entries that are found, unless verify is always")
        return None
    if None in halves:
        raise bad_options("public_key and private_key are checked as a pair; one of them is missing")
    return keys_from({**params, "keys": None, "state": "present", "users": None, "projects": None, "paths": None})[0]


def report(params: Mapping[str, Any]) -> Dict[str, Any]:
    """What the host holds for the users, projects, paths and roots in ``params``, and what the repository says.

    Nothing is written. The result has the shape that the module documents. Raises `KeyfleetError` for bad options, and
    for a verdict in ``fail_on``.
    """
    given = _given_pair(params)
    names = listed("users", params["users"])
    projects = absolute("projects", params["projects"]) or ()
    paths = absolute("paths", params["paths"]) or ()
    roots = absolute("search", params["search"]) or ()
    found = Report()
    users: List[User] = []
    if names:
        users += _ask_for_users(found, _named_users(found, names))
    elif not (given or projects or paths or roots or params["all_users"]):
        users += _ask_for_users(found, [own_account()], environ=os.environ)
    if params["all_users"]:
        known = {user.account.name for user in users}
        users += _ask_for_users(found, [u for u in all_accounts() if u.name not in known], only_existing=True)
    for project in projects:
        _ask(found, os.path.join(project, "auth.json"), only_existing=False)
        _ask(found, setup_home(project), only_existing=True)
    for path in paths:
        _ask(found, path, only_existing=False)
    for root in roots:
        for path in search(root, found.problems):
            _ask(found, path, only_existing=True)
    _look(found)
    answers = prove(_questions(found, params, given), params, bounded=given is None)
    left = sum(answer.left_out for answer in answers)
    if left:
        text = f"{left} of {len(answers)} pairs were not asked about: {MOST_PAIRS} pairs and {LIMIT_FACTOR} times the "
        found.problems.append(Problem("not_all_asked", text + "option timeout are the limits of one run"))
    result = {
        "changed": False,
        "files": [found.files[which] for which in found.asked if which in found.files],
        "effective": _effective(found, users, projects),
        "verdicts": [answer.as_result() for answer in answers],
        "problems": [problem.as_result() for problem in dict.fromkeys(found.problems)],
    }
    stop = stop_on(answers, params["fail_on"])
    if stop:
        reached = {name: result[name] for name in ("files", "verdicts")}
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, **reached)
    return result
