# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a rotation play, their reports, and the checks of a series."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Sequence

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from jinja2 import Environment

from ansible_collections.keyfleet.magento.plugins.filter.roles import FilterModule

FILTERS = FilterModule().filters()
FAILED = {"failed": True, "msg": "no"}
DOWN = {"unreachable": True, "msg": "no"}
NESTED: Any = {}
for _level in range(3000):
    NESTED = {"a": NESTED}


class Host(Mapping[str, Any]):
    """The variables of a host as in hostvars: a variable that cannot be templated raises when it is read."""

    def __init__(self, **known: Any) -> None:
        self.known = known

    def __getitem__(self, name: str) -> Any:
        value = self.known[name]
        if isinstance(value, Exception):
            raise value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def __contains__(self, name: object) -> bool:
        return name in self.known


class Hostvars(Dict[str, Any]):
    """hostvars that raises for some hosts, as in Ansible."""

    def __getitem__(self, host: str) -> Any:
        value = super().__getitem__(host)
        if isinstance(value, Exception):
            raise value
        return value


HOSTS: Dict[str, Any] = {
    "good": Host(magento_rotation_collected={"files": []}, magento_auth_result={"files": []}, magento_series={"a": 1}),
    "new": Host(),
    "facts": Host(ansible_facts={"distribution": "Debian", "magento_series": {}}),
    "python": Host(magento_rotation_collected={"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}),
    "failed": Host(magento_rotation_collected=FAILED, magento_auth_result=FAILED),
    "down": Host(magento_rotation_collected=DOWN, magento_auth_result=DOWN),
    "odd": Host(magento_rotation_collected="odd", magento_auth_result=["odd"]),
    "broken": Host(magento_rotation_collected=AnsibleError("cannot be templated")),
    "odd facts": Host(ansible_facts=["magento_series"]),
    "broken facts": Host(ansible_facts=AnsibleError("cannot be templated")),
    "deep": Host(ansible_facts={"a": NESTED}, magento_rotation_collected={"files": NESTED}),
    "too deep": RecursionError(),
}
HOSTVARS = Hostvars(HOSTS)
FORGED = {"facts", "odd facts", "broken facts", "too deep"}
UNREPORTED = {"failed", "down", "odd", "broken"}


def test_hosts_with_forged_facts_are_omitted() -> None:
    found = FILTERS["rotation_hosts"](list(HOSTS), HOSTVARS)
    assert found == [host for host in HOSTS if host not in FORGED]
    assert FILTERS["rotation_hosts"]([*FORGED], HOSTVARS) == "all:!all"
    assert FILTERS["rotation_hosts"]([], HOSTVARS) == "all:!all"


def test_hosts_that_did_not_report_are_omitted() -> None:
    found = FILTERS["rotation_hosts"](list(HOSTS), HOSTVARS, collected=True)
    assert found == [host for host in HOSTS if host not in FORGED | UNREPORTED]


def test_check_mode_omits_all_hosts_for_a_new_key() -> None:
    assert FILTERS["rotation_hosts"](list(HOSTS), HOSTVARS, predicted=True) == "all:!all"


@pytest.mark.parametrize("limit", ["web1", "", "all"])
def test_a_limit_is_refused(limit: str) -> None:
    with pytest.raises(AnsibleFilterError, match="--limit is refused"):
        FILTERS["rotation_hosts"](["good"], HOSTVARS, limit=limit)


def test_the_hosts_that_failed() -> None:
    assert FILTERS["rotation_failed"](list(HOSTS), HOSTVARS) == ["down", "failed", "odd"]


def test_reports_have_only_registered_results() -> None:
    reports = FILTERS["rotation_reports"](list(HOSTS), HOSTVARS)
    assert list(reports) == list(HOSTS)
    assert reports["good"] == {
        "magento_rotation_collected": {"files": []},
        "magento_auth_result": {"files": []},
        "forged_facts": [],
    }
    assert reports["new"] == {"forged_facts": []}
    assert {host for host, report in reports.items() if report["forged_facts"]} == FORGED
    assert reports["facts"]["forged_facts"] == ["magento_series"]
    for host in ("odd", "broken"):
        assert reports[host]["magento_rotation_collected"]["failed"] is True
    assert reports["down"]["magento_rotation_collected"] == DOWN
    assert len(repr(reports["deep"])) < 300


# The series and its entries


def check(settings: Any, *, own: List[Any], fixed: Sequence[Any] = (), **hosts: Any) -> Any:
    known = {"localhost": {}, **hosts}
    targets = [host for host in hosts if host != "localhost"]
    return FILTERS["check_series"](settings, hosts=targets, hostvars=known, own=own, fixed=list(fixed))


ENTRY = {"series": "web", "users": ["deploy"]}


@pytest.mark.parametrize(
    ("own", "hosts"),
    [
        ([[ENTRY], None], {}),
        ([None, "web"], {}),
        ([None, None], {"web1": {}, "web2": {"magento_auth_keys": [{"public_key": "a"}, ENTRY]}}),
        ([None, None], {"web1": {"magento_auth_series": "web"}}),
    ],
)
def test_a_host_has_an_entry_of_the_series(own: List[Any], hosts: Dict[str, Any]) -> None:
    assert check({"prefix": "web"}, own=own, **hosts) is True
    with pytest.raises(AnsibleFilterError, match="no host of the target names the series api"):
        check({"prefix": "api"}, own=own, **hosts)
    # The module reports invalid settings.
    for settings in (None, {}, "web", {"prefix": None}):
        assert check(settings, own=own, **hosts) is True


@pytest.mark.parametrize("value", [None, "", [], ["web"], [{"series": "webs"}], "webs", {"series": "web"}, [None]])
def test_no_host_has_an_entry_of_the_series(value: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="no host of the target"):
        check({"prefix": "web"}, own=[], web1={"magento_auth_keys": value, "magento_auth_series": value})


@pytest.mark.parametrize("fixed", [["made up 1", ""], ["", "made up 2"], ["made up 1", "made up 2"]])
def test_a_pair_in_extra_variables_is_refused_and_not_quoted(fixed: List[str]) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        check({"prefix": "web"}, own=[[ENTRY]], fixed=fixed)
    assert "are set by extra variables" in str(caught.value) and "made up" not in str(caught.value)
    assert check({"prefix": "web"}, own=[[ENTRY]], fixed=["", ""]) is True


@pytest.mark.parametrize("facts", [{"magento_series": {}}, {"omit": 1}, {"group_names": []}, ["magento_series"]])
def test_facts_of_localhost_that_set_variables(facts: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="facts of localhost set variables"):
        check({"prefix": "web"}, own=[[ENTRY]], localhost={"ansible_facts": facts})
    assert check({"prefix": "web"}, own=[[ENTRY]], localhost={"ansible_facts": {"distribution": "Debian"}}) is True


# The keys of a host


def series_keys(check_mode: bool = False, **variables: Any) -> Any:
    context = Environment().from_string("").new_context(variables)
    return FILTERS["series_keys"](context, check_mode)


PAIR = {"public_key": "new", "private_key": "secret"}
SERIES = {"prefix": "web", "pair": PAIR}
PLANNED = {"series": "web", "generations": [{"label": "web-1", "public_key": "new", "state": "current"}]}
REGISTERED = {"hostvars": {"localhost": {"magento_rotation_plan": PLANNED}}}
REVOKED = {"series": "web", "revoked": {"public_key": "leaked", "replacement": "new"}}
REMOVED = {"public_key": "leaked", "state": "absent", "search": []}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"given": False, "idle": False}),
        ({"magento_auth_keys": [PAIR]}, {"entries": [PAIR], "given": True, "idle": False}),
        *(({"magento_auth_keys": no}, {"entries": [], "given": True, "idle": False}) for no in ([], None, "")),
        ({"magento_auth_public_key": ""}, {"public_key": "", "given": True, "idle": False}),
        (
            {f"magento_auth_{name}": name for name in ("repository", "public_key", "private_key", "url", "packages")},
            {
                "repository": "repository", "public_key": "public_key", "private_key": "private_key", "url": "url",
                "packages": "packages", "given": True, "idle": False,
            },
        ),
        (
            {"magento_auth_series": "web", "magento_series": SERIES, **REGISTERED},
            {**PAIR, "given": True, "idle": False},
        ),
        (
            {"magento_auth_keys": [ENTRY], "magento_auth_state": "absent"},
            {"entries": [{"users": ["deploy"]}], "given": True, "idle": False},
        ),
        (
            {"magento_auth_keys": [ENTRY], "magento_auth_state": None, "magento_series": SERIES, **REGISTERED},
            {"entries": [{"users": ["deploy"], **PAIR}], "given": True, "idle": False},
        ),
        (
            {
                "magento_auth_series": "web", "magento_series": {"prefix": "web"}, "magento_revoke_replacement": PAIR,
                "hostvars": {"localhost": {"magento_rotation_plan": REVOKED}},
            },
            {**PAIR, "entries": [REMOVED], "given": True, "idle": False},
        ),
    ],
)  # fmt: skip
def test_the_keys_are_those_of_the_variables(variables: Dict[str, Any], expected: Dict[str, Any]) -> None:
    assert series_keys(**variables) == expected


def test_a_new_key_has_no_pair_in_check_mode() -> None:
    new = {"magento_auth_series": "web", "magento_series": {"prefix": "web"}, "hostvars": {"localhost": {}}}
    assert series_keys(check_mode=True, **new) == {"given": True, "idle": True}
    with pytest.raises(AnsibleFilterError, match="has not fetched the pair"):
        series_keys(**new)


def test_an_unresolved_series_is_a_filter_error() -> None:
    with pytest.raises(AnsibleFilterError, match="magento_series, which is not set"):
        series_keys(magento_auth_keys=[ENTRY])
