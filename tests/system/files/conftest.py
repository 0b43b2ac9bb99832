# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that starts workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from system.files.lab import Workers


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """The process that starts workers."""
    made = Workers(tmp_path_factory.mktemp("workers"))
    yield made
    if made.server.stdin is not None:
        made.server.stdin.close()
    assert made.server.wait(30) == 0
