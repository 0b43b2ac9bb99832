# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read many auth.json files. Files that are malformed, perhaps half written, share one waiting time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable, Hashable, Iterator, Mapping, Optional, Tuple, TypeVar

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import parse
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import Access, FileState, observe
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import REREAD_SECONDS

# Bytes that a file counts for beside its size: for the look-up, and for each character of its path, which is repeated
# in every row.
_LEAST = 1024
_CHARACTER = 4
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Seen:
    """A file as it was read, or the ``error`` that prevented it.

    ``malformed`` says why Composer could not use the bytes in ``state``.
    """

    state: Optional[FileState]
    malformed: Optional[MalformedFile] = None
    error: Optional[KeyfleetError] = None


def _look(path: str, access: Access, reread_for: float) -> Seen:
    try:
        try:
            return Seen(observe(path, parse=parse, access=access, reread_for=reread_for))
        except MalformedFile:
            state = observe(path, parse=bytes, access=access)
    except KeyfleetError as error:
        return Seen(None, error=error)
    try:
        # The bytes that are shown or overwritten must be those that were judged.
        if state.data is not None:
            parse(state.data)
    except MalformedFile as malformed:
        return Seen(state, malformed)
    return Seen(state)


def read_each(
    files: Mapping[Key, Tuple[str, Access]],
    *,
    most: Optional[int] = None,
    reread_for: float = REREAD_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Tuple[Key, Seen]]:
    """Yield every file with its key. The values of ``files`` are a path and the `Access` to use.

    Malformed files come last: they are read again until ``reread_for`` seconds after the first reading of all files.
    No file is kept, so that many large ones take no more memory than one. After ``most`` bytes the remaining files and
    the malformed ones are skipped.
    """

    malformed = []
    left = most
    for key, (path, access) in files.items():
        seen = _look(path, access, 0.0)
        if left is not None:
            left -= _LEAST + _CHARACTER * len(path) + len(seen.state.data or b"" if seen.state else b"")
            if left < 0:
                return
        if seen.malformed:
            malformed.append(key)
        else:
            yield key, seen
    until = clock() + reread_for
    for key in malformed:
        path, access = files[key]
        yield key, _look(path, access, max(0.0, until - clock()))
