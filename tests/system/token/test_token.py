# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download tokens on a host: installed, verified with its curl, never replaced by an invalid token."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import CA, Exchange, Loopback
from system.files.lab import Accounts, give
from system.token.lab import INFO, TOKEN, Host

pytestmark = pytest.mark.needs("curl")

WRONG = "ab" * 20


def codes(result: Any) -> list[tuple[str, str]]:
    return [(verdict["status"], verdict["code"]) for verdict in result["verdicts"]]


def test_update_replacement_and_removal_converge(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    other = b"# mine\nmachine other.example login somebody password of-old\n"
    path.write_bytes(other)
    old = host.entry_options(paths=[str(path)], mage_id="MAG000000009", token=WRONG, verify="never")
    new = host.entry_options(paths=[str(path)], **host.pair)
    gone = host.entry_options(paths=[str(path)], state="absent")
    inside = other.splitlines(True)
    for options, action, content in (
        (old, "updated", inside[0] + host.entry(WRONG).replace(host.mage_id.encode(), b"MAG000000009") + inside[1]),
        (new, "updated", inside[0] + host.entry() + inside[1]),
        (gone, "removed", other),
    ):
        before = path.read_bytes()
        predicted = host.run(TOKEN, check=True, **options)
        assert predicted["changed"] and path.read_bytes() == before
        done = host.run(TOKEN, **options)
        assert path.read_bytes() == content
        assert [row["action"] for row in done["files"]] == [action]
        assert (predicted["files"], predicted["diff"]) == (done["files"], done["diff"])
        for check in (True, False):
            again = host.run(TOKEN, check=check, **options)
            assert not again["changed"] and again["diff"] == []
            assert [row["action"] for row in again["files"]] == ["unchanged"]
        assert path.read_bytes() == content and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_token_is_verified_directly_and_through_its_file(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    host.simulator.clear_log()
    result = host.run(TOKEN, **host.entry_options(paths=[str(path)], **host.pair))
    assert codes(result) == [("valid", "token_valid")] * 2
    assert [verdict["path"] for verdict in result["verdicts"]] == [None, str(path)]
    assert [verdict["curl"]["exit_code"] for verdict in result["verdicts"]] == [0, 0]
    requests = host.simulator.requests()
    assert [(request["path"], request["user"], request["status"]) for request in requests] == [
        ("/products/downloads/info/help", host.mage_id, 200)
    ] * 2

    host.simulator.clear_log()
    assert codes(host.run(TOKEN, **host.entry_options(paths=[str(path)], **host.pair))) == [
        ("not_checked", "not_asked")
    ]
    assert host.simulator.requests() == []
    always = host.run(TOKEN, **host.entry_options(paths=[str(path)], verify="always", **host.pair))
    assert codes(always) == [("valid", "token_valid")] * 2


def test_plain_curl_uses_the_installed_entry(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    host.run(TOKEN, **host.entry_options(paths=[str(path)], **host.pair))
    url = f"{host.simulator.downloads_url}/info/help"
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--cacert", host.simulator.ca_path, "--netrc-file", str(path), url],
        capture_output=True,
        check=True,
    )
    assert b"Downloads Usage:" in done.stdout


FAILURES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    "a login page": ({"downloads_wrong_credentials": "login"}, {}, ("unknown", "login_page")),
    "a short text with 200": ({"downloads_wrong_credentials": "text"}, {}, ("unknown", "not_the_downloads")),
    "401": ({}, {}, ("invalid", "token_invalid")),
    "401 without a challenge": ({"downloads_challenge": False}, {}, ("invalid", "token_invalid")),
    "403": ({"downloads_wrong_credentials": "403"}, {}, ("refused", "access_refused")),
    "429": ({}, {"kind": "status", "status": 429, "headers": {"Retry-After": "77"}}, ("unknown", "rate_limited")),
    "503": ({}, {"kind": "status", "status": 503}, ("unknown", "server_error")),
    "404": ({}, {"kind": "status", "status": 404}, ("unknown", "wrong_address")),
    "418": ({}, {"kind": "status", "status": 418}, ("unknown", "unexpected_status")),
    "another address": ({}, {"kind": "redirect", "location": "https://localhost/moved"}, ("unknown", "redirected")),
    "a page": ({}, {"kind": "not_json"}, ("unknown", "not_the_downloads")),
    "a stall": ({}, {"kind": "stall"}, ("unknown", "timed_out")),
    "a reset": ({}, {"kind": "reset"}, ("unknown", "connection_lost")),
    "half an answer": ({}, {"kind": "truncate", "after_bytes": 5}, ("unknown", "connection_lost")),
}


@pytest.mark.parametrize("name", FAILURES)
def test_unverified_token_does_not_replace_the_old_one(host: Host, tmp_path: Path, name: str) -> None:
    switches, fault, expected = FAILURES[name]
    path = tmp_path / "netrc"
    path.write_bytes(host.entry())
    path.chmod(0o600)
    before = (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
    for switch, value in switches.items():
        host.simulator.set_switch(switch, value)
    if fault:
        host.simulator.add_fault(path="/products/downloads/*", **fault)
    options = host.entry_options(paths=[str(path)], mage_id=host.mage_id, token=WRONG, timeout=2)
    for check in (True, False):
        result = host.fails(expected[1], TOKEN, check=check, **options)
        assert codes(result) == [expected] and not result["changed"]
        assert [row["action"] for row in result["files"]] == ["unchanged"]
        assert "No file was touched" in result["msg"] and WRONG not in str(result)
    assert (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) == before
    if name == "429":
        assert "Retry-After: 77" in result["msg"]
    if name == "a short text with 200":
        assert "No such file or no access" in result["msg"]


def test_fail_on_accepts_an_unknown_verdict(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    host.simulator.add_fault("status", status=503)
    options = host.entry_options(paths=[str(path)], fail_on=["invalid", "refused"], **host.pair)
    result = host.run(TOKEN, **options)
    assert codes(result) == [("unknown", "server_error")] and result["changed"]
    assert path.read_bytes() == host.entry()


def test_replaced_token_is_invalid_at_once(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    options = host.entry_options(paths=[str(path)])
    host.run(TOKEN, **options, **host.pair)
    new = host.simulator.replace_token("shop")[1]
    host.secrets.add(new)
    assert codes(host.run(INFO, **options)) == [("invalid", "token_invalid")]
    host.fails("token_invalid", TOKEN, **options, **host.pair, verify="always")
    result = host.run(TOKEN, **options, mage_id=host.mage_id, token=new)
    assert codes(result) == [("valid", "token_valid")] * 2
    assert path.read_bytes() == host.entry(new)


def test_token_replaced_between_the_two_requests_fails(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    host.simulator.add_fault("status", path="/products/downloads/*", status=401, skip=1)
    result = host.fails("token_invalid", TOKEN, **host.entry_options(paths=[str(path)], **host.pair))
    assert codes(result) == [("valid", "token_valid"), ("invalid", "token_invalid")]
    assert result["changed"] and [row["action"] for row in result["files"]] == ["created"]
    assert "not through an installed file" in result["msg"]


@pytest.mark.parametrize("where", ["HOME", "CURL_HOME", "XDG_CONFIG_HOME"])
def test_curlrc_is_ignored(host: Host, tmp_path: Path, where: str) -> None:
    trap = tmp_path / "home"
    trap.mkdir()
    stolen = tmp_path / "stolen"
    lines = [
        f'trace-ascii = "{stolen}"',
        'user-agent = "hostile"',
        "insecure",
        'proxy = "http://127.0.0.1:9"',
        "location",
    ]
    for name in (".curlrc", "curlrc"):
        (trap / name).write_text("\n".join(lines))
    path = tmp_path / "netrc"
    host.simulator.clear_log()
    result = host.run(TOKEN, env={where: str(trap)}, **host.entry_options(paths=[str(path)], **host.pair))
    assert codes(result) == [("valid", "token_valid")] * 2
    assert not stolen.exists()
    assert host.run(INFO, env={where: str(trap)}, **host.pair)["verdicts"][0]["code"] == "token_valid"


def test_untrusted_certificate_fails(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    own: dict[str, Any] = {
        "downloads_url": f"https://{host.simulator.self_signed_address}/products/downloads",
        "ca_path": None,
    }
    for options in ({**own}, {"ca_path": None}, {**own, "ca_path": host.simulator.ca_path}):
        result = host.fails("tls_failed", TOKEN, **host.entry_options(paths=[str(path)], **host.pair, **options))
        assert result["verdicts"][0]["curl"]["exit_code"] == 60
        assert "certificate" in result["msg"]
    assert not path.exists()
    result = host.run(INFO, **host.pair, **own, validate_certs=False)
    assert codes(result) == [("valid", "token_valid")]


def test_proxy_of_the_environment_is_used(host: Host) -> None:
    result = host.run(INFO, **host.pair, env={"https_proxy": "http://127.0.0.1:9"})
    assert codes(result) == [("unknown", "proxy_failed")] or codes(result) == [("unknown", "connection_failed")]
    assert "127.0.0.1" in result["verdicts"][0]["message"]
    away = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
    assert codes(host.run(INFO, **host.pair, env=away)) == [("valid", "token_valid")]


def test_closed_port_is_reported(host: Host) -> None:
    result = host.run(INFO, **host.pair, downloads_url="https://127.0.0.1:9/products/downloads")
    assert codes(result) == [("unknown", "connection_failed")]
    assert result["verdicts"][0]["curl"]["exit_code"] == 7


def test_missing_or_old_curl_fails(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    programs = tmp_path / "bin"
    programs.mkdir()
    options = host.entry_options(paths=[str(path)], **host.pair)
    host.fails("no_curl", TOKEN, env={"PATH": str(programs)}, **options)
    old_curl = programs / "curl"
    old_curl.write_text("#!/bin/sh\necho 'curl 7.29.0 (x86_64-redhat-linux-gnu) libcurl/7.29.0'\n")
    old_curl.chmod(0o755)
    result = host.fails("old_curl", TOKEN, env={"PATH": f"{programs}:/bin:/usr/bin"}, **options)
    assert "7.29.0" in result["msg"] and "7.55.0" in result["msg"]
    assert not path.exists()
    assert host.run(TOKEN, env={"PATH": str(programs)}, verify="never", **options)["changed"]


def test_no_secret_in_arguments_or_environment_of_curl(host: Host, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    seen = tmp_path / "seen"
    spy = programs / "curl"
    real = subprocess.run(["sh", "-c", "command -v curl"], capture_output=True, text=True, check=True).stdout.strip()
    spy.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; }} >> {seen}\nexec {real} "$@"\n')
    spy.chmod(0o755)
    env = {"PATH": f"{programs}:/bin:/usr/bin"}
    result = host.run(TOKEN, env=env, **host.entry_options(paths=[str(tmp_path / "netrc")], **host.pair))
    assert codes(result) == [("valid", "token_valid")] * 2
    text = seen.read_text()
    assert text.count("-K") >= 2 and host.token not in text and host.mage_id not in text


def test_info_reports_access_to_commerce(host: Host, tmp_path: Path) -> None:
    mage_id, token = host.simulator.token("enterprise")
    assert [verdict["commerce"] for verdict in host.run(INFO, **host.pair)["verdicts"]] == [False]
    assert [verdict["commerce"] for verdict in host.run(INFO, mage_id=mage_id, token=token)["verdicts"]] == [True]
    host.simulator.add_fault("status", path="*/filter/*", status=500)
    assert [verdict["commerce"] for verdict in host.run(INFO, **host.pair)["verdicts"]] == [None]


def test_info_reads_and_changes_nothing(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_bytes(b"default login somebody password of-old\n" + host.entry())
    path.chmod(0o644)
    before = (path.read_bytes(), path.stat())
    result = host.run(INFO, **host.entry_options(paths=[str(path), str(tmp_path / "none")]))
    assert (path.read_bytes(), path.stat()) == before and not result["changed"]
    first, second = result["files"]
    assert (first["mage_id"], first["fingerprint"], first["mode"]) == ("set", "set", "0644")
    assert (second["exists"], second["mage_id"]) == (False, None)
    assert [problem["code"] for problem in result["problems"]] == ["readable_by_others", "default_wins"]
    assert codes(result) == [("invalid", "token_invalid")]
    assert "of-old" not in str(result)
    failed = host.fails("token_invalid", INFO, **host.entry_options(paths=[str(path)], fail_on=["invalid"]))
    assert codes(failed) == [("invalid", "token_invalid")] and failed["files"] == [first]


def test_entry_for_another_machine_is_not_verified(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    result = host.run(TOKEN, paths=[str(path)], **host.pair)
    assert codes(result) == [("valid", "token_valid")]
    assert path.read_bytes().startswith(b"machine www.magentocommerce.com ")
    assert codes(host.run(INFO, paths=[str(path)])) == [("not_checked", "not_asked")]


def test_unusable_file_blocks_all_targets(host: Host, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_bytes(b'machine other.example login x password "of-old\n')
    options = host.entry_options(paths=[str(good), str(bad), str(tmp_path / "none" / "netrc")], **host.pair)
    host.simulator.clear_log()
    result = host.fails("malformed_file", TOKEN, **options)
    assert [problem["path"] for problem in result["problems"]] == [str(bad), str(tmp_path / "none" / "netrc")]
    assert "line 1" in result["msg"] and "of-old" not in str(result)
    assert not good.exists() and host.simulator.requests() == []


@pytest.mark.needs("root")
def test_files_of_users_have_their_owner_and_are_verified(host: Host, accounts: Accounts) -> None:
    deploy, other = accounts.deploy, accounts.other
    give(other.home / ".netrc", None, 0o644, "machine other.example login x password y\n")
    users = [deploy.name, other.name]
    options = host.entry_options(users=users, **host.pair)
    predicted = host.run(TOKEN, check=True, **options)
    result = host.run(TOKEN, **options)
    assert predicted["files"] == result["files"]
    assert [(row["action"], row["owner"]) for row in result["files"]] == [
        ("created", deploy.name),
        ("updated", other.name),
    ]
    for account in (deploy, other):
        info = (account.home / ".netrc").stat()
        assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (account.uid, account.gid, 0o600)
    assert codes(result) == [("valid", "token_valid")] * 3
    assert [problem["code"] for problem in result["problems"]] == ["readable_by_others"]
    info_result = host.run(INFO, **host.entry_options(users=users))
    assert codes(info_result) == [("valid", "token_valid")] * 2
    # A file that its user cannot read is useless, although root could read it.
    (other.home / ".netrc").chmod(0o200)
    unreadable = host.run(INFO, **host.entry_options(users=[other.name]))
    assert codes(unreadable) == [("unknown", "netrc_unreadable")]
    host.run(TOKEN, state="absent", **host.entry_options(users=users))
    assert (deploy.home / ".netrc").read_bytes() == b""
    assert (other.home / ".netrc").read_text() == "machine other.example login x password y\n"


@pytest.mark.needs("root")
def test_missing_user_fails_except_in_check_mode(host: Host) -> None:
    options = host.entry_options(users=["no-such-user-of-keyfleet"], **host.pair)
    predicted = host.run(TOKEN, check=True, **options)
    assert predicted["changed"] and [row["action"] for row in predicted["files"]] == ["created"]
    assert [problem["code"] for problem in predicted["problems"]] == ["unknown_user"]
    host.fails("unknown_user", TOKEN, **options)
    assert not host.run(TOKEN, state="absent", **host.entry_options(users=["no-such-user-of-keyfleet"]))["changed"]


@pytest.mark.needs("root")
def test_root_needs_a_target(host: Host) -> None:
    host.fails("no_target", TOKEN, **host.entry_options(**host.pair))


@pytest.mark.needs("root")
def test_planted_link_is_not_followed(host: Host, accounts: Accounts, lab: Path) -> None:
    victim = give(lab / "victim", None, 0o600, "root's own\n")
    link = accounts.deploy.home / ".netrc"
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    result = host.run(TOKEN, **host.entry_options(users=[accounts.deploy.name], **host.pair))
    link.unlink()
    assert result["failed"] and result["code"] in ("foreign_owner", "permission_denied", "unsafe_path"), result
    # Composer does not read this file.
    assert "Composer" not in json.dumps(result), result
    assert victim.read_text() == "root's own\n"


def test_answer_for_a_netrc_does_not_show_the_given_token(host: Host, tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        requests.append(exchange.path)
        shown = "".join(f"%{byte:02x}" for byte in host.token.encode())
        exchange.reply(500, f"<title>Others: {shown}</title>".encode(), Content_Type="text/html")

    requests: list[str] = []
    path = tmp_path / "netrc"
    with Loopback(answer) as server:
        machine = server.url.split("/")[2].partition(":")[0]
        path.write_text(f"machine {machine} login a password made-up-token-a\n")
        path.chmod(0o600)
        options: dict[str, Any] = {"host": machine, "downloads_url": f"{server.url}products/downloads", "ca_path": CA}
        result = host.run(INFO, paths=[str(path)], **host.pair, **options)
    assert len(requests) == 2 == len(result["verdicts"]), result
    given, found = (row["message"] for row in result["verdicts"])
    assert "Others" not in given + found, result


@pytest.mark.parametrize("name", ["a", "b", "nobody"])
def test_answer_for_one_netrc_does_not_show_the_token_of_another(host: Host, tmp_path: Path, name: str) -> None:
    shown = name if name == "nobody" else f"made-up-token-{name}"

    def answer(exchange: Exchange) -> None:
        exchange.reply(500, f"<title>Others: {shown}</title>".encode(), Content_Type="text/html")

    with Loopback(answer) as server:
        machine = server.url.split("/")[2].partition(":")[0]
        for login in "ab":
            path = tmp_path / login
            path.write_text(f"machine {machine} login {login} password made-up-token-{login}\n")
            path.chmod(0o600)
        options: dict[str, Any] = {"host": machine, "downloads_url": f"{server.url}products/downloads", "ca_path": CA}
        result = host.run(INFO, paths=[str(tmp_path / login) for login in "ab"], **options)
    messages = [row["message"] for row in result["verdicts"]]
    assert "made-up-token-a" not in json.dumps(result) and "made-up-token-b" not in json.dumps(result), result
    assert ["Others" in message for message in messages] == [name == "nobody"] * 2, result
