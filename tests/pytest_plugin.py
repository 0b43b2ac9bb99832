# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pytest plugin with the fixtures of all areas and the marker `@pytest.mark.needs("root", "composer")`.

A test is skipped if this machine does not meet its requirements; with KEYFLEET_REQUIRE_ALL=1 it fails instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from runner import docker, must_run_all, programs, root
from simulator.client import Simulator

Uncaptured = Callable[[], AbstractContextManager[None]]


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


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[Simulator]:
    """One server for the whole session."""
    with Simulator() as server:
        yield server


@pytest.fixture
def simulator(simulator_server: Simulator) -> Simulator:
    """The session's server with accounts, switches, faults and log as at the start."""
    simulator_server.reset()
    return simulator_server


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home, and no proxy, CA, netrc or API option in the environment. Returns the home."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "netrc", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("APPLICATION_ID", "APPLICATION_SECRET", "API_URL"):
        monkeypatch.delenv(f"MAGENTO_{name}", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(scope="session")
def uncaptured(request: pytest.FixtureRequest) -> Uncaptured:
    """Returns a context manager in which output is shown although pytest captures it."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    return lambda: capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
