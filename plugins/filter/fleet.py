# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target of a playbook: named, never everything, never nothing."""

from __future__ import annotations

import fnmatch
import re
from typing import Callable, Dict, Sequence

from ansible.errors import AnsibleFilterError
from ansible.inventory.manager import split_host_pattern

# As Ansible writes them: one host of a group, or a range of them.
_SUBSCRIPT = re.compile(r"\A([^~].*)\[(?:-?[0-9]+|[0-9]+[:-][0-9]*)\]\Z", re.DOTALL)


def _is_wildcard(name: str) -> bool:
    return name.startswith("~") or any(char in name for char in "*?[")


def _stands_for_all(name: str) -> bool:
    """Whether a part of a pattern takes in the group ``all``. Ansible tries wildcards on the names of groups, too."""
    try:
        return re.match(name[1:] if name.startswith("~") else fnmatch.translate(name), "all") is not None
    except re.error:
        # Ansible will say what is wrong with it.
        return False


def _means_everybody(pattern: str, matched: Sequence[str], all_hosts: Sequence[str]) -> bool:
    names = [_SUBSCRIPT.sub(r"\1", part) for part in split_host_pattern(pattern) if part[:1] not in ("!", "&")]
    # Exclusions and intersections alone begin with all hosts.
    if not names or any(_stands_for_all(name) for name in names):
        return True
    # A group that is named may be the whole inventory.
    return any(_is_wildcard(name) for name in names) and set(matched) >= set(all_hosts)


def fleet(pattern: object, *, matched: Sequence[str], all_hosts: Sequence[str], limit: object = None) -> str:
    """See the documentation beside this file."""
    if limit is not None:
        raise AnsibleFilterError("--limit is refused, since it hides hosts that count: name a smaller magento_target")
    if not isinstance(pattern, str) or not pattern.strip():
        raise AnsibleFilterError("Name the hosts to work on: -e magento_target=GROUP")
    if not matched:
        raise AnsibleFilterError(f"magento_target={pattern} matches no host of the inventory")
    if _means_everybody(pattern, matched, all_hosts):
        raise AnsibleFilterError(
            f"magento_target={pattern} would hand credentials to every host of the inventory; name a group of hosts"
        )
    return pattern


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., str]]:
        """Name to function."""
        return {"fleet": fleet}
