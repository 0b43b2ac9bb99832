# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated key API as a plain client sees it: sessions, the life of pairs, batches, lost answers, the log."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulator.client import Simulator
from simulator.problems import BadInput
from simulator.tests.https import ask, basic
from simulator.tests.keys_api import SESSION, Api

ORGANISATION = "000FAKE0SHOP000@AdobeOrg"
ODD_LABELS = [
    "a/b",
    "100% sure",
    "what?",
    "#1",
    "1+1",
    " blank ends ",
    "größe",
    "鍵🔑",
    "a&b=c;d",
    '"\\',
    "%2F",
    "-" * 32,
]


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    """A session of account shop."""
    with Api(simulator) as client:
        yield client


def test_session_requires_application_credentials(simulator: Simulator, api: Api) -> None:
    application = simulator.application("shop")
    assert application[0].startswith("APP")
    got = api.session(grant_type="session")
    assert set(got.json) == {"mage_id", "ust", "expires_in"}
    assert (got.json["mage_id"], got.json["expires_in"]) == ("MAG000000001", 7200)
    for pair in (simulator.key("shop", "web"), simulator.token("shop"), (application[0], "wrong")):
        got = api.session(pair, grant_type="session")
        assert (got.status, set(got.json)) == (401, {"code", "message"})
    # No other host accepts application credentials, and GET is not allowed.
    assert ask(simulator, key=application).status == 401
    assert ask(simulator, "/products/downloads/info/help", application).status == 401
    assert ask(simulator, SESSION, application).status == 405
    with pytest.raises(BadInput, match="account shop has no such application"):
        simulator.application("shop", "other")


@pytest.mark.parametrize(
    ("body", "status", "seconds"),
    [
        ({"grant_type": "session", "expires_in": 60}, 200, 60),
        ({"grant_type": "session", "expires_in": 99999}, 200, 7200),
        ({"grant_type": "session", "expires_in": 0}, 400, None),
        ({"grant_type": "session", "expires_in": "60"}, 400, None),
        ({"grant_type": "password"}, 400, None),
        ({}, 400, None),
        ([], 400, None),
    ],
)
def test_the_session_request_is_checked(api: Api, body: Any, status: int, seconds: int | None) -> None:
    got = api.send("POST", SESSION, body, basic(*api.simulator.application("shop")))
    assert (got.status, got.json.get("expires_in")) == (status, seconds)


def test_sessions_are_independent_and_expire(simulator: Simulator, api: Api) -> None:
    with Api(simulator) as second:
        assert second.token != api.token
        assert (api.list().status, second.list().status) == (200, 200)
        assert simulator.expire_sessions() == 2
        got = api.list()
        assert (got.status, set(got.json)) == (401, {"code", "message"})
        assert (api.open().list().status, second.list().status) == (200, 401)
    with Api(simulator) as second:
        api.open(expires_in=1)
        time.sleep(1.1)
        assert (api.list().status, second.list().status) == (401, 200)


def test_list_always_shows_every_private_key(simulator: Simulator, api: Api) -> None:
    simulator.add_key("shop", "web", uid=ORGANISATION)
    public, private = simulator.key("shop", "web", "")
    for _turn in range(2):
        pairs = api.pairs()
        assert pairs["MAG000000001", "web"] == {
            "label": "web",
            "user_key": public,
            "password_key": private,
            "is_enabled": True,
            "uid": "MAG000000001",
        }
        assert pairs["MAG000000001", "old"]["is_enabled"] is False
    assert set(api.pairs(uid="MAG000000001")) == {("MAG000000001", label) for label in ("web", "ci", "old")}
    assert set(api.pairs(uid=ORGANISATION)) == {(ORGANISATION, "web")}
    assert set(api.pairs(label="web")) == {("MAG000000001", "web"), (ORGANISATION, "web")}
    assert set(api.pairs(label="web", uid=ORGANISATION)) == {(ORGANISATION, "web")}
    assert (api.pairs(label="none"), api.pairs(uid="000OTHER@AdobeOrg")) == ({}, {})
    assert set(api.list().json) == set(api.list(type="all").json) == {"m1", "m2"}
    m1 = api.list(type="m1").json
    assert set(m1) == {"m1"}
    assert set(m1["m1"][0]) == {"product_name", "product_key"}
    assert api.list(type="m3").status == 400
    # A label is used only with type m2, and otherwise ignored.
    assert api.list(label="ci").json == api.list(label="ci", type="all").json == api.list().json
    assert api.list(label="ci", type="m1").json == m1


@pytest.mark.parametrize("label", ODD_LABELS)
def test_any_label_can_be_created_changed_and_deleted(simulator: Simulator, api: Api, label: str) -> None:
    key = api.create_pair(label)
    assert ask(simulator, key=key).status == 200
    assert list(api.pairs(label=label)) == [("MAG000000001", label)]
    for enabled, status in ((False, 401), (True, 200)):
        got = api.enable(label, enabled, uid="MAG000000001")
        assert (got.status, got.json["m2"][0]["label"], got.json["m2"][0]["is_enabled"]) == (200, label, enabled)
        assert ask(simulator, key=key).status == status
    got = api.delete(label, uid="MAG000000001")
    assert (got.status, got.raw) == (204, b"")
    assert ask(simulator, key=key).status == 401
    assert api.pairs(label=label) == {}
    assert [entry["labels"] for entry in simulator.requests(part="marketplace", method="DELETE")] == [[label]]


def test_dot_segments_are_not_labels(api: Api) -> None:
    for step in (".", "..", "%2E", "%2e%2E", ""):
        assert api.send("DELETE", f"{api.keys}/{step}").status == 404


def test_the_same_label_under_two_uids_is_two_pairs(simulator: Simulator, api: Api) -> None:
    own, organisation = api.create_pair("fleet"), api.create_pair("fleet", uid=ORGANISATION)
    assert own != organisation
    assert api.enable("fleet", False, uid=ORGANISATION).status == 200
    assert (ask(simulator, key=own).status, ask(simulator, key=organisation).status) == (200, 401)
    # Without a uid, writes apply to the account.
    assert api.delete("fleet").status == 204
    assert set(api.pairs(label="fleet")) == {(ORGANISATION, "fleet")}
    assert api.delete("fleet", uid=ORGANISATION).status == 204
    for got in (api.create("fleet", uid="000OTHER@AdobeOrg"), api.enable("web", False, uid="000OTHER@AdobeOrg")):
        assert (got.status, got.json["m2"][0]["code"]) == (200, 1208)
    assert api.delete("web", uid="all").status == 400


def test_batch_keeps_its_order_and_may_fail_in_part(simulator: Simulator, api: Api) -> None:
    simulator.set_switch("api_fail_label", "bad-*")
    simulator.set_switch("api_fail_code", 1299)
    simulator.set_switch("api_fail_message", "Not today.")
    items: list[Any] = [{"label": label} for label in ("one", "web", "bad-1", "x" * 33, "two", "two", " ")]
    items += ["text", {"name": "none"}]
    got = api.send("POST", api.keys, {"m2": items})
    answers = got.json["m2"]
    assert (got.status, [answer["code"] for answer in answers]) == (
        200,
        [200, 1208, 1299, 1208, 200, 1208, 1208, 1208, 1208],
    )
    assert [answer.get("label") for answer in answers][:6] == ["one", "web", "bad-1", "x" * 33, "two", "two"]
    assert answers[2] == {"label": "bad-1", "code": 1299, "message": "Not today."}
    assert [answer["message"] == "Success" for answer in answers] == [answer["code"] == 200 for answer in answers]
    assert all(answer["message"] for answer in answers)
    assert [bool(answer.get("password_key")) for answer in answers[:3]] == [True, False, False]
    assert {label for _uid, label in api.pairs()} == {"web", "ci", "old", "one", "two"}
    logged = simulator.requests(method="POST", operation="create")[0]
    assert (logged["items"], logged["labels"][:3], logged["user"]) == (
        9,
        ["one", "web", "bad-1"],
        simulator.application("shop")[0],
    )


@pytest.mark.parametrize("body", [None, [], {}, {"m2": []}, {"m2": {"label": "a"}}, "text"])
def test_malformed_batch_fails_as_a_whole(api: Api, body: Any) -> None:
    for method, path in (("POST", api.keys), ("PUT", api.at("web"))):
        got = api.send(method, path, body)
        assert (got.status, got.json["code"]) == (400, 1208)
        assert got.json["message"]


def test_unknown_addresses_and_methods_fail(simulator: Simulator, api: Api) -> None:
    for method, path, status in (
        ("GET", "/rest/v1/users/MAG000000001", 200),
        ("GET", "/rest/v1/users/MAG000000001/reports", 404),
        ("GET", "/rest/v1/products", 404),
        ("GET", "/rest/v1/users/MAG000000002/keys", 403),
        ("GET", api.at("web"), 405),
        ("DELETE", api.keys, 405),
        ("GET", f"{api.keys}/a/b", 404),
    ):
        assert api.send(method, path).status == status, path
    host = {"Host": "commercedeveloper-api.adobe.com"}
    assert api.send("GET", "/other", headers=host).status == 401
    assert simulator.requests()[-1]["part"] == "marketplace"


def test_five_hundred_keys_in_one_request(simulator: Simulator, api: Api) -> None:
    labels = [f"fleet-{number:03}" for number in range(500)]
    answers = api.create(*labels).json["m2"]
    assert [answer["label"] for answer in answers] == labels
    assert len({answer["user_key"] for answer in answers}) == 500
    assert len(api.pairs()) == 503
    assert [(entry["operation"], entry["items"]) for entry in simulator.requests()] == [
        ("session", None),
        ("create", 500),
        ("list", None),
    ]


def test_new_keys_are_the_same_in_every_run_and_never_reused(simulator: Simulator, api: Api) -> None:
    first = api.create_pair("fleet")
    api.delete("fleet")
    second = api.create_pair("fleet")
    assert first != second
    simulator.reset()
    assert api.open().create_pair("fleet") == first


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_request_with_lost_answer_takes_effect(simulator: Simulator, api: Api, kind: str) -> None:
    steps: tuple[tuple[str, Callable[[], object], dict[str, bool]], ...] = (
        ("POST", lambda: api.create("lost"), {"lost": True}),
        ("PUT", lambda: api.enable("lost", False), {"lost": False}),
        ("DELETE", lambda: api.delete("lost"), {}),
    )
    for method, call, left in steps:
        # A response to DELETE has no body that could be cut.
        how = {"kind": "reset"} if kind == "reset" or method == "DELETE" else {"kind": kind, "after_bytes": 0}
        simulator.add_fault(**how, method=method, path="/rest/v1/users/*", count=1)
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            call()
        found = {label: pair["is_enabled"] for (_uid, label), pair in api.pairs(label="lost").items()}
        assert found == left, method
    assert [fault["hits"] for fault in simulator.faults()] == [1, 1, 1]


def test_status_faults_prevent_the_request_and_can_match_an_application(simulator: Simulator, api: Api) -> None:
    application = simulator.application("shop")[0]
    simulator.add_fault("status", status=429, headers={"Retry-After": "1"}, method="POST", user=application, count=1)
    got = api.create("late")
    assert (got.status, got.headers["Retry-After"], api.pairs(label="late")) == (429, "1", {})
    assert api.create("late").status == 200
    with Api(simulator, "enterprise") as other:
        simulator.add_fault("status", status=503, user=application)
        assert (api.list().status, other.list().status) == (503, 200)
    simulator.clear_faults()
    simulator.add_fault("latency", latency=0.3, path="*/keys", method="POST")
    assert (api.list().status, api.create("slow").status) == (200, 200)
    assert [fault["hits"] for fault in simulator.faults()] == [1]


def test_the_log_holds_no_secret_of_the_api(simulator: Simulator, api: Api) -> None:
    application, secret = simulator.application("shop")
    public, private = api.create_pair("fleet")
    product = api.list(type="m1").json["m1"][0]["product_key"]
    api.create(f"label {private[:20]}", secret, private)
    api.send("GET", f"{api.keys}?token={api.token}&secret={secret}&key={private}&product={product}")
    api.send("GET", f"/rest/v1/{product}")
    api.session((secret, application), grant_type="session")
    api.send("GET", api.keys, headers={"Authorization": "Bearer nobody"})
    api.delete("fleet")
    token = api.token
    simulator.expire_sessions()
    api.send("GET", f"{api.keys}/{token}")
    simulator.remove_account("shop")
    api.send("GET", f"{api.keys}/{private}/{secret}/{token}")
    written = (simulator.state / "requests.jsonl").read_text() + (simulator.state / "server.log").read_text()
    assert [text for text in (secret, private, token, product) if text in written] == []
    logged = simulator.requests()
    assert [entry["user"] for entry in logged].count("(unknown)") == 2
    assert logged[2]["operation"] == "list"
    assert next(entry for entry in logged if entry["items"] == 3)["labels"][1:] == ["(secret)", "(secret)"]
