# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report the download tokens of a host, and whether they work from there. Read-only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .._argspec import absolute, listed
from .._errors import KeyfleetError, MalformedFile, Problem
from .._files.accounts import Account, account, own_account, owner_name, shown_ownership
from .._files.path import Access
from .._files.read import observe
from .._files.state import FileState
from .._redact import Secrets
from .._secrets import describe
from . import netrc
from .curl import Credentials, netrc_of, own_netrc
from .options import machine, service_from, token_from
from .token import TokenCheck, pair_of, stop_on


@dataclass
class TokenReport:
    """The files and problems found so far."""

    host: str
    files: List[Dict[str, Any]] = field(default_factory=list)
    # Rows of ``files`` with a pair.
    found: List[Tuple[Dict[str, Any], Optional[Account], FileState]] = field(default_factory=list)
    problems: List[Problem] = field(default_factory=list)

    def problem(self, code: str, message: str, path: Optional[str] = None) -> None:
        """Add a problem."""
        self.problems.append(Problem(code, message, path))


def _report_file(report: TokenReport, path: str, user: Optional[Account]) -> None:
    try:
        state = observe(path, parse=bytes, access=Access(user.uid if user else None))
    except KeyfleetError as error:
        report.problem(error.code, error.message, path)
        return
    used, own = None, []
    if state.data is not None:
        try:
            used, own = netrc.pair_for(state.data, report.host), netrc.entries_for(state.data, report.host)
        except MalformedFile as malformed:
            text = f"{path} is not a netrc that all versions of curl read alike: {malformed}"
            report.problem("malformed_file", text, path)
        if state.mode is not None and state.mode & 0o007:
            report.problem("readable_by_others", f"{path} has mode {state.mode:04o}: everybody can use it", path)
        if user and state.uid != user.uid:
            text = f"{path} belongs to {owner_name(state.uid)}, so curl of {user.name} may be unable to read it"
            report.problem("wrong_owner", text, path)
    if used and own and used not in [entry.pair for entry in own]:
        text = f"{path} has an entry for {report.host}, but curl uses a default entry before it"
        report.problem("default_wins", text, path)
    row = {
        "path": path,
        "real_path": state.real_path,
        "exists": state.data is not None,
        "host": report.host,
        "mage_id": netrc.shown_login(used[0]) if used else None,
        "fingerprint": describe(used[1] or "") if used else None,
        **shown_ownership(state.uid, state.gid, state.mode),
    }
    report.files.append(row)
    if used:
        report.found.append((row, user, state))


def _targets(report: TokenReport, names: Sequence[str], paths: Sequence[str]) -> List[Tuple[str, Optional[Account]]]:
    targets: List[Tuple[str, Optional[Account]]] = []
    for name in names:
        user = account(name)
        if user is None:
            report.problem("unknown_user", f"users: this host has no user {name!r}")
        else:
            targets.append((netrc_of(user.home), user))
    if not (names or paths):
        targets.append((own_netrc(), own_account()))
    return [*targets, *((path, None) for path in paths)]


def report_tokens(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The verdicts on the pair in ``params`` and on the pairs in the netrc files of ``users`` and ``paths``.

    Raises `KeyfleetError` for bad options, for a missing or old curl, and for a verdict in ``fail_on``.
    """
    host = machine(params["host"])
    service = service_from(params)
    given = token_from(params, host=host)
    names = listed("users", params["users"])
    paths = absolute("paths", params["paths"])
    found = TokenReport(host)
    verdicts: List[Dict[str, Any]] = []
    if given is None or names or paths:
        for path, user in _targets(found, names, paths):
            _report_file(found, path, user)
    pairs = [*([given] if given else []), *(pair_of(state, host) for _row, _user, state in found.found)]
    token_check = TokenCheck(service, host, Secrets((one.mage_id, one.secret) for one in pairs))
    if given is not None:
        verdicts.append(_with_commerce(token_check, token_check.pair(given), given))
    for row, user, state in found.found:
        path = row["path"]
        verdict = token_check.through(path, user, state) or token_check.not_asked(row["mage_id"], path)
        verdicts.append(_with_commerce(token_check, verdict, state.data or b""))
    result = {
        "changed": False,
        "files": found.files,
        "verdicts": verdicts,
        "problems": [problem.as_result() for problem in dict.fromkeys(found.problems)],
    }
    stop = stop_on(verdicts, params["fail_on"])
    if stop:
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=found.files, verdicts=verdicts)
    return result


def _with_commerce(token_check: TokenCheck, verdict: Dict[str, Any], credentials: Credentials) -> Dict[str, Any]:
    commerce = token_check.sees_commerce(credentials) if verdict["status"] == "valid" else None
    return dict(verdict, commerce=commerce)
