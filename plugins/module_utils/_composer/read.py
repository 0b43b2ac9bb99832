# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read many auth.json files. Those that a writer may be busy with get their second all together, not one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Hashable, Iterator, Mapping, Optional, Tuple, TypeVar

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import parse
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import Access, FileState, observe
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import PATIENCE

# Bytes that a file counts for at least: it is looked for, whatever is in it, and for each character of its path: every
# row tells it.
_LEAST = 1024
_CHARACTER = 4
Key = TypeVar("Key", bound=Hashable)


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


def read_each(
    files: Mapping[Key, Tuple[str, Access]],
    *,
    most: Optional[int] = None,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Tuple[Key, Seen]]:
    """Every file with its key; the values of ``files`` are its path, and on whose behalf it is looked at.

    What is unfit comes last: it is read again until ``patience`` seconds have gone by since the first look at all of
    them. Nothing is kept of a file, so that many large ones take no more memory than one. ``most`` is the number of
    bytes after which the rest is left out, and so are those that are unfit.
    """
    unfit = []
    left = most
    for key, (path, access) in files.items():
        seen = _look(path, access, 0.0)
        if left is not None:
            left -= _LEAST + _CHARACTER * len(path) + len(seen.state.data or b"" if seen.state else b"")
            if left < 0:
                return
        if seen.unfit:
            unfit.append(key)
        else:
            yield key, seen
    until = clock() + patience
    for key in unfit:
        path, access = files[key]
        yield key, _look(path, access, max(0.0, until - clock()))
