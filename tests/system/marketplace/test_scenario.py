# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key is created at the Marketplace, installed by the role, used by a real Composer, disabled, and refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.client import Simulator
from system.marketplace.lab import access, operations, pairs
from system.playbook import Played, play

pytestmark = [pytest.mark.usefixtures("clean_environment"), pytest.mark.needs("composer")]
KEY = "keyfleet.magento.magento_marketplace_key"
INFO = f"{KEY}_info"
PROJECT = "magento/project-community-edition"
# It has characters that are special in URLs, shells and YAML.
LABEL = "shop/web: 100% #1 größe"


@pytest.fixture
def host() -> Iterator[Path]:
    """A directory that every user can read, as on a real host."""
    top = Path(tempfile.mkdtemp(prefix="scenario-"))
    top.chmod(0o755)
    (top / "composer-home").mkdir(mode=0o755)
    yield top
    shutil.rmtree(top, ignore_errors=True)


def composer(host: Path, simulator: Simulator, directory: str) -> subprocess.CompletedProcess[str]:
    """A real ``composer create-project`` with the auth.json that the role has installed."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(host),
        "COMPOSER_HOME": str(host / "composer-home"),
        "COMPOSER_CAFILE": simulator.ca_path,
        "COMPOSER_ALLOW_SUPERUSER": "1",
        "no_proxy": "*",
    }
    words = ("create-project", "--no-interaction", "--no-cache", "--no-ansi", f"--repository-url={simulator.url}")
    return subprocess.run(
        ["composer", *words, PROJECT, str(host / directory)],
        env=environment, cwd=host, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def once(register: str, module: str, **options: Any) -> dict[str, Any]:
    return {"name": register, "register": register, module: options, "delegate_to": "localhost", "run_once": True}


def run(host: Path, simulator: Simulator, *tasks: dict[str, Any]) -> Played:
    """Runs a play with the options for the API in module_defaults. Its output must contain no secret."""
    played = play(
        host, tasks, options=["-v", "--diff"], module_defaults={"group/keyfleet.magento.marketplace": access(simulator)}
    )
    assert played.status == 0, played.output
    for secret in [access(simulator)["application_secret"], *(key["private"] for key in pairs(simulator).values())]:
        assert secret not in played.output
    return played


def test_key_from_creation_to_deletion(simulator: Simulator, host: Path) -> None:
    # A new pair works at the repository only after a delay, as it may in production.
    simulator.set_switch("api_effect_requests", 2)
    auth_file = host / "composer-home" / "auth.json"
    repository = {"repository": simulator.address, "url": simulator.url, "ca_path": simulator.ca_path}
    check = {
        "name": "Wait until the repository accepts the key",
        "register": "verified",
        "keyfleet.magento.magento_auth_key_info": {
            "public_key": "{{ pair.marketplace_keys[0].public_key }}",
            "private_key": "{{ pair.marketplace_keys[0].private_key }}",
            **repository,
        },
        "until": "verified.verdicts[0].status == 'valid'",
        "retries": 5,
        "delay": 0,
    }
    install = {
        "name": "Install",
        "ansible.builtin.include_role": {"name": "keyfleet.magento.magento_auth"},
        "vars": {
            "magento_auth_public_key": "{{ pair.marketplace_keys[0].public_key }}",
            "magento_auth_private_key": "{{ pair.marketplace_keys[0].private_key }}",
            "magento_auth_packages": ["magento/product-community-edition"],
            "magento_auth_paths": [str(auth_file)],
            **{f"magento_auth_{name}": value for name, value in repository.items()},
        },
    }
    fetch = {**once("pair", INFO, label=LABEL, include_private_keys=True), "no_log": True}
    played = run(host, simulator, once("made", KEY, label=LABEL), fetch, check, install)
    (made,) = played.results["made"]["marketplace_keys"]
    assert (made["action"], made["enabled"]) == ("created", True)
    assert played.results["verified"]["attempts"] == 3
    pair = pairs(simulator)["", LABEL]
    entry = json.loads(auth_file.read_text())["http-basic"][simulator.address]
    assert entry == {"username": pair["public"], "password": pair["private"]}
    assert made["public_key"] == pair["public"]

    used = composer(host, simulator, "shop")
    assert used.returncode == 0, used.stderr
    assert (host / "shop" / "vendor" / "magento" / "magento2-base").is_dir()
    assert {entry["user"] for entry in simulator.requests(part="repository")} == {pair["public"]}

    simulator.clear_log()
    played = run(host, simulator, once("disabled", KEY, label=LABEL, enabled=False))
    assert played.results["disabled"]["marketplace_keys"][0]["action"] == "disabled"
    assert operations(simulator) == ["session", "list", "disable"]
    simulator.settle()
    options = {"paths": [str(auth_file)], "verify": "always", "fail_on": [], "ca_path": simulator.ca_path}
    verify = {"name": "ask", "register": "ask", "keyfleet.magento.magento_auth_key_info": options}
    played = run(host, simulator, verify)
    assert [verdict["code"] for verdict in played.results["ask"]["verdicts"]] == ["keys_invalid"]
    refused = composer(host, simulator, "second")
    assert refused.returncode != 0
    assert "not valid" in refused.stderr
    assert not (host / "second" / "composer.json").exists()

    run(host, simulator, once("deleted", KEY, label=LABEL, state="absent"))
    assert ("", LABEL) not in pairs(simulator)
