# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target of a playbook: named, never everything, never nothing."""

from __future__ import annotations

import re
from typing import Callable, Dict, Sequence

from ansible.errors import AnsibleFilterError


def _names_all(pattern: str) -> bool:
    """Whether a pattern, or any part of it, stands for the whole inventory."""
    parts = [part.strip() for part in pattern.replace(":", ",").split(",")]
    # Exclusions and intersections alone begin with all hosts.
    if all(part[:1] in ("!", "&", "") for part in parts):
        return True
    # A subscript may be cut by a colon: all[0:9]
    names = [part.split("[")[0] for part in parts]
    if any(name == "all" or (name and not name.strip("*?")) for name in names):
        return True
    # A regular expression for nothing fits everything. It is one part, whatever it is made of.
    return pattern.lstrip().startswith("~") and _fits_everything(pattern.strip()[1:])


def _fits_everything(expression: str) -> bool:
    try:
        return re.match(expression, "") is not None
    except re.error:
        # Ansible will say what is wrong with it.
        return False


def fleet(pattern: object, *, matched: Sequence[str]) -> str:
    """See the documentation beside this file."""
    if not isinstance(pattern, str) or not pattern.strip():
        raise AnsibleFilterError("Name the hosts to work on: -e magento_target=GROUP")
    if _names_all(pattern):
        raise AnsibleFilterError(
            f"magento_target={pattern} would hand credentials to every host of the inventory; name a group of hosts"
        )
    if not matched:
        raise AnsibleFilterError(f"magento_target={pattern} matches no host of the inventory")
    return pattern


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """Name to function."""
        return {"fleet": fleet}
