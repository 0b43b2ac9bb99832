# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter with which the role leaves the packages of a key to one host of the play."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping

import pytest
from ansible.errors import AnsibleFilterError, AnsibleUndefinedVariable

from ansible_collections.keyfleet.magento.plugins.filter.auth_keys import FilterModule

auth_keys = FilterModule().filters()["auth_keys"]
KEY = {"public_key": "k", "private_key": "made up", "packages": ["v/p"]}
PREFIXED = {f"magento_auth_{name}": value for name, value in KEY.items()}
BARE = {name: value for name, value in KEY.items() if name != "packages"}


class Broken(Mapping[str, Any]):
    """Variables of a host that can be had on that host alone."""

    def __getitem__(self, name: str) -> Any:
        raise AnsibleUndefinedVariable(name)

    def __contains__(self, name: object) -> bool:
        return name in PREFIXED

    def __iter__(self) -> Iterator[str]:
        return iter(PREFIXED)

    def __len__(self) -> int:
        return len(PREFIXED)


def walks(variables: Mapping[str, Any], hostvars: Dict[str, Any]) -> List[str]:
    """The hosts of the play that look packages up, each with its own variables over those of the play."""
    found = []
    for host, own in hostvars.items():
        mine = {} if isinstance(own, Broken) else {n[len("magento_auth_") :]: v for n, v in own.items()}
        keys = auth_keys({**variables, **mine}, host=host, hosts=list(hostvars), hostvars=hostvars)
        found += [host for key in keys if key.get("packages")]
    return found


OWN = {"magento_auth_public_key": "own", "magento_auth_private_key": "made up"}


@pytest.mark.parametrize(
    ("variables", "hostvars", "expected"),
    [
        (KEY, {"a": {}, "b": {}, "c": {}}, ["a"]),
        ({"keys": [KEY]}, {"a": {}, "b": {}, "c": {}}, ["a"]),
        ({}, {"a": PREFIXED, "b": PREFIXED}, ["a"]),
        ({}, {"a": {"magento_auth_keys": [KEY]}, "b": PREFIXED}, ["a"]),
        # Keys from the inventory, packages from the play.
        ({"packages": ["v/p"]}, {"a": OWN, "b": OWN, "c": OWN}, ["a"]),
        # One host has another key of its own.
        (KEY, {"a": {}, "b": OWN, "c": {}}, ["a", "b"]),
        (KEY, {"a": OWN, "b": {}, "c": {}}, ["a", "b"]),
        # The inventory gives the packages to some hosts only.
        (BARE, {"a": {}, "b": {"magento_auth_packages": ["v/p"]}, "c": {"magento_auth_packages": ["v/p"]}}, ["b"]),
        # The first host takes its key away.
        (KEY, {"a": {"magento_auth_state": "absent"}, "b": {}, "c": {}}, ["a", "b"]),
        # Nothing can be known of the first host: better once more than not at all.
        (KEY, {"a": Broken(), "b": {}, "c": {}}, ["a", "b"]),
    ],
)
def test_who_looks_packages_up(variables: Dict[str, Any], hostvars: Dict[str, Any], expected: List[str]) -> None:
    assert walks(variables, hostvars) == expected


def test_private_halves_of_other_hosts_are_not_touched() -> None:
    touched: List[str] = []

    class Watched(Dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            touched.append(name)
            return super().__getitem__(name)

    auth_keys(KEY, host="b", hosts=["a", "b"], hostvars={"a": Watched(PREFIXED), "b": {}})
    assert "magento_auth_public_key" in touched
    assert "magento_auth_private_key" not in touched


@pytest.mark.parametrize(
    ("variables", "words"), [({}, "magento_auth_public_key"), ({"keys": []}, "magento_auth_keys is an empty list")]
)
def test_no_key_is_an_error_of_the_filter(variables: Dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        auth_keys(variables, host="a", hosts=["a"], hostvars={"a": {}})
