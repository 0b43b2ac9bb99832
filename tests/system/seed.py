# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed of all random choices. KEYFLEET_SEED chooses another one, to search further."""

from __future__ import annotations

import functools
import os
import subprocess

from hypothesis import core, settings

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


def configure_hypothesis(option: str | None) -> None:
    """Without KEYFLEET_SEED and ``--hypothesis-seed``, each test draws the same examples in all runs of the same files.

    (Hypothesis also draws constants of the loaded modules, which depend on the files that were collected.) The seed is
    not that of the commit, because some tests require a minimum of different examples, which an unlucky one misses.
    """
    settings.register_profile("keyfleet", derandomize=not (option or given()), database=None, deadline=None)
    settings.load_profile("keyfleet")
    if given() and not option:
        core.global_force_seed = seed()


def described(option: str | None) -> str:
    """The seeds, to repeat a run."""
    source = "" if given() else " (of this commit)"
    examples = f"--hypothesis-seed={option or seed()}" if option or given() else "derandomized"
    return f"KEYFLEET_SEED={seed()}{source}; Hypothesis: {examples}"
