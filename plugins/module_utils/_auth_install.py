# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From keys and places to files: which auth.json gets which entry, read, planned, proved and written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils import _auth_json as auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_places import (
    Place,
    Survey,
    group_name,
    owner_name,
    survey,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_plan import (
    Edit,
    edited,
    entry_for,
    key_changes,
    text_for_diff,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_proof import Question, prove, stop_on
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_sources import shadow_problems
from ansible_collections.keyfleet.magento.plugins.module_utils._credential_file import (
    Change,
    FileState,
    apply,
    observe,
    predict,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._options import Key, keys_from


@dataclass(frozen=True)
class Reading:
    """One file as it was found. ``broken`` holds its bytes if they are unfit and may be overwritten."""

    state: FileState
    broken: Optional[bytes] = field(default=None, repr=False)


def _read_one(place: Place, *, replace_malformed: bool) -> Reading:
    try:
        return Reading(observe(place.path, parse=auth_json.parse))
    except auth_json.Unfit as unfit:
        if replace_malformed:
            # Whoever was writing had its time; what is there now is what gets overwritten, if it is still there then.
            state = observe(place.path, parse=bytes)
            return Reading(state, state.data)
        raise KeyfleetError(
            "malformed_file",
            f"{place.path} is not a file that Composer can use: {unfit}. It was left as it is; "
            "mend it, or let malformed=replace overwrite it",
            path=place.path,
        ) from None


def _read(places: Iterable[Place], *, replace_malformed: bool, check_mode: bool) -> Dict[str, Reading]:
    """Every file, before any is written. All that is unfit is reported in one failure."""
    readings: Dict[str, Reading] = {}
    errors: List[KeyfleetError] = []
    for place in places:
        try:
            readings[place.path] = reading = _read_one(place, replace_malformed=replace_malformed)
            creates = any(edit.present for _key, edit in place.edits)
            if creates and not (reading.state.directory_exists or place.user or check_mode):
                raise KeyfleetError(
                    "no_directory",
                    f"{os.path.dirname(place.path)} does not exist, so {place.path} cannot be written",
                    path=place.path,
                )
        except KeyfleetError as error:
            errors.append(error)
    if errors:
        problems = [Problem(e.code, e.message, str(e.details["path"]) if "path" in e.details else None) for e in errors]
        text = ". ".join(error.message.rstrip(".") for error in errors)
        raise KeyfleetError(errors[0].code, f"No file was touched. {text}", problems=problems)
    return readings


def _view(state: FileState, edit: Edit) -> Optional[Dict[str, Any]]:
    """One entry of one file as results show it, or None when there is no such file."""
    if state.data is None:
        return None
    try:
        entry = entry_for(auth_json.parse(state.data), edit.repository)
    except auth_json.Unfit:
        entry = None
    shown = entry.as_result() if entry else {"public_key": None, "fingerprint": None}
    return {
        "public_key": shown["public_key"],
        "fingerprint": shown["fingerprint"],
        "owner": owner_name(state.uid),
        "group": group_name(state.gid),
        "mode": None if state.mode is None else f"{state.mode:04o}",
    }


def _action(before: Optional[Dict[str, Any]], after: Optional[Dict[str, Any]]) -> str:
    if before == after or after is None:
        return "unchanged"
    if before is None:
        return "created"
    if (before["public_key"], before["fingerprint"]) == (after["public_key"], after["fingerprint"]):
        same_owner = all(before[name] == after[name] for name in ("owner", "group", "mode"))
        return "unchanged" if same_owner else "repaired"
    return "removed" if after["public_key"] is None else "updated"


def _other_pair(data: bytes, edit: Edit) -> bool:
    try:
        return key_changes(data, edit)
    except auth_json.Unfit:
        return True


def rows(place: Place, before: FileState, after: FileState) -> List[Dict[str, Any]]:
    """The elements of ``files`` for one place: one for each key."""
    result = []
    for _key, edit in place.edits:
        old, new = _view(before, edit), _view(after, edit)
        action = _action(old, new)
        if action in ("unchanged", "repaired") and before.data is not None:
            # A vendor's password has no fingerprint, so only the plan knows that it was another one.
            if _other_pair(before.data, edit):
                action = "updated" if edit.present else "removed"
        result.append(
            {
                "path": place.path,
                "real_path": after.real_path,
                "repository": edit.repository,
                "owner": (new or old or {}).get("owner"),
                "action": action,
                "before": old,
                "after": new,
            }
        )
    return result


def _questions(keys: Sequence[Key], changing: Sequence[Key], verify: str) -> List[Question]:
    return [
        Question(
            repository=key.repository,
            url=key.url,
            public_key=key.public_key or "",
            private_key=key.private_key,
            packages=key.packages,
            ask=verify == "always" or (verify == "changed" and key in changing),
        )
        for key in keys
        if key.present
    ]


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


def install(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the keys in ``params`` to the files of this host. The result has the shape that the modules document.

    Raises `KeyfleetError`; its details carry ``files``, ``verdicts`` and ``problems`` as far as they were reached.
    """
    keys = keys_from(params)
    found = survey(keys, params, check_mode=check_mode)
    places = list(found.places.values())
    readings = _read(places, replace_malformed=params["malformed"] == "replace", check_mode=check_mode)
    wanted = [place.wanted(broken=readings[place.path].broken) for place in places]

    changing = [key for key, _path in found.missing if key.present]
    for place in places:
        for key, edit in place.edits:
            reading = readings[place.path]
            if key.present and key_changes(reading.state.data, edit, broken=reading.broken):
                changing.append(key)
    answers = prove(_questions(keys, changing, params["verify"]), params)
    reached = {"verdicts": [answer.as_result() for answer in answers]}
    stop = stop_on(answers, params["fail_on"], before="No file was touched. ")
    if stop:
        unchanged = [(place, readings[place.path].state) for place in places]
        untouched = [row for place, state in unchanged for row in rows(place, state, state)]
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=untouched, **reached)

    if check_mode:
        changes = [predict(readings[place.path].state, request) for place, request in zip(places, wanted)]
    else:
        try:
            changes = apply(wanted)
        except KeyfleetError as error:
            done: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
            by_path = {change.wanted.path: change for change in done}
            raise KeyfleetError(
                error.code,
                error.message,
                problems=(*found.problems, *error.problems),
                changed=any(change.changed for change in done),
                files=[r for p in places if p.path in by_path for r in _rows_of(p, by_path[p.path])],
                **reached,
            ) from error
    return _result(keys, found, places, changes, reached)


def _rows_of(place: Place, change: Change) -> List[Dict[str, Any]]:
    return rows(place, change.before, change.after)


def _result(
    keys: Sequence[Key],
    found: Survey,
    places: Sequence[Place],
    changes: Sequence[Change],
    reached: Dict[str, Any],
) -> Dict[str, Any]:
    files = [row for place, change in zip(places, changes) for row in _rows_of(place, change)]
    problems = list(found.problems)
    for place, change in zip(places, changes):
        problems.extend(_exposed(place, change.before))
    missing_diffs = []
    for key, path in found.missing:
        planned = auth_json.Entry(auth_json.HTTP_BASIC, key.repository, key.public_key or "", key.private_key)
        shown = planned.as_result()
        files.append(
            {
                "path": path,
                "real_path": path,
                "repository": key.repository,
                "owner": path[1:].split("/")[0],
                "action": "created" if key.present else "unchanged",
                "before": None,
                "after": {n: shown[n] for n in ("public_key", "fingerprint")} if key.present else None,
            }
        )
        if key.present:
            text = text_for_diff(edited(None, [Edit(key.repository, True, key.public_key, key.private_key)]))
            missing_diffs.append(
                {"before_header": f"{path} (absent)", "after_header": path, "before": "", "after": text}
            )
    data = {place.path: change.after.data for place, change in zip(places, changes)}
    problems.extend(shadow_problems(keys, places, data))
    changed = any(change.changed for change in changes) or any(key.present for key, _path in found.missing)
    diffs = [_diff(place, change) for place, change in zip(places, changes) if change.changed]
    return {
        "changed": changed,
        "files": files,
        "problems": [problem.as_result() for problem in dict.fromkeys(problems)],
        "diff": diffs + missing_diffs,
        **reached,
    }


def _diff(place: Place, change: Change) -> Dict[str, str]:
    """Before and after as Ansible prints them: owner and mode in a first line, then the masked file."""

    def text(state: FileState, was: Optional[FileState]) -> str:
        if state.data is None:
            return ""
        owner = f"{owner_name(state.uid)}:{group_name(state.gid)} {state.mode or 0:04o}\n"
        return owner + text_for_diff(state.data, was=was.data if was else None)

    absent = "" if change.before.data is not None else " (absent)"
    return {
        "before_header": place.path + absent,
        "after_header": place.path,
        "before": text(change.before, None),
        "after": text(change.after, change.before),
    }
