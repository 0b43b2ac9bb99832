# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the auth.json of a user as Composer does: by user database, environment and directories.

Source: ``Factory::getHomeDir`` and ``Factory::createConfig`` of Composer 1.10 to 2.10.
"""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._errors import KeyfleetError, Problem
from .._files.accounts import Account
from .._files.path import Access
from .._files.read import observe
from .._text import json_value

XDG_DIRECTORY = "/etc/xdg"
_LONGEST_PATH = 4096  # bytes, PATH_MAX of the kernel


class Home(NamedTuple):
    """One auth.json of a user. ``read_first`` False: it exists, but Composer 2 on this host reads another one.

    ``config_file`` is read before it and may hold credentials, too. ``walk_as``: the uid of the user if a file of the
    user named the path, see `Access`.
    """

    auth_file: str
    read_first: bool = True
    config_file: str = ""
    walk_as: Optional[int] = None


class Homes(NamedTuple):
    """Every auth.json that Composer may read for one user, and problems with them."""

    homes: Tuple[Home, ...]
    problems: Tuple[Problem, ...] = ()


def _existing(directories: Sequence[str]) -> List[str]:
    """Return the existing directories, each once: one home may be a link to the other."""
    found: Dict[str, str] = {}
    for directory in directories:
        state = observe(os.path.join(directory, "auth.json"), parse=bytes)
        if state.directory_exists:
            found.setdefault(os.path.dirname(state.real_path), directory)
    return list(found.values())


def _moved_home(path: str, user: Account, user_home: str) -> Optional[str]:
    """Return the directory that ``config.home`` in the config.json at ``path`` names instead, or None."""
    state = observe(path, parse=bytes, access=Access(user.uid))
    try:
        moved = json_value(state.data or b"{}")["config"]["home"]
    except (ValueError, LookupError, TypeError):
        # Composer may reject such a config.json, but does not move the home.
        return None
    if not isinstance(moved, str) or not moved or len(moved) > _LONGEST_PATH:
        return None
    if state.privileged and not {state.uid, state.acting.uid} <= {0, user.uid}:
        raise KeyfleetError(
            "unsafe_path",
            f"{path} moves the Composer home of {user.name}, but another user controls the file or its directory. "
            f"Remove it, or make {user.name} the owner of both (chown).",
            path=path,
        )
    # As Composer's Platform::expandPath: "~" only before a slash, and no braces.
    if moved.startswith(("~/", "$HOME/")) or moved == "$HOME":
        moved = user_home + moved[len("~" if moved[0] == "~" else "$HOME") :]
    # Composer resolves a relative path against its working directory, so there is no fixed path to write to.
    return moved.rstrip("/") if os.path.isabs(moved) else None


def _candidates(user: Account, environ: Mapping[str, str]) -> Tuple[List[str], List[str]]:
    """Return the directories that Composer reads, and existing ones that only other versions of Composer read."""
    named = environ.get("COMPOSER_HOME", "")
    if named not in ("", "0"):
        return [named], []
    home = environ.get("HOME") or user.home
    xdg = os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "composer")
    classic = os.path.join(home, ".composer")
    existing = _existing((xdg, classic))
    if not existing:
        # The only directory that every Composer version reads, with and without XDG variables.
        return [classic], []
    if os.path.isdir(XDG_DIRECTORY):
        return existing[:1], existing[1:]
    # Without /etc/xdg a login session (XDG_RUNTIME_DIR) reads the first one, while cron and sudo read ~/.composer.
    return list(dict.fromkeys([existing[0], classic])), []


def composer_homes(user: Account, *, environ: Optional[Mapping[str, str]] = None) -> Homes:
    """Return every auth.json that Composer reads for ``user``.

    ``environ`` is given only for the current user; the environment of other users is unknown, and the user database
    decides. Raises `KeyfleetError` if a directory cannot be inspected safely.
    """
    environ = environ or {}
    read, other = _candidates(user, environ)
    homes = []
    problems = []
    for directory in (*read, *other):
        config_file = os.path.join(directory, "config.json")
        moved = _moved_home(config_file, user, environ.get("HOME") or user.home)
        if moved and moved != directory:
            text = f"config.json moves the Composer home of {user.name} from {directory} to {moved}"
            problems.append(Problem("home_moved", f"{text}; auth.json is read there", config_file))
        auth_file, walk_as = os.path.join(moved or directory, "auth.json"), user.uid if moved else None
        homes.append(Home(auth_file, directory not in other, config_file, walk_as))
    if other:
        text = f"{user.name} has two Composer homes; Composer 2 reads {read[0]}, Composer 1 reads {other[0]}"
        problems.append(Problem("two_homes", text, other[0]))
    elif len(read) > 1:
        text = f"on this host Composer reads {read[0]} in a login session of {user.name} and {read[1]} elsewhere"
        problems.append(Problem("two_homes", f"{text}, for example in cron; both are kept up to date", read[1]))
    return Homes(tuple(homes), tuple(problems))
