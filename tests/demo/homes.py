# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records files in the home directory of the current user, to verify that the demo does not change them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

WATCHED = (".composer", ".config/composer", ".netrc")

Facts = dict[str, tuple[int, ...] | None]


def _watched_paths() -> list[Path]:
    roots = {Path.home(), Path(pwd.getpwuid(os.geteuid()).pw_dir)}
    paths = [root / name for root in sorted(roots) for name in WATCHED]
    composer_home = os.environ.get("COMPOSER_HOME")
    return [*paths, Path(composer_home)] if composer_home else paths


def _facts(path: Path) -> tuple[int, ...] | None:
    try:
        info = path.lstat()
    except OSError:
        return None
    # The change time of an inode cannot be set back, so contents need not be read.
    return info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_size, info.st_ctime_ns


def snapshot() -> Facts:
    """Each watched file or directory with everything below it; None for a missing path."""
    found: Facts = {}
    for top in _watched_paths():
        found[str(top)] = _facts(top)
        for directory, names, files in os.walk(top):
            # The user may be running Composer at the same time, which changes its cache.
            names[:] = [name for name in names if name != "cache"]
            found.update({path: _facts(Path(path)) for path in (os.path.join(directory, n) for n in names + files)})
    return found
