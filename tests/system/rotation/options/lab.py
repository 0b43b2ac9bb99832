# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet with a hostile inventory entry for localhost, external holders, and a record of the options of modules."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from system.control import Control, Run
from system.rotation.lab import OLD, Fleet

UID = "000FAKE0SHOP000@AdobeOrg"
PACKAGE = "magento/product-community-edition"
LOCALHOST = {
    "ansible_connection": "ssh",
    "ansible_host": "127.0.0.1",
    "ansible_port": 1,
    "ansible_become": True,
    "ansible_become_user": "nobody-at-all",
    "ansible_python_interpreter": "/nowhere/python",
}
"""An inventory entry for localhost that plays of the controller must ignore."""


@dataclass
class Recorded(Control):
    """``given`` has the options of all modules in the last run, including secrets."""

    localhost: dict[str, Any] = field(default_factory=lambda: dict(LOCALHOST))
    given: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The facts of hosts in the fact cache."""

    def inventory(self) -> Path:
        path = super().inventory()
        whole = yaml.safe_load(path.read_text())
        whole["all"]["hosts"] = {"localhost": self.localhost, "spare": {"ansible_connection": "local"}}
        return self.write(path.name, whole)

    def run(self, program: str, *words: str, **environ: str) -> Run:
        file = self.directory / "arguments"
        file.unlink(missing_ok=True)
        if self.facts:
            environ |= {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self._cache())}
        run = super().run(
            program,
            *words,
            ANSIBLE_CALLBACKS_ENABLED="record,arguments",
            ANSIBLE_ROLES_PATH=str(self.directory / "roles"),
            ARGUMENTS=str(file),
            **environ,
        )
        self.given = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return run

    def _cache(self) -> Path:
        directory = self.directory / "facts"
        directory.mkdir(exist_ok=True)
        for host, facts in self.facts.items():
            # The format of ansible-core 2.19 and newer.
            (directory / f"s1_{host}").write_text(json.dumps({"__payload__": json.dumps(facts)}))
        return directory

    def arguments(self, task: str, host: str = "localhost") -> list[dict[str, Any]]:
        """The options that a task passed to its module, for each execution."""
        found = [line["args"] for line in self.given if (line["host"], line["task"]) == (host, task)]
        return [{name: value for name, value in args.items() if name[0] != "_"} for args in found]

    def keywords(self, task: str, name: str, host: str = "localhost") -> list[Any]:
        """The keyword (check_mode, diff or no_log) with which a task ran, for each execution."""
        found = [line["args"] for line in self.given if (line["host"], line["task"]) == (host, task)]
        return [args[f"_ansible_{name}"] for args in found]

    def holders(self, directory: Path) -> list[dict[str, str]]:
        """Two external holders, a role and a task file, that store their variables in ``directory``."""
        directory.mkdir()
        names = ("name", "label", "public_key", "private_key")
        content = "{{ {" + ", ".join(f"'{name}': holder_{name}" for name in names) + "} | to_json }}"
        path = f"{directory}/{{{{ holder_name }}}}.json"
        tasks = [
            {"name": "Show everything", "ansible.builtin.debug": {"msg": "{{ holder_phase }} " + content}},
            {
                "name": "Store the pair",
                "ansible.builtin.copy": {"dest": path, "content": content, "mode": "0600"},
                "when": "holder_phase == 'publish'",
            },
            {
                "name": "Check for the pair",
                "ansible.builtin.command": {"argv": ["grep", "-q", "{{ holder_public_key }}", path]},
                "when": "holder_phase == 'confirm'",
                "changed_when": False,
            },
        ]
        role = self.directory / "roles" / "holder" / "tasks"
        role.mkdir(parents=True)
        (role / "keep.yml").write_text(yaml.safe_dump(tasks))
        # The tasks of a holder without tasks_from.
        (role / "main.yml").write_text(yaml.safe_dump([{"ansible.builtin.fail": {"msg": "main"}}]))
        file = self.write("holder.yml", tasks)
        return [{"name": "ci", "role": "holder", "tasks_from": "keep"}, {"name": "vault", "tasks": str(file)}]


def set_every_setting(fleet: Fleet) -> tuple[str, str]:
    """Give each setting of the account a value. Returns the pair `OLD` of `UID`; the account has a key `OLD`, too."""
    pair = fleet.simulator.add_key("shop", OLD, uid=UID)
    for name in fleet.names:
        fleet.give(name, *pair)
    fleet.settings |= {
        "expected_hosts": list(fleet.names),
        "uid": UID,
        "environment": "sandbox",
        "validate_certs": False,
        "timeout": 17.5,
        "packages": [PACKAGE],
    }
    return pair


def series(fleet: Fleet) -> dict[str, bool]:
    """Whether each key of the series is enabled, by owner and label."""
    return {
        " ".join(filter(None, (k["uid"], k["label"]))): k["enabled"]
        for k in fleet.at_account()
        if OLD[:6] in k["label"]
    }


def outcomes(run: Run, task: str) -> list[str]:
    """The outcome of a task, for each execution."""
    return [r["outcome"] for r in run.record if r["task"].split(" : ")[-1] == task]


def recorded_control(fleet: Fleet) -> Recorded:
    """The controller of a fleet that uses the fixture of this module."""
    assert isinstance(fleet.control, Recorded)
    return fleet.control


def expected_settings(fleet: Fleet) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that a module on localhost gets, and the subset for the account."""
    settings = fleet.settings | {"application_secret": fleet.secret, "search": ["/nowhere"]}
    names = ("application_id", "application_secret", "environment", "api_url", "ca_path", "validate_certs", "timeout")
    return settings, {name: settings[name] for name in names}


def no_implicit_tasks(run: Run, *besides: str) -> None:
    """Assert that Ansible added no tasks: it gathered no facts, and validated no arguments of roles."""
    tasks = [r["task"] for r in run.record if "gather" in r["action"].lower() or "Validating" in r["task"]]
    assert [task for task in tasks if not any(word in task for word in besides)] == [], run.output
