# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users may expect of a module."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes, for modules that change a host and for those that only look."""

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
    description: Run again with the same options, it changes nothing and says so.
    support: full
"""

    # For the modules that only look; stands in place of the one above.
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing the target.
    support: full
    details: The module changes nothing in any mode.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Run again with the same options, it changes nothing and says so.
    support: full
    details: The module changes nothing; its answer follows the host and the server.
"""

    # For the modules that talk to the Marketplace.
    CONTROLLER = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing the target.
    support: full
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
    support: full
    details: A key that is new has no public key and fingerprint in the diff, since check mode cannot know them.
  idempotent:
    description: Run again with the same options, it changes nothing and says so.
    support: full
  platform:
    description: Systems that the module runs on. It is made for the controller.
    platforms: posix
    support: full
"""

    # The same for those that only look.
    CONTROLLER_INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing the target.
    support: full
    details: The module changes nothing in any mode.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when in diff mode.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Run again with the same options, it changes nothing and says so.
    support: full
    details: The module changes nothing; its answer follows the account.
  platform:
    description: Systems that the module runs on. It is made for the controller.
    platforms: posix
    support: full
"""
