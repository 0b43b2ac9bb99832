# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of three hosts that are directories of this machine, an account at the simulator, and the real playbooks."""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _control import PYTHON, Control, Run
from _simulator_fixture import ask

from simulator.client import Simulator

REPOSITORY = "repo.magento.com"
OLD = "fleet-20260101"
INFO = "keyfleet.magento.magento_auth_key_info"
INSTALL = "keyfleet.magento.magento_auth_key"
PHASE = "keyfleet.magento.magento_key_rotation"


def today() -> str:
    """The label of a generation that is made now."""
    return f"fleet-{datetime.datetime.now(datetime.UTC):%Y%m%d}"


@dataclass
class Fleet:
    """``web1`` to ``web3`` hold the generation `OLD`; ``broken`` ones cannot be reached."""

    simulator: Simulator
    control: Control
    directory: Path
    variables: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ("web1", "web2", "web3")
    broken: tuple[str, ...] = ()
    printed: list[str] = field(default_factory=list)

    def start(self) -> None:
        application, secret = self.simulator.application("shop")
        public, private = self.simulator.add_key("shop", OLD)
        self.variables = {
            "magento_key_rotation_prefix": "fleet",
            "magento_key_rotation_application_id": application,
            "magento_key_rotation_application_secret": secret,
            "magento_key_rotation_api_url": self.simulator.marketplace_url,
            "magento_key_rotation_ca_path": self.simulator.ca_path,
            "magento_key_rotation_url": self.simulator.url,
            "magento_key_rotation_propagation_timeout": 2,
            "magento_key_rotation_expected_hosts": list(self.names),
            "magento_key_rotation_external_holders_acknowledged": True,
            "magento_key_rotation_search": ["{{ root }}"],
            # All at once, which is quicker. Tests of the batches take this away.
            "magento_key_rotation_serial": 3,
            "magento_auth_projects": ["{{ root }}/shop"],
            "magento_auth_url": self.simulator.url,
            "magento_auth_ca_path": self.simulator.ca_path,
        }
        for name in self.names:
            (self.directory / name / "shop").mkdir(parents=True)
            self.give(name, public, private)

    def file(self, host: str, path: str = "shop") -> Path:
        return self.directory / host / path / "auth.json"

    def give(self, host: str, public: str, private: str, path: str = "shop") -> Path:
        """A key in a file of a host."""
        file = self.file(host, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        entry = {"username": public, "password": private}
        file.write_text(json.dumps({"http-basic": {REPOSITORY: entry}}, indent=4) + "\n")
        file.chmod(0o600)
        return file

    def held(self, host: str, path: str = "shop") -> str | None:
        """The label of the key in a file, or None."""
        file = self.file(host, path)
        if not file.exists():
            return None
        entry = json.loads(file.read_text()).get("http-basic", {}).get(REPOSITORY)
        return self.labels().get(entry["username"], "(gone)") if entry else None

    def all_hold(self) -> set[str | None]:
        return {self.held(name) for name in self.names}

    def labels(self) -> dict[str, str]:
        return {key["public"]: key["label"] for key in self.at_account()}

    def at_account(self) -> list[dict[str, Any]]:
        return list(self.simulator.account("shop")["keys"])

    def series(self, prefix: str = "fleet-") -> dict[str, bool]:
        """Labels of the series, and whether they are enabled."""
        return {key["label"]: key["enabled"] for key in self.at_account() if key["label"].startswith(prefix)}

    def everybody_works(self) -> None:
        """The repository takes the key of every host."""
        for name in self.names:
            entry = json.loads(self.file(name).read_text())["http-basic"][REPOSITORY]
            got = ask(self.simulator, key=(entry["username"], entry["password"]))
            assert got.status == 200, f"{name} is left with a key that does not work"

    def inventory(self) -> None:
        self.control.hosts = {}
        for name in self.names:
            self.control.hosts[name] = {"root": str(self.directory / name)}
            if name in self.broken:
                unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
                self.control.hosts[name].update(unreachable)
        self.control.group = self.variables

    def run(self, playbook: str, *words: str, target: str | None = "web", **variables: Any) -> Run:
        """A playbook of the collection; ``variables`` as extra variables."""
        self.inventory()
        extra = {**({"magento_target": target} if target else {}), **variables}
        secrets = {key["private"] for key in self.at_account()} | {self.simulator.application("shop")[1]}
        run = self.control.run(
            "ansible-playbook", f"keyfleet.magento.{playbook}", "-e", json.dumps(extra), *words,
            ANSIBLE_SSH_RETRIES="0", ANSIBLE_INJECT_FACT_VARS="False",
        )  # fmt: skip
        secrets |= {key["private"] for key in self.at_account()}
        everything = run.output + json.dumps(run.record)
        for secret in secrets:
            assert secret not in everything, "a secret was printed"
        return run

    def state(self) -> list[Any]:
        """Everything that a run could have changed."""
        files = [(str(p), p.read_bytes(), p.stat().st_ino, p.stat().st_mtime_ns)
                 for p in sorted(self.directory.rglob("auth.json"))]  # fmt: skip
        return [files, sorted(self.at_account(), key=lambda key: str(key["public"]))]


def words(run: Run) -> str:
    """What was printed, without its line breaks."""
    return " ".join(run.output.split())


@pytest.fixture
def fleet(simulator: Simulator, control: Control) -> Iterator[Fleet]:
    """A fleet, its first generation everywhere."""
    directory = Path(tempfile.mkdtemp(prefix="kf-fleet-"))
    directory.chmod(0o755)
    made = Fleet(simulator, control, directory)
    made.start()
    yield made
    shutil.rmtree(directory)


__all__ = ["INFO", "INSTALL", "OLD", "PHASE", "PYTHON", "Fleet", "fleet", "today", "words"]
