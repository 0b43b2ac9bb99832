# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the system tests, and what a test may need: `@pytest.mark.needs("root", "composer")`.

A test whose needs this machine does not meet is skipped with the reason; with KEYFLEET_REQUIRE_ALL=1 it fails instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# Rotations look into all homes, where another worker's tests have put keys.
os.environ["SIMULATOR_SALT"] = os.environ.get("PYTEST_XDIST_WORKER", "")

from _aloud import aloud
from _simulator_fixture import simulator, simulator_server

from runner import docker, must_run_all, programs, root

__all__ = ["aloud", "simulator", "simulator_server"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): root, docker, or the name of a program")


def pytest_runtest_setup(item: pytest.Item) -> None:
    special = {"root": root, "docker": docker}
    names = [name for mark in item.iter_markers("needs") for name in mark.args]
    reasons = [reason for name in names if (reason := special.get(name, programs(name))())]
    if not reasons:
        return
    if must_run_all():
        pytest.fail(", ".join(reasons), pytrace=False)
    pytest.skip(", ".join(reasons))
