# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_auth_key_info through main(): entries, precedence and verdicts, without secrets and without writing."""

from __future__ import annotations

import base64
import grp
import hashlib
import json
import os
import pwd
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import REREAD_SECONDS, STEP
from ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key_info import main
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    CA,
    Exchange,
    Loopback,
    fake_key,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import Time
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

HOST, VENDOR = "repo.magento.com", "repo.vendor.example"
PUBLIC, PRIVATE = fake_key("public"), fake_key("private")
BAD, BAD_PRIVATE = fake_key("bad"), fake_key("bad private")
PASSWORD, TOKEN = "a password that somebody chose", "a bearer token"
SECRETS = (PRIVATE, BAD_PRIVATE, PASSWORD, TOKEN)
FINGERPRINT = "sha256:" + hashlib.sha256(PRIVATE.encode()).hexdigest()[:12]
OWNER = pwd.getpwuid(os.geteuid()).pw_name
MAGENTO = {HOST: {"username": PUBLIC, "password": PRIVATE}}


def run(options: Dict[str, Any], check_mode: bool = False) -> ModuleResult:
    answer = run_module(main, options, check_mode=check_mode)
    for secret in SECRETS:
        assert secret not in answer.text, answer.text
    assert answer.result.get("changed", False) is False, answer.result
    return answer


def write(path: Path, content: Any, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def facts(directory: Path) -> List[Any]:
    found = []
    for path in sorted(directory.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) and info.st_mode & 0o400 else b""
        found.append((path, content, info.st_mode, info.st_ino, info.st_mtime_ns))
    return found


def paths(answer: ModuleResult) -> List[str]:
    return [row["path"] for row in answer.result["files"]]


def codes(answer: ModuleResult) -> List[Any]:
    return [(problem["code"], problem["path"]) for problem in answer.result["problems"]]


@pytest.mark.parametrize("check_mode", [False, True])
def test_entries_and_facts_of_a_file(check_mode: bool, tmp_path: Path) -> None:
    content = {
        "http-basic": {**MAGENTO, VENDOR: {"username": "token", "password": PASSWORD}},
        "bearer": {"h.example": TOKEN},
        "gitlab-token": {"gitlab.com": {"username": "u", "token": TOKEN}},
    }
    path = write(tmp_path / "shared" / "auth.json", content, 0o640)
    (tmp_path / "auth.json").symlink_to(path)
    before = facts(tmp_path)
    answer = run({"paths": [str(tmp_path / "auth.json")]}, check_mode)
    assert facts(tmp_path) == before
    (row,) = answer.result["files"]
    shown = row.pop("entries")
    assert row == {
        "path": str(tmp_path / "auth.json"),
        "real_path": os.path.realpath(str(path)),
        "exists": True,
        "owner": OWNER,
        "group": grp.getgrgid(path.stat().st_gid).gr_name,
        "mode": "0640",
    }, answer.result
    assert [(e["section"], e["repository"], e["public_key"], e["fingerprint"]) for e in shown] == [
        ("gitlab-token", "gitlab.com", "u", "set"),
        ("http-basic", HOST, PUBLIC, FINGERPRINT),
        ("http-basic", VENDOR, "token", "set"),
        ("bearer", "h.example", None, "set"),
    ], answer.result
    assert (answer.result["problems"], answer.result["verdicts"]) == ([], []), answer.result


def test_missing_files(tmp_path: Path) -> None:
    answer = run({"paths": [f"{tmp_path}/auth.json", f"{tmp_path}/no/auth.json"], "projects": str(tmp_path)})
    assert [(row["exists"], row["owner"], row["mode"], row["entries"]) for row in answer.result["files"]] == [
        (False, None, None, []), (False, None, None, []),
    ], answer.result  # fmt: skip
    assert not answer.code and answer.result["effective"] == [], answer.result


PROBLEMS = [
    ("", 0o600, "malformed_file"),
    ('{"http-basic": {"h": "a password that somebody chose"}}', 0o600, "malformed_file"),
    ({"http-basic": MAGENTO}, 0o644, "readable_by_others"),
    ({"http-basic": MAGENTO}, 0o602, "readable_by_others"),
]


def test_all_problems_are_reported_after_one_waiting_time(tmp_path: Path) -> None:
    expected = []
    for number in range(12):
        content, mode, code = PROBLEMS[number % len(PROBLEMS)]
        expected.append((code, str(write(tmp_path / str(number) / "auth.json", content, mode))))
    directory = tmp_path / "directory" / "auth.json"
    directory.mkdir(parents=True)
    good = write(tmp_path / "good" / "auth.json", "{}")
    before = facts(tmp_path)
    clock = Time()
    with clock:
        answer = run({"paths": [path for _code, path in expected] + [str(directory), str(good)]})
    assert REREAD_SECONDS <= clock.now < REREAD_SECONDS + 2 * STEP
    assert codes(answer) == [*expected, ("not_a_file", str(directory))], answer.result
    assert [row["path"] for row in answer.result["files"]] == [path for _code, path in expected] + [str(good)]
    assert not answer.code and facts(tmp_path) == before, answer.result


def test_a_file_that_is_completed_in_time_is_no_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.json", '{"http-basic"')
    writer = threading.Timer(0.3, lambda: write(path, {"http-basic": MAGENTO}))
    writer.start()
    answer = run({"paths": [str(path)]})
    writer.join()
    assert codes(answer) == [], answer.result
    assert [entry["public_key"] for entry in answer.result["files"][0]["entries"]] == [PUBLIC], answer.result


# Search


def test_search_skips_third_party_code_and_linked_directories(tmp_path: Path) -> None:
    found = [
        write(tmp_path / directory / "auth.json", {})
        for directory in (".", "a", "a/b/.hidden", "releases/1", "vendors", "backup of vendor")
    ]
    for directory in ("vendor/x", "a/vendor", "a/node_modules/y", ".git", "a/b/.git/z"):
        write(tmp_path / directory / "auth.json", {})
    write(tmp_path / "a" / "auth.json.bak", {})
    outside = write(tmp_path.parent / f"{tmp_path.name}-outside" / "auth.json", {})
    (tmp_path / "linked").symlink_to(outside.parent)
    # Deployment tools link the file itself.
    (tmp_path / "releases" / "2").mkdir()
    (tmp_path / "releases" / "2" / "auth.json").symlink_to(outside)
    found.append(tmp_path / "releases" / "2" / "auth.json")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "auth.json").symlink_to("nowhere")
    answer = run({"search": [str(tmp_path)]})
    assert sorted(paths(answer)) == sorted(map(str, found)), answer.result
    assert codes(answer) == [], answer.result


def test_search_of_a_missing_directory(tmp_path: Path) -> None:
    answer = run({"search": [str(tmp_path / "no")]})
    assert codes(answer) == [("no_directory", str(tmp_path / "no"))] and not answer.code, answer.result


# Which entry wins


def effective(answer: ModuleResult) -> List[Any]:
    names = ("project", "repository", "section", "public_key", "path", "reason")
    return [tuple(row[name] for name in names) for row in answer.result["effective"]]


def test_the_entry_that_wins_in_a_project_and_why(tmp_path: Path) -> None:
    vendor = {VENDOR: {"username": "token", "password": PASSWORD}}
    other = {"username": "other", "password": PASSWORD}
    write(tmp_path / "composer.json", {"config": {"http-basic": {**vendor, HOST: other}, "bearer": {VENDOR: TOKEN}}})
    path = write(tmp_path / "auth.json", {"http-basic": MAGENTO})
    write(tmp_path / "var" / "composer_home" / "auth.json", {"http-basic": vendor})
    answer = run({"projects": [str(tmp_path)]})
    assert paths(answer) == [str(path), str(tmp_path / "var" / "composer_home" / "auth.json")], answer.result
    json_path = str(tmp_path / "composer.json")
    assert effective(answer) == [
        (str(tmp_path), VENDOR, "bearer", None, json_path, "bearer overrides http-basic"),
        (str(tmp_path), HOST, "http-basic", PUBLIC, str(path),
         "the project's auth.json overrides the project's composer.json"),
    ], answer.result  # fmt: skip
    assert {row["user"] for row in answer.result["effective"]} == {None}, answer.result
    assert answer.result["effective"][1]["fingerprint"] == FINGERPRINT, answer.result


# Verdicts of the repository


@pytest.fixture(name="server")
def _server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def answer(exchange: Exchange) -> None:
        good = base64.b64encode(f"{PUBLIC}:{PRIVATE}".encode()).decode()
        status = 200 if good in exchange.headers.get("authorization", "") else 401
        exchange.json('{"packages": {"v/p": {"1.0.0": {}}}}' if status == 200 else "{}", status=status)

    with Loopback(answer) as server:
        yield server


def test_a_given_pair_is_verified_and_no_file_is_read(server: Loopback, tmp_path: Path) -> None:
    pair = {"public_key": PUBLIC, "private_key": PRIVATE, "url": server.url, "ca_path": CA}
    answer = run({**pair, "packages": ["v/p", "v/absent"]})
    (verdict,) = answer.result["verdicts"]
    assert (verdict["status"], verdict["public_key"]) == ("not_entitled", PUBLIC), answer.result
    assert verdict["packages"] == {"v/p": "listed", "v/absent": "absent"}, answer.result
    assert answer.result["files"] == [] and not answer.code, answer.result
    answer = run({**pair, "fail_on": ["invalid"]})
    assert [row["status"] for row in answer.result["verdicts"]] == ["valid"], answer.result
    assert len(server.requests) == 2


def test_with_a_given_pair_the_files_are_read_but_their_entries_are_not_verified(
    server: Loopback, tmp_path: Path
) -> None:
    entries = {server.netloc: {"username": BAD, "password": BAD_PRIVATE}}
    path = write(tmp_path / "auth.json", {"http-basic": entries})
    pair = {"public_key": PUBLIC, "private_key": PRIVATE, "url": server.url, "ca_path": CA}
    answer = run({**pair, "paths": [str(path)], "verify": "always"})
    assert [(row["public_key"], row["status"]) for row in answer.result["verdicts"]] == [(PUBLIC, "valid")]
    assert [row["public_key"] for row in answer.result["files"][0]["entries"]] == [BAD], answer.result
    assert len(server.requests) == 1


@pytest.mark.parametrize(("fail_on", "code"), [([], ""), (["unknown"], ""), (["unknown", "invalid"], "keys_invalid")])
def test_a_bad_pair_fails_only_with_fail_on(fail_on: List[str], code: str, server: Loopback) -> None:
    pair = {"public_key": BAD, "private_key": BAD_PRIVATE, "url": server.url, "ca_path": CA}
    answer = run({**pair, **({"fail_on": fail_on} if fail_on else {})})
    assert answer.code == code, answer.result
    assert [row["status"] for row in answer.result["verdicts"]] == ["invalid"], answer.result


def test_every_pair_in_the_files_is_verified_once(server: Loopback, tmp_path: Path) -> None:
    entries = {
        HOST: {"username": PUBLIC, "password": PRIVATE},
        server.netloc: {"username": BAD, "password": BAD_PRIVATE},
        # Composer reads these entries, but they cannot be verified.
        "nobody.example": {"username": "", "password": PASSWORD},
        "h/x": {"username": "u", "password": PASSWORD},
    }
    for directory in ("one", "two"):
        write(tmp_path / directory / "auth.json", {"http-basic": entries, "bearer": {"h.example": TOKEN}})
    options = {"search": [str(tmp_path)], "url": server.url, "ca_path": CA, "packages": ["v/p"]}
    assert run(options).result["verdicts"] == []
    assert not server.requests
    answer = run({**options, "verify": "always"})
    assert [(row["repository"], row["status"], row["code"]) for row in answer.result["verdicts"]] == [
        (HOST, "valid", "keys_valid"),
        (server.netloc, "invalid", "keys_invalid"),
        ("nobody.example", "not_checked", "not_asked"),
        ("h/x", "not_checked", "not_asked"),
    ], answer.result
    assert [row["packages"] for row in answer.result["verdicts"][:2]] == [{"v/p": "listed"}, {}], answer.result
    assert len(server.requests) == 2
    failed = run({**options, "verify": "always", "fail_on": ["invalid"]})
    assert failed.code == "keys_invalid", failed.result
    begin = f"{tmp_path}/one/auth.json: public key {BAD} at {server.netloc}: "
    assert failed.result["msg"].startswith(begin), failed.result
    assert (failed.result["files"], failed.result["verdicts"]) == (answer.result["files"], answer.result["verdicts"])


# Options


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"public_key": PUBLIC}, "bad_options"),
        ({"private_key": PRIVATE}, "bad_options"),
        # fail_on would have no effect.
        ({"fail_on": ["invalid"]}, "bad_options"),
        ({"public_key": PUBLIC, "private_key": PUBLIC}, "bad_key"),
        ({"public_key": PUBLIC, "private_key": 12345678901234567890}, "bad_key"),
        ({"public_key": "MAG001234567", "private_key": PRIVATE}, "bad_key"),
        ({"repository": "", "paths": ["/auth.json"]}, "bad_options"),
        ({"repository": "https://h/", "public_key": PUBLIC, "private_key": PRIVATE}, "bad_options"),
        ({"users": []}, "bad_options"),
        ({"projects": ["shop"]}, "bad_options"),
        ({"paths": ["/a/../b"]}, "bad_options"),
        ({"search": ["."]}, "bad_options"),
        ({"search": []}, "bad_options"),
        ({"paths": ["/auth.json"], "url": "http://h/", "verify": "always"}, "bad_options"),
        ({"paths": ["/auth.json"], "packages": ["x"]}, "bad_options"),
        ({"paths": ["/auth.json"], "timeout": -1}, "bad_options"),
    ],
    ids=repr,
)
def test_options_that_are_refused(options: Dict[str, Any], code: str) -> None:
    answer = run(options)
    assert answer.code == code, answer.result
    assert (answer.result["files"], answer.result["verdicts"]) == ([], []), answer.result


def test_unknown_users_are_a_problem_but_no_failure(tmp_path: Path) -> None:
    answer = run({"users": ["no-such-user-of-keyfleet"], "paths": [str(tmp_path / "auth.json")]})
    assert codes(answer) == [("unknown_user", None)] and not answer.code, answer.result


# Hostile files

TOKEN_AS_USER = "ghp_" + "a1" * 18


def test_thousands_of_entries_are_reported_once_each(tmp_path: Path) -> None:
    hosts = {f"h{number}.example": {"username": "u", "password": "p"} for number in range(8000)}
    projects = [str(tmp_path / str(number)) for number in range(2)]
    for project in projects:
        write(Path(project) / "auth.json", {"http-basic": hosts})
    answer = run({"projects": projects})
    assert [len(row["entries"]) for row in answer.result["files"]] == [8000, 8000]
    assert [row["repository"] for row in answer.result["effective"]] == [*hosts, *hosts]


def test_the_number_of_verified_pairs_is_limited_and_every_file_is_considered(server: Loopback, tmp_path: Path) -> None:
    many = write(tmp_path / "a" / "auth.json", {
        "http-basic": {server.netloc: {"username": "first", "password": "p"},
                       **{f"127.0.1.{n}:1": {"username": f"u{n}", "password": "p"} for n in range(150)}},
    })  # fmt: skip
    write(tmp_path / "b" / "auth.json", {"http-basic": MAGENTO})
    answer = run({"search": [str(tmp_path)], "verify": "always", "url": server.url, "ca_path": CA, "timeout": 5})
    verdicts = answer.result["verdicts"]
    assert len(verdicts) == 152 and verdicts[-1]["status"] == "valid", (many, verdicts[-1])
    assert sum(row["code"] == "not_asked" for row in verdicts) == 52
    assert {row["status"] for row in verdicts if row["code"] == "not_asked"} == {"not_checked"}
    assert codes(answer) == [("not_all_asked", None)], answer.result
    assert "52 of 152" in answer.result["problems"][0]["message"]


def test_deeply_nested_directories(tmp_path: Path) -> None:
    here = os.open(str(tmp_path), os.O_RDONLY)
    for _level in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    os.symlink("itself", str(tmp_path / "itself"))
    write(tmp_path / "auth.json", {})
    try:
        answer = run({"search": [str(tmp_path)]})
    finally:
        # pytest cannot remove such a tree.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
    assert paths(answer) == [str(tmp_path / "auth.json")], answer.result
    ((code, where),) = codes(answer)
    assert code == "read_failed" and where.startswith(f"{tmp_path}/d/d/"), answer.result


def test_control_characters_of_files_and_paths_are_not_returned(tmp_path: Path) -> None:
    hostile = "h\x1b[31m\x9b\u202e\u200b\ud83d.example"
    project = tmp_path / "a\x1b[31m\n\u202eb"
    user = "u\x7f\u2028"
    write(
        project / "auth.json",
        {"http-basic": {hostile.replace("\ud83d", ""): {"username": user, "password": PASSWORD}}},
        0o644,
    )
    write(tmp_path / "c" / "auth.json", {"http-basic": {hostile: {"username": user, "password": PASSWORD}}})
    write(tmp_path / "d" / "auth.json", {"http-basic": {hostile.replace("\ud83d", ""): PASSWORD}})
    answer = run({"search": [str(tmp_path)], "projects": [str(project)], "verify": "always"})
    assert sorted({code for code, _path in codes(answer)}) == ["malformed_file", "readable_by_others"], answer.result
    text = json.dumps(answer.result, ensure_ascii=False)
    assert text.isprintable() and "\\u00" not in text, text


def test_a_token_used_as_user_name_is_not_shown(tmp_path: Path) -> None:
    entry = {"username": TOKEN_AS_USER, "password": "x-oauth-basic"}
    write(tmp_path / "auth.json", {"http-basic": {"h/x": entry}, "bitbucket-oauth": {
        "bitbucket.org": {"consumer-key": TOKEN_AS_USER, "consumer-secret": PASSWORD}}})  # fmt: skip
    answer = run({"projects": [str(tmp_path)], "verify": "always"})
    assert TOKEN_AS_USER not in answer.text, answer.text
    rows = [*answer.result["files"][0]["entries"], *answer.result["effective"], *answer.result["verdicts"]]
    assert [row["public_key"] for row in rows] == ["set"] * 5, answer.result
