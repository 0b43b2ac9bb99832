# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After every edit of a generated netrc, ports of all readers find the new pair, and the old ones of other machines."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.netrc import entries
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._downloads.curl_netrc import (
    READERS,
    Answer,
    Found,
    changed_for_others,
    still_with_entry,
    without_pair,
)
from system.token.netrc_lab import HOST, odd_files, tidy_files

files = st.one_of(tidy_files, odd_files)
secrets = st.sampled_from(["0123456789" * 4, "two words", "back\\slash", "login", "a machine b", "#x", 'q"q'])
thorough = settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])


def edited(before: bytes, edit: netrc.NetrcEdit) -> bytes:
    """The edited file; an example that is refused is discarded."""
    try:
        after = netrc.edited(before, edit)
    except MalformedFile as malformed:
        event(malformed.reason)
        after = None
    assume(after is not None)
    assert after is not None and netrc.edited(after, edit) == after
    return after


@thorough
@given(before=files, password=secrets)
def test_set_entry(before: bytes, password: str) -> None:
    after = edited(before, netrc.NetrcEdit(HOST, True, "MAG1", password))
    quotes = not password.isalnum()
    assert without_pair(before, after, HOST, "MAG1", password, quotes=quotes) == []
    assert changed_for_others(before, after, HOST, quotes=quotes) == []
    assert netrc.pair_for(after, HOST) == ("MAG1", password)


@thorough
@given(before=files)
def test_remove_entry(before: bytes) -> None:
    after = edited(before, netrc.NetrcEdit(HOST, False))
    assert still_with_entry(after, HOST) == []
    assert changed_for_others(before, after, HOST) == []


@thorough
@given(before=files)
def test_remove_entry_of_one_login(before: bytes) -> None:
    after = edited(before, netrc.NetrcEdit(HOST, False, "plain"))
    assert all(entry.pair[0] != "plain" for entry in netrc.entries_for(after, HOST))
    assert changed_for_others(before, after, HOST) == []


@thorough
@given(data=files)
def test_pair_for_a_machine_is_the_one_that_curl_finds(data: bytes) -> None:
    try:
        known = entries(data)
    except MalformedFile:
        known = []
    own = [entry for entry in known if entry.host is None or entry.host.lower() == HOST.encode()]
    assume(own and all(all(entry.pair) for entry in own))
    pair = netrc.pair_for(data, HOST)
    for reader in READERS:
        # Versions without support for quotes and carriage returns may find another pair.
        if reader.quotes:
            assert as_text(reader.lookups(data, [HOST.encode()])[HOST.encode()]) == pair


def as_text(answer: Answer) -> tuple[str, str] | None:
    if not isinstance(answer, Found):
        return None
    login, password = ((half or b"").decode("utf-8", "replace") for half in answer)
    return login, password


def test_usual_file_is_accepted() -> None:
    plain = (
        b"# mine\nmachine a.test\n  login b\n  password c # of b\n\nmacdef init\ncd /\n\n"
        b'machine b.test login "d e" password "f"\r\nmachine c.test login g\nmachine d.test password h login i\n'
        b"\n# commented out: machine e.test login j password k\ndefault login d password e"
    )
    after = netrc.edited(plain, netrc.NetrcEdit(HOST, True, "MAG1", "0123456789" * 4))
    assert netrc.edited(after, netrc.NetrcEdit(HOST, False)) == plain
