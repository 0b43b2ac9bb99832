# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to verdicts: the table, odd bodies, and what is shown of a server's words."""

from __future__ import annotations

import base64
import binascii
import html
import json
import random
import tracemalloc
from typing import Any, Dict, List, Optional
from urllib.parse import quote as percent_encode

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._disguise import unescaped
from ansible_collections.keyfleet.magento.plugins.module_utils._verdict import (
    TEXT_LIMIT,
    Answer,
    Finding,
    Verdict,
    conclude,
    entitlement,
    forms_of,
    judge,
    judge_part,
    opens_object,
    quoting,
    repeating,
    server_text,
)

MAGENTO, VENDOR = "repo.magento.com", "composer.vendor.example"
PUBLIC, PRIVATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
QUOTE = quoting(PUBLIC, PRIVATE)
WHERE = "https://repo.example/packages.json"


def verdict_on(answer: Answer, repository: str = MAGENTO, guessed: bool = False) -> Verdict:
    return conclude(judge(answer, WHERE, QUOTE), repository=repository, url="https://repo.example/", guessed=guessed)


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
def test_the_status_decides_and_the_message_says_what_to_look_at(
    http_status: int, status: str, code: str, hint: Optional[str]
) -> None:
    body = b'{"warning": "Your keys are invalid."}'
    verdict = verdict_on(Answer(http_status, body, "application/json"))
    assert (verdict.status, verdict.code, verdict.http_status) == (status, code, http_status), verdict
    assert hint is None or hint in verdict.message, verdict
    assert ("Your keys are invalid." in verdict.message) is (http_status != 200)


def test_a_401_warns_of_destroying_anything() -> None:
    assert "do not disable or delete" in verdict_on(Answer(401)).message


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_server_asks_for_is_told(status: int) -> None:
    assert "Retry-After: 120" in verdict_on(Answer(status, retry_after="120")).message


@pytest.mark.parametrize(("status", "words"), [(401, "account"), (403, "shared account")])
def test_advice_of_adobe_is_given_only_for_adobe(status: int, words: str) -> None:
    assert words in verdict_on(Answer(status)).message
    assert "vendor" in verdict_on(Answer(status), VENDOR).message


@pytest.mark.parametrize(("http_status", "status", "code", "hint"), TABLE)
def test_only_a_clear_answer_counts_at_an_address_that_nobody_gave(
    http_status: int, status: str, code: str, hint: Optional[str]
) -> None:
    verdict = verdict_on(Answer(http_status, b"{}"), VENDOR, guessed=True)
    expected = (status, code) if status != "unknown" else ("not_checked", "no_address")
    assert (verdict.status, verdict.code, verdict.http_status) == (*expected, http_status)
    if status == "unknown":
        assert "https://repo.example/" in verdict.message and "option url" in verdict.message


@pytest.mark.parametrize(
    "code", ["tls_failed", "timed_out", "connection_failed", "connection_lost", "redirected", "proxy_failed"]
)
def test_what_kept_an_answer_away_says_nothing_of_the_pair(code: str) -> None:
    finding = Finding(code, "Something happened.")
    verdict = conclude(finding, repository=MAGENTO, url=WHERE)
    assert (verdict.status, verdict.code, verdict.http_status) == ("unknown", code, None)
    assert conclude(finding, repository=VENDOR, url=WHERE, guessed=True).code == "no_address"


def test_the_result_has_the_documented_keys() -> None:
    result = verdict_on(Answer(200, b"{}")).as_result()
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


def test_every_object_opens_as_one_and_its_beginning_never_as_anything_else() -> None:
    numbers = random.Random(20260101)
    for _number in range(300):
        value: Dict[str, Any] = {chr(numbers.randrange(32, 0x2FF)) * numbers.randrange(3): numbers.random()}
        body = json.dumps(value if numbers.random() < 0.9 else {}, indent=numbers.choice([None, 0, 4])).encode()
        assert opens_object(body) is True
        assert opens_object(body[: numbers.randrange(len(body))]) in (True, None)


def test_whatever_comes_with_200_it_is_valid_or_unknown_and_fit_to_print() -> None:
    numbers = random.Random(20260102)
    alphabet = [b"{", b"}", b'"', b"[", b" ", b"\n", b"<title>", b"\xff", b"\x00", b"a", "ü".encode(), PRIVATE.encode()]
    for _number in range(2000):
        body = b"".join(numbers.choice(alphabet) for _position in range(numbers.randrange(8)))
        kind = numbers.choice(["", "text/plain", "text/html; charset=x", "application/json", PRIVATE])
        verdict = verdict_on(Answer(200, body, kind))
        assert verdict.code in ("keys_valid", "not_a_repository")
        assert verdict.message.isprintable() and PRIVATE not in verdict.message


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
        (f"<title>Sign in &#{'9' * 5_000};</title>", "text/html", None),
        ("<title>" + "&#97;" * 300 + "</title>", "text/html", "a" * 240),
        ("<title>x" + "&#97;" * 300 + "</title>", "text/html", "x" + "a" * 239),
        ("<title>R&D, sign in</title>", "text/html", "R&D, sign in"),
        ("<title>Sign in to R&D</title>", "text/html", "Sign in to R&D"),
    ],
)
def test_the_words_of_the_server(body: str, kind: str, shown: Optional[str]) -> None:
    words = server_text(body.encode(), kind)
    assert words == shown if shown is not None else words.startswith("Sign in")


@pytest.mark.parametrize("size", range(1, len(PRIVATE)))
def test_a_text_that_was_cut_within_a_secret(size: int) -> None:
    beginning = PRIVATE[:size]
    assert QUOTE(f"bad {beginning}") == (f"bad {beginning}" if size < 8 else "bad ***")
    title = "<title>" + " " * (1200 - size) + PRIVATE
    assert PRIVATE[:8] not in QUOTE(server_text(title.encode() + b"</title>", "text/html"))


@pytest.mark.parametrize("size", range(14, 25))
def test_a_text_that_was_cut_within_a_character(size: int) -> None:
    secret = "made-up-b\u20ac-\U0001f600-password"
    assert quoting("u", secret)(f"bad {secret.encode()[:size].decode('utf-8', 'replace')}") == "bad ***"


def test_a_user_name_that_is_not_shown_is_not_quoted() -> None:
    token = "ghp_" + "madeUp0123456789" * 2
    quote = quoting(token, "x-oauth-basic")
    assert quote(f"bad {token}, bad x-oauth-basic") == "bad ***, bad ***"
    assert quoting(token, "x")(f"bad {token}") == ""  # with a short password nothing that has one of them
    assert quoting(PUBLIC, PRIVATE)(f"bad {PUBLIC}") == f"bad {PUBLIC}"


# What is shown


def test_foreign_text_becomes_one_short_printable_line() -> None:
    shown = QUOTE("a\r\n\tb\x1b[31mc\u202ed\ud800e " + "x" * 1000)
    assert shown.startswith("a b [31mc d e xxx") and shown.isprintable() and len(shown) == TEXT_LIMIT


@pytest.mark.parametrize(
    "form",
    [
        PRIVATE,
        PRIVATE.upper(),
        base64.b64encode(f"{PUBLIC}:{PRIVATE}".encode()).decode(),
        base64.b64encode(PRIVATE.encode()).decode(),
    ],
)
def test_the_private_key_is_cut_out_in_every_form(form: str) -> None:
    for before in ("", "x" * 10, "y" * (TEXT_LIMIT - 10)):
        shown = QUOTE(f"{before}{form} end")
        assert form[:6] not in shown and form[-7:-2] not in shown, shown


@pytest.mark.parametrize(
    "secret", ["pass word/ü&more", "tom&notjerry99", 'it\'s <"more">', "two  blanks\tand more", "a.b*c+(d)[e]"]
)
def test_odd_passwords_are_cut_out_too(secret: str) -> None:
    quote = quoting("token", secret)
    assert quote(f"<{secret}>") == "<***>"
    data = secret.encode()
    for form in (
        percent_encode(secret, safe=""),
        "".join(f"%{byte:02X}" for byte in data),
        html.escape(secret),
        html.unescape(secret),
        html.escape(secret).replace("&#x27;", "&#039;"),
        data.decode("latin-1"),
        secret.encode("latin-1").decode("utf-8", "replace"),
    ):
        assert quote(f"<{form}>") == "<***>"


def test_pairs_that_meet_no_text_take_no_memory() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            assert quoting("u", f"{number}" + "\U0001f600" * 900)("") == ""
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_password_that_is_no_utf_8() -> None:
    data = b"made-up-\xe4\xf6\xfc-password"
    quote = quoting("user", data.decode("utf-8", "surrogateescape"))
    assert quote(f"<{base64.b64encode(b'user:' + data).decode()}>").rstrip("=>") == "<***"
    assert quote(f"<{data.decode('utf-8', 'replace')}>") == "<***>"


def test_what_repeats_a_secret() -> None:
    repeats = repeating(forms_of([("user", PRIVATE), ("user", "short")]))
    assert repeats(f"a {PRIVATE.upper()} b") and repeats(base64.b64encode(f"u:{PRIVATE}".encode()).decode())
    assert not repeats(f"short user {PUBLIC}") and not repeating(forms_of([("user", "")]))("anything")
    # A name that is not shown either.
    assert repeating(forms_of([("f" * 40, PRIVATE)]))("f" * 40)
    long = "a" * 4000 + "b"
    assert repeating(forms_of([("user", long)]))(f"<{long}>") and not repeating(forms_of([("user", long)]))("a" * 63)


ODD = 'it\'s-a<b>&"c" \u20ac-made-up!(1)*~'
# By PHP before 8.1, Python's html.escape without quotes, Go, encodeURIComponent, and Go's JSON; in a page of Windows.
ODD_FORMS = [
    ODD.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
    html.escape(ODD, quote=False),
    html.escape(ODD).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    percent_encode(ODD, safe="!'()*~"),
    json.dumps(ODD)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003E"),
    "".join(f"\\x{ord(char):02x}" if ord(char) < 256 else char for char in ODD),
    "".join(f"&#{'0' * 30}{ord(char)};" for char in ODD),
    percent_encode(ODD, safe="!'()*~").replace("%20", "+"),
    ODD.encode("cp1252").decode("utf-8", "replace"),
    ODD.encode("utf-8").decode("cp1252"),
    f"&#x{ord(ODD[0]):0120x};{ODD[1:]}",
    "".join(f"\\{byte:03o}" for byte in ODD.encode()),
    "".join(f"\\u{{{ord(char):x}}}" for char in ODD),
    "".join(f"\\x{{{ord(char):x}}}" for char in ODD),
    "".join(f"\\U{ord(char):08X}" for char in ODD),
    "".join(f"%u{ord(char):04X}" for char in ODD),
    percent_encode(ODD, safe="!'()*~", encoding="cp1252"),
]


@pytest.mark.parametrize("form", ODD_FORMS)
def test_forms_that_other_languages_write(form: str) -> None:
    assert repeating(forms_of([("user", ODD)]))(f"a {form} b")
    shown = quoting("user", ODD)(f"Bad request of {form} today")
    assert shown in ("", "Bad request of *** today")


def test_a_secret_beyond_the_first_plane_and_one_of_latin_1() -> None:
    key = "pa\U0001f511ss<word>"
    assert repeating(forms_of([("user", key)]))("pa\\uD83D\\uDD11ss\\u003cword\\u003e")
    assert repeating(forms_of([("user", "p\xe4ssw\xf6rt-made-up")]))("p%E4ssw%F6rt-made-up")
    assert not repeating(forms_of([("user", key)]))("\\u{ffffffff}\\Uffffffff\\uD83D")


def test_a_reference_without_its_end_before_many_digits() -> None:
    assert QUOTE(f"&#102{PRIVATE[1:]}{'a' * 80}") == ""


def test_escapes_of_others_are_shown() -> None:
    said = "5 % off &amp; \\u0026 %41 &#" + "9" * 5000 + ";"
    assert quoting("user", ODD)(said).startswith("5 % off &amp; \\u0026 %41 &#999")
    assert not repeating(forms_of([("user", ODD)]))(said)


@pytest.mark.parametrize(
    "form",
    [
        PRIVATE,
        PRIVATE.upper(),
        "&#102;" + PRIVATE[1:],
        binascii.hexlify(PRIVATE.encode()).decode(),
        base64.b64encode(PRIVATE.encode()).decode(),
        base64.b64encode(f"b:{PRIVATE}".encode()).decode(),
        "made-up-name-that-is-not-shown",
    ],
)
def test_secrets_of_another_pair_are_not_shown(form: str) -> None:
    foreign = forms_of([("made-up-name-that-is-not-shown", PRIVATE), ("b", PRIVATE)])
    assert quoting(PUBLIC, "another-made-up", foreign=foreign)(f"Others: {form}.") == ""
    # Its own, which another has too, is left out as ever.
    assert quoting("b", PRIVATE, foreign=foreign)(f"You: {PRIVATE}.") == "You: ***."
    assert quoting(PUBLIC, "another-made-up", foreign=forms_of([("b", "too")]))("Others, too") == "Others, too"


@pytest.mark.parametrize("escaped", ["&#34;", "%22", "\\u0022", "&quot;"])
def test_an_escaped_secret_at_the_end_of_a_text_that_was_cut(escaped: str) -> None:
    secret = 'made-up"and-more-of-it'
    assert quoting("user", secret)("No: " + secret.replace('"', escaped)[:-3] + "\ufffd") in ("", "No: ***")
    # Where so much is left out that our own cut comes near.
    text = f"{secret} " * 30 + "x" * (1184 - 23 * 30) + " " + secret.replace('"', escaped)
    assert "made-up" not in quoting("user", secret)(text)


@pytest.mark.parametrize("escaped", ["&#34;", "%22", "\\u0022", "&quot;", "\\u{22}"])
def test_no_part_of_an_escaped_secret_is_shown_wherever_it_was_cut(escaped: str) -> None:
    secret = 'made-up"and-more-of-it"'
    text = secret.replace('"', escaped)
    for pair, quote in (("own", quoting("u", secret)), ("foreign", quoting("u", "x" * 9, foreign=FOREIGN))):
        for cut in range(text.index("-more"), len(text)):
            assert "-more" not in quote("No: " + text[:cut]), (pair, cut)


@pytest.mark.parametrize("letters", [0, 7, 31])
def test_letters_that_become_two_hide_no_part_of_a_secret(letters: int) -> None:
    assert QUOTE("No" + "\u0130" * letters + " " + PRIVATE[:30]) == "No" + "\u0130" * letters + " ***"


@pytest.mark.parametrize("escaped", ["0123&#52;567", "0123\\u0034567", "012345&#54;7", "&#48;1234567"])
def test_a_secret_that_repeats_itself_hides_no_part_of_it(escaped: str) -> None:
    secret = "0123456789abcdef" * 2
    for cut in range(9, 32):
        shown = quoting("u", secret)(f"No: {escaped}{secret[8:cut]}")
        assert shown == "" or "6789abcd" not in shown, cut


FOREIGN = forms_of([("b", 'made-up"and-more-of-it"')])


@pytest.mark.parametrize("length", [400, 1000, 1800, 20_000])
def test_long_secrets_of_another_pair(length: int) -> None:
    secret = "made-up\u00e4" + "".join(f"{number:04d}" for number in range(length // 4))
    quote = quoting("u", "another-made-up", foreign=forms_of([("b", secret)]))
    for said in (secret, base64.b64encode(f"b:{secret}".encode()).decode()):
        assert quote(f"Others: {said}.") == ""


def test_of_too_many_foreign_pairs_no_text_is_shown_and_no_memory_taken() -> None:
    tracemalloc.start()
    try:
        many = forms_of((f"{number}", f"{number:0500}") for number in range(20_000))
        assert quoting("u", "another-made-up", foreign=many)("Invalid.") == ""
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_words_that_a_secret_of_somebodys_could_be_taken_for_are_shown() -> None:
    foreign = forms_of([("b", "&#x65;&#x20;"), ("b", "&#101;&#101;")])
    assert quoting("u", "another-made-up", foreign=foreign)("The keys need to be seen.") == "The keys need to be seen."


def test_a_text_with_a_short_password_in_it_is_not_shown_at_all() -> None:
    # With only the password cut out, the gap in a known sentence would tell it.
    quote = quoting("token", "keys")
    assert quote("The keys are invalid.") == ""
    assert quote("Invalid.") == "Invalid."


def test_a_text_is_looked_through_as_far_as_it_is_shown() -> None:
    secret = "a" * 999 + "b"
    quote = quoting("token", secret)
    assert quote("a" * 1_000_000) == "a" * (TEXT_LIMIT - 3) + "..."
    assert "aa" not in quote(secret * 1000)
    # Where much is cut out, what was far behind comes near.
    assert "aa" not in quote((secret + " ") * 2 + "a" * 500)[: TEXT_LIMIT - 500]


def test_a_password_of_megabytes_shows_no_text_at_all() -> None:
    assert quoting("token", "\u00e9" * 4_000_000)("Invalid.") == ""
    assert quoting("t" * 4_000_000, "password")("Invalid.") == ""


def test_an_empty_password_cuts_nothing() -> None:
    assert quoting("token", "")("Invalid.") == "Invalid."


# Packages


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_refused_file_behind_packages_json_does_not_condemn_the_pair(status: int) -> None:
    finding = judge_part(Answer(status), "p.json", QUOTE)
    assert finding is not None and finding.code == "unexpected_status" and finding.http_status == status
    assert judge_part(Answer(200, b"<html>"), "p.json", QUOTE) is None


def test_what_is_absent_is_named_with_its_causes() -> None:
    packages = {"a/one": "listed", "a/two": "absent", "a/three": "absent", "a/four": "unknown"}
    finding = entitlement(packages, Finding("timed_out", "Late."), MAGENTO)
    verdict = conclude(finding, repository=MAGENTO, url=WHERE, packages=packages)
    assert (verdict.status, verdict.code, verdict.http_status) == ("not_entitled", "package_absent", 200)
    assert "a/two, a/three" in verdict.message and "a/one" not in verdict.message
    assert "another MAGEID" in verdict.message
    assert "MAGEID" not in entitlement(packages, None, VENDOR).hint


def test_trouble_makes_unknown_and_never_absent() -> None:
    finding = entitlement({"a/one": "unknown"}, Finding("timed_out", "Late."), MAGENTO)
    verdict = conclude(finding, repository=MAGENTO, url=WHERE)
    assert (verdict.status, verdict.code) == ("unknown", "timed_out") and "Late." in verdict.message
    assert entitlement({"a/one": "listed"}, Finding("timed_out", "Late."), MAGENTO).code == "keys_valid"


# Any secret, escaped, sent and cut in any way


SECRETS = [PRIVATE, ODD, "p\u00e4$$w\u00f6rd of made-up words", "\u0130stanbul-made-up", "ghp_" + "aB3" * 12]
ESCAPES = ["&#{0};", "&#x{0:04x};", "\\u{0:04x}", "\\u{{{0:x}}}", "%u{0:04x}"]
AROUND = ["wrong key: ", "\u0130" * 30 + " ", " " * 500, "\u200b x ", "5 % off \\ & more "]


def parts_in(text: str, secret: str) -> List[str]:
    """Those of nine characters, also behind escapes."""
    texts = [one.lower() for one in (text, *unescaped(text))]
    parts = (secret[at : at + 9].lower() for at in range(len(secret) - 8))
    return [part for part in parts if any(part in one for one in texts)]


@pytest.mark.parametrize("seed", range(20))
def test_no_part_of_any_secret_is_shown(seed: int) -> None:
    chance = random.Random(seed)
    shown = 0
    for _again in range(100):
        secret, escape = chance.choice(SECRETS), chance.choice(ESCAPES)
        which = chance.choice(
            [set(secret), set(), set(chance.choice(secret)), {char for char in secret if not char.isalnum()}]
        )
        said = "".join(escape.format(ord(char)) if char in which else char for char in secret)
        said = (
            said[: chance.randrange(len(said) + 1)]
            if chance.random() < 0.5
            else said + chance.choice(["", ".", " or not"])
        )
        text = "".join(chance.choices(AROUND, k=chance.randrange(4))) + chance.choice(["", f"{secret} "]) + said
        foreign = forms_of([("b", secret)])
        for quote in (quoting("b", secret), quoting("u", "another-made-up", foreign=foreign)):
            result = quote(text)
            assert parts_in(result, secret) == [], text
            shown += bool(result)
    assert shown > 10
