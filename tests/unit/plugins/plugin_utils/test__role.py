# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that a host gets. Only entries that name a series get its pair."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.plugin_utils._role import forged_names, pair_of, resolve

PAIR = {"public_key": "new", "private_key": "secret"}
OWN = {"public_key": "own", "private_key": "other secret", "users": ["a"]}
SETTINGS = {"prefix": "web", "unmanaged_keys": "block", "pair": None, "search": None}
GENERATIONS = [
    {"label": "web-20260101", "public_key": "gone", "state": "retired"},
    {"label": "web-20260201", "public_key": "old", "state": "superseded"},
    {"label": "web-20260301", "public_key": "new", "state": "current"},
    {"label": "web-20260401", "public_key": "bad", "state": "rejected"},
]
PLAN = {"series": "web", "generations": GENERATIONS}
ROTATION = {"magento_rotation_plan": PLAN, "magento_rotation_pair": {"marketplace_keys": [{**PAIR, "label": "x"}]}}
REVOKED = {"label": "ci", "public_key": "leaked", "uid": "MAG1", "replacement": None}


def resolved(keys: Optional[List[Any]] = None, flat: Optional[Dict[str, Any]] = None, **options: Any) -> Dict[str, Any]:
    return resolve(keys, flat=flat or {}, **{"settings": SETTINGS, "rotation": ROTATION, **options})


def refusal(keys: Optional[List[Any]] = None, flat: Optional[Dict[str, Any]] = None, **options: Any) -> str:
    with pytest.raises(KeyfleetError) as caught:
        resolved(keys, flat, **options)
    assert caught.value.code == "bad_options"
    assert "secret" not in caught.value.message
    return caught.value.message


# The pair


def test_the_pair_of_the_current_generation() -> None:
    assert pair_of(SETTINGS, ROTATION) == PAIR
    assert pair_of({**SETTINGS, "pair": {**PAIR, "label": "x"}}, {"magento_rotation_plan": PLAN}) == PAIR


@pytest.mark.parametrize(
    "rotation",
    [
        {},
        {"magento_rotation_plan": PLAN},
        {"magento_rotation_pair": ROTATION["magento_rotation_pair"]},
        # Another series, or another current generation.
        {**ROTATION, "magento_rotation_plan": {**PLAN, "series": "api"}},
        {**ROTATION, "magento_rotation_plan": {**PLAN, "generations": GENERATIONS[:2]}},
        {**ROTATION, "magento_rotation_plan": {"series": "web"}},
        {**ROTATION, "magento_rotation_plan": None},
        {**ROTATION, "magento_rotation_pair": {"marketplace_keys": []}},
        {**ROTATION, "magento_rotation_pair": {"skipped": True}},
        {**ROTATION, "magento_rotation_pair": {"marketplace_keys": [{"public_key": "old", "private_key": "secret"}]}},
        {**ROTATION, "magento_rotation_pair": None},
    ],
)
def test_only_the_current_pair_of_the_series_is_used(rotation: Dict[str, Any]) -> None:
    assert pair_of(SETTINGS, rotation) is None
    assert "not fetched the pair" in refusal([{"series": "web"}], rotation=rotation)


# Entries


def test_an_entry_of_the_series_gets_its_pair_and_others_are_unchanged() -> None:
    found = resolved([OWN, {"series": "web", "projects": ["/srv"]}, {"series": "api"}, "junk", {"series": None, **OWN}])
    assert found == {
        "entries": [OWN, {**PAIR, "projects": ["/srv"]}, "junk", {"series": None, **OWN}],
        "given": True,
        "idle": False,
    }


@pytest.mark.parametrize(
    ("keys", "flat", "expected"),
    [
        (None, {}, {"given": False, "idle": False}),
        ([], {}, {"entries": [], "given": True, "idle": False}),
        (None, OWN, {**OWN, "given": True, "idle": False}),
        (None, {"public_key": None, "private_key": None, "url": None}, {"given": False, "idle": False}),
        (None, {"series": "web", "url": "u"}, {**PAIR, "url": "u", "given": True, "idle": False}),
        ([OWN], {"series": "web"}, {**PAIR, "entries": [OWN], "given": True, "idle": False}),
        # The run is for another series.
        (None, {"series": "api", "url": "u"}, {"given": True, "idle": True}),
        ([{"series": "api"}], {}, {"given": True, "idle": True}),
        ([OWN], {"series": "api"}, {"entries": [OWN], "given": True, "idle": False}),
        ([{"series": "api"}], {"series": "web"}, {**PAIR, "given": True, "idle": False}),
    ],
)
def test_resolve(keys: Any, flat: Dict[str, Any], expected: Dict[str, Any]) -> None:
    before = repr((keys, flat, SETTINGS, ROTATION))
    assert resolved(keys, flat) == expected
    assert repr((keys, flat, SETTINGS, ROTATION)) == before


def test_absent_entries_need_no_pair() -> None:
    for options in ({}, {"settings": None, "rotation": None}):
        entry = {"series": "web", "state": "absent", "users": ["a"]}
        assert resolved([entry], **options)["entries"] == [{"state": "absent", "users": ["a"]}]
        found = resolved([{"series": "web"}], {"series": "web", "url": "u"}, state="absent", **options)
        assert found == {"entries": [{}], "url": "u", "given": True, "idle": False}
        assert resolved(None, {"series": "web"}, state="absent", **options) == {"given": True, "idle": False}
    # An entry may have its own state present.
    assert resolved([{"series": "web", "state": "present"}], state="absent")["entries"] == [
        {"state": "present", **PAIR}
    ]


@pytest.mark.parametrize("half", ["public_key", "private_key"])
def test_a_series_with_a_pair_is_an_error(half: str) -> None:
    for options in ({}, {"settings": None}, {"state": "absent"}):
        assert "magento_auth_keys[1]: series cannot be combined" in refusal(
            [OWN, {"series": "api", half: "secret"}], **options
        )
        assert "magento_auth_series: series cannot be combined" in refusal(
            None, {"series": "web", half: "secret"}, **options
        )


@pytest.mark.parametrize("name", ["", 7, ["web"], {"prefix": "web"}, True])
def test_a_series_is_named_by_its_prefix(name: Any) -> None:
    assert "prefix of a series" in refusal([{"series": name}])
    assert "prefix of a series" in refusal(None, {"series": name})


def test_without_settings_no_series_can_be_resolved() -> None:
    assert "magento_series, which is not set" in refusal([{"series": "web"}], settings=None)
    assert resolved([OWN], settings=None, rotation=None)["entries"] == [OWN]


def test_check_mode_omits_entries_of_a_new_key() -> None:
    keys = [{"series": "web"}, OWN]
    made = resolved(keys, check_mode=True)
    assert made["entries"] == [PAIR, OWN]
    assert resolved(keys, check_mode=True, rotation={})["entries"] == [OWN]
    assert resolved(keys[:1], check_mode=True, rotation={}) == {"given": True, "idle": True}


# Removals


def removed(found: Dict[str, Any]) -> List[str]:
    assert all(entry["state"] == "absent" and entry["search"] is not None for entry in found["entries"])
    return [entry["public_key"] for entry in found["entries"]]


def test_older_keys_are_removed_only_if_unmanaged_keys_is_remove() -> None:
    remove = {**SETTINGS, "unmanaged_keys": "remove"}
    assert removed(resolved(settings=remove)) == ["gone", "old", "bad"]
    assert resolved(settings=remove)["given"] is True and resolved(settings=remove)["idle"] is False
    assert resolved(settings={**remove, "search": ["/srv"]})["entries"][0]["search"] == ["/srv"]
    combined = resolved([OWN, {"series": "web"}], settings=remove)["entries"]
    assert combined[:2] == [OWN, PAIR] and len(combined) == 5
    for kept in ("block", "ignore", None):
        assert "entries" not in resolved(settings={**SETTINGS, "unmanaged_keys": kept})
    for rotation in ({}, {"magento_rotation_plan": {**PLAN, "series": "api"}}, {"magento_rotation_plan": None}):
        assert "entries" not in resolved(settings=remove, rotation=rotation)
    assert "entries" not in resolved(settings=None)


@pytest.mark.parametrize("unmanaged", ["block", "remove"])
def test_an_empty_list_is_passed_on(unmanaged: str) -> None:
    options = resolved([], settings={**SETTINGS, "unmanaged_keys": unmanaged})
    assert (options["entries"], options["idle"]) == ([], False)


def test_a_revocation_removes_one_key_and_installs_its_replacement() -> None:
    remove = {**SETTINGS, "unmanaged_keys": "remove"}

    def entries(replacement: Any, given: Any, pair: Any = None) -> Any:
        plan = {**PLAN, "revoked": {**REVOKED, "replacement": replacement}}
        keys = [{"series": "web"}, {"series": "api"}]
        known = {**ROTATION, "magento_rotation_plan": plan}
        return resolved(keys, settings={**remove, "pair": pair}, rotation=known, replacement=given)["entries"]

    removal = {"public_key": "leaked", "state": "absent", "search": []}
    other = {"public_key": "p", "private_key": "another secret"}
    # Without a replacement no key is installed, not even the current pair of the series.
    assert entries(None, None) == entries(None, other) == [removal]
    assert entries("new", "current") == [PAIR, removal]
    assert entries("p", other) == [other, removal]
    assert entries("p", "current", {"label": "x", **other}) == [other, removal]
    with pytest.raises(KeyfleetError, match="has not fetched"):
        entries("q", other)


# Facts


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({}, []),
        ({"distribution": "Debian", "hostname": "web1", "my_magento_x": 1, "omitted": 1, "groups": 1}, []),
        (["magento_series", "magento_"], ["magento_", "magento_series"]),
        (["omit"], ["omit"]),
        (["inventory_hostname", "inventory_hostname_short"], ["inventory_hostname", "inventory_hostname_short"]),
        (["group_names"], ["group_names"]),
        (["holder_name", "holder_private_key"], ["holder_name", "holder_private_key"]),
        ([7, None, "magento_a"], ["magento_a"]),
        (["paramiko_host", "docker_extra_args", "docker0", "ssh_host_key_rsa_public"],
         ["docker_extra_args", "paramiko_host"]),
        # Network interfaces.
        ({"docker_gwbridge": {"device": "docker_gwbridge"}, "podman_web": {"device": "podman-web"}}, []),
        ({"magento_series": {"prefix": "web"}}, ["magento_series"]),
    ],
)  # fmt: skip
def test_facts_that_would_override_variables(facts: Any, names: List[str]) -> None:
    assert forged_names(facts if isinstance(facts, dict) else dict.fromkeys(facts)) == names
