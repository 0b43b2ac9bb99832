# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the modules of release downloads as Ansible does, each in its own process, against the simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from place import linked_collections
from simulator.client import Simulator

TOKEN = "magento_download_token"
INFO = "magento_download_token_info"
RELEASES = "magento_release_info"
RELEASE = "magento_release"

_LAUNCHER = """
import importlib, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
importlib.import_module("ansible_collections.keyfleet.magento.plugins.modules." + sys.argv[1]).main()
"""


class Host:
    """This machine as a managed host: a scratch directory, an environment, and the simulator as its server."""

    def __init__(self, scratch: Path, simulator: Simulator) -> None:
        self.scratch = scratch
        self.simulator = simulator
        self.mage_id, self.token = simulator.token("shop")
        self.environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self.environment["PYTHONPATH"] = str(linked_collections())
        self.secrets = {self.token, simulator.token("enterprise")[1]}

    @property
    def pair(self) -> dict[str, Any]:
        """The token of the account `shop`."""
        return {"mage_id": self.mage_id, "token": self.token}

    @property
    def server(self) -> dict[str, Any]:
        """The options for the simulator."""
        return {"downloads_url": self.simulator.downloads_url, "ca_path": self.simulator.ca_path}

    def run(self, module: str, *, check: bool = False, env: Mapping[str, str] | None = None, **options: Any) -> Any:
        """Runs a module and returns its result, which must contain no secret."""
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        done = self._execute([], module, arguments, env or {})
        assert done.stdout.strip().startswith("{"), done.stderr
        result = json.loads(done.stdout)
        assert bool(result.get("failed")) == bool(done.returncode)
        for secret in self.secrets:
            assert secret not in done.stdout + done.stderr
        return result

    def _execute(
        self, wrapper: Sequence[str], module: str, options: Mapping[str, Any], env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*wrapper, sys.executable, "-c", _LAUNCHER, module],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": {**self.server, **options}}),
            env={**self.environment, **env},
            cwd="/",
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )

    def run_killed(self, call: str, module: str, **options: Any) -> None:
        """Runs a module and kills it at the system call ``call``."""
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
        done = self._execute([*strace, "-e", f"inject={call}:signal=SIGKILL"], module, options, {})
        assert done.stdout == "" and done.returncode == -signal.SIGKILL, done

    def fails(self, code: str, module: str, **options: Any) -> Any:
        """Runs a module that must fail with ``code``."""
        result = self.run(module, **options)
        assert result.get("failed") and result.get("code") == code, result
        return result

    def entry(self, token: str | None = None) -> bytes:
        """The netrc line of a token for the simulator's host."""
        return f"machine {self.simulator.host} login {self.mage_id} password {token or self.token}\n".encode()

    def entry_options(self, **options: Any) -> dict[str, Any]:
        """Options of the token modules for an entry that they can verify: its host is the simulator's."""
        return {"host": self.simulator.host, **options}
