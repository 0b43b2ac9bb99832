# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target of a playbook: named, never everything, never nothing."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError


def fleet(pattern, *, matched):
    """See the documentation beside this file."""
    if not isinstance(pattern, str) or not pattern.strip():
        raise AnsibleFilterError("Name the hosts to work on: -e magento_target=GROUP")
    if any(part.strip() in ("all", "*") for part in pattern.replace(":", ",").split(",")):
        raise AnsibleFilterError(
            f"magento_target={pattern} would hand credentials to every host of the inventory; name a group of hosts"
        )
    if not matched:
        raise AnsibleFilterError(f"magento_target={pattern} matches no host of the inventory")
    return pattern


class FilterModule:
    """The filter under its name."""

    def filters(self):
        """Name to function."""
        return {"fleet": fleet}
