# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the modules that run on managed hosts: it does not trust the result that a host returns."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ansible.plugins.action.normal import ActionModule as NormalAction

# Added by Ansible itself, after it has removed any that the host returned.
_DISCOVERED = "discovered_interpreter_"
# ansible_stats: AWX passes them to later jobs as variables. results: older cores fail on results of a loop.
_ACTED_ON = ("ansible_stats", "results")
# More than any module returns. Comparing both sides of a diff takes cubic time, and older cores wrap warnings in
# quadratic time, while all hosts wait.
_MOST_LINES, _MOST_CHARACTERS = 1000, 100_000


def acted_on(result: Mapping[str, Any]) -> List[str]:
    """The names in a result that would make Ansible set variables, such as facts: these could change the address of
    another host or the connection to it. No module of the collection returns any."""
    facts = result.get("ansible_facts") or {}
    names = facts if isinstance(facts, Mapping) else ["ansible_facts"]
    found = [str(name) for name in names if not str(name).startswith(_DISCOVERED)]
    return sorted([*found, *(name for name in _ACTED_ON if name in result)])


def too_long(result: Mapping[str, Any]) -> List[str]:
    """The names of the values in a result that would take Ansible too long to show."""
    diff = result.get("diff")
    rows = [row for row in (diff if isinstance(diff, list) else [diff]) if isinstance(row, Mapping)]
    sides = [row.get(side, "") for row in rows for side in ("before", "after")]
    long = any(not isinstance(side, str) or len(side.splitlines()) > _MOST_LINES for side in sides)
    names = ("warnings", "deprecations")
    return [*(["diff"] if long else []), *(n for n in names if len(str(result.get(n))) > _MOST_CHARACTERS)]


class ActionModule(NormalAction):  # type: ignore[misc]  # ansible-core has no types
    """Run the module as usual. A result that sets variables becomes a failure; values too long to show are removed."""

    def run(self, tmp: Any = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the module and check its result."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        names = acted_on(result)
        if names:
            shown = ", ".join(repr(name[:40]) for name in names[:3])
            return {"failed": True, "msg": f"the result sets variables of the controller ({shown}) and is ignored"}
        for name in too_long(result):
            del result[name]
        return result
