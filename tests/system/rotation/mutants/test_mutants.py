# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each mutant of the YAML of the rotation and the roles, the test that mutants.yml names fails.

Not in the default run: see CONTRIBUTING.md. MUTANTS=all runs all mutants, which takes an hour or two; otherwise, the
mutants of recent changes are run.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from place import ROOT
from system.control import PYTHON
from system.rotation.mutants.run import chosen, copy, files, mutants, run_tests, table

# Without these, the tests that must fail would be skipped.
# Around midnight, the named test may wait as long as its own time limit before it begins.
pytestmark = [pytest.mark.needs("root", PYTHON), pytest.mark.timeout(1300)]
NOTICED, _EQUIVALENT = table()
SETTINGS = "options/test_options.py::test_every_setting_reaches_its_module"


def test_a_copy_without_an_edit_passes(tmp_path: Path) -> None:
    texts = {name: yaml.safe_dump(yaml.safe_load((ROOT / name).read_text()), sort_keys=False) for name in files()}
    run = run_tests(copy(tmp_path / "copy", texts), SETTINGS)
    assert run.returncode == 0 and "1 passed" in run.stdout, run.stdout


@pytest.mark.parametrize("mutant", chosen(NOTICED))
def test_the_named_test_notices_the_mutant(mutant: str, tmp_path: Path) -> None:
    edit = mutants()[mutant]
    run = run_tests(copy(tmp_path / "copy", {edit.file: edit.text}), NOTICED[mutant])
    assert run.returncode == 1 and "1 failed" in run.stdout, run.stdout
