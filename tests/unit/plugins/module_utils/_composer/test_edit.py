# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edits of an auth.json."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import (
    HTTP_BASIC,
    entry_for,
    key_changes,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import edited, text_for_diff
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile

HOST = "repo.magento.com"
SET = Key(HOST, True, "new", "new secret")
ONLY_EXISTING = Key(HOST, True, "new", "new secret", only_existing=True)
REMOVE = Key(HOST, False)
REMOVE_OLD = Key(HOST, False, "old")
BROKEN = b'{"http-basic":'


def basic(user: str, secret: str) -> Dict[str, str]:
    return {"username": user, "password": secret}


def data(**hosts: Any) -> bytes:
    named = {name.replace("_", "."): value for name, value in hosts.items()}
    return (json.dumps({HTTP_BASIC: named}, indent=4) + "\n").encode()


OLD, NEW, OTHER = basic("old", "old secret"), basic("new", "new secret"), basic("u", "p")


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        (None, [], None),
        (None, [SET], data(repo_magento_com=NEW)),
        (None, [ONLY_EXISTING], None),
        (None, [REMOVE], None),
        (None, [REMOVE, Key("h.example", True, "u", "p")], data(h_example=OTHER)),
        (data(h=OTHER), [SET], data(h=OTHER, repo_magento_com=NEW)),
        (data(h=OTHER), [ONLY_EXISTING], data(h=OTHER)),
        (data(h=OTHER), [REMOVE], data(h=OTHER)),
        (data(repo_magento_com=OLD, h=OTHER), [SET], data(repo_magento_com=NEW, h=OTHER)),
        (data(repo_magento_com=OLD, h=OTHER), [ONLY_EXISTING], data(repo_magento_com=NEW, h=OTHER)),
        (data(repo_magento_com=OLD, h=OTHER), [REMOVE], data(h=OTHER)),
        (data(repo_magento_com=OLD), [REMOVE_OLD], data()),
        (data(repo_magento_com=NEW), [REMOVE_OLD], data(repo_magento_com=NEW)),
        (data(repo_magento_com=OLD), [Key("REPO.magento.com", False)], data(repo_magento_com=OLD)),
        (b"{}", [SET], data(repo_magento_com=NEW)),
        (b'{"http-basic": []}', [SET], data(repo_magento_com=NEW)),
    ],
)
def test_edits(before: Optional[bytes], edits: List[Key], after: Optional[bytes]) -> None:
    assert edited(before, edits) == after
    # A second run changes nothing.
    assert edited(after, edits) == after


@pytest.mark.parametrize(
    "before", [b'{"http-basic":{"repo.magento.com":{"username":"new","password":"new secret"}}}', b"{}"]
)
def test_an_unchanged_file_is_kept_byte_for_byte(before: bytes) -> None:
    assert edited(before, [SET if b"new" in before else REMOVE]) == before


@pytest.mark.parametrize(
    ("found", "seen", "expected"),
    [
        (BROKEN, BROKEN, data(repo_magento_com=NEW)),
        (data(h=OTHER), BROKEN, data(h=OTHER, repo_magento_com=NEW)),
        (None, BROKEN, data(repo_magento_com=NEW)),
        (BROKEN, None, MalformedFile),
        (BROKEN + b" ", BROKEN, MalformedFile),
        (b"", BROKEN, MalformedFile),
    ],
)
def test_only_the_malformed_bytes_that_were_read_are_overwritten(
    found: Optional[bytes], seen: Optional[bytes], expected: Any
) -> None:
    if expected is MalformedFile:
        with pytest.raises(MalformedFile):
            edited(found, [SET], broken=seen)
    else:
        assert edited(found, [SET], broken=seen) == expected


@pytest.mark.parametrize(
    ("before", "edit", "changes"),
    [
        (None, SET, True),
        (None, REMOVE, False),
        (None, ONLY_EXISTING, False),
        (data(repo_magento_com=NEW), SET, False),
        (data(repo_magento_com=basic("new", "old secret")), SET, True),
        (data(repo_magento_com=basic("old", "new secret")), SET, True),
        (data(repo_magento_com=dict(NEW, more="x")), SET, False),
        (data(repo_magento_com=OLD), REMOVE, True),
        (data(repo_magento_com=NEW), REMOVE_OLD, False),
    ],
)
def test_key_changes(before: Optional[bytes], edit: Key, changes: bool) -> None:
    assert key_changes(before, edit) is changes


def test_repr_contains_no_secret() -> None:
    assert "new secret" not in repr(SET)


def test_a_diff_shows_no_secret() -> None:
    assert "old secret" not in text_for_diff(data(repo_magento_com=OLD))
    broken = text_for_diff(b'{"http-basic": {"h": "old secret"}}')
    assert "not shown" in broken and "old secret" not in broken
    # Two passwords have equal descriptions, but the diff shows the change.
    before, after = data(h=OLD), data(h=dict(OLD, password="new secret"))
    assert text_for_diff(before) != text_for_diff(after, was=before)
    assert text_for_diff(after, was=BROKEN) == text_for_diff(after)


# Lookup of an entry


def test_the_entry_of_a_repository_is_in_http_basic() -> None:
    document = {"bearer": {HOST: "t"}, HTTP_BASIC: {HOST: OLD}}
    entry = entry_for(document, HOST)
    assert entry is not None and entry.username == "old"
    assert entry_for({"bearer": {HOST: "t"}}, HOST) is None
