# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A download token brought to netrc files or taken from them: read, planned, proved, written, proved again."""

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
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_check import Proof, stop_on
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_targets import (
    Place,
    Survey,
    difference,
    imagined,
    row,
    survey,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    Access,
    Change,
    FileState,
    Wanted,
    apply,
    observe,
    predict,
)


def _malformed(place: Place, unfit: Unfit) -> KeyfleetError:
    return KeyfleetError(
        "malformed_file",
        f"{place.path} cannot be edited safely: {unfit}. It was left as it is; mend it",
        path=place.path,
    )


def _read(places: Sequence[Place], edit: netrc.Edit, *, check_mode: bool) -> Dict[str, FileState]:
    """Every file, before any is written. All that is unfit is reported in one failure."""
    states: Dict[str, FileState] = {}
    errors: List[KeyfleetError] = []
    for place in places:
        try:
            state = observe(place.path, parse=lambda data: netrc.edited(data, edit), access=Access(place.ownership.uid))
            if edit.present and not (state.directory_exists or check_mode):
                parent = os.path.dirname(place.path)
                raise KeyfleetError("no_directory", f"{parent} does not exist, so {place.path} cannot be written")
            states[place.path] = state
        except Unfit as unfit:
            errors.append(_malformed(place, unfit))
        except KeyfleetError as error:
            errors.append(KeyfleetError(error.code, error.message, path=place.path))
    if errors:
        problems = [Problem(error.code, error.message, str(error.details["path"])) for error in errors]
        text = ". ".join(error.message.rstrip(".") for error in errors)
        raise KeyfleetError(errors[0].code, f"No file was touched. {text}", problems=problems)
    return states


def _edit(params: Mapping[str, Any]) -> netrc.Edit:
    host = machine(params["host"])
    if params["state"] == "present":
        token = token_from(params, host=host)
        if token is None:
            raise bad_options("mage_id and token are missing (state is present)")
        return netrc.Edit(host, True, token.mage_id, token.secret)
    mage_id = params["mage_id"]
    if mage_id is not None and (not isinstance(mage_id, str) or not mage_id):
        raise bad_options("mage_id must be text; leave it out to remove the entry whatever its MAGEID is")
    return netrc.Edit(host, False, mage_id)


def install(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the token in ``params`` to the files of this host. The result has the shape that the module documents.

    The pair is proved before a file is touched, so a bad one displaces nothing; and once more through each file that
    was written, as its owner. Raises `KeyfleetError`; its details carry what had been reached.
    """
    edit = _edit(params)
    proof = Proof(service_from(params), edit.host)
    found = survey(params, present=edit.present, check_mode=check_mode)
    states = _read(found.places, edit, check_mode=check_mode)
    wanted = [place.wanted(edit) for place in found.places]

    changing = [place for place in found.places if netrc.changes_pair(states[place.path].data, edit)]
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
        verdicts.append(proof.pair(Token(edit.login or "", edit.password), ask=ask))
    stop = stop_on(verdicts, params["fail_on"], before="No file was touched. ")
    if stop:
        files = [row(place, states[place.path], states[place.path], edit) for place in found.places]
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=files, verdicts=verdicts)

    changes = _predicted(found.places, states, wanted) if check_mode else _apply(found, wanted, edit, verdicts)
    result = _result(found, changes, edit, verdicts)
    if ask and not check_mode and verdicts[0]["status"] == "valid":
        chosen = found.places if params["verify"] == "always" else changing
        owners = {place.path: change.after for place, change in zip(found.places, changes)}
        through = [proof.through(place, owners[place.path]) for place in chosen]
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


def _predicted(places: Sequence[Place], states: Mapping[str, FileState], wanted: Sequence[Wanted]) -> List[Change]:
    """What ``apply`` would do, where one path may lead to the file that another one has changed before."""
    done: Dict[str, FileState] = {}
    changes = []
    for place, request in zip(places, wanted):
        state = states[place.path]
        earlier = done.get(state.real_path)
        if earlier is not None:
            state = replace(state, data=earlier.data, uid=earlier.uid, gid=earlier.gid, mode=earlier.mode)
        change = predict(state, request)
        done[state.real_path] = change.after
        changes.append(change)
    return changes


def _apply(found: Survey, wanted: Sequence[Wanted], edit: netrc.Edit, verdicts: Sequence[Any]) -> List[Change]:
    try:
        return apply(wanted)
    except KeyfleetError as error:
        done: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
        by_path = {change.wanted.path: change for change in done}
        reached: List[Tuple[Place, Change]] = [(p, by_path[p.path]) for p in found.places if p.path in by_path]
        raise KeyfleetError(
            error.code,
            error.message,
            problems=(*found.problems, *error.problems),
            changed=any(change.changed for change in done),
            files=[row(place, change.before, change.after, edit) for place, change in reached],
            verdicts=list(verdicts),
        ) from error


def _exposed(place: Place, state: FileState) -> List[Problem]:
    if state.mode is None or not state.mode & 0o007:
        return []
    return [
        Problem(
            "readable_by_others",
            f"{place.path} had mode {state.mode:04o}: everybody on the host could read it. "
            "Its mode is repaired, but what was in it should be replaced",
            place.path,
        )
    ]


def _result(
    found: Survey, changes: Sequence[Change], edit: netrc.Edit, verdicts: List[Dict[str, Any]]
) -> Dict[str, Any]:
    files = [row(place, change.before, change.after, edit) for place, change in zip(found.places, changes)]
    problems = list(found.problems)
    for place, change in zip(found.places, changes):
        problems.extend(_exposed(place, change.before))
    shown = [(place, change.before, change.after) for place, change in zip(found.places, changes) if change.changed]
    for place in found.missing:
        before, after = imagined(place, edit)
        after = replace(after, path=place.path)
        files.append(row(place, before, after, edit))
        if after.data is not None:
            shown.append((place, before, after))
    return {
        "changed": bool(shown),
        "files": files,
        "verdicts": verdicts,
        "problems": [problem.as_result() for problem in dict.fromkeys(problems)],
        "diff": [difference(*one) for one in shown],
    }
