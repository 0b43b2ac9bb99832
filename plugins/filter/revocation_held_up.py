# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who keeps a revoked key from being disabled."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible_collections.keyfleet.magento.plugins.module_utils._revocation import still_held
from ansible_collections.keyfleet.magento.plugins.plugin_utils._filters import told


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"revocation_held_up": told(still_held)}
