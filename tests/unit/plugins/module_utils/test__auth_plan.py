# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of an auth.json, and which source wins."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import HTTP_BASIC, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_plan import (
    Edit,
    Source,
    edited,
    entry_for,
    key_changes,
    repositories,
    shadows,
    text_for_diff,
    winner,
)

HOST = "repo.magento.com"
SET = Edit(HOST, True, "new", "new secret")
ONLY_EXISTING = Edit(HOST, True, "new", "new secret", only_existing=True)
REMOVE = Edit(HOST, False)
REMOVE_OLD = Edit(HOST, False, "old")
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
        (None, [REMOVE, Edit("h.example", True, "u", "p")], data(h_example=OTHER)),
        (data(h=OTHER), [SET], data(h=OTHER, repo_magento_com=NEW)),
        (data(h=OTHER), [ONLY_EXISTING], data(h=OTHER)),
        (data(h=OTHER), [REMOVE], data(h=OTHER)),
        (data(repo_magento_com=OLD, h=OTHER), [SET], data(repo_magento_com=NEW, h=OTHER)),
        (data(repo_magento_com=OLD, h=OTHER), [ONLY_EXISTING], data(repo_magento_com=NEW, h=OTHER)),
        (data(repo_magento_com=OLD, h=OTHER), [REMOVE], data(h=OTHER)),
        (data(repo_magento_com=OLD), [REMOVE_OLD], data()),
        (data(repo_magento_com=NEW), [REMOVE_OLD], data(repo_magento_com=NEW)),
        (data(repo_magento_com=OLD), [Edit("REPO.magento.com", False)], data(repo_magento_com=OLD)),
        (b"{}", [SET], data(repo_magento_com=NEW)),
        (b'{"http-basic": []}', [SET], data(repo_magento_com=NEW)),
    ],
)
def test_edits(before: Optional[bytes], edits: List[Edit], after: Optional[bytes]) -> None:
    assert edited(before, edits) == after
    # What was brought about is a fixed point, whoever planned it.
    assert edited(after, edits) == after


@pytest.mark.parametrize(
    "before", [b'{"http-basic":{"repo.magento.com":{"username":"new","password":"new secret"}}}', b"{}"]
)
def test_what_means_the_same_stays_byte_for_byte(before: bytes) -> None:
    assert edited(before, [SET if b"new" in before else REMOVE]) == before


@pytest.mark.parametrize(
    ("found", "seen", "expected"),
    [
        (BROKEN, BROKEN, data(repo_magento_com=NEW)),
        (data(h=OTHER), BROKEN, data(h=OTHER, repo_magento_com=NEW)),
        (None, BROKEN, data(repo_magento_com=NEW)),
        (BROKEN, None, Unfit),
        (BROKEN + b" ", BROKEN, Unfit),
        (b"", BROKEN, Unfit),
    ],
)
def test_only_the_broken_bytes_that_were_seen_are_overwritten(
    found: Optional[bytes], seen: Optional[bytes], expected: Any
) -> None:
    if expected is Unfit:
        with pytest.raises(Unfit):
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
def test_when_another_pair_comes(before: Optional[bytes], edit: Edit, changes: bool) -> None:
    assert key_changes(before, edit) is changes


def test_secrets_are_in_no_repr() -> None:
    assert "new secret" not in repr(SET)


def test_a_diff_shows_no_secret_whatever_the_file_is() -> None:
    assert text_for_diff(None) == ""
    assert "old secret" not in text_for_diff(data(repo_magento_com=OLD))
    broken = text_for_diff(b'{"http-basic": {"h": "old secret"}}')
    assert "not shown" in broken and "old secret" not in broken
    # Two passwords look alike, and still there is a difference.
    before, after = data(h=OLD), data(h=dict(OLD, password="new secret"))
    assert text_for_diff(before) != text_for_diff(after, was=before)
    assert text_for_diff(after, was=BROKEN) == text_for_diff(after)


# Which source wins


def source(name: str, **sections: Any) -> Source:
    return Source(name, f"/{name}", {key.replace("_", "-"): value for key, value in sections.items()})


MINE, BESIDE, PROJECT = "user's auth.json", "project's composer.json", "project's auth.json"


@pytest.mark.parametrize(
    ("sources", "secret", "path", "reason"),
    [
        ([source(MINE, http_basic={HOST: OLD})], "old secret", MINE, f"only the {MINE} has an entry"),
        (
            [source(MINE, http_basic={HOST: OLD}), source(PROJECT, http_basic={HOST: NEW})],
            "new secret",
            PROJECT,
            f"the {PROJECT} beats the {MINE}",
        ),
        (
            [source(name, http_basic={HOST: basic("u", name)}) for name in (MINE, BESIDE, PROJECT)],
            PROJECT,
            PROJECT,
            f"the {PROJECT} beats the {MINE} and the {BESIDE}",
        ),
        (
            [source(MINE, bearer={HOST: "token"}), source(PROJECT, http_basic={HOST: NEW})],
            "token",
            MINE,
            "bearer beats http-basic",
        ),
        ([source(MINE, http_basic={HOST: OLD}), source(PROJECT, http_basic={"h": NEW})], "old secret", MINE, None),
        (
            [source(MINE, gitlab_token={HOST: {"username": "u", "token": "t"}}, http_basic={HOST: OLD})],
            "old secret",
            MINE,
            "http-basic beats gitlab-token",
        ),
    ],
)
def test_winners(sources: List[Source], secret: str, path: str, reason: Optional[str]) -> None:
    won = winner(sources, HOST)
    assert won is not None
    assert (won.entry.secret, won.source.path) == (secret, f"/{path}")
    assert reason is None or won.reason == reason


@pytest.mark.parametrize("host", ["REPO.magento.com", "repo.magento.com:443", "magento.com"])
def test_hosts_are_compared_letter_by_letter(host: str) -> None:
    assert winner([source(MINE, http_basic={HOST: OLD})], host) is None


def test_every_repository_of_every_source() -> None:
    sources = [source(MINE, http_basic={"b": OLD, "a": OLD}), source(PROJECT, bearer={"c": "t"}, http_basic={"a": OLD})]
    assert repositories(sources) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([source(MINE, http_basic={HOST: NEW})], []),
        ([], []),
        ([source(MINE, http_basic={HOST: NEW}), source(PROJECT, http_basic={HOST: NEW})], []),
        (
            [source(MINE, http_basic={HOST: NEW}), source(PROJECT, http_basic={HOST: OLD})],
            [("another_source_wins", PROJECT)],
        ),
        ([source(MINE, http_basic={HOST: NEW}, bearer={HOST: "t"})], [("bearer_wins", MINE)]),
        ([source(MINE, http_basic={HOST: NEW}, bearer={"h": "t"})], []),
        ([source(MINE, http_basic={HOST: NEW}, custom_headers={HOST: ["A: b"]})], [("another_source_wins", MINE)]),
        ([source(MINE, http_basic={HOST: NEW}, client_certificate={HOST: {}})], [("another_source_wins", MINE)]),
        ([source(MINE, http_basic={HOST: NEW}, custom_headers={"h": ["A: b"]})], []),
        ([source(MINE, http_basic={HOST: NEW}, custom_headers=[HOST])], []),
    ],
)
def test_what_keeps_a_key_from_being_used(sources: List[Source], expected: Any) -> None:
    found = shadows(sources, repository=HOST, public_key="new", private_key="new secret", where="For deploy")
    assert [(problem.code, problem.path) for problem in found] == [(code, f"/{path}") for code, path in expected]
    for problem in found:
        assert "For deploy" in problem.message and HOST in problem.message and str(problem.path) in problem.message
        assert "secret" not in problem.message


def test_the_entry_of_a_repository_is_the_one_with_a_user_name() -> None:
    document = {"bearer": {HOST: "t"}, HTTP_BASIC: {HOST: OLD}}
    entry = entry_for(document, HOST)
    assert entry is not None and entry.username == "old"
    assert entry_for({"bearer": {HOST: "t"}}, HOST) is None
