# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet, and holders of its pair."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.client import Simulator
from system.control import Control
from system.rotation.holders import TOKEN, ExampleHolder, Recorder, example_holder, use_hosts
from system.rotation.lab import Fleet
from system.services.gitlab import GitLab
from system.services.kv2 import KV2


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hosts(count): fewer hosts than three, which is faster")


@pytest.fixture
def fleet(simulator: Simulator, control: Control, one_day: None, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A fleet whose hosts all have the generation `OLD`."""
    directory = Path(tempfile.mkdtemp(prefix="kf-fleet-"))
    directory.chmod(0o755)
    made = Fleet(simulator, control, directory)
    if few := request.node.get_closest_marker("hosts"):
        made.names = made.names[: few.args[0]]
    made.start()
    yield made
    shutil.rmtree(directory)


@pytest.fixture
def recorder(fleet: Fleet, tmp_path: Path) -> Recorder:
    """Holders that record their calls, and a fleet with one host."""
    use_hosts(fleet, "web1")
    return Recorder(fleet, tmp_path / "recorder")


@pytest.fixture
def kv2(tmp_path: Path) -> Iterator[ExampleHolder]:
    """HashiCorp Vault."""
    yield from example_holder(
        KV2(TOKEN), tmp_path / "kv2", "hashicorp-vault.yml", "hashicorp_vault", mount="secret", path="magento/web"
    )


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[ExampleHolder]:
    """GitLab."""
    yield from example_holder(GitLab(TOKEN), tmp_path / "gitlab", "gitlab.yml", "gitlab", project="shops/web")
