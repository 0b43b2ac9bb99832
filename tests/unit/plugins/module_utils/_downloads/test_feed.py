# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The feed of releases in all known formats, and in some others."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.feed import (
    NotAFeed,
    Release,
    Repeats,
    chosen,
    find,
    parse,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets

MD5 = "0123456789abcdef" * 2
FEED = {
    "ce-full": {
        "2.4.8": [{"name": "Version 2.4.8", "file_name": "Magento-CE-2.4.8.zip", "md5": MD5, "ce_versions": ["2.4.8"]}],
        "2.4.7": [{"name": "Version 2.4.7", "file_name": "Magento-CE-2.4.7.zip", "md5": ""}],
    },
    "ce-patch": {
        "1.9.2.0": [{"name": "SUPEE-1", "file_name": "P1.sh", "md5": "", "ce_versions": "1.9.2.0, 1.9.2.1"}],
        "1.9.2.1": [{"name": "SUPEE-1", "file_name": "P1.sh", "md5": MD5, "ce_versions": "1.9.2.0, 1.9.2.1"}],
    },
    "other": [{"name": "Tool", "file_name": "tool.zip", "ce_versions": ["2.4.8"], "ee_versions": None}],
    "unknown": {"9": [{"file_name": "new.zip"}]},
}


def parsed(body: bytes) -> List[Release]:
    return parse(body, Secrets(()).occur_in)


def feed(**changes: Any) -> List[Release]:
    return parsed(json.dumps({**FEED, **changes}).encode())


def names(releases: List[Release]) -> List[str]:
    return [release.file_name for release in releases]


def test_both_formats_and_unknown_categories_in_order() -> None:
    found = feed()
    assert names(found) == ["Magento-CE-2.4.8.zip", "Magento-CE-2.4.7.zip", "P1.sh", "P1.sh", "tool.zip", "new.zip"]
    assert [one.category for one in found] == ["ce-full"] * 2 + ["ce-patch"] * 2 + ["other", "unknown"]
    assert [one.version for one in found] == ["2.4.8", "2.4.7", "1.9.2.0", "1.9.2.1", None, "9"]
    assert [one.md5 for one in found] == [MD5, None, None, MD5, None, None]
    assert found[2].ce_versions == ("1.9.2.0", "1.9.2.1") and found[4].ee_versions == ()


def test_fields_of_a_result() -> None:
    assert feed()[0].as_result() == {
        "category": "ce-full",
        "version": "2.4.8",
        "name": "Version 2.4.8",
        "file_name": "Magento-CE-2.4.8.zip",
        "md5": MD5,
        "ce_versions": ["2.4.8"],
        "ee_versions": [],
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"1": {"file_name": "a"}}, ["a"]),
        ({"file_name": "a"}, ["a"]),
        ([], []),
        ({}, []),
        (None, []),
        ("text", []),
        ([{"name": "no file"}, {"file_name": ""}, {"file_name": 5}, "text", {"file_name": "a"}], ["a"]),
    ],
)
def test_content_of_a_category(content: Any, expected: List[str]) -> None:
    assert names(feed(extra=content)[6:]) == expected


@pytest.mark.parametrize("md5", ["", None, "not a sum", MD5[:-1], MD5 + "0", 5])
def test_invalid_md5_is_none(md5: Any) -> None:
    assert feed(extra=[{"file_name": "a", "md5": md5}])[6].md5 is None


def test_md5_is_lower_case() -> None:
    assert feed(extra=[{"file_name": "a", "md5": f" {MD5.upper()} "}])[6].md5 == MD5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"No such file or no access",
        b"<html>Sign in</html>",
        b"[1]",
        b"5",
        b"\xff",
        b'{"message": ["no"]}',
        b'{"a":',
    ],
)
def test_body_that_is_not_a_feed(body: bytes) -> None:
    with pytest.raises(NotAFeed):
        parsed(body)


def test_empty_feed() -> None:
    assert parsed(b"{}") == parsed(b"[]") == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 6),
        ({"version": "2.4.8"}, 2),
        ({"version": "2.4.*"}, 3),
        ({"version": "1.9.2.1"}, 1),
        ({"version": "*"}, 6),
        ({"category": "ce-*"}, 4),
        ({"category": "unknown"}, 1),
        ({"name": "VERSION 2.4.8"}, 1),
        ({"name": "magento-ce-*.zip"}, 2),
        ({"version": "2.4.8", "category": "other"}, 1),
        ({"version": "2.4.8", "name": "no*"}, 0),
    ],
)
def test_filters(filters: Any, expected: int) -> None:
    # new.zip has no versions of its own, and no name.
    assert len(chosen(feed(), **filters)) == expected


def test_entry_with_an_md5_is_preferred() -> None:
    found = find(feed(), "P1.sh")
    assert found is not None and (found.version, found.md5) == ("1.9.2.1", MD5)
    found = find(feed(), "tool.zip")
    assert found is not None and found.md5 is None
    assert find(feed(), "none.zip") is None


def test_fields_are_short_and_printable() -> None:
    hostile = "a\x1b[31m\x9b\u202e\ud800" + "x" * 10_000
    item = {"name": hostile, "file_name": hostile, "md5": MD5, "ce_versions": [hostile], "ee_versions": hostile}
    (one,) = parsed(json.dumps({hostile: {hostile: [item]}}).encode())
    texts = [one.category, str(one.version), one.name, one.file_name, *one.ce_versions, *one.ee_versions]
    assert all(text.isprintable() and len(text) <= 255 for text in texts) and len(texts) >= 6
    assert one.name.startswith("a [31m xxx")


@pytest.mark.parametrize("key", ["category", "version"])
def test_long_name_is_processed_once(key: str) -> None:
    """Processing it for every file would take hours."""
    files = [{"file_name": "a.zip"}] * 20_000
    name = "c" * 2_000_000
    found = parsed(json.dumps({name: files} if key == "category" else {"c": {name: files}}).encode())
    assert len(found) == len(files) and getattr(found[-1], key) == "c" * 252 + "..."


def test_limit_of_files() -> None:
    with pytest.raises(NotAFeed, match="20000 files"):
        parsed(json.dumps({"a": {"b": [{"file_name": "a.zip"}] * 20_000}, "c": [{}]}).encode())


@pytest.mark.parametrize("versions", [[2.4, 5, None, {"a": "b"}, ["x"], " 2.4.8 "], ["2.4", "5", "2.4.8"]])
def test_versions_from_strings_and_numbers(versions: Any) -> None:
    (one,) = parsed(json.dumps({"c": [{"file_name": "f", "ce_versions": versions}]}).encode())
    assert one.ce_versions == ("2.4", "5", "2.4.8")


def test_feed_with_a_huge_number() -> None:
    with pytest.raises(NotAFeed):
        parsed(b'{"a": ' + b"9" * 1_000_000 + b"}")


def test_complex_pattern_is_fast() -> None:
    (one,) = parsed(json.dumps({"c": [{"file_name": "a" * 1_000_000}]}).encode())
    assert chosen([one], name="*a*a*b") == []


TOKEN = "it's-made-up-0123456789-abc"
REPEATING = {
    "a name with both quotation marks": {"name": f'a "quoted" {TOKEN}'},
    "a name that would be cut within the secret": {"name": "A" * 240 + TOKEN},
    "the name of a field": {"name": "a", TOKEN: 1},
    "a user that is not shown": {"name": "e" * 40},
    "with a JSON escape": {"name": TOKEN.replace("'", "\\u0027")},
    "versions": {"ce_versions": ["2.4.8", TOKEN]},
}


@pytest.mark.parametrize("item", REPEATING.values(), ids=REPEATING)
def test_feed_that_repeats_a_secret(item: Dict[str, Any]) -> None:
    body = json.dumps({"c": {"1": [{"file_name": "a.zip", **item}]}}).encode()
    with pytest.raises(Repeats):
        parse(body, Secrets([("e" * 40, TOKEN)], in_lists=True).occur_in)
    assert parse(body, Secrets([("user", "another-made-up-token")], in_lists=True).occur_in)


def test_a_feed_that_repeats_a_number() -> None:
    body = b'{"c": {"1": [{"file_name": "a.zip", "ce_versions": [12345678901]}]}}'
    with pytest.raises(Repeats):
        parse(body, Secrets([("user", "12345678901")], in_lists=True).occur_in)
