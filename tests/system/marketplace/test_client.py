# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the key API: which requests are repeated, and how lost answers are resolved."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.client import Marketplace
from simulator.client import Simulator
from system.marketplace.lab import NOW, SHOP, Proxy, opened, operations, pairs

pytestmark = pytest.mark.usefixtures("clean_environment")
KEYS = "/rest/v1/users/*"


def failing(call: Callable[[], object]) -> KeyfleetError:
    with pytest.raises(KeyfleetError) as caught:
        call()
    return caught.value


def test_all_calls_share_one_session_and_one_connection(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy, opened(simulator) as client:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        made = client.create(["web 1", "web 2"], uid=SHOP)
        assert [key.label for key in made.keys] == ["web 1", "web 2"]
        assert made.refusals == ()
        client.set_enabled("web 1", uid=SHOP, enabled=False)
        listed = {key.label: key for key in client.keys(uid=SHOP)}
        assert (listed["web 1"].enabled, listed["web 2"].enabled) == (False, True)
        assert listed["web 2"] == made.keys[1]
        client.delete("web 1", uid=SHOP)
        client.set_enabled("web 2", uid=SHOP, enabled=True)
        assert client.mage_id == SHOP
        assert proxy.tunnels == [simulator.address]
    assert operations(simulator) == ["session", "create", "disable", "list", "delete", "enable"]
    assert set(pairs(simulator)) >= {("", "web 2")}
    assert ("", "web 1") not in pairs(simulator)


REPEATED: dict[str, Callable[[Marketplace], object]] = {
    "GET": lambda client: client.keys(uid=SHOP),
    "PUT": lambda client: client.set_enabled("web", uid=SHOP, enabled=False),
    "DELETE": lambda client: client.delete("web", uid=SHOP),
}
TROUBLE: dict[str, dict[str, Any]] = {
    "429": {"kind": "status", "status": 429},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "reset": {"kind": "reset"},
    "cut": {"kind": "truncate", "after_bytes": 3},
    "silence": {"kind": "stall", "seconds": 3.0},
}


@pytest.mark.parametrize(
    ("method", "trouble"),
    # A response to DELETE has no body that could be cut.
    [(method, trouble) for method in REPEATED for trouble in TROUBLE if (method, trouble) != ("DELETE", "cut")],
)
def test_idempotent_requests_are_repeated(simulator: Simulator, method: str, trouble: str) -> None:
    with opened(simulator, timeout=1) as client:
        simulator.add_fault(**TROUBLE[trouble], method=method, path=KEYS, count=1)
        REPEATED[method](client)
    assert [fault["hits"] for fault in simulator.faults()] == [1]
    left = pairs(simulator)
    if method == "PUT":
        assert left["", "web"]["enabled"] is False
    else:
        assert (("", "web") in left) is (method == "GET")


def test_pauses_grow_and_repeats_end(simulator: Simulator, pauses: list[float]) -> None:
    simulator.add_fault("status", status=503, path=KEYS)
    with opened(simulator) as client:
        error = failing(lambda: client.keys(uid=SHOP))
    assert pauses == [0, 1, 2, 4]
    assert (error.code, error.details["http_status"]) == ("api_unavailable", 503)
    assert operations(simulator) == ["session", *["list"] * 5]


@pytest.mark.parametrize(("header", "pause"), [("2", 2), (formatdate(NOW + 3, usegmt=True), 3), ("soon", 0)])
def test_retry_after_is_respected(simulator: Simulator, pauses: list[float], header: str, pause: float) -> None:
    simulator.add_fault("status", status=429, headers={"Retry-After": header}, path=KEYS, count=1)
    with opened(simulator) as client:
        assert client.keys(uid=SHOP)
    assert pauses == [pause]


# The second one is shorter than the time limit of a call.
@pytest.mark.parametrize("seconds", [3600, 100])
def test_long_retry_after_is_reported_without_waiting(simulator: Simulator, pauses: list[float], seconds: int) -> None:
    simulator.add_fault("status", status=429, headers={"Retry-After": str(seconds)}, path=KEYS)
    with opened(simulator) as client:
        error = failing(lambda: client.keys(uid=SHOP))
    assert pauses == []
    assert error.code == "api_rate_limited"
    assert f"Retry-After: {seconds}" in error.message
    assert operations(simulator) == ["session", "list"]


LOST: dict[str, dict[str, Any]] = {
    "reset": {"kind": "reset"},
    "cut": {"kind": "truncate", "after_bytes": 20},
    "cut at once": {"kind": "truncate", "after_bytes": 0},
    "slow": {"kind": "latency", "latency": 2.5},
    "silent in the middle": {"kind": "stall", "seconds": 2.5, "after_bytes": 10},
}


@pytest.mark.parametrize("how", LOST)
def test_create_with_lost_answer_creates_one_key_per_label(simulator: Simulator, how: str) -> None:
    labels = ["lost 1", "lost/2", "lost 3"]
    with opened(simulator, timeout=1) as client:
        simulator.add_fault(**LOST[how], method="POST", path=KEYS)
        made = client.create(labels, uid=SHOP)
    assert [key.label for key in made.keys] == labels
    assert made.refusals == ()
    assert operations(simulator) == ["session", "create", "list"]
    there = pairs(simulator)
    assert [there["", label]["public"] for label in labels] == [key.public_key for key in made.keys]


def test_create_cut_off_by_a_proxy_is_not_sent_twice(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    # TLS raises another error for this, after which urllib3 would repeat any method.
    with Proxy() as proxy, opened(simulator) as client:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        client.keys(uid=SHOP)
        proxy.cut = True
        made = client.create(["lost"], uid=SHOP)
    assert proxy.cut is False
    assert [key.public_key for key in made.keys] == [pairs(simulator)["", "lost"]["public"]]
    assert operations(simulator) == ["session", "list", "create", "list"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_failed_create_is_not_repeated(simulator: Simulator, status: int) -> None:
    simulator.add_fault("status", status=status, method="POST", path=KEYS)
    with opened(simulator) as client:
        error = failing(lambda: client.create(["a", "b"], uid=SHOP))
    assert error.code == ("api_rate_limited" if status == 429 else "api_unavailable")
    assert operations(simulator).count("create") == 1
    assert not {("", "a"), ("", "b")} & set(pairs(simulator))
    if status >= 500:
        assert "None of the keys exists" in error.message


def test_interrupted_create_reports_created_keys(simulator: Simulator) -> None:
    simulator.set_switch("api_create_breaks_after", 2)
    with opened(simulator) as client:
        made = client.create(["a", "b", "c", "d"], uid=SHOP)
    assert [key.label for key in made.keys] == ["a", "b"]
    assert [refusal.label for refusal in made.refusals] == ["c", "d"]
    assert "500" in made.refusals[0].message
    assert operations(simulator).count("create") == 1


def test_create_waits_for_keys_that_appear_late(simulator: Simulator, pauses: list[float]) -> None:
    simulator.add_fault("reset", method="POST", path=KEYS)
    simulator.add_fault("status", status=200, body='{"m2": []}', method="GET", path=KEYS, count=1)
    with opened(simulator) as client:
        made = client.create(["late"], uid=SHOP)
    assert [key.label for key in made.keys] == ["late"]
    assert operations(simulator) == ["session", "create", "list", "list"]
    assert pauses == [0, 1]


def test_unresolved_create_fails_with_answer_lost(simulator: Simulator) -> None:
    with opened(simulator) as client:
        client.keys(uid=SHOP)
        simulator.add_fault("reset", method="POST", path=KEYS)
        simulator.add_fault("status", status=403, method="GET", path=KEYS)
        error = failing(lambda: client.create(["lost"], uid=SHOP))
    assert error.code == "api_answer_lost"
    assert "is unknown" in error.message
    assert ("", "lost") in pairs(simulator)


@pytest.mark.parametrize(("form", "code"), [("not_json", "api_answer_unusable"), ("redirect", "api_redirected")])
def test_unusable_answer_fails(simulator: Simulator, form: str, code: str) -> None:
    for method, call in (*REPEATED.items(), ("POST", lambda client: client.create(["a"], uid=SHOP))):
        simulator.clear_faults()
        simulator.add_fault(form, method=method, path=KEYS)
        with opened(simulator) as client:
            assert failing(lambda: call(client)).code == code, method  # noqa: B023
    simulator.clear_faults()
    simulator.add_fault(form, path="/rest/v1/app/*")
    with opened(simulator) as client:
        assert failing(client.keys).code == code


def test_a_redirect_is_not_followed(simulator: Simulator) -> None:
    simulator.add_fault("redirect", path="/rest/v1/*", status=307, location="other_host")
    with opened(simulator) as client:
        error = failing(client.keys)
    assert error.code == "api_redirected"
    assert len(simulator.requests()) == 1
