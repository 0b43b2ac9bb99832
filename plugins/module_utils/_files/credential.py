# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credential files of a managed host: look at them, say what would change, change them.

Readers and writers here promise what Composer does not: nothing half-written, nobody's entry lost, nobody else's file
reached. The rules of ownership are in `state`, the way to a file in `path`, the single write in `replace`.
"""

from __future__ import annotations

import time
from typing import Callable, List, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import ANYBODY, Access
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import PATIENCE, observe, predict
from ansible_collections.keyfleet.magento.plugins.module_utils._files.replace import Pace
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import (
    Change,
    FileState,
    Ownership,
    Transform,
    Wanted,
    check_directory,
    check_directory_owner,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import Writer, malformed, problem_of

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
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> List[Change]:
    """Bring all files to what is wanted. All are read and judged before the first is written."""
    pace = Pace(clock, sleep)
    writer = Writer(lock_timeout, patience, pace)
    done: List[Change] = []
    try:
        _examine(wanted, patience, pace)
        for one in wanted:
            done.append(writer.write(one))
        writer.settle(done, settle)
    except KeyfleetError as exc:
        exc.details["done"] = list(done)
        raise
    return done


def _examine(wanted: Sequence[Wanted], patience: float, pace: Pace) -> None:
    """Everything that can be known to be wrong before anything is written; all unfit files at once."""
    problems = []
    for one in wanted:
        try:
            state = observe(
                one.path,
                parse=one.transform,
                patience=patience,
                access=one.access,
                clock=pace.clock,
                sleep=pace.sleep,
            )
            change = predict(state, one)
        except Unfit as exc:
            if one.when_unfit is None:
                problems.append(problem_of(one, exc))
            continue
        if change.after.data is not None:
            check_directory(state, one)
    if problems:
        raise malformed(problems)
