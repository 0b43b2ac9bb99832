# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a download token in netrc files or remove it: read, plan, verify, write, verify again."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import (
    Token,
    machine,
    service_from,
    token_from,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_check import TokenCheck, stop_on
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_targets import (
    NetrcTarget,
    NetrcTargets,
    difference,
    find_targets,
    predicted_state,
    row,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    Access,
    Change,
    FileState,
    Wanted,
    apply,
    observe,
    predict,
)


def _malformed(target: NetrcTarget, malformed: MalformedFile) -> KeyfleetError:
    return KeyfleetError(
        "malformed_file",
        f"{target.path} cannot be edited safely: {malformed}. The file was not changed; repair it",
        path=target.path,
    )


def _read(targets: Sequence[NetrcTarget], edit: netrc.NetrcEdit, *, check_mode: bool) -> Dict[str, FileState]:
    """The state of every file, by path, before any is written. All unusable files are reported in one error."""
    states: Dict[str, FileState] = {}
    errors: List[KeyfleetError] = []
    for target in targets:
        try:
            state = observe(
                target.path, parse=lambda data: netrc.edited(data, edit), access=Access(target.ownership.uid)
            )
            if edit.present and not (state.directory_exists or check_mode):
                parent = os.path.dirname(target.path)
                raise KeyfleetError("no_directory", f"{parent} does not exist, so {target.path} cannot be written")
            states[target.path] = state
        except MalformedFile as malformed:
            errors.append(_malformed(target, malformed))
        except KeyfleetError as error:
            errors.append(KeyfleetError(error.code, error.message, path=target.path))
    if errors:
        problems = [Problem(error.code, error.message, str(error.details["path"])) for error in errors]
        text = ". ".join(error.message.rstrip(".") for error in errors)
        raise KeyfleetError(errors[0].code, f"No file was touched. {text}", problems=problems)
    return states


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


def install_token(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Install or remove the token in ``params``. Returns the result that the module documents.

    The pair is verified before a file is changed, so that an invalid one replaces nothing, and again through each
    written file, as its owner. Raises `KeyfleetError` with the changes made until then in its details.
    """
    edit = _edit(params)
    token_check = TokenCheck(service_from(params), edit.host)
    found = find_targets(params, present=edit.present, check_mode=check_mode)
    states = _read(found.targets, edit, check_mode=check_mode)
    wanted = [target.wanted(edit) for target in found.targets]

    changing = [target for target in found.targets if netrc.changes_pair(states[target.path].data, edit)]
    ask = (
        edit.present
        and {
            "never": False,
            "changed": bool(changing or found.missing),
            "always": True,
        }[params["verify"]]
    )
    verdicts: List[Dict[str, Any]] = []
    if edit.present:
        verdicts.append(token_check.pair(Token(edit.login or "", edit.password), ask=ask))
    stop = stop_on(verdicts, params["fail_on"], before="No file was touched. ")
    if stop:
        files = [row(target, states[target.path], states[target.path], edit) for target in found.targets]
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=files, verdicts=verdicts)

    changes = _predicted(found.targets, states, wanted) if check_mode else _apply(found, wanted, edit, verdicts)
    result = _result(found, changes, edit, verdicts)
    if ask and not check_mode and verdicts[0]["status"] == "valid":
        chosen = found.targets if params["verify"] == "always" else changing
        owners = {target.path: change.after for target, change in zip(found.targets, changes)}
        through = [token_check.through(target, owners[target.path]) for target in chosen]
        verdicts.extend(verdict for verdict in through if verdict is not None)
        stop = stop_on(verdicts[1:], params["fail_on"], before="The token works, but not through an installed file. ")
        if stop:
            raise KeyfleetError(
                stop.code,
                stop.message,
                problems=[Problem(p["code"], p["message"], p["path"]) for p in result["problems"]],
                changed=result["changed"],
                files=result["files"],
                verdicts=verdicts,
            )
    return result


def _predicted(
    targets: Sequence[NetrcTarget], states: Mapping[str, FileState], wanted: Sequence[Wanted]
) -> List[Change]:
    """The changes that ``apply`` would make. Several paths may lead to the same file."""
    done: Dict[str, FileState] = {}
    changes = []
    for target, request in zip(targets, wanted):
        state = states[target.path]
        earlier = done.get(state.real_path)
        if earlier is not None:
            state = replace(state, data=earlier.data, uid=earlier.uid, gid=earlier.gid, mode=earlier.mode)
        change = predict(state, request)
        done[state.real_path] = change.after
        changes.append(change)
    return changes


def _apply(
    found: NetrcTargets, wanted: Sequence[Wanted], edit: netrc.NetrcEdit, verdicts: Sequence[Any]
) -> List[Change]:
    try:
        return apply(wanted)
    except KeyfleetError as error:
        done: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
        by_path = {change.wanted.path: change for change in done}
        reached: List[Tuple[NetrcTarget, Change]] = [(p, by_path[p.path]) for p in found.targets if p.path in by_path]
        raise KeyfleetError(
            error.code,
            error.message,
            problems=(*found.problems, *error.problems),
            changed=any(change.changed for change in done),
            files=[row(target, change.before, change.after, edit) for target, change in reached],
            verdicts=list(verdicts),
        ) from error


def _exposed(target: NetrcTarget, state: FileState) -> List[Problem]:
    if state.mode is None or not state.mode & 0o007:
        return []
    return [
        Problem(
            "readable_by_others",
            f"{target.path} had mode {state.mode:04o}: everybody on the host could read it. "
            "Its mode is repaired, but the credentials in it should be replaced",
            target.path,
        )
    ]


def _result(
    found: NetrcTargets, changes: Sequence[Change], edit: netrc.NetrcEdit, verdicts: List[Dict[str, Any]]
) -> Dict[str, Any]:
    files = [row(target, change.before, change.after, edit) for target, change in zip(found.targets, changes)]
    problems = list(found.problems)
    for target, change in zip(found.targets, changes):
        problems.extend(_exposed(target, change.before))
    shown = [(target, change.before, change.after) for target, change in zip(found.targets, changes) if change.changed]
    for target in found.missing:
        before, after = predicted_state(target, edit)
        after = replace(after, path=target.path)
        files.append(row(target, before, after, edit))
        if after.data is not None:
            shown.append((target, before, after))
    return {
        "changed": bool(shown),
        "files": files,
        "verdicts": verdicts,
        "problems": [problem.as_result() for problem in dict.fromkeys(problems)],
        "diff": [difference(*one) for one in shown],
    }
