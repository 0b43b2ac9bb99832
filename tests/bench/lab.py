# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are directories of this machine, with users of their own, and the ansible-playbook of this environment."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measure import Bench, Cost, run
from place import linked_collections

ROLE = "keyfleet.magento.magento_auth"
REPOSITORY = "repo.magento.com"
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or f"{sys.base_prefix}/bin/python3"
"""A Python as hosts have it."""
PAIRS = (("facade00" * 4, "decade00" * 4), ("facade11" * 4, "decade11" * 4))
"""Fake."""
USERS, PROJECTS, FIRST_UID = 3, 2, 20000
RECAP = re.compile(r"^(\w+) +: ok=(\d+) +changed=(\d+) +unreachable=0 +failed=0 ", re.MULTILINE)
ANSIBLE = {
    "ANSIBLE_LOCALHOST_WARNING": "False",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_ROLES_PATH": str(Path(__file__).with_name("roles")),
    "no_proxy": "*",
}


def in_namespace() -> bool:
    """Whether this process may mount files over those of the machine, which nobody else sees."""
    return os.environ.get("KEYFLEET_BENCH_NAMESPACE") in ("mounts", "network")


def enter_namespace() -> None:
    """Starts this program again in namespaces of its own for mounts and, with iproute2, for the network, if it runs as
    root and the machine allows that.

    Not as another user: in a user namespace, the directories of root belong to nobody, and the modules refuse that.
    """
    if os.geteuid() != 0 or in_namespace():
        return
    for kind, options, first in (("network", ["--net"], "ip link set lo up && tc qdisc show"), ("mounts", [], "true")):
        command = ["unshare", "--mount", *options, "--propagation", "private", "sh", "-c"]
        if not _succeeds(*command, f"mount --bind /etc /etc && {first}"):
            continue
        os.environ["KEYFLEET_BENCH_NAMESPACE"] = kind
        os.execvp(command[0], [*command, f'{first} >/dev/null; exec "$@"', "sh", sys.executable, *sys.argv])


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def gigabit() -> Iterator[bool]:
    """Limits connections to 1 Gbit/s within the context. False if this process has no network of its own."""
    own = os.environ.get("KEYFLEET_BENCH_NAMESPACE") == "network"
    words = ["root", "tbf", "rate", "1gbit", "burst", "1mb", "latency", "50ms"]
    own = own and _succeeds("tc", "qdisc", "add", "dev", "lo", *words)
    try:
        yield own
    finally:
        if own:
            subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


class Lab:
    """``count`` hosts h0, h1, …: each has projects, and users if this process may add accounts for itself alone.

    All files have the pair `PAIRS[installed]`.
    """

    def __init__(self, bench: Bench, name: str, count: int, *, accounts: bool = True) -> None:
        self.directory = bench.directory / name
        self.directory.mkdir()
        self.installed = 0
        self.hosts: dict[str, dict[str, Any]] = {}
        self._accounts = accounts and bench.accounts
        if accounts and not bench.accounts:
            bench.notes.append(f"{name}: users, which need root and a mount namespace; a host has only projects")
        uids: dict[str, int] = {}
        for number in range(count):
            root = self.directory / f"h{number}"
            users = [f"kfbench{number}x{user}" for user in range(USERS if self._accounts else 0)]
            uids |= {user: FIRST_UID + len(uids) + place for place, user in enumerate(users)}
            homes = [root / "home" / user / ".config" / "composer" for user in users]
            projects = [root / "srv" / f"shop{project}" for project in range(PROJECTS)]
            files = []
            owners = [*users, *users[:1] * PROJECTS] if users else [""] * PROJECTS
            for directory, owner in zip([*homes, *projects], owners, strict=True):
                directory.mkdir(parents=True)
                (directory / "composer.json").write_text("{}\n")
                for path in [directory, *list(directory.parents)[: 2 if directory in homes else 0]]:
                    path.chmod(0o700)
                    if owner:
                        os.chown(path, uids[owner], uids[owner])
                files.append({"path": str(directory / "auth.json"), "owner": owner or str(os.geteuid())})
            self.hosts[f"h{number}"] = {
                **({"magento_auth_users": users} if users else {}),
                "magento_auth_projects": [str(path) for path in projects],
                "bench_files": files,
            }
        if self._accounts:
            homes_of = {user: self.directory / f"h{user[7:].split('x')[0]}" / "home" / user for user in uids}
            passwd = "".join(f"{user}:x:{uid}:{uid}::{homes_of[user]}:/bin/sh\n" for user, uid in uids.items())
            self._mount(passwd=passwd, group="".join(f"{user}:x:{uid}:\n" for user, uid in uids.items()))

    def _mount(self, **lines: str) -> None:
        """Puts a copy of /etc with more lines in these files in its place, for this process and its children.

        Not the files themselves: such a mount ends when anybody adds an account to the machine.
        """
        etc = self.directory / "etc"
        ignored = shutil.ignore_patterns("*shadow*", "sudoers*", "private", "ssh")
        with contextlib.suppress(shutil.Error):
            # Files that this user may not read.
            shutil.copytree("/etc", etc, symlinks=True, ignore=ignored)
        for name, more in lines.items():
            etc.joinpath(name).write_text(Path("/etc", name).read_text() + more)
        subprocess.run(["mount", "--bind", etc, "/etc"], check=True)

    def close(self) -> None:
        """Takes the accounts away."""
        if self._accounts:
            subprocess.run(["umount", "/etc"], check=True)

    def inventory(self, first: int, last: int, **variables: Any) -> Path:
        """Hosts ``first`` to ``last`` - 1."""
        shared = {
            "ansible_connection": "local",
            "ansible_python_interpreter": PYTHON,
            "magento_auth_public_key": "{{ vault_public_key }}",
            "magento_auth_private_key": "{{ vault_private_key }}",
            "magento_auth_verify": "never",
            **variables,
        }
        chosen = {f"h{number}": self.hosts[f"h{number}"] for number in range(first, last)}
        return self.write(f"inventory-{first}-{last}.json", {"web": {"hosts": chosen, "vars": shared}})

    def write(self, name: str, content: object) -> Path:
        """Writes JSON, which is YAML, too."""
        path = self.directory / name
        path.write_text(json.dumps(content))
        return path

    def environment(self, **extra: str) -> dict[str, str]:
        """That of the caller without options for Ansible, and with a home below `directory`."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAGENTO_", "PYTHON"))
        }
        home = {"HOME": str(self.directory), "ANSIBLE_HOME": str(self.directory / ".ansible")}
        return {**kept, **ANSIBLE, "ANSIBLE_COLLECTIONS_PATH": str(linked_collections()), **home, **extra}

    def playbook(
        self, book: str | Path, *words: str, hosts: int, changed: int | None = 0, slices: int = 1,
        variables: dict[str, Any] | None = None, **environment: str,
    ) -> Cost:  # fmt: skip
        """Runs a playbook on ``hosts`` hosts, of which each must end with ``changed`` changed tasks.

        ``slices``: as many runs at the same time, each on its part of the hosts.
        """
        public, private = PAIRS[self.installed]
        pair = self.write("vault.json", {"vault_public_key": public, "vault_private_key": private})
        program = Path(sys.executable).with_name("ansible-playbook")
        ends = [hosts * number // slices for number in range(slices + 1)]
        commands = [
            [program, "-i", self.inventory(a, b, **(variables or {})), "-e", f"@{pair}", *words, book]
            for a, b in zip(ends, ends[1:], strict=False)
        ]
        cost = run(*commands, env=self.environment(**environment), cwd=self.directory)
        recap = {name: int(count) for name, _ok, count in RECAP.findall(cost.output) if name in self.hosts}
        assert len(recap) == hosts, cost.output[-4000:]
        assert changed is None or set(recap.values()) == {changed}, recap
        return cost

    def play(self, tasks: list[dict[str, Any]], *words: str, hosts: int, **options: Any) -> Cost:
        """Runs a play of tasks."""
        play = {"hosts": "web", "gather_facts": False, "tasks": tasks}
        return self.playbook(self.write("play.yml", [play]), *words, hosts=hosts, **options)

    def role(self, *words: str, hosts: int, role: str | dict[str, Any] = ROLE, **options: Any) -> Cost:
        """Runs a play of a role, and asserts that all files have the pair; without a change, that none is written."""
        before = self.stamps(hosts)
        play = {"hosts": "web", "gather_facts": False, "roles": [role]}
        cost = self.playbook(self.write("play.yml", [play]), *words, hosts=hosts, **options)
        self.check(hosts, before if options.get("changed", 0) == 0 else None)
        return cost

    def changing(self, hosts: int) -> Cost:
        """Installs the other pair in all files."""
        self.installed = 1 - self.installed
        return self.role(hosts=hosts, changed=1)

    def files(self, hosts: int) -> list[Path]:
        """Every auth.json of the first hosts."""
        return [Path(file["path"]) for number in range(hosts) for file in self.hosts[f"h{number}"]["bench_files"]]

    def stamps(self, hosts: int) -> list[tuple[int, int, int, int] | None]:
        """Inode, time and owner of each file, or None."""
        found = [path.stat() if path.exists() else None for path in self.files(hosts)]
        return [info and (info.st_ino, info.st_mtime_ns, info.st_uid, info.st_mode) for info in found]

    def check(self, hosts: int, unchanged_since: object = None) -> None:
        """Asserts that every file has the pair."""
        for path in self.files(hosts):
            entry = json.loads(path.read_text())["http-basic"][REPOSITORY]
            assert (entry["username"], entry["password"]) == PAIRS[self.installed], path
        assert unchanged_since is None or self.stamps(hosts) == unchanged_since, "a file was written"
