# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report what is installed on a host: files, entries, the entries that win, and the verdicts of the repositories."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from .._argspec import Key, absolute, address, bad_options, keys_from, listed, package_names
from .._errors import KeyfleetError, Problem
from .._files.accounts import Account, account, all_accounts, group_name, own_account, owner_name
from .._files.path import Access
from .._files.pipeline import TargetId
from .._files.read import read_each
from .._files.state import FileState
from .._repository.pairs import LIMIT_FACTOR, MOST_PAIRS, Question, stop_on, verify_pairs
from .._secrets import host_as_shown, repository_fault
from . import auth_json
from .home import Home, composer_homes
from .precedence import MOST_BYTES, Sources, faults, not_looked_at, repositories, winner
from .search import search
from .targets import setup_home

# Limit for the entries of all files, and for the rows of `effective`.
_MOST_ENTRIES = 50000
# Bytes, including those of files that are skipped, so that a small file after a large one is still reported.
_MOST_READ = 4 * MOST_BYTES


@dataclass
class KeyReport:
    """The files to read, each with the user whose Composer reads it, and the results so far.

    A missing file is omitted unless it is in ``expected``.
    """

    asked: Dict[TargetId, Optional[Account]] = field(default_factory=dict)
    expected: Set[TargetId] = field(default_factory=set)
    files: Dict[TargetId, Dict[str, Any]] = field(default_factory=dict)
    found: Dict[TargetId, auth_json.Document] = field(default_factory=dict, repr=False)
    bytes_of: Dict[str, Optional[bytes]] = field(default_factory=dict, repr=False)
    problems: List[Problem] = field(default_factory=list)


# A user, and the auth.json that the user's Composer reads first.
User = Tuple[Account, Home]


def _add_file(report: KeyReport, which: TargetId, *, expected: bool, user: Optional[Account] = None) -> None:
    """Add a file to the list. Those of users are added first."""
    report.asked.setdefault(which, user)
    if expected:
        report.expected.add(which)


def _read_files(report: KeyReport) -> None:
    """Read every file on the list; faults become problems."""
    bytes_left, entries_left = MOST_BYTES, _MOST_ENTRIES
    problems: Dict[TargetId, List[Problem]] = {}
    files = {
        (path, walk_as): (path, Access(user.uid if user else None, walk_as))
        for (path, walk_as), user in report.asked.items()
    }
    for which, seen in read_each(files, auth_json.parse, most=_MOST_READ):
        path = which[0]
        file_problems = problems[which] = faults(path, seen)
        if seen.state is None or (seen.state.data is None and which not in report.expected):
            continue
        data = None if seen.malformed else seen.state.data
        if data is not None:
            document = auth_json.parse(data)
            bytes_left -= len(data)
            entries_left -= 1 + len(auth_json.entries(document))
            if bytes_left < 0 or entries_left < 0:
                report.bytes_of[path] = None
                file_problems.append(not_looked_at(path))
                continue
            report.found[which] = document
        if which[1] is None:
            report.bytes_of[path] = data
        report.files[which] = _row(path, seen.state, report.found.get(which, {}))
        file_problems.extend(_owner_and_mode(path, seen.state, report.asked[which]))
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
    """Yield the problems with owner and mode of a file that Composer of ``user`` reads."""
    if state.mode is not None and state.mode & 0o007:
        text = f"{path} has mode {state.mode:04o}: everybody on the host can use it"
        yield Problem("readable_by_others", text, path)
    if user and state.uid not in (None, user.uid):
        text = f"{path} belongs to {owner_name(state.uid)}, so Composer of {user.name} may fail to use it"
        yield Problem("wrong_owner", text, path)


def _add_users(
    report: KeyReport, users: Sequence[Account], *, expected: bool = True, environ: Optional[Mapping[str, str]] = None
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
            _add_file(report, (home.auth_file, home.walk_as), expected=expected, user=user)
        result.append((user, homes.homes[0]))
    return result


def _named_users(report: KeyReport, names: Sequence[str]) -> List[Account]:
    found = {name: account(name) for name in names}
    unknown = [f"users: this host has no user {name!r}" for name, user in found.items() if user is None]
    report.problems += [Problem("unknown_user", text) for text in unknown]
    return [user for user in found.values() if user]


def _effective(report: KeyReport, users: Sequence[User], projects: Sequence[str]) -> List[Dict[str, Any]]:
    """Return the entry that Composer uses for each host, and why, for every user alone and in every project."""
    result = []
    views: List[Tuple[Optional[User], Optional[str]]] = [(user, None) for user in users]
    views += [(user, project) for user in (users or [None]) for project in projects]  # type: ignore[list-item]
    files = Sources(report.bytes_of)
    left = _MOST_ENTRIES
    for user, project in views:
        name, uid, homes = (user[0].name, user[0].uid, user[1:]) if user else (None, None, ())
        sources = files.read_by(uid, homes, project)
        named = repositories(sources)
        if len(named) > left:
            where = " in ".join(part for part in (name, project) if part)
            limit = f"{_MOST_ENTRIES} rows are the limit of one run"
            text = f"effective: {len(named)} hosts of {where} were skipped: {limit}"
            report.problems.append(Problem("read_failed", text, project))
            continue
        left -= len(named)
        winners = (winner(sources, repository) for repository in named)
        result += [
            dict(won.entry.as_result(), user=name, project=project, path=won.source.path, reason=won.reason)
            for won in winners
            if won
        ]
    report.problems.extend(files.problems)
    return result


def _questions(report: KeyReport, params: Mapping[str, Any]) -> List[Question]:
    """Return questions about every pair in the files."""
    repository, packages = params["repository"], package_names(params["packages"])
    if params["verify"] == "never":
        return []
    url = address(params["url"])
    return [
        Question(
            Key(
                entry.repository,
                public_key=entry.username,
                private_key=entry.secret,
                url=url if entry.repository == repository else None,
                packages=packages if entry.repository == repository else (),
                option=f"{path}: public key",
            ),
            # Composer reads entries without user name or valid host, but the repository cannot be asked about them.
            ask=bool(entry.username) and repository_fault(entry.repository) is None,
            # The first entry of each file, then the second of each: a file with many entries does not delay the others.
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
            raise bad_options("fail_on needs verify always, or public_key and private_key")
        return None
    if None in halves:
        raise bad_options("public_key and private_key are checked as a pair; one of them is missing")
    return keys_from({**params, "keys": None, "state": "present", "users": None, "projects": None, "paths": None})[0]


def report_keys(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the keys of the users, projects, paths and directories in ``params``, and the repositories' verdicts.

    Nothing is written. The result has the shape that the module documents. Raises `KeyfleetError` for bad options, and
    for a verdict in ``fail_on``.
    """

    given = _given_pair(params)
    names = listed("users", params["users"])
    projects = absolute("projects", params["projects"])
    paths = absolute("paths", params["paths"])
    roots = absolute("search", params["search"])
    found = KeyReport()
    users: List[User] = []
    if names:
        users += _add_users(found, _named_users(found, names))
    elif not (given or projects or paths or roots or params["all_users"]):
        users += _add_users(found, [own_account()], environ=os.environ)
    if params["all_users"]:
        known = {user.name for user, _home in users}
        users += _add_users(found, [user for user in all_accounts() if user.name not in known], expected=False)
    for project in projects:
        _add_file(found, (os.path.join(project, "auth.json"), None), expected=True)
        _add_file(found, (setup_home(project), None), expected=False)
    for path in paths:
        _add_file(found, (path, None), expected=True)
    for root in roots:
        for path in search(root, found.problems):
            _add_file(found, (path, None), expected=False)
    _read_files(found)
    questions = [Question(given)] if given else _questions(found, params)
    answers = verify_pairs(questions, params, bounded=given is None)
    left = sum(answer.left_out for answer in answers)
    if left:
        text = f"{left} of {len(answers)} pairs were not verified: {MOST_PAIRS} pairs and {LIMIT_FACTOR} times the "
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
