# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From keys and places to files: which auth.json gets which entry, read, planned, proved and written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key, bad_options, keys_from
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import Edit, key_changes
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import shadow_problems
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.read import Seen, read_each
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.rows import difference, rows
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import (
    Place,
    Survey,
    Which,
    imagined,
    survey,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    Change,
    FileState,
    Wanted,
    apply,
    predict,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import Identity
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verify import Question, prove, stop_on


@dataclass(frozen=True)
class Reading:
    """One file as it was found. ``broken`` holds its bytes if they are unfit and may be overwritten."""

    state: FileState
    broken: Optional[bytes] = field(default=None, repr=False)


def _accepted(place: Place, seen: Seen, *, replace_malformed: bool, check_mode: bool) -> Reading:
    if seen.state is None:
        raise seen.error or KeyfleetError("read_failed", f"{place.path} was not read", path=place.path)
    if seen.unfit and not replace_malformed:
        raise KeyfleetError(
            "malformed_file",
            f"{place.path} is not a file that Composer can use: {seen.unfit}. It was left as it is; "
            "mend it, or let malformed=replace overwrite it",
            path=place.path,
        )
    creates = any(edit.present for _key, edit in place.edits)
    if creates and not (seen.state.directory_exists or place.user or check_mode):
        raise KeyfleetError(
            "no_directory",
            f"{os.path.dirname(place.path)} does not exist, so {place.path} cannot be written",
            path=place.path,
        )
    # Whoever was writing had its time; what is there now is what gets overwritten, if it is still there then.
    return Reading(seen.state, seen.state.data if seen.unfit else None)


def _read(places: Sequence[Place], *, replace_malformed: bool, check_mode: bool) -> Dict[Which, Reading]:
    """Every file, before any is written. All that is unfit is reported in one failure."""
    seen = dict(read_each({place.which: (place.path, place.access) for place in places}))
    readings: Dict[Which, Reading] = {}
    errors: List[KeyfleetError] = []
    for place in places:
        try:
            readings[place.which] = _accepted(
                place, seen[place.which], replace_malformed=replace_malformed, check_mode=check_mode
            )
        except KeyfleetError as error:
            errors.append(error)
    if errors:
        problems = [Problem(e.code, e.message, str(e.details["path"]) if "path" in e.details else None) for e in errors]
        text = ". ".join(error.message.rstrip(".") for error in errors)
        raise KeyfleetError(errors[0].code, f"No file was touched. {text}", problems=problems)
    return readings


def _refuse_conflicts(places: Iterable[Place], readings: Mapping[Which, Reading]) -> None:
    """Links may make one file of two paths. Two keys for it would take turns for ever."""
    asked: Dict[Tuple[str, str], Tuple[str, Key, Edit]] = {}
    acting: Dict[str, Tuple[str, Identity]] = {}
    for place in places:
        state = readings[place.which].state
        path, who = acting.setdefault(state.real_path, (place.path, state.acting))
        if who.uid != state.acting.uid:
            # What one of them would write is not what the other was asked to.
            raise KeyfleetError(
                "unsafe_path",
                f"{path} and {place.path} are one file, which {who} and {state.acting} would write in turn. Look at "
                "config.home in the config.json of these users, and at links.",
                path=place.path,
            )
        for key, edit in place.edits:
            one_file = (state.real_path, edit.repository)
            path, other, there = asked.setdefault(one_file, (place.path, key, edit))
            if replace(there, only_existing=False) != replace(edit, only_existing=False):
                raise bad_options(
                    f"two different keys for {edit.repository} are meant for {path} and {place.path}, "
                    f"which are one file: {other.title} and {key.title}"
                )


def _predicted(places: Sequence[Place], readings: Mapping[Which, Reading], wanted: Sequence[Wanted]) -> List[Change]:
    """What ``apply`` would do, where one path may lead to the file that another one has changed before."""
    done: Dict[str, FileState] = {}
    changes = []
    for place, request in zip(places, wanted):
        state = readings[place.which].state
        earlier = done.get(state.real_path)
        if earlier is not None:
            state = replace(state, data=earlier.data, uid=earlier.uid, gid=earlier.gid, mode=earlier.mode)
        try:
            change = predict(state, request)
        except Unfit as unfit:
            raise KeyfleetError("malformed_file", f"{place.path} cannot be written: {unfit}", path=place.path) from None
        done[state.real_path] = change.after
        changes.append(change)
    return changes


def _questions(keys: Sequence[Key], changing: Sequence[Key], verify: str) -> List[Question]:
    doubted = {"never": (), "changed": changing, "always": keys}[verify]
    pairs = {(key.repository, key.public_key, key.private_key) for key in doubted}
    return [
        Question(
            option=key.option,
            repository=key.repository,
            url=key.url,
            public_key=key.public_key or "",
            private_key=key.private_key,
            packages=key.packages,
            ask=(key.repository, key.public_key, key.private_key) in pairs,
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
            f"{place.path} had mode {state.mode:04o}: everybody on the host could use it. "
            "Its mode is repaired, but what was in it should be replaced",
            place.path,
        )
    ]


def install(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the keys in ``params`` to the files of this host. The result has the shape that the modules document.

    Raises `KeyfleetError`; its details carry ``files``, ``verdicts`` and ``problems`` as far as they were reached.
    """
    keys = keys_from(params, prefix=params["option_prefix"])
    found = survey(keys, params, check_mode=check_mode)
    places = list(found.places.values())
    readings = _read(places, replace_malformed=params["malformed"] == "replace", check_mode=check_mode)
    _refuse_conflicts(places, readings)
    own = len(places)
    if any(key.search is not None for key in keys):
        from ansible_collections.keyfleet.magento.plugins.module_utils._composer.holders import holders_of

        taken = {
            (readings[place.which].state.real_path, key.repository) for place in places for key, _edit in place.edits
        }
        for key, place, state in holders_of(keys, params, taken=taken, problems=found.problems):
            found.add(key, place)
            readings[place.which] = Reading(state)
        places = list(found.places.values())
    wanted = [place.wanted(broken=readings[place.which].broken) for place in places]

    changing = [key for place in found.missing.values() for key, edit in place.edits if edit.present]
    for place in places:
        for key, edit in place.edits:
            reading = readings[place.which]
            if key.present and key_changes(reading.state.data, edit, broken=reading.broken):
                changing.append(key)
    answers = prove(_questions(keys, changing, params["verify"]), params)
    reached = {"verdicts": [answer.as_result() for answer in answers]}
    stop = stop_on(answers, params["fail_on"], before="No file was touched. ")
    if stop:
        unchanged = [(place, readings[place.which].state) for place in places]
        untouched = [row for place, state in unchanged for row in rows(place, state, state)]
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=untouched, **reached)

    if check_mode:
        changes = _predicted(places, readings, wanted)
    else:
        try:
            changes = apply(wanted[:own])
        except KeyfleetError as error:
            done: Sequence[Change] = error.details.get("done", ())  # type: ignore[assignment]
            changed = {(change.wanted.path, change.wanted.walk_as): change for change in done}
            raise KeyfleetError(
                error.code,
                error.message,
                problems=(*found.problems, *error.problems),
                changed=any(change.changed for change in done),
                files=[r for p in places if p.which in changed for r in _rows_of(p, changed[p.which])],
                **reached,
            ) from error
        if wanted[own:]:
            from ansible_collections.keyfleet.magento.plugins.module_utils._composer.holders import take_away

            taken_away = take_away(wanted[own:], found.problems)
            places = [*places[:own], *(place for place in places[own:] if place.which in taken_away)]
            changes += [taken_away[place.which] for place in places[own:]]
    return {**_result(keys, found, places, changes), **reached}


def _rows_of(place: Place, change: Change) -> List[Dict[str, Any]]:
    return rows(place, change.before, change.after)


def _result(
    keys: Sequence[Key],
    found: Survey,
    places: Sequence[Place],
    changes: Sequence[Change],
) -> Dict[str, Any]:
    files = [row for place, change in zip(places, changes) for row in _rows_of(place, change)]
    problems = list(found.problems)
    for place, change in zip(places, changes):
        problems.extend(_exposed(place, change.before))
    data = {place.path: change.after.data for place, change in zip(places, changes)}
    problems.extend(shadow_problems(keys, places, data))
    shown = [(place, change.before, change.after) for place, change in zip(places, changes) if change.changed]
    for place in found.missing.values():
        before, after = imagined(place)
        files.extend(rows(place, before, after))
        if after.data is not None:
            shown.append((place, before, after))
    return {
        "changed": bool(shown),
        "files": files,
        "problems": [problem.as_result() for problem in dict.fromkeys(problems)],
        "diff": [difference(*one) for one in shown],
    }
