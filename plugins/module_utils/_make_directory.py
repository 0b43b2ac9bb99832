# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a missing directory so that it is there with the right owner or not at all, even if the run is killed."""

from __future__ import annotations

import os
from typing import Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._identity import acting_as
from ansible_collections.keyfleet.magento.plugins.module_utils._replace_file import (
    Moved,
    Wait,
    temporary,
    temporary_name,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._safe_path import Place, failure


def make_directory(place: Place, uid: int, gid: int, owners: Sequence[int], wait: Wait) -> None:
    """Make the first missing directory of a place, 0700. ``owners`` and ``wait``: as in `temporary`."""
    name = place.missing[0]
    with temporary(place, place.acting, owners, wait, called=temporary_name(name), directory=True) as made:
        try:
            os.fchmod(made.fd, 0o700)
            info = os.fstat(made.fd)
            if (info.st_uid, info.st_gid) != (uid, gid):
                # On our own open directory, so this can reach nothing else.
                os.fchown(made.fd, uid, gid)
            with acting_as(place.acting):
                # Fails when there is something by now, unless it is an empty directory.
                os.rename(made.name, name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as exc:
            raise Moved() from exc
        except OSError as exc:
            raise failure(exc, f"make the directory {name} for it", place.path, place.acting) from exc
