# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirects, server text, time limits and broken answers, over HTTPS on loopback."""

from __future__ import annotations

import gzip
import json
import socket
from unittest.mock import patch

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._repository import session
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.session import _Unpacker
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    PRIVATE,
    Exchange,
    Loopback,
    ask,
)


def good(exchange: Exchange) -> None:
    exchange.json("{}")


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed_with_the_keys(status: int) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.path == "/packages.json":
            exchange.reply(status, Location="/moved/to here/päckages.json?x=1#part".encode().decode("latin-1"))
        else:
            exchange.json("{}")

    with Loopback(answer) as server:
        assert ask(server.url).code == "keys_valid"
    second = server.requests[1]
    assert second.path.startswith("/moved/to%20here/p") and second.path.endswith("ckages.json?x=1")
    assert second.headers["authorization"] == server.requests[0].headers["authorization"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(status: int) -> None:
    with Loopback(good) as other:

        def answer(exchange: Exchange) -> None:
            exchange.reply(status, Location=f"{other.url}packages.json?ticket=hush-hush")

        with Loopback(answer) as server:
            verdict = ask(server.url)
    assert other.requests == []
    assert (verdict.status, verdict.code) == ("unknown", "redirected"), verdict
    assert other.netloc in verdict.message and "hush" not in verdict.message and "option url" in verdict.message


@pytest.mark.parametrize(
    "target", ["http://{}/", "https://user@{}/", "https://localhost:1/", "//example.invalid/", "file:///etc/passwd"]
)
def test_a_redirect_to_another_scheme_or_host_is_not_followed(target: str) -> None:
    with Loopback(lambda exchange: exchange.reply(302, Location=target.format(exchange.server.netloc))) as server:
        verdict = ask(server.url)
        assert len(server.requests) == 1
    assert verdict.status == "unknown" and verdict.code in ("redirected", "not_a_repository"), verdict
    assert "user@" not in verdict.message


def test_a_redirect_that_names_the_private_key_does_not_show_it() -> None:
    with Loopback(lambda exchange: exchange.reply(302, Location=f"https://{PRIVATE}.invalid/")) as server:
        assert "redirects to another address." in ask(server.url).message


def test_the_number_of_redirects_is_limited() -> None:
    with Loopback(lambda exchange: exchange.reply(302, Location=exchange.path + "x")) as server:
        assert ask(server.url).code == "redirected"
        assert len(server.requests) == 6


@pytest.mark.parametrize("status", [204, 206, 300, 304, 400, 405, 410, 418, 451])
def test_other_statuses_are_unknown(status: int) -> None:
    with Loopback(lambda exchange: exchange.reply(status)) as server:
        verdict = ask(server.url)
    assert (verdict.status, verdict.code, verdict.http_status) == ("unknown", "unexpected_status", status), verdict


# Server text


@pytest.mark.parametrize(("named", "shown"), [("all", True), (PRIVATE, False)])
def test_server_text_is_shown_unless_it_contains_the_key(named: str, shown: bool) -> None:
    def answer(exchange: Exchange) -> None:
        text = f"The keys\n\x00 are {named} invalid. " + "Long. " * 200
        exchange.json(json.dumps({"warning": text}), status=401)

    with Loopback(answer) as server:
        verdict = ask(server.url)
    assert verdict.code == "keys_invalid"
    assert ('says: "The keys are all invalid. Long.' in verdict.message) is shown
    assert ("The keys" in verdict.message) is shown
    assert verdict.message.isprintable() and len(verdict.message) < 800


@pytest.mark.parametrize("kind", ["stall", "reset", "short", "junk"])
def test_the_status_decides_although_the_body_is_lost(kind: str) -> None:
    def answer(exchange: Exchange) -> None:
        if kind == "junk":
            exchange.reply(401, b"\x1f\x8bjunk")
            return
        exchange.reply(401, b'{"warn', length=1000, Content_Type="application/json")
        if kind == "stall":
            exchange.stall()
        elif kind == "reset":
            # RST discards the data that the client has not read yet.
            exchange.server.stopping.wait(0.4)
            exchange.reset()

    with Loopback(answer) as server:
        verdict = ask(server.url, timeout=1)
    assert (verdict.status, verdict.code, verdict.http_status) == ("invalid", "keys_invalid", 401), verdict


# Time and broken connections


@pytest.mark.parametrize("kind", ["silent", "headers", "dribble", "continue", "body", "handshake"])
def test_every_stall_times_out(kind: str) -> None:
    def answer(exchange: Exchange) -> None:
        if kind == "headers":
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-")
        elif kind == "dribble":
            exchange.send(b"HTTP/1.1 200 OK\r\n")
            number = 0
            while not exchange.server.stopping.wait(0.05):
                number += 1
                exchange.send(b"X-%d: y\r\n" % number)
        elif kind == "continue":
            while not exchange.server.stopping.wait(0.05):
                exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif kind == "body":
            exchange.send(b"HTTP/1.1 200 OK\r\n\r\n ")
        exchange.stall()

    with Loopback(answer) as server:
        url = server.url
        if kind == "handshake":
            silent = socket.socket()
            silent.bind(("127.0.0.1", 0))
            silent.listen(1)
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with patch.object(session, "in_time", wraps=session.in_time) as in_time:
            verdict = ask(url, timeout=0.6)
    (((_work, seconds), _named),) = in_time.call_args_list
    assert seconds <= 0.6
    assert (verdict.status, verdict.code) == ("unknown", "timed_out"), verdict
    assert "0.6 seconds" in verdict.message


@pytest.mark.parametrize("kind", ["close", "reset", "cut", "gzip", "chunk"])
def test_a_lost_connection_is_unknown(kind: str) -> None:
    def answer(exchange: Exchange) -> None:
        if kind == "reset":
            exchange.reset()
        elif kind == "cut":
            exchange.reply(200, b" ", length=100)
        elif kind == "gzip":
            exchange.reply(200, gzip.compress(b"{}")[:11])
        elif kind == "chunk":
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n ")

    with Loopback(answer) as server:
        verdict = ask(server.url)
    assert (verdict.status, verdict.code) == ("unknown", "connection_lost"), verdict


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH\r\n", b"\x00" * 100 + b"\r\n\r\n", b"HTTP/1.1 abc def\r\n\r\n"])
def test_an_answer_that_is_not_http(words: bytes) -> None:
    with Loopback(lambda exchange: exchange.send(words)) as server:
        verdict = ask(server.url)
    assert (verdict.status, verdict.code) == ("unknown", "not_a_repository"), verdict
    assert "SSH" not in verdict.message


def test_gzip_members_in_pieces_of_any_size() -> None:
    body = gzip.compress(b'{"a"') + gzip.compress(b": 1}") + bytes(5)
    for size in range(1, len(body) + 1):
        unpacker = _Unpacker()
        pieces = [unpacker.feed(body[place : place + size]) for place in range(0, len(body), size)]
        assert b"".join(pieces) == b'{"a": 1}' and not unpacker.incomplete, size
