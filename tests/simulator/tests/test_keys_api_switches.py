# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every switch of the simulated key API, in every position, as a plain client sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from simulator.client import Simulator
from simulator.marketplace import SWITCHES
from simulator.tests.https import ask
from simulator.tests.keys_api import Api, takes_effect_after_requests, takes_effect_after_time

Check = Callable[[Api], None]
ORGANISATION = "000FAKE0SHOP000@AdobeOrg"


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Api]:
    """A session of account shop."""
    with Api(simulator) as client:
        yield client


def session_gets(status: int) -> Check:
    def check(api: Api) -> None:
        assert api.session(grant_type="session").status == status
        assert api.session(("APP0", "wrong"), grant_type="session").status == 401
        assert api.list().status == 200

    return check


def calls_get(status: int) -> Check:
    def check(api: Api) -> None:
        api.simulator.set_switch("api_retry_after", 3)
        answers = (api.list(), api.create("never"), api.enable("web", False), api.delete("web"))
        expected = [200, 200, 200, 204] if status == 200 else [status] * 4
        assert [got.status for got in answers] == expected
        for got in answers:
            assert got.headers["Retry-After"] == ("3" if status in {429, 503} else None)
            if 400 <= status < 500:
                assert set(got.json) == {"code", "message"}
        assert api.session(grant_type="session").status == 200
        api.simulator.set_switch("api_answer", None)
        assert (("MAG000000001", "never") in api.pairs()) == (status == 200)
        assert (("MAG000000001", "web") in api.pairs()) == (status != 200)

    return check


def longest_session(api: Api) -> None:
    assert api.session(grant_type="session").json["expires_in"] == 90
    assert api.session(grant_type="session", expires_in=30).json["expires_in"] == 30


def session_of_two_requests(api: Api) -> None:
    assert [api.list().status for _turn in range(3)] == [200, 200, 200]
    api.open()
    assert [api.list().status for _turn in range(3)] == [200, 200, 401]
    assert api.open().list().status == 200


def refusal_body(content_type: str, start: bytes) -> Check:
    def check(api: Api) -> None:
        api.token = "made-up"
        for got in (api.list(), api.session(("APP0", "wrong"), grant_type="session")):
            assert (got.status, got.headers["Content-Type"].split(";")[0]) == (401, content_type)
            assert got.raw.startswith(start)
            assert bool(got.raw) == bool(start)

    return check


def wait(api: Api) -> None:
    api.simulator.set_switch("api_answer", 503)
    assert api.list().headers["Retry-After"] == "4"


def wait_until(date: bool) -> Check:
    def check(api: Api) -> None:
        api.simulator.set_switch("api_answer", 429)
        api.simulator.set_switch("api_retry_after", 100)
        before, value, after = int(time.time()), api.list().headers["Retry-After"], time.time()
        assert before + 100 <= parsedate_to_datetime(value).timestamp() <= after + 100 if date else value == "100"

    return check


def another_account_gets(status: int) -> Check:
    def check(api: Api) -> None:
        assert api.send("GET", "/rest/v1/users/MAG000000002/keys").status == status

    return check


def listed_first(label: str) -> Check:
    def check(api: Api) -> None:
        assert api.list(type="m2").json["m2"][0]["label"] == label

    return check


def empty_list_is(content: dict[str, Any]) -> Check:
    def check(api: Api) -> None:
        assert api.list(type="m2", label="none").json == content

    return check


def bare_label_gets(status: int) -> Check:
    def check(api: Api) -> None:
        got = api.list(label="ci")
        assert got.status == status
        assert status == 400 or len(got.json["m2"]) == 3
        assert len(api.pairs(label="ci")) == 1

    return check


def item_codes(expected: dict[str, int], **fields: str) -> Check:
    def check(api: Api) -> None:
        for label, code in expected.items():
            got = api.create(label, **fields)
            assert (got.status, got.json["m2"][0]["code"]) == (200, code), label

    return check


def unknown_label(put: int, delete: int, code: int = 1208) -> Check:
    def check(api: Api) -> None:
        for got, status in ((api.enable("none", True), put), (api.delete("none"), delete)):
            assert got.status == status
            if status == 200:
                assert [item["code"] for item in got.json["m2"]] == [code]
            if status >= 400:
                assert got.json["code"] == code

    return check


def quota_of_four(api: Api) -> None:
    assert [item["code"] for item in api.create("one", "two", "three").json["m2"]] == [200, 1210, 1210]
    assert api.delete("one").status == 204
    assert api.create("two").json["m2"][0]["code"] == 200


def beyond_the_quota(api: Api) -> None:
    api.simulator.set_switch("api_quota", 1)
    item_codes({"one": 1777})(api)


def small_batches(api: Api) -> None:
    got = api.create("one", "two", "three")
    assert (got.status, got.json["code"]) == (400, 1208)
    assert (len(api.pairs()), api.create("one", "two").status) == (3, 200)


def labels_fail(api: Api) -> None:
    item_codes({"bad-1": 1210, "good-1": 200})(api)
    key = api.simulator.add_key("shop", "bad-2")
    (item,) = api.enable("bad-2", False).json["m2"]
    assert (item["code"], ask(api.simulator, key=key).status) == (1210, 200)
    got = api.delete("bad-2")
    assert (got.status, got.json["code"]) == (400, 1210)


def failure_has(name: str, expected: object) -> Check:
    def check(api: Api) -> None:
        api.simulator.set_switch("api_fail_label", "bad-*")
        assert api.create("bad-1").json["m2"][0][name] == expected

    return check


def whole_batch_gets(status: int) -> Check:
    def check(api: Api) -> None:
        got = api.create("web", "ci")
        assert got.status == status
        if status == 400:
            assert got.json["code"] == 1208
        assert api.create("web", "new").status == 200

    return check


def breaks_after_two(api: Api) -> None:
    got = api.create("one", "two", "three")
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (500, "text/html")
    assert {label for _uid, label in api.pairs()} == {"web", "ci", "old", "one", "two"}
    assert api.create("three", "four").status == 200


def put_shows_codes(shown: bool) -> Check:
    def check(api: Api) -> None:
        for enabled in (False, True):
            (item,) = api.enable("ci", enabled).json["m2"]
            result = (item.get("code"), item.get("message"))
            assert (item["is_enabled"], result) == (enabled, (200, "Success") if shown else (None, None))
        (item,) = api.enable("ci", "no").json["m2"]
        assert item["code"] == 1208

    return check


def deletes_enabled(status: int) -> Check:
    def check(api: Api) -> None:
        assert api.delete("ci").status == status
        assert api.delete("old").status == 204

    return check


STATUSES = (200, 401, 403, 404, 429, 500, 502, 503)
CASES: list[tuple[str, Any, Check]] = [
    *(("api_session", str(status), session_gets(status)) for status in STATUSES),
    ("api_session_seconds", 90, longest_session),
    ("api_session_requests", 2, session_of_two_requests),
    *(("api_answer", str(status), calls_get(status)) for status in STATUSES),
    ("api_401_body", "json", refusal_body("application/json", b'{"code"')),
    ("api_401_body", "html", refusal_body("text/html", b"<!DOCTYPE html>")),
    ("api_401_body", "empty", refusal_body("application/json", b"")),
    ("api_retry_after", 4, wait),
    ("api_retry_after_form", "seconds", wait_until(False)),
    ("api_retry_after_form", "date", wait_until(True)),
    *(("api_other_account", str(status), another_account_gets(status)) for status in (403, 404, 401)),
    ("api_order", "oldest", listed_first("web")),
    ("api_order", "newest", listed_first("old")),
    ("api_empty", "list", empty_list_is({"m2": []})),
    ("api_empty", "absent", empty_list_is({})),
    ("api_label_without_type", "400", bare_label_gets(400)),
    ("api_label_without_type", "ignored", bare_label_gets(200)),
    ("api_label_characters", "any", item_codes({"größe/1": 200, "a b": 200})),
    ("api_label_characters", "plain", item_codes({"größe/1": 1208, "a b_c.d-1": 200})),
    ("api_label_code", 1555, item_codes({"": 1555, "x" * 33: 1555, "x" * 32: 200})),
    ("api_uid_code", 1556, item_codes({"a": 1556}, uid="000OTHER@AdobeOrg")),
    ("api_duplicate_code", 1557, item_codes({"web": 1557, "new": 200})),
    ("api_unknown_label", "404", unknown_label(404, 404)),
    ("api_unknown_label", "400", unknown_label(400, 400)),
    ("api_unknown_label", "200", unknown_label(200, 204)),
    ("api_unknown_label_code", 1558, unknown_label(404, 404, 1558)),
    ("api_quota", 4, quota_of_four),
    ("api_quota_code", 1777, beyond_the_quota),
    ("api_batch_limit", 2, small_batches),
    ("api_fail_label", "bad-*", labels_fail),
    ("api_fail_code", 1559, failure_has("code", 1559)),
    ("api_fail_message", "No.", failure_has("message", "No.")),
    ("api_all_failed", "200", whole_batch_gets(200)),
    ("api_all_failed", "400", whole_batch_gets(400)),
    ("api_create_breaks_after", 2, breaks_after_two),
    ("api_put_item_codes", False, put_shows_codes(False)),
    ("api_put_item_codes", True, put_shows_codes(True)),
    ("api_delete_enabled", True, deletes_enabled(204)),
    ("api_delete_enabled", False, deletes_enabled(400)),
    ("api_effect_milliseconds", 3_600_000, takes_effect_after_time),
    ("api_effect_requests", 2, takes_effect_after_requests),
]


@pytest.mark.parametrize(("name", "value", "check"), CASES, ids=[f"{name}={value}" for name, value, _check in CASES])
def test_switch(simulator: Simulator, api: Api, name: str, value: Any, check: Check) -> None:
    simulator.set_switch(name, value)
    check(api)


def test_every_position_of_the_api_switches_has_a_case() -> None:
    wanted: set[tuple[str, Any]] = {(switch.name, choice) for switch in SWITCHES for choice in switch.choices}
    wanted |= {(switch.name, not switch.default) for switch in SWITCHES if isinstance(switch.default, bool)}
    tested = {(name, value) for name, value, _check in CASES}
    assert wanted <= tested
    assert {switch.name for switch in SWITCHES} == {name for name, _value in tested}
