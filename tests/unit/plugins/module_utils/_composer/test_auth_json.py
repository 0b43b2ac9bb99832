# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid and malformed auth.json files. The comparison with Composer itself is in tests/system."""

from __future__ import annotations

import hashlib
import json
import traceback
from typing import Any, Dict, List, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import AuthEntry, entries, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile


def fake_key(word: str) -> str:
    """Return 32 hexadecimal digits that look like an auth key."""
    return hashlib.sha256(word.encode()).hexdigest()[:32]


HOST = "repo.magento.com"
PUBLIC, PRIVATE = fake_key("public"), fake_key("private")
SECRET = "planted-secret-of-the-tests"
BASIC = {"username": "anna", "password": SECRET}


def data(document: Any) -> bytes:
    return json.dumps(document).encode()


def nested(levels: int) -> bytes:
    """Return an object with ``levels`` levels of brackets."""
    return b'{"x": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


VALID: List[Tuple[str, bytes, List[Tuple[str, str, str, str]]]] = [
    ("empty object", b"{}", []),
    ("white space around", b"\r\n\t {} \n", []),
    ("empty sections", b'{"http-basic": {}, "bearer": {}}', []),
    ("an empty list for a section", b'{"http-basic": []}', []),
    ("one pair", data({"http-basic": {HOST: BASIC}}), [("http-basic", HOST, "anna", SECRET)]),
    ("a port", data({"http-basic": {"[::1]:8443": BASIC}}), [("http-basic", "[::1]:8443", "anna", SECRET)]),
    ("extra keys", data({"http-basic": {HOST: {"note": [1], **BASIC}}}), [("http-basic", HOST, "anna", SECRET)]),
    (
        "empty texts",
        b'{"http-basic": {"": {"username": "", "password": ""}}}',
        [("http-basic", "", "", "")],
    ),
    (
        "escapes",
        b'{"http\\u002dbasic": {"a\\/b": {"username": "\\ud83d\\ude00", "password": "\\u2028\\"\\\\"}}}',
        [("http-basic", "a/b", "\U0001f600", '\u2028"\\')],
    ),
    ("unicode", '{"bearer": {"bücher.example": "ключ"}}'.encode(), [("bearer", "bücher.example", "", "ключ")]),
    ("leading zero", data({"bearer": {"007": "t"}}), [("bearer", "007", "", "t")]),
    ("beyond an integer", data({"bearer": {str(2**63): "t"}}), [("bearer", str(2**63), "", "t")]),
    ("minus zero", data({"bearer": {"-0": "t"}}), [("bearer", "-0", "", "t")]),
    ("bearer", data({"bearer": {"h": SECRET}}), [("bearer", "h", "", SECRET)]),
    ("github", data({"github-oauth": {"github.com": "ghp_a-B.9"}}), [("github-oauth", "github.com", "", "ghp_a-B.9")]),
    ("github, line feed", data({"github-oauth": {"h": "abc\n"}}), [("github-oauth", "h", "", "abc\n")]),
    ("gitlab", data({"gitlab-oauth": {"h": "t"}}), [("gitlab-oauth", "h", "", "t")]),
    (
        "gitlab, object",
        data({"gitlab-oauth": {"h": {"token": "t", "expires-at": 1, "refresh-token": "r", "username": 5}}}),
        [("gitlab-oauth", "h", "", "t")],
    ),
    ("gitlab token", data({"gitlab-token": {"h": "t"}}), [("gitlab-token", "h", "", "t")]),
    (
        "gitlab token, object",
        data({"gitlab-token": {"h": {"username": "anna", "token": "t"}}}),
        [("gitlab-token", "h", "anna", "t")],
    ),
    (
        "bitbucket",
        data({"bitbucket-oauth": {"h": {"consumer-key": "k", "consumer-secret": "s", "access-token": "a"}}}),
        [("bitbucket-oauth", "h", "k", "s")],
    ),
    (
        "one host in several sections: the last one wins",
        data({"bearer": {"h": "b"}, "http-basic": {"h": BASIC}, "github-oauth": {"h": "g"}}),
        [("github-oauth", "h", "", "g"), ("http-basic", "h", "anna", SECRET), ("bearer", "h", "", "b")],
    ),
    ("unknown sections", data({"x-token": {"h": None}, "config": {"http-basic": {"h": None}}}), []),
    ("settings", data({"process-timeout": 9, "github-domains": ["h"], "gitlab-domains": [], "lock": "x"}), []),
    ("a key that begins with NUL", b'{"\\u0000x": 1}', []),
    ("511 levels", nested(511), []),
    ("brackets in a text", data({"x": "[" * 600}), []),
]


@pytest.mark.parametrize(("content", "expected"), [row[1:] for row in VALID], ids=[row[0] for row in VALID])
def test_parses(content: bytes, expected: List[Tuple[str, str, str, str]]) -> None:
    assert entries(parse(content)) == [AuthEntry(*entry) for entry in expected]


def with_host(section: str, value: Any) -> bytes:
    return data({section: {"h.example": value}})


MALFORMED: List[Tuple[str, bytes, str, str]] = [
    ("no bytes", b"", "empty", "line 1, column 1"),
    ("white space", b" \r\n\t", "empty", "line 1, column 1"),
    ("form feed", b"\f{}", "not JSON", "line 1, column 1"),
    ("trailing comma", b'{"http-basic": {},}', "not JSON", "line 1, column 1"),
    ("comment", b'{\n  // mine\n  "bearer": {}}', "not JSON", "line 2, column 3"),
    ("cut off", b'{"http-basic": {"h": {"username": "', "not JSON", "line 1, column 35"),
    ("two documents", b"{}\n{}", "not JSON", "line 2, column 1"),
    ("control character", b'{"x": "a\tb"}', "not JSON", "line 1, column 9"),
    ("single quotes", b"{'x': 1}", "not JSON", "line 1, column 2"),
    ("leading zero", b'{"x": 01}', "not JSON", "line 1, column 8"),
    ("NaN", b'{"x": NaN}', "NaN is not JSON", ""),
    ("Infinity", b'{"x": Infinity}', "Infinity is not JSON", ""),
    ("-Infinity", b'{"x": [-Infinity]}', "-Infinity is not JSON", ""),
    ("too large a number", b'{"x": -1e999}', "too large", "6 digits"),
    ("UTF-16", "{}".encode("utf-16"), "not UTF-8", "line 1, column 1"),
    ("UTF-16 without mark", "{}".encode("utf-16-le"), "not UTF-8", "line 1, column 1"),
    ("byte order mark", b"\xef\xbb\xbf{}", "byte order mark", "line 1, column 1"),
    ("NUL at the end", b"{}\x00", "not UTF-8", ""),
    ("Latin-1", b'{\n"x": "\xe9"}', "not UTF-8", "line 2, byte 8"),
    ("overlong", b'{"x": "\xc0\xaf"}', "not UTF-8", "line 1, byte 7"),
    ("surrogate as bytes", b'{"x": "\xed\xa0\x80"}', "not UTF-8", ""),
    ("lone high surrogate", b'{"x": "\\ud83d"}', "surrogate", ""),
    ("lone low surrogate", b'{"x": "\\ude00\\ud83d"}', "surrogate", ""),
    ("lone surrogate in a key", b'{"\\udc00": 1}', "surrogate", ""),
    ("512 levels", nested(512), "nested more than 511 levels", "line 1, column 517"),
    ("far too deep", nested(100000), "nested more than 511 levels", ""),
    ("a list", b"[]", "top level", ""),
    ("a full list", data([{"http-basic": {HOST: BASIC}}]), "top level", ""),
    ("null", b"null", "top level", ""),
    ("a text", data(SECRET), "top level", ""),
    ("a number", b"5", "top level", ""),
    ("same host twice", b'{"bearer": {"h": "a", "h": "b"}}', "duplicate key", "'h'"),
    ("same section twice", b'{"http-basic": {}, "http-\\u0062asic": {}}', "duplicate key", "'http-basic'"),
    ("digits as a key", b'{"17": {}}', "digits only", "17"),
    ("minus and digits as a key", b'{"-17": {}}', "digits only", "-17"),
    ("github-domains", b'{"github-domains": "h"}', "list of text", "github-domains"),
    ("gitlab-domains", b'{"gitlab-domains": [[]]}', "list of text", "gitlab-domains"),
    ("process-timeout", b'{"process-timeout": "300"}', "whole number", "process-timeout"),
    ("process-timeout, boolean", b'{"process-timeout": true}', "whole number", "process-timeout"),
    ("process-timeout, float", b'{"process-timeout": 1.5}', "whole number", "process-timeout"),
    ("process-timeout, huge", b'{"process-timeout": 9223372036854775808}', "whole number", "process-timeout"),
    ("github token, space", with_host("github-oauth", "a b"), "GitHub token", "github-oauth → h.example"),
    ("github token, empty", with_host("github-oauth", ""), "GitHub token", "github-oauth → h.example"),
    ("github token, two line feeds", with_host("github-oauth", "a\n\n"), "GitHub token", "github-oauth → h.example"),
    ("github token, umlaut", with_host("github-oauth", "ä"), "GitHub token", "github-oauth → h.example"),
]  # fmt: skip

NAMES: Dict[str, Tuple[str, ...]] = {
    "http-basic": ("username", "password"),
    "bitbucket-oauth": ("consumer-key", "consumer-secret"),
    "gitlab-token": ("username", "token"),
    "gitlab-oauth": ("token",),
}
SECTIONS = (*NAMES, "github-oauth", "bearer")
for _section in SECTIONS:
    MALFORMED += [
        (f"{_section} is {value!r}", data({_section: value}), "must be an object", _section)
        for value in (None, "", "x", False, True, 0, 5, 1.5, ["x"], [{}])
    ]
    MALFORMED += [
        (f"{_section} host {host}", data({_section: {host: "x"}}), "host made of digits", f"{_section} → {host}")
        for host in ("0", "8080", "-1", str(2**63 - 1), str(-(2**63)))
    ]
    MALFORMED += [
        (f"{_section} host is {value!r}", with_host(_section, value), "must be", f"{_section} → h.example")
        for value in (None, True, 5, [], ["x"])
    ]
MALFORMED += [
    (f"{_section} host is a text", with_host(_section, SECRET), "must be an object", f"{_section} → h.example")
    for _section in ("http-basic", "bitbucket-oauth")
]
MALFORMED += [
    (f"{_section} host is an object", with_host(_section, {"token": SECRET}), "must be text", _section)
    for _section in ("github-oauth", "bearer")
]
for _section, _names in NAMES.items():
    for _name in _names:
        _others = {name: SECRET for name in _names if name != _name}
        MALFORMED.append((f"{_section} without {_name}", with_host(_section, _others), f"has no {_name}", "h.example"))
        for _value in (None, 0, 12345678, 1.5, True, [], {}):
            _content = with_host(_section, {**_others, _name: _value})
            MALFORMED.append((f"{_section}, {_name} {_value!r}", _content, f"{_name} is not text", "h.example"))

_NEWER = "Composer 2.9 and newer cannot read it"
for _section in ("custom-headers", "client-certificate", "forgejo-token"):
    MALFORMED += [
        (f"{_section} is {value!r}", data({_section: value}), _NEWER, _section)
        for value in (None, "", SECRET, False, 5, [SECRET], {"8080": {"username": "u", "token": SECRET}})
    ]
MALFORMED += [
    (f"forgejo-token {value!r}", with_host("forgejo-token", value), _NEWER, "forgejo-token")
    for value in (None, SECRET, [], {}, {"username": "u"}, {"token": SECRET}, {"username": 5, "token": SECRET})
]
MALFORMED += [
    (f"client-certificate, {name}", with_host("client-certificate", {name: [SECRET]}), _NEWER, "client-certificate")
    for name in ("local_cert", "local_pk", "passphrase")
]


def test_sections_of_composer_2_9() -> None:
    token = {"username": "u", "token": SECRET}
    for content in (
        {"custom-headers": {"h.example": ["x: y"], "other.example": None}, "client-certificate": [], "x": 1},
        {"client-certificate": {"h.example": {"local_cert": "/cert", "passphrase": None}, "other.example": "x"}},
        {"forgejo-token": {"h.example": token, "other.example": {**token, "token": None}}},
    ):
        assert parse(data(content)) == content


@pytest.mark.parametrize(
    ("content", "reason", "place"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED]
)
def test_refuses(content: bytes, reason: str, place: str) -> None:
    with pytest.raises(MalformedFile) as caught:
        parse(content)
    assert reason in caught.value.reason
    assert place in caught.value.place
    assert str(caught.value) == f"{caught.value.reason} ({caught.value.place})"


def test_refuses_a_number_that_python_cannot_read() -> None:
    try:
        int("7" * 5000)
    except ValueError:
        with pytest.raises(MalformedFile, match="too long"):
            parse(b'{"x": ' + b"7" * 5000 + b"}")
    else:  # Python 3.10 and older read it, as Composer does
        assert parse(b'{"x": ' + b"7" * 5000 + b"}") == {"x": int("7" * 5000)}


WITH_SECRET: List[Tuple[str, bytes]] = [
    ("cut off", data({"http-basic": {HOST: BASIC}})[:-3]),
    ("trailing comma", data({"http-basic": {HOST: BASIC}})[:-1] + b",}"),
    ("unquoted", b'{"bearer": {"h": ' + SECRET.encode() + b"}}"),
    ("unterminated", b'{"bearer": {"h": "' + SECRET.encode()),
    ("control character", b'{"bearer": {"h": "\n' + SECRET.encode() + b'"}}'),
    ("bad escape", b'{"bearer": {"h": "\\' + SECRET.encode() + b'"}}'),
    ("Latin-1", b'{"bearer": {"h": "' + SECRET.encode() + b'\xe9"}}'),
    ("surrogate", b'{"bearer": {"h": "' + SECRET.encode() + b'\\ud800"}}'),
    ("NaN", b'{"bearer": {"h": "' + SECRET.encode() + b'"}, "x": NaN}'),
    ("UTF-16", json.dumps({"bearer": {"h": SECRET}}).encode("utf-16")),
    ("duplicate key", f'{{"bearer": {{"h": "{SECRET}", "h": "{SECRET}"}}}}'.encode()),
    ("deep", data({"bearer": {"h": SECRET}})[:-1] + b', "x":' + b"[" * 600 + b"]" * 600 + b"}"),
    ("in a list", data([SECRET])),
    *[(f"as a section: {section}", data({section: SECRET})) for section in SECTIONS],
    *[(f"as a list: {section}", with_host(section, [SECRET])) for section in SECTIONS],
    *[(f"as a user name alone: {section}", with_host(section, {"username": SECRET})) for section in SECTIONS],
    ("as a github token", with_host("github-oauth", SECRET + "!")),
    ("as a text for http-basic", with_host("http-basic", SECRET)),
    ("the other half is a number", with_host("http-basic", {"username": 1, "password": SECRET})),
    ("forgotten host", data({"http-basic": BASIC})),
    ("as a setting", data({"github-domains": SECRET})),
    ("as a timeout", data({"process-timeout": SECRET})),
]


@pytest.mark.parametrize("content", [row[1] for row in WITH_SECRET], ids=[row[0] for row in WITH_SECRET])
def test_an_error_contains_no_secret(content: bytes) -> None:
    with pytest.raises(MalformedFile) as caught:
        parse(content)
    shown = "".join(traceback.format_exception(type(caught.value), caught.value, caught.value.__traceback__))
    assert SECRET not in shown + repr(caught.value) + caught.value.reason + caught.value.place
    assert caught.value.__cause__ is None


def test_an_error_contains_no_digits_of_a_number() -> None:
    with pytest.raises(MalformedFile) as caught:
        parse(b'{"x": 31415926e999}')
    assert "31415926" not in str(caught.value)


def test_an_entry_does_not_print_its_secret() -> None:
    entry = AuthEntry("http-basic", HOST, PUBLIC, PRIVATE)
    assert PRIVATE not in repr(entry)
    assert entry.as_result() == {
        "repository": HOST,
        "section": "http-basic",
        "public_key": PUBLIC,
        "fingerprint": "sha256:" + hashlib.sha256(PRIVATE.encode()).hexdigest()[:12],
    }


def test_an_entry_without_user_name_has_no_public_key() -> None:
    assert AuthEntry("bearer", "h", "", "chosen by a person").as_result() == {
        "repository": "h",
        "section": "bearer",
        "public_key": None,
        "fingerprint": "set",
    }


# Hostile files that once took hours or unlimited memory. Each must be refused about as fast as it is read.

MANY = 1_000_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": "' + '\\"' * MANY, "not JSON"),
        ('{"a": "' + '\\"' * MANY + "\\", "not JSON"),
        ('"' * MANY, "not JSON"),
        ("[" * MANY, "deep"),
        ('{"a": ' + "9" * MANY + "}", "a number is too long"),
        ('{"a": 0.' + "9" * MANY + "}", "a number is too long"),
        ('{"a": ' + "9" * 400 + "e5}", "too large"),
        ('{"' + "a" * MANY + '": 1, "' + "a" * MANY + '": 2}', "duplicate"),
        ('{"http-basic": {"' + "\\u001b" * MANY + '": 1}}', "must be an object"),
    ],
    ids=[
        "quotes",
        "a backslash at the end",
        "empty texts",
        "brackets",
        "digits",
        "decimals",
        "exponent",
        "key",
        "host",
    ],
)
def test_a_hostile_file_is_refused_with_a_short_message(content: str, reason: str) -> None:
    with pytest.raises(MalformedFile) as malformed:
        parse(content.encode())
    assert reason in str(malformed.value) and len(str(malformed.value)) < 500 and str(malformed.value).isprintable()


def test_brackets_in_strings_are_not_counted() -> None:
    content = {"bearer": {"h": "[{" * 1000 + '\\"[' * 1000}}
    assert entries(parse(data(content)))[0].secret == content["bearer"]["h"]


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("anna", "anna"),
        (PUBLIC, PUBLIC),
        ("anna@shop.example", "anna@shop.example"),
        ("ghp_" + "a1" * 18, "set"),
        ("", None),
    ],
)
def test_a_user_name_that_may_be_a_token_is_not_shown(user: str, shown: Any) -> None:
    assert AuthEntry("http-basic", HOST, user, "x-oauth-basic").as_result()["public_key"] == shown
