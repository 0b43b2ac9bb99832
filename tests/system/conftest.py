# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine of a test: accounts, a directory that they can reach, and a controller."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from system import midnight, seed
from system.control import Control
from system.files.lab import Account, Accounts


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    seed.configure_hypothesis(config)


def pytest_report_header(config: pytest.Config) -> str:
    return seed.described(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``--dist=loadgroup``, tests with accounts run one after the other, since some of them read all homes.

    Before pytest-xdist looks for groups.
    """
    for item in items:
        if isinstance(item, pytest.Function) and "accounts" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("accounts"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.append(("Random choices", seed.described(item.config)))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    midnight.wait(item)
    return (yield)


@pytest.fixture
def one_day() -> Iterator[None]:
    """A test with this fixture begins and ends on the same day."""
    day = midnight.now().date()
    yield
    assert midnight.now().date() == day, "the day has changed, and with it the labels"


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    """Created with useradd, removed at the end of a file, with what its tests have left."""
    tag = secrets.token_hex(3)
    webs_home = Path(tempfile.mkdtemp(prefix="kf-www-"))
    webs_home.chmod(0o755)
    made: list[Account] = []
    try:
        for role in ("deploy", "other", "web"):
            name = f"kf-{role}-{tag}"
            where = ["-M", "-d", str(webs_home)] if role == "web" else ["-m"]
            subprocess.run(["useradd", *where, name], check=True)
            entry = pwd.getpwnam(name)
            made.append(Account(name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir)))
        yield Accounts(*made)
    finally:
        for account in made:
            subprocess.run(["userdel", account.name], check=True)
            shutil.rmtree(account.home, ignore_errors=True)
        shutil.rmtree(webs_home, ignore_errors=True)


@pytest.fixture
def lab() -> Iterator[Path]:
    """A directory of root that everybody can enter."""
    directory = Path(tempfile.mkdtemp(prefix="kf-lab-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def same_ids() -> Iterator[None]:
    """A test must not change the user and groups of the process."""
    before = os.getresuid(), os.getresgid(), os.getgroups()
    yield
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before


@pytest.fixture
def deploy(accounts: Accounts) -> Iterator[Account]:
    """The account `deploy` with an empty home."""

    def clear() -> None:
        for path in accounts.deploy.home.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    clear()
    yield accounts.deploy
    clear()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    """A controller with one host."""
    directory = tmp_path / "controller"
    directory.mkdir()
    yield Control(directory)
