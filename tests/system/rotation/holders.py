# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External holders of a fleet: the files of docs/holders with stand-ins for their services, and one that records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from place import ROOT
from system.control import Run
from system.rotation.lab import Fleet
from system.services.serving import Service, serving

EXAMPLES = ROOT / "docs" / "holders"
TOKEN = "made-up-token-of-somebody"
# It records its name and phase, the label, and the key that the first host has at that time.
RECORDER = r"""
- name: Record the call
  ansible.builtin.shell:
    cmd: |
      set -u
      key=$(sed -n 's/.*"username": "\([^"]*\)".*/\1/p' "$FIRST")
      printf '%s\n' "$NAME|$PHASE|$LABEL|$key" >> calls
      test ! -e "refuse-$PHASE-$NAME"
      case $? in 0) ;; *) exit 1;; esac
      case "$PHASE" in
        confirm) test "$(cat "has-$NAME")" = "$PAIR";;
        publish) printf '%s' "$PAIR" > "has-$NAME";;
      esac
    chdir: "{{ recorder_directory }}"
  environment:
    FIRST: "{{ recorder_first }}"
    NAME: "{{ holder_name }}"
    PHASE: "{{ holder_phase }}"
    LABEL: "{{ holder_label }}"
    PAIR: "{{ holder_public_key }}:{{ holder_private_key }}"
"""


@dataclass
class Recorder:
    """Holders that store their pairs in files of ``directory``."""

    fleet: Fleet
    directory: Path

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.tasks = self.write("recorder.yml", RECORDER)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def holder(self, name: str, **how: Any) -> dict[str, Any]:
        """An item of ``external_holders``; without ``how``, it runs the recorder's tasks."""
        return {"name": name, **(how or {"tasks": str(self.tasks)})}

    def run(self, playbook: str, *words: str, holders: list[dict[str, Any]], **more: Any) -> Run:
        """Run a playbook with these holders, without ``external_holders_acknowledged``."""
        settings = {"external_holders": holders, "external_holders_acknowledged": False, **more.pop("settings", {})}
        variables = {"recorder_directory": str(self.directory), "recorder_first": str(self.fleet.file("web1"))}
        return self.fleet.run(playbook, *words, settings=settings, **{**variables, **more})

    def calls(self) -> list[tuple[str, ...]]:
        """All calls since the last query: name, phase, label, and the label of the first host's key."""
        path, labels = self.directory / "calls", self.fleet.labels()
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        rows = [line.split("|") for line in lines]
        return [(name, phase, label, labels[key]) for name, phase, label, key in rows]

    def phases(self) -> list[tuple[str, str]]:
        """The same calls: name and phase only."""
        return [(name, phase) for name, phase, _label, _first in self.calls()]

    def refuse(self, phase: str, name: str) -> Path:
        """Make a phase of the holder fail, until the returned file is removed."""
        return self.write(f"refuse-{phase}-{name}", "")

    def has(self, name: str) -> str | None:
        """The label of the pair that a holder has."""
        path = self.directory / f"has-{name}"
        pairs = {f"{key['public']}:{key['private']}": key["label"] for key in self.fleet.at_account()}
        return str(pairs[path.read_text()]) if path.exists() else None


@dataclass
class ExampleHolder:
    """A service, and the variables and task file of its example."""

    service: Any  # GitLab or KV2
    variables: dict[str, Any]
    tasks: str


def example(name: str) -> list[dict[str, Any]]:
    """``external_holders`` with one of the files of docs/holders."""
    return [{"name": "somebody", "tasks": str(EXAMPLES / name)}]


def pair_of(fleet: Fleet, label: str) -> tuple[str, str]:
    """Public and private key of a key of the account."""
    (key,) = [key for key in fleet.at_account() if key["label"] == label]
    return key["public"], key["private"]


def entry_of(value: str) -> tuple[str, str]:
    """The pair in a value of COMPOSER_AUTH."""
    entry = json.loads(value)["http-basic"]["repo.magento.com"]
    return entry["username"], entry["password"]


def use_hosts(fleet: Fleet, *names: str) -> None:
    """Use fewer hosts, which is faster; the calls of holders do not depend on the number of hosts."""
    fleet.names = names
    fleet.settings["expected_hosts"] = list(names)


def example_holder(
    service: Service, directory: Path, tasks: str, prefix: str, **variables: Any
) -> Iterator[ExampleHolder]:
    directory.mkdir()
    (directory / "token").write_text(f"{service.token}\n")
    with serving(service, directory) as address:
        common = {"host": address, "ca_path": str(directory / "ca.pem")}
        # Includes the line break at the end of the file.
        token = f"{{{{ lookup('ansible.builtin.file', '{directory}/token', rstrip=false) }}}}"
        given = {**common, "token": token, **variables}
        yield ExampleHolder(service, {f"{prefix}_{name}": value for name, value in given.items()}, tasks)
