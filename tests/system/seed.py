# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed of all random choices. KEYFLEET_SEED chooses another one, to search further."""

from __future__ import annotations

import functools
import os
import subprocess

import pytest
from hypothesis import settings

from place import ROOT


def given() -> str | None:
    """KEYFLEET_SEED, if it is set."""
    return os.environ.get("KEYFLEET_SEED")


@functools.cache
def seed() -> int:
    """KEYFLEET_SEED, or a number that depends on the commit; 1 outside of git."""
    if number := given():
        return int(number)
    command = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]
    try:
        head = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return 1
    return int(head[:8], 16) % 10**6


def configure_hypothesis(config: pytest.Config) -> None:
    """Without KEYFLEET_SEED and ``--hypothesis-seed``, each test draws the same examples in all runs of the same files.

    (Hypothesis also draws constants of the loaded modules, which depend on the files that were collected.) The seed is
    not that of the commit, because some tests require a minimum of different examples, which an unlucky one misses.
    """
    # Hypothesis reads the option after this.
    config.option.hypothesis_seed = config.option.hypothesis_seed or given()
    derandomize = config.option.hypothesis_seed is None
    settings.register_profile("keyfleet", derandomize=derandomize, database=None, deadline=None)
    settings.load_profile("keyfleet")


def described(config: pytest.Config) -> str:
    """The seeds, to repeat a run."""
    source = "" if given() else " (of this commit)"
    option = config.option.hypothesis_seed
    return f"KEYFLEET_SEED={seed()}{source}; Hypothesis: {f'--hypothesis-seed={option}' if option else 'derandomized'}"
