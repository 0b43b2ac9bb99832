# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`, or `python tests/demo` with the packages of tests/requirements/demo.txt."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

if not __package__:
    # Run as a directory: Python puts that directory first in sys.path, where our files could hide other modules.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from demo import homes
from demo.screen import Failed, Screen
from demo.steps import STEPS
from demo.world import World
from leaks.report import NotSearched
from runner import must_run_all, programs


def skipped_steps() -> dict[int, str]:
    """The number of each step that cannot run here, with the reason."""
    reasons = {number: programs(*step.needs)() for number, step in enumerate(STEPS, 1)}
    return {number: reason for number, reason in reasons.items() if reason}


def describe(skipped: dict[int, str]) -> str:
    """The skipped steps in one sentence."""
    return f"Steps {', '.join(map(str, skipped))} are skipped: {', '.join(sorted(set(skipped.values())))}."


def play(screen: Screen, skipped: dict[int, str]) -> None:
    """Runs every step except `skipped`, then the clean-up, in any case, and the final checks."""
    before = homes.snapshot()
    world = World(screen)
    try:
        for number, step in enumerate(STEPS, 1):
            screen.title(f"{number}. {step.title}")
            if number in skipped:
                screen.line(f"   [skipped] {skipped[number]}")
            else:
                step.play(world)
    finally:
        screen.title("Clean-up")
        world.close()
        screen.check("the simulator has ended", world.simulator_ended)
        screen.check(f"{world.directory} is removed", not world.directory.exists())
    screen.check("your own ~/.composer, ~/.config/composer and ~/.netrc are unchanged", homes.snapshot() == before)
    screen.check("no private key and no password was printed", screen.is_clean())


def main() -> int:
    # SIGHUP (a lost terminal) interrupts the demo too, unless it is ignored (nohup).
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    screen = Screen()
    begin = time.monotonic()
    skipped = skipped_steps()
    if skipped:
        screen.say(describe(skipped))
        if must_run_all():
            return 1
    try:
        play(screen, skipped)
    except KeyboardInterrupt:
        screen.say("Interrupted; the simulator has ended and the temporary directory is removed.")
        return 130
    except (Failed, NotSearched, OSError, RuntimeError) as error:
        screen.line(f"\nTHE DEMO FAILED: {error}")
        return 1
    if skipped:
        screen.say(describe(skipped))
    screen.say(f"Done: {screen.checks} checks passed in {time.monotonic() - begin:.0f} seconds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
