# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in which everything that leaves a run is searched."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leaks.forms import Secret
from simulator.client import Simulator
from system.leaks.lab import APPLICATION, GIVEN, NEW, PUBLIC, TOKENS, Lab
from system.marketplace.lab import SHOP, opened


@pytest.fixture
def lab(simulator: Simulator) -> Iterator[Lab]:
    """A lab that other accounts can enter; if root runs the tests, all its parent directories belong to root."""
    top = Path(tempfile.mkdtemp(prefix="leaks-"))
    top.chmod(0o755)
    try:
        yield Lab(top, simulator)
    finally:
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def account(lab: Lab) -> Iterator[Lab]:
    """The lab with its own application, in variables; all secrets of the account are searched for."""
    simulator = lab.simulator
    known = simulator.account("shop")
    application = {"name": "leaks", "id": APPLICATION[0], "secret": APPLICATION[1]}
    simulator.change_account("shop", applications=[application, *known["applications"]])
    # The same calls create the same pairs again later.
    before = simulator.snapshot()
    with opened(simulator) as client:
        made = client.create(NEW, uid=SHOP).keys
    simulator.restore(before)
    keys = [(key["label"], key["public"], key["private"]) for key in known["keys"] if key["label"] not in PUBLIC]
    keys += [(key.label, key.public_key, key.private_key) for key in made]
    lab.secrets += [Secret("application secret", APPLICATION[1], user=APPLICATION[0])]
    lab.secrets += [Secret(f"half of {label}", private, user=public) for label, public, private in keys]
    # Without the prefix that all of them share.
    lab.secrets += [Secret(f"token {number}", token.partition(".")[2]) for number, token in enumerate(TOKENS)]
    path = lab.top / "api.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"api_id": APPLICATION[0], "api_secret": APPLICATION[1], "api_wrong": GIVEN["wrong"]}))
    yield lab
