# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of README.md and docs/*.md work unchanged; if one changes something, a second run does not.

docs/holders.md, docs/rotation.md and docs/simulator.md have test files of their own.
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from place import ROOT
from system.examples.documents import CLAIMED, Example, documents, examples_in, inline, runs
from system.examples.world import API, MAGE_ID, NEW, README_PAIR, World, changed, needs_world

DOWNLOADS, AWX = "docs/downloads.md", "docs/automation-platform.md"
ELSEWHERE = ("docs/holders.md", "docs/rotation.md", "docs/simulator.md")
HERE = [document for document in documents() if document not in ELSEWHERE]
PUBLIC = README_PAIR["vault_magento_public_key"]


def test_every_example_is_run() -> None:
    found = {(document, heading) for document in HERE for heading in examples_in(document)}
    assert found == {(document, heading) for document, heading in CLAIMED if document in HERE}


@needs_world
@runs("README.md", "Install")
def test_install(examples: list[Example], world: World) -> None:
    (commands,) = examples
    world.install(commands, times=2)
    installed = world.path("/home/root/.ansible/collections/ansible_collections/keyfleet/magento")
    assert json.loads((installed / "MANIFEST.json").read_text())["collection_info"]["name"] == "magento"


@needs_world
@runs("README.md", "A playbook")
def test_a_playbook(examples: list[Example], world: World) -> None:
    vault, variables, command = examples
    world.serve()
    world.write("plain.yml", vault)
    world.done("EDITOR='cp plain.yml' " + inline("README.md", "ansible-vault create"))
    world.write("group_vars/web.yml", variables)
    world.twice(command)
    assert world.installed("deploy") == world.installed("www-data") == PUBLIC


@needs_world
@runs("README.md", "In a server build")
def test_in_a_server_build(examples: list[Example], world: World) -> None:
    (tasks,) = examples
    world.serve()
    world.vault()
    world.twice(world.playbook(tasks, "-e @vault.yml"))
    assert world.installed("deploy") == PUBLIC
    assert world.installed("deploy", "hyva-themes.repo.packagist.com") == "token"


@needs_world
@runs("README.md", "Ad hoc")
def test_ad_hoc(examples: list[Example], world: World) -> None:
    (command,) = examples
    world.serve()
    world.vault()
    run = world.done(command)
    assert [verdict["status"] for verdict in run.record[0]["result"]["verdicts"]] == ["valid"], run.output
    world.simulator("account disable reader 'laptop of J. Doe'")
    refused = world.run(command)
    assert refused.status != 0 and "keys_invalid" in refused.output, refused.output


@pytest.mark.needs("make")
@runs("README.md", "Try it, test it")
def test_the_demo_and_the_tests_are_targets(examples: list[Example]) -> None:
    (commands,) = examples
    # Each target runs one or all suites, so make only prints its commands here.
    run = subprocess.run(
        ["bash", "-ec", commands.text], cwd=ROOT, env={"PATH": "/usr/bin:/bin", "MAKEFLAGS": "n"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0 and "tests/demo" in run.stdout and "tests/suites.py" in run.stdout, (
        run.stdout + run.stderr
    )


@needs_world
@runs("docs/codes.md", "Codes")
def test_a_code_is_tested(examples: list[Example], world: World) -> None:
    (tasks,) = examples
    world.serve()
    world.vault()
    command = world.playbook(tasks, "-e @vault.yml")
    world.simulator("fault add status status=429 count=1")
    limited = world.done(command)
    assert limited.record[0]["result"]["code"] == "rate_limited" and not changed(limited), limited.output
    world.twice(command)
    assert world.installed("deploy") == PUBLIC
    refused = world.run(f"{command} -e vault_magento_public_key={NEW}")
    assert refused.status != 0 and refused.record[0]["result"]["code"] == "keys_invalid", refused.output


@needs_world
@runs(DOWNLOADS, "Verify the token on hosts")
def test_does_the_token_work(examples: list[Example], world: World) -> None:
    (command,) = examples
    world.serve()
    world.vault()
    assert "token_valid" in world.done(command).output
    world.simulator("account replace-token reader")
    refused = world.run(command)
    assert refused.status != 0 and "token_invalid" in refused.output, refused.output


@needs_world
@runs(DOWNLOADS, "Install it")
def test_install_the_token(examples: list[Example], world: World) -> None:
    (play,) = examples
    world.serve()
    world.vault()
    world.twice(world.playbook(play, "-e @vault.yml"))
    assert "Magento-CE-2.4.8.zip" in world.done(inline(DOWNLOADS, "curl --netrc"), user="deploy").output


@needs_world
@runs(DOWNLOADS, "Use it")
def test_download_a_release(examples: list[Example], world: World) -> None:
    (tasks,) = examples
    world.serve()
    world.vault()
    world.path("/srv/releases").mkdir()
    (install,) = examples_in(DOWNLOADS)["Install it"]
    world.done(f"chown deploy: /srv/releases; {world.playbook(install, '-e @vault.yml')}")
    run = world.twice(world.playbook(tasks))
    offered, fetched = (line["result"] for line in run.record)
    assert "Magento-CE-2.4.8.zip" in {release["file_name"] for release in offered["releases"]}, offered
    assert world.path("/srv/releases/Magento-CE-2.4.8.zip").stat().st_size == 64 * 1024 * 1024, fetched


@needs_world
@runs("docs/performance.md", "Many hosts")
def test_a_group_in_two_halves(examples: list[Example], world: World) -> None:
    (commands,) = examples
    world.serve()
    world.vault()
    world.inventory("web1", "web2", "web3", "web4")
    world.write("group_vars/web.yml", examples_in("README.md")["A playbook"][1])
    run = world.twice(commands)
    hosts = [f"web{number}" for number in (1, 2, 3, 4)]
    assert sorted(re.findall(r"^(web\d) +: ok=\d+ .* failed=0 ", run.output, re.MULTILINE)) == hosts, run.output
    assert world.installed("deploy") == PUBLIC


@needs_world
@runs(AWX, "Set them up")
def test_credential_types(examples: list[Example], world: World) -> None:
    (play,) = examples
    clone = world.clone()
    world.twice(f"cp {world.cwd}/example.yml .; {world.playbook(play)}", cwd=clone)
    types = json.loads(world.path("/home/root/credential-types.json").read_text())
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "docs/credential-types").glob("*.yml")]
    assert types == {file["name"]: file for file in files}


@needs_world
@runs(AWX, "The execution environment")
def test_the_execution_environment(examples: list[Example], world: World) -> None:
    (definition,) = examples
    world.write("execution-environment.yml", definition)
    world.done("ansible-builder create")
    context = world.path(f"{world.cwd}/context/_build")
    assert (context / "requirements.txt").read_text().split() == ["requests"]
    assert yaml.safe_load((context / "requirements.yml").read_text()) == {"collections": [{"name": "keyfleet.magento"}]}


@needs_world
@runs(AWX, "Use them")
def test_a_key_for_the_web_servers(examples: list[Example], world: World) -> None:
    (play,) = examples
    injectors = yaml.safe_load((ROOT / "docs/credential-types/marketplace.yml").read_text())["injectors"]
    assert set(injectors["env"]) == {*API, "MAGENTO_API_URL"} and injectors["env"].pop("MAGENTO_API_URL")
    world.serve()
    # The credential sets an empty address of the API.
    world.twice(world.playbook(play), MAGENTO_API_URL="", **API)
    key = world.keys()["web"]
    assert (world.installed("deploy"), key["uid"] or MAGE_ID) == (key["public"], MAGE_ID)
