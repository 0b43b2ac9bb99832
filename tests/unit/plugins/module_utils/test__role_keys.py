# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the role to the keys of one module execution."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._role_keys import entitlement_once, lookups, role_keys

FLAT = {"public_key": "flat", "private_key": "made up"}
LISTED = {"public_key": "listed", "private_key": "made up", "repository": "h.example"}
EMPTY: Dict[str, Any] = dict.fromkeys(
    ("keys", "repository", "public_key", "private_key", "url", "packages", "state"), None
)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({**EMPTY, **FLAT}, [FLAT]),
        ({**FLAT, "packages": ["a/b"], "url": "https://h/"}, [{**FLAT, "packages": ["a/b"], "url": "https://h/"}]),
        ({**EMPTY, "keys": [LISTED]}, [LISTED]),
        ({"keys": [LISTED], **FLAT}, [LISTED, FLAT]),
        ({"keys": [LISTED], "repository": "beside.example"}, [LISTED]),
        # A half that is missing is the module's to complain about.
        ({"private_key": "made up"}, [{"private_key": "made up"}]),
        ({"state": "absent"}, [{}]),
        ({**EMPTY, "state": "absent", "repository": "h.example"}, [{"repository": "h.example"}]),
        ({"state": "absent", "public_key": "flat"}, [{"public_key": "flat"}]),
        ({"state": "absent", "keys": [LISTED]}, [LISTED]),
    ],
)
def test_both_forms_are_one_list(variables: Dict[str, Any], expected: List[Dict[str, Any]]) -> None:
    assert role_keys(variables) == expected


@pytest.mark.parametrize(
    "variables", [{}, EMPTY, {"state": "present"}, {"repository": "h.example", "packages": ["a/b"]}]
)
def test_no_key_at_all_is_an_error(variables: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="magento_auth_keys nor magento_auth_public_key"):
        role_keys(variables)


@pytest.mark.parametrize(
    "keys", ["public_key=listed private_key=made-up", LISTED, [[LISTED]], ["made up"], [LISTED, None], 7]
)
def test_something_else_than_a_list_of_keys_is_an_error_that_does_not_quote_it(keys: Any) -> None:
    with pytest.raises(ValueError) as caught:
        role_keys({**EMPTY, "keys": keys})
    assert str(caught.value) == "magento_auth_keys must be a list of dictionaries"


@pytest.mark.parametrize("beside", [{}, FLAT, {"state": "absent"}])
def test_an_empty_list_is_not_no_list(beside: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="magento_auth_keys is an empty list"):
        role_keys({"keys": [], **beside})


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {}),
        (FLAT, {("repo.magento.com", "flat"): frozenset()}),
        ({**FLAT, "packages": ["A/b", "c/d"]}, {("repo.magento.com", "flat"): frozenset(("a/b", "c/d"))}),
        ({**FLAT, "packages": "a/b, c/d"}, {("repo.magento.com", "flat"): frozenset(("a/b", "c/d"))}),
        ({"keys": [{**LISTED, "packages": ["a/b"]}]}, {("h.example", "listed"): frozenset(("a/b",))}),
        ({**FLAT, "state": "absent"}, {}),
        ({"state": "absent"}, {}),
        ({"keys": [{**LISTED, "state": "absent"}], **FLAT}, {("repo.magento.com", "flat"): frozenset()}),
        (
            {"keys": [{**LISTED, "state": "present"}], **FLAT, "state": "absent"},
            {("h.example", "listed"): frozenset()},
        ),
    ],
)
def test_what_a_host_looks_up(variables: Dict[str, Any], expected: Any) -> None:
    assert lookups(variables) == expected


def key(name: str, *packages: str) -> Dict[str, Any]:
    return {"public_key": name, "packages": list(packages)}


# Host → its keys; then host → the packages that are left to it. "a" is the first host of the play.
PLAYS: List[Any] = [
    ({"a": [key("k", "v/p")], "b": [key("k", "v/p")], "c": [key("k", "v/p")]}, {"a": ["v/p"], "b": None, "c": None}),
    ({"a": [key("k", "v/p")], "b": [key("x", "v/p")], "c": [key("x", "v/p")]}, {"a": ["v/p"], "b": ["v/p"], "c": None}),
    ({"a": [], "b": [key("k", "v/p")], "c": [key("k", "v/p")]}, {"b": ["v/p"], "c": None}),
    # The first host has the key, and asks for less or for nothing.
    ({"a": [key("k")], "b": [key("k", "v/p")]}, {"a": [], "b": ["v/p"]}),
    ({"a": [key("k", "v/p")], "b": [key("k", "v/p", "v/q")]}, {"a": ["v/p"], "b": ["v/p", "v/q"]}),
    ({"a": [key("k", "v/p", "v/q")], "b": [key("k", "V/Q")]}, {"a": ["v/p", "v/q"], "b": None}),
    # It only takes the key away.
    ({"a": [{**key("k", "v/p"), "state": "absent"}], "b": [key("k", "v/p")]}, {"a": ["v/p"], "b": ["v/p"]}),
    ({"a": [{**key("k", "v/p"), "repository": "h.example"}], "b": [key("k", "v/p")]}, {"a": ["v/p"], "b": ["v/p"]}),
]  # fmt: skip


@pytest.mark.parametrize(("play", "expected"), PLAYS)
def test_packages_are_looked_up_by_the_first_host_that_asks_for_them(
    play: Dict[str, List[Dict[str, Any]]], expected: Dict[str, Any]
) -> None:
    found = {}
    for host in expected:
        (only,) = entitlement_once(play[host], host=host, hosts=list(play), known=lambda h: lookups({"keys": play[h]}))
        found[host] = only.pop("packages", None)
        assert only == {name: value for name, value in play[host][0].items() if name != "packages"}
    assert found == expected


def test_a_host_that_the_play_has_lost_looks_nothing_up_for_others() -> None:
    keys = [key("k", "v/p")]
    assert entitlement_once(keys, host="b", hosts=["b", "c"], known=lambda _h: lookups({"keys": keys})) == keys
    assert entitlement_once(keys, host="b", hosts=[], known=lambda _h: {}) == keys
