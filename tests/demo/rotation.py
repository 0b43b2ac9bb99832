# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the demo that rotate the key of one customer."""

from __future__ import annotations

import datetime

from demo.shell import Answer
from demo.world import MAGENTO, World

SERIES, HAND = "shop", "web"
TODAY = f"{SERIES}-{datetime.datetime.now(datetime.UTC):%Y%m%d}"
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
    world.screen.check("it lists the files that would change", answer.text.count(f"Would get {TODAY}: web") == 2)
    unchanged = (world.bytes_of_files(), world.states(SERIES)) == (before, {HAND: True})
    world.screen.check("nothing has changed, neither on the hosts nor at the account", unchanged)
    answer = world.shell.run(*ROTATE, *SETTINGS)
    world.screen.check(
        f"{TODAY} was created, and {HAND} is disabled", world.states(SERIES) == {HAND: False, TODAY: True}
    )
    _hosts_have(world, answer, TODAY)


def reject(world: World) -> None:
    world.screen.say(
        f"Suppose that {TODAY} is bad. One line in {SERIES}-series.yml rejects it, and the same command goes back to "
        "the previous key. Keep that line, as it records the rejection."
    )
    world.make_series(SERIES, adopt=[HAND], rejected=[TODAY])
    answer = world.shell.run(*ROTATE, *SETTINGS)
    world.screen.check(
        f"{HAND} is enabled again, and {TODAY} is disabled", world.states(SERIES) == {HAND: True, TODAY: False}
    )
    _hosts_have(world, answer, HAND)
    stamps = world.stamps()
    world.shell.run(*ROTATE, *SETTINGS, show=False)
    same = world.states(SERIES) == {HAND: True, TODAY: False} and world.stamps() == stamps
    world.screen.check("a second run changes nothing", same)


def rotate_again(world: World) -> None:
    label = f"{TODAY}-2"
    world.screen.say("With rotate_now, a third key replaces it at once, before the next rotation is due.")
    world.make_series(SERIES, adopt=[HAND], rejected=[TODAY], rotate_now=True)
    answer = world.shell.run(*ROTATE, *SETTINGS)
    states = {HAND: False, TODAY: False, label: True}
    world.screen.check(f"only {label} is enabled", world.states(SERIES) == states)
    _hosts_have(world, answer, label)
    world.screen.check("the private keys are only in the auth.json files", not world.leaks())


def _hosts_have(world: World, answer: Answer, label: str) -> None:
    pair = world.pair(SERIES, label)
    hosts = [host for host in world.hosts if host.account == SERIES]
    right = all(host.entries()[MAGENTO] == pair.in_auth_json() for host in hosts)
    world.screen.check(
        f"the hosts of {SERIES} have {label}, and nothing is left to do", right and "Left to do: nothing" in answer.text
    )
