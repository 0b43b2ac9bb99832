# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a user installs from the tarball, including the simulator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from place import ROOT, Workspace
from simulator.client import Simulator
from simulator.tests.https import ask

MADE_BY_GALAXY = {"MANIFEST.json", "FILES.json"}
SHIPPED = re.compile(
    r"(COPYING|README\.md|CONTRIBUTING\.md|tests/requirements/(simulator|constraints)\.txt)$"
    r"|(changelogs|docs|meta|playbooks|plugins|roles|tests/simulator(?!/tests/))/"
)


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this directory, with all files that tests and tools have left in it."""
    dist = tmp_path_factory.mktemp("dist")
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", dist, ROOT], check=True)
    return next(dist.glob("keyfleet-magento-*.tar.gz"))


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("installed")
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(path), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    install = ["ansible-galaxy", "collection", "install", "--offline", "-p"]
    subprocess.run([*install, path, tarball], check=True, env=env)
    return path / "ansible_collections" / "keyfleet" / "magento"


@pytest.fixture
def sources() -> Iterator[set[str]]:
    """Every file that git tracks or would add."""
    workspace = Workspace()
    files = {path for path in workspace.collection.rglob("*") if path.is_file() and ".git" not in path.parts}
    yield {path.relative_to(workspace.collection).as_posix() for path in files}
    workspace.close()


def test_tarball_holds_what_users_need_and_nothing_else(tarball: Path, sources: set[str]) -> None:
    with tarfile.open(tarball) as archive:
        packed = {member.name for member in archive.getmembers() if not member.isdir()}
    wanted = {name for name in sources if SHIPPED.match(name) and "/." not in name} | MADE_BY_GALAXY
    assert {"missing": wanted - packed, "too many": packed - wanted} == {"missing": set(), "too many": set()}
    assert {"tests/simulator/__main__.py", "plugins/modules/magento_auth_key.py"} < packed


def test_installed_plugins_match_the_sources(installed: Path, sources: set[str]) -> None:
    """Links included: without its action plugin, the result of a module would not be checked."""
    plugins = {name for name in sources if name.startswith("plugins/")}
    assert {"plugins/action/magento_auth_key.py", "plugins/action/magento_release_info.py"} < plugins
    assert [name for name in plugins if (installed / name).read_bytes() != (ROOT / name).read_bytes()] == []


def test_requirements_of_the_installed_simulator_are_those_of_the_tests(installed: Path) -> None:
    """pip finds every file of requirements, and every requirement is already in this environment."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index"]
    done = subprocess.run(
        [*pip, "--requirement", installed / "tests" / "requirements" / "simulator.txt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    satisfied = re.findall(r"already satisfied: (\w+)", done.stdout)
    assert {"aiohttp", "trustme", "pyyaml"} <= {name.lower() for name in satisfied}, done.stdout


def test_simulator_starts_from_the_installed_collection(installed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "tests/simulator", "serve", "--state", str(tmp_path), "--parent-pid", str(os.getpid())]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(command, cwd=installed, env=env) as server:
        try:
            for _attempt in range(600):
                if (tmp_path / "address").exists() or server.poll() is not None:
                    break
                time.sleep(0.05)
            simulator = Simulator.attach(tmp_path)
            assert ask(simulator, key=simulator.key("shop", "web")).status == 200
        finally:
            server.terminate()
    assert server.returncode == 0
