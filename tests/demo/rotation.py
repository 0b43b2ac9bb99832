# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the demo that rotate the key of one customer."""

from __future__ import annotations

import datetime
import re

from demo.shell import Answer
from demo.world import MAGENTO, World

SERIES, HAND = "shop", "web"
ROTATE = ("ansible-playbook", "-i", "inventory.yml", "keyfleet.magento.rotate", "-e", f"magento_target={SERIES}")
SETTINGS = ("-e", f"@{SERIES}-series.yml", "-e", "@api.yml")


def rotate(world: World) -> None:
    world.screen.say(
        f"The key of {SERIES} was created by hand on the account page. {SERIES}-series.yml adopts it as the oldest "
        "generation of a series, and the inventory of its hosts names the series instead of the key. The first run "
        "is in check mode."
    )
    world.make_api_vault("api.yml", SERIES)
    world.make_series(SERIES, adopt=[HAND])
    world.make_inventory(series=SERIES)
    before = world.bytes_of_files()
    answer = world.shell.run(*ROTATE, *SETTINGS, "--check")
    lines = re.findall(rf"Would get {SERIES}-\d{{8}}: web", answer.text)
    world.screen.check("it lists the files that would change", len(lines) == 2)
    unchanged = (world.bytes_of_files(), world.states(SERIES)) == (before, {HAND: True})
    world.screen.check("nothing has changed, neither on the hosts nor at the account", unchanged)
    days = [_of_today()]
    answer = world.shell.run(*ROTATE, *SETTINGS)
    days.append(_of_today())
    label = _newest(world)
    states = {HAND: False, label: True}
    world.screen.check(f"{label} was created, and {HAND} is disabled", label in days and world.states(SERIES) == states)
    _hosts_have(world, answer, label)


def reject(world: World) -> None:
    bad = _newest(world)
    world.screen.say(
        f"Suppose that {bad} is bad. One line in {SERIES}-series.yml rejects it, and the same command goes back to "
        "the previous key. Keep that line, as it records the rejection."
    )
    world.make_series(SERIES, adopt=[HAND], rejected=[bad])
    answer = world.shell.run(*ROTATE, *SETTINGS)
    states = {HAND: True, bad: False}
    world.screen.check(f"{HAND} is enabled again, and {bad} is disabled", world.states(SERIES) == states)
    _hosts_have(world, answer, HAND)
    stamps = world.stamps()
    world.shell.run(*ROTATE, *SETTINGS, show=False)
    same = world.states(SERIES) == states and world.stamps() == stamps
    world.screen.check("a second run changes nothing", same)


def rotate_again(world: World) -> None:
    bad = _newest(world)
    world.screen.say("With rotate_now, a third key replaces it at once, before the next rotation is due.")
    world.make_series(SERIES, adopt=[HAND], rejected=[bad], rotate_now=True)
    answer = world.shell.run(*ROTATE, *SETTINGS)
    label = _newest(world)
    # The second one has the same date, unless the day has changed.
    right = label in {f"{bad}-2", _of_today()} - {bad}
    states = {HAND: False, bad: False, label: True}
    world.screen.check(f"only {label} is enabled", right and world.states(SERIES) == states)
    _hosts_have(world, answer, label)
    world.screen.check("the private keys are only in the auth.json files", not world.leaks())


def _of_today() -> str:
    return f"{SERIES}-{datetime.datetime.now(datetime.UTC):%Y%m%d}"


def _newest(world: World) -> str:
    """The label of the newest key that a run created."""
    return max(world.states(SERIES).keys() - {HAND}, default="nothing")


def _hosts_have(world: World, answer: Answer, label: str) -> None:
    pair = world.pair(SERIES, label)
    hosts = [host for host in world.hosts if host.account == SERIES]
    right = all(host.entries()[MAGENTO] == pair.in_auth_json() for host in hosts)
    world.screen.check(
        f"the hosts of {SERIES} have {label}, and nothing is left to do", right and "Left to do: nothing" in answer.text
    )
