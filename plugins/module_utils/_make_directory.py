# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a missing directory so that it is there with the right owner or not at all, even if the run is killed."""

from __future__ import annotations

import os
from contextlib import suppress

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._identity import acting_as
from ansible_collections.keyfleet.magento.plugins.module_utils._replace_file import Moved, temporary_name
from ansible_collections.keyfleet.magento.plugins.module_utils._safe_path import Place, failure


def make_directory(place: Place, uid: int, gid: int) -> None:
    """Make the first missing directory of a place, 0700. The caller holds the lock on the directory above."""
    name = place.missing[0]
    temporary = temporary_name(name)
    try:
        with acting_as(place.acting):
            with suppress(FileNotFoundError):
                os.rmdir(temporary, dir_fd=place.directory)
            os.mkdir(temporary, 0o700, dir_fd=place.directory)
            try:
                _give(place, temporary, uid, gid)
                # Fails when there is something by now, unless it is an empty directory.
                os.rename(temporary, name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
            except BaseException:
                with suppress(OSError):
                    os.rmdir(temporary, dir_fd=place.directory)
                raise
    except (FileExistsError, NotADirectoryError) as exc:
        raise Moved() from exc
    except OSError as exc:
        raise failure(exc, f"make the directory {name} for it", place.path, place.acting) from exc


def _give(place: Place, temporary: str, uid: int, gid: int) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, dir_fd=place.directory)
    try:
        info = os.fstat(fd)
        # Whoever may write to the directory above could have put another one here, to have it given away.
        if info.st_uid != place.acting.uid or os.listdir(fd):
            raise KeyfleetError(
                "unsafe_path", f"{place.path}: a directory was exchanged while it was made for it.", path=place.path
            )
        os.fchmod(fd, 0o700)
        if (info.st_uid, info.st_gid) == (uid, gid):
            return
        try:
            os.fchown(fd, uid, gid)
        except PermissionError:
            if not place.privileged:
                raise
            with acting_as(place.own):
                os.fchown(fd, uid, gid)
    finally:
        os.close(fd)
