# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A series with a pair made by hand, and the settings of a series."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.account import check_settings, series_spec
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.run import rotate
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import (
    settings,
    stopped_clock,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    CA,
    Loopback,
    basic,
    fake_key,
)

PUBLIC, PRIVATE, OLD = fake_key("public"), fake_key("private"), fake_key("old")
PAIR = {"label": "shop 2026", "public_key": PUBLIC, "private_key": PRIVATE}
PREVIOUS = [{"label": "shop 2025", "public_key": OLD}]


def host(public_key: str) -> Dict[str, Any]:
    entries = [{"public_key": public_key}]
    row = {"path": "/a", "action": "unchanged", "before": entries[0], "after": entries[0]}
    confirmed = {"files": [{"path": "/a", "entries": entries}], "problems": []}
    return {"magento_rotation_confirmed": confirmed, "magento_auth_confirmed": {"files": [row]}}


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A repository that accepts the pair."""

    def answer(exchange: Any) -> None:
        exchange.reply(200 if exchange.headers["authorization"] == basic(PUBLIC, PRIVATE) else 401, b"{}")

    with Loopback(answer) as started:
        yield started


def run(phase: str, server: Loopback, *, check_mode: bool = False, hosts: Any = None, **given: Any) -> Dict[str, Any]:
    known = {"application_id": None, "application_secret": None, "url": server.url, "ca_path": CA, "pair": PAIR}
    series = settings(**{**known, "external_holders_acknowledged": True, **given})
    params = {"phase": phase, "series": series, "hosts": hosts, "holders": None, "revoke": None}
    try:
        check_settings(series)
        with stopped_clock([]):
            result = rotate(None, params, check_mode=check_mode)
    except KeyfleetError as error:
        result = {**error.details, "code": error.code, "message": error.message}
    assert PRIVATE not in json.dumps(result), result
    return result


def test_issue_verifies_the_pair(server: Loopback) -> None:
    result = run("issue", server, previous=PREVIOUS)
    assert (result["label"], result["public_key"], result["changed"]) == ("shop 2026", PUBLIC, False)
    assert [g["state"] for g in result["generations"]] == ["superseded", "current"]
    assert (result["uid"], result["due"], len(server.requests)) == (None, False, 1)
    assert "was made by hand" in result["summary"]
    failed = run("issue", server, pair={**PAIR, "private_key": fake_key("typo")}, propagation_timeout=0.0)
    assert failed["code"] == "unverified"


@pytest.mark.parametrize("check_mode", [False, True])
def test_retire_leaves_instructions(server: Loopback, check_mode: bool) -> None:
    left = ["disable shop 2025 on the account page, and name it in disabled_by_hand"]
    result = run("retire", server, previous=PREVIOUS, hosts={"web1": host(PUBLIC)}, check_mode=check_mode)
    assert (result["left"], result["changed"], result["disabled"]) == (left, False, [])
    assert f"Left to do: {left[0]}" in result["summary"] and "code" not in result
    done = run("retire", server, previous=PREVIOUS, hosts={"web1": host(PUBLIC)}, disabled_by_hand=["shop 2025"])
    assert (done["left"], [g["state"] for g in done["generations"]]) == ([], ["retired", "current"])
    assert "Left to do: nothing" in done["summary"]


def test_blocked(server: Loopback) -> None:
    hosts = {"web1": host(PUBLIC), "web2": host(OLD)}
    cases: List[Dict[str, Any]] = [{"hosts": hosts}, {"hosts": {}}, {"hosts": hosts, "disabled_by_hand": ["shop 2025"]}]
    for given in cases:
        assert run("retire", server, previous=PREVIOUS, **given)["code"] == "blocked"
    unacknowledged: Dict[str, Any] = {"hosts": {"web1": host(PUBLIC)}, "external_holders_acknowledged": False}
    assert run("retire", server, previous=PREVIOUS, **unacknowledged)["code"] == "blocked"


@pytest.mark.parametrize(("label", "waits"), [("web-20260228", True), ("web-20260210", False), ("shop", False)])
def test_overlap_counts_from_the_date_in_the_label(server: Loopback, label: str, waits: bool) -> None:
    given: Dict[str, Any] = {"pair": {**PAIR, "label": label}, "previous": PREVIOUS, "overlap": 7}
    (left,) = run("retire", server, hosts={"web1": host(PUBLIC)}, **given)["left"]
    assert ("overlap" in left) is waits


@pytest.mark.parametrize(
    "given",
    [
        {"adopt": ["a"]},
        {"rejected": ["web-20260101"]},
        {"prefix": "-"},
        {"pair": {**PAIR, "public_key": "short"}},
        {"pair": {**PAIR, "public_key": [PUBLIC]}},
        {"pair": {**PAIR, "public_key": {"a": PUBLIC}}},
        {"pair": {**PAIR, "public_key": 7}},
        {"pair": {**PAIR, "private_key": PUBLIC}},
        {"pair": {**PAIR, "private_key": None}},
        {"pair": {**PAIR, "private_key": [PRIVATE]}},
        {"previous": [PREVIOUS[0], PREVIOUS[0]]},
        {"previous": [{"label": "shop 2026", "public_key": OLD}]},
        {"previous": [{"label": "shop 2025", "public_key": PUBLIC}]},
        {"previous": PREVIOUS, "disabled_by_hand": ["shop 2024"]},
        {"previous": PREVIOUS, "disabled_by_hand": ["shop 2026"]},
        {"disabled_by_hand": ["shop 2026"]},
    ],
    ids=str,
)
def test_invalid_series(server: Loopback, given: Dict[str, Any]) -> None:
    for phase in ("issue", "retire", "status"):
        assert run(phase, server, **given)["code"] == "bad_options"
    assert server.requests == []


# Settings


def refusal(**given: Any) -> str:
    with pytest.raises(KeyfleetError) as caught:
        check_settings(settings(**given))
    assert caught.value.code == "bad_options"
    return caught.value.message


def holders(*given: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [{"role": None, "tasks_from": None, "tasks": None, **holder} for holder in given]


VAULT = {"name": "vault", "tasks": "/srv/vault.yml"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_age": -1}, "max_age must not be negative"),
        ({"overlap": -1}, "overlap must not be negative"),
        ({"delete_after": -1}, "delete_after must not be negative"),
        ({"max_failed": -1}, "max_failed must not be negative"),
        ({"propagation_timeout": -0.5}, "propagation_timeout must not be negative"),
        ({"propagation_timeout": float("nan")}, "propagation_timeout must not be negative"),
        ({"expected_count": 0}, "expected_count must be one or more"),
        ({"previous": PREVIOUS}, "previous belongs to a pair"),
        ({"disabled_by_hand": ["a"]}, "disabled_by_hand belongs to a pair"),
        ({"application_id": None}, "application_id is not set"),
        ({"application_secret": None}, "application_secret is not set"),
        ({"external_holders": holders(VAULT, VAULT)}, "a name of its own"),
        ({"external_holders": holders({"name": "vault"})}, "vault needs tasks, or a role"),
        ({"external_holders": holders({**VAULT, "name": ""})}, "a name of its own"),
        (
            {"external_holders": holders({"name": "vault", "role": "", "tasks": ""})},
            "vault needs tasks, or a role",
        ),
        ({"external_holders": holders({**VAULT, "role": "r"})}, "vault needs tasks, or a role"),
        ({"external_holders": holders({**VAULT, "tasks_from": "t"})}, "vault needs tasks, or a role"),
        ({"external_holders": holders({**VAULT, "tasks": "vault.yml"})}, "tasks of vault is not an absolute path"),
        ({"external_holders": holders({**VAULT, "tasks": "../vault.yml"})}, "tasks of vault is not an absolute path"),
    ],
)
def test_invalid_settings(given: Dict[str, Any], words: str) -> None:
    assert words in refusal(**given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"max_age": 0, "overlap": 0, "delete_after": 0, "max_failed": 0, "propagation_timeout": 0.0},
        {"expected_count": 1},
        {"application_id": None, "application_secret": None, "pair": PAIR},
        {"pair": PAIR, "previous": PREVIOUS, "disabled_by_hand": ["shop 2025"]},
        {"external_holders": holders(VAULT, {"name": "ci", "role": "r", "tasks_from": "t"})},
    ],
    ids=str,
)
def test_valid_settings(given: Dict[str, Any]) -> None:
    known = settings(**given)
    before = json.dumps(known)
    check_settings(known)
    assert json.dumps(known) == before


def test_secrets_have_no_log() -> None:
    spec = series_spec()
    assert spec["application_secret"]["no_log"] is True and spec["application_secret"]["required"] is False
    assert spec["pair"]["options"]["private_key"]["no_log"] is True
    required = sorted(name for name, option in spec.items() if option.get("required"))
    assert required == ["prefix"]
    assert {name: spec[name]["default"] for name in ("max_age", "overlap", "delete_after", "unmanaged_keys")} == {
        "max_age": 90,
        "overlap": 0,
        "delete_after": 30,
        "unmanaged_keys": "block",
    }
