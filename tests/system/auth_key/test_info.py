# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on the keys of real accounts, and its effective keys compared with the real Composer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import home
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import CA, Exchange, Loopback
from simulator.client import Simulator
from system.auth_key.lab import (
    CLASSIC,
    HOST,
    OLD,
    OTHER,
    PAIR,
    PRIVATE,
    PUBLIC,
    XDG,
    as_account,
    auth,
    composer,
    info,
    install,
    put,
    state_of,
)
from system.files.lab import Account, Accounts, give

pytestmark = pytest.mark.needs("root", "useradd")
FILE = f"{CLASSIC}/auth.json"


@pytest.fixture(autouse=True)
def xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent of /etc/xdg on this machine."""
    monkeypatch.setattr(home, "XDG_DIRECTORY", "/")


def codes(result: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(problem["code"], problem["path"]) for problem in result["problems"]]


# The order of the user's config.json and auth.json and the project's files, compared with Composer.

NAMES = ("config", "home", "composer", "project")


def entry(name: str) -> dict[str, Any]:
    return {"http-basic": {HOST: {"username": name, "password": "made up"}}}


@pytest.mark.needs("composer", "setpriv")
@pytest.mark.parametrize(
    ("there", "alone", "in_project", "reason"),
    [
        (("home",), "home", "home", "only the user's auth.json has an entry"),
        (("config",), "config", "config", "only the user's config.json has an entry"),
        (("config", "home"), "home", "home", "the user's auth.json overrides the user's config.json"),
        (("home", "composer"), "home", "composer", "the project's composer.json overrides the user's auth.json"),
        (
            NAMES,
            "home",
            "project",
            "the project's auth.json overrides the user's config.json and the user's auth.json and the project's "
            "composer.json",
        ),
        (("project",), None, "project", "only the project's auth.json has an entry"),
    ],
)
def test_composer_agrees_on_the_winner(
    there: tuple[str, ...], alone: str | None, in_project: str, reason: str, deploy: Account
) -> None:
    shop = put(deploy, "shop")
    content = {name: entry(name) if name in there else {} for name in NAMES}
    put(deploy, f"{CLASSIC}/config.json", json.dumps({"config": content["config"]}))
    put(deploy, FILE, json.dumps(content["home"]))
    put(
        deploy,
        "shop/composer.json",
        json.dumps({"config": content["composer"], "repositories": {"packagist.org": False}}),
    )
    put(deploy, "shop/auth.json", json.dumps(content["project"]))
    before = state_of(deploy.home)
    result = info({"users": [deploy.name], "projects": [str(shop)]}).result
    assert state_of(deploy.home) == before
    rows = {row["project"]: row for row in result["effective"]}
    assert (rows.get(None, {}).get("public_key"), rows[str(shop)]["public_key"]) == (alone, in_project), result
    assert rows[str(shop)]["reason"] == reason, result
    output = composer(deploy, "config", f"http-basic.{HOST}", "--working-dir", str(shop), environ={})[0]
    assert json.loads(output)["username"] == in_project, result


def test_every_user_in_every_project(deploy: Account, accounts: Accounts, lab: Path) -> None:
    put(deploy, FILE, auth(OTHER, OLD))
    shops = []
    for name, content in (("one", auth(PUBLIC, PRIVATE)), ("two", "{}")):
        shop = give(lab / name, deploy, 0o755)
        give(shop / "auth.json", deploy, 0o600, content)
        shops.append(str(shop))
    users = [deploy.name, accounts.other.name]
    result = info({"users": users, "projects": shops}).result
    assert [(row["user"], row["project"], row["public_key"]) for row in result["effective"]] == [
        (deploy.name, None, OTHER),
        (deploy.name, shops[0], PUBLIC),
        (deploy.name, shops[1], OTHER),
        (accounts.other.name, shops[0], PUBLIC),
    ], result
    assert [(row["path"], row["exists"], row["owner"]) for row in result["files"]] == [
        (str(deploy.home / FILE), True, deploy.name),
        (str(accounts.other.home / FILE), False, None),
        (f"{shops[0]}/auth.json", True, deploy.name),
        (f"{shops[1]}/auth.json", True, deploy.name),
    ], result


# Problems


def test_problems_of_the_files_of_users(deploy: Account, accounts: Accounts, lab: Path) -> None:
    put(deploy, f"{XDG}/auth.json", auth(), 0o644)
    put(deploy, CLASSIC)
    give(deploy.home / FILE, None, 0o640, auth())
    os.chown(deploy.home / FILE, 0, deploy.gid)
    shop = give(lab / "shop", deploy, 0o755)
    give(shop / "auth.json", accounts.other, 0o600, auth())
    result = info({"users": [deploy.name, "no-such-user-of-keyfleet"], "projects": [str(shop)]}).result
    assert codes(result) == [
        ("unknown_user", None),
        ("two_homes", str(deploy.home / CLASSIC)),
        ("readable_by_others", str(deploy.home / XDG / "auth.json")),
        ("wrong_owner", str(deploy.home / FILE)),
        ("foreign_owner", str(shop / "auth.json")),
    ], result
    assert [row["path"] for row in result["files"]] == [str(deploy.home / f"{XDG}/auth.json"), str(deploy.home / FILE)]


def test_config_json_that_moves_the_home(deploy: Account) -> None:
    put(deploy, f"{CLASSIC}/config.json", json.dumps({"config": {"home": str(deploy.home / "moved")}}))
    put(deploy, "moved/auth.json", auth())
    result = info({"users": [deploy.name]}).result
    assert codes(result) == [("home_moved", str(deploy.home / CLASSIC / "config.json"))], result
    assert [row["public_key"] for row in result["effective"]] == [OTHER], result


# All users, and the current user


def test_all_users_are_those_with_a_file(deploy: Account, accounts: Accounts) -> None:
    put(deploy, FILE, auth())
    result = info({"all_users": True}).result
    paths = {row["path"] for row in result["files"]}
    assert str(deploy.home / FILE) in paths and str(accounts.other.home / FILE) not in paths, result
    assert all(row["exists"] for row in result["files"]), result
    assert (deploy.name, OTHER) in {(row["user"], row["public_key"]) for row in result["effective"]}, result
    # A user who is also named is listed once; a named user without a file is listed too.
    both = info({"all_users": True, "users": [deploy.name, accounts.other.name]}).result
    assert {row["path"] for row in both["files"]} == paths | {str(accounts.other.home / FILE)}, both
    assert len(both["files"]) == len(paths) + 1, both


def test_default_is_the_current_user(deploy: Account) -> None:
    put(deploy, "elsewhere/auth.json", auth())
    environ = {"HOME": str(deploy.home), "COMPOSER_HOME": str(deploy.home / "elsewhere")}
    result = as_account(deploy, lambda: info({}), environ).result
    assert [row["path"] for row in result["files"]] == [str(deploy.home / "elsewhere/auth.json")], result
    without = as_account(deploy, lambda: info({}), {"HOME": str(deploy.home)}).result
    assert [(row["path"], row["exists"]) for row in without["files"]] == [(str(deploy.home / FILE), False)], without
    # The environment does not apply to a named user.
    named = as_account(deploy, lambda: info({"users": [deploy.name]}), environ).result
    assert [row["path"] for row in named["files"]] == [str(deploy.home / FILE)], named


def test_file_that_the_current_user_cannot_read_is_a_problem(deploy: Account, accounts: Accounts) -> None:
    put(accounts.other, CLASSIC).chmod(0o700)
    give(accounts.other.home / FILE, accounts.other, 0o600, auth())
    try:
        result = as_account(deploy, lambda: info({"users": [accounts.other.name]}), {"HOME": str(deploy.home)}).result
    finally:
        (accounts.other.home / FILE).unlink()
        (accounts.other.home / CLASSIC).rmdir()
    assert "permission_denied" in {problem["code"] for problem in result["problems"]}, result
    assert result["files"] == [] and not result.get("failed"), result


# Verification of the keys that were found


def test_every_key_on_the_host_is_verified(deploy: Account, lab: Path, simulator: Simulator) -> None:
    good, bad = simulator.key("shop", "web"), simulator.key("shop", "old")
    put(deploy, FILE, auth(*good))
    shop = give(lab / "shop", deploy, 0o755)
    give(shop / "auth.json", deploy, 0o600, auth(*bad))
    for name in ("backup", "vendor"):
        give(lab / name, None, 0o755)
        give(lab / name / "auth.json", None, 0o600, auth(*bad))
    before = state_of(lab)
    options = {
        "users": [deploy.name],
        "projects": [str(shop)],
        "search": [str(lab)],
        "url": simulator.url,
        "ca_path": simulator.ca_path,
    }
    quiet = info(options)
    assert quiet.result["verdicts"] == [] and simulator.requests() == [], quiet.result
    answer = info({**options, "verify": "always"})
    assert {row["path"] for row in answer.result["files"]} == {
        str(deploy.home / FILE), str(shop / "auth.json"), str(lab / "backup" / "auth.json"),
    }, answer.result  # fmt: skip
    assert [(row["public_key"], row["status"]) for row in answer.result["verdicts"]] == [
        (good[0], "valid"), (bad[0], "invalid"),
    ], answer.result  # fmt: skip
    assert len(simulator.requests()) == 2
    assert good[1] not in answer.text and bad[1] not in answer.text
    failed = info({**options, "verify": "always", "fail_on": ["invalid"]})
    assert failed.code == "keys_invalid" and len(failed.result["verdicts"]) == 2, failed.result
    assert state_of(lab) == before


@pytest.mark.parametrize("said", [(1, 2), (2, 0)])
def test_server_message_shows_no_secret_of_another_pair(deploy: Account, lab: Path, said: tuple[int, int]) -> None:
    """Including a secret that the server knows from an earlier run, and a token that is stored as a user name."""
    pairs = [("ghp_made_up_token_of_forty_characters_ok", "x-oauth-basic"), ("f" * 32, "made-up-private-2")]
    secrets = [pairs[0][0], pairs[1][1], "none"]

    def answer(exchange: Exchange) -> None:
        exchange.reply(403, f"Others: {secrets[said[len(asked)]]}".encode(), Content_Type="text/plain")
        asked.append(exchange.path)

    asked: list[str] = []
    for number, pair in enumerate(pairs):
        give(lab / str(number), deploy, 0o755)
        give(lab / str(number) / "auth.json", deploy, 0o600, auth(*pair))
    paths = [str(lab / str(number) / "auth.json") for number in range(len(pairs))]
    with Loopback(answer) as server:
        found = info({"paths": paths, "url": server.url, "ca_path": CA, "verify": "always"})
    assert len(asked) == 2 and not any(secret in found.text for secret in secrets[:2]), found.result
    messages = [row["message"] for row in found.result["verdicts"]]
    assert ["Others: none" in message for message in messages] == [one == 2 for one in said], found.result
    assert ["Others" in message for message in messages] == [one == 2 for one in said], found.result


def test_unverified_pairs_of_a_user_take_no_memory(deploy: Account, lab: Path) -> None:
    """The secrets of all verified pairs are kept, to redact them from the server's messages."""
    entries = {f"h{number}.example": {"username": "u", "password": f"{number:0480}"} for number in range(7_000)}
    shop = give(lab / "shop", deploy, 0o755)
    give(shop / "auth.json", deploy, 0o600, json.dumps({"http-basic": entries}))
    script = (
        "import json, resource; "
        "from ansible_collections.keyfleet.magento.plugins.module_utils._repository import pairs as verify; "
        "from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key; "
        f"pairs = json.load(open({str(shop / 'auth.json')!r}))['http-basic']; "
        "keys = [Key(host, True, one['username'], one['password']) for host, one in pairs.items()]; "
        "questions = [verify.Question(key) for key in keys]; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; times = iter(range(0, 10**9, 1000)); "
        "verify.time.monotonic = lambda: next(times); "
        "options = {'validate_certs': True, 'ca_path': None, 'timeout': 1, 'use_proxy': False}; "
        "answers = verify.verify_pairs(questions, options, bounded=True); "
        "print(sum(one.left_out for one in answers), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    left_out, more = map(int, done.stdout.split())
    assert left_out == 7_000 and more < 60_000, (left_out, more)


def test_a_pair_is_checked_from_the_host(simulator: Simulator, deploy: Account) -> None:
    public, private = simulator.key("shop", "web")
    packages = ["magento/product-community-edition", "magento/product-enterprise-edition"]
    options = {"url": simulator.url, "ca_path": simulator.ca_path, "packages": packages}
    answer = info({**options, "public_key": public, "private_key": private})
    (verdict,) = answer.result["verdicts"]
    assert verdict["status"] == "not_entitled" and packages[1] in verdict["message"], answer.result
    assert verdict["packages"] == {packages[0]: "listed", packages[1]: "absent"}, answer.result
    assert private not in answer.text and answer.result["files"] == []
    assert [row["status"] for row in info({**options, **PAIR}).result["verdicts"]] == ["invalid"]
    assert list(deploy.home.iterdir()) == []


def test_directories_that_the_user_cannot_search_are_reported(deploy: Account, lab: Path) -> None:
    shop = give(lab / "shop", deploy, 0o755)
    give(shop / "auth.json", deploy, 0o600, auth(*PAIR.values()))
    closed = give(lab / "closed", None, 0o700)
    give(closed / "auth.json", None, 0o600, auth(*PAIR.values()))
    (lab / "file").touch()
    roots = [str(lab), str(closed / "inside"), str(lab / "file"), str(lab / "none")]
    answer = as_account(deploy, lambda: info({"search": roots}), {"PATH": "/usr/bin:/bin"})
    assert [row["path"] for row in answer.result["files"]] == [str(shop / "auth.json")]
    assert codes(answer.result) == [
        ("permission_denied", str(closed)), ("permission_denied", str(closed / "inside")),
        ("no_directory", str(lab / "file")), ("no_directory", str(lab / "none")),
    ], answer.result  # fmt: skip


def test_large_files_are_read_up_to_a_limit(deploy: Account) -> None:
    large = json.dumps({"http-basic": {"a.example": {"username": "a", "password": "b" * 4_000_000}}})
    for number in range(8):
        put(deploy, f"tree/{number}/auth.json", large)
    result = info({"search": [str(deploy.home / "tree")], "verify": "never"}).result
    assert len(result["files"]) == 4 and len(result["problems"]) == 4, codes(result)
    assert all("limit of one run" in row["message"] for row in result["problems"]), result["problems"]


def test_effective_keys_are_reported_up_to_a_limit(accounts: Accounts, deploy: Account, lab: Path) -> None:
    pair = {"username": "a", "password": "b"}
    put(
        deploy, ".composer/config.json", json.dumps({"config": {"http-basic": {f"h{n}.a": pair for n in range(30000)}}})
    )
    projects = [give(lab / name, deploy, 0o755) for name in ("one", "two", "three")]
    give(projects[2] / "auth.json", deploy, 0o600, auth())
    options = {"users": [deploy.name, accounts.other.name], "projects": [str(path) for path in projects]}
    result = info({**options, "verify": "never"}).result
    rows = [(row["user"], row["project"]) for row in result["effective"]]
    assert len(rows) == 30000 + 1 and rows[-1] == (accounts.other.name, str(projects[2]))
    left = [row for row in result["problems"] if row["code"] == "read_failed"]
    assert [row["path"] for row in left] == options["projects"], left
    assert all(deploy.name in row["message"] and "limit of one run" in row["message"] for row in left), left


def test_large_composer_json_files_are_read_up_to_a_limit(lab: Path, deploy: Account) -> None:
    text = json.dumps({"config": {"http-basic": {"a.example": {"username": "a", "password": "b" * 4_000_000}}}})
    projects = [give(lab / str(number), deploy, 0o755) for number in range(6)]
    for project in projects:
        give(project / "composer.json", deploy, 0o644, text)
    result = info({"projects": [str(path) for path in projects], "verify": "never"}).result
    assert len(result["effective"]) == 4
    assert [row["path"] for row in result["problems"]] == [f"{path}/composer.json" for path in projects[4:]]


def test_links_to_one_large_file_are_read_up_to_a_limit(deploy: Account) -> None:
    large = json.dumps({"http-basic": {"a.example": {"username": "a", "password": "b" * 4_000_000}}})
    target = put(deploy, "large.json", large)
    for number in range(40):
        put(deploy, f"tree/{number:02}/small", "")
        (deploy.home / f"tree/{number:02}/auth.json").symlink_to(target)
    result = info({"search": [str(deploy.home / "tree")], "verify": "never"}).result
    assert len(result["files"]) == 4
    # Twelve more were read and reported individually.
    assert len(result["problems"]) == 13 and "nor were 23 others" in result["problems"][-1]["message"], codes(result)


def test_a_chain_of_links_has_a_limit(deploy: Account) -> None:
    put(deploy, "a/auth.json", auth())
    for number in range(5):
        step = "auth.json" if number == 0 else f"link{number - 1}"
        (deploy.home / f"a/link{number}").symlink_to("../a/" * 300 + step)
    result = info({"paths": [str(deploy.home / "a" / name) for name in ("link0", "link4")], "verify": "never"}).result
    assert [row["path"] for row in result["files"]] == [str(deploy.home / "a/link0")]
    assert codes(result) == [("unsafe_path", str(deploy.home / "a/link4"))], result


def test_file_of_the_kernel_is_not_read(deploy: Account) -> None:
    """Some take seconds to read, and a user can have thousands of links to them."""
    put(deploy, ".composer/config.json", "{}")
    link = deploy.home / ".composer/auth.json"
    link.unlink(missing_ok=True)
    link.symlink_to("/proc/version")
    report = info({"users": [deploy.name], "verify": "never"})
    link.unlink()
    assert "Linux" not in report.text and any("empty" in row["message"] for row in report.result["problems"]), (
        report.result
    )


@pytest.mark.parametrize("host", ["odd.example:0", "odd.example:99999", "[::::]", "[1]", "[:]"])
def test_host_that_cannot_be_verified_does_not_prevent_the_report(deploy: Account, host: str) -> None:
    entries = {name: {"username": "u", "password": "p" * 9} for name in (host, "127.0.0.1:1")}
    put(deploy, ".composer/auth.json", json.dumps({"http-basic": entries}))
    report = info({"users": [deploy.name], "verify": "always"})
    assert [(row["repository"], row["status"]) for row in report.result["verdicts"]] == [
        (name, "not_checked") for name in entries
    ], report.result


def test_a_password_before_a_host_is_not_shown(deploy: Account) -> None:
    hidden = "made-up-pass"
    pair = {"username": "a", "password": "b"}
    odd = {"http-basic": {f"a:{hidden}@b.example": pair}, f"{hidden}@c": {f"x:{hidden}@d.example": "e"}}
    path = put(deploy, "auth.json", json.dumps(odd))
    report = info({"paths": [str(path)], "verify": "always"})
    assert report.result["files"][0]["entries"][0]["repository"] == "***@b.example", report.result
    written = install({**PAIR, "paths": [str(path)]})
    assert written.result["changed"] and "***@b.example" in written.text and "***@d.example" in written.text
    path.write_text(f'{{"http-basic": {{"{hidden}@b.example": {{}}}}}}')
    broken = install({**PAIR, "paths": [str(path)]})
    path.write_text(f'{{"{hidden}@a": 1, "{hidden}@a": 2}}')
    twice = install({**PAIR, "paths": [str(path)]})
    assert broken.code == twice.code == "malformed_file"
    for answer in (report, written, broken, twice):
        assert hidden not in answer.text, answer.text
