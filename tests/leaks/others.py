# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another account of the machine can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

# An account that nobody has.
STRANGER = 54321


def readable_by_others(paths: Iterable[Path]) -> list[str]:
    """The files at and below ``paths`` that a stranger can open. Only root can find out: it becomes the stranger."""
    if os.geteuid() != 0:
        raise PermissionError("only root can become somebody else")
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
                answer.write(b"".join(os.fsencode(path) + b"\0" for top in paths for path in _open_to_me(str(top))))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        found = answer.read()
    _pid, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError("the look with a stranger's eyes failed")
    return [os.fsdecode(path) for path in found.split(b"\0") if path]


def _open_to_me(path: str) -> Iterable[str]:
    try:
        kind = os.lstat(path).st_mode
        if stat.S_ISREG(kind):
            os.close(os.open(path, os.O_RDONLY))
            yield path
        elif stat.S_ISDIR(kind):
            for name in sorted(os.listdir(path)):
                yield from _open_to_me(os.path.join(path, name))
    except PermissionError:
        return
