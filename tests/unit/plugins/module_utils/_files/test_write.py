# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks, files that are being written, and entries that another program removes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import observe, predict
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Transform, Wanted
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply, carry_out
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
    assert "not JSON (line 1)" in error.message and "done" not in error.details
    assert 2.0 <= time.now < 2.2 and not (tmp_path / "two").exists()


def test_file_that_was_right_is_read_again_if_another_is_written(tmp_path: Path) -> None:
    right, other = tmp_path / "right", tmp_path / "other"
    apply([wanted(right)], settle=0.0)
    planned = [predict(observe(str(path), parse=parse), wanted(path)) for path in (other, right)]
    assert [change.changed for change in planned] == [True, False]
    right.write_text('{"theirs": 1}')
    carry_out(planned, settle=0.0)
    assert (names_in(other), names_in(right)) == (["ours"], ["ours", "theirs"])


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


def test_file_broken_for_a_moment_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    texts = []

    def composer(now: float) -> None:
        if not texts:
            texts.append(path.read_text())
        path.write_text("{" if 0.1 < now < 0.5 else texts[0])

    with Time(composer):
        (change,) = apply([wanted(path)])
    assert path.read_bytes() == change.after.data


def test_broken_file_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    """The content to restore has the secrets of others: it is only for the file that was written."""
    path = tmp_path / "auth.json"
    with Time(once(0.1, lambda: replace(path, "{", 0o600))):
        refused("malformed_file", wanted(path))
    assert path.read_text() == "{"


def test_program_that_keeps_writing(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"

    def keep_writing(now: float) -> None:
        path.write_text("{}")

    with Time(keep_writing):
        error = refused("write_failed", wanted(path))
    assert "again and again" in error.message and error.details["done"]


def during_the_write(path: Path, action: Callable[[], object]) -> Transform:
    """A transform that calls ``action`` once, when the file has been read under the lock."""
    done: List[bool] = []

    def transform(data: Optional[bytes]) -> Optional[bytes]:
        if not done and temporary_of(path).exists():
            done.append(True)
            action()
        return adding("ours")(data)

    return transform


def temporary_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.keyfleet")


def replace(path: Path, text: str, mode: int) -> None:
    path.rename(path.with_name("old"))
    path.write_text(text)
    path.chmod(mode)
    path.with_name("old").unlink()


CHANGES: Dict[str, Tuple[Callable[[Path], object], List[str], Optional[bytes], Optional[int]]] = {
    # What another program does, the names in the file at the end, and content and mode before the change.
    "written in place": (lambda path: path.write_text('{"theirs": 1}'), ["ours", "theirs"], b'{"theirs": 1}', 0o600),
    "replaced by a copy": (lambda path: replace(path, "{}", 0o640), ["ours"], b"{}", 0o640),
    "removed": (lambda path: path.unlink(), ["ours"], None, None),
    "temporary file removed": (lambda path: temporary_of(path).unlink(), ["ours"], b"{}", 0o600),
    "temporary file replaced": (lambda path: replace(temporary_of(path), "planted", 0o600), ["ours"], b"{}", 0o600),
}


@pytest.mark.parametrize("change", CHANGES)
def test_file_changed_between_reading_and_renaming(tmp_path: Path, change: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text("{}")
    path.chmod(0o600)
    action, names, data, mode = CHANGES[change]
    (made,) = apply([Wanted(str(path), during_the_write(path, lambda: action(path)))], settle=0.0)
    assert (made.before.data, made.before.mode) == (data, mode)
    assert names_in(path) == names and os.listdir(str(tmp_path)) == ["auth.json"]


def test_temporary_file_of_another_run_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    other = []

    def another_run() -> None:
        replace(temporary_of(path), "theirs", 0o600)
        other.append(temporary_of(path).open())
        fcntl.flock(other[0], fcntl.LOCK_EX)

    with Time():
        refused("lock_timeout", Wanted(str(path), during_the_write(path, another_run)), lock_timeout=1.0)
    assert temporary_of(path).read_text() == "theirs" and not path.exists()
    other[0].close()


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
