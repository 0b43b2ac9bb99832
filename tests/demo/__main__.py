# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`, or `python tests/demo` with what tests/requirements/demo.txt names."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

if not __package__:
    # Run as a directory: Python put that directory first in the path, where our file names could hide other modules.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo import homes
from demo.screen import Failed, Screen
from demo.steps import STEPS
from demo.world import World
from leaks.report import NotSearched
from runner import must_run_all, programs


def left_out() -> dict[int, str]:
    """Number of each step that cannot run here, and why."""
    reasons = {number: programs(*step.needs)() for number, step in enumerate(STEPS, 1)}
    return {number: reason for number, reason in reasons.items() if reason}


def steps_are_left_out(skipped: dict[int, str]) -> str:
    """The same in one sentence."""
    return f"Steps {', '.join(map(str, skipped))} are left out: {', '.join(sorted(set(skipped.values())))}."


def play(screen: Screen, skipped: dict[int, str]) -> None:
    """Every step but `skipped`, then the clean-up, which comes whatever happens; and what only shows afterwards."""
    before = homes.snapshot()
    world = World(screen)
    try:
        for number, step in enumerate(STEPS, 1):
            screen.title(f"{number}. {step.title}")
            if number in skipped:
                screen.line(f"   [left out] {skipped[number]}")
            else:
                step.play(world)
    finally:
        screen.title("Clean-up")
        world.close()
        screen.claim("the simulator has ended", world.simulator_ended)
        screen.claim(f"{world.directory} is gone", not world.directory.exists())
    screen.claim("your own ~/.composer, ~/.config/composer and ~/.netrc are as they were", homes.snapshot() == before)
    screen.claim("no private key and no password was printed", screen.is_clean())


def main() -> int:
    # A lost terminal too, unless whoever started this wants it to go on without one (nohup).
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    screen = Screen()
    begin = time.monotonic()
    skipped = left_out()
    if skipped:
        screen.say(steps_are_left_out(skipped))
        if must_run_all():
            return 1
    try:
        play(screen, skipped)
    except KeyboardInterrupt:
        screen.say("Interrupted; nothing is left behind.")
        return 130
    except (Failed, NotSearched, OSError, RuntimeError) as error:
        screen.line(f"\nTHE DEMO FAILED: {error}")
        return 1
    if skipped:
        screen.say(steps_are_left_out(skipped))
    screen.say(f"Done: {screen.claims} claims, each of them checked, in {time.monotonic() - begin:.0f} seconds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
