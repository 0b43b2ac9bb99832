# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find every auth.json below a directory, safely although the owners of its content may replace it meanwhile.

Each directory is opened by its name in its open parent, never through a link, and searched once, also if it has
several paths.
"""

from __future__ import annotations

import os
from typing import Iterator, List, NamedTuple, Set, Tuple

from .._errors import KeyfleetError, Problem
from .._files.accounts import Identity, acting_as, own_identity
from .._files.path import locate

# Directories with many files of third-party code, and no auth.json that Composer reads.
_NOT_SEARCHED = frozenset(("vendor", "node_modules", ".git"))
_MOST_DIRECTORIES = 500000
# Levels below the root, and so the number of directories that are open at the same time.
_MOST_LEVELS = 100
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Level(NamedTuple):
    """An open directory, and the names of its subdirectories still to be searched, the next one last."""

    fd: int
    path: str
    below: List[str]


def search(root: str, problems: List[Problem]) -> Iterator[str]:
    """Yield the path of every auth.json below ``root``, in order. A directory that cannot be searched is a problem."""
    levels: List[_Level] = []
    try:
        fd, who = _opened(root)
        levels.append(_Level(fd, root, []))
        yield from _found(levels, who, problems)
    except KeyfleetError as error:
        problems.append(Problem(error.code, f"search: {error.message}", root))
    except OSError as error:
        problems.append(_not_searched(root, error))
    finally:
        for level in levels:
            os.close(level.fd)


def _opened(root: str) -> Tuple[int, Identity]:
    """Return the open root and the identity that searches it: a user's link leads only where that user may go."""
    if root == "/":
        return os.open(root, _FLAGS), own_identity()
    with locate(root) as target:
        who = target.acting if target.bound else target.own
        if target.info is None:
            raise KeyfleetError("no_directory", f"{root} is not a directory")
        try:
            with acting_as(who):
                return os.open(target.name, _FLAGS, dir_fd=target.directory), who
        except NotADirectoryError:
            raise KeyfleetError("no_directory", f"{root} is not a directory") from None


def _found(levels: List[_Level], who: Identity, problems: List[Problem]) -> Iterator[str]:
    """Yield the paths. ``levels`` begins with the open root and always holds exactly the open directories."""
    seen: Set[Tuple[int, int]] = set()
    too_deep = False
    while levels:
        level = levels[-1]
        info = os.fstat(level.fd)
        if (info.st_dev, info.st_ino) not in seen:
            seen.add((info.st_dev, info.st_ino))
            if len(seen) > _MOST_DIRECTORIES:
                problems.append(_limit(levels[0].path, f"more than {_MOST_DIRECTORIES} directories"))
                return
            try:
                if _list(level, who):
                    yield os.path.join(level.path, "auth.json")
            except OSError as error:
                problems.append(_not_searched(level.path, error))
        if not level.below:
            os.close(levels.pop().fd)
            continue
        name = level.below.pop()
        if len(levels) > _MOST_LEVELS:
            if not too_deep:
                problems.append(_limit(level.path, f"directories more than {_MOST_LEVELS} levels down"))
            too_deep = True
            continue
        path = os.path.join(level.path, name)
        try:
            with acting_as(who):
                levels.append(_Level(os.open(name, _FLAGS, dir_fd=level.fd), path, []))
        except PermissionError as error:
            problems.append(_not_searched(path, error))
        except OSError:
            pass  # It was removed or replaced meanwhile.


def _list(level: _Level, who: Identity) -> bool:
    """Add the subdirectories to ``level`` and return whether it holds an auth.json. Other names are not kept."""

    has_one = False
    with acting_as(who), os.scandir(level.fd) as entries:
        for entry in entries:
            if entry.name == "auth.json":
                has_one = not entry.is_dir(follow_symlinks=False)
            elif entry.name not in _NOT_SEARCHED and entry.is_dir(follow_symlinks=False):
                level.below.append(entry.name)
    level.below.sort(reverse=True)
    return has_one


def _not_searched(directory: str, error: OSError) -> Problem:
    code = "permission_denied" if isinstance(error, PermissionError) else "read_failed"
    return Problem(code, f"search: {directory} could not be searched: {error.strerror}", directory)


def _limit(directory: str, what: str) -> Problem:
    return Problem("read_failed", f"search: {directory} has {what}; they were not searched", directory)
