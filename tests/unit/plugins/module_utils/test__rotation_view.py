# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment gets, who holds up a rotation without the API, and what people are told in the end."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Optional, Set

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_view import (
    deploy_keys,
    held_up_by_hand,
    summary,
)

PAIR = {"public_key": "new", "private_key": "made up", "label": "web-20260201", "uid": "MAG000000001"}
KEY = {"public_key": "new", "private_key": "made up"}
NOWHERE: Dict[str, Any] = {"users": None, "projects": [], "paths": None}


def holding(*public_keys: str) -> Dict[str, Any]:
    """A host with a file for each key."""
    entries = [[{"repository": "repo.magento.com", "public_key": key}] for key in public_keys]
    return {"files": [{"path": f"/{key[0]}/auth.json", "entries": e} for key, e in zip(public_keys, entries)]}


@pytest.mark.parametrize(
    ("held", "places", "older", "expected"),
    [
        (holding(), {"users": ["deploy"]}, ["old"], [{**KEY, "users": ["deploy"]}]),
        (holding("old"), {"users": ["deploy"]}, ["old"], [{**KEY, "users": ["deploy"], "paths": ["/o/auth.json"]}]),
        (holding("old"), NOWHERE, ["old"], [{**KEY, "paths": ["/o/auth.json"]}]),
        (holding("old"), {"paths": ["/x", "/o/auth.json"]}, ["old"], [{**KEY, "paths": ["/x", "/o/auth.json"]}]),
        (holding("new"), NOWHERE, ["old", "new"], []),
        (holding("x"), NOWHERE, ["old"], []),
        (holding(), {"users": "deploy,www-data"}, ["old"], [{**KEY, "users": ["deploy", "www-data"]}]),
        (holding("old"), NOWHERE, [], []),
        (holding(), NOWHERE, ["old"], []),
        (
            holding("old", "x"),
            {"projects": ["/srv"]},
            ["old"],
            [{**KEY, "projects": ["/srv"], "paths": ["/o/auth.json"]}],
        ),
    ],
)
def test_the_keys_of_one_deployment(
    held: Dict[str, Any], places: Dict[str, Any], older: List[str], expected: List[Dict[str, Any]]
) -> None:
    before = {name: copy.copy(value) for name, value in places.items() if value}
    assert deploy_keys(PAIR, held=held, older=older, places=places) == expected
    assert {name: value for name, value in places.items() if value} == before
    asked_elsewhere = deploy_keys(PAIR, held=held, older=older, places=places, url="https://mirror.example/")
    assert asked_elsewhere == [{**key, "url": "https://mirror.example/"} for key in expected]


def test_what_is_done_is_not_done_again_whatever_link_leads_there() -> None:
    held = holding("old", "first")
    older = ["old", "first"]
    rest = deploy_keys(PAIR, held=held, older=older, places=NOWHERE, done=[{"path": "/o/auth.json"}])
    assert rest == [{**KEY, "paths": ["/f/auth.json"]}]
    through = [{"path": "/current/auth.json", "real_path": "/o/auth.json"}]
    assert deploy_keys(PAIR, held=held, older=older, places=NOWHERE, done=through) == rest
    held["files"][1]["real_path"] = "/o/auth.json"
    assert deploy_keys(PAIR, held=held, older=older, places=NOWHERE, done=through) == []


@pytest.mark.parametrize(
    ("installed", "expectations", "who"),
    [
        ({"web1": holding("new")}, {"expected_hosts": ["web1"]}, set()),
        ({"web1": holding("new")}, {"expected_count": 1}, set()),
        # As -e gives them.
        ({"web1": holding("new")}, {"expected_hosts": "web1", "expected_count": "1"}, set()),
        ({"web1": holding("new")}, {"expected_hosts": "web1, web2", "expected_count": ""}, {"web2"}),
        ({"web1": holding("new")}, {"expected_hosts": "web1,web2", "written_off": "web2"}, set()),
        ({"web1": holding("new")}, {"expected_hosts": "", "expected_count": ""}, {None}),
        ({"web1": holding("new", "old")}, {"expected_hosts": ["web1"]}, {"web1"}),
        ({"web1": holding("new", "elder")}, {"expected_hosts": ["web1"]}, {"web1"}),
        ({"web1": holding("new", "x")}, {"expected_hosts": ["web1"]}, set()),
        ({"web1": holding("new")}, {"expected_hosts": ["web1", "web2"]}, {"web2"}),
        ({"web1": holding("new"), "web2": {"unreachable": True}}, {"expected_hosts": ["web1"]}, {"web2"}),
        ({"web1": holding("new")}, {"expected_hosts": ["web1", "web2"], "written_off": ["web2"]}, set()),
        ({"web1": holding("x")}, {"expected_hosts": ["web1"]}, {None}),
        ({"web1": holding("new")}, {}, {None}),
        ({"web1": holding("new")}, {"expected_hosts": [], "expected_count": None}, {None}),
        ({}, {"expected_hosts": ["web1"]}, {"web1", None}),
    ],
)
def test_without_the_api_the_rules_are_the_same(
    installed: Dict[str, Any], expectations: Dict[str, Any], who: Set[Optional[str]]
) -> None:
    found = held_up_by_hand(installed, new_public_key="new", old_public_keys=["old", "elder"], **expectations)
    assert {entry["host"] for entry in found} == who
    assert all(entry["reason"] for entry in found)


@pytest.mark.parametrize("old", [[], ["old", "new"]])
def test_the_keys_that_go_are_named_and_are_not_the_new_one(old: List[str]) -> None:
    with pytest.raises(KeyfleetError) as caught:
        held_up_by_hand({}, new_public_key="new", old_public_keys=old, expected_count=1)
    assert caught.value.code == "bad_options"


GENERATIONS = [
    {"label": "web-20260101", "public_key": "old", "enabled": True},
    {"label": "web-20260201", "public_key": "new", "enabled": True},
]
RESULT = {"label": "web-20260201", "public_key": "new", "generations": GENERATIONS, "reason": "because", "held_up": []}


@pytest.mark.parametrize(
    ("result", "more", "expected"),
    [
        (
            {**RESULT, "retired": ["web-20260101"]},
            {"expected_hosts": ["web1", "web2"]},
            ["Generation: web-20260201", "Hosts that have it: 1 of 2", "Disabled: web-20260101", "Left to do: nothing"],
        ),
        (
            {**RESULT, "retired": ["web-20260101"]},
            {"check_mode": True},
            ["Generation: web-20260201", "Hosts that have it: 1", "Would disable: web-20260101", "Left to do: nothing"],
        ),
        (
            {**RESULT, "generations": GENERATIONS[1:], "pruned": ["web-20251201"]},
            {},
            ["Generation: web-20260201", "Hosts that have it: 2", "Deleted: web-20251201", "Left to do: nothing"],
        ),
        (
            {**RESULT, "failed": True, "held_up": [{"host": "web2", "reason": "it still has it"},
                                                   {"host": None, "reason": "no acknowledgement"}]},
            {},
            ["Generation: web-20260201", "Hosts that have it: 1", "Held up by web2: it still has it",
             "Held up: no acknowledgement", "Left to do: web-20260101 still enabled; run the rotation again"],
        ),
        (
            RESULT,
            {},
            ["Generation: web-20260201", "Hosts that have it: 1", "Waiting: because",
             "Left to do: web-20260101 still enabled; run the rotation again"],
        ),
        ({"msg": "the API is away"}, {}, ["Generation: none", "Hosts that have it: 0", "Left to do: nothing"]),
    ],
)  # fmt: skip
def test_what_people_are_told(result: Dict[str, Any], more: Dict[str, Any], expected: List[str]) -> None:
    installed = {"web1": holding("new", "x"), "web2": holding("new", "old"), "web3": {"unreachable": True}}
    assert summary(result, installed=installed, **more) == expected
