# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds files that other users of the machine can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

# An ID that no existing user or group has.
STRANGER = 54321


def readable_by_others(paths: Iterable[Path]) -> list[str]:
    """The files at and below ``paths`` that another user can open. Requires root, to switch to another user."""
    if os.geteuid() != 0:
        raise PermissionError("only root can switch to another user")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            os.setgroups([])
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            with os.fdopen(writer, "wb") as answer:
                answer.write(b"".join(os.fsencode(path) + b"\0" for top in paths for path in _readable_files(str(top))))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        found = answer.read()
    _pid, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError("the search as another user failed")
    return [os.fsdecode(path) for path in found.split(b"\0") if path]


def _readable_files(path: str) -> Iterable[str]:
    try:
        kind = os.lstat(path).st_mode
        if stat.S_ISREG(kind):
            os.close(os.open(path, os.O_RDONLY))
            yield path
        elif stat.S_ISDIR(kind):
            for name in sorted(os.listdir(path)):
                yield from _readable_files(os.path.join(path, name))
    except PermissionError:
        return
