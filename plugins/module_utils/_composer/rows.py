# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show one file before and after a change in results and diffs: entry, owner and mode, never a secret."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import (
    KeyEdit,
    entry_for,
    key_changes,
    text_for_diff,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.targets import Target
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import group_name, owner_name
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import FileState
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import shown_host

Row = Dict[str, Any]


def _owner(target: Target, state: FileState) -> Optional[str]:
    if state.uid is None and state.data is not None and target.user is not None:
        # In check mode the user may not exist yet, but has a name.
        return target.user.name
    return owner_name(state.uid)


def _view(target: Target, state: FileState, edit: KeyEdit) -> Optional[Row]:
    """Return one entry of one file, or None if the file is missing."""
    if state.data is None:
        return None
    try:
        entry = entry_for(auth_json.parse(state.data), edit.repository)
    except MalformedFile:
        entry = None
    shown = entry.as_result() if entry else {"public_key": None, "fingerprint": None}
    return {
        "public_key": shown["public_key"],
        "fingerprint": shown["fingerprint"],
        "owner": _owner(target, state),
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


def _other_pair(data: bytes, edit: KeyEdit) -> bool:
    try:
        return key_changes(data, edit)
    except MalformedFile:
        return True


def rows(target: Target, before: FileState, after: FileState) -> List[Row]:
    """Return the elements of ``files`` for one target, one for each key."""
    result = []
    for _key, edit in target.edits:
        old, new = _view(target, before, edit), _view(target, after, edit)
        action = _action(old, new)
        rewritten = before.data is not None and before.data != after.data
        # A vendor's password has no fingerprint, so only the edit tells that it changed.
        if rewritten and action in ("unchanged", "repaired") and _other_pair(before.data or b"", edit):
            action = "updated" if edit.present else "removed"
        result.append(
            {
                "path": target.path,
                "real_path": after.real_path,
                "repository": shown_host(edit.repository),
                "owner": (new or old or {}).get("owner"),
                "action": action,
                "before": old,
                "after": new,
            }
        )
    return result


def difference(target: Target, before: FileState, after: FileState) -> Dict[str, str]:
    """Return the diff for Ansible: owner and mode in the first line, then the masked file."""

    def text(state: FileState, was: Optional[FileState]) -> str:
        if state.data is None:
            return ""
        group = group_name(state.gid) or "?"
        owner = f"{_owner(target, state)}:{group} {state.mode or 0:04o}\n"
        return owner + text_for_diff(state.data, was=was.data if was else None)

    absent = "" if before.data is not None else " (absent)"
    return {
        "before_header": target.path + absent,
        "after_header": target.path,
        "before": text(before, None),
        "after": text(after, before),
    }
