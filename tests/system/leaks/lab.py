# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection and searches everything that leaves a run for planted secrets."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leaks import syslog_socket
from leaks.forms import Secret
from leaks.watched import Watched, watched_run
from place import linked_collections
from simulator.client import Simulator

MODULE = "keyfleet.magento.magento_auth_key"
INFO = "keyfleet.magento.magento_auth_key_info"
ROLE = "keyfleet.magento.magento_auth"
# Channels that must contain data in every run; otherwise a clean result means nothing.
SEEN = ("output", "log", "argv", "environment")
LOGGED = ("syslog",) if syslog_socket.lacking() is None else ()


def made_up(word: str, digits: int = 32) -> str:
    """Hex digits that no other process on this machine searches for at the same time."""
    return hashlib.sha256(f"{os.getpid()}/{word}".encode()).hexdigest()[:digits]


NEW = ["new 1", "new/2"]
APPLICATION = ("APP" + made_up("application id", 7).upper(), made_up("application secret", 40))
# The tokens of all sessions that a run may open.
TOKENS = [f"made-up-session-{n}." + hashlib.sha256(f"session/{n}".encode()).hexdigest()[:20] for n in range(1, 60)]
PUBLIC = {name: made_up(f"{name} public") for name in ("first", "second")}
# Secrets that the tests pass, in variables with these names and the prefix vault_.
GIVEN = {
    "first": made_up("first private"),
    "second": made_up("second private"),
    "wrong": made_up("wrong private"),
    "download_token": made_up("download token", 40),
    "upper_case": made_up("upper case").upper(),
    "vendor": f'made up/{made_up("vendor", 8)} "pass" \\ wörd & more',
    "sign_in": f"{made_up('sign in', 12)}@shop.example",
}
# Secrets of other entries in the files, or in malformed files.
FOREIGN = {
    name: f"{name}-{made_up(name, 24)}"
    for name in ("basic", "bearer", "github", "gitlab", "gitlab_user", "bitbucket", "header", "passphrase", "broken")
}
VAULT_PASSWORD = f"vault password {made_up('vault')}"
SECRETS = [
    *(Secret(name, value, user=PUBLIC.get(name, PUBLIC["first"])) for name, value in GIVEN.items()),
    *(Secret(f"foreign {name}", value, user="made-up-user") for name, value in FOREIGN.items()),
    Secret("vault password", VAULT_PASSWORD),
]
OTHERS: dict[str, Any] = {
    "http-basic": {"packages.other.example": {"username": "made-up-user", "password": FOREIGN["basic"]}},
    "bearer": {"bearer.other.example": FOREIGN["bearer"]},
    "github-oauth": {"github.com": FOREIGN["github"]},
    "gitlab-token": {
        "gitlab.com": FOREIGN["gitlab"],
        "gitlab.other.example": {"username": "made-up-user", "token": FOREIGN["gitlab_user"]},
    },
    "bitbucket-oauth": {
        "bitbucket.org": {"consumer-key": "made-up-consumer", "consumer-secret": FOREIGN["bitbucket"]},
    },
    "custom-headers": {"headers.other.example": [f"X-Made-Up: {FOREIGN['header']}"]},
    "client-certificate": {"tls.other.example": {"local_cert": "/none.pem", "passphrase": FOREIGN["passphrase"]}},
}


_vaults: list[str] = []


def _encrypted(password_file: str) -> str:
    """The vault, encrypted only once because starting Ansible is slow."""
    if not _vaults:
        content = {f"vault_{name}": value for name, value in GIVEN.items()}
        content |= {f"vault_{name}_public": value for name, value in PUBLIC.items()}
        program = str(Path(sys.executable).parent / "ansible-vault")
        command = [program, "encrypt", "--vault-password-file", password_file]
        done = subprocess.run(command, input=json.dumps(content), check=True, capture_output=True, text=True)
        _vaults.append(done.stdout)
    return _vaults[0]


class Lab:
    """Hosts with a local connection, files to install into, and the secrets in an encrypted vault."""

    def __init__(self, top: Path, simulator: Simulator) -> None:
        self.top = top
        self.simulator = simulator
        self.secrets = list(SECRETS)
        self.projects = top / "projects"
        self.projects.mkdir(mode=0o755)
        self.scratch = top / "scratch"
        for name, private in (("first", GIVEN["first"]), ("second", GIVEN["second"])):
            simulator.add_key("shop", name, public=PUBLIC[name], private=private)
        password = self._private_file("vault-password", VAULT_PASSWORD)
        vault = self._private_file("vault.yml", _encrypted(str(password)))
        self._vault = ["-e", f"@{vault}", "--vault-password-file", str(password)]

    def _private_file(self, name: str, content: str) -> Path:
        path = self.top / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    @property
    def ask(self) -> dict[str, Any]:
        """The options that select the simulator."""
        return {"url": self.simulator.url, "ca_path": self.simulator.ca_path}

    def project(self, name: str, content: object = None) -> str:
        """The directory of a project; ``content`` (text, or data for JSON) is its auth.json."""
        path = self.projects / name
        path.mkdir(mode=0o755)
        if content is not None:
            (path / "auth.json").write_text(content if isinstance(content, str) else json.dumps(content, indent=4))
            (path / "auth.json").chmod(0o600)
        return str(path)

    def run(self, command: Sequence[str], env: Mapping[str, str] | None = None, timeout: float = 120.0) -> Watched:
        """Runs one command of Ansible with inventory and vault."""
        program = Path(sys.executable).parent / command[0]
        words: list[str | Path] = [program, *command[1:], "-i", "web,", "-c", "local", *self._vault]
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(linked_collections()),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            **(env or {}),
        }
        return watched_run(words, secrets=self.secrets, scratch=self.scratch, env=settings, timeout=timeout)

    def play(
        self, tasks: Sequence[dict[str, Any]], *options: str, env: Mapping[str, str] | None = None
    ) -> tuple[Watched, dict[str, Any]]:
        """Runs all tasks, even if some (except blocks) fail, and returns their registered results."""
        names = [task["register"] for task in tasks if "register" in task]
        answers = ", ".join(f"'{name}': {name} | default(none)" for name in names)
        keep = {
            "name": "Keep the results",
            "ansible.builtin.copy": {
                "content": "{{ {" + answers + "} | to_nice_json }}",
                "dest": "{{ lookup('env', 'RESULTS') }}/results.json",
                "mode": "0644",
            },
        }
        ignore = {"ignore_errors": True, "ignore_unreachable": True}
        tolerant = [task if "block" in task else {**task, **ignore} for task in tasks]
        playbook = self.top / "play.json"
        playbook.write_text(json.dumps([{"hosts": "web", "gather_facts": False, "tasks": [*tolerant, keep]}], indent=1))
        watched = self.run(["ansible-playbook", str(playbook), *options], env)
        results = self.scratch / "results" / "results.json"
        assert results.exists(), f"the playbook did not finish (exit status {watched.status})"
        return watched, json.loads(results.read_text())


def access(simulator: Simulator) -> dict[str, Any]:
    """The options of the API, with secrets only in variables."""
    return {
        "application_id": "{{ api_id }}",
        "application_secret": "{{ api_secret }}",
        "api_url": simulator.marketplace_url,
        "ca_path": simulator.ca_path,
    }
