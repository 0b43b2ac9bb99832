# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of the demo: a temporary directory, three hosts in it, and a simulator."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from demo.screen import Screen
from demo.shell import Shell, environment
from simulator.client import Simulator

SOURCE = Path(__file__).resolve().parent.parent.parent
MAGENTO = "repo.magento.com"


@dataclass(frozen=True)
class Pair:
    """An auth key."""

    public_key: str
    private_key: str

    def in_auth_json(self) -> dict[str, str]:
        """The entry of auth.json."""
        return {"username": self.public_key, "password": self.private_key}


@dataclass(frozen=True)
class Host:
    """A host of the inventory: a directory of this machine with one project in it."""

    name: str
    account: str
    project: Path

    @property
    def auth_file(self) -> Path:
        """The file with the project's credentials for Composer."""
        return self.project / "auth.json"

    @property
    def netrc(self) -> Path:
        """The file with the download token for curl."""
        return self.project.with_name("netrc")

    def entries(self) -> dict[str, dict[str, str]]:
        """The http-basic section of the auth file."""
        return dict(json.loads(self.auth_file.read_bytes())["http-basic"])


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


class World:
    """The state that the steps share. All its files are below ``directory`` and are removed with it."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.directory = Path(tempfile.mkdtemp(prefix="keyfleet-demo-")).resolve()
        for name in ("home", "tmp", "answers"):
            (self.directory / name).mkdir()
        self.shell = Shell(screen, self.directory, environment(self.directory))
        self.simulator = Simulator(self.directory / "simulator")
        self.hosts = tuple(
            Host(name, account, self.directory / name / "shop")
            for name, account in (("web1", "shop"), ("web2", "shop"), ("web3", "enterprise"))
        )
        self._simulator_pid: int | None = None

    def start_simulator(self) -> None:
        """Starts the simulator and records its process id."""
        self.simulator.start()
        self._simulator_pid = self.simulator.pid

    @property
    def simulator_ended(self) -> bool:
        """Whether the simulator's process has ended."""
        try:
            os.kill(self._simulator_pid or self.simulator.pid, 0)
        except (ProcessLookupError, RuntimeError):
            return True
        return False

    def close(self) -> None:
        """Stops the simulator and removes the directory. Cannot be interrupted, as it takes only a moment."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.simulator.stop()
        # A process of an interrupted command may still be writing; the caller checks that the directory is removed.
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def vendor(self) -> str:
        """The name of another vendor's repository: the simulator under another host name."""
        return f"localhost:{self.simulator.port}"

    def pair(self, account: str, label: str = "web") -> Pair:
        """A key of a simulator account; registers its private half as a secret."""
        pair = Pair(*self.simulator.key(account, label))
        self.screen.keep_secret(pair.public_key, pair.private_key)
        return pair

    def token(self, account: str) -> tuple[str, str]:
        """MAGEID and download token of a simulator account; registers the token as a secret."""
        mage_id, token = self.simulator.token(account)
        self.screen.keep_secret(mage_id, token)
        return mage_id, token

    def make_vendor(self) -> Pair:
        """Creates an account at the vendor's repository and returns its key."""
        # Random, because the sources are among the files that are searched for secrets.
        password = f"made-up password {token_hex(6)}"
        keys = [{"label": "web", "public": "token", "private": password}]
        self.simulator.set_account("gift-shop", hosts=["localhost"], entitlements=["exampleworks/*"], keys=keys)
        return self.pair("gift-shop")

    def make_hosts(self, vendor: Pair) -> None:
        """Creates the projects, the last one with the vendor's entry in its auth.json, and the inventory."""
        for host in self.hosts:
            host.project.mkdir(parents=True)
        last = self.hosts[-1].auth_file
        last.touch(0o600)
        _write_json(last, {"http-basic": {self.vendor: vendor.in_auth_json()}})
        self.make_inventory()
        token = {
            "magento_auth_mage_id": "{{ vault_tokens[customer].mage_id }}",
            "magento_auth_download_token": "{{ vault_tokens[customer].token }}",
        }
        _write_json(self.directory / "download-token.yml", token)
        shutil.copy(Path(__file__).with_name("report.yml"), self.directory)

    def make_inventory(self, *, series: str | None = None) -> None:
        """Writes the hosts by customer. Their keys are those of the vault; the hosts of the customer ``series`` get the
        current key of the series of that name."""
        pair = {
            "magento_auth_public_key": "{{ vault_keys[customer].public_key }}",
            "magento_auth_private_key": "{{ vault_keys[customer].private_key }}",
        }
        customers = {
            account: {
                "hosts": {
                    host.name: {
                        "magento_auth_projects": [str(host.project)],
                        "magento_auth_token_paths": [str(host.netrc)],
                    }
                    for host in self.hosts
                    if host.account == account
                },
                "vars": {"customer": account, **({"magento_auth_series": series} if account == series else pair)},
            }
            for account in sorted({host.account for host in self.hosts})
        }
        shared = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "magento_auth_packages": ["magento/product-community-edition"],
            "magento_auth_url": self.simulator.url,
            "magento_auth_ca_path": self.simulator.ca_path,
            "magento_auth_token_host": self.simulator.host,
            "magento_auth_token_downloads_url": self.simulator.downloads_url,
        }
        # JSON is valid YAML.
        _write_json(self.directory / "inventory.yml", {"web": {"children": customers, "vars": shared}})

    def make_vault(self, name: str, label: str) -> None:
        """Writes a vault with the keys of this label and the tokens, which ansible-vault reads from standard input."""
        accounts = sorted({host.account for host in self.hosts})
        keys = {account: vars(self.pair(account, label)) for account in accounts}
        tokens = {account: dict(zip(("mage_id", "token"), self.token(account), strict=True)) for account in accounts}
        content = json.dumps({"vault_keys": keys, "vault_tokens": tokens})
        self.shell.run("ansible-vault", "encrypt", "--output", name, "-", stdin=content)

    def make_series(self, account: str, **settings: Any) -> None:
        """Writes the settings of a series of this customer's keys, with the customer's name, to NAME-series.yml."""
        api = {name: f"{{{{ vault_{name} }}}}" for name in ("application_id", "application_secret")}
        repository = {"url": self.simulator.url, "ca_path": self.simulator.ca_path}
        defaults = {
            "prefix": account,
            **api,
            "api_url": self.simulator.marketplace_url,
            **repository,
            "expected_hosts": [host.name for host in self.hosts if host.account == account],
            "external_holders_acknowledged": True,
            # The hosts are directories of this machine and share its home directories.
            "unmanaged_keys": "ignore",
        }
        _write_json(self.directory / f"{account}-series.yml", {"magento_series": {**defaults, **settings}})

    def make_api_vault(self, name: str, account: str) -> None:
        """Writes a vault with the customer's credentials for the key API."""
        application_id, secret = self.simulator.application(account)
        self.screen.keep_secret(application_id, secret)
        content = json.dumps({"vault_application_id": application_id, "vault_application_secret": secret})
        self.shell.run("ansible-vault", "encrypt", "--output", name, "-", stdin=content)

    def states(self, account: str) -> dict[str, bool]:
        """Whether the key is enabled, by label, for the keys of the account that the demo uses or has used."""
        keys = self.simulator.account(account)["keys"]
        return {key["label"]: key["enabled"] for key in keys if key["label"] not in ("ci", "old")}

    def bytes_of_files(self) -> dict[str, bytes | None]:
        """The content of the auth file, by host; None for a missing file."""
        return {h.name: h.auth_file.read_bytes() if h.auth_file.exists() else None for h in self.hosts}

    def stamps(self) -> list[tuple[int, int, int]]:
        """Inode and times of each auth file, which a write would change."""
        files = [host.auth_file.stat() for host in self.hosts]
        return [(info.st_ino, info.st_mtime_ns, info.st_ctime_ns) for info in files]

    def answers(self) -> dict[str, dict[str, Any]]:
        """The result that report.yml saved, by host."""
        return {
            host.name: json.loads((self.directory / "answers" / f"{host.name}.json").read_text()) for host in self.hosts
        }

    def leaks(self) -> list[str]:
        """Secrets found, in any form, outside the auth.json and netrc files and the simulator's state."""
        own = [path for host in self.hosts for path in (host.auth_file, host.netrc)]
        allowed = [self.simulator.state / "state.json", *own]
        return [
            str(found) for found in self.screen.scanner().paths([self.directory], "files", without=allowed).findings
        ]
