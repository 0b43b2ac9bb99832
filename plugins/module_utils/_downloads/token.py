# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a download token in netrc files or remove it, and verify it with the host's curl."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._argspec import absolute, bad_options, file_mode, listed
from .._errors import KeyfleetError, MalformedFile, Problem
from .._files import pipeline
from .._files.accounts import Account, Identity, acting_as, identity_of, owner_and_group
from .._files.pipeline import Row, Target, Targets
from .._files.state import FileState, Ownership
from .._redact import Secrets, quoting
from .._repository.outcome import Finding
from .._secrets import describe
from . import netrc
from .curl import Credentials, fetch, netrc_of, own_netrc
from .options import Service, Token, machine, service_from, token_from
from .verdict import judge_help, judge_page, verdict

HELP = "info/help"
_COMMERCE = "info/filter/type/ee-full"


@dataclass(frozen=True)
class TokenCheck:
    """Verifies pairs for ``host`` at one server. The secrets of ``others`` are redacted in every answer, too."""

    service: Service
    host: str
    others: Secrets = Secrets(())

    @property
    def url(self) -> str:
        """The URL of the request."""
        return f"{self.service.url}/{HELP}"

    def pair(self, token: Token, *, ask: bool = True) -> Dict[str, Any]:
        """The verdict on a given pair, which need not be installed."""
        if not ask:
            return self.not_asked(token.mage_id, None)
        return self._ask(token, token, None)

    def not_asked(self, mage_id: Optional[str], path: Optional[str]) -> Dict[str, Any]:
        """The verdict for a pair that was not verified."""
        what = f"{self.host} was not contacted."
        if path is not None:
            what = f"{path} was not checked: its entry is for {self.host}, but downloads_url is on {self.service.host}."
        return verdict(Finding("not_asked", what), host=self.host, url=self.url, mage_id=mage_id, path=path)

    def through(self, path: str, user: Optional[Account], state: FileState) -> Optional[Dict[str, Any]]:
        """The verdict on the pair that curl finds in an installed file, if the user of the file can read it.

        None for a missing file, or if downloads_url is on another machine than the entry.
        """
        if self.service.host != self.host or state.data is None:
            return None
        reader = identity_of((user.uid if user else state.uid) or 0)
        if state.privileged and not _reads(reader, state.real_path):
            finding = Finding("netrc_unreadable", f"{path} cannot be read by {reader}.")
            return verdict(finding, host=self.host, url=self.url, mage_id=None, path=path)
        # The pair that curl reads from the file, so that it is redacted.
        return self._ask(state.data, pair_of(state, self.host), path)

    def _ask(self, credentials: Credentials, known: Token, path: Optional[str]) -> Dict[str, Any]:
        end = fetch(self.service, HELP, credentials)
        quote = quoting(known.mage_id, known.secret, self.others)
        where = self.url if path is None else f"{self.url} (using {path})"
        finding, mage_id = judge_help(end, where, quote), netrc.shown_login(known.mage_id)
        curl = end.as_result(quote)
        return verdict(finding, host=self.host, url=self.url, mage_id=mage_id, path=path, curl=curl)

    def sees_commerce(self, credentials: Credentials) -> Optional[bool]:
        """Whether files of the commercial edition are listed for the account; None if unknown."""
        end = fetch(self.service, _COMMERCE, credentials)
        if judge_page(end, "", lambda text: text) is not None:
            return None
        if end.body.strip() == b"No results found.":
            return False
        rows = [line for line in end.body.splitlines() if line.startswith(b"  ") and line.strip(b" -")]
        # The first row is the heading.
        return True if len(rows) > 1 else None


def _reads(who: Identity, path: str) -> bool:
    with acting_as(who):
        return os.access(path, os.R_OK, effective_ids=True)


def pair_of(state: FileState, host: str) -> Token:
    """The pair that curl reads from a netrc; empty if there is none."""
    own = netrc.pair_for(state.data or b"", host)
    return Token(own[0] or "", own[1] or "") if own else Token("", "")


def stop_on(verdicts: Sequence[Row], fail_on: Sequence[str], *, before: str = "") -> Optional[KeyfleetError]:
    """The failure for verdicts whose status is in ``fail_on``, or None. ``before`` is put before the message."""
    bad = [one for one in verdicts if one["status"] in fail_on]
    if not bad:
        return None
    return KeyfleetError(bad[0]["code"], before + " ".join(one["message"] for one in bad))


@dataclass(frozen=True)
class TokenTarget(Target):
    """A netrc and its edit."""

    edit: netrc.NetrcEdit = netrc.NetrcEdit("", False)

    def edited(self, data: Optional[bytes]) -> Optional[bytes]:  # noqa: D102
        return netrc.edited(data, self.edit)

    def creates(self) -> bool:  # noqa: D102
        return self.edit.present

    def malformed(self, reason: MalformedFile) -> str:  # noqa: D102
        return f"{self.path} cannot be edited safely: {reason}. The file was not changed; repair it"

    def rows(self, before: FileState, after: FileState) -> List[Row]:  # noqa: D102
        edit = self.edit
        return [self.row(before, after, self._entry, of={"host": edit.host}, present=edit.present, changes=True)]

    def _entry(self, data: bytes) -> Row:
        own = netrc.entries_for(data, self.edit.host)
        login, password = own[0].pair if own else (None, None)
        fingerprint = describe(password or "") if own else None
        return {"mage_id": netrc.shown_login(login), "fingerprint": fingerprint}

    def text_for_diff(self, data: bytes, was: Optional[bytes]) -> str:  # noqa: D102
        return netrc.text_for_diff(data)


def _find_targets(params: Mapping[str, Any], edit: netrc.NetrcEdit, *, check_mode: bool) -> Targets[TokenTarget]:
    """Resolve users to files. A missing user or home raises `KeyfleetError`, except in check mode and for a removal."""
    names = listed("users", params["users"])
    paths = absolute("paths", params["paths"])
    mode = file_mode(params["mode"])
    found: Targets[TokenTarget] = Targets()
    uid, gid = owner_and_group(params, problems=found.problems if check_mode else None)
    targets: List[TokenTarget] = []
    if not (names or paths):
        user = pipeline.default_account("whose curl uses the token")
        ownership = Ownership(uid=user.uid, gid=gid, mode=mode)
        targets.append(TokenTarget(path=own_netrc(), ownership=ownership, user=user, edit=edit))
    accounts = pipeline.named_accounts(names, present=edit.present, check_mode=check_mode, problems=found.problems)
    for user, exists in accounts:
        future = pipeline.future_ownership(user, gid, mode)
        ownership = Ownership(uid=user.uid, gid=gid, mode=mode) if exists else future
        target = TokenTarget(path=netrc_of(user.home), ownership=ownership, user=user, edit=edit)
        if exists:
            targets.append(target)
        else:
            found.missing[target.which] = target
    shared = Ownership(uid=uid, gid=gid, mode=mode)
    targets += [TokenTarget(path=path, ownership=shared, edit=edit) for path in paths]
    for target in targets:
        found.targets.setdefault(target.which, target)
    return found


def _edit(params: Mapping[str, Any]) -> netrc.NetrcEdit:
    host = machine(params["host"])
    if params["state"] == "present":
        token = token_from(params, host=host)
        if token is None:
            raise bad_options("mage_id and token are missing (state is present)")
        return netrc.NetrcEdit(host, True, token.mage_id, token.secret)
    mage_id = params["mage_id"]
    if mage_id is not None and (not isinstance(mage_id, str) or not mage_id):
        raise bad_options("mage_id must be text; omit it to remove the entry of any MAGEID")
    return netrc.NetrcEdit(host, False, mage_id)


def install_token(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Install or remove the token in ``params``. Returns the result that the module documents.

    The pair is verified before a file is changed, so that an invalid one replaces nothing, and again through each
    written file, as its owner. Raises `KeyfleetError` with the changes made until then in its details.
    """
    edit = _edit(params)
    token_check = TokenCheck(service_from(params), edit.host)
    found = _find_targets(params, edit, check_mode=check_mode)
    targets = list(found.targets.values())
    readings = pipeline.read_all(targets, lambda data: netrc.edited(data, edit), check_mode=check_mode)

    changing = [target for target, state in readings if netrc.edited(state.data, edit) != state.data]
    due = {"never": False, "changed": bool(changing or found.missing), "always": True}[params["verify"]]
    ask = edit.present and due
    verdicts = [token_check.pair(Token(edit.login or "", edit.password), ask=ask)] if edit.present else []
    stop = stop_on(verdicts, params["fail_on"], before="No file was touched. ")
    pipeline.refuse(stop, readings, found, verdicts=verdicts)

    changes = pipeline.predict_all(readings) if check_mode else pipeline.apply_all(readings, found, verdicts=verdicts)
    result = pipeline.result_of(targets, changes, found, verdicts=verdicts)
    if ask and not check_mode and verdicts[0]["status"] == "valid":
        chosen = targets if params["verify"] == "always" else changing
        owners = {target.path: change.after for target, change in zip(targets, changes)}
        through = [token_check.through(target.path, target.user, owners[target.path]) for target in chosen]
        verdicts.extend(verdict for verdict in through if verdict is not None)
        stop = stop_on(verdicts[1:], params["fail_on"], before="The token works, but not through an installed file. ")
        if stop:
            reached = {name: result[name] for name in ("changed", "files", "verdicts")}
            problems = [Problem(**problem) for problem in result["problems"]]
            raise KeyfleetError(stop.code, stop.message, problems=problems, **reached)
    return result
