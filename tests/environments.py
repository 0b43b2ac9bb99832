# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a virtual environment that holds exactly what a requirements file pins; does nothing when it already does.

python tests/environments.py DIRECTORY PYTHON REQUIREMENTS
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path


def stamp_of(python: str, requirements: Path) -> str:
    """What a finished environment was made from; the files beside the requirements may be drawn in and count too."""
    content = hashlib.sha256(requirements.name.encode())
    for path in sorted(requirements.parent.glob("*.txt")):
        content.update(path.read_bytes())
    return f"{python} {content.hexdigest()}\n"


def make(directory: Path, python: str, requirements: Path) -> None:
    """Make `directory` an environment of `python` with `requirements`, from nothing unless it is that already."""
    stamp = directory / "made-from"
    wanted = stamp_of(python, requirements)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"Making {directory} with what {requirements} names; this takes a while when nothing is cached.", flush=True)
    if directory.exists():
        shutil.rmtree(directory)
    subprocess.run([python, "-m", "venv", str(directory)], check=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-qq", "--requirement", str(requirements)], check=True)
    # Pythons before 3.10 leave out the name that ansible-test looks for.
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True, capture_output=True
    )
    name = directory / "bin" / f"python{version.stdout.decode().strip()}"
    if not name.exists():
        name.symlink_to("python")
    stamp.write_text(wanted)


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
