# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret leaves a run: not in output, logs, results, temporary files, arguments or environments."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from leaks import syslog_socket
from system.leaks.lab import FOREIGN, GIVEN, INFO, MODULE, OTHERS, PUBLIC, ROLE, SEEN, Lab

pytestmark = pytest.mark.needs("strace")
FIRST: dict[str, Any] = {"public_key": "{{ vault_first_public }}", "private_key": "{{ vault_first }}"}
SECOND: dict[str, Any] = {"public_key": "{{ vault_second_public }}", "private_key": "{{ vault_second }}"}
# As in many fleets; `test_life_cycle_of_a_key` searches the temporary files of a run without it.
PIPELINING = {"ANSIBLE_PIPELINING": "1"}
LOGGED = ("syslog",) if syslog_socket.lacking() is None else ()


def task(register: str, module: str = MODULE, **options: Any) -> dict[str, Any]:
    keywords: dict[str, Any] = {name: options.pop(name) for name in ("check_mode", "diff") if name in options}
    return {"name": register, "register": register, module: options, **keywords}


def test_life_cycle_of_a_key(lab: Lab) -> None:
    project = lab.project("shop", OTHERS)
    login = {"username": "made-up-user", "password": FOREIGN["basic"]}
    asked = lab.project("asked", {"http-basic": {lab.simulator.address: login}})
    vendor = {
        "repository": "vendor.example",
        "public_key": "token",
        "private_key": "{{ vault_vendor }}",
        "verify": "never",
    }
    common = {"projects": [project], **lab.ask}
    steps = [
        task("predicted", **FIRST, **common, check_mode=True, diff=True),
        task("installed", **FIRST, **common, diff=True),
        task("repeated", **FIRST, **common, diff=True, verify="always"),
        task("changed", **SECOND, **common, diff=True),
        task("vendor_installed", **vendor, projects=[project], diff=True),
        task("opened", "ansible.builtin.file", path=f"{project}/auth.json", mode="0644"),
        task("repaired", **SECOND, **common, diff=True),
        task("listed", INFO, projects=[project]),
        task("asked", INFO, projects=[asked], **lab.ask, verify="always"),
        task("checked", INFO, **FIRST, **lab.ask),
        task("removed", projects=[project], state="absent", diff=True),
        task("vendor_removed", repository="vendor.example", projects=[project], state="absent", diff=True),
    ]
    watched, results = lab.play(steps)

    actions = {name: result["files"][0].get("action") for name, result in results.items() if result.get("files")}
    assert actions == {
        "predicted": "updated",
        "installed": "updated",
        "repeated": "unchanged",
        "changed": "updated",
        "vendor_installed": "updated",
        "repaired": "repaired",
        "listed": None,
        "asked": None,
        "removed": "removed",
        "vendor_removed": "removed",
    }
    assert not any(result["failed"] for result in results.values())
    assert len(results["listed"]["files"][0]["entries"]) > len(OTHERS)
    assert [verdict["status"] for verdict in results["asked"]["verdicts"]] == ["invalid"]
    assert results["changed"]["diff"][0]["before"]
    watched.report.require_clean(*SEEN, "results", *LOGGED)
    assert json.loads((lab.projects / "shop" / "auth.json").read_text()) == OTHERS


def test_refusals_before_a_file_is_changed(lab: Lab) -> None:
    broken = FOREIGN["broken"]
    cut = json.dumps({"http-basic": {"repo.magento.com": {"username": PUBLIC["first"], "password": broken}}})[:-3]
    files = {
        "cut_off": cut,
        "number": f'{{"http-basic": {{"repo.magento.com": {{"username": "{broken}", "password": 7}}}}}}',
        "text": {"http-basic": broken},
        "host_text": {"http-basic": {"repo.magento.com": broken}},
        "bad_token": {"github-oauth": {"github.com": f"{broken} !"}},
        "list": [broken],
        "latin": "",
    }
    projects = {name: lab.project(name, content) for name, content in files.items()}
    latin = f'{{"bearer": {{"h.example": "{broken}\xff"}}}}'
    (lab.projects / "latin" / "auth.json").write_bytes(latin.encode("latin-1"))
    bad_values: list[Any] = [
        f"{{{{ vault_{name} }}}}" for name in ("download_token", "upper_case", "vendor", "sign_in")
    ]
    bad_values += [["{{ vault_first }}"], "{{ {vault_first: 1} }}"]
    common = {"projects": [lab.project("fine", OTHERS)], **lab.ask}
    wrong = {**FIRST, "private_key": "{{ vault_wrong }}"}
    steps = [
        task("malformed", **FIRST, **lab.ask, projects=list(projects.values())),
        task("listed", INFO, projects=[projects["cut_off"], projects["host_text"]]),
        task("bad_values", keys=[{**FIRST, "private_key": key} for key in bad_values], projects=common["projects"]),
        task("bad_value", **{**FIRST, "private_key": bad_values[0]}, **common),
        task("wrong_pair", **wrong, **common),
        task("wrong_pair_checked", INFO, **wrong, **lab.ask, fail_on=["invalid"]),
        task("no_directory", **FIRST, **lab.ask, projects=["/nonexistent/shop"]),
    ]
    watched, results = lab.play(steps, "--diff", env=PIPELINING)

    assert {name: result.get("code") for name, result in results.items()} == {
        "malformed": "malformed_file",
        "listed": None,
        "bad_values": "bad_key",
        "bad_value": "bad_key",
        "wrong_pair": "keys_invalid",
        "wrong_pair_checked": "keys_invalid",
        "no_directory": "no_directory",
    }
    assert len(results["malformed"]["problems"]) == len(files)
    assert len(results["bad_values"]["problems"]) == len(bad_values)
    watched.report.require_clean(*SEEN, "results", *LOGGED)
    assert json.loads((lab.projects / "fine" / "auth.json").read_text()) == OTHERS


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "state": ({**FIRST, "state": "banana"}, "value of state must be one of"),
    "mode": ({**FIRST, "mode": "rw"}, "mode 'rw' is not an octal number"),
    "timeout": ({**FIRST, "timeout": "soon"}, "argument 'timeout' is of type"),
    "misspelt": ({"public_key": "{{ vault_first_public }}", "privat_key": "{{ vault_first }}"}, "module: privat_key."),
    "in_keys": ({"keys": [{**FIRST, "user": "deploy"}]}, "module: keys.user. Supported"),
    "misspelt_in_keys": ({"keys": [{"privat_key": "{{ vault_first }}"}]}, "module: keys.privat_key. Supported"),
    "nested_keys": ({"keys": [[FIRST, SECOND]]}, "keys: every element must be a dictionary"),
    "text_keys": ({"keys": ["{{ vault_first }}"]}, "every element must be a dictionary"),
    "both": ({"keys": [FIRST], **SECOND}, "two different keys for repo.magento.com"),
    "in_url": ({**FIRST, "url": "https://{{ vault_first_public }}:{{ vault_first }}@h.example/"}, "must not contain"),
    "in_host": ({**FIRST, "repository": "{{ vault_first_public }}:{{ vault_first }}@h.example"}, "it must be the host"),
    "only_in_url": ({**SECOND, "url": "https://u:{{ vault_vendor | urlencode }}@h.example/"}, "not an address"),
    "without_scheme": ({**SECOND, "url": "{{ vault_wrong }}@h.example"}, "url 'h.example' is not"),
    "only_in_host": ({**SECOND, "repository": "{{ vault_wrong }}@h.example"}, "it must be the host"),
    "undefined": ({**FIRST, "private_key": "{{ vault_first + nothing }}"}, "'nothing' is undefined"),
    "filter_fails": ({**FIRST, "private_key": "{{ vault_first | from_json }}"}, "from_json' failed"),
}


def test_wrong_options_and_templates_beside_a_secret(lab: Lab) -> None:
    project = lab.project("shop")
    steps = [
        task(name, **({"projects": [project], "verify": "never"} | options))
        for name, (options, _text) in WRONG_OPTIONS.items()
    ]
    watched, results = lab.play(steps, "--diff", env=PIPELINING)

    for name, (_options, text) in WRONG_OPTIONS.items():
        assert results[name]["failed"], name
        assert text in results[name]["msg"], (name, results[name]["msg"])
    watched.report.require_clean(*SEEN, "results", *LOGGED)
    assert not (lab.projects / "shop" / "auth.json").exists()


@pytest.mark.needs("ssh")
def test_network_and_server_faults(lab: Lab) -> None:
    simulator = lab.simulator
    private, vendor = GIVEN["first"], GIVEN["vendor"]
    pair = f"{PUBLIC['first']}:{private}"
    echoes = {
        "harmless": (401, "Ask your agency."),
        "plain": (401, f"Bad password {private}."),
        "json": (401, json.dumps({"message": f"Bad password {private}", "pair": pair})),
        "basic": (401, f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"),
        "page": (401, f"<html><title>{private}</title><h1>{private}</h1>{'<p>no</p>' * 300}</html>"),
        "vendor-json": (403, json.dumps({"message": f"Bad password {vendor}"})),
        "welcome": (200, f"Hello {pair}"),
    }
    for name, (status, body) in echoes.items():
        kind = {"page": "text/html", "json": "application/json"}.get(name.rpartition("-")[2], "text/plain")
        simulator.add_fault("status", path=f"/{name}/*", status=status, body=body, headers={"Content-Type": kind})
    simulator.add_fault("redirect", path="/away/*", location="other_host")
    simulator.add_fault("redirect", path="/told/*", location=f"https://{pair}@elsewhere.example/?k={private}")
    keys = [
        {**FIRST, "repository": f"{name}.example", "url": f"{simulator.url}{name}/"}
        | ({"private_key": "{{ vault_vendor }}"} if "vendor" in name else {})
        for name in (*echoes, "away", "told")
    ]
    project = lab.project("shop", OTHERS)
    closed = {"repository": "closed.example", "url": "https://127.0.0.1:1/"}
    unreachable = {"ansible_connection": "ssh", "ansible_port": 1, "ansible_host": "127.0.0.1"}
    steps = [
        task("asked", keys=keys, projects=[project], ca_path=simulator.ca_path),
        task("no_trust", **FIRST, url=simulator.url, projects=[project]),
        task("nobody_there", **FIRST, **closed, projects=[project]),
        {**task("no_host", **FIRST, projects=[project]), "delegate_to": "gone", "vars": unreachable},
    ]
    watched, results = lab.play(steps, "--diff", env=PIPELINING)

    assert {verdict["repository"]: verdict["code"] for verdict in results["asked"]["verdicts"]} == {
        **{f"{name}.example": "keys_invalid" for name in ("harmless", "plain", "json", "basic", "page")},
        "vendor-json.example": "access_refused",
        "welcome.example": "not_a_repository",
        "away.example": "redirected",
        "told.example": "redirected",
    }
    assert "Ask your agency." in results["asked"]["msg"] and "Bad password" not in results["asked"]["msg"]
    assert results["no_trust"]["code"] == "tls_failed"
    assert results["nobody_there"]["code"] == "connection_failed"
    assert results["no_host"]["unreachable"]
    watched.report.require_clean(*SEEN, "results", *LOGGED)


ROLE_VARIABLES: dict[str, dict[str, Any]] = {
    "fine": {},
    "state": {"state": "banana"},
    "mode": {"mode": "rw"},
    "timeout": {"timeout": "soon"},
    "misspelt": {"keys": [{"public_key": "{{ vault_second_public }}", "privat_key": "{{ vault_second }}"}]},
    "nested": {"keys": [[FIRST, SECOND]]},
    "text": {"keys": "public_key={{ vault_second_public }} private_key={{ vault_second }}"},
    "undefined": {"private_key": "{{ vault_first + nothing }}"},
}


def test_the_role_and_its_own_validation(lab: Lab) -> None:
    project = lab.project("shop", OTHERS)
    given = {**FIRST, "projects": [project], **lab.ask}
    failed = "{{ ansible_failed_result.msg }}"
    steps: list[dict[str, Any]] = [
        {
            "block": [
                {
                    "name": f"case {name}",
                    "ansible.builtin.include_role": {"name": ROLE},
                    "vars": {f"magento_auth_{option}": value for option, value in {**given, **variables}.items()},
                },
                {"name": "Record the outcome", "ansible.builtin.set_fact": {f"case_{name}": "fine"}},
            ],
            "rescue": [{"name": "Record the outcome", "ansible.builtin.set_fact": {f"case_{name}": failed}}],
        }
        for name, variables in ROLE_VARIABLES.items()
    ]
    steps.append(
        {
            "name": "Collect the outcomes",
            "ansible.builtin.set_fact": {
                "outcomes": {name: f"{{{{ case_{name} }}}}" for name in ROLE_VARIABLES},
                "cacheable": True,
            },
            "register": "last",
        }
    )
    watched, results = lab.play(steps, "--diff", env=PIPELINING)

    outcomes = results["last"]["ansible_facts"]["outcomes"]
    assert [name for name, outcome in outcomes.items() if outcome == "fine"] == ["fine"]
    assert "Validation of arguments failed" in outcomes["state"]
    assert "magento_auth_keys: every element must be a dictionary" in outcomes["text"]
    assert "keys.privat_key" in outcomes["misspelt"]
    watched.report.require_clean(*SEEN, "results", "facts", *LOGGED)


def test_playbook_on_success_and_failure(lab: Lab) -> None:
    project = lab.project("shop", OTHERS)
    pair = {**FIRST, "private_key": "{{ vault_first if inventory_hostname == 'web' else vault_wrong }}"}
    variables = {f"magento_auth_{n}": v for n, v in {**pair, "projects": [project], **lab.ask}.items()}
    play = ["ansible-playbook", "keyfleet.magento.provision", "--diff", "-i", "bad,", "-e", "magento_target=web,bad"]
    watched = lab.run([*play, "-e", json.dumps(variables)])
    assert watched.status == 2
    assert re.search(r"web +: ok=2 +changed=1 .*failed=0", watched.output)
    assert re.search(r"bad +: ok=1 +changed=0 .*failed=1", watched.output)
    watched.report.require_clean(*SEEN, *LOGGED)


def adhoc(module: str, **options: Any) -> list[str]:
    return ["ansible", "web", "-m", module, "--diff", "-a", " ".join(f"{n}={v}" for n, v in options.items())]


def test_the_documented_ad_hoc_line(lab: Lab) -> None:
    common = {"public_key": "{{ vault_first_public }}", **lab.ask, "projects": lab.project("shop", OTHERS)}
    for private, status in (("{{ vault_first }}", 0), ("{{ vault_wrong }}", 2)):
        # The secret comes first, so that the error of a failed task quotes it.
        line = adhoc(MODULE, private_key=private, **common)
        watched = lab.run([*line, "--tree", str(lab.scratch / "results")])
        assert watched.status == status
        assert private in watched.output or status == 0
        watched.report.require_clean(*SEEN, "results", *LOGGED)


def test_literal_arguments_leak_so_the_documentation_uses_variables(lab: Lab) -> None:
    literal = {"private_key": GIVEN["wrong"], "public_key": PUBLIC["first"], "projects": "/nonexistent/shop"}
    watched = lab.run(adhoc(MODULE, **literal))
    assert watched.status == 2
    # ansible-core 2.19 and newer quotes them when the task fails; other processes see them with every version.
    assert watched.report.where("wrong") >= {"argv", "output", "log"}
