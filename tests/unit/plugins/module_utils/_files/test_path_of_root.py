# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose rights root uses on the way to a file. tests/system has the attacks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import own_identity
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import Access, locate
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._files.places import (
    ONE,
    ROOT,
    TWO,
    link,
    made,
    refused,
)

pytestmark = pytest.mark.skipif(not ROOT, reason="not root")

Expected = Dict[str, Any]


@pytest.mark.parametrize("mode", [0o2775, 0o1777])
def test_link_of_root_that_others_could_have_made(tmp_path: Path, mode: int) -> None:
    shared, own = made(tmp_path / "shared", mode), made(tmp_path / "own", 0o755)
    (shared / "link").symlink_to(own)
    if mode == 0o1777:
        os.link(str(shared / "link"), str(own / "second"), follow_symlinks=False)
    assert "could have put it there" in refused(str(shared / "link/auth.json"), "unsafe_path")


def test_data_of_a_user_is_walked_with_the_rights_of_the_user(tmp_path: Path) -> None:
    path = str(made(tmp_path / "d", 0o700) / "auth.json")
    assert f"as uid {ONE}" in refused(path, "permission_denied", Access(walk_as=ONE))


def in_the_directory_of_a_user(top: Path) -> Tuple[str, Expected]:
    made(top / "one", 0o755, ONE)
    return "one/auth.json", {"acting": ONE}


def below_the_directory_of_a_user(top: Path) -> Tuple[str, Expected]:
    made(made(top / "one", 0o755, ONE) / "two", 0o755, TWO)
    return "one/two/auth.json", {"acting": TWO, "movable": True}


def back_in_the_directory_of_root(top: Path) -> Tuple[str, Expected]:
    made(top / "one", 0o755, ONE)
    return "one/../auth.json", {"acting": 0}


def back_in_the_directory_of_a_user(top: Path) -> Tuple[str, Expected]:
    made(made(top / "one", 0o755, ONE) / "two", 0o755, TWO)
    return "one/two/../auth.json", {"acting": ONE}


def in_a_directory_below_one_that_others_may_write_to(top: Path) -> Tuple[str, Expected]:
    made(made(top / "shared", 0o775) / "one", 0o755, ONE)
    return "shared/one/auth.json", {"acting": ONE, "movable": True}


def below_a_sticky_directory_of_the_user(top: Path) -> Tuple[str, Expected]:
    made(made(top / "one", 0o1777, ONE) / "own", 0o755, ONE)
    return "one/own/auth.json", {"acting": ONE, "movable": True}


def through_a_link_that_others_may_have_moved(top: Path) -> Tuple[str, Expected]:
    link(made(top / "one", 0o775, ONE) / "way", "../own", ONE)
    made(top / "own", 0o755, ONE)
    return "one/way/auth.json", {"acting": ONE, "bound": True, "movable": True}


def through_a_link_of_the_user(top: Path) -> Tuple[str, Expected]:
    link(made(top / "one", 0o755, ONE) / "way", "own", ONE)
    made(top / "one/own", 0o755, ONE)
    return "one/way/auth.json", {"acting": ONE, "bound": True}


def through_a_link_of_root_beside_the_user(top: Path) -> Tuple[str, Expected]:
    link(made(top / "one", 0o755, ONE) / "way", "../roots", 0)
    made(top / "roots", 0o755)
    return "one/way/auth.json", {"acting": ONE, "bound": True}


def through_a_link_of_another_user(top: Path) -> Tuple[str, Expected]:
    link(made(top / "one", 0o755, ONE) / "way", "own", TWO)
    made(top / "one/own", 0o757, ONE)
    return "one/way/auth.json", {"acting": ONE, "bound": True, "led": True, "movable": True}


def where_the_other_user_may_not_write(top: Path) -> Tuple[str, Expected]:
    link(made(top / "one", 0o755, ONE) / "way", "own", TWO)
    made(top / "one/own", 0o755, ONE)
    return "one/way/auth.json", {"acting": TWO, "bound": True, "led": True}


def through_a_link_of_root(top: Path) -> Tuple[str, Expected]:
    link(top / "way", "one", 0)
    made(top / "one", 0o755, ONE)
    return "way/auth.json", {"acting": ONE}


@pytest.mark.parametrize(
    "place",
    [
        in_the_directory_of_a_user,
        below_the_directory_of_a_user,
        back_in_the_directory_of_root,
        back_in_the_directory_of_a_user,
        in_a_directory_below_one_that_others_may_write_to,
        below_a_sticky_directory_of_the_user,
        through_a_link_that_others_may_have_moved,
        through_a_link_of_the_user,
        through_a_link_of_root_beside_the_user,
        through_a_link_of_another_user,
        where_the_other_user_may_not_write,
        through_a_link_of_root,
    ],
)
def test_who_acts_for_root(way: None, tmp_path: Path, place: Callable[[Path], Tuple[str, Expected]]) -> None:
    top = made(tmp_path / "top", 0o755)
    path, expected = place(top)
    expected = {"bound": False, "led": False, "shared": False, "movable": False, **expected}
    with locate(str(top / path)) as location:
        found = {name: getattr(location, name) for name in ("bound", "led", "shared", "movable")}
        assert {"acting": location.acting.uid, **found} == expected
        assert location.own == own_identity() and location.privileged
    assert own_identity().uid == 0


@pytest.mark.parametrize(
    ("place", "owner", "words", "usable"),
    [
        ([("one", 0o755, ONE), ("one/d", 0o755, 0)], None, "belongs to root, but is in a directory of uid", False),
        ([("one", 0o777, ONE), ("one/d", 0o755, TWO)], None, "could have moved it there", False),
        ([("one", 0o775, ONE), ("one/d", 0o755, TWO)], ONE, "could have moved it there", True),
        ([("one", 0o775, ONE), ("one/d", 0o755, ONE)], TWO, "others may control the path", True),
        ([("shared", 0o775, 0), ("shared/d", 0o755, ONE)], TWO, "may have been moved there", True),
        ([("shared", 0o1777, 0), ("shared/d", 0o755, ONE)], TWO, "may have been moved there", True),
        ([("shared", 0o777, 0), ("shared/d", 0o755, 0)], None, "everybody may write to", False),
    ],
)
def test_directories_that_root_does_not_use(
    tmp_path: Path, place: List[Tuple[str, int, int]], owner: Optional[int], words: str, usable: bool
) -> None:
    """``usable``: without an owner, or for the owner of the last directory."""
    for name, mode, uid in place:
        made(tmp_path / name, mode, uid)
    path, last = str(tmp_path / place[-1][0] / "auth.json"), place[-1][2]
    assert words in refused(path, "unsafe_path", Access(owner))
    for other in (None, last) if usable else ():
        with locate(path, Access(other)) as location:
            assert location.acting.uid == last


def test_link_of_a_user_in_a_directory_of_root(tmp_path: Path) -> None:
    top = made(tmp_path / "top", 0o755)
    shared = made(top / "shared", 0o1777)
    made(top / "own", 0o755, ONE)
    link(shared / "way", "../own", ONE)
    path = str(shared / "way/auth.json")
    for owner in (None, 0, TWO):
        assert "set the option owner" in refused(path, "unsafe_path", Access(owner))
    with locate(path, Access(ONE)) as location:
        assert (location.acting.uid, location.bound, location.movable) == (ONE, True, True)


def test_link_of_another_user_in_a_directory_that_everybody_may_write_to(tmp_path: Path) -> None:
    top = made(tmp_path / "top", 0o755)
    made(top / "one", 0o777, ONE)
    for name, uid in (("own", ONE), ("foreign", TWO)):
        made(top / name, 0o755, uid)
        link(top / "one" / f"to-{name}", f"../{name}", uid)
    assert "belongs to uid" in refused(str(top / "one/to-foreign/auth.json"), "unsafe_path")
    with locate(str(top / "one/to-own/auth.json")) as location:
        assert (location.acting.uid, location.bound) == (ONE, True)


def test_links_of_two_users(tmp_path: Path) -> None:
    """The second link must not lead to what the owner of the first one has no access to."""
    top = made(tmp_path / "top", 0o755)
    link(made(top / "one", 0o755, ONE) / "way", "../two/way", ONE)
    link(made(top / "two", 0o755, TWO) / "way", "private/open", TWO)
    made(made(top / "two/private", 0o700, TWO) / "open", 0o777, TWO)
    message = refused(str(top / "one/way/auth.json"), "permission_denied")
    assert f"look up {top}/two/private/open as uid {ONE}" in message
    (top / "two/private").chmod(0o755)
    with locate(str(top / "one/way/auth.json")) as location:
        assert (location.acting.uid, location.led) == (TWO, True)
    (top / "two/private/open").chmod(0o755)
    assert f"where uid {ONE} may not write" in refused(str(top / "one/way/auth.json"), "unsafe_path")
