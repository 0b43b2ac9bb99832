# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of docs/rotation.md work unchanged except for dates; a second run changes nothing."""

from __future__ import annotations

import datetime
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from place import ROOT
from system.control import Run
from system.examples.documents import CLAIMED, Example, examples_in, inline, runs
from system.examples.world import API, NEW, README_PAIR, World, changed, needs_world

ROTATION = "docs/rotation.md"
BEGIN = "From a key made by hand to a rotated fleet"
PUBLIC = README_PAIR["vault_magento_public_key"]
LAPTOP, HAND, OLD, WRITTEN = "laptop of J. Doe", "made by hand", "web-20260301", "web-20260601"
NOW = "-e new_key=true"
pytestmark = pytest.mark.usefixtures("one_day")


def today() -> str:
    """The label that a run of today gives to the generation `WRITTEN` of the documentation."""
    return f"web-{datetime.datetime.now(datetime.UTC):%Y%m%d}"


def test_every_example_of_the_rotation_is_run() -> None:
    assert set(examples_in(ROTATION)) == {heading for document, heading in CLAIMED if document == ROTATION}
    assert f"`{NOW}`" in (ROOT / ROTATION).read_text()


def first(number: int) -> Example:
    """A block of the first section, which the other sections depend on."""
    return examples_in(ROTATION)[BEGIN][number]


CHECK, ROTATE = first(2).text.splitlines()


def fleet(world: World, *labels: str, settings: Example | str | None = None, hosts: int = 1) -> None:
    """Write the documented inventory and files, for one host by default, which is faster. ``deploy`` has `HAND`."""
    world.serve(*labels)
    world.vault()
    names = [f"web{number + 1}" for number in range(hosts)]
    world.inventory(*names)
    text = settings if isinstance(settings, str) else (settings or first(0)).text
    world.write("web-series.yml", text.replace("[web1, web2, web3]", f"[{', '.join(names)}]"))
    world.write("group_vars/web.yml", first(1))
    world.give("deploy", world.keys()[HAND])


def enabled(world: World) -> dict[str, bool]:
    """Whether each key except `LAPTOP` is enabled, by label."""
    return {label: key["enabled"] for label, key in world.keys().items() if label != LAPTOP}


def says(run: Run, example: Example) -> bool:
    """Whether the run prints the documented summary, apart from dates and public keys."""

    def plain(text: str) -> str:
        return re.sub(r"\b[0-9a-f]{32}\b", "PUBLIC", text.replace(today(), WRITTEN))

    lines = [line.strip().rstrip(",").strip('"') for line in plain(run.output).splitlines()]
    expected = plain(example.text).splitlines()
    return any(lines[start : start + len(expected)] == expected for start in range(len(lines)))


@needs_world
@runs(ROTATION, BEGIN)
def test_rotate(examples: list[Example], world: World) -> None:
    settings, variables, commands, summary = examples
    fleet(world, settings=settings, hosts=3)
    world.write("group_vars/web.yml", variables)
    check, command = commands.text.splitlines()
    world.done(check)
    assert enabled(world) == {HAND: True} and world.installed("deploy") == NEW
    run = world.done(command)
    assert says(run, summary), run.output
    assert enabled(world) == {HAND: False, today(): True}
    assert world.installed("deploy") == world.keys()[today()]["public"]
    world.inventory("web1")
    again = world.done(inline(ROTATION, "ansible-playbook keyfleet.magento.provision"))
    assert again.record and not changed(again), again.output


def reject(world: World, line: str) -> None:
    """Write the settings of `fleet` with this line for ``rejected``."""
    settings = first(0).text.replace("[web1, web2, web3]", "[web1]")
    assert settings.count("  rejected: []\n") == 1
    world.write("web-series.yml", settings.replace("  rejected: []\n", line))


@needs_world
@runs(ROTATION, "Reject a key")
def test_reject_a_key(examples: list[Example], world: World) -> None:
    (rejected,) = examples
    fleet(world)
    world.done(ROTATE)
    reject(world, rejected.text.replace(WRITTEN, today()))
    world.twice(ROTATE)
    assert enabled(world) == {HAND: True, today(): False} and world.installed("deploy") == NEW
    provision = world.done(inline(ROTATION, "ansible-playbook keyfleet.magento.provision"))
    assert provision.record and not changed(provision), provision.output
    world.done(f"{ROTATE} {NOW}")
    assert enabled(world) == {HAND: False, today(): False, f"{today()}-2": True}


@needs_world
@runs(ROTATION, "Revoke a key")
def test_revoke_a_key(examples: list[Example], world: World) -> None:
    command, leaked = examples
    fleet(world)
    world.give("www-data", world.keys()[LAPTOP])
    world.twice(command)
    assert world.keys()[LAPTOP]["enabled"] is False and enabled(world) == {HAND: True}
    assert PUBLIC not in world.path("/var/www/.composer/auth.json").read_text()
    assert world.installed("deploy") == NEW
    # The current generation has leaked, and must be disabled at once.
    world.done(ROTATE)
    reject(world, f"  rejected: [{today()}]\n")
    world.done(ROTATE.replace("magento.rotate ", "magento.rotate_issue ") + f" {NOW}")
    world.twice(leaked.text.replace(OLD, today()))
    assert enabled(world) == {HAND: False, today(): False, f"{today()}-2": True}
    assert world.installed("deploy") == world.keys()[f"{today()}-2"]["public"]


@needs_world
@runs(ROTATION, "Several series")
def test_rotate_several_series(examples: list[Example], world: World) -> None:
    (playbook,) = examples
    fleet(world, OLD, "build-20260301")
    local = yaml.safe_load(world.path(f"{world.cwd}/inventory.yml").read_text())["web"]
    world.write("inventory.yml", {"web": local, "build": {**local, "hosts": {"build1": None}}})
    world.write("rotate-all.yml", playbook.text.replace("[web1, web2, web3]", "[web1]"))
    world.write("group_vars/build.yml", {"magento_auth_series": "build", "magento_auth_users": ["www-data"]})
    world.give("www-data", world.keys()["build-20260301"])
    world.twice(inline(ROTATION, "ansible-playbook rotate-all.yml"))
    build = today().replace("web", "build")
    assert enabled(world) == {HAND: True, OLD: False, "build-20260301": False, today(): True, build: True}
    held = {user: world.installed(user) for user in ("deploy", "www-data")}
    assert held == {"deploy": world.keys()[today()]["public"], "www-data": world.keys()[build]["public"]}


@needs_world
@runs(ROTATION, "In parts")
def test_rotate_in_parts(examples: list[Example], world: World) -> None:
    (commands,) = examples
    issue, deploy, retire = commands.text.splitlines()
    fleet(world)
    world.done(issue)
    assert enabled(world) == {HAND: True, today(): True} and world.installed("deploy") == NEW
    early = world.run(retire)
    assert early.status == 2 and "not yet " in early.output, early.output
    world.done(deploy)
    assert (
        enabled(world) == {HAND: True, today(): True} and world.installed("deploy") == world.keys()[today()]["public"]
    )
    world.twice(retire)
    assert enabled(world) == {HAND: False, today(): True}


@needs_world
@runs(ROTATION, "From AWX")
def test_rotate_from_awx(examples: list[Example], world: World) -> None:
    playbook, variables = examples
    fleet(world, OLD)
    # AWX passes the variables of a template as extra variables; a custom credential sets environment variables.
    world.write("extra.yml", variables.text.replace("[web1, web2, web3]", "[web1, web2]"))
    slices = [("issue", ["web1", "web2"]), ("deploy", ["web1"]), ("deploy", ["web2"]), ("retire", ["web1", "web2"])]
    for part, hosts in slices:
        world.inventory(*hosts)
        world.write("play.yml", playbook.text.replace("rotate_issue", f"rotate_{part}"))
        world.done(f"ansible-playbook play.yml -b -e @extra.yml {NOW}", **API)
        assert enabled(world)[OLD] == (part != "retire")
    assert enabled(world) == {HAND: True, OLD: False, today(): True}


@needs_world
@pytest.mark.needs("systemd-analyze")
@runs(ROTATION, "From a systemd timer")
def test_the_systemd_timer(examples: list[Example], world: World, tmp_path: Path) -> None:
    (units,) = examples
    # The units and the program that the two units require.
    files = {
        f"/usr/lib/systemd/system/{name}.target": "[Unit]\n" for name in ("basic", "sysinit", "shutdown", "timers")
    }
    files["/usr/bin/ansible-playbook"] = "#!/bin/sh\n"
    files |= dict(re.findall(r"^# (/\S+)\n(.*?)(?=^# /|\Z)", units.text, re.MULTILINE | re.DOTALL))
    for name, content in files.items():
        path = tmp_path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if "/bin/" in name else 0o644)
    names = ["rotate-web.service", "rotate-web.timer"]
    verify = subprocess.run(
        ["systemd-analyze", f"--root={tmp_path}", "verify", *names], capture_output=True, text=True, check=False
    )
    assert (verify.returncode, verify.stdout + verify.stderr) == (0, "")
    (command,) = re.findall(r"^ExecStart=/usr/bin/((?:.*\\\n)*.*)$", units.text, re.MULTILINE)
    fleet(world)
    world.done(command, CREDENTIALS_DIRECTORY=world.cwd)
    assert enabled(world) == {HAND: False, today(): True}


@needs_world
@runs(ROTATION, "Without access to the key API")
def test_rotate_without_the_api(examples: list[Example], world: World) -> None:
    (settings,) = examples
    fleet(world, settings=settings)
    # Here, the key `made by hand` is the new one.
    world.path("/home/deploy/.composer/auth.json").unlink()
    world.path("/home/deploy/.composer").rmdir()
    world.give("deploy", world.keys()[LAPTOP])
    flat = [inline(ROTATION, f"magento_auth_{name}") for name in ("series: web", "users")]
    world.write("group_vars/web.yml", "\n".join(flat))
    run = world.twice(ROTATE)
    assert f"Left to do: disable {HAND} on the account page" in run.output, run.output
    assert world.installed("deploy") == NEW
    world.write(
        "web-series.yml",
        settings.text.replace("[web1, web2, web3]", "[web1]") + f"  {inline(ROTATION, 'disabled_by_hand: [')}\n",
    )
    assert "Left to do: nothing" in world.done(ROTATE).output
    assert "/rest/v1/" not in world.simulator("log")


@needs_world
@runs(ROTATION, "Without a playbook")
def test_rotate_without_a_playbook(examples: list[Example], world: World) -> None:
    (commands,) = examples
    old, new = "old build server", "build server"
    world.serve(old)
    world.write("pair.yml", inline(ROTATION, "pair: "))
    world.twice(commands, **API)
    assert world.installed("deploy") == world.keys()[new]["public"]
    world.twice(inline(ROTATION, "ansible localhost"), **API)
    assert enabled(world) == {HAND: True, old: False, new: True}


def code_in_tables(heading: str) -> list[str]:
    """The inline code in the first column of the table below a heading."""
    section = (ROOT / ROTATION).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| ")]
    return [code for row in rows for code in re.findall("`([^`]+)`", row)]


def test_the_settings_are_those_of_the_module() -> None:
    module = (ROOT / "plugins/modules/magento_key_rotation.py").read_text()
    documentation = yaml.safe_load(module.split('DOCUMENTATION = r"""')[1].split('"""')[0])
    settings = code_in_tables("Settings")
    assert sorted(settings) == sorted(documentation["options"]["series"]["suboptions"])


def test_documented_reasons_are_those_of_the_code() -> None:
    files = [*(ROOT / "plugins/module_utils/_rotation").glob("*.py"), *(ROOT / "plugins/action").glob("*.py")]
    source = "".join(path.read_text() for path in files)
    reasons = code_in_tables("When something blocks")
    assert len(reasons) > 8
    parts = [part.strip(" ,") for reason in reasons for part in re.split(r"LABEL|ACTION|\bN\b", reason)]
    assert [part for part in parts if part not in source] == []
