# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet for random faults: hosts that are directories of this machine, an account, and an external holder."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.client import Simulator
from simulator.tests.https import ask
from system.control import PYTHON
from system.rotation.chaos.play import Kill, Result, play

REPOSITORY = "repo.magento.com"
BEGIN = datetime.datetime.now(datetime.UTC).date()
"""A day for all ages. If the day changes meanwhile, each is a day more, which no history depends on."""
PREFIX = "fleet"
NAMED = ("shop", "home/.composer")
"""The directories whose auth.json the hosts' variables name; the second one is a COMPOSER_HOME."""
STRAY, OTHER = "backup", "other"
"""Two more directories: one that no variable names, and one for the key of another series."""
FORGED: dict[str, Any] = {
    "magento_series": {"api_url": "https://localhost:1", "prefix": PREFIX},
    "magento_rotation_plan": {"series": PREFIX, "label": "forged", "generations": []},
    "magento_auth_keys": [],
    "inventory_hostname": "web1",
    "group_names": [],
}
_HOLDER = """\
- name: Store the pair
  ansible.builtin.shell:
    cmd: "umask 077; test ! -e '{file}.refuses' && cat > '{file}'"
    stdin: "{{{{ {{'public': holder_public_key, 'private': holder_private_key}} | to_json }}}}"
  when: holder_phase == 'publish'

- name: Check for the pair
  ansible.builtin.command:
    cmd: grep -q "{{{{ holder_public_key }}}}" {file}
  changed_when: false
  when: holder_phase == 'confirm'
"""


def label(age: int, prefix: str = PREFIX) -> str:
    """The label of a generation that was created `age` days before `BEGIN`."""
    return f"{prefix}-{BEGIN - datetime.timedelta(age):%Y%m%d}"


@dataclass
class Orders:
    """One run. ``settings`` override the settings of the series; ``dead`` and ``forging`` are names of hosts."""

    playbook: str = "rotate"
    words: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    dead: tuple[str, ...] = ()
    forging: tuple[str, ...] = ()
    forged: str = next(iter(FORGED))
    """The fact that the forging hosts return, a key of `FORGED`."""
    kill: Kill | None = None
    outage: bool = False
    """Whether the API or the repository fails during the whole run."""

    @property
    def check_mode(self) -> bool:
        return "--check" in self.words


@dataclass
class Fleet:
    """``directory`` holds a directory for each host, one for the controller, and the file of the holder."""

    simulator: Simulator
    directory: Path
    collections: Path
    names: tuple[str, ...] = ("web1", "web2")
    settings: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    seconds: float = 5.0
    """The duration of the last run that exited with 0."""

    def begin(self, generations: Mapping[str, bool], held: str, *, stray: str | None = None, **settings: Any) -> None:
        """Create an account with these labels (and whether they are enabled); hosts and holder have ``held``."""
        simulator = self.simulator
        self.base = self.base or simulator.snapshot()
        simulator.restore(self.base)
        shutil.rmtree(self.directory, ignore_errors=True)
        for name in (*self.names, "controller"):
            (self.directory / name / "app").mkdir(parents=True)
        for generation, enabled in generations.items():
            simulator.add_key("shop", generation, enabled=enabled)
        other = simulator.add_key("shop", label(10, OTHER))
        # A key of another owner with a label of the series, and a label with the prefix but without a date.
        simulator.add_key("shop", label(200), uid="000FAKE0SHOP000@AdobeOrg")
        simulator.add_key("shop", f"{PREFIX}-old")
        for name in self.names:
            for location in NAMED:
                self.give(name, location, simulator.key("shop", held, ""))
            self.give(name, OTHER, other)
            if stray:
                self.give(name, STRAY, simulator.key("shop", stray, ""))
        pair = simulator.key("shop", held, "")
        self.vault.write_text(json.dumps({"public": pair[0], "private": pair[1]}))
        (self.directory / "holder.yml").write_text(_HOLDER.format(file=self.vault))
        self.settings = {
            "prefix": PREFIX, "url": simulator.url, "ca_path": simulator.ca_path, "propagation_timeout": 1,
            "expected_hosts": list(self.names), "search": ["{{ root | default('/nowhere') }}"], "batches": [1],
            "external_holders_acknowledged": True, **settings,
        }  # fmt: skip

    @property
    def vault(self) -> Path:
        """The file in which the external holder keeps its pair."""
        return self.directory / "vault.json"

    @property
    def holder(self) -> dict[str, str]:
        """The holder as an item of the setting ``external_holders``."""
        return {"name": "vault", "tasks": str(self.directory / "holder.yml")}

    def file(self, host: str, location: str) -> Path:
        return self.directory / host / location / "auth.json"

    def give(self, host: str, location: str, pair: tuple[str, str]) -> None:
        """Write a pair to a file of a host."""
        file = self.file(host, location)
        file.parent.mkdir(parents=True, exist_ok=True)
        entry = {"username": pair[0], "password": pair[1]}
        file.write_text(json.dumps({"http-basic": {REPOSITORY: entry}}, indent=4) + "\n")
        file.chmod(0o600)

    def pair(self, host: str, location: str) -> tuple[str, str] | None:
        """The pair in a file, or None."""
        try:
            entry = json.loads(self.file(host, location).read_bytes()).get("http-basic", {}).get(REPOSITORY)
        except FileNotFoundError:
            return None
        return (entry["username"], entry["password"]) if entry else None

    def pairs(self, locations: Iterable[str] = (*NAMED, STRAY)) -> dict[tuple[str, str], tuple[str, str]]:
        """The pairs in existing files, by host and location."""
        every = {(host, location): self.pair(host, location) for host in self.names for location in locations}
        return {where: pair for where, pair in every.items() if pair}

    def used(self, host: str) -> dict[str, tuple[str, str] | None]:
        """The pair that Composer uses in each project: that of the project takes precedence over that of the home."""
        home = self.pair(host, NAMED[1])
        return {project: self.pair(host, project) or home for project in ("shop", "app", STRAY, OTHER)}

    def account(self) -> list[dict[str, Any]]:
        return list(self.simulator.account("shop")["keys"])

    def series(self) -> dict[str, bool]:
        """Whether each key of the series is enabled, by label."""
        return {key["label"]: key["enabled"] for key in self.account() if ours(key)}

    def accepts(self, pair: tuple[str, str]) -> bool:
        """Whether the repository accepts the pair."""
        return ask(self.simulator, key=pair).status == 200

    def run(self, orders: Orders) -> Result:
        """Run a playbook of the collection, with the active faults."""
        controller = self.directory / "controller"
        controller.joinpath("inventory.json").write_text(json.dumps(self._inventory(orders)))
        application, secret = self.simulator.application("shop")
        access = {} if "pair" in {**self.settings, **orders.settings} else {
            "application_id": application,
            "application_secret": "{{ lookup('env', 'KEYFLEET_SECRET') }}",
            "api_url": self.simulator.marketplace_url,
        }  # fmt: skip
        series = {**self.settings, **access, **orders.settings}
        extra = {"magento_target": "web", "magento_series": series, **orders.extra}
        pairs = {f"KEYFLEET_PAIR_{number}": key["private"] for number, key in enumerate(self.account())}
        result = play(
            controller,
            ["-i", "inventory.json", f"keyfleet.magento.{orders.playbook}", "-e", json.dumps(extra), *orders.words],
            collections=self.collections, environ={"KEYFLEET_SECRET": secret, **pairs}, kill=orders.kill,
        )  # fmt: skip
        self.seconds = result.seconds if result.status == 0 else self.seconds
        return result

    def by_hand(self, name: str) -> dict[str, str]:
        """A pair for the settings, with a private key that is looked up in the environment, as from a vault."""
        number, key = next((n, key) for n, key in enumerate(self.account()) if key["label"] == name and not key["uid"])
        private = f"{{{{ lookup('env', 'KEYFLEET_PAIR_{number}') }}}}"
        return {"label": name, "public_key": key["public"], "private_key": private}

    def _inventory(self, orders: Orders) -> dict[str, Any]:
        hosts: dict[str, Any] = {name: {"root": str(self.directory / name)} for name in self.names}
        for name in orders.dead:
            hosts[name] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
        for name in orders.forging:
            hosts[name]["ansible_python_interpreter"] = str(self._forger(name, orders.forged))
        url = self.simulator.url
        entries = [
            {"series": PREFIX, "projects": ["{{ root }}/shop"], "url": url},
            {"series": PREFIX, "paths": ["{{ root }}/home/.composer/auth.json"], "url": url},
            {"series": OTHER, "projects": ["{{ root }}/other"], "url": url},
        ]
        common = {
            "ansible_connection": "local", "ansible_python_interpreter": PYTHON,
            "magento_auth_keys": entries, "magento_auth_ca_path": self.simulator.ca_path,
        }  # fmt: skip
        return {"all": {"children": {"web": {"hosts": hosts, "vars": common}}}}

    def _forger(self, name: str, fact: str) -> Path:
        answer = {"changed": False, "files": [], "problems": [], "ansible_facts": {fact: FORGED[fact]}}
        program = self.directory / "controller" / f"python-{name}"
        program.write_text(f"#!/bin/sh\ncat > /dev/null\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
        program.chmod(0o755)
        return program

    def pass_days(self, days: int) -> None:
        """Simulate that days pass: change the dates in all labels, which are the only record of time."""

        def older(found: re.Match[str]) -> str:
            date = datetime.datetime.strptime(found[2], "%Y%m%d") - datetime.timedelta(days)
            return f"{found[1]}{date:%Y%m%d}"

        def shift(name: str) -> str:
            return re.sub(rf"^({PREFIX}-|{OTHER}-)(\d{{8}})", older, name)

        keys = [{**key, "label": shift(key["label"])} for key in self.account()]
        self.simulator.change_account("shop", keys=keys)
        self.settings["rejected"] = [shift(name) for name in self.settings.get("rejected", [])]

    def disk(self) -> list[Any]:
        """Content and metadata of all files of hosts and holder; any write changes them."""
        found = []
        for root, _folders, files in os.walk(self.directory):
            for path in (Path(root, name) for name in files):
                if path.is_relative_to(self.directory / "controller"):
                    continue
                status = path.stat()
                found.append((str(path), path.read_bytes(), status.st_ino, status.st_mtime_ns, status.st_mode))
        return sorted(found)

    def digest(self) -> str:
        """Everything that a later run could see, independent of the random values of the keys."""
        keys = self.account()
        files = json.dumps([[path, data.decode(), mode] for path, data, _ino, _time, mode in self.disk()])
        for key in keys:
            for half in ("public", "private"):
                files = files.replace(key[half], f"{half} of {key['label']} {key['uid']}")
        return json.dumps([sorted((k["label"], k["uid"], k["enabled"]) for k in keys), files])


def ours(key: Mapping[str, Any]) -> bool:
    """Whether a rotation may change the key."""
    return re.fullmatch(rf"{PREFIX}-\d{{8}}(-\d+)?", key["label"]) is not None and not key["uid"]
