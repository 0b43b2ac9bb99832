# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the mutants fits the YAML and the tests."""

from __future__ import annotations

import ast

from system.rotation.mutants.run import ROTATION, mutants, table

NOTICED, EQUIVALENT = table()


def test_every_mutant_is_in_the_table() -> None:
    known, listed = set(mutants()), {*NOTICED, *EQUIVALENT}
    assert sorted(known - listed) == [], "the table names no test for these mutants"
    assert sorted(listed - known) == [], "these mutants do not exist any more"
    assert not NOTICED.keys() & EQUIVALENT.keys()


def test_the_tests_in_the_table_exist() -> None:
    for test in sorted(set(NOTICED.values())):
        file, name = test.split("[")[0].split("::")
        tree = ast.parse((ROTATION / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test
