# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How results and diffs show one file before and after: entry, owner, mode, never a secret."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import (
    Edit,
    entry_for,
    key_changes,
    text_for_diff,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import Place
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import group_name, owner_name
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import FileState
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import shown_host

Row = Dict[str, Any]


def _owner(place: Place, state: FileState) -> Optional[str]:
    if state.uid is None and state.data is not None and place.user is not None:
        # A user that is still to be made has a name already.
        return place.user.name
    return owner_name(state.uid)


def _view(place: Place, state: FileState, edit: Edit) -> Optional[Row]:
    """One entry of one file, or None when there is no such file."""
    if state.data is None:
        return None
    try:
        entry = entry_for(auth_json.parse(state.data), edit.repository)
    except Unfit:
        entry = None
    shown = entry.as_result() if entry else {"public_key": None, "fingerprint": None}
    return {
        "public_key": shown["public_key"],
        "fingerprint": shown["fingerprint"],
        "owner": _owner(place, state),
        "group": group_name(state.gid),
        "mode": None if state.mode is None else f"{state.mode:04o}",
    }


def _action(before: Optional[Row], after: Optional[Row]) -> str:
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
    except Unfit:
        return True


def rows(place: Place, before: FileState, after: FileState) -> List[Row]:
    """The elements of ``files`` for one place: one for each key."""
    result = []
    for _key, edit in place.edits:
        old, new = _view(place, before, edit), _view(place, after, edit)
        action = _action(old, new)
        rewritten = before.data is not None and before.data != after.data
        # A vendor's password has no fingerprint, so only the plan knows that it was another one.
        if rewritten and action in ("unchanged", "repaired") and _other_pair(before.data or b"", edit):
            action = "updated" if edit.present else "removed"
        result.append(
            {
                "path": place.path,
                "real_path": after.real_path,
                "repository": shown_host(edit.repository),
                "owner": (new or old or {}).get("owner"),
                "action": action,
                "before": old,
                "after": new,
            }
        )
    return result


def difference(place: Place, before: FileState, after: FileState) -> Dict[str, str]:
    """Before and after as Ansible prints them: owner and mode in a first line, then the masked file."""

    def text(state: FileState, was: Optional[FileState]) -> str:
        if state.data is None:
            return ""
        group = group_name(state.gid) or "?"
        owner = f"{_owner(place, state)}:{group} {state.mode or 0:04o}\n"
        return owner + text_for_diff(state.data, was=was.data if was else None)

    absent = "" if before.data is not None else " (absent)"
    return {
        "before_header": place.path + absent,
        "after_header": place.path,
        "before": text(before, None),
        "after": text(after, before),
    }
