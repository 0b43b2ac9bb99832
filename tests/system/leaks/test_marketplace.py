# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves a run of the Marketplace modules, lookups and filter, wherever it fails."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from system.leaks.lab import (
    APPLICATION,
    FOREIGN,
    LOGGED,
    MODULE,
    NEW,
    SEEN,
    TOKENS,
    Lab,
    access,
)
from system.marketplace.lab import SHOP

pytestmark = pytest.mark.needs("strace")
KEY = "keyfleet.magento.magento_marketplace_key"
INFO = f"{KEY}_info"


def task(register: str, module: str, **options: Any) -> dict[str, Any]:
    keywords: dict[str, Any] = {name: options.pop(name) for name in ("check_mode", "no_log", "vars") if name in options}
    return {"name": register, "register": register, module: options, **keywords}


def run(lab: Lab, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The registered results of the steps. Searches every channel, also the fact cache, which contains all results."""
    names = ", ".join(f"{step['register']} | default(none)" for step in steps)
    keep = {"name": "Facts", "ansible.builtin.set_fact": {"seen": "{{ [" + names + "] }}", "cacheable": True}}
    watched, results = lab.play([*steps, keep], "--diff", "-e", f"@{lab.top / 'api.json'}")
    watched.report.require_clean(*SEEN, "facts", "results", *LOGGED)
    return results


def test_life_cycle_of_keys(account: Lab) -> None:
    api = access(account.simulator)
    file = account.projects / "auth.json"
    file.write_text("{}")
    pair = (
        "{{ lookup('"
        + KEY
        + "', 'new 1', application_id=api_id, application_secret=api_secret, api_url=url, ca_path=ca) }}"
    )
    variables = {"pair": pair, "url": account.simulator.marketplace_url, "ca": account.simulator.ca_path}
    halves = {"public_key": "{{ pair.public_key }}", "private_key": "{{ pair.private_key }}"}
    text = "{{ {'public_key': pair.public_key, 'private_key': pair.private_key} | keyfleet.magento.composer_auth_env }}"
    steps = [
        task("predicted", KEY, labels=NEW, check_mode=True, **api),
        task("made", KEY, labels=NEW, **api),
        task("changed", KEY, labels=NEW, enabled=False, **api),
        task("listed", INFO, **api),
        task("filtered", INFO, prefix="new", enabled=False, **api),
        task("installed", MODULE, paths=[str(file)], verify="never", vars=variables, **halves),
        task("length", "ansible.builtin.debug", msg="{{ (" + text[3:-3] + ") | string | length }}", vars=variables),
        task("deleted", KEY, labels=NEW, state="absent", **api),
    ]  # fmt: skip
    results = run(account, steps)
    assert [result["failed"] for result in results.values()] == [False] * len(results)
    actions = {
        name: [key.get("action") for key in result.get("marketplace_keys", [])] for name, result in results.items()
    }
    assert actions["predicted"] == actions["made"] == ["created", "created"]
    assert (actions["changed"], actions["deleted"]) == (["disabled", "disabled"], ["deleted", "deleted"])
    assert len(results["listed"]["marketplace_keys"]) >= 5
    assert len(results["filtered"]["marketplace_keys"]) == 2
    assert results["installed"]["changed"] is True


def test_requested_private_keys_are_hidden_by_no_log(account: Lab) -> None:
    api = access(account.simulator)
    file = account.projects / "auth.json"
    file.write_text("{}")
    fetch = task("fetched", INFO, label="web", include_private_keys=True, no_log=True, **api)
    halves = {name: "{{ fetched.marketplace_keys[0]." + name + " }}" for name in ("public_key", "private_key")}
    use = task("installed", MODULE, paths=[str(file)], verify="never", **halves)
    play = [{"hosts": "web", "gather_facts": False, "tasks": [fetch, use]}]
    (account.top / "fetch.json").write_text(json.dumps(play))
    watched = account.run(["ansible-playbook", str(account.top / "fetch.json"), "-e", f"@{account.top / 'api.json'}"])
    assert watched.status == 0
    watched.report.require_clean(*SEEN, *LOGGED)
    assert account.simulator.key("shop", "web")[1] in file.read_text()


def test_failing_calls(account: Lab) -> None:
    simulator, api = account.simulator, access(account.simulator)
    secret, half = APPLICATION[1], simulator.key("shop", "web")[1]
    pair = base64.b64encode(":".join(APPLICATION).encode()).decode()
    words = f"Bad {secret}, {pair}, {half}"
    simulator.set_switch("api_fail_label", "echo*")
    # The second session is that of the task `part`.
    simulator.set_switch("api_fail_message", f"{words}, Bearer {TOKENS[1]}")
    body = json.dumps({"code": 1208, "message": words})
    simulator.add_fault("status", path="/echo/*", status=403, body=body)
    simulator.add_fault(
        "status", path="/page/*", status=503, body=f"<html>{words}</html>", headers={"Retry-After": "999"}
    )
    simulator.add_fault("status", path="/wait/*", status=429, body=body, headers={"Retry-After": words})
    simulator.add_fault(
        "redirect", path="/away/*", location=f"https://{APPLICATION[0]}:{secret}@elsewhere.example/?{half}"
    )
    simulator.add_fault(
        "status", path="/odd/*", status=200, body=json.dumps({"mage_id": SHOP, "ust": f"{secret} {half}"})
    )
    away = {name: f"{simulator.marketplace_url}/{name}" for name in ("echo", "page", "wait", "away", "odd")}
    untrusted = {name: value for name, value in api.items() if name != "ca_path"}
    lookup = (
        "lookup('" + KEY + "', 'none', application_id=api_id, application_secret={secret}, api_url=url, ca_path=ca)"
    )
    variables = {"url": simulator.marketplace_url, "ca": simulator.ca_path}
    steps = [
        task("wrong", KEY, label="a", **{**api, "application_secret": "{{ api_wrong }}"}),
        task("wrong_info", INFO, **{**api, "application_secret": "{{ api_wrong }}"}),
        task("enabled", KEY, label="web", state="absent", **api),
        task("part", KEY, labels=["echo", "part"], **api),
        task("label", KEY, label="{{ 'x' * 33 }}", **api),
        *(task(name, INFO, **{**api, "api_url": url}) for name, url in away.items()),
        task("untrusted", INFO, **untrusted),
        task("nobody", INFO, **{**api, "api_url": "https://127.0.0.1:1"}),
        task("in_address", INFO, **{**api, "api_url": "https://{{ api_id }}:{{ api_secret }}@127.0.0.1/"}),
        task("state", KEY, label="a", state="banana", **api),
        task("misspelt", KEY, label="a", application_secrt="{{ api_secret }}", application_id="{{ api_id }}"),
        task("looked", "ansible.builtin.debug", msg="{{ " + lookup.format(secret="api_secret") + " }}", vars=variables),
        task("looked_wrong", "ansible.builtin.debug", msg="{{ " + lookup.format(secret="api_wrong") + " }}",
             vars=variables),
    ]  # fmt: skip
    results = run(account, steps)
    assert {name: result["failed"] for name, result in results.items()} == dict.fromkeys(results, True)
    assert {name: result["code"] for name, result in results.items() if "code" in result} == {
        "wrong": "api_unauthorized",
        "wrong_info": "api_unauthorized",
        "enabled": "key_enabled",
        "part": "keys_not_created",
        "label": "bad_options",
        "echo": "api_forbidden",
        "page": "api_unavailable",
        "wait": "api_rate_limited",
        "away": "api_redirected",
        "odd": "api_answer_unusable",
        "untrusted": "api_tls_failed",
        "nobody": "api_unreachable",
        "in_address": "bad_options",
    }
    assert "Bad" not in results["echo"]["msg"]
    assert results["part"]["msg"].endswith("'echo': no reason is shown (code 1210)")
    assert "unknown_label" in results["looked"]["msg"]
    assert "api_unauthorized" in results["looked_wrong"]["msg"]


def test_lookup_of_entries_and_text_for_the_environment(account: Lab) -> None:
    login = {"username": "made-up-user", "password": FOREIGN["basic"]}
    fine = account.project("fine", {"http-basic": {"other.example": login}, "bearer": {"h.example": FOREIGN["bearer"]}})
    broken = account.project("broken", json.dumps({"http-basic": {"other.example": login}})[:-2])

    def look(repository: str, project: str) -> str:
        return f"lookup('keyfleet.magento.composer_auth', '{repository}', path='{project}/auth.json')"

    key = "{'keys': [{'public_key': vault_first_public, 'private_key': %s}]} | keyfleet.magento.composer_auth_env"
    expressions = {
        "found": look("other.example", fine) + ".password | default('none')",
        "no_entry": look("none.example", fine),
        "bearer": look("h.example", fine),
        "broken": look("other.example", broken),
        "text": key % "vault_first" + " | string | length",
        "bad_text": key % "vault_upper_case",
        "no_text": "[vault_first] | keyfleet.magento.composer_auth_env",
    }
    steps = [task(name, "ansible.builtin.debug", msg="{{ " + text + " }}") for name, text in expressions.items()]
    results = run(account, steps)
    assert [name for name, result in results.items() if not result["failed"]] == ["found", "text"]
    for name, words in (
        ("no_entry", "no_entry"),
        ("bearer", "bearer"),
        ("broken", "malformed_file"),
        ("bad_text", "upper-case"),
    ):
        assert words in results[name]["msg"], name
