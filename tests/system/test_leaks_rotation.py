# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves a rotation or a revocation, whether it ends well or not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import test_leaks_marketplace
from _leak_lab import SEEN, Lab, lab
from _marketplace_lab import SHOP, opened
from _rotation_lab import OLD, REPOSITORY, today
from test_leaks_marketplace import LOGGED, access

from leaks.forms import Secret
from leaks.watched import Watched

pytestmark = pytest.mark.needs("root", "strace")
account = test_leaks_marketplace.account
__all__ = ["lab"]


class Fleet:
    """One host with one project, which holds the generation `OLD`."""

    def __init__(self, account: Lab) -> None:
        self.lab = account
        simulator = account.simulator
        old = simulator.add_key("shop", OLD)
        # The same work gives the same pair once more, so the next generation's secret is known before it is made.
        before = simulator.snapshot()
        with opened(simulator) as client:
            (new,) = client.create([today()], uid=SHOP).keys
        simulator.restore(before)
        account.secrets += [Secret("old", old[1], user=old[0])]
        account.secrets += [Secret("new", new.private_key or "", user=new.public_key)]
        entry = {"username": old[0], "password": old[1]}
        project = account.project("shop", {"http-basic": {REPOSITORY: entry}})
        ask = {f"magento_auth_{name}": value for name, value in account.ask.items()}
        rotation = {f"magento_key_rotation_{name}": value for name, value in access(simulator).items()}
        variables = {
            **ask, **rotation,
            "magento_target": "web",
            "magento_key_rotation_prefix": "fleet",
            "magento_key_rotation_url": simulator.url,
            "magento_key_rotation_propagation_timeout": 2,
            "magento_key_rotation_expected_hosts": ["web"],
            "magento_key_rotation_external_holders_acknowledged": True,
            "magento_key_rotation_search": [project],
            "magento_auth_projects": [project],
        }  # fmt: skip
        self.file = account.projects / "shop" / "auth.json"
        self.variables = account.top / "rotation.json"
        self.variables.write_text(json.dumps(variables))

    def run(self, playbook: str, *words: str) -> Watched:
        """A playbook of the collection; no secret may be in anything that leaves it."""
        files = ["-e", f"@{self.lab.top / 'api.json'}", "-e", f"@{self.variables}"]
        watched = self.lab.run(["ansible-playbook", f"keyfleet.magento.{playbook}", "--diff", *files, *words])
        watched.report.require_clean(*SEEN, *LOGGED)
        return watched

    def holds(self, label: str) -> bool:
        """Whether the host's file has this key, all of it."""
        entry = json.loads(self.file.read_text()).get("http-basic", {}).get(REPOSITORY)
        public, private = self.lab.simulator.key("shop", label)
        return bool(entry == {"username": public, "password": private})


@pytest.fixture
def fleet(account: Lab) -> Iterator[Fleet]:
    yield Fleet(account)


def test_a_rotation_and_a_revocation(fleet: Fleet) -> None:
    assert fleet.run("rotate", "--check").status == 0
    assert fleet.holds(OLD)
    assert fleet.run("rotate").status == 0
    assert fleet.holds(today())
    assert fleet.run("revoke", "-e", f"magento_revoke_key={today()}").status == 0
    assert REPOSITORY not in fleet.file.read_text()


def test_rotations_that_fail(fleet: Fleet) -> None:
    refused = fleet.run("rotate", "-e", "magento_key_rotation_application_secret={{ api_wrong }}")
    assert refused.status != 0 and fleet.holds(OLD)
    # The new key is made and proved, and no host can go over to it.
    unwritable = fleet.lab.top / "directory"
    unwritable.mkdir()
    lost = fleet.run("rotate", "-e", json.dumps({"magento_auth_paths": [str(unwritable)]}))
    assert lost.status != 0
    assert fleet.lab.simulator.key("shop", today())
    revoked = fleet.run("revoke", "-e", "magento_revoke_key=nobody-knows")
    assert revoked.status != 0
