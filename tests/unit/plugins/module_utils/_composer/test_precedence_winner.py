# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source that wins."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Key
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


USER, COMPOSER_JSON, PROJECT = "user's auth.json", "project's composer.json", "project's auth.json"


@pytest.mark.parametrize(
    ("sources", "secret", "path", "reason"),
    [
        ([source(USER, http_basic={HOST: OLD})], "old secret", USER, f"only the {USER} has an entry"),
        (
            [source(USER, http_basic={HOST: OLD}), source(PROJECT, http_basic={HOST: NEW})],
            "new secret",
            PROJECT,
            f"the {PROJECT} overrides the {USER}",
        ),
        (
            [source(name, http_basic={HOST: basic("u", name)}) for name in (USER, COMPOSER_JSON, PROJECT)],
            PROJECT,
            PROJECT,
            f"the {PROJECT} overrides the {USER} and the {COMPOSER_JSON}",
        ),
        (
            [source(USER, bearer={HOST: "token"}), source(PROJECT, http_basic={HOST: NEW})],
            "token",
            USER,
            "bearer overrides http-basic",
        ),
        ([source(USER, http_basic={HOST: OLD}), source(PROJECT, http_basic={"h": NEW})], "old secret", USER, None),
        (
            [source(USER, gitlab_token={HOST: {"username": "u", "token": "t"}}, http_basic={HOST: OLD})],
            "old secret",
            USER,
            "http-basic overrides gitlab-token",
        ),
    ],
)
def test_winners(sources: List[Source], secret: str, path: str, reason: Optional[str]) -> None:
    won = winner(sources, HOST)
    assert won is not None
    assert (won.entry.secret, won.source.path) == (secret, f"/{path}")
    assert reason is None or won.reason == reason


@pytest.mark.parametrize("host", ["REPO.magento.com", "repo.magento.com:443", "magento.com"])
def test_hosts_are_compared_exactly(host: str) -> None:
    assert winner([source(USER, http_basic={HOST: OLD})], host) is None


def test_repositories() -> None:
    sources = [source(USER, http_basic={"b": OLD, "a": OLD}), source(PROJECT, bearer={"c": "t"}, http_basic={"a": OLD})]
    assert repositories(sources) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([source(USER, http_basic={HOST: NEW})], []),
        ([], []),
        ([source(USER, http_basic={HOST: NEW}), source(PROJECT, http_basic={HOST: NEW})], []),
        (
            [source(USER, http_basic={HOST: NEW}), source(PROJECT, http_basic={HOST: OLD})],
            [("another_source_wins", PROJECT)],
        ),
        ([source(USER, http_basic={HOST: NEW}, bearer={HOST: "t"})], [("bearer_wins", USER)]),
        ([source(USER, http_basic={HOST: NEW}, bearer={"h": "t"})], []),
        ([source(USER, http_basic={HOST: NEW}, custom_headers={HOST: ["A: b"]})], [("another_source_wins", USER)]),
        ([source(USER, http_basic={HOST: NEW}, client_certificate={HOST: {}})], [("another_source_wins", USER)]),
        ([source(USER, http_basic={HOST: NEW}, custom_headers={"h": ["A: b"]})], []),
        ([source(USER, http_basic={HOST: NEW}, custom_headers=[HOST])], []),
    ],
)
def test_shadows(sources: List[Source], expected: Any) -> None:
    found = list(shadows(sources, Key(HOST, True, "new", "new secret"), "For deploy"))
    assert [(problem.code, problem.path) for problem in found] == [(code, f"/{path}") for code, path in expected]
    for problem in found:
        assert "For deploy" in problem.message and HOST in problem.message and str(problem.path) in problem.message
        assert "secret" not in problem.message
