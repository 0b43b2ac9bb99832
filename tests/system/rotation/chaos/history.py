# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One random history of a fleet: runs with faults, days that pass, and undisturbed runs until nothing changes."""

from __future__ import annotations

import contextlib
import random
from dataclasses import replace
from typing import Any

from system.rotation.chaos.fleet import FORGED, STRAY, Fleet, Orders, label
from system.rotation.chaos.kills import check_final_state, follow_advice, settle
from system.rotation.chaos.play import Kill
from system.rotation.chaos.promises import Violation, Watch, as_composer
from system.rotation.chaos.workers import SMALL_DISK, Counts

_REST, _KEYS = "/rest/*", "/rest/*/keys*"
API_FAULTS: dict[str, dict[str, Any]] = {
    "API is down": {"kind": "status", "status": 503, "path": _REST},
    "API refuses": {"kind": "status", "status": 401, "path": _REST},
    "repository refuses": {"kind": "status", "status": 401, "path": "/packages.json"},
    "API stumbles": {"kind": "status", "status": 503, "path": _REST, "skip": 2, "count": 2},
    "slow answers": {"kind": "latency", "latency": 1.5, "path": "/*", "count": 3},
    "lost answer to POST": {"kind": "reset", "method": "POST", "path": _KEYS, "count": 1},
    "lost answer to PUT": {"kind": "reset", "method": "PUT", "path": _KEYS, "count": 1},
    "lost answer to DELETE": {"kind": "reset", "method": "DELETE", "path": _KEYS, "count": 1},
}
OUTAGES = tuple(API_FAULTS)[:3]
# Few runs send each of these requests, so all of these faults are active together, and are drawn more often.
LOST = tuple(fault for fault in API_FAULTS if fault.startswith("lost"))
OTHERS = ("dead host", "forged facts", "full disk", "holder refuses", "excluded host", "nobody expected", "slow effect")
FAULTS = (*API_FAULTS, *OTHERS, "killed at an event", "killed at some moment", "unmanaged key")
DELETES = 60
_ACCOUNTS = (
    ({100: True}, 100),
    # The first run deletes keys. In the other accounts, only undisturbed runs do.
    ({250: False, 200: False, 150: False, DELETES: True}, DELETES),
    ({250: False, 200: False, 150: False, 100: True}, 100),
    ({40: False, 5: True}, 5),
    ({40: True, 5: True}, 40),
    ({140: True, 100: True}, 140),
)


class History:
    """A fleet from its creation to its final state. All choices except the time of some kills come from ``seed``."""

    def __init__(self, fleet: Fleet, seed: int, counts: Counts) -> None:
        self.fleet, self.seed, self.counts = fleet, seed, counts
        self.random = random.Random(seed)
        self.log: list[str] = []
        self._begin()

    def _begin(self) -> None:
        draw, fleet = self.random, self.fleet
        generations, held = draw.choice(_ACCOUNTS)
        self.loses_answers = held == DELETES
        fleet.names = ("web1", "web2", "web3")[: draw.choice((2, 2, 3))]
        stray = draw.choice((None, None, held, max(generations)))
        fleet.begin(
            {label(age): enabled for age, enabled in generations.items()}, label(held),
            overlap=draw.choice((0, 0, 0, 3)), delete_after=20, batches=draw.choice(([1], [3], [1, "100%"])),
            stray=None if stray is None else label(stray), unmanaged_keys=draw.choice(("block", "remove", "ignore")),
        )  # fmt: skip
        if draw.random() < 0.3:
            fleet.settings |= {"external_holders": [fleet.holder], "external_holders_acknowledged": False}
        if len(generations) == 2 and draw.random() < 0.3:
            self._make_by_hand(label(max(generations)), label(min(generations)))
        self.watch = Watch(fleet)
        chosen = {
            name: fleet.settings.get(name) for name in ("overlap", "unmanaged_keys", "external_holders", "previous")
        }
        self.log.append(f"{fleet.series()}, held {label(held)}, stray {stray}, {chosen}")

    def _make_by_hand(self, old: str, new: str) -> None:
        fleet = self.fleet
        for name in (old, new):
            fleet.simulator.enable_key(fleet.simulator.key("shop", name, "")[0])
        previous = {name: value for name, value in fleet.by_hand(old).items() if name != "private_key"}
        # With an overlap, the labels of the setting would have to follow those of the account when days pass.
        fleet.settings |= {"pair": fleet.by_hand(new), "previous": [previous], "overlap": 0}

    @property
    def by_hand(self) -> bool:
        return "pair" in self.fleet.settings

    def run(self) -> None:
        """Raises `Violation` with the log of the history."""
        try:
            for _number in range(self.random.choice((1, 2, 2, 3))):
                self._step()
                if not self.by_hand:
                    self.fleet.pass_days(self.random.choice((0, 0, 1, 4, 21, 95)))
                    self.watch.take_snapshot()
            self._rest()
        except Violation as violation:
            log = "\n".join(self.log)
            raise Violation(f"history {self.seed}: {violation}\n{log}") from violation
        self.counts["histories"] += 1
        self.counts.update({f"invariants: {name}": number for name, number in self.watch.counts.items()})

    def _step(self) -> None:
        draw, fleet = self.random, self.fleet
        orders = self._orders()
        faults = draw.sample((*API_FAULTS, *LOST, *OTHERS, *OTHERS), draw.choice((0, 1, 1, 2)))
        faults += LOST if self.loses_answers or set(faults) & set(LOST) else ()
        orders = self._hosts(replace(orders, outage=any(fault in OUTAGES for fault in faults)), set(faults))
        numbers = {fleet.simulator.add_fault(**API_FAULTS[f]): f for f in dict.fromkeys(faults) if f in API_FAULTS}
        refuses = fleet.vault.with_name("vault.json.refuses")
        if "slow effect" in faults:
            fleet.simulator.set_switch("api_effect_requests", draw.choice((3, 1000)))
        if "holder refuses" in faults and fleet.settings.get("external_holders"):
            refuses.touch()
        if "full disk" in faults:
            self._fill()
        self.watch.disk = fleet.disk()
        result = fleet.run(orders)
        self._count(orders, set(faults), result.status)
        self.counts.update({numbers[fault["id"]]: min(1, fault["hits"]) for fault in fleet.simulator.faults()})
        fleet.simulator.clear_faults()
        fleet.simulator.set_switch("api_effect_requests", None)
        fleet.simulator.settle()
        self.log.append(f"{orders} {sorted(faults)}: {result.status} {result.summary()}")
        self.watch.after(orders, result)
        # Do what the operator would do after the run.
        if orders.playbook == "revoke":
            follow_advice(fleet, self.watch, result)
        refuses.unlink(missing_ok=True)
        (fleet.directory / SMALL_DISK / "filler").unlink(missing_ok=True)
        self.watch.take_snapshot()

    def _orders(self) -> Orders:
        """Choose the playbook, its settings, and when to kill it."""
        draw, fleet = self.random, self.fleet
        orders = Orders(draw.choice(("rotate",) * 6 + ("rotate_issue", "rotate_deploy", "rotate_retire")))
        if draw.random() < 0.15:
            orders.words += ("-vvv",)
        if draw.random() < 0.08:
            orders.words += ("--check",)
        if draw.random() < 0.55:
            event = draw.random() < 0.7
            moment = {"event": draw.randint(1, 44)} if event else {"seconds": draw.uniform(0.2, 1) * fleet.seconds}
            orders.kill = Kill(**moment, workers=draw.random() < 0.5)
        if self.by_hand:
            return orders
        series = sorted(fleet.series().items())
        usable = [name for name, _on in series if name not in fleet.settings.get("rejected", [])]
        enabled = [name for name, on in series if on and name in usable]
        if draw.random() < 0.25 and len(usable) > 1 and enabled:
            fleet.settings["rejected"] = [*fleet.settings.get("rejected", []), enabled[-1]]
            self.counts["rejections"] += 1
        elif draw.random() < 0.2 and len(enabled) > 1 and not orders.check_mode:
            leak = draw.random() < 0.5
            self.watch.revoke(enabled[0], leak=leak)
            extra = {"magento_revoke_key": enabled[0], "magento_revoke_replacement": "current"}
            orders.playbook, orders.extra = "revoke", {**extra, "magento_revoke_leak": leak}
            self.counts["revocations"] += 1
        elif draw.random() < 0.1:
            orders.settings["rotate_now"] = True
        return orders

    def _hosts(self, orders: Orders, faults: set[str]) -> Orders:
        draw, names = self.random, self.fleet.names
        if "dead host" in faults:
            orders.dead = tuple(sorted(draw.sample(names, draw.choice((1, 1, len(names))))))
        if "forged facts" in faults:
            orders.forging, orders.forged = (draw.choice(names),), draw.choice(sorted(FORGED))
        if "excluded host" in faults:
            orders.settings["excluded_hosts"] = [draw.choice(names)]
            orders.settings["expected_hosts"] = []
        if "nobody expected" in faults:
            orders.settings |= {"excluded_hosts": list(names), "expected_hosts": []}
        if draw.random() < 0.3:
            orders.settings["max_failed"] = 9
        return orders

    def _fill(self) -> None:
        with (
            (self.fleet.directory / SMALL_DISK / "filler").open("wb", buffering=0) as file,
            contextlib.suppress(OSError),
        ):
            while True:
                file.write(bytes(4096))

    def _count(self, orders: Orders, faults: set[str], status: int | None) -> None:
        self.counts.update(faults - set(API_FAULTS))
        if status is None and orders.kill:
            self.counts["killed at an event" if orders.kill.event else "killed at some moment"] += 1
        self.counts["unmanaged key"] += any(location == STRAY for _host, location in self.fleet.pairs())
        self.counts[f"playbook {orders.playbook}{' --check' if orders.check_mode else ''}"] += 1

    def _rest(self) -> None:
        fleet, settings = self.fleet, self.fleet.settings
        if settings["unmanaged_keys"] == "block":
            settings["unmanaged_keys"] = "remove"
        runs = settle(fleet, Orders(), self.watch, self.counts)
        self.log += [f"undisturbed: {run.status} {run.summary()}" for run in runs]
        check_final_state(fleet, stray=settings["unmanaged_keys"] != "ignore")
        if self.seed % 5 == 0:
            self.counts["files that the real Composer was asked about"] += as_composer(fleet)
