# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation labels new keys with the date in UTC: tests that name the label of today do not run across midnight."""

from __future__ import annotations

import datetime
import time

import pytest


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def seconds_to_wait(now: datetime.datetime, limit: float) -> float:
    """The time until the next day, if a test with this time limit could end on it; otherwise 0."""
    left = 86400 - (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    return left if left <= limit else 0.0


def wait(item: pytest.Item) -> None:
    """Called before the time limit of the test begins."""
    if "one_day" in getattr(item, "fixturenames", ()):
        mark = item.get_closest_marker("timeout")
        limit = float(mark.args[0] if mark else item.config.getini("timeout"))
        while pause := seconds_to_wait(now(), limit):
            time.sleep(pause)
