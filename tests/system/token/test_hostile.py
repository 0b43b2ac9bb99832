# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile servers, proxies and users against the host's curl: every request ends, and no secret leaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import CA, Exchange, Loopback
from system.files.lab import Accounts, give
from system.token.lab import INFO, RELEASE, RELEASES, TOKEN, Host

pytestmark = pytest.mark.needs("curl")

FILE = "Magento-CE-2.4.8.zip"
ZIP = b"PK\x03\x04"
PASSWORD = "made-up-proxy-pass"
Send = Callable[[Exchange], None]


def feed(exchange: Exchange) -> None:
    exchange.json(json.dumps({"ce-full": {"2.4.8": [{"name": "n", "file_name": FILE, "md5": ""}]}}))


class Downloads:
    """A downloads server that answers requests for files with ``send``, all others with ``page``."""

    def __init__(self, send: Send, page: Send = feed) -> None:
        self.server = Loopback(lambda exchange: (send if "/file/" in exchange.path else page)(exchange))

    def __enter__(self) -> Downloads:
        self.server.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.__exit__(*exc)

    @property
    def options(self) -> dict[str, Any]:
        return {"downloads_url": self.server.url + "products/downloads", "ca_path": CA, "timeout": 1}

    def files(self) -> list[Exchange]:
        return [request for request in self.server.requests if "/file/" in request.path]


def drip(exchange: Exchange, piece: bytes, pause: float) -> None:
    while not exchange.server.stopping.wait(pause):
        exchange.send(piece)


def download(host: Host, downloads: Downloads, path: Path, **options: Any) -> Any:
    """The result of a download to ``path``."""
    arguments = {**host.pair, **downloads.options, "file_name": FILE, "retries": 0, **options}
    return host.run(RELEASE, dest=str(path), **arguments)


# Endless answers


def test_slow_body_times_out(host: Host, tmp_path: Path) -> None:
    def send(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + ZIP)
        drip(exchange, b"xx", 0.3)

    with Downloads(send) as downloads:
        result = download(host, downloads, tmp_path / FILE)
    assert result["code"] == "timed_out", result


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("module", [RELEASE, RELEASES])
def test_endless_headers_fail(host: Host, tmp_path: Path, module: str, end: bytes) -> None:
    def send(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK" + end)
        line = b"X-Filler: " + b"x" * 1000 + end
        while not exchange.server.stopping.is_set():
            exchange.send(line * 50)

    with Downloads(send, feed if module == RELEASE else send) as downloads:
        if module == RELEASE:
            result = download(host, downloads, tmp_path / FILE)
        else:
            result = host.run(RELEASES, **host.pair, **downloads.options)
    assert result["failed"] and result["code"] in ("curl_failed", "connection_lost"), result
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_slow_headers_time_out(host: Host, tmp_path: Path, end: bytes) -> None:
    def send(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK" + end)
        drip(exchange, b"X: y" + end, 0.2)

    with Downloads(send) as downloads:
        result = download(host, downloads, tmp_path / FILE)
    assert result["code"] == "timed_out", result
    assert os.listdir(tmp_path) == []


def test_header_lines_may_end_with_a_bare_newline(host: Host, tmp_path: Path) -> None:
    content = ZIP + b"content"

    def send(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(content) + content)

    with Downloads(send) as downloads:
        download(host, downloads, tmp_path / FILE)
    assert (tmp_path / FILE).read_bytes() == content


@pytest.mark.needs("root", "mount")
@pytest.mark.parametrize("length", ["", "Content-Length: 999999\r\n"], ids=["no length", "wrong length"])
def test_full_disk_leaves_no_file(host: Host, tmp_path: Path, length: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "keyfleet", str(disk)], check=True)

    def send(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + ZIP)
        if length:
            # Another process fills the disk in the meantime.
            (disk / "other").write_bytes(bytes(1000 * 1000))
        while not exchange.server.stopping.is_set():
            exchange.send(bytes(65536))

    try:
        with Downloads(send) as downloads:
            result = download(host, downloads, disk / FILE)
        assert result["code"] == "write_failed", result
        assert os.listdir(disk) == (["other"] if length else [])
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_body_longer_than_announced_fails(host: Host, tmp_path: Path) -> None:
    def send(exchange: Exchange) -> None:
        if "range" not in exchange.headers:
            exchange.reply(200, ZIP, length=1000)
            return
        exchange.send(b"HTTP/1.1 206 Rest\r\nContent-Range: bytes 4-99/100\r\n\r\n" + bytes(100000))

    with Downloads(send) as downloads:
        result = download(host, downloads, tmp_path / FILE, retries=1, retry_delay=0)
    assert result["code"] == "too_large" and "100 bytes" in result["msg"], result
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("size", ["9" * 5000, str(2**54)])
def test_huge_sizes_cause_no_traceback(host: Host, tmp_path: Path, size: str) -> None:
    def send(exchange: Exchange) -> None:
        if exchange.method == "HEAD":
            exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        elif "range" in exchange.headers:
            exchange.send(f"HTTP/1.1 206 Rest\r\nContent-Range: bytes 4-{size}/{size}\r\n\r\n".encode() + bytes(100))
        else:
            exchange.reply(200, ZIP, length=1000)

    with Downloads(send) as downloads:
        result = download(host, downloads, tmp_path / FILE, retries=1, retry_delay=0)
        assert result["failed"] and result["code"] in ("too_large", "text_instead", "connection_lost"), result
        checked = download(host, downloads, tmp_path / FILE, check=True)
        assert checked["changed"] and "code" not in checked, checked


def test_huge_retry_after_causes_no_traceback(host: Host, tmp_path: Path) -> None:
    with Downloads(lambda exchange: exchange.reply(429, Retry_After="9" * 5000)) as downloads:
        result = download(host, downloads, tmp_path / FILE)
    assert result["code"] == "rate_limited", result


# Values of the server that curl sends


def test_etag_is_sent_only_to_the_server_that_set_it(host: Host, tmp_path: Path) -> None:
    content = ZIP + bytes(1000)

    def store(exchange: Exchange) -> None:
        if "range" in exchange.headers:
            exchange.reply(206, content[500:], Content_Range=f"bytes 500-{len(content) - 1}/{len(content)}")
        else:
            exchange.reply(200, content[:500], length=len(content), ETag='"strong-1"')

    with Loopback(store) as other:

        def send(exchange: Exchange) -> None:
            exchange.reply(302, Location=f"{other.url}{FILE}?signature={len(other.requests)}", ETag='"of-the-first"')

        with Downloads(send) as downloads:
            download(host, downloads, tmp_path / FILE, retries=1, retry_delay=0)
            requests = downloads.files()
    assert (tmp_path / FILE).read_bytes() == content
    assert [request.headers.get("if-range") for request in requests] == [None, None]
    assert [request.headers.get("if-range") for request in other.requests] == [None, '"strong-1"']
    assert all("authorization" not in request.headers for request in other.requests)


@pytest.mark.parametrize(
    "tag", ['"x"\n\nGET /SMUGGLED HTTP/1.1\nHost: x', '"x"\rX-Injected: yes', 'W/"weak"', "bare", '"a b"', '"a"b"']
)
def test_unusable_etag_is_not_sent(host: Host, tmp_path: Path, tag: str) -> None:
    content = ZIP + bytes(1000)
    seen: list[bytes] = []

    def send(exchange: Exchange) -> None:
        if "range" in exchange.headers:
            seen.append(repr(exchange.headers).encode())
            exchange.reply(206, content[500:], Content_Range=f"bytes 500-{len(content) - 1}/{len(content)}")
            exchange.connection.settimeout(0.5)
            try:
                seen.append(exchange.connection.recv(100))
            except OSError:
                return
        else:
            exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nETag: {tag}\r\n\r\n".encode())
            exchange.send(content[:500])

    with Downloads(send) as downloads:
        result = download(host, downloads, tmp_path / FILE, retries=1, retry_delay=0)
    assert not any(word in b"".join(seen) for word in (b"SMUGGLED", b"njected", b"if-range")), seen
    assert result.get("failed") or (tmp_path / FILE).read_bytes() == content or "\n" in tag


# Secrets


@pytest.mark.parametrize("target", ["elsewhere", "/elsewhere", "login", "//user:pass@elsewhere.invalid/x", "?again"])
def test_redirect_target_is_shown_without_credentials(host: Host, tmp_path: Path, target: str) -> None:
    with Downloads(lambda exchange: exchange.reply(302, Location=target)) as downloads:
        result = download(host, downloads, tmp_path / FILE)
        assert all(
            "authorization" not in request.headers
            for request in downloads.server.requests
            if "elsewhere" in request.path
        )
    assert result["failed"] and "@" not in result["msg"] and host.mage_id not in result["msg"], result
    with Downloads(feed, lambda exchange: exchange.reply(302, Location=target)) as downloads:
        (verdict,) = host.run(INFO, **host.pair, **downloads.options)["verdicts"]
    assert verdict["code"] in ("redirected", "login_page")
    assert "@" not in verdict["message"] and host.mage_id not in verdict["message"]


@pytest.mark.parametrize(
    "target", ["https://[bad", "https://h:port/", "https://", "https:///x", "https://[::1]:99999/"]
)
def test_malformed_redirect_target_causes_no_traceback(host: Host, tmp_path: Path, target: str) -> None:
    with Downloads(lambda exchange: exchange.reply(302, Location=target)) as downloads:
        result = download(host, downloads, tmp_path / FILE)
    assert result["failed"] and result.get("code"), result


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://somebody:{PASSWORD}@[bad",
        f"http://somebody:{PASSWORD}@:3128",
        f"http://somebody:{PASSWORD}@127.0.0.1:notaport",
        f"odd://somebody:{PASSWORD}@127.0.0.1:1",
        f"http://somebody:{PASSWORD}/?#@127.0.0.1:1",
        f"http://somebody:{PASSWORD}",
        f"http://{PASSWORD}.invalid:pass@word@[bad",
        f"http://somebody:{PASSWORD}@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_no_message_has_the_password_of_a_proxy(host: Host, proxy: str, variable: str) -> None:
    result = host.run(INFO, **host.pair, env={variable: proxy})
    assert PASSWORD not in json.dumps(result) and "pass@word" not in json.dumps(result)
    assert [verdict["status"] for verdict in result["verdicts"]] == ["unknown"]


def test_no_session_key_is_logged(host: Host, tmp_path: Path) -> None:
    log = tmp_path / "keys"
    result = host.run(INFO, env={"SSLKEYLOGFILE": str(log)}, **host.pair)
    assert [verdict["code"] for verdict in result["verdicts"]] == ["token_valid"]
    assert not log.exists()


Spy = tuple[Path, dict[str, str]]


def install_spy(scratch: Path) -> Spy:
    """Installs a curl that records environment, arguments and input. Returns the record and the environment to use.

    Without `-p`, the shell would give up an effective user that is not the real one, which curl does not.
    """
    programs = scratch / "bin"
    programs.mkdir()
    seen = scratch / "seen"
    seen.touch()
    seen.chmod(0o666)
    real = subprocess.run(["sh", "-c", "command -v curl"], capture_output=True, text=True, check=True).stdout.strip()
    curl = programs / "curl"
    curl.write_text(f'#!/bin/sh -p\n{{ env; printf "%s\\n" "$@"; }} >> {seen}\ntee -a {seen} | exec {real} "$@"\n')
    curl.chmod(0o755)
    return seen, {"PATH": f"{programs}:/bin:/usr/bin"}


@pytest.fixture
def spy(tmp_path: Path) -> Spy:
    """The spy, in a directory that only the current user can enter."""
    return install_spy(tmp_path)


def test_curl_gets_a_minimal_environment(host: Host, spy: Spy) -> None:
    seen, env = spy
    env = {
        **env,
        "NO_PROXY": "*",
        "SSL_CERT_DIR": "/etc/ssl/certs",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "QLOGDIR": "/tmp",
        "VAULT_TOKEN": "made-up",
    }
    host.run(INFO, env=env, **host.pair)
    lines = seen.read_text().splitlines()
    assert not [line for line in lines if "made-up" in line or "QLOGDIR" in line or "PYTHONPATH" in line]
    assert {"LC_ALL=C", "SSL_CERT_DIR=/etc/ssl/certs", 'noproxy = "*"'} <= set(lines)


def test_curl_does_not_open_the_netrc(host: Host, tmp_path: Path, spy: Spy) -> None:
    seen, env = spy
    netrc = tmp_path / "netrc"
    host.run(TOKEN, **host.entry_options(paths=[str(netrc)], **host.pair))
    assert host.run(RELEASES, env=env, netrc_path=str(netrc))["releases"]
    assert "netrc" not in seen.read_text()
    netrc.unlink()
    os.mkfifo(netrc)
    assert host.run(RELEASES, netrc_path=str(netrc))["failed"]


@pytest.mark.needs("root")
@pytest.mark.parametrize("owner", ["root", "deploy", "nobody's"])
def test_curl_runs_as_root_with_the_netrc_as_a_descriptor(
    host: Host, accounts: Accounts, lab: Path, owner: str
) -> None:
    """curl gets the password of a proxy, so no user may trace it; and a path could be replaced before curl opens it."""
    password = "made-up-of-a-proxy"
    directory = give(lab / "place", accounts.deploy if owner == "deploy" else None, 0o755)
    netrc = give(directory / "netrc", None, 0o600, host.entry().decode())
    uid = {"root": 0, "deploy": accounts.deploy.uid, "nobody's": 54321}[owner]
    os.chown(netrc, uid, uid)
    seen, env = install_spy(lab)
    ids = "grep -E '^(Uid|Gid|Groups):' /proc"
    swap = f"{ids}/$$/status >> {seen}; [ $2 = --version ] || {{ rm -f {netrc}; mkfifo {netrc}; }}"
    curl = lab / "bin/curl"
    curl.write_text(curl.read_text().replace("\n", f"\n{swap}\n", 1))
    env = {**env, "https_proxy": f"http://somebody:{password}@127.0.0.1:1", "no_proxy": "*"}
    groups = os.getgroups()
    try:
        os.setgroups([*groups, 54322])
        own = subprocess.run(["sh", "-c", f"{ids}/self/status"], capture_output=True, text=True, check=True).stdout
        result = host.run(INFO, env=env, **host.entry_options(paths=[str(netrc)]))
    finally:
        os.setgroups(groups)
    assert [verdict["code"] for verdict in result["verdicts"]] == ["token_valid"], result
    text = seen.read_text()
    # The real, effective, saved and file system ids of curl are those of the module.
    seen_ids = re.findall(r"^(?:Uid|Gid|Groups):.*\n", text, re.M)
    assert password in text and "54322" in own and set(seen_ids) == set(own.splitlines(keepends=True))
    assert str(netrc) not in text and set(re.findall(r'netrc-file = "(.*)/', text)) == {"/dev/fd"}
