# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and groups by name and number."""

from __future__ import annotations

import grp
import os
import pwd
from typing import List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    group_name,
    own_account,
    owner_and_group,
    owner_name,
)

UNUSED_ID = 4294900000
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
        (str(UNUSED_ID), None, (UNUSED_ID, None)),
    ],
)
def test_name_to_number(owner: Optional[str], group: Optional[str], numbers: object) -> None:
    assert owner_and_group({"owner": owner, "group": group}) == numbers


@pytest.mark.parametrize(("option", "code"), [("owner", "unknown_user"), ("group", "unknown_group")])
def test_unknown_name(option: str, code: str) -> None:
    params = {"owner": "0", "group": "0", option: "no-such-name"}
    with pytest.raises(KeyfleetError) as caught:
        owner_and_group(params)
    assert (caught.value.code, caught.value.message) == (code, f"{option}: this host has no 'no-such-name'")
    problems: List[Problem] = []
    numbers = dict(zip(("owner", "group"), owner_and_group(params, problems=problems)))
    assert numbers == {"owner": 0, "group": 0, option: None}
    assert [problem.code for problem in problems] == [code]
