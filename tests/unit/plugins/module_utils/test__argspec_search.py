# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option search, which removes one particular key from all files."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import keys_from
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import PRIVATE, PUBLIC

PAIR = {"public_key": PUBLIC, "private_key": PRIVATE}
ABSENT = {"state": "absent", "public_key": PUBLIC}


def refusal(**params: Any) -> str:
    with pytest.raises(KeyfleetError) as caught:
        keys_from(params)
    assert caught.value.code == "bad_options" and PRIVATE not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("value", "roots"),
    [
        (None, None),
        # An empty list is allowed here: only the homes are searched.
        ([], ()),
        (["/srv"], ("/srv",)),
        (["/srv/", "/var//www", "/srv"], ("/srv", "/var/www")),
    ],
)
def test_roots(value: Optional[List[str]], roots: Optional[Tuple[str, ...]]) -> None:
    (flat,) = keys_from({**ABSENT, "search": value})
    (listed,) = keys_from({"state": "present", "keys": [{**ABSENT, "search": value}]})
    assert flat.search == listed.search == roots
    assert (flat.present, flat.public_key) == (listed.present, listed.public_key) == (False, PUBLIC)


@pytest.mark.parametrize("search", [[], ["/srv"]])
def test_a_key_with_search_ignores_the_common_targets(search: List[str]) -> None:
    common: Dict[str, Any] = {"state": "present", "users": ["deploy"], "projects": ["/shop"], "paths": ["/a"]}
    found, other = keys_from({**common, "keys": [{**ABSENT, "search": search}, PAIR]})
    assert (found.users, found.projects, found.paths) == ((), (), ())
    assert (other.users, other.projects, other.paths, other.search) == (("deploy",), ("/shop",), ("/a",), None)


@pytest.mark.parametrize("search", [[], ["/srv"]])
@pytest.mark.parametrize(
    "params",
    [{"state": "present", **PAIR}, {"state": "absent"}, {"state": "absent", "public_key": None}],
)
def test_search_is_only_for_the_removal_of_one_key(params: Dict[str, Any], search: List[str]) -> None:
    assert "search removes one particular key" in refusal(**params, search=search)
    if params["state"] == "present":
        assert "keys[0].search removes one particular key" in refusal(
            state="present", keys=[{**params, "search": search}]
        )


@pytest.mark.parametrize("search", [[], ["/srv"]])
@pytest.mark.parametrize("target", [{"users": ["deploy"]}, {"projects": ["/shop"]}, {"paths": ["/a"]}, {"users": []}])
def test_search_cannot_be_combined_with_targets(target: Dict[str, Any], search: List[str]) -> None:
    assert "search covers the whole host" in refusal(**ABSENT, **target, search=search)
    element = {**ABSENT, **target, "search": search}
    assert "keys[0].search covers the whole host" in refusal(state="present", keys=[element])


@pytest.mark.parametrize("root", ["srv", "./srv", "/srv/../etc", "", " ", "~deploy"])
def test_roots_are_absolute_paths(root: str) -> None:
    assert "search" in refusal(**ABSENT, search=["/var/www", root])
