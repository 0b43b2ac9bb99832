# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each version of curl makes of a netrc. The answers are those of real ones: 7.74, 7.88, 8.14 and 8.22."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_readers import READERS, Answer, Broken, Found

OLD, MACROS, QUOTES, MENDED, MEMORY, STRICT, LEXED = (reader.name for reader in READERS)
ALL = (OLD, MACROS, QUOTES, MENDED, MEMORY, STRICT, LEXED)
PAIR = Found(b"l", b"p")


def answers(text: str, host: str = "a") -> Dict[str, Answer]:
    return {reader.name: reader.lookups(text.encode(), [host.encode()])[host.encode()] for reader in READERS}


AGREED: Dict[str, Tuple[str, Optional[Answer]]] = {
    "one line": ("machine a login l password p\n", PAIR),
    "several lines": ("machine a\n\tlogin l\n\tpassword p", PAIR),
    "keywords in any case": ("Machine A LOGIN l PASSWORD p\n", PAIR),
    "the first complete entry wins": ("machine a login l password p\nmachine a login x password y\n", PAIR),
    "a default entry before it wins": ("default login l password p\nmachine a login x password y\n", PAIR),
    "a default entry for the rest": ("machine b login x password y\ndefault login l password p\n", PAIR),
    "a comment": ("# machine a login x password y\nmachine a login l password p\n", PAIR),
    "an account": ("machine a login l account x password p\n", PAIR),
    "password first": ("machine a password p login l\n", PAIR),
    "nothing": ("machine b login x password y\n", None),
    "an empty file": ("", None),
}


@pytest.mark.parametrize("name", AGREED)
def test_what_all_versions_agree_on(name: str) -> None:
    text, expected = AGREED[name]
    assert answers(text) == {reader: expected for reader in ALL}


def test_a_macro_hides_entries_from_those_that_know_macros() -> None:
    found = answers("macdef x\nmachine a login l password p\n\n")
    assert {name for name, answer in found.items() if answer == PAIR} == {OLD}


def test_a_macro_within_an_entry_is_one_for_the_newest_only() -> None:
    found = answers("machine a login l\nmacdef x\npassword p\n\n")
    assert {name for name, answer in found.items() if answer == PAIR} == set(ALL) - {LEXED}


def test_a_comment_behind_a_token() -> None:
    found = answers("machine b login x # machine a login l password p\n")
    assert {name for name, answer in found.items() if answer == PAIR} == {OLD, MACROS, MEMORY, STRICT, LEXED}


def test_quotes() -> None:
    found = answers('machine a login "l" password "\\p"\n')
    assert {name for name, answer in found.items() if answer == PAIR} == {QUOTES, MENDED, MEMORY, STRICT, LEXED}
    assert found[OLD] == Found(b'"l"', b'"\\p"')


def test_a_quote_that_is_not_closed_breaks_the_file_where_quotes_are_known() -> None:
    found = answers('machine b login x password "y\n')
    assert {name for name, answer in found.items() if answer == Broken(1)} == {QUOTES, MENDED, MEMORY, STRICT, LEXED}
    # What stands before it is still read.
    assert answers('machine a login l password p\nmachine b login x password "y\n')[MENDED] == PAIR


def test_a_quote_may_go_on_in_the_next_line_since_the_file_is_read_as_a_whole() -> None:
    found = answers('machine a login l password "p\nq"\n')
    assert found[MENDED] == Broken(1)
    assert found[MEMORY] == found[STRICT] == found[LEXED] == Found(b"l", b"p\nq")


def test_an_incomplete_entry_leaks_into_the_next_one_in_old_versions() -> None:
    found = answers("machine a login l\nmachine a password p\n")
    assert {name for name, answer in found.items() if answer == PAIR} == {OLD, MACROS, QUOTES, MEMORY}
    assert found[MENDED] == found[STRICT] == Found(None, b"p")
    assert found[LEXED] == Found(b"l", None)


def test_carriage_returns_are_part_of_a_word_in_old_versions() -> None:
    found = answers("machine a login l password p\r\n")
    assert found[OLD] == found[MACROS] == Found(b"l", b"p\r")
    assert {name for name, answer in found.items() if answer == PAIR} == {QUOTES, MENDED, MEMORY, STRICT, LEXED}


def test_a_blank_before_a_carriage_return_breaks_newer_versions() -> None:
    found = answers("machine b login x password y \r\n")
    assert {name for name, answer in found.items() if answer == Broken(1)} == {MEMORY, STRICT}
