# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Partial files of downloads, and the rename to the destination."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import stat
from pathlib import Path

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.file import (
    LARGEST,
    Attributes,
    Facts,
    hasher,
    open_destination,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import Time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.zip"


def part_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.keyfleet-part")


def test_part_is_renamed_to_the_destination(path: Path) -> None:
    path.write_bytes(b"of old")
    with open_destination(str(path)) as location:
        assert location.facts.size == 6
        with location.part(lock_timeout=0) as part:
            part.write(b"one ")
            part.write(b"two")
            assert path.read_bytes() == b"of old" and part_path(path).read_bytes() == b"one two"
            assert stat.S_IMODE(part_path(path).stat().st_mode) == 0o600
            assert part.sums(["sha256"]) == {"sha256": hashlib.sha256(b"one two").hexdigest()}
            part.write(b".")
            part.put_in_place(location.wanted(Attributes(mode=0o640), part.size))
    assert path.read_bytes() == b"one two." and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(path.parent) == [path.name]


def test_part_is_resumed(path: Path) -> None:
    part_path(path).write_bytes(b"one ")
    with open_destination(str(path)) as location:
        assert location.facts == Facts()
        with location.part(lock_timeout=0) as part:
            assert part.size == 4
            part.write(b"two")
            part.cut(4)
            part.write(b"three")
            assert part.size == 9
    assert part_path(path).read_bytes() == b"one three" and not path.exists()
    with open_destination(str(path)) as location, location.part(lock_timeout=0) as part:
        part.discard()
        part.discard()
    assert os.listdir(path.parent) == []


def test_second_run_waits_for_the_lock(path: Path) -> None:
    time = Time()
    with open_destination(str(path)) as one, open_destination(str(path)) as two, one.part(lock_timeout=0) as part:
        part.write(b"one")
        with time, pytest.raises(KeyfleetError) as caught, two.part(lock_timeout=5):
            pass
        assert caught.value.code == "lock_timeout" and 5 <= time.now < 6


def test_run_that_waited_starts_a_new_part(path: Path) -> None:
    with open_destination(str(path)) as one, open_destination(str(path)) as two, contextlib.ExitStack() as first:
        part = first.enter_context(one.part(lock_timeout=0))
        part.write(b"one")

        def finish(_now: float) -> None:
            part.put_in_place(one.wanted(Attributes(), 3))
            first.close()

        with Time(finish), two.part(lock_timeout=5) as other:
            assert other.size == 0
    assert path.read_bytes() == b"one"


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "writable"])
def test_planted_part_is_not_used(path: Path, kind: str) -> None:
    victim = path.parent / "victim"
    victim.write_bytes(b"theirs")
    if kind == "link":
        part_path(path).symlink_to(victim)
    elif kind == "hard link":
        os.link(str(victim), str(part_path(path)))
    elif kind == "fifo":
        os.mkfifo(str(part_path(path)))
    else:
        part_path(path).write_bytes(b"PK")
        part_path(path).chmod(0o664)
    with open_destination(str(path)) as location, location.part(lock_timeout=0) as part:
        assert part.size == 0
        part.write(b"one")
        part.put_in_place(location.wanted(Attributes(), 3))
    assert victim.read_bytes() == b"theirs" and path.read_bytes() == b"one" and path.stat().st_nlink == 1
    assert sorted(os.listdir(path.parent)) == [path.name, victim.name]


def test_directory_instead_of_the_part(path: Path) -> None:
    part_path(path).mkdir()
    with open_destination(str(path)) as location, pytest.raises(KeyfleetError) as caught, location.part(lock_timeout=0):
        pass
    assert caught.value.code == "not_a_file"


def test_not_enough_disk_space(path: Path) -> None:
    with open_destination(str(path)) as location, location.part(lock_timeout=0) as part:
        part.room_for(1)
        with pytest.raises(KeyfleetError) as caught:
            part.room_for(2**62)
    assert caught.value.code == "write_failed" and str(2**62) in caught.value.message


def test_repair_of_an_existing_file(path: Path) -> None:
    path.write_bytes(b"one")
    path.chmod(0o600)
    with open_destination(str(path)) as location:
        wanted = location.wanted(Attributes(mode=0o644), 3)
        assert (wanted.uid, wanted.gid) == (os.geteuid(), path.stat().st_gid)
        location.repair(wanted)
        assert location.sums(["md5", "sha1"]) == {
            "md5": hashlib.new("md5", b"one").hexdigest(),
            "sha1": hashlib.sha1(b"one").hexdigest(),
        }
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and path.read_bytes() == b"one"


def test_unknown_algorithm() -> None:
    with pytest.raises(ValueError):
        hasher("crc-of-keyfleet")
    assert hasher("md5").hexdigest() == "d41d8cd98f00b204e9800998ecf8427e"


def test_file_that_grows_during_a_checksum(path: Path) -> None:
    path.write_bytes(b"a release")
    path.chmod(0o644)
    with open_destination(str(path)) as location:
        with path.open("r+b") as file:
            file.truncate(1 << 43)
        assert location.sums(["md5"]) == {"md5": hashlib.md5(b"a release").hexdigest()}
    with open_destination(str(path)) as location, location.part(lock_timeout=1) as part:
        part.write(b"a release")
        with part_path(path).open("r+b") as file:
            file.truncate(1 << 43)
        assert part.sums(["md5"]) == {"md5": hashlib.md5(b"a release").hexdigest()}
    # A partial file that is larger than any release is not resumed.
    path.unlink()
    with open_destination(str(path)) as location, location.part(lock_timeout=1) as part:
        assert part.size == 0


def test_directory_instead_of_the_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(KeyfleetError) as caught, open_destination(str(path)):
        pass
    assert caught.value.code == "not_a_file"


def test_part_is_emptied_when_the_disk_is_full(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_destination(str(path)) as location, location.part(lock_timeout=0) as part:
        part.write(b"one ")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(KeyfleetError) as caught:
                part.write(bytes(2000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.code == "write_failed" and part.size == 0
    assert part_path(path).stat().st_size == 0


def test_file_that_others_can_write_to_is_not_kept(path: Path) -> None:
    path.write_bytes(b"one")
    path.chmod(0o664)
    with open_destination(str(path)) as location:
        assert not location.can_be_kept(location.wanted(Attributes(mode=0o644), 3))
        assert location.can_be_kept(location.wanted(Attributes(mode=0o664), 3))


def test_file_larger_than_any_release_is_not_kept(path: Path) -> None:
    path.touch(0o644)
    for size, expected in ((LARGEST, True), (LARGEST + 1, False)):
        os.truncate(str(path), size)
        with open_destination(str(path)) as location:
            assert location.can_be_kept(location.wanted(Attributes(mode=0o644), size)) == expected
