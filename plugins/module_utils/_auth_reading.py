# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read many auth.json files. Those that a writer may be busy with get their second all together, not one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._auth_json import Unfit, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._credential_file import Access, FileState, observe
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._file_reading import PATIENCE


@dataclass(frozen=True)
class Seen:
    """A file as it was found, or the ``error`` that kept it from being read.

    ``unfit`` says why Composer could not use the bytes in ``state``.
    """

    state: Optional[FileState]
    unfit: Optional[Unfit] = None
    error: Optional[KeyfleetError] = None


def _look(path: str, access: Access, patience: float) -> Seen:
    try:
        try:
            return Seen(observe(path, parse=parse, access=access, patience=patience))
        except Unfit:
            state = observe(path, parse=bytes, access=access)
    except KeyfleetError as error:
        return Seen(None, error=error)
    try:
        # What was judged and what is shown, or overwritten, must be the same bytes.
        if state.data is not None:
            parse(state.data)
    except Unfit as unfit:
        return Seen(state, unfit)
    return Seen(state)


def read_all(
    files: Mapping[str, Access],
    *,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
) -> Dict[str, Seen]:
    """Every file by its path; the values of ``files`` say on whose behalf it is looked at.

    What is unfit is read again until ``patience`` seconds have gone by since the first look at all of them.
    """
    seen = {path: _look(path, access, 0.0) for path, access in files.items()}
    until = clock() + patience
    for path in [path for path, one in seen.items() if one.unfit]:
        seen[path] = _look(path, files[path], max(0.0, until - clock()))
    return seen
