# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on answers: statuses, bodies and server text."""

from __future__ import annotations

import json
import random
from typing import Any, Dict, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import quoting, server_text
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.outcome import Finding, HttpAnswer, Verdict
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import (
    conclude,
    entitlement,
    judge_answer,
    judge_file,
    opens_object,
)

MAGENTO, VENDOR = "repo.magento.com", "composer.vendor.example"
PUBLIC, PRIVATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
QUOTE = quoting(PUBLIC, PRIVATE)
WHERE = "https://repo.example/packages.json"


def verdict_on(answer: HttpAnswer, repository: str = MAGENTO, guessed: bool = False) -> Verdict:
    return conclude(
        judge_answer(answer, WHERE, QUOTE), repository=repository, url="https://repo.example/", guessed=guessed
    )


TABLE = [
    (200, "valid", "keys_valid", None),
    (401, "invalid", "keys_invalid", "swapped"),
    (402, "refused", "access_refused", "unpaid invoice"),
    (403, "refused", "access_refused", "shared account"),
    (404, "unknown", "wrong_address", "option url"),
    (407, "unknown", "proxy_failed", "https_proxy"),
    (429, "unknown", "rate_limited", "later"),
    (500, "unknown", "server_error", "later"),
    (503, "unknown", "server_error", "later"),
    (599, "unknown", "server_error", "later"),
    (100, "unknown", "unexpected_status", "option url"),
    (204, "unknown", "unexpected_status", "option url"),
    (304, "unknown", "unexpected_status", "option url"),
    (418, "unknown", "unexpected_status", "option url"),
    (600, "unknown", "unexpected_status", "option url"),
]


@pytest.mark.parametrize(("http_status", "status", "code", "hint"), TABLE)
def test_the_status_decides_and_the_message_gives_advice(
    http_status: int, status: str, code: str, hint: Optional[str]
) -> None:
    body = b'{"warning": "Your keys are invalid."}'
    verdict = verdict_on(HttpAnswer(http_status, body, "application/json"))
    assert (verdict.status, verdict.code, verdict.http_status) == (status, code, http_status), verdict
    assert hint is None or hint in verdict.message, verdict
    assert ("Your keys are invalid." in verdict.message) is (http_status != 200)


def test_a_401_advises_against_disabling_keys() -> None:
    assert "do not disable or delete" in verdict_on(HttpAnswer(401)).message


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_shown(status: int) -> None:
    assert "Retry-After: 120" in verdict_on(HttpAnswer(status, retry_after="120")).message


@pytest.mark.parametrize(("status", "words"), [(401, "account"), (403, "shared account")])
def test_advice_about_adobe_is_given_only_for_adobe(status: int, words: str) -> None:
    assert words in verdict_on(HttpAnswer(status)).message
    assert "vendor" in verdict_on(HttpAnswer(status), VENDOR).message


@pytest.mark.parametrize(("http_status", "status", "code", "hint"), TABLE)
def test_only_a_clear_answer_of_a_guessed_url_counts(
    http_status: int, status: str, code: str, hint: Optional[str]
) -> None:
    verdict = verdict_on(HttpAnswer(http_status, b"{}"), VENDOR, guessed=True)
    expected = (status, code) if status != "unknown" else ("not_checked", "no_address")
    assert (verdict.status, verdict.code, verdict.http_status) == (*expected, http_status)
    if status == "unknown":
        assert "https://repo.example/" in verdict.message and "option url" in verdict.message


@pytest.mark.parametrize(
    "code", ["tls_failed", "timed_out", "connection_failed", "connection_lost", "redirected", "proxy_failed"]
)
def test_a_fault_of_the_connection_is_no_verdict_on_the_pair(code: str) -> None:
    finding = Finding(code, "Something happened.")
    verdict = conclude(finding, repository=MAGENTO, url=WHERE)
    assert (verdict.status, verdict.code, verdict.http_status) == ("unknown", code, None)
    assert conclude(finding, repository=VENDOR, url=WHERE, guessed=True).code == "no_address"


def test_the_result_has_the_documented_keys() -> None:
    result = verdict_on(HttpAnswer(200, b"{}")).as_result()
    assert sorted(result) == ["code", "http_status", "message", "packages", "repository", "status", "url"]
    json.dumps(result)


# Bodies


@pytest.mark.parametrize(
    ("body", "opens"),
    [
        (b"{}", True),
        (b'{"', True),
        (b' \r\n\t{\n\t "packages"', True),
        (b"", None),
        (b" \n", None),
        (b"{", None),
        (b"{ ", None),
        (b"[]", False),
        (b"[{}]", False),
        (b"null", False),
        (b"<html>{}", False),
        (b"{packages: 1}", False),
        (b"{{", False),
        (b"\xef\xbb\xbf{}", False),
        ('{"a": 1}'.encode("utf-16"), False),
        (b"\x0b{}", False),
        (b"\x00{}", False),
    ],
)
def test_the_beginning_of_an_object(body: bytes, opens: Optional[bool]) -> None:
    assert opens_object(body) is opens


def test_the_beginning_of_random_objects() -> None:
    numbers = random.Random(20260101)
    for _number in range(300):
        value: Dict[str, Any] = {chr(numbers.randrange(32, 0x2FF)) * numbers.randrange(3): numbers.random()}
        body = json.dumps(value if numbers.random() < 0.9 else {}, indent=numbers.choice([None, 0, 4])).encode()
        assert opens_object(body) is True, body
        assert opens_object(body[: numbers.randrange(len(body))]) in (True, None), body


def test_any_body_with_200_is_valid_or_unknown_and_printable() -> None:
    numbers = random.Random(20260102)
    alphabet = [b"{", b"}", b'"', b"[", b" ", b"\n", b"<title>", b"\xff", b"\x00", b"a", "ü".encode(), PRIVATE.encode()]
    for _number in range(2000):
        body = b"".join(numbers.choice(alphabet) for _position in range(numbers.randrange(8)))
        kind = numbers.choice(["", "text/plain", "text/html; charset=x", "application/json", PRIVATE])
        verdict = verdict_on(HttpAnswer(200, body, kind))
        assert verdict.code in ("keys_valid", "not_a_repository"), (body, kind)
        assert verdict.message.isprintable() and PRIVATE not in verdict.message, (body, kind)


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        ('{"warning": "w", "message": "m"}', "application/json", "w"),
        ('{"warning": "", "message": "m"}', "", "m"),
        ('{"warning": {"a": 1}, "error": "e"}', "", "e"),
        ('{"other": "o"}', "", ""),
        ("<html><TITLE lang='en'>Log &amp; in</TITLE><p>much</html>", "", "Log & in"),
        ("no tags", "text/html", ""),
        ("plain", "text/plain; charset=utf-8", "plain"),
        ("plain", "application/octet-stream", ""),
        ("[" * 100000, "application/json", ""),
        ("<title" * 100_000, "text/html", ""),
        ("<title>" * 100_000 + "Sign in</title>", "text/html", "Sign in"),
        (f"<title>Sign in &#{'9' * 5_000};&#{'0' * 5_000}97;</title>", "text/html", "Sign in \ufffda"),
        ("<title>x&#0000000097; &#123456789;</title>", "text/html", "xa \ufffd"),
        (f"<title>&#1&#99999999;{'2' * 5_000}&#000&#0;</title>", "text/html", f"\ufffd{'2' * 5_000}\ufffd\ufffd"),
        ("<title>Sign in to R&D</title>", "text/html", "Sign in to R&D"),
    ],
)
def test_server_text(body: str, kind: str, shown: str) -> None:
    assert server_text(body.encode(), kind) == shown


# Packages


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_refused_file_does_not_make_the_pair_invalid(status: int) -> None:
    finding = judge_file(HttpAnswer(status), "p.json", QUOTE)
    assert finding is not None and finding.code == "unexpected_status" and finding.http_status == status
    assert judge_file(HttpAnswer(200, b"<html>"), "p.json", QUOTE) is None


def test_absent_packages_are_named_with_causes() -> None:
    packages = {"a/one": "listed", "a/two": "absent", "a/three": "absent", "a/four": "unknown"}
    finding = entitlement(packages, Finding("timed_out", "Late."), MAGENTO)
    verdict = conclude(finding, repository=MAGENTO, url=WHERE, packages=packages)
    assert (verdict.status, verdict.code, verdict.http_status) == ("not_entitled", "package_absent", 200)
    assert "a/two, a/three" in verdict.message and "a/one" not in verdict.message
    assert "another MAGEID" in verdict.message
    assert "MAGEID" not in entitlement(packages, None, VENDOR).hint


def test_a_fault_makes_packages_unknown_not_absent() -> None:
    finding = entitlement({"a/one": "unknown"}, Finding("timed_out", "Late."), MAGENTO)
    verdict = conclude(finding, repository=MAGENTO, url=WHERE)
    assert (verdict.status, verdict.code) == ("unknown", "timed_out") and "Late." in verdict.message
    assert entitlement({"a/one": "listed"}, Finding("timed_out", "Late."), MAGENTO).code == "keys_valid"
