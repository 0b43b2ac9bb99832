# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Editing, writing and masking an auth.json. The comparison with Composer itself is in tests/system."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, List, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import parse
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import (
    edited,
    masked,
    serialise,
    with_entry,
    without_entry,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile


def fake_key(word: str) -> str:
    """Return 32 hexadecimal digits that look like an auth key."""
    return hashlib.sha256(word.encode()).hexdigest()[:32]


HOST = "repo.magento.com"
PUBLIC, PRIVATE = fake_key("public"), fake_key("private")
SECRET = "planted-secret-of-the-tests"
BASIC = {"username": "anna", "password": SECRET}


FOREIGN: Dict[str, Any] = {
    "z": {"deep": [1, 2.5, None, True, {}, []]},
    "bearer": {"b": "t"},
    "http-basic": {"z.example": dict(BASIC), "a.example": {"password": "p", "username": "u", "note": {}}},
    "gitlab-oauth": {},
    "github-oauth": [],
}


def ordered(document: Any) -> str:
    """Return the document as JSON, to compare the order of keys, too."""
    return json.dumps(document)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"http-basic": {HOST: {"username": PUBLIC, "password": PRIVATE}}}),
        ({"http-basic": []}, {"http-basic": {HOST: {"username": PUBLIC, "password": PRIVATE}}}),
        ({"http-basic": {}}, {"http-basic": {HOST: {"username": PUBLIC, "password": PRIVATE}}}),
        (
            FOREIGN,
            {
                **FOREIGN,
                "http-basic": {**FOREIGN["http-basic"], HOST: {"username": PUBLIC, "password": PRIVATE}},
            },
        ),
        (
            {"http-basic": {HOST: {"note": "n", "username": "old", "x": 1, "password": "old"}, "z": BASIC}, "a": 1},
            {
                "http-basic": {
                    HOST: {"username": PUBLIC, "password": PRIVATE, "note": "n", "x": 1},
                    "z": BASIC,
                },
                "a": 1,
            },
        ),
        # The user name comes first. Otherwise Composer would change the file in its next run.
        (
            {"http-basic": {HOST: {"password": PRIVATE, "username": PUBLIC}}},
            {"http-basic": {HOST: {"username": PUBLIC, "password": PRIVATE}}},
        ),
    ],
    ids=["empty", "list", "no hosts", "added to others", "replaced", "order in the entry"],
)
def test_with_entry(before: Dict[str, Any], after: Dict[str, Any]) -> None:
    unchanged = ordered(before)
    result = with_entry(before, repository=HOST, username=PUBLIC, password=PRIVATE)
    assert ordered(result) == ordered(after)
    assert ordered(before) == unchanged
    assert ordered(with_entry(result, repository=HOST, username=PUBLIC, password=PRIVATE)) == ordered(after)


def test_without_entry() -> None:
    unchanged = ordered(FOREIGN)
    result = without_entry(FOREIGN, "z.example")
    assert ordered(result) == ordered({**FOREIGN, "http-basic": {"a.example": FOREIGN["http-basic"]["a.example"]}})
    assert ordered(FOREIGN) == unchanged


def test_removing_the_last_host_leaves_an_object() -> None:
    result = without_entry({"http-basic": {HOST: BASIC}, "bearer": {}}, HOST)
    assert serialise(result) == b'{\n    "http-basic": {},\n    "bearer": {}\n}\n'


@pytest.mark.parametrize("document", [{}, {"http-basic": []}, {"http-basic": {}}, {"bearer": {HOST: "t"}}])
def test_removal_of_a_missing_entry_changes_nothing(document: Dict[str, Any]) -> None:
    data = json.dumps(document).encode()
    assert without_entry(document, HOST) is document
    assert edited(data, [Key(HOST, False)]) is data


@pytest.mark.parametrize(
    ("like", "indent"),
    [
        (None, "    "),
        (b"", "    "),
        (b"{}", "    "),
        (b'{"one": "line"}', "    "),
        (b'{\n  "a": 1}', "  "),
        (b'{\r\n   "a": 1}', "   "),
        (b'{\n\t"a": 1}', "\t"),
        (b'{\n\t\t"a": 1}', "\t\t"),
        (b'{\n \t"a": 1}', "    "),
        (b'{\n"a": {\n  "b": 1}}', "  "),
        (b"\xff\xfe broken", "    "),
    ],
)
def test_serialise_keeps_the_indent(like: Any, indent: str) -> None:
    written = serialise({"a": {"b": "é\u2028"}}, like=like)
    assert written.decode() == f'{{\n{indent}"a": {{\n{indent}{indent}"b": "é\u2028"\n{indent}}}\n}}\n'
    assert serialise(parse(written), like=written) == written


def test_serialise_keeps_numbers_and_kinds() -> None:
    text = b'{\n  "x": [\n    1,\n    12345678901234567890,\n    1.5,\n    {},\n    []\n  ]\n}\n'
    assert serialise(parse(text), like=text) == text


def strings(value: Any) -> List[str]:
    """Return all values that are strings, at any depth."""
    if isinstance(value, dict):
        return [found for item in value.values() for found in strings(item)]
    if isinstance(value, list):
        return [found for item in value for found in strings(item)]
    return [value] if isinstance(value, str) else []


SECRETS = [f"{SECRET}-{n}" for n in range(6)] + [PRIVATE, fake_key("token") + "01234567"]
SHAPES: List[Tuple[str, Any]] = [
    ("text", lambda s: s),
    ("list", lambda s: [s, [s]]),
    ("object", lambda s: {"h": s}),
    ("pair", lambda s: {"h": {"username": "anna", "password": s}}),
    ("token", lambda s: {"h": {"username": "anna", "token": s, "refresh-token": s}}),
    ("consumer", lambda s: {"h": {"consumer-key": "anna", "consumer-secret": s, "access-token": s}}),
    ("certificate", lambda s: {"h": {"local_cert": s, "local_pk": s, "passphrase": s}}),
    ("headers", lambda s: {"h": [f"API-TOKEN: {s}", f"X: {s}"]}),
    ("user name that is not text", lambda s: {"h": {"username": [s], "consumer-key": {"x": s}}}),
    ("extra", lambda s: {"h": {"username": "anna", "password": s, "extra": {"more": [{"x": s}]}}}),
]
ANY_SECTION = (
    "bitbucket-oauth",
    "github-oauth",
    "gitlab-oauth",
    "gitlab-token",
    "http-basic",
    "bearer",
    "custom-headers",
    "client-certificate",
    "forgejo-token",
    "config",
    "something new",
)


@pytest.mark.parametrize("section", ANY_SECTION)
@pytest.mark.parametrize("shape", [row[1] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_masked_shows_no_secret(section: str, shape: Any) -> None:
    for secret in SECRETS:
        document = {section: shape(secret), "x": {section: shape(secret)}}
        shown = masked(document)
        assert secret not in shown
        assert ordered_keys(json.loads(shown)) == ordered_keys(document)
        for text in strings(json.loads(shown)):
            assert text in ("set", "anna") or text.startswith("sha256:")


def ordered_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, ordered_keys(item)) for key, item in value.items()]
    return [ordered_keys(item) for item in value] if isinstance(value, list) else None


def test_masked_shows_user_names_of_known_sections_only() -> None:
    document = {
        "http-basic": {HOST: {"username": PUBLIC, "password": PRIVATE}, "h": {"username": "anna", "password": ""}},
        "client-certificate": {"h": {"username": "hidden"}},
    }
    assert json.loads(masked(document)) == {
        "http-basic": {
            HOST: {"username": PUBLIC, "password": "sha256:" + hashlib.sha256(PRIVATE.encode()).hexdigest()[:12]},
            "h": {"username": "anna", "password": "not set"},
        },
        "client-certificate": {"h": {"username": "set"}},
    }


def test_masked_shows_no_number() -> None:
    """An unquoted passphrase of digits is a number."""
    document = {"client-certificate": {"h": {"passphrase": 31415926}}, "x": [27182818.5, True, None]}
    assert json.loads(masked(document)) == {
        "client-certificate": {"h": {"passphrase": "set"}},
        "x": ["set", True, None],
    }


def test_masked_marks_a_changed_secret() -> None:
    before = {"http-basic": {HOST: {"username": "anna", "password": "one"}}, "bearer": {"h": "same"}, "x": [1, "a"]}
    after = {"http-basic": {HOST: {"username": "anna", "password": "two"}}, "bearer": {"h": "same"}, "x": [1, "b"]}
    assert json.loads(masked(after, was=before)) == {
        "http-basic": {HOST: {"username": "anna", "password": "set (changed)"}},
        "bearer": {"h": "set"},
        "x": ["set", "set (changed)"],
    }
    assert masked(after, was=after) == masked(after)


def test_the_deepest_file_can_be_masked_and_written() -> None:
    content = b'{"x": ' + b"[" * 510 + b"]" * 510 + b', "bearer": {"h": "' + SECRET.encode() + b'"}}'
    document = parse(content)
    assert parse(serialise(with_entry(document, repository=HOST, username=PUBLIC, password=PRIVATE)))
    shown = masked(document, was=document)
    assert json.loads(shown)["bearer"] == {"h": "set"}


TOKEN_AS_USER = "ghp_" + "a1" * 18


@pytest.mark.parametrize(("section", "name"), [("http-basic", "username"), ("bitbucket-oauth", "consumer-key")])
def test_masked_shows_no_token_used_as_user_name(section: str, name: str) -> None:
    before, after = ({section: {"h": {name: TOKEN_AS_USER + end, "password": "x-oauth-basic"}}} for end in "ab")
    assert json.loads(masked(after, was=before))[section]["h"][name] == "set (changed)"
    assert json.loads(masked(after, was=after))[section]["h"][name] == "set"
    assert json.loads(masked(after, was={section: {"h": {name: "anna"}}}))[section]["h"][name] == "set"


def test_a_huge_indent_is_not_kept() -> None:
    like = b"{\n" + b" " * 100_000 + b'"a": 1}'
    document = {"http-basic": {f"h{n}": {"username": "u", "password": "p"} for n in range(1000)}}
    assert len(serialise(document, like=like)) < 200_000


def test_a_file_that_would_be_too_large_to_read_is_refused() -> None:
    deep: Any = [1] * 10_000
    for _level in range(400):
        deep = [deep]
    with pytest.raises(MalformedFile, match="more than"):
        serialise({"x": deep})


def test_a_diff_is_limited() -> None:
    shown = masked({"x": ["a"] * 1_000_000})
    assert len(shown) < 300_000 and shown.endswith("(the rest is not shown)\n")
