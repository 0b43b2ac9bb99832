# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the system tests."""

from __future__ import annotations

from _simulator_fixture import simulator, simulator_server

__all__ = ["simulator", "simulator_server"]
