# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/simulator.md work unchanged; if one changes a host, a second run does not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from place import ROOT
from system.examples.documents import CLAIMED, Example, examples_in, inline, runs
from system.examples.world import World, needs_world

SIMULATOR, STATE = "docs/simulator.md", "/tmp/simulator"


def test_every_example_of_the_simulator_is_run() -> None:
    assert set(examples_in(SIMULATOR)) == {heading for document, heading in CLAIMED if document == SIMULATOR}


@pytest.fixture
def serving(world: World) -> Iterator[World]:
    """A running simulator with the state directory and address of the examples."""
    command = f"python tests/simulator serve --state {STATE} --listen 127.0.0.1:8443"
    with world.serving(command, STATE, cwd=str(ROOT)):
        yield world


def derived(world: World, path: str) -> str:
    """The value that the documented command derives from this path."""
    return world.done(inline(SIMULATOR, f"printf '{path}'")).output.strip()


@needs_world
@runs(SIMULATOR, "The simulator: try your playbooks without an account")
def test_install_and_serve(examples: list[Example], world: World) -> None:
    (commands,) = examples
    (install,) = examples_in("README.md")["Install"]
    world.install(install)
    # Use the package index of the test environment.
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "https_proxy"))}
    if (Path.home() / ".config" / "pip").exists():
        pip["XDG_CONFIG_HOME"] = str(Path.home() / ".config")
    with world.serving(commands, STATE, network=True, **pip):
        files = {path.name for path in world.path(STATE).iterdir()}
    assert {"address", "ca.pem", "requests.jsonl", "state.json", "control-token"} <= files


@needs_world
@runs(SIMULATOR, "Keys")
def test_show_keys(examples: list[Example], serving: World) -> None:
    (commands,) = examples
    output = serving.done(commands, cwd=str(ROOT)).output
    listed, shown = output[: output.index("{")], json.loads(output[output.index("{") :])
    public = derived(serving, "shop/web/public")
    assert f"web  {public}  enabled" in listed and public in {key["public"] for key in shown["keys"]}, output


@needs_world
@runs(SIMULATOR, "Download tokens")
def test_request_with_a_token(examples: list[Example], serving: World) -> None:
    (command,) = examples
    token = derived(serving, "shop/downloads/token")
    serving.path("/home/root/.netrc").write_text(f"machine 127.0.0.1 login MAG000000001 password {token}\n")
    assert "Downloads Usage:" in serving.done(command).output


@needs_world
@runs(SIMULATOR, "Your own data")
def test_own_data(examples: list[Example], world: World) -> None:
    (data,) = examples
    world.write("data.yml", data)
    with world.serving(f"python {ROOT}/tests/simulator serve --state /srv/own --data data.yml", "/srv/own"):
        account = json.loads(world.simulator("account show me", "/srv/own"))
        downloads = json.loads(world.simulator("downloads", "/srv/own"))
    assert {key["label"]: key["enabled"] for key in account["keys"]} == {"web": True, "old": False}
    (offered,) = downloads["downloads"] if isinstance(downloads, dict) else downloads
    assert (offered["file_name"], offered["size"]) == ("Magento-CE-2.4.9.zip", 1000000)


@needs_world
@pytest.mark.needs("composer")
@runs(SIMULATOR, "Use it from a playbook: by address")
def test_by_address(examples: list[Example], serving: World) -> None:
    play, create_project = examples
    halves = {f"simulator_{half}_key": key for half, key in key_of_shop(serving).items()}
    serving.vault(**halves)
    serving.twice(serving.playbook(play, "-e @vault.yml"))
    assert serving.installed("deploy", "127.0.0.1:8443") == halves["simulator_public_key"]
    serving.done(create_project, user="deploy", cwd="/home/deploy")
    assert serving.path("/home/deploy/shop/vendor/magento/framework/registration.php").is_file()


def key_of_shop(world: World) -> dict[str, str]:
    """Both halves of the key `web`."""
    account = json.loads(world.simulator("account show shop", STATE))
    (key,) = [key for key in account["keys"] if key["label"] == "web"]
    return {half: key[half] for half in ("public", "private")}


@needs_world
@runs(SIMULATOR, "Use it from a playbook: under the real names")
def test_under_the_real_names(examples: list[Example], plain_world: World) -> None:
    serve, play = examples
    ask = "curl -sS -o /dev/null -w '%{http_code}' https://repo.magento.com/packages.json"
    plain_world.inventory("web1", group="test")
    with plain_world.serving(serve, cwd=str(ROOT)):
        assert plain_world.run(ask).status != 0
        plain_world.twice(plain_world.playbook(play))
        # 401: the name resolves and the certificate is trusted; the request has no key.
        assert plain_world.done(ask).output == "401"


@needs_world
@runs(SIMULATOR, "Switches: undocumented behaviour")
def test_switches(examples: list[Example], serving: World) -> None:
    (commands,) = examples
    output = serving.done(commands, cwd=str(ROOT)).output
    assert 'disabled_key="403"  (changed)' in output and 'good_keys="401"  (changed)' in output, output
    assert "(changed)" not in serving.simulator("switch", STATE)


@needs_world
@runs(SIMULATOR, "Faults")
def test_faults(examples: list[Example], serving: World) -> None:
    (commands,) = examples
    output = serving.done(commands, cwd=str(ROOT)).output
    assert "kinds:" in output and '"Retry-After": "30"' in output and '"after_bytes": 1000' in output, output
    assert json.loads(serving.simulator("fault", STATE)) == []


@needs_world
@runs(SIMULATOR, "From Python")
def test_from_python(examples: list[Example], world: World) -> None:
    (program,) = examples
    world.write("example.py", program)
    world.done("python example.py", PYTHONPATH=f"{ROOT}/tests")
