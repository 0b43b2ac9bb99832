# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure codes in the source match the paragraphs of docs/codes.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from place import ROOT

PAGE = (ROOT / "docs" / "codes.md").read_text()
CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+\Z")
RAISERS = ("KeyfleetError", "Problem", "Finding")


def constants(node: ast.AST) -> Iterator[str]:
    """Every string in ``node`` that has the form of a code."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and CODE.match(part.value):
            yield part.value


def codes() -> set[str]:
    """Every code that is a literal in the source."""
    found: set[str] = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISERS and node.args:
                found.update(constants(node.args[0]))
            if isinstance(node, ast.keyword) and node.arg == "code":
                found.update(constants(node.value))
    return found


def test_every_code_has_a_paragraph() -> None:
    assert len(codes()) > 20, "the search finds no codes any more"
    assert [code for code in sorted(codes()) if f"\n**{code}**" not in PAGE] == []


def test_every_paragraph_is_about_a_code() -> None:
    explained = re.findall(r"^\*\*([a-z_0-9]+)\*\*", PAGE, re.MULTILINE)
    assert len(explained) == len(set(explained)) > 20
    source = "".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
    assert [code for code in explained if f'"{code}"' not in source] == []
