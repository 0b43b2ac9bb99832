# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the system tests, and the marker for requirements of a test: `@pytest.mark.needs("root", "composer")`.

A test is skipped if this machine does not meet its requirements; with KEYFLEET_REQUIRE_ALL=1 it fails instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# Rotations search all homes, where tests of other workers have installed keys.
os.environ["SIMULATOR_SALT"] = os.environ.get("PYTEST_XDIST_WORKER", "")

from _simulator_fixture import simulator, simulator_server
from _uncaptured import uncaptured

from runner import docker, must_run_all, programs, root

__all__ = ["simulator", "simulator_server", "uncaptured"]


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
