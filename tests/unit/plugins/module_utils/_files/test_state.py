# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a changed file, and refused changes. The functions use no files, so cases of root are included."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files import state as state_module
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import Identity
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import (
    FileState,
    Ownership,
    Wanted,
    check_directory,
    decide,
)

ROOT, DEPLOY, WEB = Identity(0, 0, (0,)), Identity(1000, 1000, (1000, 50)), Identity(33, 33, (33,))
OLD, NEW = b"old", b"new"
DEFAULT = Ownership()


@pytest.fixture(autouse=True)
def group_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every account has a group with its number."""
    monkeypatch.setattr(state_module, "group_of", lambda uid, **_directory: uid)


def state(acting: Identity, directory: int, owner: Optional[Tuple[int, int]] = None, **more: Any) -> FileState:
    """A file (owner and group, 0600) or a missing file in a directory of uid ``directory``. Default user: root."""
    values = {"privileged": True, "directory_uid": directory, "acting": acting}
    values.update(more)
    data, mode = (None, None) if owner is None else (OLD, 0o600)
    uid, gid = owner if owner is not None else (None, None)
    return FileState(path="/p", real_path="/d/p", data=data, uid=uid, gid=gid, mode=mode, **values)


def decided(before: FileState, ownership: Ownership = DEFAULT, data: Optional[bytes] = NEW, **more: Any) -> FileState:
    return decide(before, Wanted("/p", lambda _: data, ownership, **more), data)


OWNERS = [
    # directory and acting, file, requested, expected
    ("new in a user's directory", state(DEPLOY, 1000), Ownership(), (1000, 1000)),
    ("new in root's directory", state(ROOT, 0), Ownership(), (0, 0)),
    ("root's directory keeps the owner", state(ROOT, 0, (33, 50)), Ownership(), (33, 50)),
    ("forgotten chown", state(DEPLOY, 1000, (0, 0)), Ownership(), (1000, 1000)),
    ("own file keeps a foreign group", state(DEPLOY, 1000, (1000, 77)), Ownership(), (1000, 77)),
    ("requested owner, with the owner's group", state(DEPLOY, 1000, (1000, 1000)), Ownership(uid=33), (33, 33)),
    (
        "requested owner in another's directory, foreign group",
        state(DEPLOY, 1000, (33, 77)),
        Ownership(uid=33),
        (33, 33),
    ),
    ("requested owner in root's directory: group is kept", state(ROOT, 0, (33, 77)), Ownership(uid=33), (33, 77)),
    ("the same, if others may write there", state(ROOT, 0, (33, 77), shared=True), Ownership(uid=33), (33, 33)),
    ("requested group", state(DEPLOY, 1000), Ownership(gid=77), (1000, 77)),
    ("requested owner, through a link", state(DEPLOY, 1000, bound=True), Ownership(uid=33), (33, 33)),
    ("kept group, through a link", state(DEPLOY, 1000, (1000, 77), bound=True), Ownership(), (1000, 77)),
    ("through a link to root's directory", state(DEPLOY, 0, bound=True), Ownership(), (1000, 1000)),
    ("not root, own directory", state(DEPLOY, 1000, privileged=False), Ownership(), (1000, 1000)),
    ("not root, own group requested", state(DEPLOY, 1000, privileged=False), Ownership(gid=50), (1000, 50)),
    ("not root, a foreign group is lost", state(DEPLOY, 1000, (1000, 77), privileged=False), Ownership(), (1000, 1000)),
    ("not root, in another's directory", state(DEPLOY, 33, privileged=False), Ownership(), (1000, 1000)),
    (
        "not root, another's file in the own directory",
        state(DEPLOY, 1000, (33, 33), privileged=False),
        Ownership(),
        (1000, 1000),
    ),
]


@pytest.mark.parametrize("before, requested, owner", [row[1:] for row in OWNERS], ids=[row[0] for row in OWNERS])
def test_right_owner(before: FileState, requested: Ownership, owner: Tuple[int, int]) -> None:
    after = decided(before, requested)
    assert (after.uid, after.gid, after.mode, after.data) == (owner[0], owner[1], 0o600, NEW)


REFUSED = [
    ("another's home", state(WEB, 33), Ownership(), {"user": 1000}, "unsafe_path"),
    ("not root, another owner", state(DEPLOY, 1000, privileged=False), Ownership(uid=33), {}, "permission_denied"),
    ("not root, another group", state(DEPLOY, 1000, privileged=False), Ownership(gid=33), {}, "permission_denied"),
    ("not root, another's file", state(DEPLOY, 33, (33, 33), privileged=False), Ownership(), {}, "foreign_owner"),
    ("link to another's file", state(DEPLOY, 0, (33, 33), bound=True), Ownership(), {}, "foreign_owner"),
    ("planted in /tmp", state(ROOT, 0, (33, 33), shared=True), Ownership(), {}, "unsafe_path"),
    (
        "link to a missing directory of another",
        state(DEPLOY, 1000, bound=True, missing_directories=1),
        Ownership(uid=33),
        {},
        "permission_denied",
    ),
]


@pytest.mark.parametrize("before, requested, more, code", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(before: FileState, requested: Ownership, more: Any, code: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        decided(before, requested, **more)
    assert caught.value.code == code and "/p" in caught.value.message


def test_no_change_needed() -> None:
    for before in (
        state(DEPLOY, 1000, (1000, 77)),
        state(DEPLOY, 1000, (1000, 77), privileged=False),
        state(DEPLOY, 33, (33, 33), privileged=False),
        state(ROOT, 0, (33, 50)),
    ):
        assert decided(before, data=OLD) is before
        assert decided(before, data=None) is before


def test_new_directory_belongs_to_the_account_of_the_home() -> None:
    missing = {"missing_directories": 1}
    assert decided(state(ROOT, 0, **missing), user=33).uid == 33
    assert decided(state(ROOT, 0, **missing), Ownership(uid=1000)).uid == 1000
    assert decided(state(DEPLOY, 1000, **missing)).uid == 1000
    assert decided(state(ROOT, 0, **missing)).directory_exists


@pytest.mark.parametrize(
    "missing, make, user, fine",
    [
        (0, False, None, True),
        (1, False, None, False),
        (1, True, None, True),
        (2, True, None, False),
        (2, True, 33, True),
        (3, True, 33, False),
    ],
)
def test_missing_directories(missing: int, make: bool, user: Optional[int], fine: bool) -> None:
    before = state(ROOT, 0, missing_directories=missing)
    one = Wanted("/p", lambda _: NEW, make_directory=make, user=user)
    try:
        check_directory(before, one)
        result = "fine"
    except KeyfleetError as exc:
        result = exc.code
    assert result == ("fine" if fine else "no_directory")
