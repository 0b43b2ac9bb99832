# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a file, for every user. `test_path_of_root.py` has the rest."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import ContextManager, List, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import own_identity
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import (
    MOST_LINKS,
    Access,
    kind_of,
    locate,
    path_error,
    reporting,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._files.places import ONE, ROOT, made, refused


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a/sub").mkdir(parents=True)
    (tmp_path / "a/file").write_text("{}")
    (tmp_path / "new\nline").mkdir()
    links = {
        "relative": "a",
        "absolute": str(tmp_path / "a"),
        "dotted": ".//./a/",
        "deep": "a/sub",
        "a/up": "..",
        "to-file": "a/file",
        "to-link": "relative/up/to-file",
        "to-new": "a/new",
        "to-none": "none/of/these",
        "above": "../" * 50 + str(tmp_path)[1:] + "/a",
        "loop": "loop",
        "circle": "a/circle",
        "a/circle": "../circle",
    }
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    os.mkfifo(str(tmp_path / "fifo"))
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        "a/file",
        "a//./file",
        "./a/sub/../file",
        "relative/file",
        "absolute/file",
        "dotted/file",
        "above/file",
        "relative/up/a/file",
        # The parent of the target, not of the link.
        "deep/../file",
        "to-file",
        "to-link",
        "to-new",
        "deep",
        "fifo",
        "a/none",
        "new\nline/none",
    ],
)
def test_path_leads_where_the_kernel_would_go(way: None, tree: Path, path: str) -> None:
    named = f"{tree}/{path}"
    real = os.path.realpath(named)
    with locate(named) as location:
        assert (location.path, location.real_path, location.missing) == (named, real, ())
        assert location.name == os.path.basename(real)
        assert os.path.samestat(os.fstat(location.directory), os.stat(os.path.dirname(real)))
        assert os.path.samestat(location.directory_info, os.fstat(location.directory))
        if os.path.lexists(real):
            assert location.info is not None and os.path.samestat(location.info, os.lstat(real))
        else:
            assert location.info is None
        assert (location.acting, location.own) == (own_identity(), own_identity())
        assert (location.privileged, location.bound, location.led) == (ROOT, False, False)
    with pytest.raises(OSError):
        os.fstat(location.directory)


@pytest.mark.parametrize(
    ("path", "directory", "missing", "name"),
    [
        ("a/x/auth.json", "a", ("x",), "auth.json"),
        ("relative/x/y/auth.json", "a", ("x", "y"), "auth.json"),
        ("to-none/auth.json", "", ("none", "of", "these"), "auth.json"),
        ("to-none", "", ("none", "of"), "these"),
        ("a/x//./auth.json", "a", ("x",), "auth.json"),
    ],
)
def test_missing_directories(
    way: None, tree: Path, path: str, directory: str, missing: Tuple[str, ...], name: str
) -> None:
    with locate(f"{tree}/{path}") as location:
        assert (location.missing, location.name, location.info) == (missing, name, None)
        assert os.path.samestat(os.fstat(location.directory), (tree / directory).stat())
        assert location.real_path == str(tree.joinpath(directory, *missing, name))


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("a/file/auth.json", "no_directory", "a/file is a regular file, not a directory"),
        ("to-file/auth.json", "no_directory", "a/file is a regular file, not a directory"),
        ("fifo/auth.json", "no_directory", "fifo is a FIFO, not a directory"),
        ("a/none/../auth.json", "no_directory", "a/none does not exist"),
        ("to-none/../auth.json", "no_directory", "none does not exist"),
        ("loop/auth.json", "unsafe_path", f"more than {MOST_LINKS} links"),
        ("circle", "unsafe_path", f"more than {MOST_LINKS} links"),
        ("a/sub/..", "not_a_file", "is a directory"),
        ("a/" + "n" * 256, "read_failed", os.strerror(errno.ENAMETOOLONG)),
        ("new\nline/" + "n" * 256, "read_failed", os.strerror(errno.ENAMETOOLONG)),
    ],
)
def test_refused_path(way: None, tree: Path, path: str, code: str, words: str) -> None:
    message = refused(f"{tree}/{path}", code)
    assert words in message and "\n" not in message


def test_root_directory_is_no_file() -> None:
    for path in ("/", "//", "/..", "/./../."):
        refused(path, "not_a_file")


def test_limits_of_links_and_names(way: None, tmp_path: Path) -> None:
    (tmp_path / "0").write_text("{}")
    for number in range(MOST_LINKS + 1):
        (tmp_path / str(number + 1)).symlink_to(str(number))
    with locate(str(tmp_path / str(MOST_LINKS))) as location:
        assert location.real_path == str(tmp_path / "0")
    refused(str(tmp_path / str(MOST_LINKS + 1)), "unsafe_path")
    room = 1000 - len(tmp_path.parts[1:]) - 1
    with locate(str(tmp_path) + "/." * 2000 + "/.." * room + "/etc") as location:
        assert location.real_path == "/etc"
    assert "1000 components" in refused(str(tmp_path) + "/.." * (room + 1) + "/etc", "unsafe_path")


# Modes of nested directories; whether others may have chosen the file in the last one, and whether root acts in a
# directory that others may change. A user never acts as root, and does not trust the sticky bit of a directory of his
# own, since he can remove it at any time.
MODES: List[Tuple[Tuple[int, ...], bool, bool, bool]] = [
    ((0o755,), False, False, False),
    ((0o2775,), True, True, True),
    ((0o757,), True, False, False),
    ((0o1777,), True, True, True),
    ((0o1777, 0o755), True, False, False),
    ((0o1777, 0o775), True, True, True),
    ((0o1777, 0o775, 0o755), True, True, True),
    ((0o1777, 0o1775, 0o755), True, True, True),
    ((0o1777, 0o755, 0o700), True, False, False),
    ((0o775, 0o755), True, True, True),
    ((0o775, 0o755, 0o700), True, True, True),
    ((0o775, 0o1775, 0o755), True, True, True),
]


@pytest.mark.parametrize(("modes", "movable", "roots", "shared"), MODES)
def test_directories_that_others_may_write_to(
    tmp_path: Path, modes: Tuple[int, ...], movable: bool, roots: bool, shared: bool
) -> None:
    place = tmp_path
    for mode in modes:
        place = made(place / "d", mode)
    if ROOT and modes == (0o757,):
        assert "everybody may write to" in refused(str(place / "auth.json"), "unsafe_path")
        return
    with locate(str(place / "auth.json")) as location:
        assert (location.movable, location.shared) == ((roots, shared) if ROOT else (movable, False))


def test_link_in_a_directory_that_others_may_write_to(tmp_path: Path) -> None:
    shared = made(tmp_path / "shared", 0o1777)
    own = made(tmp_path / "own", 0o700)
    (own / "auth.json").write_text("{}")
    for name in ("auth.json", "other.json"):
        (shared / name).symlink_to("../own/auth.json")
    (shared / "link").symlink_to("../own")
    assert "another name" in refused(str(shared / "other.json"), "unsafe_path")
    # Others may have moved the link here from elsewhere.
    for path in ("auth.json", "link/auth.json"):
        with locate(str(shared / path)) as location:
            assert location.real_path == str(own / "auth.json")
            assert (location.movable, location.shared, location.bound) == (True, ROOT, False)
    with locate(str(own / "auth.json")) as location:
        assert (location.movable, location.shared) == (False, False)


def test_own_rights_apply_without_data_of_another_user(tmp_path: Path) -> None:
    with locate(str(tmp_path / "auth.json"), Access(walk_as=0 if ROOT else ONE)) as location:
        assert (location.acting, location.bound) == (own_identity(), False)


def test_kinds_of_entries(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(str(tmp_path / "fifo"))
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        try:
            # The name of a socket must be short.
            os.chdir(str(tmp_path))
            server.bind("socket")
        finally:
            os.chdir(before)
    kinds = {name: kind_of((tmp_path / name).lstat().st_mode) for name in ("file", "link", "fifo", "socket", ".")}
    assert list(kinds.values()) == ["a regular file", "a symbolic link", "a FIFO", "a socket", "a directory"]
    assert kind_of(os.stat("/dev/null").st_mode) == "a character device"
    assert (kind_of(stat.S_IFBLK | 0o600), kind_of(0)) == ("a block device", "a special file")


def raise_within(context: ContextManager[None], error: OSError) -> None:
    with context:
        raise error


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "permission_denied"),
        (errno.EPERM, "permission_denied"),
        (errno.EBUSY, "busy_file"),
        (errno.EIO, "read_failed"),
    ],
)
def test_error_says_what_failed_and_as_whom(tmp_path: Path, number: int, code: str) -> None:
    error = path_error(OSError(number, "x"), "read it", "/d/auth.json", own_identity(), code="read_failed")
    text = f"/d/auth.json: cannot read it as {own_identity()}: {os.strerror(number)}."
    assert (error.code, error.details["path"]) == (code, "/d/auth.json")
    assert error.message.startswith(text) and ("mount point" in error.message) == (number == errno.EBUSY)
    with locate(str(tmp_path / "auth.json")) as location, pytest.raises(KeyfleetError) as caught:
        raise_within(reporting(location, "write it"), OSError(number, "x"))
    assert caught.value.message.startswith(f"{tmp_path}/auth.json: cannot write it as {own_identity()}: ")
    assert caught.value.code == (code if code != "read_failed" else "write_failed")
