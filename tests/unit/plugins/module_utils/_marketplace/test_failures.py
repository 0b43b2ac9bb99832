# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failing call of the Marketplace API means, in words that are fit to be shown."""

from __future__ import annotations

import base64
import json
from typing import Any, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.failures import (
    Voice,
    item_refused,
    number,
    refused,
    unreadable,
)

SECRET = "made-up/application-secret"


def voice() -> Voice:
    return Voice("APP0000001", SECRET)


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
def test_what_the_server_says_is_one_line_without_secrets(text: object, shown: str) -> None:
    assert voice().shown(text) == shown


def test_no_part_of_a_secret_is_shown() -> None:
    secret = "made-up-app-" + "0123456789abcdef" * 2 + "-secret"
    speaker = Voice("an application id that is long", secret)
    assert speaker.shown(f"no {secret}, {'a' * 32}") == ""
    assert speaker.shown(f"no {'a' * 32} {'b' * 64}") == "no *** ***"
    # It is not shown among the arguments either.
    assert speaker.shown("no an application id that is long") == ""
    assert speaker.shown("f" * 1168 + " " + "fedcba9876543210" * 2) == "*** ***"


def test_what_repeats_a_secret() -> None:
    speaker = voice()
    assert not speaker.repeats("made-up-token") and not speaker.repeats("APP0000001")
    speaker.hide("made-up-token")
    assert speaker.repeats("a made-up-token") and speaker.repeats(SECRET)
    assert Voice("made-up-application-that-is-long", SECRET).repeats("made-up-application-that-is-long")


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
def test_a_mask_leaves_no_part_of_a_known_secret(secret: str, text: str) -> None:
    said = text.format(secret)
    assert Voice("APP0000001", secret).shown(said) == "" != Voice("APP0000001", "another/made-up").shown(said)
    speaker = voice()
    speaker.hide(f"x{secret}")
    assert speaker.shown(text.format(f"x{secret}")) == ""


def test_tokens_may_be_long_and_many_and_begin_alike() -> None:
    speaker = voice()
    begin = "eyJhbGciOiJIUzI1NiJ9." * 8
    tokens = [begin + "".join(chr(97 + (number * index) % 23) for index in range(1000)) for number in range(1, 11)]
    for token in tokens:
        speaker.hide(token)
    assert speaker.shown("fine") == "fine" and not speaker.repeats("MAG000000001")
    for token in tokens:
        assert speaker.shown(f"no {token}") == "" == speaker.shown(f"no {token[-20:]}")
        assert speaker.repeats(token) and speaker.repeats(token[-20:])


HALF = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
MACHINE_MADE = [
    HALF.upper(),
    HALF[:12],
    HALF[:31],
    "-".join(HALF[at : at + 4] for at in range(0, 32, 4)),
    base64.b64encode(HALF.encode()).decode(),
    base64.b64encode(f"{'e' * 32}:{HALF}".encode()).decode(),
    "eyJhbGciOiJIUzI1NiJ9eyJtYWdlX2lkIjoi",
]


@pytest.mark.parametrize("text", MACHINE_MADE)
def test_what_machines_make_is_not_shown(text: str) -> None:
    assert voice().shown(f"Pair {text} is locked") == "Pair *** is locked"
    assert voice().shown("x " * 140 + text)[-15:].rstrip(".").strip("x ") == "***"
    for escape in ("&#{};", "\\u{:04x}", "%{:02x}", "%u{:04x}"):
        escaped = "".join(escape.format(ord(char)) for char in text[:35])
        assert voice().shown(f"Pair {escaped} is locked") == ""


def test_what_people_write_is_shown() -> None:
    for said in (
        "The label 'prod-20260101' of MAG123456789 is taken, see https://developer.adobe.com/commerce/marketplace",
        "Magento\\Framework\\Exception\\LocalizedException: label exists",
    ):
        assert voice().shown(said) == said


def test_a_session_token_is_a_secret_from_then_on() -> None:
    speaker = voice()
    assert speaker.shown("Bearer made-up-token") == "Bearer made-up-token"
    speaker.hide("made-up-token")
    assert speaker.shown("Bearer made-up-token") == ""


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
def test_codes_are_numbers(value: Any, found: Optional[int]) -> None:
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
def test_the_code_follows_the_status(status: int, signing_in: bool, code: str, hint: str) -> None:
    body = json.dumps({"code": 1208, "message": f"No {'a' * 32} here"}).encode()
    error = refused("list the keys", status, body, "", voice(), signing_in=signing_in, lost=True)
    assert error.code == code
    assert error.message.startswith(f"Cannot list the keys: the Marketplace answers HTTP {status}, code 1208.")
    assert '"No *** here"' in error.message
    assert hint in error.message
    assert error.details == {"api_code": 1208, "http_status": status, "answer_lost": status >= 500}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"code": [], "message": {}}', b"[" * 100000])
def test_a_body_that_says_nothing_adds_nothing(body: bytes) -> None:
    error = refused("list the keys", 404, body, "", voice())
    assert error.message == "Cannot list the keys: the Marketplace answers HTTP 404."


def test_the_pause_that_is_asked_for_is_told() -> None:
    assert "(Retry-After: 90)" in refused("list the keys", 429, b"", "90", voice()).message
    assert "Retry-After" not in refused("list the keys", 404, b"", "90", voice()).message


def test_failures_of_items_and_of_answers() -> None:
    error = item_refused("disable 'a'", 1210, "Not today.")
    assert error.message == "Cannot disable 'a': the Marketplace refuses (code 1210). Not today."
    assert item_refused("disable 'a'", None, "").message == "Cannot disable 'a': the Marketplace refuses (code none)."
    error = unreadable("create 1 key", "it is not JSON", lost=True)
    assert (error.code, error.details) == ("api_answer_unusable", {"answer_lost": True})
