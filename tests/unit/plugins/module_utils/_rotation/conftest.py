# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account and a repository."""

from __future__ import annotations

from typing import Iterator, List

import pytest

from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import Lab
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import Exchange, Loopback


@pytest.fixture
def lab() -> Iterator[Lab]:
    """An account and a repository."""
    made: List[Lab] = []

    def answer(exchange: Exchange) -> None:
        (made[0].answer or made[0].client.answer)(exchange)

    with Loopback(answer) as server:
        made.append(Lab(server))
        yield made[0]
