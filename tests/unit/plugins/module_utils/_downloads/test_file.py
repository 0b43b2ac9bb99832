# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large file that comes bit by bit: what is beside its place, and when it takes it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import stat
from pathlib import Path
from typing import List

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.file import (
    LARGEST,
    Attributes,
    Facts,
    hasher,
    target,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.zip"


def beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.keyfleet-part")


def test_it_takes_its_place_when_it_is_told_to(path: Path) -> None:
    path.write_bytes(b"of old")
    with target(str(path)) as place:
        assert place.facts.size == 6
        with place.part(patience=0) as part:
            part.write(b"one ")
            part.write(b"two")
            assert path.read_bytes() == b"of old" and beside(path).read_bytes() == b"one two"
            assert stat.S_IMODE(beside(path).stat().st_mode) == 0o600
            assert part.sums(["sha256"]) == {"sha256": hashlib.sha256(b"one two").hexdigest()}
            part.write(b".")
            part.put_in_place(place.wanted(Attributes(mode=0o640), part.size))
    assert path.read_bytes() == b"one two." and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(path.parent) == [path.name]


def test_what_was_left_is_gone_on_with(path: Path) -> None:
    beside(path).write_bytes(b"one ")
    with target(str(path)) as place:
        assert place.facts == Facts()
        with place.part(patience=0) as part:
            assert part.size == 4
            part.write(b"two")
            assert part.beginning(3) == b"one"
            part.cut(4)
            part.write(b"three")
            assert part.size == 9
    assert beside(path).read_bytes() == b"one three" and not path.exists()
    with target(str(path)) as place, place.part(patience=0) as part:
        part.discard()
        part.discard()
    assert os.listdir(path.parent) == []


def test_two_at_once_wait_for_each_other(path: Path) -> None:
    now: List[float] = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with target(str(path)) as one, target(str(path)) as two, one.part(patience=0) as part:
        part.write(b"one")
        with pytest.raises(KeyfleetError) as caught, two.part(patience=5, clock=lambda: now[0], sleep=sleep):
            pass
        assert caught.value.code == "lock_timeout" and 5 <= now[0] < 6


def test_one_who_waited_begins_with_a_part_of_its_own(path: Path) -> None:
    with target(str(path)) as one, target(str(path)) as two, contextlib.ExitStack() as first:
        part = first.enter_context(one.part(patience=0))
        part.write(b"one")

        def finish(_seconds: float) -> None:
            part.put_in_place(one.wanted(Attributes(), 3))
            first.close()

        with two.part(patience=5, sleep=finish) as other:
            assert other.size == 0
    assert path.read_bytes() == b"one"


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "writable"])
def test_a_part_that_somebody_may_have_planted_is_begun_anew(path: Path, kind: str) -> None:
    victim = path.parent / "victim"
    victim.write_bytes(b"theirs")
    if kind == "link":
        beside(path).symlink_to(victim)
    elif kind == "hard link":
        os.link(str(victim), str(beside(path)))
    elif kind == "fifo":
        os.mkfifo(str(beside(path)))
    else:
        beside(path).write_bytes(b"PK")
        beside(path).chmod(0o664)
    with target(str(path)) as place, place.part(patience=0) as part:
        assert part.size == 0
        part.write(b"one")
        part.put_in_place(place.wanted(Attributes(), 3))
    assert victim.read_bytes() == b"theirs" and path.read_bytes() == b"one" and path.stat().st_nlink == 1
    assert sorted(os.listdir(path.parent)) == [path.name, victim.name]


def test_a_directory_in_the_place_of_the_part(path: Path) -> None:
    beside(path).mkdir()
    with target(str(path)) as place, pytest.raises(KeyfleetError) as caught, place.part(patience=0):
        pass
    assert caught.value.code == "not_a_file"


def test_a_file_that_would_not_fit(path: Path) -> None:
    with target(str(path)) as place, place.part(patience=0) as part:
        part.room_for(1)
        with pytest.raises(KeyfleetError) as caught:
            part.room_for(2**62)
    assert caught.value.code == "write_failed" and str(2**62) in caught.value.message


def test_owner_and_mode_of_a_file_that_is_there(path: Path) -> None:
    path.write_bytes(b"one")
    path.chmod(0o600)
    with target(str(path)) as place:
        wanted = place.wanted(Attributes(mode=0o644), 3)
        assert (wanted.uid, wanted.gid) == (os.geteuid(), path.stat().st_gid)
        place.repair(wanted)
        assert place.sums(["md5", "sha1"]) == {
            "md5": hashlib.new("md5", b"one").hexdigest(),
            "sha1": hashlib.sha1(b"one").hexdigest(),
        }
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and path.read_bytes() == b"one"


def test_an_algorithm_that_there_is_not() -> None:
    with pytest.raises(ValueError):
        hasher("crc-of-keyfleet")
    assert hasher("md5").hexdigest() == "d41d8cd98f00b204e9800998ecf8427e"


def test_a_file_that_is_made_larger_while_it_is_summed(path: Path) -> None:
    path.write_bytes(b"a release")
    path.chmod(0o644)
    with target(str(path)) as place:
        with path.open("r+b") as file:
            file.truncate(1 << 43)
        assert place.sums(["md5"]) == {"md5": hashlib.md5(b"a release").hexdigest()}
    with target(str(path)) as place, place.part(patience=1) as part:
        part.write(b"a release")
        with beside(path).open("r+b") as file:
            file.truncate(1 << 43)
        assert part.sums(["md5"]) == {"md5": hashlib.md5(b"a release").hexdigest()}
    # Nor is one gone on with that is larger than any release.
    path.unlink()
    with target(str(path)) as place, place.part(patience=1) as part:
        assert part.size == 0


def test_a_directory_in_the_place_of_the_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(KeyfleetError) as caught, target(str(path)):
        pass
    assert caught.value.code == "not_a_file"


def test_a_part_that_there_is_no_room_for_is_not_kept(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with target(str(path)) as place, place.part(patience=0) as part:
        part.write(b"one ")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(KeyfleetError) as caught:
                part.write(bytes(2000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.code == "write_failed" and part.size == 0
    assert beside(path).stat().st_size == 0


def test_what_others_may_have_open_is_not_taken_for_ours(path: Path) -> None:
    path.write_bytes(b"one")
    path.chmod(0o664)
    with target(str(path)) as place:
        assert not place.counts(place.wanted(Attributes(mode=0o644), 3))
        assert place.counts(place.wanted(Attributes(mode=0o664), 3))


def test_what_no_release_can_be_is_not_read(path: Path) -> None:
    path.touch(0o644)
    for size, counts in ((LARGEST, True), (LARGEST + 1, False)):
        os.truncate(str(path), size)
        with target(str(path)) as place:
            assert place.counts(place.wanted(Attributes(mode=0o644), size)) == counts
