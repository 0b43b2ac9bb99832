# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/holders.md work unchanged; a second run changes nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from place import ROOT
from system.control import Run
from system.examples.documents import CLAIMED, Example, examples_in, runs
from system.examples.world import World, needs_world
from system.rotation.holders import EXAMPLES, TOKEN, entry_of

HOLDERS, OLD = "docs/holders.md", "web-20260101"
SETTINGS, COMMAND = examples_in(HOLDERS)["Name them"]
FILES = ("A file of Ansible Vault", "HashiCorp Vault, OpenBao", "GitLab")
"""The headings of the files of docs/holders, in the order of the settings."""
SERVICES = {"gitlab": ("gitlab.example.com", "127.0.0.2:443"), "kv2": ("vault.example.com", "127.0.0.3:8200")}


def test_every_example_of_the_holders_is_run() -> None:
    assert set(examples_in(HOLDERS)) == {heading for document, heading in CLAIMED if document == HOLDERS}


@contextlib.contextmanager
def service(world: World, name: str) -> Iterator[None]:
    """A stand-in at the address in the documentation, with a certificate of the simulator's CA."""
    host, listen = SERVICES[name]
    directory = f"/srv/{name}"
    world.path(directory).mkdir()
    for file in ("ca.pem", "ca-key.pem"):
        shutil.copy(world.path(f"/srv/simulator/{file}"), world.path(directory))
    with world.path("/etc/hosts").open("a") as hosts:
        hosts.write(f"{listen.partition(':')[0]} {host}\n")
    words = f"{name} --directory {directory} --listen {listen} --name {host} --token {TOKEN}"
    with world.serving(f"python -m system.services.serve {words}", directory, PYTHONPATH=f"{ROOT}/tests"):
        yield


def state(world: World, name: str) -> Any:
    """The state of a stand-in."""
    return json.loads(world.path(f"/srv/{name}/state.json").read_text())


@pytest.fixture
def automation(world: World) -> Iterator[World]:
    """The reader's directory with all files that the documentation names, the stand-ins, and a series."""
    world.serve(OLD)
    world.vault(vault_gitlab_token=TOKEN)
    world.write("group_vars/web.yml", {"magento_auth_keys": [{"series": "web", "users": ["deploy"]}]})
    shutil.copytree(EXAMPLES, world.path(f"{world.cwd}/holders"))
    world.path(f"{world.cwd}/group_vars/images").mkdir(parents=True)
    world.path("/etc/ansible").mkdir(exist_ok=True)
    world.path("/etc/ansible/images-vault-password").write_text("made-up password of the images\n")
    world.give("deploy", world.keys()[OLD])
    with service(world, "kv2"), service(world, "gitlab"):
        yield world


def issue(world: World, heading: str, variables: Example) -> None:
    """Run rotate_issue twice with the holder of this heading."""
    settings = yaml.safe_load(SETTINGS.content)
    holder = settings["magento_series"]["external_holders"][FILES.index(heading)]
    settings["magento_series"]["external_holders"] = [holder]
    world.write("web-series.yml", settings)
    world.write("holders.yml", variables)
    command = COMMAND.content.replace("rotate", "rotate_issue")
    run = world.twice(command, VAULT_TOKEN=TOKEN)
    assert "has not confirmed" not in run.output and TOKEN not in run.output, run.output


def current(world: World) -> tuple[str, str]:
    """Public and private key of the newest generation."""
    keys = world.keys()
    newest = keys[max(label for label in keys if label.startswith("web-"))]
    assert newest["label"] != OLD
    return newest["public"], newest["private"]


def pair_in_vault_file(world: World) -> tuple[str, str]:
    """The pair that ansible-vault shows."""
    words = "ansible-vault view --vault-password-file /etc/ansible/images-vault-password group_vars/images/magento.yml"
    content = yaml.safe_load(world.done(words).output)
    return content["vault_magento_public_key"], content["vault_magento_private_key"]


def pair_in_vault(world: World) -> tuple[str, str]:
    """The pair in the secret."""
    (secret,) = state(world, "kv2")
    return secret["public_key"], secret["private_key"]


def pair_in_gitlab(world: World) -> tuple[str, str]:
    """The pair in the variable of the project."""
    (variable,) = state(world, "gitlab")
    return entry_of(variable["value"])


@needs_world
@runs(HOLDERS, "Name them")
def test_name_them(examples: list[Example], automation: World) -> None:
    settings, command = examples
    automation.inventory("web1", "web2", "web3")
    automation.write("web-series.yml", settings)
    automation.write("holders.yml", "".join(examples_in(HOLDERS)[heading][0].text for heading in FILES))
    run: Run = automation.twice(command, VAULT_TOKEN=TOKEN)
    assert TOKEN not in run.output
    pair = current(automation)
    assert automation.installed("deploy") == pair[0] and automation.keys()[OLD]["enabled"] is False
    assert pair_in_vault_file(automation) == pair_in_vault(automation) == pair_in_gitlab(automation) == pair


@needs_world
@runs(HOLDERS, FILES[0])
def test_a_vault_file(examples: list[Example], automation: World) -> None:
    (variables,) = examples
    issue(automation, FILES[0], variables)
    assert pair_in_vault_file(automation) == current(automation)


@needs_world
@runs(HOLDERS, FILES[1])
def test_hashicorp_vault(examples: list[Example], automation: World) -> None:
    (variables,) = examples
    issue(automation, FILES[1], variables)
    assert pair_in_vault(automation) == current(automation)


@needs_world
@runs(HOLDERS, FILES[2])
def test_gitlab(examples: list[Example], automation: World) -> None:
    (variables,) = examples
    issue(automation, FILES[2], variables)
    assert pair_in_gitlab(automation) == current(automation)
