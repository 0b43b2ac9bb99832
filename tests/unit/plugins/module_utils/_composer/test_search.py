# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searching directories, also while their owner changes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import search as composer_search
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.search import search
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import Problem


def found(root: Path) -> List[str]:
    problems: List[Problem] = []
    paths = [path[len(str(root)) + 1 :] for path in search(str(root), problems)]
    assert problems == []
    return paths


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / "auth.json").touch()
    return root


def test_paths_are_in_order_and_third_party_code_is_skipped(tmp_path: Path) -> None:
    make(tmp_path, "b", "a/c", "a", "vendor/x", "b/node_modules", ".git")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "auth.json").mkdir()
    (tmp_path / "d").symlink_to("a")
    assert found(tmp_path) == ["a/auth.json", "a/c/auth.json", "b/auth.json"]
    assert found(tmp_path / "d") == ["auth.json", "c/auth.json"]


def test_a_link_that_replaces_a_directory_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "outside", "root/a", "root/b", "root/b/c")
    problems: List[Problem] = []
    paths = search(str(tmp_path / "root"), problems)
    assert next(paths).endswith("/a/auth.json")
    os.rename(str(tmp_path / "root" / "b"), str(tmp_path / "moved"))
    (tmp_path / "root" / "b").symlink_to(tmp_path / "outside")
    assert list(paths) == [] and problems == []


def test_a_renamed_directory_is_searched_once(tmp_path: Path) -> None:
    make(tmp_path, "a", "a/sub", "b", "c")
    paths = search(str(tmp_path), [])
    assert [next(paths)[len(str(tmp_path)) :] for _again in range(2)] == ["/a/auth.json", "/a/sub/auth.json"]
    os.rename(str(tmp_path / "b"), str(tmp_path / "b2"))
    os.rename(str(tmp_path / "a"), str(tmp_path / "b"))
    assert [path[len(str(tmp_path)) :] for path in paths] == ["/c/auth.json"]


def test_the_number_of_levels_is_limited(tmp_path: Path) -> None:
    deep = tmp_path
    for _level in range(composer_search._MOST_LEVELS + 20):
        deep = make(deep, "d") / "d"
    make(tmp_path, "e")
    problems: List[Problem] = []
    paths = list(search(str(tmp_path), problems))
    assert len(paths) == composer_search._MOST_LEVELS + 1 and paths[-1].endswith("/e/auth.json")
    (problem,) = problems
    assert problem.code == "read_failed" and "levels" in problem.message


@pytest.mark.parametrize("root", ["", "/"])
def test_the_number_of_directories_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str) -> None:
    monkeypatch.setattr(composer_search, "_MOST_DIRECTORIES", 3)
    make(tmp_path, *"abcdef")
    problems: List[Problem] = []
    paths = list(search(root or str(tmp_path), problems))
    assert len(paths) == (0 if root else 2)
    assert "3 directories" in problems[-1].message and problems[-1].path == (root or str(tmp_path))


@pytest.mark.parametrize("kind", ["file", "nothing"])
def test_a_root_that_is_not_a_directory(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "file":
        root.touch()
    problems: List[Problem] = []
    assert list(search(str(root), problems)) == []
    assert [(problem.code, problem.path) for problem in problems] == [("no_directory", str(root))]


def test_all_directories_are_closed(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c", "d")
    before = sorted(os.listdir("/proc/self/fd"))
    list(search(str(tmp_path), []))
    paths = search(str(tmp_path), [])
    next(paths)
    paths.close()  # type: ignore[attr-defined]
    assert sorted(os.listdir("/proc/self/fd")) == before
