# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves a rotation or a revocation, whether it succeeds or fails: output at -vvvv, logs, callbacks, argv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.release import __version__

from leaks.forms import Secret
from leaks.watched import Watched
from place import ROOT
from system.leaks.lab import LOGGED, SEEN, Lab, access, made_up
from system.marketplace.lab import SHOP, opened
from system.rotation.lab import OLD, REPOSITORY, today

pytestmark = pytest.mark.needs("root", "strace")
CALLBACKS = ROOT / "tests" / "system" / "callbacks"


class Fleet:
    """One host with one project, which holds the generation `OLD`."""

    def __init__(self, account: Lab) -> None:
        self.lab = account
        self.simulator = simulator = account.simulator
        old = simulator.add_key("shop", OLD)
        # The same call creates the same pair again later, so the next generation's secret is known in advance.
        before = simulator.snapshot()
        with opened(simulator) as client:
            (new,) = client.create([today()], uid=SHOP).keys
        simulator.restore(before)
        account.secrets += [Secret("old", old[1], user=old[0])]
        account.secrets += [Secret("new", new.private_key or "", user=new.public_key)]
        entry = {"username": old[0], "password": old[1]}
        project = account.project("shop", {"http-basic": {REPOSITORY: entry}})
        self.series: dict[str, Any] = {
            "prefix": "fleet",
            **access(simulator),
            "url": simulator.url,
            "propagation_timeout": 1,
            "expected_hosts": ["web"],
            "external_holders_acknowledged": True,
            "search": [str(account.projects)],
        }
        self.variables: dict[str, Any] = {
            "magento_target": "web",
            "magento_auth_keys": [{"series": "fleet", "projects": [project], "url": simulator.url}],
            "magento_auth_ca_path": simulator.ca_path,
            "web_public": simulator.key("shop", "web")[0],
        }
        self.file = account.projects / "shop" / "auth.json"
        self.vault("web_private", simulator.key("shop", "web")[1])
        self.vault("old_private", old[1])

    def vault(self, name: str, secret: str) -> None:
        """Add a variable to the file that only its owner can read."""
        path = self.lab.top / "api.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: secret}))

    def run(
        self, playbook: str, *words: str, settings: dict[str, Any] | None = None, environ: dict[str, str] | None = None,
        logged: bool = True, **variables: Any,
    ) -> Watched:  # fmt: skip
        """Runs a playbook of the collection at -vvvv and requires that no secret leaves the run.

        ``logged``: the run executes modules, which write to the system log.
        """
        series = {name: value for name, value in {**self.series, **(settings or {})}.items() if value is not None}
        file = self.lab.top / "rotation.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({**self.variables, "magento_series": series, **variables}))
        results = str(self.lab.scratch / "results")
        callbacks = {
            "ANSIBLE_CALLBACKS_ENABLED": "record,junit",
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "JUNIT_OUTPUT_DIR": results,
            "RECORD": f"{results}/record",
        }
        files = ["-e", f"@{self.lab.top / 'api.json'}", "-e", f"@{file}"]
        command = ["ansible-playbook", f"keyfleet.magento.{playbook}", "--diff", *files, *words]
        # A rotation has many tasks, and strace slows each of them.
        watched = self.lab.run(command, {**callbacks, **(environ or {})}, timeout=900.0)
        watched.report.require_clean(*SEEN, "results", *(LOGGED if logged else ()))
        for kept in (self.lab.scratch / "facts").iterdir():
            assert "magento_" not in kept.read_text(), "a variable of the run was kept in the cache of facts"
        return watched

    def holds(self, label: str) -> bool:
        """Whether the host's file contains both halves of this key."""
        entry = json.loads(self.file.read_text()).get("http-basic", {}).get(REPOSITORY)
        public, private = self.simulator.key("shop", label)
        return bool(entry == {"username": public, "password": private})


@pytest.fixture
def fleet(account: Lab, one_day: None) -> Iterator[Fleet]:
    yield Fleet(account)


PAIR = {"public_key": "{{ web_public }}", "private_key": "{{ web_private }}"}


def test_a_rotation_and_a_revocation(fleet: Fleet) -> None:
    assert fleet.run("rotate", "--check").status == 0
    assert fleet.holds(OLD)
    assert fleet.run("rotate").status == 0
    assert fleet.holds(today())
    options: dict[str, Any] = {
        "magento_revoke_key": today(),
        "magento_revoke_replacement": PAIR,
        "magento_revoke_leak": True,
    }
    assert fleet.run("revoke", "--check", **options).status == 0
    assert fleet.holds(today())
    revoked = fleet.run("revoke", **options, magento_revoke_delete=True)
    assert revoked.status == 0 and "it is disabled and deleted" in revoked.output
    assert fleet.holds("web")


def test_the_current_pair_in_place_of_a_revoked_one(fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today(), private=made_up("new private"))
    fleet.lab.secrets += [Secret("newest", made_up("new private"), user=fleet.simulator.key("shop", today())[0])]
    minimal = {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"}
    revoked = fleet.run("revoke", environ=minimal, magento_revoke_key=OLD, magento_revoke_replacement="current")
    assert revoked.status == 0 and fleet.holds(today())


def test_rotations_that_fail(fleet: Fleet) -> None:
    refused = fleet.run("rotate", settings={"application_secret": "{{ api_wrong }}"})
    assert refused.status == 2 and "api_unauthorized" in refused.output and fleet.holds(OLD)
    # Listing succeeds and fetching the pair fails; the server's message contains the private key.
    half = fleet.simulator.key("shop", OLD)[1]
    words = json.dumps({"code": 1, "message": f"no: {half}"})
    number = fleet.simulator.add_fault("status", path="*/keys", method="GET", skip=1, status=403, body=words)
    unfetched = fleet.run("rotate_deploy")
    assert unfetched.status == 2 and fleet.holds(OLD)
    fleet.simulator.remove_fault(number)
    # The new key is created and verified, but the host cannot install it.
    unwritable = fleet.lab.top / "directory"
    unwritable.mkdir()
    keys = [{"series": "fleet", "paths": [str(unwritable)]}]
    lost = fleet.run("rotate", magento_auth_keys=keys)
    assert lost.status == 2 and "Blocked: web" in lost.output
    assert fleet.simulator.key("shop", today())
    # An undefined variable beside one that the vault defines.
    beside = [{"series": "fleet", "projects": ["{{ nowhere }}"]}, {**PAIR, "paths": [str(unwritable / "auth.json")]}]
    assert fleet.run("rotate", magento_auth_keys=beside).status == 2


def test_revocations_that_fail(fleet: Fleet) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"magento_revoke_key": "nobody-knows"}, "there is no key"),
        ({"magento_revoke_replacement": {"private_key": "{{ web_private }}"}}, "must be current or a pair"),
        ({"magento_revoke_replacement": {**PAIR, "private_key": "{{ api_wrong }}"}}, "does not accept"),
        ({"magento_revoke_replacement": {**PAIR, "private_key": "{{ web_private }}x"}}, "private_key"),
        ({"magento_revoke_replacement": {**PAIR, "public_key": "{{ nowhere }}"}}, "nowhere"),
        ({"magento_revoke_replacement": "{{ web_private }}"}, "must be current or a pair"),
    ]
    for options, reason in cases:
        variables: dict[str, Any] = {"magento_revoke_key": OLD, **options}
        # With an undefined variable, no module runs that could log anything.
        failed = fleet.run("revoke", **variables, magento_revoke_leak=True, logged=reason != "nowhere")
        assert failed.status == 2 and reason in failed.output, "it failed for another reason"
    assert fleet.holds(OLD)


def test_rotation_by_hand(fleet: Fleet) -> None:
    public, _private = fleet.simulator.key("shop", OLD)
    no_api = dict.fromkeys(("application_id", "application_secret", "api_url"))
    manual = {**no_api, "pair": {"label": "web", **PAIR}, "previous": [{"label": OLD, "public_key": public}]}
    wrong = fleet.run("rotate", settings={**manual, "pair": {"label": "web", **PAIR, "private_key": "{{ api_wrong }}"}})
    assert wrong.status == 2 and fleet.holds(OLD)
    # An invalid private key.
    broken = {**manual, "pair": {"label": "web", **PAIR, "private_key": "{{ web_private | upper }}"}}
    assert fleet.run("rotate", settings=broken).status == 2 and fleet.holds(OLD)
    done = fleet.run("rotate", settings=manual)
    assert done.status == 0 and fleet.holds("web") and f"Left to do: disable {OLD}" in done.output
    revoked = fleet.run("revoke", settings=manual, magento_revoke_key=OLD, magento_revoke_replacement="current")
    assert revoked.status == 0


@pytest.mark.skipif(__version__.startswith(("2.17", "2.18")), reason="a documented limit of these versions of Ansible")
def test_literals_beside_an_undefined_variable(fleet: Fleet) -> None:
    secret = made_up("literal", 40)
    fleet.lab.secrets += [Secret("literal", secret)]
    literals = {"application_secret": secret, "packages": ["{{ nowhere }}"]}
    for playbook in ("rotate", "rotate_retire", "provision", "revoke"):
        failed = fleet.run(playbook, settings=literals, logged=False, magento_revoke_key=OLD)
        assert failed.status != 0 and "nowhere" in failed.output
    assert fleet.holds(OLD)
