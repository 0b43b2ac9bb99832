# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing secrets safely, and values that are refused as auth keys."""

from __future__ import annotations

import hashlib
from typing import List, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import (
    MAGENTO_REPOSITORY,
    describe,
    fingerprint,
    key_faults,
    repository_fault,
    shown_user,
)


def fake_key(word: str, digits: int = 32) -> str:
    """Hex digits that look like an auth key."""
    return hashlib.sha256(word.encode()).hexdigest()[:digits]


MAGENTO, VENDOR = "repo.magento.com", "repo.vendor.example"
PUBLIC, PRIVATE = fake_key("public"), fake_key("private")
DIGEST = hashlib.sha256(PRIVATE.encode()).hexdigest()


def test_the_repository_of_magento() -> None:
    assert MAGENTO_REPOSITORY == MAGENTO


@pytest.mark.parametrize("digits", [32, 40])
def test_a_machine_made_secret_has_a_fingerprint(digits: int) -> None:
    secret = fake_key("any", digits)
    expected = "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:12]
    assert fingerprint(secret) == expected
    assert describe(secret) == expected
    assert secret[:6] not in expected


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2",
        " ",
        PRIVATE.upper(),
        PRIVATE[:-1],
        PRIVATE + "0",
        PRIVATE + "\n",
        " " + PRIVATE,
        PRIVATE[:-1] + "g",
        fake_key("x", 39),
        fake_key("x", 64),
        "٠" * 32,
        "x" * 32,
        "a lone surrogate \ud800",
    ],
)
def test_any_other_secret_has_no_fingerprint(secret: str) -> None:
    assert fingerprint(secret) is None
    assert describe(secret) == "set"


def test_no_secret() -> None:
    assert fingerprint("") is None
    assert describe("") == "not set"


@pytest.mark.parametrize(
    "repository",
    [
        MAGENTO,
        "REPO.Magento.com",
        "repo.magento.com:443",
        "localhost",
        "a",
        "127.0.0.1",
        "127.0.0.1:8443",
        "[::1]",
        "[2001:DB8::1]:8443",
        "under_score.example",
        "xn--bcher-kva.example",
        "1e5",
        "0x10",
        "007.example",
    ],
)
def test_valid_repositories(repository: str) -> None:
    assert repository_fault(repository) is None


@pytest.mark.parametrize(
    "repository",
    [
        None,
        5,
        True,
        ["repo.magento.com"],
        "",
        " ",
        "https://repo.magento.com",
        "repo.magento.com/",
        "//repo.magento.com",
        "user@repo.magento.com",
        "user:word@repo.magento.com",
        "repo.magento.com ",
        " repo.magento.com",
        "repo.magento.com\n",
        "repo magento.com",
        "repo.magento.com:",
        "repo.magento.com:https",
        "repo.magento.com:123456",
        "repo.magento.com:443:443",
        ".example",
        "example.",
        "-a.example",
        "*.example",
        "bücher.example",
        "::1",
        "[::1",
        "2130706433",
        "repo.example:0",
        "repo.example:99999",
        "0",
        "٠",
        "<host>",
    ],
)
def test_invalid_repositories(repository: object) -> None:
    assert repository_fault(repository)


# Each half in turn gets the value; the other half is valid.
FAULTY: List[Tuple[str, str, object, str]] = [
    ("digits without quotes", MAGENTO, 12345678901234567890123456789012, "not text"),
    ("digits without quotes, elsewhere", VENDOR, 12345678, "not text"),
    ("octal", VENDOR, 0o17, "not text"),
    ("a float", VENDOR, 1e10, "not text"),
    ("yes", VENDOR, True, "not text"),
    ("no", MAGENTO, False, "not text"),
    ("null", MAGENTO, None, "not text"),
    ("a list", VENDOR, [PRIVATE + "x"], "not text"),
    ("an object", VENDOR, {"key": PRIVATE + "x"}, "not text"),
    ("bytes", MAGENTO, PRIVATE.encode(), "not text"),
    ("nothing", MAGENTO, "", "empty"),
    ("nothing, elsewhere", VENDOR, "", "empty"),
    ("blanks only", VENDOR, "   ", "blanks"),
    ("a blank before", MAGENTO, " " + fake_key("a"), "blanks"),
    ("a line feed after", MAGENTO, fake_key("a") + "\n", "blanks"),
    ("a no-break space after", VENDOR, "good-value\u00a0", "blanks"),
    ("a tab within", VENDOR, "good\tvalue", "control characters"),
    ("NUL", VENDOR, "good\x00value", "control characters"),
    ("DEL", VENDOR, "good\x7fvalue", "control characters"),
    ("half a surrogate pair", VENDOR, "good\udcffvalue", "UTF-8"),
    ("angle brackets", MAGENTO, "<public_key>", "placeholder"),
    ("angle brackets, elsewhere", VENDOR, "<Your Access Token>", "placeholder"),
    ("two lines in angle brackets", VENDOR, "<public\u2028key>", "placeholder"),
    ("your", VENDOR, "your", "placeholder"),
    ("your public key", VENDOR, "your public key", "placeholder"),
    ("your-key", MAGENTO, "your-key", "placeholder"),
    ("YOUR_TOKEN", VENDOR, "YOUR_TOKEN", "placeholder"),
    ("yourpassword", VENDOR, "yourpassword", "placeholder"),
    ("YourPrivateKey", MAGENTO, "YourPrivateKey", "placeholder"),
    ("your_32_characters", VENDOR, "your_32_characters", "placeholder"),
    ("xxx", VENDOR, "xxx", "placeholder"),
    ("32 x", MAGENTO, "x" * 32, "placeholder"),
    ("XXXX", VENDOR, "XXXX", "placeholder"),
    ("a prefix and x", VENDOR, "ghp_xxxxxxxxxxxx", "placeholder"),
    ("x and a suffix", MAGENTO, "xxxxxxxx" + fake_key("a", 24), "placeholder"),
    ("an e-mail address", MAGENTO, "anna@shop.example", "e-mail"),
    ("a MAGEID", MAGENTO, "MAG001234567", "MAGEID"),
    ("a MAGEID in lower case", MAGENTO, "mag001234567", "MAGEID"),
    ("upper case", MAGENTO, fake_key("a").upper(), "upper-case"),
    ("one capital", MAGENTO, "A" + fake_key("a", 31), "upper-case"),
    ("one digit short", MAGENTO, fake_key("a", 31), "31 characters"),
    ("one digit more", MAGENTO, fake_key("a", 33), "33 characters"),
    ("a download token", MAGENTO, fake_key("a", 40), "download token"),
    ("no hex digit", MAGENTO, fake_key("a", 31) + "g", "not 32 lower-case hex digits"),
    ("other digits", MAGENTO, "٠" * 32, "not 32 lower-case hex digits"),
    ("a word", MAGENTO, "hunter2", "7 characters"),
    ("template", MAGENTO, "{{ magento_key }}", "not 32 lower-case hex digits"),
]


def text_of(faults: List[str]) -> str:
    return "\n".join(faults)


@pytest.mark.parametrize("half", ["public_key", "private_key"])
@pytest.mark.parametrize(("repository", "value", "fault"), [row[1:] for row in FAULTY], ids=[row[0] for row in FAULTY])
def test_a_faulty_half_is_named(half: str, repository: str, value: object, fault: str) -> None:
    pair = {"public_key": PUBLIC, "private_key": PRIVATE, half: value}
    faults = key_faults(repository=repository, **pair)
    assert len(faults) == 1
    assert faults[0].startswith(f"{half} ")
    assert fault in faults[0]
    if str(value).strip():
        assert str(value).strip() not in faults[0]
    assert PUBLIC not in faults[0] and PRIVATE not in faults[0]


@pytest.mark.parametrize(
    ("public_key", "private_key", "fragments"),
    [
        (PUBLIC, PUBLIC, ["same value"]),
        ("anna@shop.example", "hunter2", ["public_key is an e-mail", "private_key is not 32"]),
        ("hunter2", "hunter2", ["public_key is not", "private_key is not", "same value"]),
        ("anna:hunter2", PRIVATE, ["public_key is not", "colon"]),
        ("", "", ["public_key is empty", "private_key is empty"]),
        (5, 5, ["public_key is not text", "private_key is not text"]),
    ],
)
def test_every_fault_of_a_pair_is_named(public_key: object, private_key: object, fragments: List[str]) -> None:
    faults = key_faults(repository=MAGENTO, public_key=public_key, private_key=private_key)
    assert [fragment in fault for fragment, fault in zip(fragments, faults)] == [True] * len(fragments)
    assert len(faults) == len(fragments)
    assert "hunter2" not in text_of(faults) and "anna" not in text_of(faults)


@pytest.mark.parametrize(
    "repository", [VENDOR, "repo.magento.com:8443", "repo.magento.com.example", "REPO.MAGENTO.COM"]
)
def test_equal_halves_and_colons_are_refused_everywhere(repository: str) -> None:
    assert "same value" in text_of(key_faults(repository=repository, public_key="a", private_key="a"))
    assert "colon" in text_of(key_faults(repository=repository, public_key="a:b", private_key="c"))


def test_a_valid_pair_has_no_fault() -> None:
    assert key_faults(repository=MAGENTO, public_key=PUBLIC, private_key=PRIVATE) == []
    assert key_faults(repository=MAGENTO, public_key="0" * 32, private_key="9" * 32) == []


@pytest.mark.parametrize(
    "public_key",
    [
        "token",
        "anna@shop.example",
        "yourcompany",
        "yourcompany.example",
        "Yours",
        "mag",
        "MAG001234567",
        "x",
        "xx",
        "xxl-shop",
        "max-xavier",
        "a b",
        "12345678",
        "true",
        "null",
        "key",
        "public_key",
        "licence<1>",
        "anna.müller",
        PUBLIC.upper(),
        fake_key("a", 40),
    ],
)
def test_user_names_of_other_hosts(public_key: str) -> None:
    assert key_faults(repository=VENDOR, public_key=public_key, private_key="any-thing") == []


@pytest.mark.parametrize(
    "private_key", ["a", "spaces within", "päss", '"\\', "<", "a<b>c", "a: b", "ghp_" + fake_key("a", 36)]
)
def test_passwords_of_other_hosts(private_key: str) -> None:
    assert key_faults(repository=VENDOR, public_key="token", private_key=private_key) == []


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("", ""),
        ("token", "token"),
        ("twenty characters !!", "twenty characters !!"),
        ("twenty-one characters", "set"),
        (PUBLIC, PUBLIC),
        (PUBLIC + "0", "set"),
        ("anna.maria@shop.example.com", "anna.maria@shop.example.com"),
        ("anna.maria@shop example com", "set"),
        ("x" * 250 + "@shop.example", "set"),
        ("ghp_" + fake_key("token", 36), "set"),
        (fake_key("token", 40), "set"),
        ("x" * 4_000_000, "set"),
    ],
)
def test_a_user_name_that_may_be_a_token_is_not_shown(user: str, shown: str) -> None:
    assert shown_user(user) == shown


def test_a_very_long_address_is_refused_quickly() -> None:
    assert "not 32" in text_of(
        key_faults(repository=MAGENTO, public_key="a@" + "." * 1_000_000 + "@", private_key=PRIVATE)
    )
