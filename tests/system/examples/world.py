# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of a reader: a directory with an inventory and a vault, a terminal, and the simulator."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from environments import COMPILED
from place import ROOT, Workspace, linked_collections
from simulator.accounts import fake_key, fake_token
from system.auth_key.lab import auth
from system.control import PYTHON, Run
from system.examples.documents import Example, examples_in
from system.examples.machine import HYVA, USERS, namespaces

needs_world = pytest.mark.needs("root", "unshare", "nsenter", "ip", "sudo", "update-ca-certificates")
PASSWORD = "made-up password of the vault"
LIMIT = 600
"""Seconds after which a command is considered to hang."""
README_PAIR: dict[str, str] = yaml.safe_load(examples_in("README.md")["A playbook"][0].content)
LAPTOP = {"label": "laptop of J. Doe", "public": README_PAIR["vault_magento_public_key"],
          "private": README_PAIR["vault_magento_private_key"]}  # fmt: skip
APPLICATION = {"name": "automation", "id": "APPFAKE001", "secret": fake_token("application")}
MAGE_ID, TOKEN = "MAG123456789", fake_token("reader")
API = {"MAGENTO_APPLICATION_ID": APPLICATION["id"], "MAGENTO_APPLICATION_SECRET": APPLICATION["secret"]}
NEW = fake_key("reader", "made by hand", "public")
SECRETS = {
    **README_PAIR,
    "vault_hyva_token": fake_key("hyva", "web", "private"),
    "vault_magento_mage_id": MAGE_ID,
    "vault_magento_download_token": TOKEN,
    "vault_application_id": APPLICATION["id"],
    "vault_application_secret": APPLICATION["secret"],
    "vault_new": {"public_key": NEW, "private_key": fake_key("reader", "made by hand", "private")},
}
CONFIG = f"""\
[defaults]
inventory = inventory.yml
gathering = explicit
collections_path = {linked_collections()}:{ROOT}/tests/system/services
callbacks_enabled = record
callback_plugins = {ROOT}/tests/system/callbacks
[connection]
pipelining = true
"""


def account(*labels: str) -> dict[str, Any]:
    """The reader's account: the pair of README.md, the key `made by hand`, and keys with these labels."""
    keys = [LAPTOP, *({"label": label} for label in ("made by hand", *labels))]
    return {
        "name": "reader", "mage_id": MAGE_ID, "download_token": TOKEN, "applications": [APPLICATION],
        "entitlements": ["magento/*"], "keys": keys,
    }  # fmt: skip


VENDOR = {
    "name": "hyva", "hosts": [f"{HYVA}/my-shop"], "entitlements": ["exampleworks/*"],
    "keys": [{"label": "web", "public": "token"}],
}  # fmt: skip


class World:
    """A reader's machine. Commands run in ``cwd``, the reader's own directory."""

    cwd = "/srv/automation"

    def __init__(self, top: Path, pid: int, servers: contextlib.ExitStack) -> None:
        self._top = top
        self._mounts = ["nsenter", f"--target={pid}", "--mount"]
        self._servers = servers
        self.path(self.cwd).mkdir()
        self.inventory("web1")
        self.write("ansible.cfg", CONFIG)

    def path(self, name: str) -> Path:
        """The path, outside of the namespaces, of a file of the world."""
        return self._top / name.lstrip("/")

    def write(self, name: str, content: Any) -> None:
        """Write a file to the reader's directory: an example or text unchanged, anything else as YAML."""
        path = self.path(f"{self.cwd}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content.text if isinstance(content, Example) else content
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))

    def inventory(self, *hosts: str, group: str = "web") -> None:
        """Write an inventory in which all hosts are this machine."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": PYTHON}
        self.write("inventory.yml", {group: {"hosts": dict.fromkeys(hosts), "vars": local}})

    def vault(self, **more: Any) -> None:
        """Write an encrypted ``vault.yml``."""
        self.write("vault-password", PASSWORD + "\n")
        self.write("vault.yml", {**SECRETS, **more})
        self.done("ansible-vault encrypt vault.yml")

    def run(self, example: Example | str, *, user: str = "root", cwd: str | None = None, **environ: str) -> Run:
        """Run an example or a command in a shell, as this user, on a terminal."""
        text = example if isinstance(example, str) else example.text
        record = self.path("/srv/record")
        record.unlink(missing_ok=True)
        # Prompts for the password are answered. A command that does not prompt gets the password file.
        if "vault-pass" not in text and self.path(f"{self.cwd}/vault-password").exists():
            environ = {"ANSIBLE_VAULT_PASSWORD_FILE": f"{self.cwd}/vault-password", **environ}
        with self._terminal(text, user, cwd, environ) as command:
            status, output = _wait(command)
        lines = record.read_text().splitlines() if record.exists() else []
        return Run(status, output, [json.loads(line) for line in lines])

    def done(self, example: Example | str, **options: Any) -> Run:
        """Like `run`, for a command that must exit with 0."""
        run = self.run(example, **options)
        assert run.status == 0, run.output
        return run

    def twice(self, example: Example | str, **options: Any) -> Run:
        """Like `done`, for a command that must change something, and nothing in a second run. Returns the first run."""
        first = self.done(example, **options)
        assert changed(first), first.output
        again = self.done(example, **options)
        assert again.record and not changed(again), again.output
        return first

    def clone(self) -> str:
        """Copy the files of the collection that are in git. Returns the path of the copy."""
        workspace = Workspace()
        shutil.copytree(workspace.collection, self.path("/srv/clone"))
        workspace.close()
        return "/srv/clone"

    def install(self, commands: Example | str, *, times: int = 1) -> None:
        """Run the commands of README.md in a clone. The collections path is the default of ansible-core."""
        clone = self.clone()
        for _time in range(times):
            self.done(commands, cwd=clone, ANSIBLE_COLLECTIONS_PATH="/home/root/.ansible/collections")

    def playbook(self, example: Example, *words: str) -> str:
        """Write an example, a play or tasks, to a playbook. Returns the command that runs it."""
        text = example.text
        if "hosts" not in yaml.safe_load(text)[0]:
            indented = "".join(f"    {line}" for line in text.splitlines(keepends=True))
            text = f"- hosts: web\n  gather_facts: false\n  tasks:\n{indented}"
        self.write("example.yml", text)
        return " ".join(["ansible-playbook", "example.yml", *words])

    def serve(self, *labels: str) -> None:
        """Start the simulator under the real host names, with the reader's account."""
        self.write("simulator.json", json.dumps({"accounts": [account(*labels), VENDOR]}))
        options = f"--listen 127.0.0.1:443 --name {HYVA} --data simulator.json"
        command = f"python {ROOT}/tests/simulator serve --state /srv/simulator {options}"
        self._servers.enter_context(self.serving(command))

    @contextlib.contextmanager
    def serving(
        self,
        example: Example | str,
        state: str = "/srv/simulator",
        *,
        network: bool = False,
        cwd: str | None = None,
        **environ: str,
    ) -> Iterator[None]:
        """Run a server in the foreground, and interrupt it at the end. ``network``: in the network of the machine."""
        text = example if isinstance(example, str) else example.text
        with self._terminal(text, "root", cwd, environ, network=network) as command:
            while not (self.path(state) / "address").exists():
                command.expect_exact(pexpect.TIMEOUT, timeout=0.1)
            yield
            command.sendintr()
            status, output = _wait(command)
        assert status == 0, output

    def simulator(self, words: str, state: str = "/srv/simulator") -> str:
        """Run a command of the simulator. Returns its output."""
        command, _space, rest = words.partition(" ")
        return self.done(f"python {ROOT}/tests/simulator {command} --state {state} {rest}").output

    def keys(self) -> dict[str, dict[str, Any]]:
        """The keys of the reader's account, by label."""
        return {key["label"]: key for key in json.loads(self.simulator("account show reader"))["keys"]}

    def give(self, user: str, key: Mapping[str, Any]) -> None:
        """Write this key to the auth.json of a user, without a module."""
        uid, home = USERS[user]
        path = self.path(f"{home}/.composer/auth.json")
        path.parent.mkdir(mode=0o700)
        path.write_text(auth(key["public"], key["private"]))
        path.chmod(0o600)
        for entry in (path.parent, path):
            os.chown(entry, uid, uid)

    def installed(self, user: str, repository: str = "repo.magento.com") -> str:
        """The public key in the auth.json of a user."""
        uid, home = USERS[user]
        path = self.path(f"{home}/.composer/auth.json")
        status = path.stat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o600, uid), status
        return str(json.loads(path.read_text())["http-basic"][repository]["username"])

    def _terminal(
        self, text: str, user: str, cwd: str | None, environ: Mapping[str, str], *, network: bool = False
    ) -> pexpect.spawn[str]:
        variables = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": USERS[user][1],
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "ANSIBLE_CONFIG": f"{self.cwd}/ansible.cfg",
            "ANSIBLE_NOCOLOR": "1",
            "PAGER": "cat",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(COMPILED),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "True",
            "RECORD": "/srv/record",
            # requests uses a CA bundle of its own: see docs/automation-platform.md.
            "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
            **environ,
        }
        command = [*self._mounts, *([] if network else ["--net"]), "env", "-i", f"--chdir={cwd or self.cwd}"]
        command += [f"{name}={value}" for name, value in variables.items()]
        if user != "root":
            command += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        command += ["bash", "-ec", text]
        spawned = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8", codec_errors="replace")
        spawned.logfile_read = io.StringIO()
        return spawned


def _wait(command: pexpect.spawn[str]) -> tuple[int, str]:
    """Wait for a command, and answer its password prompts. Returns the exit status and the output."""
    while command.expect([r"(?i)password[^\n]*: \Z", pexpect.EOF]) == 0:
        command.sendline(PASSWORD)
    assert isinstance(command.logfile_read, io.StringIO)
    output = command.logfile_read.getvalue().replace("\r\n", "\n")
    status = command.wait()
    assert status is not None, f"killed by a signal:\n{output}"
    return status, output


def changed(run: Run) -> list[dict[str, Any]]:
    """The results with ``changed``."""
    return [line for line in run.record if line["result"].get("changed")]


@contextlib.contextmanager
def new_world(machine: Path, *, trusting: bool) -> Iterator[World]:
    """A world, whose servers are stopped at the end."""
    with namespaces(machine, trusting=trusting) as (top, pid), contextlib.ExitStack() as servers:
        yield World(top, pid, servers)
