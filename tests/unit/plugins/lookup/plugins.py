# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads lookup plugins with their options, as Ansible does."""

from __future__ import annotations

from typing import Any, List

from ansible.plugins.loader import lookup_loader


def look_up(name: str, *terms: Any, **options: Any) -> List[Any]:
    """The result of ``query(name, *terms, **options)`` in a template."""
    plugin = lookup_loader.get(f"keyfleet.magento.{name}")
    found: List[Any] = plugin.run(list(terms), variables={}, **options)
    return found
