# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of a document, and the machine of a reader."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.authority import server_context
from system.examples.documents import Example, examples_in
from system.examples.machine import HOSTS, HYVA, USERS
from system.examples.world import World, new_world


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> Iterator[list[Example]]:
    """The blocks that the test claims; fails if the test did not use one of them."""
    document, heading = request.param
    found = examples_in(document)
    assert heading in found, f"{document} has no example below {heading!r}; there are: {', '.join(found)}"
    failures = request.session.testsfailed
    yield found[heading]
    unused = [block.where for block in found[heading] if not block.used]
    assert not unused or request.session.testsfailed > failures, f"claimed and not run: {unused}"


@pytest.fixture(scope="session")
def machine() -> Iterator[Path]:
    """The template of every world; `simulator` has the CA that is in the trust store of `trusting`."""
    top = Path(tempfile.mkdtemp(prefix="kf-machine-"))
    for name in ("etc", "trusting"):
        # Lock files of the user database may appear and disappear meanwhile.
        subprocess.run(["cp", "--archive", "/etc/.", str(top / name)], stderr=subprocess.DEVNULL, check=False)
        users = [line.split(":") for line in (top / name / "passwd").read_text().splitlines()]
        users = [user for user in users if user[0] not in USERS]
        users += [[user, "x", str(uid), str(uid), "", home, "/bin/sh"] for user, (uid, home) in USERS.items()]
        (top / name / "passwd").write_text("".join(":".join(user) + "\n" for user in users))
        with (top / name / "group").open("a") as groups:
            groups.write(f"deploy:x:{USERS['deploy'][0]}:\n")
    with (top / "trusting" / "hosts").open("a") as hosts:
        hosts.write(f"127.0.0.1 {' '.join(HOSTS)}\n")
    (top / "simulator").mkdir()
    server_context(top / "simulator", [HYVA])
    shutil.copytree("/usr/local/share/ca-certificates", top / "authorities")
    shutil.copy(top / "simulator" / "ca.pem", top / "authorities" / "simulator.crt")
    mounts = f"mount --bind {top}/trusting /etc; mount --bind {top}/authorities /usr/local/share/ca-certificates"
    update = f"{mounts}; update-ca-certificates"
    subprocess.run(["unshare", "--mount", "sh", "-ec", update], check=True, capture_output=True)
    yield top
    shutil.rmtree(top)


@pytest.fixture
def world(machine: Path) -> Iterator[World]:
    """A machine that resolves the real host names to the simulator and trusts its CA."""
    with new_world(machine, trusting=True) as made:
        yield made


@pytest.fixture
def plain_world(machine: Path) -> Iterator[World]:
    """A machine without any settings for the simulator."""
    with new_world(machine, trusting=False) as made:
        yield made
