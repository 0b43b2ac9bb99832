# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of README.md and docs/*.md: every code block, unchanged, and the test that runs it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from place import ROOT

CLAIMED: set[tuple[str, str]] = set()
"""The documents and headings whose examples a test runs."""


@dataclass
class Example:
    """One code block. ``text`` is what a reader types: without prompts and without the output of commands."""

    where: str
    language: str
    content: str
    used: bool = field(default=False, compare=False)

    @property
    def text(self) -> str:
        self.used = True
        if self.language != "console":
            return self.content
        typed = ""
        for line in self.content.splitlines(keepends=True):
            if line.startswith("$ "):
                typed += line[2:]
            elif not _complete(typed):
                typed += line
        return typed


def _complete(typed: str) -> bool:
    """Whether a shell would run this text, and not wait for a closing quote or a continuation line."""
    try:
        shlex.split(typed.rstrip("\n"), comments=True)
    except ValueError:
        return False
    return True


def documents() -> list[str]:
    """README.md and docs/*.md, relative to the collection."""
    return ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]


def _tokens(document: str) -> list[Token]:
    return MarkdownIt().parse((ROOT / document).read_text())


def examples_in(document: str) -> dict[str, list[Example]]:
    """The code blocks of a document, in order, by the heading above them."""
    found: dict[str, list[Example]] = {}
    heading = ""
    for before, token in pairwise(_tokens(document)):
        if before.type == "heading_open":
            heading = token.content
        elif token.type in ("fence", "code_block"):
            blocks = found.setdefault(heading, [])
            blocks.append(Example(f"{document}, {heading}, block {len(blocks) + 1}", token.info, token.content))
    return found


def inline(document: str, beginning: str) -> str:
    """The only piece of inline code that starts with ``beginning``, on one line."""
    pieces = [piece for token in _tokens(document) for piece in token.children or [] if piece.type == "code_inline"]
    (code,) = [piece.content for piece in pieces if piece.content.startswith(beginning)]
    return code


def runs(document: str, heading: str) -> pytest.MarkDecorator:
    """Pass all blocks below this heading to the test as ``examples``. The test has to run each of them."""
    CLAIMED.add((document, heading))
    return pytest.mark.parametrize("examples", [(document, heading)], indirect=True, ids=[f"{document}: {heading}"])
