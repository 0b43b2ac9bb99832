# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of three hosts that are directories of this machine, an account at the simulator, and the real playbooks."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.client import Simulator
from simulator.tests.https import ask
from system.control import Control, Run

REPOSITORY = "repo.magento.com"
OLD = "fleet-20260101"
LAPTOP = "laptop of somebody"
INFO = "keyfleet.magento.magento_auth_key_info"
INSTALL = "keyfleet.magento.magento_auth_key"
PHASE = "keyfleet.magento.magento_key_rotation"
SUMMARY = "ansible.builtin.assert"
DEPLOY = "Install the auth keys"
CONFIRM = "Check what the role would change"


def today() -> str:
    """The label of a generation that is created now, for a test with the fixture ``one_day``."""
    return days_ago(0)


def days_ago(days: int, prefix: str = "fleet") -> str:
    """The label of a generation that was created `days` days ago."""
    return f"{prefix}-{datetime.datetime.now(datetime.UTC) - datetime.timedelta(days):%Y%m%d}"


@dataclass
class Fleet:
    """``web1`` to ``web3`` have the generation `OLD`; ``broken`` hosts cannot be reached.

    ``settings`` are those of the series, ``variables`` those of the group, ``own`` those of hosts, by name.
    """

    simulator: Simulator
    control: Control
    directory: Path
    settings: dict[str, Any] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    variables: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ("web1", "web2", "web3")
    broken: tuple[str, ...] = ()
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)

    def start(self) -> None:
        application, secret = self.simulator.application("shop")
        public, private = self.simulator.add_key("shop", OLD)
        self.settings = {
            "prefix": "fleet",
            "application_id": application,
            "application_secret": "{{ lookup('env', 'MAGENTO_VAULT') }}",
            "api_url": self.simulator.marketplace_url,
            "ca_path": self.simulator.ca_path,
            "url": self.simulator.url,
            "propagation_timeout": 2,
            "expected_hosts": list(self.names),
            "external_holders_acknowledged": True,
            "search": ["{{ root | default('/nowhere') }}"],
            # All hosts at once, which is faster. Tests of batches remove this.
            "batches": [3],
        }
        self.secret = secret
        self.variables = {
            "magento_auth_keys": [{"series": "fleet", "projects": ["{{ root }}/shop"], "url": self.simulator.url}],
            "magento_auth_ca_path": self.simulator.ca_path,
        }
        for name in self.names:
            (self.directory / name / "shop").mkdir(parents=True)
            self.give(name, public, private)

    def file(self, host: str, path: str = "shop") -> Path:
        return self.directory / host / path / "auth.json"

    def give(self, host: str, public: str, private: str, path: str = "shop") -> Path:
        """Write a key to a file of a host."""
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
        """Whether each key of the series is enabled, by label."""
        return {key["label"]: key["enabled"] for key in self.at_account() if key["label"].startswith(prefix)}

    def all_keys_work(self) -> None:
        """Assert that the repository accepts the key of every host."""
        for name in self.names:
            entry = json.loads(self.file(name).read_text())["http-basic"][REPOSITORY]
            response = ask(self.simulator, key=(entry["username"], entry["password"]))
            assert response.status == 200, f"{name} has a key that does not work"

    def grow(self, count: int) -> None:
        """Enlarge the fleet to ``count`` hosts, all with the generation `OLD`."""
        pair = self.simulator.key("shop", OLD)
        self.names = tuple(f"web{number}" for number in range(1, count + 1))
        for name in self.names:
            self.give(name, *pair)
        self.settings |= {"expected_hosts": list(self.names), "batches": [count]}

    def inventory(self) -> None:
        self.control.hosts = {}
        for name in self.names:
            self.control.hosts[name] = {"root": str(self.directory / name), **self.own.get(name, {})}
            if name in self.broken:
                unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
                self.control.hosts[name].update(unreachable)
        self.control.group = self.variables

    def run(
        self, playbook: str, *words: str, target: str | None = "web", settings: dict[str, Any] | None = None,
        **variables: Any,
    ) -> Run:  # fmt: skip
        """Run a playbook of the collection, with ``variables`` as extra variables."""
        series = {**self.settings, **(settings or {})}
        extra = {**({"magento_target": target} if target else {}), "magento_series": series, **variables}
        return self.play(f"keyfleet.magento.{playbook}", *words, **extra)

    def site(self, plays: list[dict[str, Any]], *words: str, **variables: Any) -> Run:
        """Run a playbook of the operator, which may import those of the collection."""
        return self.play(str(self.control.write("site.yml", plays)), *words, **variables)

    def play(self, playbook: str, *words: str, **variables: Any) -> Run:
        """Run a playbook with only these extra variables, and assert that no secret is printed."""
        self.inventory()
        secrets = {key["private"] for key in self.at_account()} | {self.simulator.application("shop")[1]}
        run = self.control.run(
            "ansible-playbook", playbook, "-e", json.dumps(variables), *words,
            MAGENTO_VAULT=self.secret, ANSIBLE_SSH_RETRIES="0",
        )  # fmt: skip
        secrets |= {key["private"] for key in self.at_account()}
        everything = run.output + json.dumps(run.record)
        for secret in secrets:
            assert secret not in everything, "a secret was printed"
        return run

    def asked(self, **matching: Any) -> int:
        """The number of requests to the key API."""
        return len(self.simulator.requests(part="marketplace", **matching))

    def state(self) -> list[Any]:
        """Everything that a run could change."""
        files = [(str(p), p.read_bytes(), p.stat().st_ino, p.stat().st_mtime_ns)
                 for p in sorted(self.directory.rglob("auth.json"))]  # fmt: skip
        return [files, sorted(self.at_account(), key=lambda key: str(key["public"]))]


def unwrapped(run: Run) -> str:
    """The output on one line."""
    return " ".join(run.output.split())


def plays(run: Run) -> list[str]:
    """The names of the plays, in order."""
    return re.findall(r"^PLAY \[(.*)\]", run.output, re.MULTILINE)


def summary_lines(run: Run) -> list[str]:
    """The lines of the summary."""
    message = run.of("localhost", SUMMARY)[-1]["msg"]
    return list(message.splitlines() if isinstance(message, str) else message)


def headline(run: Run) -> str:
    """The first line of the last failure."""
    return [line for line in run.output.splitlines() if line.startswith("[ERROR]: ")][-1]


def results(run: Run, task: str, host: str | None = None) -> dict[str, dict[str, Any]]:
    """The results of a task, by host."""
    found = [r for r in run.record if r["task"].endswith(task) and host in (None, r["host"])]
    return {r["host"]: r["result"] for r in found if not r["result"].get("skipped")}


def pair(fleet: Fleet, label: str) -> dict[str, str]:
    public, private = fleet.simulator.key("shop", label)
    return {"public_key": public, "private_key": private}


def summary(run: Run) -> str:
    """The last message, on one line."""
    last = [r["result"]["msg"] for r in run.record if r["task"] == "Summary"]
    assert len(last) == 1, run.output
    return " ".join(last[0] if isinstance(last[0], list) else last[0].splitlines())
