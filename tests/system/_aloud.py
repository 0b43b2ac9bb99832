# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests that tell how much they have seen, although they pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

Aloud = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def aloud(request: pytest.FixtureRequest) -> Aloud:
    """What is printed inside of it is shown, whether pytest keeps output for itself or not."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    return lambda: capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
