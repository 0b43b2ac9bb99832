# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of the collection that run on hosts: what a host says there is not always what they would say."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ansible.plugins.action.normal import ActionModule as NormalAction

# Added by Ansible itself. What a host says of it is gone by then.
_FOUND = "discovered_interpreter_"
# Variables of further jobs, which AWX takes from the first; results of a loop, which older cores fail to read.
_ACTED_ON = ("ansible_stats", "results")
# More than any module says. What compares both sides of a diff takes cubic time, and older cores wrap warnings in
# quadratic time, while all hosts wait.
_MOST_LINES, _MOST_CHARACTERS = 1000, 100_000


def acted_on(result: Mapping[str, Any]) -> List[str]:
    """The names in a result by which Ansible would set variables or go elsewhere, and facts are among them: one could
    name another host's address, or the connection to it. No module of the collection returns any."""
    facts = result.get("ansible_facts") or {}
    names = facts if isinstance(facts, Mapping) else ["ansible_facts"]
    found = [str(name) for name in names if not str(name).startswith(_FOUND)]
    return sorted([*found, *(name for name in _ACTED_ON if name in result)])


def endless(result: Mapping[str, Any]) -> List[str]:
    """What of a result would take Ansible too long to show."""
    diff = result.get("diff")
    rows = [row for row in (diff if isinstance(diff, list) else [diff]) if isinstance(row, Mapping)]
    sides = [row.get(side, "") for row in rows for side in ("before", "after")]
    long = any(not isinstance(side, str) or len(side.splitlines()) > _MOST_LINES for side in sides)
    names = ("warnings", "deprecations")
    return [*(["diff"] if long else []), *(n for n in names if len(str(result.get(n))) > _MOST_CHARACTERS)]


class ActionModule(NormalAction):  # type: ignore[misc]  # ansible-core has no types
    """Runs the module as Ansible does by itself, and takes a result with such names for a failure."""

    def run(self, tmp: Any = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Called by Ansible."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        names = acted_on(result)
        if names:
            shown = ", ".join(repr(name[:40]) for name in names[:3])
            return {"failed": True, "msg": f"its answer sets variables of the controller ({shown}), and does not count"}
        for name in endless(result):
            del result[name]
        return result
