# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of the entry of one machine in a netrc, and files that are refused."""

from __future__ import annotations

import itertools
import netrc as python_netrc
import sys
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._downloads.curl_netrc import (
    changed_for_others,
    still_with_entry,
    without_pair,
)

HOST = "www.magentocommerce.com"
MAGE_ID, TOKEN, OLD = "MAG123456789", "0123456789" * 4, "9876543210" * 4
SET = netrc.NetrcEdit(HOST, True, MAGE_ID, TOKEN)
REMOVE = netrc.NetrcEdit(HOST, False)
LINE = f"machine {HOST} login {MAGE_ID} password {TOKEN}\n".encode()
OLD_LINE = f"machine {HOST} login MAG1 password {OLD}\n".encode()

SETTING = {
    "no file": (None, LINE),
    "an empty file": (b"", LINE),
    "comments only": (b"# mine\n", b"# mine\n" + LINE),
    "comments only, without a last line feed": (b"# mine", b"# mine\n" + LINE),
    "before other machines, after the comments": (
        b"# mine\n\nmachine a login b password c\n",
        b"# mine\n\n" + LINE + b"machine a login b password c\n",
    ),
    "default stays last": (
        b"machine a login b password c\ndefault login d password e",
        LINE + b"machine a login b password c\ndefault login d password e",
    ),
    "before a macro, which would include it": (b"macdef init\ncd /\n", LINE + b"macdef init\ncd /\n"),
    "another token": (OLD_LINE, LINE),
    "layout and comments stay": (
        f"machine {HOST}\n\t# of the shop\n\tlogin MAG1\n\tpassword {OLD}   # 2024\n".encode(),
        f"machine {HOST}\n\t# of the shop\n\tlogin {MAGE_ID}\n\tpassword {TOKEN}   # 2024\n".encode(),
    ),
    "upper case and quoted values": (
        b'MACHINE WWW.MagentoCommerce.com Login "a b" PASSWORD "c\\"d"\n',
        # Python does not find a name in upper case.
        LINE,
    ),
    "a quoted name, which old versions do not support": (
        b'machine "www.magentocommerce.com" login a password b\n',
        LINE,
    ),
    "an account in between": (
        f"machine {HOST} login x account y password z\n".encode(),
        f"machine {HOST} login {MAGE_ID} account y password {TOKEN}\n".encode(),
    ),
    "several entries of the host become one": (
        OLD_LINE + b"machine a login b password c\n" + OLD_LINE.upper().replace(b"MAG1", b"x"),
        LINE + b"machine a login b password c\n",
    ),
    "an entry without password": (
        f"machine {HOST} login x\nmachine a login b password c\n".encode(),
        LINE + b"machine a login b password c\n",
    ),
    "after the default entry, where it would never be read": (
        b"default login d password e\n" + OLD_LINE,
        LINE + b"default login d password e\n",
    ),
    "carriage returns are part of a value for old versions": (
        b"machine a login b password c\r\n" + OLD_LINE.replace(b"\n", b"\r\n"),
        LINE + b"machine a login b password c\r\n",
    ),
    "an incomplete entry of another machine": (
        b"machine a login b\n" + OLD_LINE + b"machine c login d password e\n",
        b"machine a login b\n" + LINE + b"machine c login d password e\n",
    ),
    "needless quotes, which old versions do not support": (
        LINE.replace(TOKEN.encode(), f'"{TOKEN}"'.encode()),
        LINE,
    ),
    "an incomplete entry of the host before a comment": (
        f"machine {HOST} login x\n#of the shop\nmachine a login b password c\n".encode(),
        LINE + b"#of the shop\nmachine a login b password c\n",
    ),
}


@pytest.mark.parametrize("name", SETTING)
def test_set_changes_only_the_entry(name: str) -> None:
    before, after = SETTING[name]
    assert before != after
    assert netrc.edited(before, SET) == after
    assert netrc.edited(after, SET) == after
    assert netrc.pair_for(after, HOST) == (MAGE_ID, TOKEN)
    assert without_pair(before or b"", after, HOST, MAGE_ID, TOKEN) == []
    assert changed_for_others(before or b"", after, HOST) == []


REMOVING = {
    "no file": (None, None),
    "no entry of the host": (b"machine a login b password c", b"machine a login b password c"),
    "alone": (OLD_LINE, b""),
    "one of three": (b"# x\n" + OLD_LINE + b"\ndefault login a password b\n", b"# x\n\ndefault login a password b\n"),
    "over several lines, with the comments in it": (
        f"machine {HOST}\n  # of the shop\n  login x\n  password y # here\n\nmachine a login b password c\n".encode(),
        b"\nmachine a login b password c\n",
    ),
    "twice": (OLD_LINE + b"machine a login b password c\n" + OLD_LINE, b"machine a login b password c\n"),
    "before a comment that Python would reject after an empty line": (
        b"machine a login b password c\n\n" + OLD_LINE[:-1] + b" # of the shop\ndefault login d password e\n",
        b"machine a login b password c\n\ndefault login d password e\n",
    ),
    "between an empty line and a comment that Python would reject after it": (
        b"machine a login b password c\n\n" + OLD_LINE + b"# others\nmachine d login e password f\n",
        b"machine a login b password c\n# others\nmachine d login e password f\n",
    ),
    "between empty lines, before a comment": (
        b"machine a login b password c\n\n" + OLD_LINE + b"\n# others\nmachine d login e password f\n",
        b"machine a login b password c\n\n\n# others\nmachine d login e password f\n",
    ),
    "after a macro": (
        b"macdef init\ncd /\n\n\n" + OLD_LINE + b"# others\nmachine d login e password f\n",
        b"macdef init\ncd /\n\n# others\nmachine d login e password f\n",
    ),
    "lines that end with a carriage return": (
        b"machine a login b password c\r\n" + OLD_LINE.replace(b"\n", b"\r\n"),
        b"machine a login b password c\r\n",
    ),
}


@pytest.mark.parametrize("name", REMOVING)
def test_removal_changes_only_the_entry(name: str) -> None:
    before, after = REMOVING[name]
    assert netrc.edited(before, REMOVE) == after
    assert netrc.edited(after, REMOVE) == after
    assert still_with_entry(after or b"", HOST) == []
    assert changed_for_others(before or b"", after or b"", HOST) == []


@pytest.mark.parametrize("name", [n for n in SETTING if HOST.encode() not in (SETTING[n][0] or b"").lower()])
def test_removal_reverts_set(name: str) -> None:
    before = SETTING[name][0]
    if before is not None and before.endswith(b"# mine"):
        before += b"\n"
    assert netrc.edited(netrc.edited(before, SET), REMOVE) == (before or b"")


def test_removal_of_one_mage_id() -> None:
    both = LINE + OLD_LINE
    assert netrc.edited(both, netrc.NetrcEdit(HOST, False, "MAG1")) == LINE
    assert netrc.edited(both, netrc.NetrcEdit(HOST, False, MAGE_ID)) == OLD_LINE
    assert netrc.edited(both, netrc.NetrcEdit(HOST, False, "MAG2")) == both


MALFORMED = {
    "a quote that is not closed": (b'machine a login b password "hunter2\n', "line 1"),
    "an unclosed quote after other lines": (b'# x\nmachine b\n login c\n password "hunter2\n', "line 4"),
    "a NUL byte": (b"machine a\nlogin b\0password hunter2\n", "line 2"),
    "an endless line": (b"\nmachine a login b password hunter2" + 5000 * b"x", "line 2"),
    "an endless file": (30000 * b"# x\n" + 30000 * b"#\n", "the whole file"),
    "a blank before a carriage return": (b"machine a login b password hunter2 \r\n", "line 1"),
    "an escape character": (b"machine a login b password hunter2\x1b[2J\n", "line 1"),
    "a word after a closing quote": (b'machine a login b password "hunter2"x\n', "line 1"),
    "a quoted keyword": (b'machine a "login" b password hunter2\n', "line 1"),
    "a keyword as a value": (f"machine a login machine password {HOST}\n".encode(), "line 1"),
    "a keyword in a quoted value": (b'machine a login "my machine hunter2" password x\n', "line 1"),
    "a keyword as an account": (b"machine a login b account password password hunter2\n", "line 1"),
    "a value on the next line": (b"machine a login b password\nhunter2\n", "line 1"),
    "a value that some read as a comment": (b"machine a login b password #hunter2\n", "line 1"),
    "a backslash that joins words": (b"machine a login b password hunter2\\\n", "line 1"),
    "a keyword twice": (b"machine a login b\npassword x password hunter2\n", "line 2"),
    "a keyword in a comment after an entry": (b"machine a login b password c # password hunter2\n", "line 1"),
    "user instead of login": (b"machine a user b password hunter2\n", "line 1"),
    "a password before any machine": (b"password hunter2\n", "line 1"),
    "a macro that contains the entry": (b"macdef x\n" + OLD_LINE + b"\n", "line 2"),
    "a macro with a blank line that is not empty": (b"macdef x\ncd hunter2\n \n\n", "line 3"),
    "a macro after an entry on the same line": (b"machine a login b password hunter2 macdef x\n\n", "line 1"),
    "keywords as login and password": (b"machine a login login password password\n", "line 1"),
    "a word that is not a keyword": (b"\nmachine a login b port 443 password hunter2 # of the shop\n", "line 2"),
    "two entries on one line": (OLD_LINE + b"machine a login b password hunter2 " + OLD_LINE, "line 2"),
    "the end of an entry and another one on one line": (
        b"machine a login b\npassword hunter2 " + OLD_LINE + b"# others\n",
        "line 2",
    ),
    "a byte order mark": (b"\xef\xbb\xbfmachine a login b password hunter2\n", "line 1"),
}


@pytest.mark.parametrize("edit", [SET, REMOVE], ids=["set", "remove"])
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_file_is_refused_with_its_line_and_without_secrets(name: str, edit: netrc.NetrcEdit) -> None:
    data, place = MALFORMED[name]
    with pytest.raises(MalformedFile) as caught:
        netrc.edited(data, edit)
    assert caught.value.place == place
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in netrc.text_for_diff(data)


def test_value_that_would_be_read_as_a_keyword() -> None:
    # curl skips the entries of other machines word by word, and this value would begin an entry, quoted or not.
    edit = netrc.NetrcEdit("files.vendor.example", True, "user", "machine")
    for before in (b"machine a login b password c\n", None):
        with pytest.raises(MalformedFile, match=r"entry for files\.vendor\.example .* a value is or contains"):
            netrc.edited(before, edit)


HALF = "one of the two entries before this one has no login or no password"
READ = "with this edit Python would read a comment near this line differently; move it"
REFUSED_REMOVALS = {
    "an incomplete entry would be the last": (b"machine a login b\n" + OLD_LINE, HALF, "line 2"),
    "default would add to an incomplete entry": (
        b"\nmachine a password b\n" + OLD_LINE + b"default login c password d\n",
        HALF,
        "line 3",
    ),
    "an incomplete entry before another machine": (
        b"machine a login b\n" + OLD_LINE + b"machine c login d password e\n",
        HALF,
        "line 2",
    ),
    "curl would send an empty password for the last entry but one": (
        b"machine a login b\nmachine c login d password e\n" + OLD_LINE,
        HALF,
        "line 3",
    ),
    "Python would read a comment in the entry for another machine": (
        b"machine a login b password c\nmachine www.magentocommerce.com\n  login d\n\n# machine e login f password g\n"
        b"  password h\n",
        READ,
        "line 2",
    ),
    "Python would read a comment at the top": (
        OLD_LINE + b"#of theirs\nmachine a login b password c\n",
        READ,
        "line 1",
    ),
    "Python would read a comment after quotes": (
        b'machine a login b password "c"\n' + OLD_LINE + b"# of theirs\nmachine d login e password f\n",
        READ,
        "line 2",
    ),
    "Python would no longer read a comment": (
        b"# mine\n\n" + OLD_LINE + b"\n# machine a login x password y\nmachine d login e password f\n",
        READ,
        "line 3",
    ),
    "Python would add a comment to another entry": (
        b'machine a login b password "c"\n'
        + OLD_LINE.replace(OLD.encode(), b'"d"')
        + b"# login x\nmachine d login e password f\n",
        READ,
        "line 2",
    ),
    "Python would skip another line": (
        b"machine a login b password c\n#\n" + OLD_LINE + b"machine d login e password f\n",
        READ,
        "line 3",
    ),
    "Python would no longer skip an entry with a comment": (
        OLD_LINE + b"#\nmachine a login b password c # of theirs\n",
        READ,
        "line 1",
    ),
    "Python would no longer skip a line": (OLD_LINE + b"#\nmachine a login b password c\n", READ, "line 1"),
}


@pytest.mark.parametrize("name", REFUSED_REMOVALS)
def test_removal_that_would_change_other_entries_is_refused(name: str) -> None:
    data, reason, place = REFUSED_REMOVALS[name]
    with pytest.raises(MalformedFile) as caught:
        netrc.edited(data, REMOVE)
    assert (caught.value.reason, caught.value.place) == (reason, place)
    if OLD_LINE in data:
        assert netrc.edited(data, SET) == data.replace(OLD_LINE, LINE)


def test_new_entry_that_python_would_skip_is_refused() -> None:
    before = b"#old machine a login b password c\n#\nmachine d login e password f\nmachine g login h password i\n"
    with pytest.raises(MalformedFile) as caught:
        netrc.edited(before, SET)
    assert (caught.value.reason, caught.value.place) == (READ, "line 1")


def test_commented_out_pair_that_python_reads_does_not_prevent_edits() -> None:
    rest = b"machine a login b password c\n", b"\n# " + OLD_LINE
    assert netrc.edited(OLD_LINE.join(rest), SET) == LINE.join(rest)
    assert netrc.edited(b"".join(rest), SET) == LINE + b"".join(rest)
    assert netrc.edited(OLD_LINE.join(rest), REMOVE) == b"".join(rest)


def test_line_of_a_refused_edit_does_not_count_a_new_line() -> None:
    before = b"machine a login b\n" + OLD_LINE.replace(b"machine ", b'machine "').replace(b" login", b'" login')
    with pytest.raises(MalformedFile) as caught:
        netrc.edited(before, SET)
    assert (caught.value.reason, caught.value.place) == (HALF, "line 2")


def test_comment_that_python_would_skip_no_longer_is_refused() -> None:
    edit = netrc.NetrcEdit("files.vendor.example", True, "user", "two words")
    before = b"machine files.vendor.example login a password b\n# of theirs\nmachine c login d password e\n"
    with pytest.raises(MalformedFile) as caught:
        netrc.edited(before, edit)
    assert (caught.value.reason, caught.value.place) == (READ, "line 1")
    assert netrc.edited(before.replace(b"# of", b"\n# of"), edit) is not None


ENTRIES = {
    "one line": "machine {} login {} password {}\n",
    "several lines": "machine {}\n  login {}\n  password {}\n",
    "with a comment": "machine {}\n\tlogin {}\n\tpassword {} # of the shop\n",
    "quoted": 'machine {} login "{}" password "{}"\n',
}
BETWEEN = {
    "nothing": "",
    "a blank line": "\n",
    "a comment": "# of the next one\n",
    "a comment after a blank line": "\n# of the next one\n",
    "comments after a blank line": "\n# one\n# two\n",
    "a commented entry": "# machine old.example login x password y\n",
    "a frame": "#\n# of the next one\n#\n",
    "a ruler after a blank line": "\n#------\n# of the next one\n#------\n",
}
ORDERS = ([HOST], [HOST, "a", "b"], ["a", HOST, "b"], ["a", "b", HOST], [HOST, "a", HOST], ["a", HOST, HOST, "b"])
BEFORE = ("", "# mine\n\n", "macdef init\ncd /\n\n")
AFTER = ("", "\nmacdef init\ncd /\n\ndefault login d password e")
OPERATIONS = (
    SET,
    REMOVE,
    netrc.NetrcEdit(HOST, False, "me"),
    netrc.NetrcEdit("new.example", True, "user", "two words"),
)


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    ("entry", "between"),
    # Python 3.11 and later read a commented entry after a quotation mark.
    [pair for pair in itertools.product(ENTRIES, BETWEEN) if pair != ("quoted", "a commented entry")],
)
def test_no_common_file_is_refused(entry: str, between: str, ends: str) -> None:
    refused = []
    for order, before, after in itertools.product(ORDERS, BEFORE, AFTER):
        own = [BETWEEN[between] + ENTRIES[entry].format(host, "me", "secret") for host in order]
        text = "".join([before, *own, after])
        if ends == "\r\n" and "" in text.splitlines():
            # For some versions of curl, the carriage return of an empty line is a word.
            continue
        data = text.replace("\n", ends).encode()
        for edit in OPERATIONS:
            try:
                edited = netrc.edited(data, edit)
            except MalformedFile as malformed:
                refused.append((data, edit, str(malformed)))
                continue
            assert edited is not None and netrc.edited(edited, edit) == edited
            if before + after:
                # The readers are slow.
                continue
            quotes = edit.password == "two words"
            assert changed_for_others(data, edited, edit.host, quotes=quotes) == []
            if edit.present:
                assert without_pair(data, edited, edit.host, edit.login or "", edit.password, quotes=quotes) == []
            else:
                assert still_with_entry(edited, edit.host) == []
    assert refused == []


def test_limits_of_file_and_line() -> None:
    full = b"machine a login b password c\n" + (128 * 1024 - 29 - len(OLD_LINE)) // 2 * b"#\n"
    assert netrc.edited(full, REMOVE) == full
    with pytest.raises(MalformedFile, match="more than 131072 bytes"):
        netrc.edited(full + 40 * b"#\n", SET)
    long = b"machine a login b password c" + 3900 * b" " + b"# " + 300 * b"x"
    with pytest.raises(MalformedFile, match="a line of more than 4000 bytes"):
        netrc.edited(long, SET)


VALUES = ["plain", "two words", 'a "quoted" one', "back\\slash", "#first", "in#side", "wörd"]


@pytest.mark.parametrize("value", VALUES)
def test_values_are_read_back_unchanged(value: str, tmp_path: Path) -> None:
    edit = netrc.NetrcEdit("files.vendor.example", True, "user", value)
    before = b"machine a login b password c\n"
    after = netrc.edited(before, edit)
    assert after is not None and netrc.pair_for(after, edit.host) == ("user", value)
    assert netrc.edited(after, edit) == after
    quotes = b'"' in after
    assert without_pair(before, after, edit.host, "user", value, quotes=quotes) == []
    assert changed_for_others(before, after, edit.host, quotes=quotes) == []
    path = tmp_path / "netrc"
    path.write_bytes(after)
    if sys.version_info >= (3, 11) or b'"' not in after:
        # Python before 3.11 does not support quotes.
        known = python_netrc.netrc(str(path)).authenticators(edit.host)
        assert known is not None and (known[0], known[2]) == ("user", value)


def test_diff_shows_machines_without_secrets() -> None:
    data = (
        b"# hunter2 was the old one\nmacdef init\nquote PASS hunter2\n\n"
        b"machine api.code.example login hunter2 password x-oauth\ndefault login a password hunter2\n" + LINE
    )
    text = netrc.text_for_diff(data)
    assert "hunter2" not in text and TOKEN not in text
    assert text.splitlines() == [
        "machine api.code.example login set password set",
        "default login set password set",
        f"machine {HOST} login {MAGE_ID} password {netrc.describe(TOKEN)}",
    ]


@pytest.mark.parametrize("character", ["\x9b31m", "\u202egnp.", "\u2028", "\x85"])
def test_diff_has_no_control_characters(character: str) -> None:
    data = f"machine a{character}b login c password d\nmachine e login f password g\n".encode()
    text = netrc.text_for_diff(data)
    assert all(char.isprintable() for line in text.split("\n") for char in line)
    assert len(text.split("\n")) == 3
    # A file with an escape character is refused, and the message does not repeat it.
    assert "\x1b" not in netrc.text_for_diff(b"machine \x1b[2J login a password b\n")


@pytest.mark.parametrize(
    ("login", "shown"), [(MAGE_ID, MAGE_ID), ("somebody", "set"), (TOKEN, netrc.describe(TOKEN)), (None, None)]
)
def test_shown_login(login: Optional[str], shown: Optional[str]) -> None:
    assert netrc.shown_login(login) == shown
