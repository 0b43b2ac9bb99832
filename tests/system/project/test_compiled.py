# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled code of modules in zip files is kept, and is always that of the source."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from environments import COMPILED


def imported(tree: Path, name: str, source: str) -> list[str]:
    """The file name of the code, and the value, of a module that a new Python imports from a zip file."""
    with zipfile.ZipFile(tree / name, "w") as packed:
        packed.writestr("made_up.py", source)
    program = f"import sitecustomize, sys; sys.path.insert(0, {str(tree / name)!r}); import made_up as m; print(m.f())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], env={"PYTHONPATH": str(tree / "tests" / "compiled")},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.split()


def function(value: int) -> str:
    return f"def f():\n    return f'{{f.__code__.co_filename}} {value}'\n"


def test_kept_code_is_that_of_the_source(tmp_path: Path) -> None:
    shutil.copytree(COMPILED, tmp_path / "tests" / "compiled")
    kept = tmp_path / ".work" / "compiled"
    # Without the directory, as for another user, nothing is kept.
    assert imported(tmp_path, "a.zip", function(1)) == [f"{tmp_path}/a.zip/made_up.py", "1"]
    kept.mkdir(parents=True)
    assert imported(tmp_path, "a.zip", function(1)) == [f"{tmp_path}/a.zip/made_up.py", "1"]
    (file,) = kept.iterdir()
    before = file.stat()
    assert imported(tmp_path, "b.zip", function(1)) == [f"{tmp_path}/b.zip/made_up.py", "1"]
    assert file.stat().st_ino == before.st_ino
    assert imported(tmp_path, "b.zip", function(2)) == [f"{tmp_path}/b.zip/made_up.py", "2"]
    assert len(list(kept.iterdir())) == 2
    # The kept code is used: here, the one of another source.
    (other,) = set(kept.iterdir()) - {file}
    other.replace(file)
    assert imported(tmp_path, "a.zip", function(1)) == [f"{tmp_path}/a.zip/made_up.py", "2"]
