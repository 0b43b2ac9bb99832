# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python tests/simulator …``: the entry point for users and containers."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # Run as a directory: Python puts that directory first in sys.path, where our files could hide other modules.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from simulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
