# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port of Python's netrc reads what the netrc of this Python reads."""

from __future__ import annotations

import itertools
import netrc
import sys
from pathlib import Path

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._netrc_python import logins

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
def test_it_reads_what_this_python_reads(first: str, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    for second, third in itertools.product(PARTS, PARTS):
        data = (first + second + third).encode()
        path.write_bytes(data)
        try:
            expected = dict(netrc.netrc(str(path)).hosts)
        except netrc.NetrcParseError:
            expected = None
        assert logins(data, new=NEW) == expected, data


def test_the_two_kinds_differ_where_they_are_known_to() -> None:
    quoted = b'machine a login "b c" password d\n'
    assert logins(quoted, new=True) == {"a": ("b c", "", "d")}
    assert logins(quoted, new=False) is None
    assert logins(b"machine a login b\n", new=True) == {"a": ("b", "", "")}
    assert logins(b"machine a login b\n", new=False) is None


def test_what_is_no_text_is_rejected() -> None:
    assert logins(b"machine a login \xff password c\n", new=NEW) is None
