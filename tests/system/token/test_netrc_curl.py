# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After an edit of any netrc, the real curl and Python read the same as before for all other machines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, example, given, settings

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._downloads.curl_netrc import (
    READERS,
    Answer,
    Broken,
)
from system.token.netrc_lab import BROKEN, HOST, OTHERS, UNLISTED, NetrcClients, odd_files, tidy_files

pytestmark = pytest.mark.needs("curl")

MAGE_ID, TOKEN = "MAG123456789", "0123456789" * 4
SET = netrc.NetrcEdit(HOST, True, MAGE_ID, TOKEN)
REMOVED = netrc.NetrcEdit(HOST, False)
OTHER_HOSTS = (*OTHERS, UNLISTED)

Test = Callable[..., None]


def thorough(examples: int) -> Callable[[Test], Test]:
    return settings(max_examples=examples, suppress_health_check=[HealthCheck.filter_too_much])


def assert_others_unchanged(clients: NetrcClients, before: bytes, after: bytes) -> None:
    """Both clients read the same as before for every other machine."""
    was, now = clients.curl(before, OTHER_HOSTS), clients.curl(after, OTHER_HOSTS)
    assert {h: a for h, a in now.items() if was[h] != BROKEN} == {h: a for h, a in was.items() if a != BROKEN}
    known = clients.python(before, OTHER_HOSTS)
    if known is not None:
        assert clients.python(after, OTHER_HOSTS) == known


def edited(before: bytes, edit: netrc.NetrcEdit) -> bytes:
    """The edited file; an example that is refused is discarded."""
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
def test_set_entry_in_a_tidy_file(clients: NetrcClients, before: bytes) -> None:
    after = edited(before, SET)
    assert clients.curl(after, [HOST]) == {HOST: f"{MAGE_ID}:{TOKEN}"}
    assert_others_unchanged(clients, before, after)


@thorough(60)
@given(before=odd_files)
def test_set_entry_in_an_odd_file(clients: NetrcClients, before: bytes) -> None:
    after = edited(before, SET)
    assert clients.curl(after, [HOST]) == {HOST: f"{MAGE_ID}:{TOKEN}"}
    assert_others_unchanged(clients, before, after)


@thorough(60)
@given(before=odd_files)
def test_remove_entry(clients: NetrcClients, before: bytes) -> None:
    after = edited(before, REMOVED)
    answers = clients.curl(after, [HOST, UNLISTED])
    assert answers[HOST] == answers[UNLISTED]
    assert_others_unchanged(clients, before, after)


@thorough(100)
@given(before=odd_files)
def test_port_of_curl_matches_the_installed_curl(clients: NetrcClients, before: bytes) -> None:
    hosts = [HOST, *OTHER_HOSTS]
    real = clients.curl(before, hosts)
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
