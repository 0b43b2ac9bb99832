# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install and remove keys: read the auth.json files, plan their entries, verify the keys and write the files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key, bad_options, keys_from
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import KeyEdit, key_changes
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import shadow_problems
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.read import Seen, read_each
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.rows import difference, rows
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import (
    Target,
    TargetId,
    Targets,
    find_targets,
    predicted_state,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import (
    Change,
    FileState,
    Wanted,
    apply,
    predict,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import Identity
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verify import Question, stop_on, verify_pairs


@dataclass(frozen=True)
class Reading:
    """One file as it was read. ``broken`` holds its bytes if they are malformed and may be overwritten."""

    state: FileState
    broken: Optional[bytes] = field(default=None, repr=False)


def _accepted(target: Target, seen: Seen, *, replace_malformed: bool, check_mode: bool) -> Reading:
    if seen.state is None:
        raise seen.error or KeyfleetError("read_failed", f"{target.path} was not read", path=target.path)
    if seen.malformed and not replace_malformed:
        raise KeyfleetError(
            "malformed_file",
            f"{target.path} is not a file that Composer can use: {seen.malformed}. It was left as it is; "
            "repair it, or overwrite it with malformed=replace",
            path=target.path,
        )
    creates = any(edit.present for _key, edit in target.edits)
    if creates and not (seen.state.directory_exists or target.user or check_mode):
        raise KeyfleetError(
            "no_directory",
            f"{os.path.dirname(target.path)} does not exist, so {target.path} cannot be written",
            path=target.path,
        )
    # Any other writer had time to finish. Only these bytes are overwritten: the write compares them again.
    return Reading(seen.state, seen.state.data if seen.malformed else None)


def _read(targets: Sequence[Target], *, replace_malformed: bool, check_mode: bool) -> Dict[TargetId, Reading]:
    """Read every file before any is written. One failure reports all files that cannot be used."""
    seen = dict(read_each({target.which: (target.path, target.access) for target in targets}))
    readings: Dict[TargetId, Reading] = {}
    errors: List[KeyfleetError] = []
    for target in targets:
        try:
            readings[target.which] = _accepted(
                target, seen[target.which], replace_malformed=replace_malformed, check_mode=check_mode
            )
        except KeyfleetError as error:
            errors.append(error)
    if errors:
        problems = [Problem(e.code, e.message, str(e.details["path"]) if "path" in e.details else None) for e in errors]
        text = ". ".join(error.message.rstrip(".") for error in errors)
        raise KeyfleetError(errors[0].code, f"No file was touched. {text}", problems=problems)
    return readings


def _refuse_conflicts(targets: Iterable[Target], readings: Mapping[TargetId, Reading]) -> None:
    """Refuse two keys or two owners for one file that links give two paths: each run would replace one by the other."""
    asked: Dict[Tuple[str, str], Tuple[str, Key, KeyEdit]] = {}
    acting: Dict[str, Tuple[str, Identity]] = {}
    for target in targets:
        state = readings[target.which].state
        path, who = acting.setdefault(state.real_path, (target.path, state.acting))
        if who.uid != state.acting.uid:
            # Each of them would write the file as a different user.
            raise KeyfleetError(
                "unsafe_path",
                f"{path} and {target.path} are one file, which {who} and {state.acting} would write in turn. Check "
                "config.home in the config.json of these users, and links.",
                path=target.path,
            )
        for key, edit in target.edits:
            one_file = (state.real_path, edit.repository)
            path, other, earlier = asked.setdefault(one_file, (target.path, key, edit))
            if replace(earlier, only_existing=False) != replace(edit, only_existing=False):
                raise bad_options(
                    f"two different keys for {edit.repository} are meant for {path} and {target.path}, "
                    f"which are one file: {other.title} and {key.title}"
                )


def _predicted(
    targets: Sequence[Target], readings: Mapping[TargetId, Reading], wanted: Sequence[Wanted]
) -> List[Change]:
    """Return the changes that ``apply`` would make. Several paths may lead to one file and see each other's changes."""
    done: Dict[str, FileState] = {}
    changes = []
    for target, request in zip(targets, wanted):
        state = readings[target.which].state
        earlier = done.get(state.real_path)
        if earlier is not None:
            state = replace(state, data=earlier.data, uid=earlier.uid, gid=earlier.gid, mode=earlier.mode)
        try:
            change = predict(state, request)
        except MalformedFile as malformed:
            raise KeyfleetError(
                "malformed_file", f"{target.path} cannot be written: {malformed}", path=target.path
            ) from None
        done[state.real_path] = change.after
        changes.append(change)
    return changes


def _questions(keys: Sequence[Key], changing: Sequence[Key], verify: str) -> List[Question]:
    verified = {"never": (), "changed": changing, "always": keys}[verify]
    pairs = {(key.repository, key.public_key, key.private_key) for key in verified}
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


def _exposed(target: Target, state: FileState) -> List[Problem]:
    if state.mode is None or not state.mode & 0o007:
        return []
    return [
        Problem(
            "readable_by_others",
            f"{target.path} had mode {state.mode:04o}: everybody on the host could use it. "
            "Its mode is repaired, but the keys in it should be replaced",
            target.path,
        )
    ]


def install_keys(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Install and remove the keys in ``params`` on this host and return the result that the module documents.

    Raises `KeyfleetError`; its details carry ``files``, ``verdicts`` and ``problems`` as far as the run came.
    """
    keys = keys_from(params, prefix=params["option_prefix"])
    found = find_targets(keys, params, check_mode=check_mode)
    targets = list(found.targets.values())
    readings = _read(targets, replace_malformed=params["malformed"] == "replace", check_mode=check_mode)
    _refuse_conflicts(targets, readings)
    own = len(targets)
    if any(key.search is not None for key in keys):
        from ansible_collections.keyfleet.magento.plugins.module_utils._composer.holders import holders_of

        taken = {
            (readings[target.which].state.real_path, key.repository)
            for target in targets
            for key, _edit in target.edits
        }
        for key, target, state in holders_of(keys, params, taken=taken, problems=found.problems):
            found.add(key, target)
            readings[target.which] = Reading(state)
        targets = list(found.targets.values())
    wanted = [target.wanted(broken=readings[target.which].broken) for target in targets]

    changing = [key for target in found.missing.values() for key, edit in target.edits if edit.present]
    for target in targets:
        for key, edit in target.edits:
            reading = readings[target.which]
            if key.present and key_changes(reading.state.data, edit, broken=reading.broken):
                changing.append(key)
    answers = verify_pairs(_questions(keys, changing, params["verify"]), params)
    reached = {"verdicts": [answer.as_result() for answer in answers]}
    stop = stop_on(answers, params["fail_on"], before="No file was touched. ")
    if stop:
        unchanged = [(target, readings[target.which].state) for target in targets]
        untouched = [row for target, state in unchanged for row in rows(target, state, state)]
        raise KeyfleetError(stop.code, stop.message, problems=found.problems, files=untouched, **reached)

    if check_mode:
        changes = _predicted(targets, readings, wanted)
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
                files=[r for p in targets if p.which in changed for r in _rows_of(p, changed[p.which])],
                **reached,
            ) from error
        if wanted[own:]:
            from ansible_collections.keyfleet.magento.plugins.module_utils._composer.holders import remove_keys

            removed = remove_keys(wanted[own:], found.problems)
            targets = [*targets[:own], *(target for target in targets[own:] if target.which in removed)]
            changes += [removed[target.which] for target in targets[own:]]

    return {**_result(keys, found, targets, changes), **reached}


def _rows_of(target: Target, change: Change) -> List[Dict[str, Any]]:
    return rows(target, change.before, change.after)


def _result(
    keys: Sequence[Key],
    found: Targets,
    targets: Sequence[Target],
    changes: Sequence[Change],
) -> Dict[str, Any]:
    files = [row for target, change in zip(targets, changes) for row in _rows_of(target, change)]
    problems = list(found.problems)
    for target, change in zip(targets, changes):
        problems.extend(_exposed(target, change.before))
    data = {target.path: change.after.data for target, change in zip(targets, changes)}
    problems.extend(shadow_problems(keys, targets, data))
    shown = [(target, change.before, change.after) for target, change in zip(targets, changes) if change.changed]
    for target in found.missing.values():
        before, after = predicted_state(target)
        files.extend(rows(target, before, after))
        if after.data is not None:
            shown.append((target, before, after))
    return {
        "changed": bool(shown),
        "files": files,
        "problems": [problem.as_result() for problem in dict.fromkeys(problems)],
        "diff": [difference(*one) for one in shown],
    }
