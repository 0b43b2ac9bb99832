# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and replacing files as an ordinary user. tests/system/files has the cases of root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import observe
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Ownership, Wanted
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import (
    SECRET,
    adding,
    apply,
    leave,
    mode_of,
    names_in,
    parse,
    refused,
    wanted,
)


def test_new_file(tmp_path: Path) -> None:
    change = apply(tmp_path / "auth.json")
    assert change.changed and change.before.data is None and change.before.directory_exists
    assert names_in(tmp_path / "auth.json") == ["ours"] and mode_of(tmp_path / "auth.json") == 0o600
    assert os.listdir(str(tmp_path)) == ["auth.json"]


def test_other_entries_are_kept(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text('{"theirs": 1}')
    (tmp_path / "auth.json").chmod(0o600)
    apply(tmp_path / "auth.json")
    assert names_in(tmp_path / "auth.json") == ["ours", "theirs"]


def test_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    apply(path)
    before = path.stat()
    change = apply(path)
    after = path.stat()
    assert not change.changed and change.before is change.after
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_leftover_temporary_file_is_removed(tmp_path: Path) -> None:
    apply(tmp_path / "auth.json")
    (tmp_path / ".auth.json.keyfleet").write_text("{")
    assert not apply(tmp_path / "auth.json").changed
    assert os.listdir(str(tmp_path)) == ["auth.json"]


@pytest.mark.parametrize(
    "before, requested", [(0o644, 0o600), (0o600, 0o640), (0o666, 0o660), (0o777, 0o600), (0o400, 0o600)]
)
def test_mode_is_repaired(tmp_path: Path, before: int, requested: int) -> None:
    path = tmp_path / "auth.json"
    path.write_bytes(adding("ours")(None) or b"")
    path.chmod(before)
    change = apply(path, ownership=Ownership(mode=requested))
    assert change.changed and (change.before.mode, change.after.mode, mode_of(path)) == (before, requested, requested)
    assert change.before.data == change.after.data


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o666, 0o4600, 0o1600])
def test_modes_for_others_are_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ValueError):
        apply(tmp_path / "auth.json", ownership=Ownership(mode=mode))
    assert list(tmp_path.iterdir()) == []


def test_umask_has_no_effect(tmp_path: Path) -> None:
    old = os.umask(0o177)
    try:
        apply(tmp_path / "new" / "auth.json", make_directory=True, ownership=Ownership(mode=0o640))
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "new") == 0o700 and mode_of(tmp_path / "new" / "auth.json") == 0o640


def test_unchanged_content_is_not_written(tmp_path: Path) -> None:
    change = apply(tmp_path / "none" / "auth.json", transform=leave, make_directory=True)
    assert not change.changed and os.listdir(str(tmp_path)) == []
    assert not apply(tmp_path / "none" / "auth.json", transform=leave).changed
    (tmp_path / "auth.json").write_text("{}")
    assert not apply(tmp_path / "auth.json", transform=leave).changed and (tmp_path / "auth.json").read_text() == "{}"


def test_missing_directory(tmp_path: Path) -> None:
    path = tmp_path / "none" / "auth.json"
    state = observe(str(path), parse=parse)
    assert (state.data, state.directory_exists, state.mode) == (None, False, None)
    assert "does not exist" in refused("no_directory", wanted(path)).message
    refused("no_directory", wanted(tmp_path / "a" / "b" / "auth.json", make_directory=True))
    refused("no_directory", wanted(tmp_path / "a" / "b" / "c" / "auth.json", make_directory=True, user=os.getuid()))
    refused("no_directory", wanted(tmp_path / "none" / ".." / "auth.json"))
    assert os.listdir(str(tmp_path)) == []
    home = tmp_path / ".config" / "composer"
    apply(home / "auth.json", make_directory=True, user=os.getuid())
    assert mode_of(home) == 0o700 and mode_of(home.parent) == 0o700 and os.listdir(str(home)) == ["auth.json"]


@pytest.mark.parametrize("path", ["auth.json", "./auth.json", "", "/tmp/\0/auth.json", "/tmp/\ud800/auth.json"])
def test_invalid_path(path: str) -> None:
    assert repr(path) in refused("unsafe_path", Wanted(path, leave)).message


def test_links_are_followed(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    release = tmp_path / "releases" / "1"
    shared.mkdir()
    release.mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/./1/")
    (release / "auth.json").symlink_to("../../shared//auth.json")
    change = apply(tmp_path / "current" / ".." / ".." / "current" / "auth.json")
    assert change.after.real_path == str(shared.resolve() / "auth.json")
    assert names_in(shared / "auth.json") == ["ours"] and (release / "auth.json").is_symlink()
    (tmp_path / "absolute").symlink_to(tmp_path / "current")
    assert not apply(tmp_path / "absolute" / "auth.json").changed


def test_links_without_o_path(tmp_path: Path) -> None:
    """macOS and older BSDs have no O_PATH."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "auth.json").symlink_to("target.json")
    script = (
        "import os, sys; del os.O_PATH\n"
        "from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Wanted\n"
        "from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply\n"
        "apply([Wanted(sys.argv[1], lambda data: b'{}')], settle=0)\n"
    )
    path = str(tmp_path / "link" / "auth.json")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(entry for entry in sys.path if entry))
    subprocess.run([sys.executable, "-c", script, path], check=True, env=environment)
    assert (tmp_path / "real" / "target.json").read_text() == "{}" and os.path.islink(path)


def test_link_loop(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "40 links" in refused("unsafe_path", wanted(tmp_path / "a" / "auth.json")).message


def test_entries_of_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(str(tmp_path / "fifo"))
    assert "a directory" in refused("not_a_file", wanted(tmp_path / "directory")).message
    assert "a FIFO" in refused("not_a_file", wanted(tmp_path / "fifo")).message
    assert "not a directory" in refused("no_directory", wanted(tmp_path / "fifo" / "auth.json")).message
    refused("not_a_file", Wanted("/", leave))
    (tmp_path / "large").write_bytes(b" " * (4 * 1024 * 1024 + 1))
    assert "larger" in refused("not_a_file", wanted(tmp_path / "large")).message
    (tmp_path / ".auth.json.keyfleet").mkdir()
    assert ".auth.json.keyfleet" in refused("not_a_file", wanted(tmp_path / "auth.json")).message
    assert sorted(os.listdir(str(tmp_path))) == [".auth.json.keyfleet", "directory", "fifo", "large"]


def test_failure_has_the_changes_made_so_far(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ".auth.json.keyfleet").mkdir()
    error = refused("not_a_file", wanted(tmp_path / "auth.json"), wanted(tmp_path / "two" / "auth.json"))
    done = error.details["done"]
    assert isinstance(done, list) and [change.wanted.path for change in done] == [str(tmp_path / "auth.json")]


def test_no_secret_in_any_representation(tmp_path: Path) -> None:
    change = apply(tmp_path / "auth.json")
    assert SECRET in (change.after.data or b"").decode()
    assert SECRET not in repr(change) and SECRET not in str(change)
