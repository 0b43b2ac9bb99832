# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Production and sandbox of the simulated key API share nothing, although a user may have an account in both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.accounts import parse_accounts
from simulator.client import Simulator
from simulator.problems import BadInput
from simulator.tests.https import ask
from simulator.tests.keys_api import Api
from system.marketplace.lab import Proxy, access, query

SANDBOX = "commercedeveloper-sandbox-api.adobe.com"
PRODUCTION = "commercedeveloper-api.adobe.com"


@pytest.fixture
def sandbox(simulator: Simulator) -> Iterator[Api]:
    """A session of the sandbox."""
    with Api(simulator, "sandbox", host=SANDBOX) as client:
        yield client


@pytest.fixture
def production(simulator: Simulator) -> Iterator[Api]:
    """A session of production, of the same MAGEID."""
    with Api(simulator, "shop", host=PRODUCTION) as client:
        yield client


def test_applications_open_sessions_of_their_own_environment(simulator: Simulator) -> None:
    for account, host, status in (
        ("shop", PRODUCTION, 200),
        ("shop", simulator.address, 200),
        ("shop", SANDBOX, 401),
        ("sandbox", SANDBOX, 200),
        ("sandbox", SANDBOX.upper() + ":443", 200),
        ("sandbox", "sandbox.exampleworks.test", 200),
        ("sandbox", PRODUCTION, 401),
        ("sandbox", simulator.address, 401),
    ):
        assert Api(simulator, account, host=host).session(grant_type="session").status == status, (account, host)
    assert simulator.application("shop") != simulator.application("sandbox")


def test_sessions_are_invalid_in_the_other_environment(sandbox: Api, production: Api) -> None:
    assert sandbox.mage_id == production.mage_id
    for api, other in ((sandbox, PRODUCTION), (production, SANDBOX)):
        own = api.host
        assert api.list().status == 200
        api.host = other
        calls = (api.list(), api.create("stray"), api.enable("web", False), api.delete("web"))
        assert [got.status for got in calls] == [401] * 4
        api.host = own
        assert set(api.pairs(label="web")) == {(api.mage_id, "web")}
        assert api.pairs(label="stray") == {}


def test_keys_of_one_environment_are_unknown_in_the_other(sandbox: Api, production: Api) -> None:
    assert sandbox.create("fleet").json["m2"][0]["code"] == 200
    assert production.pairs(label="fleet") == {}
    assert production.create("fleet").json["m2"][0]["code"] == 200
    halves = [
        (pair["user_key"], pair["password_key"]) for api in (sandbox, production) for pair in api.pairs().values()
    ]
    assert len({half for pair in halves for half in pair}) == 2 * len(halves)
    assert sandbox.delete("fleet").status == 204
    assert set(production.pairs(label="fleet")) == {(production.mage_id, "fleet")}


def test_repository_accepts_keys_of_production(simulator: Simulator, sandbox: Api, production: Api) -> None:
    pair, known = sandbox.create_pair("fleet"), simulator.key("sandbox", "web")
    assert [ask(simulator, key=key).status for key in (production.create_pair("fleet"), pair, known)] == [200, 401, 401]
    simulator.set_switch("sandbox_key", "200")
    assert [ask(simulator, key=key).status for key in (pair, known)] == [200, 200]
    sandbox.enable("fleet", False)
    assert [ask(simulator, key=key).status for key in (pair, known)] == [401, 200]


@pytest.mark.usefixtures("clean_environment")
@pytest.mark.parametrize(("environment", "host"), [("production", PRODUCTION), ("sandbox", SANDBOX)])
def test_the_modules_reach_each_environment_under_its_real_name(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, environment: str, host: str
) -> None:
    with Proxy(connect_to=simulator.address) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        for account, own in (("shop", "production"), ("sandbox", "sandbox")):
            options = {**access(simulator, account, api_url=None), "environment": environment}
            answer = query(simulator, options)
            if own == environment:
                found = {key["label"] for key in answer.result["marketplace_keys"]}
                assert found == {key["label"] for key in simulator.account(account)["keys"]}, answer.result
            else:
                assert answer.result["code"] == "api_unauthorized", answer.result
                assert "environment" in answer.result["msg"]
        assert set(proxy.tunnels) == {f"{host}:443"}


def test_an_environment_survives_a_restart(tmp_path: Path) -> None:
    with Simulator(tmp_path) as simulator:
        simulator.set_account("other", environment="sandbox", mage_id="MAG000000009", applications=[{"name": "ci"}])
        simulator.restart()
        assert simulator.account("other")["environment"] == "sandbox"
        assert Api(simulator, "other", host=SANDBOX).session(grant_type="session").status == 200
        assert Api(simulator, "other").session(grant_type="session").status == 401


def test_an_unknown_environment_is_refused() -> None:
    with pytest.raises(BadInput, match="account a: environment must be production or sandbox"):
        parse_accounts([{"name": "a", "environment": "staging"}])
    assert parse_accounts([{"name": "a"}])["a"].environment == "production"
