# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at each of their events, and the next runs, which continue from the state that is left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from system.rotation.chaos.fleet import NAMED, Fleet, Orders, label
from system.rotation.chaos.play import Kill, Result
from system.rotation.chaos.promises import Watch, as_composer, demand
from system.rotation.chaos.workers import Counts

OLD, NEW = 40, 5
"""Ages of the generations in days, for kinds in which no new one is due."""
Begun = tuple[Orders, Watch]


def _due(fleet: Fleet) -> Begun:
    fleet.begin({label(150): False, label(100): True}, label(100))
    return Orders(), Watch(fleet)


def _holder(fleet: Fleet) -> Begun:
    fleet.begin({label(100): True}, label(100), external_holders_acknowledged=False)
    fleet.settings["external_holders"] = [fleet.holder]
    return Orders(), Watch(fleet)


def _rejected(fleet: Fleet) -> Begun:
    fleet.begin({label(OLD): False, label(NEW): True}, label(NEW), rejected=[label(NEW)])
    return Orders(), Watch(fleet)


def _revoke(fleet: Fleet, *, leak: bool = False) -> Begun:
    fleet.begin({label(OLD): True, label(NEW): True}, label(OLD), stray=label(OLD))
    revoked = label(OLD)
    extra = {"magento_revoke_key": revoked, "magento_revoke_replacement": "current", "magento_revoke_leak": leak}
    watch = Watch(fleet)
    watch.revoke(revoked, leak=leak)
    return Orders("revoke", extra=extra), watch


def _leak(fleet: Fleet) -> Begun:
    return _revoke(fleet, leak=True)


def _by_hand(fleet: Fleet) -> Begun:
    fleet.begin({label(OLD): True, label(NEW): True}, label(OLD))
    previous = {name: value for name, value in fleet.by_hand(label(OLD)).items() if name != "private_key"}
    fleet.settings |= {"pair": fleet.by_hand(label(NEW)), "previous": [previous]}
    return Orders(), Watch(fleet)


KINDS: dict[str, Callable[[Fleet], Begun]] = {
    "rotate": _due,
    "rotate with a holder": _holder,
    "rejected": _rejected,
    "revoke": _revoke,
    "leak": _leak,
    "by hand": _by_hand,
}


def settle(fleet: Fleet, orders: Orders, watch: Watch, counts: Counts) -> list[Result]:
    """I5: runs without faults complete the work, after the overlap if one is set, and a further run changes nothing."""
    waited = not fleet.settings.get("overlap")
    runs: list[Result] = []
    for _turn in range(6):
        before, exactly = fleet.digest(), fleet.disk()
        result = fleet.run(orders)
        counts["undisturbed runs"] += 1
        watch.after(orders, result)
        demand(result.status == 0, "I5", f"an undisturbed run exits with {result.status}: {result.summary()}")
        runs.append(result)
        if follow_advice(fleet, watch, result):
            continue
        if not waited:
            waited = True
            fleet.pass_days(fleet.settings["overlap"] + 1)
            watch.take_snapshot()
        elif fleet.digest() == before:
            demand(fleet.disk() == exactly, "I5", "a further run wrote a file without changing it")
            demand("nothing" in result.summary().splitlines()[-1], "I5", f"something is left: {result.summary()}")
            return runs
    demand(False, "I5", f"the runs never complete: {[run.summary() for run in runs]}")
    return runs


def follow_advice(fleet: Fleet, watch: Watch, result: Result) -> bool:
    """Do what the summary of a run asks of the operator. Returns whether that was more than another run."""
    if name := re.search(r"name (\S+) in rejected", result.summary()):
        fleet.settings["rejected"] = [*fleet.settings.get("rejected", []), name[1]]
        return True
    labels = [key["label"] for key in fleet.settings.get("previous", [])]
    if "on the account page" not in result.summary() or fleet.settings.get("disabled_by_hand") == labels:
        return False
    for name in labels:
        fleet.simulator.disable_key(fleet.simulator.key("shop", name, "")[0])
    fleet.settings["disabled_by_hand"] = labels
    watch.take_snapshot()
    return True


def check_final_state(fleet: Fleet, *, stray: bool = True) -> None:
    """I5: one key is enabled, and hosts and holder have it. ``stray``: no other file has an older key either."""
    series = fleet.series()
    enabled = [name for name, on in series.items() if on]
    demand(
        len(enabled) == 1 and enabled[0] not in fleet.settings.get("rejected", []), "I5", f"the final state is {series}"
    )
    public = fleet.simulator.key("shop", enabled[0], "")[0]
    held = {pair[0] for pair in fleet.pairs(NAMED).values()}
    demand(held == {public}, "I5", f"a host does not have {enabled[0]}")
    known = {key["public"] for key in fleet.account()} - {public}
    older = [where for where, pair in fleet.pairs().items() if pair[0] in known]
    demand(not (stray and older), "I5", f"an older key is left in {older}")
    if fleet.settings.get("external_holders"):
        demand(json.loads(fleet.vault.read_text())["public"] == public, "I5", "the holder does not have the new key")


def kill_at(fleet: Fleet, kind: str, kill: Kill, seen: dict[str, str], counts: Counts) -> Result:
    """Kill a run, and check that further runs complete its work. There is no other state, so each state that a killed
    run leaves is continued only once: ``seen`` has the earlier ones."""
    orders, watch = KINDS[kind](fleet)
    result = fleet.run(replace(orders, kill=kill))
    counts[f"{kind}: runs that were killed"] += result.status is None
    watch.after(replace(orders, kill=kill), result)
    left = fleet.digest()
    if left not in seen:
        seen[left] = result.summary()
        counts[f"{kind}: states that they left"] += 1
        settle(fleet, orders, watch, counts)
        check_final_state(fleet)
        counts["files that the real Composer was asked about"] += as_composer(fleet)
    counts.update({f"invariants: {name}": number for name, number in watch.counts.items()})
    return result


def every_event(fleet: Fleet, kind: str, numbers: Iterator[int], counts: Counts) -> dict[str, Any]:
    """Kill a run at each of these events, until a run ends before its event."""
    seen: dict[str, str] = {}
    killed: list[int] = []
    for number in numbers:
        # Alternately, the running tasks of hosts are killed with the controller, or run to their end.
        result = kill_at(fleet, kind, Kill(number, workers=number // 2 % 2 == 0), seen, counts)
        if result.status is not None:
            demand(result.status == 0, "I5", f"an undisturbed run exits with {result.status}: {result.summary()}")
            return {"killed": killed, "events": len(result.events), "names": [_name(event) for event in result.events]}
        killed.append(len(result.events))
    return {"killed": killed, "events": 0, "names": []}


def _name(event: dict[str, Any]) -> str:
    return f"{event['host']}: {event['task'].rpartition(' : ')[2]}: {event['moment']}"
