# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a netrc looks like: after an edit the real curl and Python read for all others what they read before."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from _netrc_lab import BROKEN, HOST, NOBODY, OTHERS, Asking, asking, odd_files, tidy_files
from hypothesis import HealthCheck, assume, example, given, settings

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._downloads.curl_netrc import (
    READERS,
    Answer,
    Broken,
)

__all__ = ["asking"]

pytestmark = pytest.mark.needs("curl")

MAGE_ID, TOKEN = "MAG123456789", "0123456789" * 4
SET = netrc.NetrcEdit(HOST, True, MAGE_ID, TOKEN)
GONE = netrc.NetrcEdit(HOST, False)
EVERYBODY = (*OTHERS, NOBODY)

Test = Callable[..., None]


def thorough(examples: int) -> Callable[[Test], Test]:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def unharmed(asking: Asking, before: bytes, after: bytes) -> None:
    """Every other machine has what it had, for both readers."""
    was, now = asking.curl(before, EVERYBODY), asking.curl(after, EVERYBODY)
    assert {h: a for h, a in now.items() if was[h] != BROKEN} == {h: a for h, a in was.items() if a != BROKEN}
    known = asking.python(before, EVERYBODY)
    if known is not None:
        assert asking.python(after, EVERYBODY) == known


def edited(before: bytes, edit: netrc.NetrcEdit) -> bytes:
    """The file afterwards; an example that is refused does not count."""
    try:
        after = netrc.edited(before, edit)
    except MalformedFile:
        after = None
    assume(after is not None)
    assert after is not None and netrc.edited(after, edit) == after
    return after


@thorough(60)
@given(before=tidy_files)
@example(before=b"#\nmachine a.test login b password c\n")
@example(before=b"macdef init\ncd /\n\nmachine a.test login b password c\ndefault login d password e")
def test_an_entry_set_in_a_tidy_file(asking: Asking, before: bytes) -> None:
    after = edited(before, SET)
    assert asking.curl(after, [HOST]) == {HOST: f"{MAGE_ID}:{TOKEN}"}
    unharmed(asking, before, after)


@thorough(60)
@given(before=odd_files)
def test_an_entry_set_in_whatever_there_may_be(asking: Asking, before: bytes) -> None:
    after = edited(before, SET)
    assert asking.curl(after, [HOST]) == {HOST: f"{MAGE_ID}:{TOKEN}"}
    unharmed(asking, before, after)


@thorough(60)
@given(before=odd_files)
def test_an_entry_removed(asking: Asking, before: bytes) -> None:
    after = edited(before, GONE)
    answers = asking.curl(after, [HOST, NOBODY])
    assert answers[HOST] == answers[NOBODY]
    unharmed(asking, before, after)


@thorough(100)
@given(before=odd_files)
def test_the_port_of_curl_reads_what_this_curl_reads(asking: Asking, before: bytes) -> None:
    hosts = [HOST, *EVERYBODY]
    real = asking.curl(before, hosts)
    ported = []
    for reader in READERS:
        found = reader.lookups(before, [host.encode() for host in hosts])
        ported.append({host: sent(found[host.encode()]) for host in hosts})
    assert real in ported


def sent(answer: Answer) -> str:
    if isinstance(answer, Broken):
        return BROKEN
    if answer is None or not (answer.login or answer.password):
        return ""
    return f"{(answer.login or b'').decode('latin-1')}:{(answer.password or b'').decode('latin-1')}"
