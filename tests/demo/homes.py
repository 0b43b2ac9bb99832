# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at what the person at the keyboard has in their home, to show that none of it is touched."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

WATCHED = (".composer", ".config/composer", ".netrc")

Facts = dict[str, tuple[int, ...] | None]


def _places() -> list[Path]:
    roots = {Path.home(), Path(pwd.getpwuid(os.geteuid()).pw_dir)}
    places = [root / name for root in sorted(roots) for name in WATCHED]
    moved = os.environ.get("COMPOSER_HOME")
    return [*places, Path(moved)] if moved else places


def _facts(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    # The time of the last change to the inode cannot be set back, so contents need not be read.
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_ctime_ns


def snapshot() -> Facts:
    """Each watched file or directory with all below it; None for what is not there."""
    found: Facts = {}
    for place in _places():
        found[str(place)] = _facts(place)
        for directory, names, files in os.walk(place):
            # A Composer of theirs may be running right now.
            names[:] = [name for name in names if name != "cache"]
            found.update({path: _facts(Path(path)) for path in (os.path.join(directory, n) for n in names + files)})
    return found
