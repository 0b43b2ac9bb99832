# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many malformed files are read within the waiting time of one."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import parse
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import ANYBODY
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import STEP, Seen, read_each
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.small_files import Time, once


def read_all(paths: List[str], reread_for: float) -> Dict[str, Seen]:
    return dict(read_each({path: (path, ANYBODY) for path in paths}, parse, reread_for=reread_for))


def test_every_file_is_returned(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("{}")
    (tmp_path / "malformed").write_text("[]")
    (tmp_path / "directory").mkdir()
    paths = [str(tmp_path / name) for name in ("good", "malformed", "directory", "none")]
    seen = read_all(paths, reread_for=0.05)
    good, malformed, directory, missing = (seen[path] for path in paths)
    assert (good.state and good.state.data, good.malformed, good.error) == (b"{}", None, None)
    assert (
        malformed.state
        and malformed.state.data == b"[]"
        and malformed.malformed
        and "top level" in malformed.malformed.reason
    )
    assert directory.state is None and directory.error and directory.error.code == "not_a_file"
    assert missing.state and missing.state.data is None and not missing.malformed


def test_malformed_files_share_the_waiting_time(tmp_path: Path) -> None:
    paths = [str(tmp_path / str(number)) for number in range(20)]
    for path in paths:
        Path(path).write_text("{")
    clock = Time(once(0.2, lambda: Path(paths[-1]).write_text("{}")))
    with clock:
        seen = read_all(paths, reread_for=0.5)
    assert 0.5 <= clock.now < 0.5 + 2 * STEP
    assert [bool(seen[path].malformed) for path in paths] == [True] * 19 + [False]


def test_valid_files_do_not_wait(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("{}")
    clock = Time()
    with clock:
        read_all([str(tmp_path / "good"), str(tmp_path / "none")], reread_for=5.0)
    assert clock.now == 0


def test_long_paths_count_against_the_limit() -> None:
    """Each row of a report contains the path."""
    paths = [f"/nowhere/{'n' * 200}/{number}" for number in range(100)]
    seen = list(read_each({path: (path, ANYBODY) for path in paths}, parse, reread_for=0.0, most=50 * 1024))
    short = list(
        read_each({path[-9:]: (f"/{path[-4:]}", ANYBODY) for path in paths}, parse, reread_for=0.0, most=50 * 1024)
    )
    assert 0 < len(seen) < len(short) < len(paths)
