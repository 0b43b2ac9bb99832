# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source wins."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import (
    Source,
    repositories,
    shadows,
    winner,
)

HOST = "repo.magento.com"


def basic(user: str, secret: str) -> Dict[str, str]:
    return {"username": user, "password": secret}


OLD, NEW, OTHER = basic("old", "old secret"), basic("new", "new secret"), basic("u", "p")


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
