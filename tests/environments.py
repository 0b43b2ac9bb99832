# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates a virtual environment with exactly the packages of a requirements file, unless it is up to date.

python tests/environments.py DIRECTORY PYTHON REQUIREMENTS
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

COMPILED = Path(__file__).resolve().parent / "compiled"
"""On PYTHONPATH, it speeds up the tasks of Ansible, see its sitecustomize.py. Environments have it from the start."""


def stamp_of(python: str, requirements: Path) -> str:
    """Identifies the Python and the requirements of an environment, including all files that these may refer to, and
    this program."""
    content = hashlib.sha256(requirements.name.encode() + Path(__file__).read_bytes())
    for path in sorted(requirements.parent.glob("*.txt")):
        content.update(path.read_bytes())
    return f"{python} {content.hexdigest()}\n"


def make(directory: Path, python: str, requirements: Path) -> None:
    """Creates an environment of `python` with `requirements` in `directory` from scratch, unless it is up to date."""
    stamp = directory / "made-from"
    wanted = stamp_of(python, requirements)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"Creating {directory} from {requirements}; this takes a while if no package is cached.", flush=True)
    if directory.exists():
        shutil.rmtree(directory)
    subprocess.run([python, "-m", "venv", str(directory)], check=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-qq", "--requirement", str(requirements)], check=True)
    # Pythons before 3.10 do not create the name that ansible-test looks for.
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True, capture_output=True
    )
    release = f"python{version.stdout.decode().strip()}"
    line = f"import sys; sys.path.insert(0, {str(COMPILED)!r})\n"
    (directory / "lib" / release / "site-packages" / "compiled.pth").write_text(line)
    name = directory / "bin" / release
    if not name.exists():
        name.symlink_to("python")
    stamp.write_text(wanted)


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
