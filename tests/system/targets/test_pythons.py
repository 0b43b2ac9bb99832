# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for hosts, sent by Ansible to hosts with the oldest and the newest Python that its version supports."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from place import CORES, Core, controller, find_python
from simulator.client import Simulator
from system.auth_key.lab import CLASSIC, HOST
from system.control import MODULE, Control
from system.files.lab import Accounts, owner_and_mode
from system.token.lab import RELEASE, TOKEN, Host

pytestmark = pytest.mark.needs("root", "useradd", "curl")
SMALL = "Magento-CE-2.3.2.zip"
INFO = "keyfleet.magento.magento_auth_key_info"
FACTS = "ansible.builtin.setup"


def asked(script: str) -> Any:
    """The JSON that a script prints with the Python of the controller."""
    done = subprocess.run([controller() / "python", "-c", f"import json; {script}"], check=True, capture_output=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def core() -> Core:
    """The version of ansible-core of the controller."""
    version = asked("from ansible.release import __version__ as version; print(json.dumps(version))")
    (found,) = [core for core in CORES if core.version == ".".join(version.split(".")[:2])]
    return found


def test_pythons_are_those_that_ansible_core_supports(core: Core) -> None:
    names = "CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS"
    source = "from ansible_test._util.target.common.constants import"
    controllers, hosts_only = asked(f"{source} {names}; print(json.dumps([{names}]))")
    assert sorted(core.controllers) == controllers and core.oldest_host == hosts_only[0]


def test_modules_for_hosts(core: Core, control: Control, simulator: Simulator, accounts: Accounts, lab: Path) -> None:
    host = Host(lab, simulator)
    users = dict(zip(core.hosts, (accounts.deploy, accounts.other), strict=True))
    control.hosts = {
        version: {"ansible_python_interpreter": find_python(version), "account": account.name}
        for version, account in users.items()
    }
    first, second = (simulator.key("shop", label) for label in ("web", "ci"))
    place = {"users": ["{{ account }}"], "url": simulator.url, "ca_path": simulator.ca_path}
    one, two = ({"public_key": public, "private_key": private, **place} for public, private in (first, second))
    token = {**host.server, **host.pair, **host.entry_options(users=["{{ account }}"])}
    release = {**host.server, **host.pair, "file_name": SMALL, "owner": "{{ account }}"}
    run = control.play([
        {FACTS: {"gather_subset": ["!all", "!min", "python"]}},
        *four_runs(MODULE, one),
        *four_runs(MODULE, two),
        {INFO: two},
        *four_runs(MODULE, {"users": ["{{ account }}"], "state": "absent"}),
        *four_runs(f"keyfleet.magento.{TOKEN}", token),
        *four_runs(f"keyfleet.magento.{RELEASE}", {**release, "dest": f"{lab}/{{{{ inventory_hostname }}}}.zip"}),
    ])  # fmt: skip
    assert run.status == 0, run.output
    assert "WARNING" not in run.output, run.output
    for secret in (first[1], second[1], host.token):
        assert secret not in run.output + json.dumps(run.record)
    for version, account in users.items():
        (facts,) = run.of(version, FACTS)
        assert "{major}.{minor}".format(**facts["ansible_facts"]["ansible_python"]["version"]) == version
        for module, actions in (
            (MODULE, ("created", "updated", "removed")),
            (f"keyfleet.magento.{TOKEN}", ("created",)),
            (f"keyfleet.magento.{RELEASE}", ("created",)),
        ):
            rows = [(result["changed"], result["files"][0]) for result in run.of(version, module)]
            expected = [(one != "unchanged", one) for done in actions for one in (done, done, "unchanged", "unchanged")]
            assert [(changed, row["action"]) for changed, row in rows] == expected, run.output
            assert {row["after"]["owner"] for _changed, row in rows} == {account.name}
        (info,) = run.of(version, INFO)
        assert [verdict["status"] for verdict in info["verdicts"]] == ["valid"], info
        assert [entry["public_key"] for row in info["files"] for entry in row["entries"]] == [second[0]], info
        left = account.home / CLASSIC / "auth.json"
        assert HOST not in left.read_text() and owner_and_mode(left) == (account.uid, account.gid, 0o600)
        assert (account.home / ".netrc").read_bytes() == host.entry()
        assert owner_and_mode(account.home / ".netrc") == (account.uid, account.gid, 0o600)
        assert (lab / f"{version}.zip").stat().st_size == simulator.download(SMALL)["size"]


def four_runs(module: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    """In check mode and really, and both again."""
    return [{module: options, "check_mode": check} for check in (True, False, True, False)]
