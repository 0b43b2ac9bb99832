# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader of the documentation has: a directory with an inventory and a vault, a terminal, and the simulator."""

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
from _auth_lab import auth
from _control import PYTHON, Run
from _examples import Example, examples_in
from _examples_machine import HYVA, USERS, namespaces

from place import ROOT, Workspace, linked_collections
from simulator.accounts import fake_key, fake_token

needs_world = pytest.mark.needs("root", "unshare", "nsenter", "ip", "sudo", "update-ca-certificates")
PASSWORD = "made-up password of the vault"
LIMIT = 600
"""Seconds after which a command is taken to hang."""
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
collections_path = {linked_collections()}:{Path(__file__).with_name("stand_ins")}
callbacks_enabled = record
callback_plugins = {Path(__file__).with_name("callbacks")}
[connection]
pipelining = true
"""


def account(*labels: str) -> dict[str, Any]:
    """The reader's account: the pair of README.md, the one that was made by hand, and pairs with these labels."""
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
    """Commands run in ``cwd``, the reader's own directory."""

    cwd = "/srv/automation"

    def __init__(self, top: Path, pid: int, servers: contextlib.ExitStack) -> None:
        self._top = top
        self._mounts = ["nsenter", f"--target={pid}", "--mount"]
        self._servers = servers
        self.path(self.cwd).mkdir()
        self.inventory("web1")
        self.write("ansible.cfg", CONFIG)

    def path(self, name: str) -> Path:
        """Where a path of the world lies for this process."""
        return self._top / name.lstrip("/")

    def write(self, name: str, content: Any) -> None:
        """A file in the reader's directory: an example or text as it is, anything else as YAML."""
        path = self.path(f"{self.cwd}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content.text if isinstance(content, Example) else content
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))

    def inventory(self, *hosts: str, group: str = "web") -> None:
        """Hosts that all are this machine."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": PYTHON}
        self.write("inventory.yml", {group: {"hosts": dict.fromkeys(hosts), "vars": local}})

    def vault(self, **more: Any) -> None:
        """``vault.yml``, encrypted."""
        self.write("vault-password", PASSWORD + "\n")
        self.write("vault.yml", {**SECRETS, **more})
        self.done("ansible-vault encrypt vault.yml")

    def run(self, example: Example | str, *, user: str = "root", cwd: str | None = None, **environ: str) -> Run:
        """Runs what is to be typed in a shell, as this user, on a terminal."""
        text = example if isinstance(example, str) else example.text
        record = self.path("/srv/record")
        record.unlink(missing_ok=True)
        # A prompt for the password is answered; who is not asked is told where it is.
        if "vault-pass" not in text and self.path(f"{self.cwd}/vault-password").exists():
            environ = {"ANSIBLE_VAULT_PASSWORD_FILE": f"{self.cwd}/vault-password", **environ}
        with self._terminal(text, user, cwd, environ) as command:
            status, output = _ended(command)
        lines = record.read_text().splitlines() if record.exists() else []
        return Run(status, output, [json.loads(line) for line in lines])

    def done(self, example: Example | str, **options: Any) -> Run:
        """The same for what must work."""
        run = self.run(example, **options)
        assert run.status == 0, run.output
        return run

    def twice(self, example: Example | str, **options: Any) -> Run:
        """The same for what must change something, and nothing when it is run again. Returns the first run."""
        first = self.done(example, **options)
        assert changed(first), first.output
        again = self.done(example, **options)
        assert again.record and not changed(again), again.output
        return first

    def clone(self) -> str:
        """Where a copy of what git knows of the collection lies."""
        workspace = Workspace()
        shutil.copytree(workspace.collection, self.path("/srv/clone"))
        workspace.close()
        return "/srv/clone"

    def install(self, commands: Example | str, *, times: int = 1) -> None:
        """Runs the commands of README.md in a clone. The path is the default, as long as nobody has set another."""
        clone = self.clone()
        for _again in range(times):
            self.done(commands, cwd=clone, ANSIBLE_COLLECTIONS_PATH="/home/root/.ansible/collections")

    def playbook(self, example: Example, *words: str) -> str:
        """A command that runs an example: a play, or tasks in the reader's play."""
        text = example.text
        if "hosts" not in yaml.safe_load(text)[0]:
            indented = "".join(f"    {line}" for line in text.splitlines(keepends=True))
            text = f"- hosts: web\n  gather_facts: false\n  tasks:\n{indented}"
        self.write("example.yml", text)
        return " ".join(["ansible-playbook", "example.yml", *words])

    def serve(self, *labels: str) -> None:
        """The simulator under the real names, with the reader's account."""
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
        """What serves in the foreground until it is interrupted. ``network``: in the machine's own, not the world's."""
        text = example if isinstance(example, str) else example.text
        with self._terminal(text, "root", cwd, environ, network=network) as command:
            while not (self.path(state) / "address").exists():
                command.expect_exact(pexpect.TIMEOUT, timeout=0.1)
            yield
            command.sendintr()
            status, output = _ended(command)
        assert status == 0, output

    def simulator(self, words: str, state: str = "/srv/simulator") -> str:
        """The output of a command that steers the simulator."""
        command, _space, rest = words.partition(" ")
        return self.done(f"python {ROOT}/tests/simulator {command} --state {state} {rest}").output

    def keys(self) -> dict[str, dict[str, Any]]:
        """The keys of the reader's account by label."""
        return {key["label"]: key for key in json.loads(self.simulator("account show reader"))["keys"]}

    def give(self, user: str, key: Mapping[str, Any]) -> None:
        """This key in the file of a user, without a module."""
        uid, home = USERS[user]
        path = self.path(f"{home}/.composer/auth.json")
        path.parent.mkdir(mode=0o700)
        path.write_text(auth(key["public"], key["private"]))
        path.chmod(0o600)
        for one in (path.parent, path):
            os.chown(one, uid, uid)

    def installed(self, user: str, repository: str = "repo.magento.com") -> str:
        """The public key in the file of a user."""
        uid, home = USERS[user]
        path = self.path(f"{home}/.composer/auth.json")
        found = path.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o600, uid), found
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
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "True",
            "RECORD": "/srv/record",
            # As docs/automation-platform.md says: requests brings a bundle of its own.
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


def _ended(command: pexpect.spawn[str]) -> tuple[int, str]:
    """The exit status of a command and its output, with somebody who types passwords."""
    while command.expect([r"(?i)password[^\n]*: \Z", pexpect.EOF]) == 0:
        command.sendline(PASSWORD)
    assert isinstance(command.logfile_read, io.StringIO)
    output = command.logfile_read.getvalue().replace("\r\n", "\n")
    status = command.wait()
    assert status is not None, f"ended by a signal:\n{output}"
    return status, output


def changed(run: Run) -> list[dict[str, Any]]:
    """The results that say that something has changed."""
    return [one for one in run.record if one["result"].get("changed")]


@contextlib.contextmanager
def made(machine: Path, *, trusting: bool) -> Iterator[World]:
    """A world, and the end of what serves there."""
    with namespaces(machine, trusting=trusting) as (top, pid), contextlib.ExitStack() as servers:
        yield World(top, pid, servers)


@pytest.fixture
def world(machine: Path) -> Iterator[World]:
    """A machine that knows the real names and trusts the simulator."""
    with made(machine, trusting=True) as one:
        yield one


@pytest.fixture
def plain_world(machine: Path) -> Iterator[World]:
    """A machine that does not know of the simulator."""
    with made(machine, trusting=False) as one:
        yield one
