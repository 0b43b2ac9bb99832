# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks, files that are being written, and entries that another program removes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import observe
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Wanted
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import (
    Time,
    adding,
    names_in,
    once,
    parse,
    refused,
    wanted,
)


def test_malformed_files_are_reported_together_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("one", "three"):
        (tmp_path / name).write_text("{")
    time = Time()
    with time:
        error = refused("malformed_file", *[wanted(tmp_path / name) for name in ("one", "two", "three")])
    assert [problem.path for problem in error.problems] == [str(tmp_path / "one"), str(tmp_path / "three")]
    assert "not JSON (line 1)" in error.message and error.details["done"] == []
    assert 2.0 <= time.now < 2.2 and not (tmp_path / "two").exists()


def test_malformed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text("")
    with pytest.raises(MalformedFile):
        observe(str(path), parse=parse, reread_for=0.0)
    time = Time(once(0.7, lambda: path.write_text('{"theirs": 1}')))
    with time:
        assert observe(str(path), parse=parse).data == b'{"theirs": 1}'
    path.write_text("")
    time = Time(once(0.7, lambda: path.write_text('{"theirs": 1}')))
    with time:
        apply([wanted(path)])
    assert names_in(path) == ["ours", "theirs"]


def test_removed_entry_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text("{}")
    path.chmod(0o600)
    overwritten = []

    def composer(now: float) -> None:
        if len(overwritten) < 4 and names_in(path)[:1] == ["ours"]:
            path.write_text('{"theirs": 1}')
            overwritten.append(now)

    time = Time(composer)
    with time:
        (change,) = apply([wanted(path)])
    assert len(overwritten) == 4 and names_in(path) == ["ours", "theirs"]
    assert change.before.data == b"{}" and change.after.data == path.read_bytes()
    assert 0.25 <= time.now - overwritten[-1] < 0.4


def test_file_broken_after_the_write_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    time = Time(once(0.1, lambda: path.write_text("{")))
    with time:
        apply([wanted(path)])
    assert names_in(path) == ["ours"] and time.now > 1.0


def test_program_that_keeps_writing(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"

    def keep_writing(now: float) -> None:
        path.write_text("{}")

    with Time(keep_writing):
        error = refused("write_failed", wanted(path))
    assert "again and again" in error.message and error.details["done"]


def test_file_changed_between_reading_and_renaming(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text("{}")
    path.chmod(0o600)
    calls = []

    def transform(data: Optional[bytes]) -> Optional[bytes]:
        result = adding("ours")(data)
        calls.append(data)
        if len(calls) == 3:  # two calls before the lock is taken, then one while it is held
            path.write_text('{"theirs": 1}')
        return result

    (change,) = apply([Wanted(str(path), transform)], settle=0.0)
    assert names_in(path) == ["ours", "theirs"] and change.before.data == b'{"theirs": 1}'
    assert os.listdir(str(tmp_path)) == ["auth.json"]


def test_lock_timeout(tmp_path: Path) -> None:
    holder = os.open(str(tmp_path / ".auth.json.keyfleet"), os.O_WRONLY | os.O_CREAT, 0o600)
    fcntl.flock(holder, fcntl.LOCK_EX)
    time = Time()
    with time:
        error = refused("lock_timeout", wanted(tmp_path / "auth.json"), lock_timeout=5.0)
    assert "fuser" in error.message and "5 s" in error.message and 5.0 <= time.now < 5.1
    with Time(once(1.0, lambda: os.close(holder))):
        apply([wanted(tmp_path / "auth.json")], lock_timeout=5.0)
    assert names_in(tmp_path / "auth.json") == ["ours"]


def test_files_that_are_malformed_in_turns(tmp_path: Path) -> None:
    """Each file is valid again in time, but one of them is always malformed."""
    paths = [tmp_path / "one" / "auth.json", tmp_path / "two" / "auth.json"]
    for path in paths:
        path.parent.mkdir()
    good = {}

    def alternate(now: float) -> None:
        broken = int(now / 0.5) % 2
        for number, path in enumerate(paths):
            good.setdefault(number, path.read_bytes())
            path.write_bytes(b"{" if number == broken else good[number])
            path.chmod(0o600)

    time = Time(alternate)
    with time:
        error = refused("write_failed", *map(wanted, paths))
    assert "again and again" in error.message and time.now < 60
