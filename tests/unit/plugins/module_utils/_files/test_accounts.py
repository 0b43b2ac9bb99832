# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and groups by name and number."""

from __future__ import annotations

import grp
import os
import pwd
import traceback
from typing import Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    Identity,
    account,
    account_of,
    acting_as,
    all_accounts,
    group_name,
    group_of,
    identity_of,
    own_account,
    own_identity,
    owner_and_group,
    owner_name,
    shown_ownership,
)

UNUSED_ID = 4294900000
OTHERS = 900
"""From here on, there may be accounts and groups that come and go meanwhile."""
"""An unused uid and gid."""


def test_number_to_name() -> None:
    me = pwd.getpwuid(os.geteuid())
    assert (owner_name(me.pw_uid), own_account().name) == (me.pw_name, me.pw_name)
    assert group_name(0) == grp.getgrgid(0).gr_name
    assert (owner_name(UNUSED_ID), group_name(UNUSED_ID)) == (str(UNUSED_ID), str(UNUSED_ID))
    assert (owner_name(None), group_name(None)) == (None, None)


@pytest.mark.parametrize(
    ("owner", "group", "numbers"),
    [
        (None, None, (None, None)),
        ("root", grp.getgrgid(0).gr_name, (0, 0)),
        ("0", "0", (0, 0)),
        ("4294967294", "4294967294", (4294967294, 4294967294)),
        (str(UNUSED_ID), None, (UNUSED_ID, None)),
    ],
)
def test_name_to_number(owner: Optional[str], group: Optional[str], numbers: object) -> None:
    assert owner_and_group({"owner": owner, "group": group}) == numbers


@pytest.mark.parametrize("name", ["no-such-name", "4294967295", "-1", "0x0", "0 ", ""])
@pytest.mark.parametrize(("option", "code"), [("owner", "unknown_user"), ("group", "unknown_group")])
def test_unknown_name(option: str, code: str, name: str) -> None:
    params = {"owner": "0", "group": "0", option: name}
    with pytest.raises(KeyfleetError) as caught:
        owner_and_group(params)
    assert (caught.value.code, caught.value.message) == (code, f"{option}: this host has no {name!r}")
    problems: List[Problem] = []
    numbers = dict(zip(("owner", "group"), owner_and_group(params, problems=problems)))
    assert numbers == {"owner": 0, "group": 0, option: None}
    assert [problem.code for problem in problems] == [code]


def test_account() -> None:
    me = pwd.getpwuid(os.geteuid())
    for found in (account(me.pw_name), account_of(me.pw_uid), own_account()):
        assert found is not None
        assert (found.name, found.uid, found.gid, found.home) == (me.pw_name, me.pw_uid, me.pw_gid, me.pw_dir)
    for name in ("no-such-name", "a\0b", "\ud800"):
        assert account(name) is None
    with pytest.raises(KeyfleetError) as caught:
        account_of(UNUSED_ID)
    assert caught.value.code == "unknown_user" and str(UNUSED_ID) in caught.value.message


def test_accounts_with_a_home() -> None:
    first: Dict[str, str] = {}
    for entry in pwd.getpwall():
        if entry.pw_uid < OTHERS:
            first.setdefault(entry.pw_dir, entry.pw_name)
    found = [(one.home, one.name) for one in all_accounts() if one.uid < OTHERS]
    assert len(dict(found)) == len(found)
    assert dict(found) == {home: first[home] for home in first if os.path.isdir(home) and home != "/"}


def test_ownership_as_in_results() -> None:
    assert shown_ownership(UNUSED_ID, UNUSED_ID, 0o40) == {
        "owner": str(UNUSED_ID),
        "group": str(UNUSED_ID),
        "mode": "0040",
    }
    assert shown_ownership(None, None, None) == {"owner": None, "group": None, "mode": None}


def test_identity_of_an_account() -> None:
    groups = grp.getgrall()
    everybody = {entry.pw_uid: entry for entry in reversed(pwd.getpwall()) if entry.pw_uid < OTHERS}
    for uid, entry in everybody.items():
        found = identity_of(uid)
        assert (found.uid, found.gid, str(found)) == (uid, entry.pw_gid, entry.pw_name)
        joined = {group.gr_gid for group in groups if entry.pw_name in group.gr_mem}
        assert set(found.groups) == {entry.pw_gid, *joined}


def test_identity_without_an_account_has_no_group_of_others() -> None:
    assert identity_of(UNUSED_ID) == Identity(UNUSED_ID, UNUSED_ID, ())
    assert str(identity_of(UNUSED_ID)) == f"uid {UNUSED_ID}"
    groups, users = {entry.gr_gid for entry in grp.getgrall()}, {entry.pw_uid for entry in pwd.getpwall()}
    for uid in sorted(gid for gid in groups - users if gid < OTHERS):
        gid = identity_of(uid).gid
        assert gid > uid and gid not in groups and set(range(uid, gid)) <= groups


def test_group_of_new_files() -> None:
    me = pwd.getpwuid(os.geteuid())
    assert group_of(me.pw_uid, directory_uid=UNUSED_ID, directory_gid=UNUSED_ID) == me.pw_gid
    assert group_of(UNUSED_ID, directory_uid=UNUSED_ID, directory_gid=7) == 7
    assert group_of(UNUSED_ID, directory_uid=me.pw_uid, directory_gid=7) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_root_acts_as_another_account_and_returns() -> None:
    before = own_identity()
    for who in (Identity(UNUSED_ID, UNUSED_ID, ()), Identity(UNUSED_ID, UNUSED_ID, (UNUSED_ID, UNUSED_ID + 1))):
        with pytest.raises(ZeroDivisionError), acting_as(who):
            assert own_identity() == who and os.getuid() == 0
            with acting_as(before):
                assert own_identity() == before
            assert own_identity() == who
            raise ZeroDivisionError
        assert own_identity() == before


def acts_only_as_itself() -> None:
    before, ran = own_identity(), []
    with acting_as(before):
        ran.append(own_identity())
    for who in (Identity(0, 0, (0,)), Identity(UNUSED_ID + 1, before.gid, before.groups)):
        with pytest.raises(KeyfleetError) as caught, acting_as(who):
            ran.append(own_identity())
        assert caught.value.code == "permission_denied" and f"may not act as {who}" in caught.value.message
    assert ran == [before] == [own_identity()]


def test_user_acts_only_as_himself() -> None:
    if os.geteuid() != 0:
        acts_only_as_itself()
        return
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(UNUSED_ID)
            os.setuid(UNUSED_ID)
            acts_only_as_itself()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
