# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that prevent Composer from using an installed key, and how often they are reported."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from system.auth_key.lab import CLASSIC, HOST, OLD, OTHER, PAIR, PRIVATE, PUBLIC, auth, converges, install, put
from system.files.lab import Account

pytestmark = pytest.mark.needs("root", "useradd")
FILE = f"{CLASSIC}/auth.json"


def codes(result: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in result["problems"]]


def project(where: Path, **files: Any) -> str:
    where.mkdir(exist_ok=True)
    for name, content in files.items():
        (where / f"{name}.json").write_text(json.dumps(content))
        (where / f"{name}.json").chmod(0o600)
    return str(where)


ENTRY = {HOST: {"username": OTHER, "password": OLD}}
SAME = {HOST: {"username": PUBLIC, "password": PRIVATE}}


@pytest.mark.parametrize(
    ("mine", "config", "shop", "expected"),
    [
        ({}, {}, {}, []),
        ({"bearer": {HOST: "t"}}, {}, {}, ["bearer_wins"]),
        ({"custom-headers": {HOST: ["A: b"]}}, {}, {}, ["another_source_wins"]),
        ({}, {"bearer": {HOST: "t"}}, {}, ["bearer_wins"]),
        ({}, {"http-basic": ENTRY}, {}, []),
        ({}, {}, {"auth": {"http-basic": ENTRY}}, ["another_source_wins"]),
        ({}, {}, {"auth": {"http-basic": SAME}}, []),
        ({}, {}, {"auth": {"bearer": {HOST: "t"}}}, ["bearer_wins"]),
        ({}, {}, {"composer": {"config": {"http-basic": ENTRY}}}, ["another_source_wins"]),
        ({}, {}, {"composer": {"config": {"http-basic": {"h": ENTRY[HOST]}}}}, []),
    ],
)
def test_sources_that_win_over_the_key_of_a_user(
    mine: dict[str, Any],
    config: dict[str, Any],
    shop: dict[str, Any],
    expected: list[str],
    deploy: Account,
    lab: Path,
) -> None:
    put(deploy, FILE, json.dumps(mine))
    put(deploy, f"{CLASSIC}/config.json", json.dumps({"config": config}))
    path = project(lab / "shop", **shop)
    # A key for another repository makes the project a target of the same run.
    vendor = {"repository": "v.example", "public_key": "u", "private_key": "chosen", "projects": [path]}
    options = {"keys": [{**PAIR, "users": [deploy.name]}, vendor]}
    first = install(options)
    assert sorted(set(codes(first.result))) == expected, first.result
    assert len(first.warnings()) == len(first.result["problems"]), first.result
    again = install(options)
    assert again.result["problems"] == first.result["problems"], again.result
    assert (again.result["changed"], again.warnings()) == (False, []), again.result


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"composer": {"config": {"http-basic": ENTRY}}}, []),
        ({"composer": {"config": {"bearer": {HOST: "t"}}}}, ["bearer_wins"]),
        ({"auth": {"bearer": {HOST: "t"}}}, ["bearer_wins"]),
        ({"auth": {"client-certificate": {HOST: {}}}}, ["another_source_wins"]),
    ],
)
def test_sources_that_win_over_the_key_of_a_project(files: dict[str, Any], expected: list[str], lab: Path) -> None:
    answer = converges({**PAIR, "projects": [project(lab / "shop", **files)]}, lab)
    assert codes(answer.result) == expected, answer.result


def test_bearer_wins_in_explicit_files_and_in_var_composer_home(lab: Path) -> None:
    path = project(lab / "shop")
    home = lab / "shop" / "var" / "composer_home"
    home.mkdir(parents=True)
    for file in (lab / "auth.json", home / "auth.json"):
        file.write_text(json.dumps({"bearer": {HOST: "t"}}))
    answer = install({**PAIR, "projects": [path], "paths": [str(lab / "auth.json")]})
    assert {(problem["code"], problem["path"]) for problem in answer.result["problems"]} == {
        ("bearer_wins", str(lab / "auth.json")), ("bearer_wins", str(home / "auth.json")),
        *(("readable_by_others", str(file)) for file in (lab / "auth.json", home / "auth.json")),
    }, answer.result  # fmt: skip


def test_key_of_a_project_is_no_problem_for_the_key_of_a_user(deploy: Account, lab: Path) -> None:
    own = {"public_key": OTHER, "private_key": OLD, "projects": [project(lab / "shop")]}
    answer = install({"keys": [{**PAIR, "users": [deploy.name]}, own]})
    assert answer.result["changed"] and answer.result["problems"] == [], answer.result


def test_world_readable_file_is_reported_once(deploy: Account) -> None:
    put(deploy, FILE, auth(), 0o644)
    answer = install({**PAIR, "users": [deploy.name]})
    assert codes(answer.result) == ["readable_by_others"] and len(answer.warnings()) == 1, answer.result
    answer = install({**PAIR, "users": [deploy.name]})
    assert codes(answer.result) == [] and answer.warnings() == [], answer.result
    assert os.stat(deploy.home / FILE).st_mode & 0o077 == 0


def test_removal_reports_no_other_source(deploy: Account, lab: Path) -> None:
    content = {"bearer": {HOST: "t"}, "http-basic": ENTRY}
    put(deploy, FILE, json.dumps(content))
    options = {"users": [deploy.name], "projects": [project(lab / "shop", auth=content)], "state": "absent"}
    answer = converges(options, lab)
    assert answer.result["changed"] and answer.result["problems"] == [] and answer.warnings() == [], answer.result
