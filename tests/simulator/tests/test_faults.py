# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of the simulator as a real client sees it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any

import pytest

from simulator.client import Simulator
from simulator.faults import KINDS
from simulator.problems import BadInput
from simulator.tests.https import ask, basic, connected, curl

Key = tuple[str, str]
ZIP = "/archives/magento/magento2-base/magento-magento2-base-2.4.8.0.zip"


def status(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("status", status=429, body='{"message": "slow down"}', headers={"Retry-After": "5"}, count=1)
    got = ask(simulator, key=key)
    assert (got.status, got.headers["Retry-After"], got.json) == (429, "5", {"message": "slow down"})
    assert got.headers["Content-Type"] == "application/json"
    assert ask(simulator, key=key).status == 200
    simulator.add_fault("status", body="<p>oh</p>", headers={"Content-Type": "text/plain"})
    got = ask(simulator, key=key)
    assert (got.status, got.headers["Content-Type"], got.body) == (500, "text/plain", b"<p>oh</p>")


def latency(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("latency", latency=0.4, count=1)
    assert ask(simulator, key=key).status == 200
    simulator.add_fault("latency", latency=3600, count=1)
    with connected(simulator) as waiting:
        waiting.request("GET", "/packages.json", headers=basic(*key))
        while not simulator.faults()[1]["hits"]:
            time.sleep(0.01)
        # Others get their answers meanwhile.
        assert ask(simulator, key=key).status == 200
        waiting.sock.settimeout(0.4)
        with pytest.raises(TimeoutError):
            waiting.getresponse()
    assert [fault["hits"] for fault in simulator.faults()] == [1, 1]


def not_json(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("not_json")
    got = ask(simulator, key=key)
    assert got.status == 200
    with pytest.raises(ValueError, match="Expecting value"):
        _unused = got.json


def redirect(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("redirect", path="/packages.json")
    assert ask(simulator, "/packages.json?a=b", key).headers["Location"] == (
        f"https://localhost:{simulator.port}/packages.json?a=b"
    )
    simulator.clear_faults()
    simulator.add_fault("redirect", status=307, location="/elsewhere.json")
    got = ask(simulator, key=key)
    assert (got.status, got.headers["Location"]) == (307, "/elsewhere.json")


def stall(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("stall", count=1)
    with pytest.raises(TimeoutError):
        ask(simulator, key=key, timeout=0.5)
    simulator.add_fault("stall", after_bytes=1000)
    run = curl(simulator, ZIP, key, "--max-time", "1")
    assert (run.returncode, run.stdout) == (28, "200 1000")
    simulator.clear_faults()
    simulator.add_fault("stall", after_bytes=1000, seconds=0.3)
    run = curl(simulator, ZIP, key)
    assert (run.returncode, run.stdout.split()[0]) == (0, "200")
    logged = simulator.requests()
    assert [(entry["status"], entry["complete"]) for entry in logged] == [(None, False), (200, False), (200, True)]
    assert logged[1]["sent"] == 1000


def reset(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("reset", count=1)
    with pytest.raises(ConnectionResetError):
        ask(simulator, key=key)
    simulator.add_fault("reset", after_bytes=5000)
    with connected(simulator) as connection:
        connection.request("GET", ZIP, headers=basic(*key))
        response = connection.getresponse()
        assert response.status == 200
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            response.read()
    assert [entry["status"] for entry in simulator.requests()] == [None, 200]


def truncate(simulator: Simulator, key: Key) -> None:
    simulator.add_fault("truncate", after_bytes=1234, count=1)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(simulator, ZIP, key)
    assert len(caught.value.partial) == 1234
    assert caught.value.expected is not None
    assert caught.value.expected > 100000
    simulator.add_fault("truncate", chunked=True)
    run = curl(simulator, ZIP, key)
    # 18: transfer closed with outstanding data; 56: failure in receiving.
    assert run.returncode in {18, 56}
    assert 0 < int(run.stdout.split()[1]) < 200000


def wrong_hash(simulator: Simulator, key: Key) -> None:
    right = ask(simulator, ZIP, key).raw, ask(simulator, key=key)
    simulator.add_fault("wrong_hash")
    wrong = ask(simulator, ZIP, key).raw, ask(simulator, key=key)
    assert wrong[0] == right[0] + b"\n"
    assert wrong[1].raw != right[1].raw
    assert wrong[1].json == right[1].json


def corrupt(simulator: Simulator, key: Key) -> None:
    right = ask(simulator, ZIP, key).raw
    for fields, place in (({}, len(right) // 2), ({"after_bytes": 70000}, 70000), ({"after_bytes": 0}, 0)):
        simulator.add_fault("corrupt", count=1, **fields)
        wrong = ask(simulator, ZIP, key).raw
        assert [index for index in range(len(right)) if wrong[index] != right[index]] == [place]
        assert len(wrong) == len(right)


CASES: dict[str, Callable[[Simulator, Key], None]] = {
    check.__name__: check
    for check in (status, latency, not_json, redirect, stall, reset, truncate, wrong_hash, corrupt)
}


@pytest.mark.needs("curl")
@pytest.mark.parametrize("kind", KINDS)
def test_fault(simulator: Simulator, kind: str) -> None:
    CASES[kind](simulator, simulator.key("shop", "web"))


def test_fault_affects_only_matching_requests(simulator: Simulator) -> None:
    key, other = simulator.key("shop", "web"), simulator.key("shop", "ci")
    path = "/p/*"
    for match, hit in (
        ({"path": "/packages.*"}, True),
        ({"path": path}, False),
        ({"method": "get"}, True),
        ({"method": "POST"}, False),
        ({"host": "127.0.0.1:*"}, True),
        ({"host": "repo.magento.com"}, False),
        ({"user": key[0]}, True),
        ({"user": other[0]}, False),
    ):
        simulator.clear_faults()
        simulator.add_fault("status", status=418, **match)
        assert (ask(simulator, key=key).status == 418) == hit, match


def test_skip_and_count(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    number = simulator.add_fault("status", status=503, skip=1, count=2)
    assert [ask(simulator, key=key).status for _turn in range(5)] == [200, 503, 503, 200, 200]
    (fault,) = simulator.faults()
    assert (fault["id"], fault["matched"], fault["hits"]) == (number, 5, 2)
    assert [entry["fault"] for entry in simulator.requests()] == [None, number, number, None, None]
    simulator.remove_fault(number)
    assert simulator.faults() == []


def test_next_fault_applies_when_one_is_used_up(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    simulator.add_fault("status", status=500, count=1)
    simulator.add_fault("status", status=502, count=1)
    assert [ask(simulator, key=key).status for _turn in range(3)] == [500, 502, 200]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "explosion"}, "no fault is of kind explosion; the kinds are: latency"),
        ({"kind": "status", "code": 500}, "unknown fields: code"),
        ({"kind": "status", "status": 99}, "from 200 to 599"),
        ({"kind": "latency", "latency": -1}, "0 or more"),
        ({"kind": "stall", "after_bytes": "half"}, "whole number"),
        ({"kind": "status", "headers": {"Retry-After": 5}}, "must be a string"),
        ({}, "kind must be a string"),
    ],
)
def test_unusable_faults_are_refused(simulator: Simulator, fault: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        simulator.call("POST", "faults", fault)
    assert simulator.faults() == []


def test_stop_does_not_wait_for_a_stalled_client(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    simulator.add_fault("stall")
    with connected(simulator) as connection:
        connection.request("GET", "/packages.json", headers=basic(*key))
        while not simulator.faults()[0]["hits"]:
            time.sleep(0.01)
        simulator.restart()
    # Only a server that stopped by itself has logged the request that it cut; a waiting server is killed.
    assert [(entry["path"], entry["complete"]) for entry in simulator.requests()] == [("/packages.json", False)]
    assert [fault["hits"] for fault in simulator.faults()] == [1]
