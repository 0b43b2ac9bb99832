# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fixture for tests that print statistics even if they pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

Uncaptured = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def uncaptured(request: pytest.FixtureRequest) -> Uncaptured:
    """Returns a context manager in which output is shown although pytest captures it."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    return lambda: capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
