# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts against the simulator, with and without faults of the repository."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Connection
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.check import check
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.outcome import Verdict
from simulator.client import Simulator

SHOP = ["magento/product-community-edition", "exampleworks/module-gift-note"]
PAID = "magento/product-enterprise-edition"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def verdict(simulator: Simulator, key: tuple[str, str] | None = None, **changes: Any) -> Verdict:
    public, private = key or simulator.key("shop", "web")
    arguments: dict[str, Any] = {
        "repository": "repo.magento.com",
        "url": simulator.url,
        "public_key": public,
        "private_key": private,
        "connection": Connection(ca_path=simulator.ca_path, timeout=changes.pop("timeout", 20)),
        **changes,
    }
    found = check(**arguments)
    assert private not in repr(found)
    return found


def summary(found: Verdict) -> tuple[str, str, int | None]:
    return found.status, found.code, found.http_status


def test_valid_pair_takes_one_request(simulator: Simulator) -> None:
    simulator.clear_log()
    assert summary(verdict(simulator)) == ("valid", "keys_valid", 200)
    assert [entry["path"] for entry in simulator.requests()] == ["/packages.json"]


@pytest.mark.parametrize("state", ["disabled", "deleted", "swapped", "never seen"])
def test_invalid_pair_is_reported_with_the_message_of_the_server(simulator: Simulator, state: str) -> None:
    public, private = simulator.key("shop", "web")
    if state == "disabled":
        simulator.disable_key(public)
    elif state == "deleted":
        simulator.delete_key(public)
    elif state == "swapped":
        public, private = private, public
    else:
        public = "0123456789abcdef" * 2
    found = verdict(simulator, (public, private))
    assert summary(found) == ("invalid", "keys_invalid", 401)
    assert "The server says: " in found.message and "swapped" in found.message


@pytest.mark.parametrize("challenge", [True, False])
def test_pair_is_sent_with_or_without_a_challenge(simulator: Simulator, challenge: bool) -> None:
    simulator.set_switch("challenge", challenge)
    assert verdict(simulator).code == "keys_valid"
    assert verdict(simulator, simulator.key("shop", "old")).code == "keys_invalid"


@pytest.mark.parametrize(
    ("switch", "value", "expected"),
    [
        ("good_keys", "401", ("invalid", "keys_invalid", 401)),
        ("packages_json", "403", ("refused", "access_refused", 403)),
        ("maintenance", "503", ("unknown", "server_error", 503)),
        ("maintenance", "200", ("unknown", "not_a_repository", 200)),
    ],
)
def test_outage_of_the_repository(
    simulator: Simulator, switch: str, value: str, expected: tuple[str, str, int]
) -> None:
    simulator.set_switch(switch, value)
    assert summary(verdict(simulator)) == expected


FAULTS: list[tuple[dict[str, Any], tuple[str, str, int | None]]] = [
    ({"kind": "status", "status": 402}, ("refused", "access_refused", 402)),
    ({"kind": "status", "status": 404}, ("unknown", "wrong_address", 404)),
    ({"kind": "status", "status": 429, "headers": {"Retry-After": "77"}}, ("unknown", "rate_limited", 429)),
    ({"kind": "status", "status": 502}, ("unknown", "server_error", 502)),
    ({"kind": "status", "status": 418}, ("unknown", "unexpected_status", 418)),
    ({"kind": "not_json"}, ("unknown", "not_a_repository", 200)),
    ({"kind": "redirect"}, ("unknown", "redirected", None)),
    ({"kind": "stall"}, ("unknown", "timed_out", None)),
    ({"kind": "reset"}, ("unknown", "connection_lost", None)),
    ({"kind": "truncate", "after_bytes": 0}, ("unknown", "connection_lost", None)),
    ({"kind": "latency", "latency": 0.2}, ("valid", "keys_valid", 200)),
    # The answer is sufficient before the fault.
    ({"kind": "stall", "after_bytes": 20}, ("valid", "keys_valid", 200)),
    ({"kind": "truncate", "after_bytes": 20}, ("valid", "keys_valid", 200)),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS)
def test_fault_of_the_root_file(
    simulator: Simulator, fault: dict[str, Any], expected: tuple[str, str, int | None]
) -> None:
    simulator.add_fault(path="/packages.json", **fault)
    found = verdict(simulator, timeout=1)
    assert summary(found) == expected, found
    if fault.get("headers"):
        assert "Retry-After: 77" in found.message


def test_redirect_sends_no_keys_to_another_host(simulator: Simulator) -> None:
    simulator.add_fault("redirect", path="/packages.json", status=302)
    simulator.clear_log()
    found = verdict(simulator)
    assert found.code == "redirected" and "localhost" in found.message
    assert len(simulator.requests()) == 1


@pytest.mark.parametrize("gzip", ["unasked", "always", "asked", "never"])
@pytest.mark.parametrize("names", ["usual", "odd"])
@pytest.mark.parametrize("form", ["includes", "providers", "inline"])
def test_entitlement_in_every_form_of_the_repository(simulator: Simulator, form: str, names: str, gzip: str) -> None:
    for switch, value in (("packages_form", form), ("provider_names", names), ("gzip", gzip)):
        simulator.set_switch(switch, value)
    found = verdict(simulator, packages=[*SHOP, PAID])
    assert summary(found) == ("not_entitled", "package_absent", 200), found
    assert found.packages == {SHOP[0]: "listed", SHOP[1]: "listed", PAID: "absent"}
    found = verdict(simulator, simulator.key("enterprise", "web"), packages=[SHOP[0], PAID])
    assert summary(found) == ("valid", "keys_valid", 200), found


def test_account_without_packages_is_valid_and_not_entitled(simulator: Simulator) -> None:
    key = simulator.key("unpaid", "web")
    assert verdict(simulator, key).status == "valid"
    found = verdict(simulator, key, packages=SHOP)
    assert found.status == "not_entitled" and set(found.packages.values()) == {"absent"}
    assert "unpaid invoice" in found.message


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "wrong_hash"}, "hash_mismatch"),
        ({"kind": "status", "status": 404}, "unexpected_status"),
        ({"kind": "status", "status": 500}, "server_error"),
        ({"kind": "truncate", "after_bytes": 30}, "connection_lost"),
        ({"kind": "truncate", "after_bytes": 30, "chunked": True}, "connection_lost"),
        ({"kind": "stall", "after_bytes": 30}, "timed_out"),
        ({"kind": "reset", "after_bytes": 30}, "connection_lost"),
        ({"kind": "redirect"}, "redirected"),
        ({"kind": "not_json"}, "hash_mismatch"),
    ],
)
def test_fault_after_the_root_file_leaves_packages_unknown(
    simulator: Simulator, fault: dict[str, Any], code: str
) -> None:
    simulator.add_fault(path="/p/provider*", **fault)
    found = verdict(simulator, packages=[PAID], timeout=1)
    assert (found.status, found.code, found.packages) == ("unknown", code, {PAID: "unknown"}), found


def test_vendor_is_checked_only_at_the_default_address(simulator: Simulator) -> None:
    pair = simulator.key("shop", "web")
    found = verdict(simulator, pair, repository=simulator.address, url=None)
    assert summary(found) == ("valid", "keys_valid", 200)
    simulator.add_fault("status", status=404, path="/packages.json")
    found = verdict(simulator, pair, repository=simulator.address, url=None)
    assert summary(found) == ("not_checked", "no_address", 404)
