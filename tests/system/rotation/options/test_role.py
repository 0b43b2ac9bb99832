# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each variable of the role magento_auth reaches its module; every variable of every role has such a test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.keyfleet.magento.plugins.modules import magento_auth_key, magento_download_token
from place import ROOT
from simulator.client import Simulator
from system.control import PYTHON
from system.files.lab import Account, Accounts, give, owner_and_mode
from system.rotation.lab import OLD, REPOSITORY, Fleet, results
from system.rotation.mutants.run import table
from system.rotation.options.lab import PACKAGE, Recorded, outcomes, recorded_control

pytestmark = pytest.mark.needs("root", PYTHON, "curl", "useradd")

PREFIX = "magento_auth_"
INSTALL, TOKEN = "Install the auth keys", "Install the download token"
# The only options of the token's module that are not named like their variables.
NAMES = {"mage_id": "mage_id", "download_token": "token"}
INHERITED = ("state", "users", "verify", "validate_certs", "ca_path", "timeout")
"""Variables of the keys that are defaults for the token."""
WRONG = "ab" * 20


def token_option(variable: str) -> str | None:
    """The option of the token's module for a variable without its prefix; None if it is a variable of the keys."""
    option = variable.removeprefix("token_")
    return NAMES.get(variable, option if option != variable else None)


def documented(role: Path) -> dict[str, Any]:
    """Every documented variable of a role, and ``NAME[].OPTION`` for the options of its elements."""
    entries = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"].values()
    options = {name: option for entry in entries for name, option in entry.get("options", {}).items()}
    nested = [(f"{name}[].{key}", o) for name, each in options.items() for key, o in each.get("options", {}).items()]
    return options | dict(nested)


@pytest.fixture
def homes(accounts: Accounts) -> Iterator[tuple[Account, Account]]:
    """Two accounts. Files of the test in the homes are removed afterwards."""
    yield accounts.deploy, accounts.other
    for account in (accounts.deploy, accounts.other):
        shutil.rmtree(account.home / ".composer", ignore_errors=True)
        (account.home / ".netrc").unlink(missing_ok=True)


def keys_and_token(fleet: Fleet, homes: tuple[Account, Account]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A value for every variable of a single key, and of the token; those that both have get different values."""
    simulator, directory = fleet.simulator, fleet.directory / "web1"
    deploy, other = homes
    public, private = simulator.key("shop", "web")
    mage_id, token = simulator.token("shop")
    keys = {
        "repository": simulator.address,
        "public_key": public,
        "private_key": private,
        "url": simulator.url,
        "packages": [PACKAGE],
        "users": [deploy.name],
        "projects": [str(directory / "shop")],
        "paths": [str(directory / "auth.json")],
        "state": "present",
        "owner": deploy.name,
        "group": other.name,
        "mode": "0640",
        "malformed": "replace",
        "verify": "always",
        "fail_on": ["invalid", "refused"],
        "validate_certs": False,
        "ca_path": simulator.ca_path,
        "timeout": 13.5,
        "use_proxy": False,
    }
    of_token = {
        "mage_id": mage_id,
        "download_token": token,
        "token_state": "absent",
        "token_users": [other.name],
        "token_paths": [str(directory / "netrc")],
        "token_owner": other.name,
        "token_group": deploy.name,
        "token_mode": "0400",
        "token_host": simulator.host,
        "token_downloads_url": simulator.downloads_url,
        "token_verify": "never",
        "token_fail_on": ["unknown"],
        "token_validate_certs": True,
        "token_ca_path": str(directory / "ca.pem"),
        "token_timeout": 11.5,
    }
    return keys, of_token


def listed_keys(fleet: Fleet, deploy: Account) -> list[dict[str, Any]]:
    """A key with a value for every option of a pair, one that names a series instead, and one to remove everywhere."""
    simulator, directory = fleet.simulator, fleet.directory / "web2"
    public, private = simulator.key("shop", "ci")
    pair: dict[str, Any] = {
        "repository": simulator.address,
        "public_key": public,
        "private_key": private,
        "users": [deploy.name],
        "projects": [str(directory / "shop")],
        "paths": [str(directory / "auth.json")],
        "state": "present",
        "url": simulator.url,
        "packages": [PACKAGE],
    }
    rest = {name: value for name, value in pair.items() if name not in ("public_key", "private_key")}
    removed = {"public_key": "0" * 32, "state": "absent", "search": [str(directory)]}
    return [pair, {**rest, "repository": REPOSITORY, "series": "fleet"}, removed]


def use(fleet: Fleet, **hosts: Mapping[str, Any]) -> None:
    """Make these hosts, with their variables of the role, the whole fleet."""
    fleet.variables = {}
    fleet.names = tuple(hosts)
    fleet.settings["expected_hosts"] = list(hosts)
    for host, variables in hosts.items():
        fleet.own[host] = {f"{PREFIX}{name}": value for name, value in variables.items()}


def options_of(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {token_option(name) or name: value for name, value in variables.items()}


def test_every_variable_of_every_role_has_a_value_in_a_test(fleet: Fleet, homes: tuple[Account, Account]) -> None:
    keys, of_token = keys_and_token(fleet, homes)
    given = {f"{PREFIX}{name}" for name in (*keys, *of_token, "series", "keys")}
    nested = {f"{PREFIX}keys[].{name}" for key in listed_keys(fleet, homes[0]) for name in key}
    tested = {
        "magento_auth": given | nested,
        # The edits of its callers that a test notices.
        "magento_key_rotation": {row.split("#")[2].removesuffix(" dropped") for row in table()[0]},
    }
    for role in (ROOT / "roles").iterdir():
        assert set(documented(role)) - tested[role.name] == set(), f"no test sets these variables of {role.name}"
    assert given | nested <= set(documented(ROOT / "roles" / "magento_auth"))


def test_every_variable_reaches_its_module(fleet: Fleet, homes: tuple[Account, Account]) -> None:
    control, (deploy, other), directory = recorded_control(fleet), homes, fleet.directory / "web1"
    keys, of_token = keys_and_token(fleet, homes)
    malformed = give(directory / "auth.json", None, 0o600, "not JSON")
    listed = listed_keys(fleet, deploy)
    pair = {name: keys[name] for name in ("public_key", "private_key")}
    series = {name: value for name, value in keys.items() if name not in pair}
    token = {name: value for name, value in of_token.items() if name in NAMES}
    # The variables of the keys are the defaults of those for the token.
    inherited = {**keys, "paths": [str(directory / "inherited.json")], "state": "absent"}
    few = {**pair, "users": [other.name], "paths": [str(directory / "few.json")], "verify": "never"}
    use(
        fleet,
        web1={**keys, **of_token},
        web2={"keys": listed, "ca_path": keys["ca_path"]},
        web3={**inherited, **token},
        web4={**few, **token, "token_paths": of_token["token_paths"]},
        web5={**series, "series": "fleet"},
    )
    # One host after the other, since some have the same files.
    run = fleet.run("provision", "--forks=1")
    assert run.status == 0, run.output

    prefix = {"option_prefix": PREFIX}
    assert control.arguments(INSTALL, "web1") == [keys | prefix]
    assert control.arguments(TOKEN, "web1") == [options_of(of_token)]
    current = dict(zip(pair, fleet.simulator.key("shop", OLD), strict=True))
    first, second, last = listed
    second = {name: value for name, value in second.items() if name != "series"}
    expected = {"keys": [first, second | current, last], "ca_path": keys["ca_path"]}
    assert control.arguments(INSTALL, "web2") == [expected | prefix]
    assert control.arguments(TOKEN, "web2") == []
    defaults = {name: inherited[name] for name in INHERITED}
    assert control.arguments(TOKEN, "web3") == [defaults | options_of(token)]
    assert control.arguments(INSTALL, "web4") == [few | prefix]
    without_users = {"verify": "never", "paths": of_token["token_paths"]}
    assert control.arguments(TOKEN, "web4") == [without_users | options_of(token)]
    assert control.arguments(INSTALL, "web5") == [series | current | prefix]
    assert control.arguments(TOKEN, "web5") == []
    assert json.loads(malformed.read_text())["http-basic"].keys() == {fleet.simulator.address}
    assert owner_and_mode(malformed) == (deploy.uid, other.gid, 0o640)


def outcome(result: Mapping[str, Any]) -> Any:
    """The code of a failure, or the codes of all verdicts."""
    return result.get("code") or [verdict["code"] for verdict in result["verdicts"]]


def test_every_variable_of_the_token_has_its_effect(
    control: Recorded, simulator: Simulator, accounts: Accounts, lab: Path
) -> None:
    deploy, other = accounts.deploy, accounts.other
    slow, slow_token = simulator.token("enterprise")
    simulator.add_fault("stall", path="/products/downloads/*", user=slow)
    verified = ["token_valid"] * 2
    own: dict[str, tuple[dict[str, Any], Any]] = {
        "default": ({}, verified),
        "wrong": ({"download_token": WRONG}, "token_invalid"),
        "fail_on": ({"download_token": WRONG, "token_fail_on": ["refused", "unknown"]}, ["token_invalid"]),
        "never": ({"download_token": WRONG, "token_verify": "never", "verify": "always"}, ["not_asked"]),
        "always": ({"token_verify": "always"}, verified),
        "inherited": ({"verify": "always"}, verified),
        "unchanged": ({}, ["not_asked"]),
        "ownership": ({"token_owner": deploy.name, "token_group": other.name, "token_mode": "0640"}, verified),
        "untrusted": ({"ca_path": None}, "tls_failed"),
        "certificates": ({"ca_path": None, "token_validate_certs": False, "validate_certs": True}, verified),
        "authority": ({"ca_path": str(lab / "none"), "token_ca_path": simulator.ca_path}, verified),
        "timeout": ({"mage_id": slow, "download_token": slow_token, "token_timeout": 0.5, "timeout": 300.0},
                    "timed_out"),
    }  # fmt: skip
    mage_id, token = simulator.token("shop")
    common = {
        "mage_id": mage_id,
        "download_token": token,
        "ca_path": simulator.ca_path,
        "token_host": simulator.host,
        "token_downloads_url": simulator.downloads_url,
    }
    for host in own:
        give(lab / host, None, 0o755)
    for host in ("always", "inherited", "unchanged"):
        entry = f"machine {simulator.host} login {mage_id} password {token}\n"
        give(lab / host / "netrc", None, 0o600, entry)
    for host, (variables, _expected) in own.items():
        given = {**common, "token_paths": [str(lab / host / "netrc")], **variables}
        control.hosts[host] = {f"{PREFIX}{name}": value for name, value in given.items() if value is not None}
    del control.hosts["web1"]
    role = {"name": "keyfleet.magento.magento_auth"}
    read = {"ansible.builtin.debug": {"msg": f"{{{{ {PREFIX}token_result.verdicts | length }}}}"}, "name": "Read"}
    run = control.play([{"ansible.builtin.include_role": role}, read])
    found = results(run, TOKEN)
    assert {host: outcome(result) for host, result in found.items()} == {host: e for host, (_v, e) in own.items()}, (
        run.output
    )
    assert outcomes(run, "Read") == ["ok"] * (len(own) - 3), run.output
    assert owner_and_mode(lab / "ownership" / "netrc") == (deploy.uid, other.gid, 0o640)


@pytest.mark.parametrize("variable", ["mage_id", "download_token", "token_state"])
def test_each_variable_of_a_token_alone_is_passed_to_its_module(
    variable: str, control: Recorded, simulator: Simulator, lab: Path
) -> None:
    mage_id, token = simulator.token("shop")
    value = {"mage_id": mage_id, "download_token": token, "token_state": "absent"}[variable]
    paths = [str(lab / "netrc")]
    run = control.role({f"{PREFIX}{variable}": value, f"{PREFIX}token_paths": paths})
    assert not outcomes(run, INSTALL), run.output
    assert control.arguments(TOKEN, "web1") == [options_of({variable: value, "token_paths": paths})], run.output


def test_documented_types_choices_and_defaults_are_those_of_the_modules() -> None:
    of_keys: dict[str, Any] = magento_auth_key.ARGUMENT_SPEC
    of_token: dict[str, Any] = magento_download_token.ARGUMENT_SPEC
    different = set()
    for name, documentation in documented(ROOT / "roles" / "magento_auth").items():
        variable = name.removeprefix(PREFIX)
        key, option = variable.removeprefix("keys[]."), token_option(variable)
        specs = of_token if option else of_keys if key == variable else of_keys["keys"]["options"]
        spec = specs.get(option or key, {})
        different |= {f"{variable} {f}" for f in ("type", "choices", "default") if documentation.get(f) != spec.get(f)}
        different |= (
            {f"{variable} no_log"} if documentation.get("no_log", False) != spec.get("no_log", False) else set()
        )
    assert different == {
        # Only the role knows series.
        "series type", "keys[].series type",
        # In a search, the module takes every repository if none is set.
        "repository default", "keys[].repository default",
        # Those of the keys, for both; the others have none.
        *(f"token_{name} default" for name in INHERITED if "default" in of_token[name]),
    }  # fmt: skip
