# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's text with a part of a secret, in any form, is not shown; other texts are shown."""

from __future__ import annotations

import base64
import binascii
import html
import json
import random
import tracemalloc
from typing import List
from urllib.parse import quote as percent_encode

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import TEXT_LIMIT, Secrets, quoting, unescaped

PUBLIC, PRIVATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
QUOTE = quoting(PUBLIC, PRIVATE)
OTHERS = quoting(PUBLIC, "another-made-up", Secrets([("b", PRIVATE)]))
NUMBERS = "".join(f"{number:04d}" for number in range(2000))


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_text_becomes_one_short_printable_line() -> None:
    shown = QUOTE("a\r\n\tb\x1b[31mc\u202ed\ud800e " + "x" * 1000)
    assert shown.startswith("a b [31mc d e xxx") and shown.isprintable() and len(shown) == TEXT_LIMIT
    assert QUOTE(f"bad {PUBLIC}") == f"bad {PUBLIC}" and QUOTE(" \n") == ""


@pytest.mark.parametrize("quote", [QUOTE, OTHERS])
@pytest.mark.parametrize("at", range(len(PRIVATE) - 7))
def test_eight_characters_of_a_secret_hide_a_text(quote: object, at: int) -> None:
    assert callable(quote)
    for around in ("bad {}", "{}... (unknown)", "bad {}\ufffd", "\u0130\u0130 {}", " " * 500 + "{}"):
        assert quote(around.format(PRIVATE[at : at + 8])) == ""
        assert quote(around.format(PRIVATE[at : at + 7])) != ""


def test_only_the_shown_part_of_a_text_is_searched() -> None:
    room = TEXT_LIMIT - len("...")
    assert QUOTE("x" * (room - 7) + PRIVATE) == "x" * (room - 7) + PRIVATE[:7] + "..."
    assert QUOTE("x" * (room - 8) + PRIVATE) == ""
    assert QUOTE("x" * 1_000_000 + PRIVATE) == "x" * room + "..."


@pytest.mark.parametrize(
    "form",
    [
        PRIVATE.upper(),
        in_base64(PRIVATE),
        in_base64(f"b:{PRIVATE}"),
        in_base64(f"bb:{PRIVATE}"),
        in_base64(f"{PUBLIC}:{PRIVATE}"),
        binascii.hexlify(PRIVATE.encode()).decode(),
        "".join(f"%{byte:02X}" for byte in PRIVATE.encode()),
        "&#102;" + PRIVATE[1:9],
        f"&#102{PRIVATE[1:]}{'a' * 80}",
    ],
)
def test_forms_of_a_key(form: str) -> None:
    assert (QUOTE(f"You: {form}."), OTHERS(f"Others: {form}.")) == ("", "")


# A secret without eight consecutive characters that are the same in every form.
ODD = 'it\'s<b>&"c"/ \u20ac\xe4\\d!(1)*~'


# As escaped by PHP before 8.1, Python, Go, JavaScript and others, and in the code page of Windows.
ODD_FORMS = [
    ODD.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"),
    html.escape(ODD, quote=False),
    html.escape(ODD).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    percent_encode(ODD, safe="!'()*~"),
    json.dumps(ODD)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003E"),
    json.dumps(ODD, ensure_ascii=False).replace("/", "\\/"),
    repr(ODD),
    ascii(ODD),
    "".join(f"\\x{ord(char):02x}" if ord(char) < 256 else char for char in ODD),
    "".join(f"&#{'0' * 30}{ord(char)};" for char in ODD[:8]),
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
def test_escapes_of_programming_languages(form: str) -> None:
    assert quoting("user", ODD)(f"Bad request of {form} today") == ""
    assert quoting("user", "another-made-up", Secrets([("b", ODD)]))(f"Bad request of {form} today") == ""


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        ("pass&notw&notd", html.unescape("pass&notw&notd")),
        ("two  bl\tan  ks", "two bl an ks"),
        ("two bla nks", "two&nbsp;bla&nbsp;nks"),
        ("two bla nks", "two%C2%A0bla%C2%A0nks"),
        ("two bla nks", "two\\u00a0bla\\u00a0nks"),
        ("a.b*c+(d)[e]", "A.B*C+(D)[E]"),
        ("a\xdfb\xdfc\xdfd\xdfe\xdf", "a\xdfb\xdfc\xdfd\xdfe\xdf"),
        ("a/b/c/d/e/f", "a\\/b\\/c\\/d\\/e\\/f"),
        ("a b c d e f", "a+b+c+d+e+f"),
        (">>>???" * 4, in_base64(">>>???" * 4).replace("/", "%2F")),
        (">>>???" * 4, base64.urlsafe_b64encode(b">>>???" * 4).decode()),
        ("p\xe4\xdfw\xf6\xf6rt\xfc\xe0", "p\xe4\xdfw\xf6\xf6rt\xfc\xe0".encode().decode("latin-1")),
        ("p\xe4\xdfw\xf6\xf6rt\xfc\xe0", "p\xe4\xdfw\xf6\xf6rt\xfc\xe0".encode("latin-1").decode("utf-8", "replace")),
        ("p\u20acw\u20acr\u20act\u20ac", "p\u20acw\u20acr\u20act\u20ac".encode().decode("cp1252")),
        ("p\u20acw\u20acr\u20act\u20ac", "p\u20acw\u20acr\u20act\u20ac".encode("cp1252").decode("utf-8", "replace")),
        ("p\xe4\xdfw\xf6\xf6rt\xfc\xe0", "p%E4%DFw%F6%F6rt%FC%E0"),
        ("p\U0001f511ss\U0001f511w\U0001f511rd", "p\\uD83D\\uDD11ss\\uD83D\\uDD11w\\uD83D\\uDD11rd"),
        ("p\U0001f511ss\U0001f511w\U0001f511rd", "p%uD83D%uDD11ss%uD83D%uDD11w%uD83D%uDD11rd"),
        ("a\ud800b\ud800c\ud800d\ud800e", "a?b?c?d?e"),
        ("a\ud800b\ud800c\ud800d\ud800e", in_base64("a?b?c?d?e")),
        ("p\xc4w\xc4r\xc4t\xc4", "p\xc4w\xc4r\xc4t\xc4".encode().decode("latin-1")),
    ],
)
def test_unusual_secrets(secret: str, form: str) -> None:
    assert quoting("user", secret)(f"<{form}>") == ""
    assert quoting("user", "another-made-up", Secrets([("b", secret)]))(f"<{form}>") == ""


def test_a_password_that_is_not_utf_8() -> None:
    data = b"a\xe4\xb8b\xf6c\xfcd\xe4\xb8e\xf6f\xfc"
    quote = quoting("user", data.decode("utf-8", "surrogateescape"))
    for form in (base64.b64encode(b"user:" + data).decode(), data.decode("utf-8", "replace"), percent_encode(data)):
        assert quote(f"<{form}>") == ""


@pytest.mark.parametrize("secret", ["&#1&#99999999;" + "2" * 5000, "&#" + "0" * 5000 + "97;", "&#x" + "f" * 5000 + ";"])
def test_a_secret_of_very_long_references(secret: str) -> None:
    quote = quoting("u", "another-made-up", Secrets([("b", secret)]))
    assert quote("Others.") == "Others." and quote(f"Others: {secret}") == ""
    assert Secrets([("b", secret)], in_lists=True).occur_in(secret) and not Secrets([], in_lists=True).occur_in(secret)


def test_invalid_escapes() -> None:
    assert (
        quoting("user", ODD)("\\u{110000} \\u{ffffffff} \\Uffffffff \\uD83D")
        == "\\u{110000} \\u{ffffffff} \\Uffffffff \\uD83D"
    )


def test_escapes_without_a_secret_are_shown() -> None:
    text = "5 % off &amp; \\u0026 %41 &#" + "9" * 5000 + ";"
    assert quoting("user", ODD)(text).startswith("5 % off &amp; \\u0026 %41 &#999")
    assert not Secrets([("user", ODD)], in_lists=True).occur_in(text)


def test_a_user_name_that_is_not_shown_is_not_quoted() -> None:
    token = "ghp_" + "madeUp0123456789" * 2
    for quote in (
        quoting(token, "x-oauth-basic"),
        quoting(token, "qq"),
        quoting("b", "another-made-up", Secrets([(token, "")])),
    ):
        assert quote(f"bad {token}") == "" and quote(f"bad {token[-8:]}") == "" and quote("bad token") == "bad token"


# Several pairs


def test_secrets_with_a_common_start_or_end() -> None:
    for alike in (8, 63, 64, 65, 1000):
        one, two = (NUMBERS[:alike] + f"-made-up-{name}-" + NUMBERS[alike : 2 * alike] for name in ("alice", "bob"))
        for secret in (one, two):
            quote = quoting("bob", two, Secrets([("alice", one), ("bob", two)]))
            assert quote(f"No: {secret}.") == ""


@pytest.mark.parametrize("length", [400, 1000, 1800, 8000])
def test_long_secrets(length: int) -> None:
    secret = "made-up\u00e4" + NUMBERS[: length - 8]
    for quote in (quoting("b", secret), quoting("u", "another-made-up", Secrets([("b", secret)]))):
        hexadecimal = binascii.hexlify(secret.encode()).decode()
        for form in (secret, in_base64(f"b:{secret}"), in_base64(secret), hexadecimal, secret[-100:]):
            assert quote(f"Others: {form}.") == ""
        assert quote("Others.") == "Others."


def test_short_passwords_hide_only_texts_about_their_own_pair() -> None:
    assert quoting("token", "keys")("The keys are invalid.") == ""
    assert quoting("token", "keys")("Basic " + in_base64("token:keys")) == ""
    assert quoting("token", "ab  cd")("ab cd") == ""
    assert quoting("token", "keys")("Invalid.") == "Invalid." == quoting("token", "")("Invalid.")
    others = Secrets([("b", "keys"), ("b", "")])
    assert quoting("u", "another-made-up", others)("The keys are invalid.") == "The keys are invalid."


def test_texts_that_only_match_an_unescaped_secret_are_shown() -> None:
    others = Secrets([("b", "&#x65;&#x20;"), ("b", "&#101;&#101;&#x20;"), ("b", "\u200b" * 20)])
    for quote in (quoting("u", "another-made-up", others), quoting("b", "&#x65;&#x20;")):
        assert quote("The keys need to be seen.") == "The keys need to be seen."


def test_many_pairs() -> None:
    others = Secrets([(f"{number:032x}", f"{number * 7919:032x}"[::-1]) for number in range(1000)])
    assert quoting(PUBLIC, PRIVATE, others)("Your keys are invalid.") == "Your keys are invalid."


def test_too_many_or_too_long_secrets_hide_every_text_and_take_no_memory() -> None:
    chance = random.Random(20260103)
    tracemalloc.start()
    try:
        many = Secrets(("b", f"{chance.getrandbits(2000):x}") for _number in range(20_000))
        assert quoting("u", "another-made-up", many)("Invalid.") == ""
        for secret in ("\u00e9" * 4_000_000, "a" * 8_193):
            assert quoting("token", secret)("Invalid.") == "" == quoting(secret, "password")("Invalid.")
            assert quoting("u", "another-made-up", Secrets([("b", secret)]))("Invalid.") == ""
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_pairs_without_a_text_take_no_memory() -> None:
    tracemalloc.start()
    try:
        quotes = [quoting("u", NUMBERS[number:4000]) for number in range(100)]
        assert {quote("") for quote in quotes} == {""}
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


# Lists


def test_secrets_in_lists() -> None:
    secrets = Secrets([("user", PRIVATE), ("user", "short"), ("user", "")], in_lists=True)
    assert secrets.occur_in(f"a {PRIVATE.upper()} b") and secrets.occur_in(in_base64(f"u:{PRIVATE}"))
    assert secrets.occur_in(PRIVATE[5:21]) and not secrets.occur_in(f"{PRIVATE[5:20]} short user {PUBLIC}")
    assert Secrets([("user", "made-up-t")], in_lists=True).occur_in("a made-up-t b")
    assert not Secrets([("user", "")], in_lists=True).occur_in("anything")


@pytest.mark.parametrize("blank", ["  ", "\t", "\u00a0", "\u3000", "\x00", "\n"])
def test_a_secret_with_blanks_in_a_list(blank: str) -> None:
    secrets = Secrets([("user", "correct horse battery staple")], in_lists=True)
    assert secrets.occur_in("a correct horse battery staple".replace(" ", blank))


def test_a_user_name_in_a_list_matches_only_as_a_whole() -> None:
    secrets = Secrets([("magento-community-edition-reader", PRIVATE)], in_lists=True)
    assert secrets.occur_in("a magento-community-edition-reader b") and secrets.occur_in(
        in_base64("magento-community-edition-reader")
    )
    assert not secrets.occur_in("magento-community-edition-2.4.7.zip")


# Any secret, escaped and cut in any way


SECRETS = [
    PRIVATE,
    ODD,
    "p\u00e4$$w\u00f6rd of made-up words",
    "\u0130stanbul-made-up",
    "ghp_" + "aB3" * 12,
    NUMBERS[:400],
]
ESCAPES = ["&#{0};", "&#x{0:04x};", "\\u{0:04x}", "\\u{{{0:x}}}", "%u{0:04x}"]
AROUND = ["wrong key: ", "\u0130" * 30 + " ", " " * 500, "\u200b x ", "5 % off \\ & more "]


def parts_in(text: str, secret: str) -> List[str]:
    """The parts of eight characters of a secret that occur in a text, escaped or not."""
    texts = [variant.lower() for variant in (text, *unescaped(text))]
    parts = (secret[at : at + 8].lower() for at in range(len(secret) - 7))
    return [part for part in parts if any(part in variant for variant in texts)]


@pytest.mark.parametrize("seed", range(20))
def test_no_part_of_any_secret_is_shown(seed: int) -> None:
    chance = random.Random(seed)
    shown = 0
    secrets = {
        secret: (quoting("b", secret), quoting("u", "another-made-up", Secrets([("b", secret)]))) for secret in SECRETS
    }
    for _again in range(100):
        secret, escape = chance.choice(SECRETS), chance.choice(ESCAPES)
        to_escape = chance.choice(
            [set(secret), set(), set(chance.choice(secret)), {char for char in secret if not char.isalnum()}]
        )
        escaped = "".join(escape.format(ord(char)) if char in to_escape else char for char in secret)
        start, end = sorted(chance.choices(range(len(escaped) + 1), k=2)) if chance.random() < 0.7 else (0, None)
        text = (
            "".join(chance.choices(AROUND, k=chance.randrange(4)))
            + escaped[start:end]
            + chance.choice(["", "...", "."])
        )
        for quote in secrets[secret]:
            result = quote(text)
            assert parts_in(result, secret) == [], text
            shown += bool(result)
    assert shown > 10
