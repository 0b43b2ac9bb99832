# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install and remove keys: read the auth.json files, plan their entries, verify the keys and write the files."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Tuple

from .._argspec import Key, bad_options, keys_from
from .._errors import KeyfleetError
from .._files.accounts import Identity
from .._files.pipeline import apply_all, predict_all, read_all, refuse, result_of
from .._files.state import FileState
from .._repository.pairs import Question, stop_on, verify_pairs
from .auth_json import key_changes, parse
from .precedence import shadow_problems
from .targets import KeyTarget, add, find_targets


def _refuse_conflicts(readings: Iterable[Tuple[KeyTarget, FileState]]) -> None:
    """Refuse two keys or two owners for one file that links give two paths: each run would replace one by the other."""
    asked: Dict[Tuple[str, str], Tuple[str, Key]] = {}
    acting: Dict[str, Tuple[str, Identity]] = {}
    for target, state in readings:
        path, who = acting.setdefault(state.real_path, (target.path, state.acting))
        if who.uid != state.acting.uid:
            # Each of them would write the file as a different user.
            raise KeyfleetError(
                "unsafe_path",
                f"{path} and {target.path} are one file, which {who} and {state.acting} would write in turn. Check "
                "config.home in the config.json of these users, and links.",
                path=target.path,
            )
        for key in target.keys:
            path, other = asked.setdefault((state.real_path, key.repository), (target.path, key))
            if other.entry != key.entry:
                raise bad_options(
                    f"two different keys for {key.repository} are meant for {path} and {target.path}, "
                    f"which are one file: {other.title} and {key.title}"
                )


def install_keys(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Install and remove the keys in ``params`` on this host and return the result that the module documents.

    Raises `KeyfleetError`; its details carry ``files``, ``verdicts`` and ``problems`` as far as the run came.
    """
    keys = keys_from(params, prefix=params["option_prefix"])
    found = find_targets(keys, params, check_mode=check_mode)
    readings = read_all(
        list(found.targets.values()), parse, check_mode=check_mode, replace_malformed=params["malformed"] == "replace"
    )
    _refuse_conflicts(readings)
    own = len(readings)
    if any(key.search is not None for key in keys):
        taken = {(state.real_path, key.repository) for target, state in readings for key in target.keys}
        states = {target.which: state for target, state in readings}
        found.targets.update({target.which: target for target, _state in readings})
        # On use: most runs search for no key.
        from .removal import holders_of

        for key, target, state in holders_of(keys, params, taken=taken, problems=found.problems):
            # A file with keys of its own stays one target, so that it is written once.
            add(found.targets, key, target)
            states.setdefault(target.which, state)
        readings = [(found.targets[which], state) for which, state in states.items()]

    changing = [key for target in found.missing.values() for key in target.keys if key.present]
    for target, state in readings:
        added = [key for key in target.keys if key.present]
        changing += [key for key in added if key_changes(state.data, key, broken=target.broken)]
    due = {key.entry for key in {"never": [], "changed": changing, "always": keys}[params["verify"]]}
    answers = verify_pairs([Question(key, ask=key.entry in due) for key in keys if key.present], params)
    verdicts = [answer.as_result() for answer in answers]
    stop = stop_on(answers, params["fail_on"], before="No file was touched. ")
    refuse(stop, readings, found, verdicts=verdicts)

    if check_mode:
        changes = predict_all(readings)
    else:
        changes = apply_all(readings[:own], found, verdicts=verdicts)
        if readings[own:]:
            from .removal import remove_keys

            removed = remove_keys([target.wanted() for target, _state in readings[own:]], found.problems)
            readings = [*readings[:own], *(one for one in readings[own:] if one[0].which in removed)]
            changes += [removed[target.which] for target, _state in readings[own:]]

    targets = [target for target, _state in readings]
    data = {target.path: change.after.data for target, change in zip(targets, changes)}
    return result_of(targets, changes, found, shadow_problems(keys, targets, data), verdicts=verdicts)
