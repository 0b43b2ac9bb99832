# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of modules."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes for modules that make changes and for those that only read, on hosts and on the controller."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing the target.
    support: full
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
    support: full
  idempotent:
    description: A second run with the same options changes nothing and reports no change.
    support: full
"""

    # For modules that only read; listed before the one above, which it completes.
    INFO = r"""
options: {}
attributes:
  check_mode:
    details: The module changes nothing in any mode.
  diff_mode:
    support: N/A
    details: The module changes nothing.
  idempotent:
    details: The module changes nothing. Its result depends on what it reads.
"""

    # For modules that use the Marketplace API, beside one of the above.
    CONTROLLER = r"""
options: {}
attributes:
  platform:
    description: Platforms that the module supports. It runs on the controller.
    platforms: posix
    support: full
"""
