# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts from curl runs: valid, invalid or refused after a clear answer, unknown otherwise."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.verdict import (
    STATUS,
    CurlEnd,
    excerpt,
    judge_help,
    verdict,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import quoting

MAGE_ID, TOKEN = "MAG123456789", "0123456789" * 4
URL = "https://www.magentocommerce.com/products/downloads/info/help"
QUOTE = quoting(MAGE_ID, TOKEN)
HELP = b"Downloads Usage:\n  curl ...\n"


def judged(exit_code: int = 0, **facts: Any) -> Dict[str, Any]:
    end = CurlEnd(exit_code, **facts)
    finding = judge_help(end, URL, QUOTE)
    return verdict(finding, host="h", url=URL, mage_id=MAGE_ID, curl=end.as_result(QUOTE), path=None)


ANSWERS: Dict[str, Tuple[Dict[str, Any], Tuple[str, str]]] = {
    "the help page": ({"http_status": 200, "body": HELP}, ("valid", "token_valid")),
    "the help page within HTML": ({"http_status": 200, "body": b"<pre>" + HELP}, ("valid", "token_valid")),
    "a short text": ({"http_status": 200, "body": b"No such file or no access"}, ("unknown", "not_the_downloads")),
    "nothing": ({"http_status": 200}, ("unknown", "not_the_downloads")),
    "a page": ({"http_status": 200, "body": b"<html>Sign in"}, ("unknown", "not_the_downloads")),
    "401": ({"http_status": 401}, ("invalid", "token_invalid")),
    "402": ({"http_status": 402}, ("refused", "access_refused")),
    "403": ({"http_status": 403}, ("refused", "access_refused")),
    "404": ({"http_status": 404}, ("unknown", "wrong_address")),
    "407": ({"http_status": 407}, ("unknown", "proxy_failed")),
    "429": ({"http_status": 429}, ("unknown", "rate_limited")),
    "500": ({"http_status": 500}, ("unknown", "server_error")),
    "418": ({"http_status": 418}, ("unknown", "unexpected_status")),
    "a login page": (
        {"http_status": 302, "redirect_url": "https://www.magentocommerce.com/customer/account/login/"},
        ("unknown", "login_page"),
    ),
    "another URL": ({"http_status": 301, "redirect_url": "https://cdn.example/x"}, ("unknown", "redirected")),
    "a redirect without target": ({"http_status": 302}, ("unknown", "redirected")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_status_of_an_answer(name: str) -> None:
    facts, expected = ANSWERS[name]
    found = judged(**facts)
    assert (found["status"], found["code"]) == expected
    assert found["http_status"] == facts["http_status"] and found["curl"]["exit_code"] == 0


@pytest.mark.parametrize(
    ("exit_code", "error", "code"),
    [
        (5, "Could not resolve proxy: proxy.example", "proxy_failed"),
        (6, "Could not resolve host: www.magentocommerce.com", "connection_failed"),
        (7, "Failed to connect to www.magentocommerce.com port 443", "connection_failed"),
        (7, "Failed to connect to proxy.example port 3128 via proxy", "proxy_failed"),
        (18, "transfer closed with 5 bytes remaining to read", "connection_lost"),
        (23, "Failure writing output to destination", "curl_failed"),
        (26, "", "netrc_unreadable"),
        (28, "Operation timed out after 2001 milliseconds", "timed_out"),
        (35, "TLS connect error", "tls_failed"),
        (52, "Empty reply from server", "connection_lost"),
        (56, "Recv failure: Connection reset by peer", "connection_lost"),
        (56, "CONNECT tunnel failed, response 403", "proxy_failed"),
        (60, "SSL certificate problem: self-signed certificate", "tls_failed"),
        (77, "error setting certificate file: /none", "tls_failed"),
        (97, "proxy handshake error", "proxy_failed"),
        (99, "something new", "curl_failed"),
    ],
)
def test_run_without_an_answer(exit_code: int, error: str, code: str) -> None:
    found = judged(exit_code, error=f"curl: ({exit_code}) {error}" if error else "")
    assert (found["status"], found["code"], found["http_status"]) == ("unknown", code, None)
    assert error in found["message"] and f"curl exit code {exit_code}" in found["message"]
    assert found["curl"]["exit_code"] == exit_code


def test_refusal_by_a_proxy_is_no_verdict_on_the_token() -> None:
    found = judged(56, proxy_status=407, error="curl: (56) Received HTTP code 407 from proxy after CONNECT")
    assert (found["status"], found["code"]) == ("unknown", "proxy_failed")


def test_codes_for_valid_and_invalid() -> None:
    assert {code for code, status in STATUS.items() if status == "invalid"} == {"token_invalid"}
    assert {code for code, status in STATUS.items() if status == "valid"} == {"token_valid"}


@pytest.mark.parametrize("form", [TOKEN, TOKEN.upper(), "TUFHMTIzNDU2Nzg5OjAxMjM0NTY3ODk"])
def test_token_is_redacted_in_every_form(form: str) -> None:
    body = f"no access for {form}".encode()
    assert TOKEN not in str(judged(http_status=200, body=body)).lower()
    assert TOKEN not in str(judged(http_status=401, body=body, headers={"content-type": "text/plain"})).lower()
    assert TOKEN not in str(judged(7, error=f"curl: (7) {form}")).lower()


def test_text_of_the_server_is_one_short_printable_line() -> None:
    found = judged(http_status=200, body=b"\x1b[31mone\r\ntwo\x7f" + 5000 * b"x")
    assert '" [31mone two' not in found["message"] and "[31mone two xxx" in found["message"]
    assert found["message"].isprintable() and len(found["message"]) < 700


@pytest.mark.parametrize("retry_after", ["", "77"])
def test_retry_after_is_reported(retry_after: str) -> None:
    message: Optional[str] = judged(http_status=429, headers={"retry-after": retry_after})["message"]
    assert ("Retry-After: 77" in str(message)) == bool(retry_after)


def test_length_of_an_excerpt() -> None:
    assert len(excerpt(b"word " * 500, lambda text: text)) == 200
    assert excerpt(b"short", lambda text: text) == "short"


@pytest.mark.parametrize("body", [b"PK\x03\x04\x14\x00", b"\x1f\x8b\x08\x00", b"text\x00", "utf-16".encode("utf-16")])
def test_binary_data_is_not_shown(body: bytes) -> None:
    assert excerpt(body + b"word " * 500, lambda text: text) == "binary data"
    assert excerpt(b"word \t\r\n\f\x1b[1m\xe4" * 500 + body, lambda text: text) != "binary data"
