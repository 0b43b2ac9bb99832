# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine's entry in a netrc: what is written, what is left alone, what is refused."""

from __future__ import annotations

import netrc as python_netrc
import sys
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils import _netrc as netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import Unfit

HOST = "www.magentocommerce.com"
MAGE_ID, TOKEN, OLD = "MAG123456789", "0123456789" * 4, "9876543210" * 4
SET = netrc.Edit(HOST, True, MAGE_ID, TOKEN)
GONE = netrc.Edit(HOST, False)
LINE = f"machine {HOST} login {MAGE_ID} password {TOKEN}\n".encode()
OURS_OLD = f"machine {HOST} login MAG1 password {OLD}\n".encode()

SETTING = {
    "no file": (None, LINE),
    "an empty file": (b"", LINE),
    "comments only": (b"# mine\n", b"# mine\n" + LINE),
    "comments only, without a last line feed": (b"# mine", b"# mine\n" + LINE),
    "before other machines, behind the comments": (
        b"# mine\n\nmachine a login b password c\n",
        b"# mine\n\n" + LINE + b"machine a login b password c\n",
    ),
    "default stays last": (
        b"machine a login b password c\ndefault login d password e",
        LINE + b"machine a login b password c\ndefault login d password e",
    ),
    "before a macro, which would swallow it": (b"macdef init\ncd /\n", LINE + b"macdef init\ncd /\n"),
    "another token": (OURS_OLD, LINE),
    "layout and comments stay": (
        f"machine {HOST}\n\t# of the shop\n\tlogin MAG1\n\tpassword {OLD}   # 2024\n".encode(),
        f"machine {HOST}\n\t# of the shop\n\tlogin {MAGE_ID}\n\tpassword {TOKEN}   # 2024\n".encode(),
    ),
    "upper case and quoted values": (
        b'MACHINE WWW.MagentoCommerce.com Login "a b" PASSWORD "c\\"d"\n',
        f"MACHINE WWW.MagentoCommerce.com Login {MAGE_ID} PASSWORD {TOKEN}\n".encode(),
    ),
    "a quoted name, which old versions do not know": (b'machine "www.magentocommerce.com" login a password b\n', LINE),
    "an account in between": (
        f"machine {HOST} login x account y password z\n".encode(),
        f"machine {HOST} login {MAGE_ID} account y password {TOKEN}\n".encode(),
    ),
    "several entries of ours become one": (
        OURS_OLD + b"machine a login b password c\n" + OURS_OLD.upper().replace(b"MAG1", b"x"),
        LINE + b"machine a login b password c\n",
    ),
    "an entry without password": (
        f"machine {HOST} login x\nmachine a login b password c\n".encode(),
        LINE + b"machine a login b password c\n",
    ),
    "behind the default entry it would never be read": (
        b"default login d password e\n" + OURS_OLD,
        LINE + b"default login d password e\n",
    ),
    "three entries on one line": (
        b"machine a login b password c " + OURS_OLD[:-1] + b" machine d login e password f\n",
        b"machine a login b password c " + LINE[:-1] + b" machine d login e password f\n",
    ),
    "carriage returns are part of a value for old versions": (
        b"machine a login b password c\r\n" + OURS_OLD.replace(b"\n", b"\r\n"),
        LINE + b"machine a login b password c\r\n",
    ),
    "our name as somebody's password": (
        f"machine a login machine password {HOST}\n".encode(),
        LINE + f"machine a login machine password {HOST}\n".encode(),
    ),
    "a macro that names us": (
        b"macdef x\n" + OURS_OLD + b"\nmachine a login b password c\n",
        LINE + b"macdef x\n" + OURS_OLD + b"\nmachine a login b password c\n",
    ),
}


@pytest.mark.parametrize("name", SETTING)
def test_the_entry_comes_to_the_file_and_all_else_stays(name: str) -> None:
    before, after = SETTING[name]
    assert netrc.edited(before, SET) == after
    assert netrc.edited(after, SET) == after
    assert netrc.changes_pair(before, SET) and not netrc.changes_pair(after, SET)
    assert netrc.pair_for(after, HOST) == (MAGE_ID, TOKEN)


REMOVING = {
    "no file": (None, None),
    "nothing of ours": (b"machine a login b password c", b"machine a login b password c"),
    "alone": (OURS_OLD, b""),
    "one of three": (b"# x\n" + OURS_OLD + b"\ndefault login a password b\n", b"# x\n\ndefault login a password b\n"),
    "over several lines, comments stay": (
        f"machine {HOST}\n  # of the shop\n  login x\n  password y # here\n\nmachine a login b password c\n".encode(),
        b"  # of the shop\n  # here\n\nmachine a login b password c\n",
    ),
    "twice": (OURS_OLD + b"machine a login b password c\n" + OURS_OLD, b"machine a login b password c\n"),
    "in the middle of a line": (
        f"machine a login b password c machine {HOST} login x password y machine d login e password f\n".encode(),
        b"machine a login b password c machine d login e password f\n",
    ),
    "with a comment behind it, which Python would reject behind an empty line": (
        b"machine a login b password c\n\n" + OURS_OLD[:-1] + b" # of the shop\ndefault login d password e\n",
        b"machine a login b password c\n\ndefault login d password e\n",
    ),
    "at the end of a line": (
        f"machine a login b password c machine {HOST} login x password y\n".encode(),
        b"machine a login b password c\n",
    ),
}


@pytest.mark.parametrize("name", REMOVING)
def test_the_entry_goes_and_all_else_stays(name: str) -> None:
    before, after = REMOVING[name]
    assert netrc.edited(before, GONE) == after
    assert netrc.edited(after, GONE) == after


@pytest.mark.parametrize("name", [n for n in SETTING if HOST.encode() not in (SETTING[n][0] or b"").lower()])
def test_what_was_put_there_goes_without_a_trace(name: str) -> None:
    before = SETTING[name][0]
    if before is not None and before.endswith(b"# mine"):
        before += b"\n"
    assert netrc.edited(netrc.edited(before, SET), GONE) == (before or b"")


def test_only_the_entry_of_the_mage_id_goes() -> None:
    both = LINE + OURS_OLD
    assert netrc.edited(both, netrc.Edit(HOST, False, "MAG1")) == LINE
    assert netrc.edited(both, netrc.Edit(HOST, False, MAGE_ID)) == OURS_OLD
    assert netrc.edited(both, netrc.Edit(HOST, False, "MAG2")) == both


UNFIT = {
    "a quote that is not closed": (b'machine a login b password "hunter2\n', "line 1"),
    "one behind other lines": (b'# x\nmachine b\n login c\n password "hunter2\n', "line 4"),
    "a NUL byte": (b"machine a\nlogin b\0password hunter2\n", "line 2"),
    "an endless line": (b"\nmachine a login b password hunter2" + 5000 * b"x", "line 2"),
    "an endless file": (30000 * b"# x\n" + 30000 * b"#\n", "the whole file"),
    "a blank before a carriage return": (b"machine a login b password hunter2 \r\n", "line 1"),
}


@pytest.mark.parametrize("edit", [SET, GONE], ids=["set", "gone"])
@pytest.mark.parametrize("name", UNFIT)
def test_what_curl_cannot_read_is_refused_with_its_place_and_without_secrets(name: str, edit: netrc.Edit) -> None:
    data, place = UNFIT[name]
    with pytest.raises(Unfit) as caught:
        netrc.edited(data, edit)
    assert caught.value.place == place
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in netrc.text_for_diff(data)


def test_a_value_that_would_be_read_as_a_keyword_is_refused() -> None:
    # For every other machine curl passes over our values one by one, and this one begins an entry, quoted or not.
    edit = netrc.Edit("files.vendor.example", True, "user", "machine")
    with pytest.raises(Unfit, match="without changing what curl or Python read"):
        netrc.edited(b"machine a login b password c\n", edit)


def test_an_entry_of_ours_within_another_one_is_refused_to_be_taken_out() -> None:
    data = f"machine b password machine {HOST} login x password hunter2\n".encode()
    with pytest.raises(Unfit, match="cannot be taken out"):
        netrc.edited(data, GONE)


ODD = ["plain", "two words", 'a "quoted" one', "back\\slash", "#first", "in#side", "wörd", ""]


@pytest.mark.parametrize("value", ODD)
def test_values_of_other_hosts_come_back_as_they_were_given(value: str, tmp_path: Path) -> None:
    edit = netrc.Edit("files.vendor.example", True, "user", value)
    after = netrc.edited(b"machine a login b password c\n", edit)
    assert after is not None and netrc.pair_for(after, edit.host) == ("user", value)
    assert netrc.edited(after, edit) == after
    path = tmp_path / "netrc"
    path.write_bytes(after)
    if sys.version_info >= (3, 11) or b'"' not in after:
        # Before 3.11, Python knows no quotes.
        known = python_netrc.netrc(str(path)).authenticators(edit.host)
        assert known is not None and (known[0], known[2]) == ("user", value)


def test_a_diff_shows_machines_and_no_secret() -> None:
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


@pytest.mark.parametrize(
    ("login", "shown"), [(MAGE_ID, MAGE_ID), ("somebody", "set"), (TOKEN, netrc.describe(TOKEN)), (None, None)]
)
def test_a_login_is_shown_where_it_is_a_mage_id(login: Optional[str], shown: Optional[str]) -> None:
    assert netrc.shown_login(login) == shown
