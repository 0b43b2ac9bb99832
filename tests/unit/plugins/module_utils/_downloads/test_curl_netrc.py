# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports read a netrc like curl 7.74, 7.88, 8.14 and 8.22 (recorded results) and like this Python."""

from __future__ import annotations

import itertools
import netrc
import sys
from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._downloads.curl_netrc import (
    READERS,
    Answer,
    Broken,
    Found,
    logins,
)

OLD, MACROS, QUOTES, PATCHED, MEMORY, STRICT, LEXED = (reader.name for reader in READERS)
ALL = (OLD, MACROS, QUOTES, PATCHED, MEMORY, STRICT, LEXED)
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
def test_files_that_all_versions_read_alike(name: str) -> None:
    text, expected = AGREED[name]
    assert answers(text) == {reader: expected for reader in ALL}


def test_macro_hides_entries_from_versions_with_macros() -> None:
    found = answers("macdef x\nmachine a login l password p\n\n")
    assert {name for name, answer in found.items() if answer == PAIR} == {OLD}


def test_macro_within_an_entry() -> None:
    found = answers("machine a login l\nmacdef x\npassword p\n\n")
    assert {name for name, answer in found.items() if answer == PAIR} == set(ALL) - {LEXED}


def test_comment_after_a_token() -> None:
    found = answers("machine b login x # machine a login l password p\n")
    assert {name for name, answer in found.items() if answer == PAIR} == {OLD, MACROS, MEMORY, STRICT, LEXED}


def test_quotes() -> None:
    found = answers('machine a login "l" password "\\p"\n')
    assert {name for name, answer in found.items() if answer == PAIR} == {QUOTES, PATCHED, MEMORY, STRICT, LEXED}
    assert found[OLD] == Found(b'"l"', b'"\\p"')


def test_unclosed_quote_is_an_error_for_versions_with_quotes() -> None:
    found = answers('machine b login x password "y\n')
    assert {name for name, answer in found.items() if answer == Broken(1)} == {QUOTES, PATCHED, MEMORY, STRICT, LEXED}
    # Entries before it are still read.
    assert answers('machine a login l password p\nmachine b login x password "y\n')[PATCHED] == PAIR


def test_quote_over_two_lines() -> None:
    found = answers('machine a login l password "p\nq"\n')
    assert found[PATCHED] == Broken(1)
    assert found[MEMORY] == found[STRICT] == found[LEXED] == Found(b"l", b"p\nq")


def test_incomplete_entry_leaks_into_the_next_one_in_old_versions() -> None:
    found = answers("machine a login l\nmachine a password p\n")
    assert {name for name, answer in found.items() if answer == PAIR} == {OLD, MACROS, QUOTES, MEMORY}
    assert found[PATCHED] == found[STRICT] == Found(None, b"p")
    assert found[LEXED] == Found(b"l", None)


def test_carriage_return_is_part_of_a_word_in_old_versions() -> None:
    found = answers("machine a login l password p\r\n")
    assert found[OLD] == found[MACROS] == Found(b"l", b"p\r")
    assert {name for name, answer in found.items() if answer == PAIR} == {QUOTES, PATCHED, MEMORY, STRICT, LEXED}


def test_blank_before_a_carriage_return_is_an_error_in_newer_versions() -> None:
    found = answers("machine b login x password y \r\n")
    assert {name for name, answer in found.items() if answer == Broken(1)} == {MEMORY, STRICT}


NEW = sys.version_info >= (3, 11)
PARTS = [
    "machine a login b password c\n",
    "machine a login b\n",
    "machine a\n\tlogin b\n\taccount x\n\tpassword c",
    'machine "a b" login "c\\"d" password e\\f\n',
    "default login d password e\n",
    "macdef init\ncd /\n\n",
    "macdef init\ncd /\n",
    "# a comment\n",
    "#\n",
    "#word\n",
    "\n",
    " # a comment\n",
    "rubble\n",
    "machine\n",
    "machine b user w\u00f6 password c\r\n",
    "MACHINE c login d password e\n",
]


@pytest.mark.parametrize("first", PARTS)
def test_port_reads_like_this_python(first: str, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    for second, third in itertools.product(PARTS, PARTS):
        data = (first + second + third).encode()
        path.write_bytes(data)
        try:
            expected = dict(netrc.netrc(str(path)).hosts)
        except netrc.NetrcParseError:
            expected = None
        assert logins(data, new=NEW) == expected, data


def test_known_differences_between_old_and_new_python() -> None:
    quoted = b'machine a login "b c" password d\n'
    assert logins(quoted, new=True) == {"a": ("b c", "", "d")}
    assert logins(quoted, new=False) is None
    assert logins(b"machine a login b\n", new=True) == {"a": ("b", "", "")}
    assert logins(b"machine a login b\n", new=False) is None


def test_invalid_utf_8_is_rejected() -> None:
    assert logins(b"machine a login \xff password c\n", new=NEW) is None
