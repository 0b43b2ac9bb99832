# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pauses of the client."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace import client
from system.marketplace.lab import NOW


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that clients ask for, without waiting. It is always `NOW`."""
    asked: list[float] = []
    clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: NOW, sleep=asked.append)
    monkeypatch.setattr(client, "time", clock)
    return asked
