# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that records the options that modules get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.rotation.options.lab import Recorded


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Recorded]:
    """A controller that the inventory describes as an unreachable machine."""
    directory = tmp_path / "controller"
    directory.mkdir()
    yield Recorded(directory)
