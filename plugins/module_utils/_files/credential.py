# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential files of a managed host: read them, predict changes, apply changes.

Unlike Composer, this package never leaves a half-written file, loses an entry of another program, or is led to a file
of another user. `state` has the ownership rules, `path` opens the directory of a file, `replace` writes one file.
"""

from __future__ import annotations

import time
from typing import Callable, List, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import ANYBODY, Access
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import REREAD_SECONDS, observe, predict
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import Timing
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import (
    Change,
    FileState,
    Ownership,
    Transform,
    Wanted,
    check_directory,
    check_directory_owner,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import Writer, malformed_files, problem_of

__all__ = [
    "ANYBODY",
    "Access",
    "Change",
    "FileState",
    "Ownership",
    "Transform",
    "Wanted",
    "apply",
    "check_directory_owner",
    "observe",
    "predict",
]


def apply(
    wanted: Sequence[Wanted],
    *,
    lock_timeout: float = 30.0,
    settle: float = 0.25,
    reread_for: float = REREAD_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> List[Change]:
    """Write all files as wanted. All files are read and checked before the first one is written."""
    timing = Timing(clock, sleep)
    writer = Writer(lock_timeout, reread_for, timing)
    done: List[Change] = []
    try:
        _examine(wanted, reread_for, timing)
        for one in wanted:
            done.append(writer.write(one))
        writer.settle(done, settle)
    except KeyfleetError as exc:
        exc.details["done"] = list(done)
        raise
    return done


def _examine(wanted: Sequence[Wanted], reread_for: float, timing: Timing) -> None:
    """Raise the errors that can be found before the first write; all malformed files in one error."""
    problems = []
    for one in wanted:
        try:
            state = observe(
                one.path,
                parse=one.transform,
                reread_for=reread_for,
                access=one.access,
                clock=timing.clock,
                sleep=timing.sleep,
            )
            change = predict(state, one)
        except MalformedFile as exc:
            if one.when_malformed is None:
                problems.append(problem_of(one, exc))
            continue
        if change.after.data is not None:
            check_directory(state, one)
    if problems:
        raise malformed_files(problems)
