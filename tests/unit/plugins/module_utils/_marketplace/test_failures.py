# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors for failed calls of the Marketplace API, with messages that are safe to show."""

from __future__ import annotations

import base64
import json
from typing import Any, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.failures import (
    Redactor,
    item_refused,
    number,
    refused,
    unreadable,
)

SECRET = "made-up/application-secret"


def redactor() -> Redactor:
    return Redactor("APP0000001", SECRET)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\n\tc", "a b c"),
        (f"secret {SECRET}.", ""),
        ("made-up%2Fapplication-secret", ""),
        ("key 0123456789abcdef0123456789ABCDEF0", "key ***"),
        ("0123456789a", "0123456789a"),
        ("x" * 400, "***"),
        ("x " * 400, "x " * 148 + "x..."),
        (None, ""),
        (7, ""),
        (["a"], ""),
    ],
)
def test_text_of_the_server_is_one_line_without_secrets(text: object, shown: str) -> None:
    assert redactor().shown(text) == shown


def test_no_part_of_a_secret_is_shown() -> None:
    secret = "made-up-app-" + "0123456789abcdef" * 2 + "-secret"
    session_redactor = Redactor("an application id that is long", secret)
    assert session_redactor.shown(f"no {secret}, {'a' * 32}") == ""
    assert session_redactor.shown(f"no {'a' * 32} {'b' * 64}") == "no *** ***"
    # The application id is redacted, too.
    assert session_redactor.shown("no an application id that is long") == ""
    assert session_redactor.shown("f" * 1168 + " " + "fedcba9876543210" * 2) == "*** ***"


def test_text_that_repeats_a_secret() -> None:
    session_redactor = redactor()
    assert not session_redactor.repeats("made-up-token") and not session_redactor.repeats("APP0000001")
    session_redactor.hide("made-up-token")
    assert session_redactor.repeats("a made-up-token") and session_redactor.repeats(SECRET)
    assert Redactor("made-up-application-that-is-long", SECRET).repeats("made-up-application-that-is-long")


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("Pa55w!rd-x.Y", "Invalid application_secret={}"),
        ("S3!cr.t202412312359P@ss.wd", "wrong secret {}"),
        ("/xY9+Q/" + "a" * 24 + "/xY9+Qz", "wrong secret '{}'"),
        ("s3cr3t!", "application_secret={}"),
        ("ordinary.Pass!word1", "x-" * 2000 + " {}"),
    ],
)
def test_masking_leaves_no_part_of_a_known_secret(secret: str, text: str) -> None:
    message = text.format(secret)
    assert (
        Redactor("APP0000001", secret).shown(message) == "" != Redactor("APP0000001", "another/made-up").shown(message)
    )
    session_redactor = redactor()
    session_redactor.hide(f"x{secret}")
    assert session_redactor.shown(text.format(f"x{secret}")) == ""


def test_many_long_tokens_with_a_common_prefix() -> None:
    session_redactor = redactor()
    prefix = "eyJhbGciOiJIUzI1NiJ9." * 8
    tokens = [prefix + "".join(chr(97 + (number * index) % 23) for index in range(1000)) for number in range(1, 11)]
    for token in tokens:
        session_redactor.hide(token)
    assert session_redactor.shown("fine") == "fine" and not session_redactor.repeats("MAG000000001")
    for token in tokens:
        assert session_redactor.shown(f"no {token}") == "" == session_redactor.shown(f"no {token[-20:]}")
        assert session_redactor.repeats(token) and session_redactor.repeats(token[-20:])


HALF = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
KEY_LIKE = [
    HALF.upper(),
    HALF[:12],
    HALF[:31],
    "-".join(HALF[at : at + 4] for at in range(0, 32, 4)),
    base64.b64encode(HALF.encode()).decode(),
    base64.b64encode(f"{'e' * 32}:{HALF}".encode()).decode(),
    "eyJhbGciOiJIUzI1NiJ9eyJtYWdlX2lkIjoi",
]


@pytest.mark.parametrize("text", KEY_LIKE)
def test_key_like_text_is_masked(text: str) -> None:
    assert redactor().shown(f"Pair {text} is locked") == "Pair *** is locked"
    assert redactor().shown("x " * 140 + text)[-15:].rstrip(".").strip("x ") == "***"
    for escape in ("&#{};", "\\u{:04x}", "%{:02x}", "%u{:04x}"):
        escaped = "".join(escape.format(ord(char)) for char in text[:35])
        assert redactor().shown(f"Pair {escaped} is locked") == ""


def test_ordinary_text_is_shown() -> None:
    for message in (
        "The label 'prod-20260101' of MAG123456789 is taken, see https://developer.adobe.com/commerce/marketplace",
        "Magento\\Framework\\Exception\\LocalizedException: label exists",
    ):
        assert redactor().shown(message) == message


def test_hidden_token_is_redacted() -> None:
    session_redactor = redactor()
    assert session_redactor.shown("Bearer made-up-token") == "Bearer made-up-token"
    session_redactor.hide("made-up-token")
    assert session_redactor.shown("Bearer made-up-token") == ""


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (200, 200),
        ("1208", 1208),
        (True, None),
        (None, None),
        ("", None),
        ("a", None),
        (2.5, None),
        (10**9, None),
        ("1" * 10, None),
    ],
)
def test_numbers(value: Any, found: Optional[int]) -> None:
    assert number(value) == found


@pytest.mark.parametrize(
    ("status", "signing_in", "code", "hint"),
    [
        (301, False, "api_redirected", "Nothing was sent there"),
        (400, False, "api_refused", ""),
        (401, True, "api_unauthorized", "application_secret"),
        (401, False, "api_session_refused", "outage"),
        (403, False, "api_forbidden", "developer profile"),
        (404, False, "api_refused", ""),
        (429, False, "api_rate_limited", "Run again later"),
        (500, False, "api_unavailable", "run again later"),
        (503, True, "api_unavailable", "run again later"),
    ],
)
def test_code_and_hint_for_a_status(status: int, signing_in: bool, code: str, hint: str) -> None:
    body = json.dumps({"code": 1208, "message": f"No {'a' * 32} here"}).encode()
    error = refused("list the keys", status, body, "", redactor(), signing_in=signing_in)
    assert error.code == code
    assert error.message.startswith(f"Cannot list the keys: the Marketplace answers HTTP {status}, code 1208.")
    assert '"No *** here"' in error.message
    assert hint in error.message
    assert error.details == {"api_code": 1208, "http_status": status, "answer_lost": status >= 500 and not signing_in}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"code": [], "message": {}}', b"[" * 100000])
def test_body_without_a_message(body: bytes) -> None:
    error = refused("list the keys", 404, body, "", redactor())
    assert error.message == "Cannot list the keys: the Marketplace answers HTTP 404."


def test_retry_after_is_reported() -> None:
    assert "(Retry-After: 90)" in refused("list the keys", 429, b"", "90", redactor()).message
    assert "Retry-After" not in refused("list the keys", 404, b"", "90", redactor()).message


def test_refused_item_and_unusable_answer() -> None:
    error = item_refused("disable 'a'", 1210, "Not today.")
    assert error.message == "Cannot disable 'a': the Marketplace refuses (code 1210). Not today."
    assert item_refused("disable 'a'", None, "").message == "Cannot disable 'a': the Marketplace refuses (code none)."
    error = unreadable("create 1 key", "it is not JSON", lost=True)
    assert (error.code, error.details) == ("api_answer_unusable", {"answer_lost": True})
