# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error for invalid input."""

from __future__ import annotations


class BadInput(Exception):
    """Invalid input of a user or a test; the message says what is wrong and why, without secrets."""
