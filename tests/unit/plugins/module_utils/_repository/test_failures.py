# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults between host and repository: TLS, proxies and unreachable hosts, over real connections."""

from __future__ import annotations

import errno
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.failures import (
    explain,
    proxy_address,
    without_proxies,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    Exchange,
    Loopback,
    ask,
)

PROXY_PASSWORD = "proxy-pass-word"


def good(exchange: Exchange) -> None:
    exchange.json("{}")


# TLS


@pytest.mark.parametrize(
    ("certificate", "words", "hint"),
    [
        ("expired", "has expired", "clock"),
        ("early", "not valid yet", "clock"),
        ("other_name", "for another", "option url"),
        ("self_signed", "self-signed", "ca_path"),
    ],
)
def test_no_keys_are_sent_if_the_certificate_is_invalid(certificate: str, words: str, hint: str) -> None:
    with Loopback(good, certificate) as server:
        verdict = ask(server.url)
        assert not server.requests
        assert (verdict.status, verdict.code, verdict.http_status) == ("unknown", "tls_failed", None), verdict
        assert words in verdict.message and hint in verdict.message
        assert ask(server.url, validate_certs=False).code == "keys_valid"


def test_an_unknown_ca() -> None:
    with Loopback(good) as server:
        verdict = ask(server.url, ca_path=None)
        assert not server.requests
    assert verdict.code == "tls_failed" and "a CA that this host does not know" in verdict.message, verdict
    assert "ca_path" in verdict.message


@pytest.mark.parametrize(("path", "words"), [("/nowhere/ca.pem", "No such file"), (__file__, "no certificates in it")])
def test_an_invalid_ca_path(path: str, words: str) -> None:
    with Loopback(good) as server:
        verdict = ask(server.url, ca_path=path)
        assert not server.requests
    assert verdict.code == "tls_failed" and words in verdict.message and path in verdict.message, verdict


@pytest.mark.filterwarnings("ignore:.*TLSv1_1")
@pytest.mark.parametrize("validate", [True, False])
def test_tls_before_1_2_is_refused_even_if_the_system_allows_it(tmp_path: Any, validate: bool) -> None:
    config = tmp_path / "openssl.cnf"
    config.write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
        "[c]\nMinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n"
    )
    code = (
        "import sys; from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import ask; "
        f"print(ask(sys.argv[1], validate_certs={validate}).code)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "OPENSSL_CONF": str(config)}
    codes = []
    for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2):
        with Loopback(good, newest_tls=version) as server:
            command = [sys.executable, "-c", code, server.url]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        codes.append(done.stdout.decode().strip())
        assert len(server.requests) == len(codes) - 1
    assert codes == ["tls_failed", "keys_valid"]


def test_a_port_without_tls() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def answer() -> None:
        connection = listener.accept()[0]
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(4096)
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    verdict = ask(f"https://127.0.0.1:{listener.getsockname()[1]}/")
    thread.join()
    listener.close()
    assert (verdict.status, verdict.code, verdict.http_status) == ("unknown", "tls_failed", None), verdict
    assert "wrong version number" in verdict.message and "port" in verdict.message


def test_an_unreachable_host() -> None:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    verdict = ask(f"https://127.0.0.1:{closed.getsockname()[1]}/")
    closed.close()
    assert (verdict.status, verdict.code) == ("unknown", "connection_failed"), verdict
    assert "refused" in verdict.message
    verdict = ask("https://no-such-host.invalid/")
    assert verdict.code == "connection_failed" and "name" in verdict.message, verdict


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        # These errors of the kernel do not occur on loopback.
        (OSError(errno.ETIMEDOUT, PROXY_PASSWORD), "timed_out", "5 seconds"),
        (OSError(errno.EHOSTUNREACH, PROXY_PASSWORD), "connection_failed", "No route to host"),
        (OSError(errno.ENETUNREACH, PROXY_PASSWORD), "connection_failed", "unreachable"),
        (ValueError(PROXY_PASSWORD), "connection_failed", "cannot be used"),
        (urllib.error.URLError(PROXY_PASSWORD), "connection_failed", "cannot be used"),
        (urllib.error.URLError(ConnectionResetError(PROXY_PASSWORD)), "connection_lost", "ended"),
    ],
)
def test_the_text_of_an_exception_is_not_shown(error: Exception, code: str, words: str) -> None:
    finding = explain(error, "repo.example", None, 5, quoting("public", "private-key"))
    assert finding.code == code and words in finding.what and PROXY_PASSWORD not in finding.what, finding


# Proxies


def use_proxy(monkeypatch: pytest.MonkeyPatch, netloc: str) -> None:
    monkeypatch.setenv("https_proxy", f"http://someone:{PROXY_PASSWORD}@{netloc}")


def test_the_proxy_of_the_environment_is_used_and_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def answer(exchange: Exchange) -> None:
        seen.append((exchange.line, dict(exchange.headers)))
        exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        exchange.start_tls()
        exchange.read()
        exchange.json("{}")

    with Loopback(answer, certificate=None) as proxy, Loopback(good) as server:
        use_proxy(monkeypatch, proxy.netloc)
        assert ask("https://localhost:9/").code == "keys_valid"
        assert ask(server.url, use_proxy=False).code == "keys_valid"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert ask(server.url).code == "keys_valid"
    ((line, headers),) = seen
    assert line.startswith("CONNECT localhost:9 ")
    assert "proxy-authorization" in headers and "authorization" not in headers


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with Loopback(lambda exchange: exchange.reply(status), certificate=None) as proxy:
        use_proxy(monkeypatch, proxy.netloc)
        verdict = ask("https://localhost:9/")
    assert (verdict.status, verdict.code, verdict.http_status) == ("unknown", "proxy_failed", status), verdict
    assert proxy.netloc in verdict.message and PROXY_PASSWORD not in verdict.message


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-proxy.invalid:3128", "127.0.0.1:none"])
def test_a_missing_proxy(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    use_proxy(monkeypatch, address)
    verdict = ask("https://localhost:9/")
    assert (verdict.status, verdict.code) == ("unknown", "proxy_failed"), verdict
    assert address in verdict.message and "https_proxy" in verdict.message and PROXY_PASSWORD not in verdict.message
    monkeypatch.setenv("no_proxy", "localhost")
    assert ask("https://localhost:9/").code == "connection_failed"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("proxy.example", "proxy.example"),
        ("http://proxy.example:3128/", "proxy.example:3128"),
        (f"http://somebody:{PROXY_PASSWORD}@proxy.example:3128", "proxy.example:3128"),
        (f"socks5h://{PROXY_PASSWORD}@[::1]:1080", "[::1]:1080"),
    ],
)
def test_a_proxy_is_shown_by_its_address(value: str, shown: str) -> None:
    assert proxy_address(value) == shown
    text = f"curl: (5) Could not resolve proxy: {shown}"
    assert without_proxies(text, {"https_proxy": value}) == text
    quoted = without_proxies(f"Unsupported proxy syntax in '{value}'", {"https_proxy": value})
    assert PROXY_PASSWORD not in quoted


@pytest.mark.parametrize(
    "value",
    [
        f"http://somebody:{PROXY_PASSWORD}",
        f"http://somebody:{PROXY_PASSWORD}@[bad",
        f"http://somebody:{PROXY_PASSWORD}/?#@proxy.example:3128",
        f"http://somebody:made@{PROXY_PASSWORD}@proxy.example",
        f"http://somebody {PROXY_PASSWORD}@proxy.example",
    ],
)
def test_an_invalid_proxy_is_not_shown(value: str) -> None:
    assert proxy_address(value) == "that the environment names"
    for text in (value, PROXY_PASSWORD, "somebody"):
        shown = without_proxies(f"curl: (5) Could not resolve proxy: {text}", {"ALL_PROXY": value})
        assert text not in shown and "proxy" in shown
    assert without_proxies("curl: (6) no such host", {"ALL_PROXY": value}) == "curl: (6) no such host"


def test_session_keys_are_not_logged(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with Loopback(good) as server:
        assert ask(server.url).code == "keys_valid"
        assert ask(server.url, validate_certs=False).code == "keys_valid"
    # The variable is removed permanently, since a late request may still create a context.
    assert "SSLKEYLOGFILE" not in os.environ and not (tmp_path / "keys").exists()


def test_cookies_are_not_sent() -> None:
    def redirect(exchange: Exchange) -> None:
        if exchange.path == "/packages.json":
            cookies = {"Set_Cookie": "evil=from-server; Path=/", "Set_Cookie2": "a;" * 20000}
            exchange.reply(302, b"", None, Location="/x/packages.json", **cookies)
        else:
            exchange.json("{}")

    with Loopback(redirect) as server:
        assert ask(server.url).code == "keys_valid"
        assert len(server.requests) == 2 and not any("cookie" in one.headers for one in server.requests)
