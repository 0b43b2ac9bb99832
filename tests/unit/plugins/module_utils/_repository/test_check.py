# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of `check`, and the amount of data that it reads, over HTTPS on loopback."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from typing import Any, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Connection
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.check import check
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    PRIVATE,
    PUBLIC,
    Exchange,
    Loopback,
    ask,
    basic,
)

MIB = 1024 * 1024


# Requests


def test_the_pair_is_sent_with_the_first_request_as_utf8() -> None:
    with Loopback(lambda exchange: exchange.json("{}")) as server:
        verdict = ask(server.url, public_key="schlüssel", private_key="geheimnis–ü")
    assert (verdict.status, verdict.code, verdict.http_status) == ("valid", "keys_valid", 200), verdict
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/packages.json")
    assert request.headers["authorization"] == basic("schlüssel", "geheimnis–ü")


def test_a_netrc_is_ignored(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login stranger password astray\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Loopback(lambda exchange: exchange.json("{}")) as server:
        ask(server.url)
    assert server.requests[0].headers["authorization"] == basic(PUBLIC, PRIVATE)


def test_the_request_library_is_loaded_only_for_a_request() -> None:
    code = (
        "import sys; import ansible_collections.keyfleet.magento.plugins.module_utils._repository.pairs; "
        "print([name for name in sys.modules if name in ('ansible.module_utils.urls', 'ssl', 'http.client')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, stdout=subprocess.PIPE, check=False
    )
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://me:secret@127.0.0.1/", "file:///etc/passwd", "https://["]
)
def test_an_invalid_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        check(repository="r", url=url, public_key=PUBLIC, private_key=PRIVATE, connection=Connection())
    assert caught.value.code == "bad_options"
    assert url not in caught.value.message and "secret" not in caught.value.message


@pytest.mark.parametrize(("public", "private"), [("", PRIVATE), ("\ud800", PRIVATE), (PUBLIC, "kept-\ud800")])
def test_a_pair_that_cannot_be_sent_is_refused_without_quoting_it(public: str, private: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        check(repository="r", url=None, public_key=public, private_key=private, connection=Connection())
    assert caught.value.code == "bad_key"
    assert "kept" not in str(caught.value)


def test_a_url_may_name_the_file_or_its_directory() -> None:
    with Loopback(lambda exchange: exchange.json("{}")) as server:
        for path in ("sub", "sub/", "sub/packages.json"):
            assert ask(server.url + path).status == "valid"
    assert [request.path for request in server.requests] == ["/sub/packages.json"] * 3


# Amount of data


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize(
    "beginning",
    [b"{}", b'{"', b" \r\n\t{ \n}", gzip.compress(b'{"packages": ')],
    # gzip data contains the time, but parallel test processes need equal test names.
    ids=["whole", "begun", "blanks", "packed"],
)
def test_the_beginning_of_an_answer_is_enough(beginning: bytes, encoding: str) -> None:
    # gzip is detected from the body, not from the headers.
    def answer(exchange: Exchange) -> None:
        exchange.reply(200, beginning, length=len(beginning) + MIB, Content_Encoding=encoding)
        exchange.stall()

    with Loopback(answer) as server:
        # With a timeout above the time limit of a test, a client that waits for more does not pass.
        assert ask(server.url, timeout=1000).code == "keys_valid"


def test_a_large_answer_is_not_read() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.reply(200, b'{"packages": {', length=200 * MIB)
        for _number in range(200):
            exchange.send(b" " * MIB)

    with Loopback(answer) as server:
        assert ask(server.url).code == "keys_valid"
    # When the connection was closed, the data sent was in the buffers of client and server.
    assert server.requests[0].sent < 20 * MIB


def test_the_number_of_blanks_is_limited() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.reply(200, b" " * MIB, length=200 * MIB)
        exchange.stall()

    with Loopback(answer) as server:
        assert ask(server.url).code == "not_a_repository"


@pytest.mark.parametrize("chunks", [[b"{", b'"'], [b" ", b"\n{", b" ", b"}"], [b"\x1f", gzip.compress(b"{}")[1:]]])
def test_the_beginning_may_arrive_in_pieces(chunks: List[bytes]) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            exchange.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            time.sleep(0.02)
        exchange.stall()

    with Loopback(answer) as server:
        assert ask(server.url).code == "keys_valid"


def test_a_default_url_is_a_guess() -> None:
    expected = {200: "keys_valid", 401: "keys_invalid", 402: "access_refused", 403: "access_refused"}
    for status in (200, 401, 402, 403, 404, 429, 503, 418):
        with Loopback(lambda exchange, status=status: exchange.json("{}", status=status)) as server:  # type: ignore[misc]
            verdict = ask(None, repository=server.netloc)
        assert verdict.code == expected.get(status, "no_address"), verdict
        assert verdict.http_status == status
        assert (verdict.status == "not_checked") is (status not in expected)
    assert server.url in verdict.message and "url" in verdict.message
