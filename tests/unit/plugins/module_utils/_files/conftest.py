# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ways to look at a name, and no descriptor that stays open."""

from __future__ import annotations

import os
from typing import Any, Iterator

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._files import path as path_module


@pytest.fixture(autouse=True)
def all_descriptors_are_closed() -> Iterator[None]:
    before = os.listdir("/dev/fd")
    yield
    assert os.listdir("/dev/fd") == before


@pytest.fixture(params=[True, False], ids=["O_PATH", "without O_PATH"])
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to look at a name: Linux has O_PATH."""
    if not request.param:
        monkeypatch.setattr(path_module, "_PATH_ONLY", None)
