# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that refuses a target that is empty or the whole inventory."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.keyfleet.magento.plugins.filter.roles import FilterModule

fleet = FilterModule().filters()["fleet"]


ALL = ["web1", "web2", "db"]


@pytest.mark.parametrize(
    "pattern",
    [
        "web", "web1.example", "web:db", "web,db", "web:!web1", "web:&live", "web*", "*.example", "web[0:2]", "web[-1]",
        "~web[0-9]+", "wall", "all-web", "overall:allow", "10.0.0.1", "[a-z]*b", "~^al$", "fe80::1", "web:!all",
        "~[a-z]+[0-9]", "~.*[0-9]", "[0-9]",
    ],
)  # fmt: skip
def test_named_hosts_are_returned_unchanged(pattern: str) -> None:
    assert fleet(pattern, matched=["web1"], all_hosts=ALL) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "all", " all ", "*", "**", "?*", "all:!web1", "all,!web1", "!web1", "!web1:!web2", "&web", "web:all",
        "web, all", "web:*", "all:&web", "all[0]", "all[0:9]", "all[1-2]", "~.*", "~", "~.*web|", "*:!x",
        "web[0:9]:all",
        # Each matches the group `all`.
        "~.", "~.+", "~a", "[a-z]*", "a*", "???", "~(web|all)", "[!w]*:!x", "~[^w],!x",
    ],
)  # fmt: skip
def test_patterns_for_all_hosts_are_refused(pattern: str) -> None:
    for matched in (["web1"], ALL):
        with pytest.raises(AnsibleFilterError, match="every host of the inventory"):
            fleet(pattern, matched=matched, all_hosts=ALL)


@pytest.mark.parametrize(
    "pattern", ["web*,d*", "~web|db", "[d-w]*", "web,d?", "~..+[12b]", "[a-z]eb[0-9],db", "[d-w]*[0-9]"]
)
def test_wildcards_that_match_every_host_are_refused(pattern: str) -> None:
    assert fleet(pattern, matched=ALL[:2], all_hosts=ALL) == pattern
    with pytest.raises(AnsibleFilterError, match="every host of the inventory"):
        fleet(pattern, matched=ALL, all_hosts=ALL)


@pytest.mark.parametrize("pattern", ["web", "web,db", "web:db:!x", "shops[0:99]", "ungrouped"])
def test_a_named_group_may_be_the_whole_inventory(pattern: str) -> None:
    assert fleet(pattern, matched=ALL, all_hosts=ALL) == pattern


@pytest.mark.parametrize("pattern", ["", "  ", None, ["web"], 7])
def test_a_target_must_be_given(pattern: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="-e magento_target=GROUP"):
        fleet(pattern, matched=[], all_hosts=ALL)


@pytest.mark.parametrize("pattern", ["wbe", "web:!web", "~[", "web*", "all"])
def test_a_target_without_a_host_is_refused(pattern: str) -> None:
    with pytest.raises(AnsibleFilterError, match="matches no host"):
        fleet(pattern, matched=[], all_hosts=[])
