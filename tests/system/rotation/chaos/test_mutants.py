# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The invariants notice wrong edits of the collection. Not in the default run: see CONTRIBUTING.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_plugin import Uncaptured
from system.control import PYTHON
from system.rotation.chaos.mutants import HISTORIES, MUTANTS
from system.rotation.chaos.promises import Violation
from system.rotation.chaos.workers import WORKERS, Counts, fleet_in, run_workers

pytestmark = [pytest.mark.needs("root", PYTHON), pytest.mark.timeout(1200)]


def test_every_mutant_is_caught(directory: Path, uncaptured: Uncaptured) -> None:
    def work(worker: int, where: Path, counts: Counts) -> dict[str, str]:
        caught = {}
        with fleet_in(where) as fleet:
            # Without an edit, the histories violate nothing.
            for history in HISTORIES[worker::WORKERS]:
                history(fleet)
        for number, mutant in list(enumerate(MUTANTS))[worker::WORKERS]:
            with fleet_in(where, mutant.tree(where / f"mutant-{number}")) as fleet:
                try:
                    mutant.history(fleet)
                except Violation as violation:
                    caught[mutant.name] = str(violation)
        return caught

    results, _counts = run_workers(work, directory)
    found = {name: violation for result in results for name, violation in result.items()}
    with uncaptured():
        print("", *(f"caught: {name}: {violation}" for name, violation in found.items()), sep="\n")
    assert set(found) == {mutant.name for mutant in MUTANTS}
