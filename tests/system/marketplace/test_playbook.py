# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules, lookups and filter of the Marketplace in real plays, and how credentials reach them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined

from ansible_collections.keyfleet.magento.plugins.modules.magento_marketplace_key import ARGUMENT_SPEC
from place import ROOT
from simulator.client import Simulator
from system.marketplace.lab import access, operations, pairs
from system.playbook import play

pytestmark = pytest.mark.usefixtures("clean_environment")
TYPES = sorted((ROOT / "docs" / "credential-types").glob("*.yml"))
KEY = "keyfleet.magento.magento_marketplace_key"
INFO = f"{KEY}_info"


def task(register: str, module: str, **options: Any) -> dict[str, Any]:
    return {"name": register, "register": register, module: options, "delegate_to": "localhost", "run_once": True}


def variables(simulator: Simulator) -> dict[str, str]:
    """The environment variables for the options."""
    names = ("application_id", "application_secret", "api_url")
    return {f"MAGENTO_{name.upper()}": str(access(simulator)[name]) for name in names}


def test_options_come_from_module_defaults(simulator: Simulator, tmp_path: Path) -> None:
    played = play(
        tmp_path,
        [
            task("made", KEY, label="web 2026"),
            task("listed", INFO, prefix="web"),
            task("gone", KEY, label="none", state="absent"),
        ],
        module_defaults={"group/keyfleet.magento.marketplace": access(simulator)},
    )
    assert played.results["made"]["marketplace_keys"][0]["action"] == "created"
    assert [key["label"] for key in played.results["listed"]["marketplace_keys"]] == ["web", "web 2026"]
    assert played.results["gone"]["changed"] is False
    assert access(simulator)["application_secret"] not in played.output


def test_run_once_uses_one_session_and_lookups_one_per_host(simulator: Simulator, tmp_path: Path) -> None:
    hosts = [f"web{number}" for number in range(4)]
    env = variables(simulator)
    secret = simulator.key("shop", "web")[1]
    fetched = {**task("pair", INFO, label="web", include_private_keys=True, ca_path=simulator.ca_path), "no_log": True}
    use = {"name": "Use it", "ansible.builtin.debug": {"msg": "{{ pair.marketplace_keys[0].private_key | length }}"}}
    played = play(tmp_path, [fetched, use], hosts=hosts, env=env, options=["-vvv"])
    assert operations(simulator) == ["session", "list"]
    assert len(re.findall(r'"msg": "?32', played.output)) == 4
    assert secret not in played.output
    simulator.clear_log()
    query = f"lookup('{KEY}', 'web', ca_path='{simulator.ca_path}').private_key | length"
    looked = {"name": "Look it up", "ansible.builtin.debug": {"msg": "{{ " + query + " }}"}}
    played = play(tmp_path, [looked], hosts=hosts, env=env, options=["-vvv"])
    assert len(re.findall(r'"msg": "?32', played.output)) == 4
    assert operations(simulator).count("session") == operations(simulator).count("list") == 4
    assert secret not in played.output


def test_lookups_and_filter_in_templates(simulator: Simulator, tmp_path: Path) -> None:
    public, private = simulator.key("shop", "web")
    entry = {"http-basic": {"repo.magento.com": {"username": public, "password": private}}}
    own = "lookup('keyfleet.magento.composer_auth', 'repo.magento.com')"
    variables_of_role = "{'public_key': entry.public_key, 'private_key': entry.private_key}"
    expressions = {
        "key": f"lookup('{KEY}', 'web', 'ci', ca_path=ca)",
        "no_key": f"lookup('{KEY}', 'none', ca_path=ca)",
        "own": own,
        "other": "lookup('keyfleet.magento.composer_auth', 'other.example')",
        "text": variables_of_role + " | keyfleet.magento.composer_auth_env",
    }
    tasks = [
        {
            "name": name,
            "register": name,
            "no_log": not name.endswith("o_key") and name != "other",
            "ansible.builtin.set_fact": {f"found_{name}": "{{ " + expression + " }}"},
            "vars": {"entry": "{{ " + own + " }}"} if name == "text" else {},
        }
        for name, expression in expressions.items()
    ]
    env = {**variables(simulator), "COMPOSER_AUTH": json.dumps(entry)}
    played = play(tmp_path, tasks, env=env, vars={"ca": simulator.ca_path})
    results: dict[str, Any] = {
        name: (result.get("ansible_facts") or {}).get(f"found_{name}") for name, result in played.results.items()
    }
    assert [pair["label"] for pair in results["key"]] == ["web", "ci"]
    assert (results["key"][0]["public_key"], results["key"][0]["private_key"]) == (public, private)
    assert results["own"]["source"] == "COMPOSER_AUTH"
    text = results["text"]
    assert (json.loads(text) if isinstance(text, str) else text) == entry
    assert "(unknown_label)" in played.results["no_key"]["msg"]
    assert "(no_entry)" in played.results["other"]["msg"]
    assert private not in played.output
    assert variables(simulator)["MAGENTO_APPLICATION_SECRET"] not in played.output


def test_documented_environment_files_are_correct(simulator: Simulator, tmp_path: Path) -> None:
    password = 'made "up" \\ wörd'
    key = {"repository": "vendor.example", "public_key": "token", "private_key": password}
    document = yaml.safe_load((ROOT / "plugins" / "filter" / "composer_auth_env.yml").read_text())
    examples = yaml.safe_load(document["EXAMPLES"])
    for number, example in enumerate(examples):
        example["ansible.builtin.copy"]["dest"] = str(tmp_path / f"{number}.env")
        del example["ansible.builtin.copy"]["owner"], example["ansible.builtin.copy"]["group"]
    played = play(tmp_path, examples, vars={"magento_auth_keys": [key]})
    assert played.status == 0, played.output
    texts = [(tmp_path / f"{number}.env").read_text() for number in range(2)]
    assert [text.count("\n") for text in texts] == [1, 1]
    plain_text, escaped = (text.removeprefix("COMPOSER_AUTH=") for text in texts)
    assert json.loads(plain_text)["http-basic"]["vendor.example"]["password"] == password
    # systemd removes one of two backslashes, and every single backslash.
    assert re.sub(r"\\(.)", r"\1", escaped) == plain_text


def test_missing_requests_library_is_reported(simulator: Simulator, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    shadow = tmp_path / "shadow" / "requests"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").write_text("raise ImportError('no requests here')\n")
    bare = {"ansible_python_interpreter": str(tmp_path / "bare" / "bin" / "python")}
    tasks = [
        {**task("made", KEY, label="a", ca_path=simulator.ca_path), "vars": bare},
        {**task("listed", INFO, ca_path=simulator.ca_path), "vars": bare},
        {"name": "Look", "register": "looked", "ansible.builtin.debug": {"msg": "{{ lookup('" + KEY + "', 'web') }}"}},
    ]
    for entry in tasks[:2]:
        # Uses the interpreter of the task, not that of localhost, which runs Ansible itself.
        del entry["delegate_to"]
    played = play(tmp_path, tasks, env={**variables(simulator), "PYTHONPATH": str(shadow.parent)})
    for name in ("made", "listed"):
        assert played.results[name]["code"] == "requests_missing"
        assert "Failed to import the required Python library (requests)" in played.results[name]["msg"]
    assert "Failed to import the required Python library (requests)" in played.results["looked"]["msg"]
    assert ("", "a") not in pairs(simulator)
    assert operations(simulator) == []


@pytest.mark.parametrize("path", TYPES, ids=[path.stem for path in TYPES])
def test_credential_types_have_the_format_of_the_platform(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert set(content) == {"name", "description", "kind", "inputs", "injectors"}
    assert content["kind"] in ("cloud", "net")
    fields = content["inputs"]["fields"]
    identifiers = [field["id"] for field in fields]
    assert len(set(identifiers)) == len(identifiers)
    for field in fields:
        assert set(field) <= {"id", "label", "type", "secret", "help_text"}
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", field["id"])
        assert field["type"] == "string"
        assert field.get("secret", False) is (field["id"] in ("application_secret", "private_key"))
    assert set(content["inputs"]["required"]) <= set(identifiers)
    assert set(content["injectors"]) <= {"env", "extra_vars", "file"}
    values = [value for part in content["injectors"].values() for value in part.values()]
    assert sorted(values) == sorted("{{ " + name + " }}" for name in identifiers)


def test_marketplace_credential_provides_all_options(simulator: Simulator, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "docs" / "credential-types" / "marketplace.yml").read_text())
    env = content["injectors"]["env"]
    specs: dict[str, Any] = dict(ARGUMENT_SPEC)
    fallbacks = [spec["fallback"][1][0] for spec in specs.values() if "fallback" in spec]
    assert sorted(env) == sorted(fallbacks)
    inputs = {name: value for name, value in access(simulator).items() if name != "ca_path"}
    # The platform renders the injectors with Jinja.
    template = Environment(undefined=StrictUndefined)
    rendered = {name: template.from_string(value).render(inputs) for name, value in env.items()}
    bundle = {"REQUESTS_CA_BUNDLE": simulator.ca_path}
    played = play(tmp_path, [task("made", KEY, label="a")], env={**rendered, **bundle})
    assert played.results["made"]["changed"] is True
    assert ("", "a") in pairs(simulator)


def test_documentation_lists_the_credential_types() -> None:
    page = (ROOT / "docs" / "automation-platform.md").read_text()
    for path in TYPES:
        assert f"(credential-types/{path.name})" in page
        assert f"docs/credential-types/{path.name}" in page
