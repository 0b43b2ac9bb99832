# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs integration targets against a simulator: `python tests/integrate.py COLLECTION TARGET ...`.

COLLECTION is a directory .../ansible_collections/keyfleet/magento, TARGET an argument of `ansible-test integration` (an
alias ends in a slash). Targets get the variable `simulator` with the result of `settings`. If curl is missing, the
targets with the alias needs/curl are excluded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from runner import must_run_all, programs
from simulator.client import Simulator


def settings(simulator: Simulator) -> dict[str, Any]:
    """The simulator's settings for the targets; `command`, with arguments appended, controls the simulator."""
    program = Path(__file__).resolve().parent / "simulator"
    accounts: dict[str, dict[str, dict[str, str]]] = {}
    for account in simulator.accounts():
        keys = {key["label"]: {"public_key": key["public"], "private_key": key["private"]} for key in account["keys"]}
        accounts[account["name"]] = keys
    return {
        "address": simulator.address,
        "url": simulator.url,
        "ca_path": simulator.ca_path,
        "state": str(simulator.state),
        "command": [sys.executable, str(program)],
        "accounts": accounts,
        "marketplace": marketplace(simulator),
    }


def marketplace(simulator: Simulator) -> dict[str, Any]:
    """The key API options of account `shop`, with its MAGEID and organisation."""
    application_id, application_secret = simulator.application("shop")
    account = simulator.account("shop")
    return {
        "access": {
            "application_id": application_id,
            "application_secret": application_secret,
            "api_url": simulator.marketplace_url,
            "ca_path": simulator.ca_path,
        },
        "mage_id": account["mage_id"],
        "organisation": account["organisations"][0],
    }


def without_curl(collection: Path) -> list[str]:
    """The options that exclude the targets that use curl, if curl is missing."""
    reason = programs("curl")()
    if reason is None:
        return []
    if must_run_all():
        raise SystemExit(reason)
    aliases = sorted((collection / "tests" / "integration" / "targets").glob("*/aliases"))
    names = [path.parent.name for path in aliases if "needs/curl" in path.read_text().split()]
    print(f"{reason}; these targets are excluded: {', '.join(names)}", flush=True)
    return ["--exclude", "needs/curl/"]


def main(collection: Path, targets: list[str]) -> int:
    targets = [*targets, *without_curl(collection)]
    flags = ["--allow-root", "--allow-destructive"] if os.geteuid() == 0 else []
    with Simulator() as simulator:
        # The targets send requests for the vendor's repository to this address, regardless of the host in auth.json.
        simulator.change_account("vendor", hosts=[simulator.host])
        # JSON is valid YAML.
        config = collection / "tests" / "integration" / "integration_config.yml"
        config.write_text(json.dumps({"simulator": settings(simulator)}, indent=2) + "\n")
        command = ["ansible-test", "integration", "--color", "no", *flags, *targets]
        return subprocess.run(command, cwd=collection, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
