# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one failure of the simulator that is the caller's doing."""

from __future__ import annotations


class BadInput(Exception):
    """Something that a person or a test gave is unusable; the message says what and why, without a secret."""
