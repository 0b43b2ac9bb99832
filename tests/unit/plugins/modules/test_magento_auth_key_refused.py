# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_auth_key through main(): options and files that it refuses without writing anything."""

from __future__ import annotations

import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any, Dict, List

import pytest

from ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key import main
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import fake_key
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import Time
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

PUBLIC, PRIVATE, SECRET = fake_key("public"), fake_key("private"), fake_key("secret of another entry")
PAIR = {"public_key": PUBLIC, "private_key": PRIVATE}
GOOD = '{"http-basic": {}}'
MISSING_USER = "no-such-user-of-keyfleet"


def facts(directory: Path) -> Dict[str, Any]:
    found = {}
    for path in sorted(directory.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(path)] = (content, info.st_mode, info.st_ino, info.st_mtime_ns)
    return found


def refused(code: str, options: Dict[str, Any], tmp_path: Path, check_mode: bool = False) -> ModuleResult:
    """Run the module, which must fail with ``code`` and change nothing below the directory."""
    before = facts(tmp_path)
    answer = run_module(main, {"verify": "never", **options}, check_mode=check_mode)
    assert answer.code == code, answer.result
    assert answer.result["changed"] is False, answer.result
    assert facts(tmp_path) == before, answer.result
    for secret in (PRIVATE, SECRET):
        assert secret not in answer.text, answer.text
    return answer


# Keys


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("half", "value"),
    [
        ("public_key", PUBLIC.upper()),
        ("private_key", PRIVATE[:-1] + "Q"),
        ("private_key", fake_key("half")[:31]),
        ("private_key", PUBLIC),
        ("public_key", "owner.of.it@shop.example"),
        ("public_key", "MAG001234567"),
        ("private_key", "<your private key>"),
        ("private_key", "your_private_key_here"),
        ("private_key", "xxxxxxxxxxxxxxxx"),
        ("private_key", int("12345678" * 4)),
        ("public_key", 1.25e31),
        ("private_key", True),
        ("private_key", ""),
        ("private_key", [PRIVATE]),
    ],
)
def test_an_invalid_key_is_refused_before_any_file_is_written(
    half: str, value: Any, check_mode: bool, tmp_path: Path
) -> None:
    (tmp_path / "auth.json").write_text(GOOD)
    options = {"projects": [str(tmp_path)], **PAIR, half: value}
    answer = refused("bad_key", options, tmp_path, check_mode)
    assert half in answer.result["msg"], answer.result
    shown = json.dumps([answer.result["msg"], answer.result["problems"]])
    assert len(str(value)) < 5 or str(value) not in shown, answer.result
    assert [problem["code"] for problem in answer.result["problems"]] == ["bad_key"], answer.result


@pytest.mark.parametrize("value", ["hunter2 and more", fake_key("x").upper(), "owner@shop.example", "1234"])
def test_keys_of_other_hosts_may_be_any_text(value: str, tmp_path: Path) -> None:
    options = {"repository": "repo.vendor.example", "public_key": "token", "private_key": value}
    answer = run_module(main, {"projects": [str(tmp_path)], "verify": "never", **options})
    assert not answer.code, answer.result
    content = json.loads((tmp_path / "auth.json").read_text())
    assert content == {"http-basic": {"repo.vendor.example": {"username": "token", "password": value}}}


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"keys": []},
        {"keys": [{**PAIR, "users": []}]},
        {"keys": [{**PAIR, "repository": ""}]},
        {"keys": [{**PAIR, "projects": ["relative"]}]},
        {**PAIR, "repository": ""},
        {**PAIR, "repository": "https://repo.magento.com/"},
        {**PAIR, "url": "http://repo.magento.com/"},
        {**PAIR, "packages": ["magento"]},
        {**PAIR, "packages": []},
        {**PAIR, "users": []},
        {**PAIR, "users": ""},
        {**PAIR, "users": "root,,root"},
        {**PAIR, "projects": ["shop"]},
        {**PAIR, "projects": ["/srv/../etc"]},
        {**PAIR, "paths": ["auth.json"]},
        {**PAIR, "paths": ["/srv/a/../auth.json"]},
        {**PAIR, "mode": "0644"},
        {**PAIR, "mode": 600},
        {**PAIR, "mode": "rw"},
        {**PAIR, "timeout": 0},
        {"public_key": PUBLIC},
        {"private_key": PRIVATE},
        {},
    ],
    ids=repr,
)
def test_invalid_options_are_refused(options: Dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text(GOOD)
    refused("bad_options", {"paths": [str(tmp_path / "auth.json")], **options}, tmp_path)


@pytest.mark.parametrize(
    "flat",
    [
        {"public_key": fake_key("another")},
        {"private_key": PRIVATE},
        {"repository": "h.example"},
        {"url": "https://h.example/"},
        {"packages": ["a/b"]},
    ],
    ids=repr,
)
def test_an_incomplete_key_beside_the_list_is_refused(flat: Dict[str, Any], tmp_path: Path) -> None:
    refused("bad_options", {"keys": [PAIR], "projects": [str(tmp_path)], **flat}, tmp_path)
    if "public_key" not in flat:
        # Without a public half it would remove any key.
        absent = {"keys": [{"repository": "h.example"}], "state": "absent", "projects": [str(tmp_path)]}
        (tmp_path / "auth.json").write_text(GOOD)
        refused("bad_options", {**absent, **flat}, tmp_path)


def test_a_key_beside_the_list_is_added(tmp_path: Path) -> None:
    flat = {"repository": "h.example", "public_key": "token", "private_key": "made up"}
    answer = run_module(main, {"keys": [PAIR], "projects": [str(tmp_path)], "verify": "never", **flat})
    assert not answer.code, answer.result
    assert [row["repository"] for row in answer.result["files"]] == ["repo.magento.com", "h.example"], answer.result


@pytest.mark.parametrize(
    "keys",
    [
        [PAIR, {**PAIR, "public_key": fake_key("another")}],
        [PAIR, {"state": "absent"}],
        [{**PAIR, "projects": ["LINK"]}, {**PAIR, "private_key": fake_key("another"), "projects": ["SHOP"]}],
    ],
)
def test_two_keys_for_one_entry_are_refused(keys: List[Dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(".")
    names = {"SHOP": str(tmp_path), "LINK": str(tmp_path / "link")}
    listed = [{**key, "projects": [names[p] for p in key.get("projects", ["SHOP"])]} for key in keys]
    answer = refused("bad_options", {"keys": listed}, tmp_path)
    assert "two different keys for repo.magento.com" in answer.result["msg"], answer.result
    named = ["keys[0]", "keys[1] at" if "state" in keys[1] else f"keys[1] {keys[1]['public_key']} at repo.magento.com"]
    assert all(name in answer.result["msg"] for name in named), answer.result


@pytest.mark.parametrize(("mode", "expected"), [("0600", 0o600), (0o600, 0o600), ("0640", 0o640), ("660", 0o660)])
def test_modes(mode: Any, expected: int, tmp_path: Path) -> None:
    answer = run_module(main, {**PAIR, "projects": [str(tmp_path)], "verify": "never", "mode": mode})
    assert not answer.code, answer.result
    assert stat.S_IMODE((tmp_path / "auth.json").stat().st_mode) == expected
    assert answer.result["files"][0]["after"]["mode"] == f"{expected:04o}", answer.result


@pytest.mark.parametrize("users", ["a,b", "a, b", ["a", "b"]])
def test_lists_may_be_separated_by_commas(users: Any) -> None:
    answer = run_module(main, {"users": users, "verify": "never", **PAIR}, check_mode=True)
    assert {row["path"] for row in answer.result["files"]} == {"~a/.composer/auth.json", "~b/.composer/auth.json"}


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
@pytest.mark.parametrize("check_mode", [False, True])
def test_root_must_name_a_target(check_mode: bool, tmp_path: Path) -> None:
    answer = refused("no_target", PAIR, tmp_path, check_mode)
    assert "users" in answer.result["msg"], answer.result


# Missing users, groups and directories


def test_check_mode_predicts_the_file_of_a_missing_user(tmp_path: Path) -> None:
    vendor = {"repository": "repo.vendor.example", "public_key": "token", "private_key": "hunter2"}
    options = {"keys": [PAIR, vendor, {"repository": "h.example", "state": "absent"}], "users": [MISSING_USER]}
    answer = run_module(main, {"verify": "never", **options}, check_mode=True)
    assert answer.result["changed"] is True, answer.result
    path = f"~{MISSING_USER}/.composer/auth.json"
    assert {(row["path"], row["action"]) for row in answer.result["files"]} == {(path, "created")}, answer.result
    after = answer.result["files"][0]["after"]
    expected = {"public_key": PUBLIC, "owner": MISSING_USER, "mode": "0600"}
    assert {name: after[name] for name in expected} == expected, answer.result
    assert [problem["code"] for problem in answer.result["problems"]] == ["unknown_user"], answer.result
    (diff,) = answer.result["diff"]
    assert "repo.vendor.example" in diff["after"] and "hunter2" not in answer.text, answer.text
    refused("unknown_user", options, tmp_path)


@pytest.mark.parametrize("option", ["owner", "group"])
def test_check_mode_only_reports_a_missing_owner(option: str, tmp_path: Path) -> None:
    options = {**PAIR, "projects": [str(tmp_path)], option: MISSING_USER}
    code = "unknown_user" if option == "owner" else "unknown_group"
    predicted = run_module(main, {"verify": "never", **options}, check_mode=True)
    assert [problem["code"] for problem in predicted.result["problems"]] == [code], predicted.result
    refused(code, options, tmp_path)


def test_check_mode_predicts_the_file_of_a_missing_project(tmp_path: Path) -> None:
    options = {**PAIR, "projects": [str(tmp_path / "shop"), str(tmp_path)], "verify": "never"}
    predicted = run_module(main, options, check_mode=True)
    answer = refused("no_directory", options, tmp_path)
    assert str(tmp_path / "shop") in answer.result["msg"], answer.result
    (tmp_path / "shop").mkdir()
    real = run_module(main, options)
    for name in ("changed", "files", "diff", "problems"):
        assert predicted.result[name] == real.result[name], (name, predicted.result, real.result)


def test_the_current_user_may_be_the_owner(tmp_path: Path) -> None:
    name = pwd.getpwuid(os.geteuid()).pw_name
    answer = run_module(main, {**PAIR, "projects": [str(tmp_path)], "owner": name, "verify": "never"})
    assert answer.result["files"][0]["owner"] == name, answer.result


# Files that Composer cannot use


MALFORMED = [
    (b"", "empty"),
    (b" \n", "empty"),
    (b'{"http-basic": {},}', "not JSON"),
    (b"{} // a comment", "not JSON"),
    (b'{"a": NaN}', "NaN"),
    ("{}".encode("utf-16"), "not UTF-8"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (b'{"a": "\xff"}', "not UTF-8"),
    (b'{"a": "\\ud800"}', "surrogate"),
    (b"[" * 513 + b"]" * 513, "levels deep"),
    (b"[]", "top level"),
    (b'"text"', "top level"),
    (b'{"http-basic": null}', "object"),
    (b'{"http-basic": ""}', "object"),
    (b'{"http-basic": false}', "object"),
    (b'{"http-basic": {"other.example": {"username": "u"}}}', "password"),
    (b'{"http-basic": {"other.example": null}}', "object"),
    (b'{"http-basic": {"other.example": "u:p"}}', "object"),
    (b'{"http-basic": {"other.example": ["u", "p"]}}', "object"),
    (b'{"http-basic": {"h": {"username": 1, "password": "p"}}}', "not text"),
    (b'{"http-basic": {"h": {"username": "u", "password": true}}}', "not text"),
    (b'{"http-basic": {"1234": {"username": "u", "password": "p"}}}', "digits"),
    (b'{"http-basic": {}, "http-basic": {}}', "duplicate"),
]


def test_all_malformed_files_are_reported_and_nothing_is_written(tmp_path: Path) -> None:
    paths = []
    for number, (content, _reason) in enumerate(MALFORMED):
        paths.append(tmp_path / str(number) / "auth.json")
        paths[-1].parent.mkdir()
        paths[-1].write_bytes(content)
    good = tmp_path / "auth.json"
    good.write_text(GOOD)
    options = {**PAIR, "paths": [str(good)] + [str(path) for path in paths]}
    answer = refused("malformed_file", options, tmp_path)
    problems = answer.result["problems"]
    assert [problem["path"] for problem in problems] == [str(path) for path in paths], answer.result
    for (content, reason), problem in zip(MALFORMED, problems):
        assert (problem["code"], reason in problem["message"]) == ("malformed_file", True), (content, problem)
        assert problem["path"] in problem["message"] and problem["message"] in answer.result["msg"] + ".", problem


def test_a_malformed_file_is_replaced_only_with_the_option(tmp_path: Path) -> None:
    malformed = tmp_path / "auth.json"
    malformed.write_text(f'{{"http-basic": {{"h": "{SECRET}"}}}}')
    answer = run_module(main, {**PAIR, "projects": [str(tmp_path)], "malformed": "replace", "verify": "never"})
    assert SECRET not in answer.text, answer.text
    assert not answer.code, answer.result
    expected = {"http-basic": {"repo.magento.com": {"username": PUBLIC, "password": PRIVATE}}}
    assert json.loads(malformed.read_text()) == expected, answer.result


def test_a_file_that_is_completed_in_time_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_bytes(b"")
    whole = '{"http-basic": {"h.example": {"username": "u", "password": "p"}}}'

    def finish(now: float) -> None:
        if now >= 0.4 and not path.stat().st_size:
            path.write_text(whole)

    with Time(finish):
        answer = run_module(main, {**PAIR, "projects": [str(tmp_path)], "malformed": "replace", "verify": "never"})
    assert not answer.code, answer.result
    assert list(json.loads(path.read_text())["http-basic"]) == ["h.example", "repo.magento.com"], answer.result
