# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One random history of a fleet: what is there in the beginning, what goes wrong, and what must hold at every step."""

from __future__ import annotations

import contextlib
import datetime
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _chaos_host import BACKUP, CLASSIC, SHOP, XDG, Host, user_database
from _chaos_run import APPLIES, GRACE, MAX_AGE, STANDING, Histogram, Plan, Run, Violation
from _simulator_fixture import basic

from simulator.client import Simulator

PREFIX = "web-"
DAY = datetime.timedelta(days=1)


@dataclass
class World:
    """One simulator and twelve hosts that the histories take turns in."""

    simulator: Simulator
    hosts: list[Host]
    base: dict[str, Any]

    @classmethod
    @contextlib.contextmanager
    def made(cls, directory: Path) -> Iterator[World]:
        hosts: list[Host] = []
        etc = user_database(directory)
        with Simulator() as simulator:
            try:
                hosts += [Host(directory / f"web{number}", etc) for number in range(1, 13)]
                yield cls(simulator, hosts, simulator.snapshot())
            finally:
                for host in hosts:
                    host.stop()


class History:
    """A fleet from its beginning to its rest. Everything is drawn from ``seed``."""

    def __init__(
        self, world: World, seed: int, *, mutant: Callable[[], None] | None = None, focus: tuple[str, str] | None = None
    ) -> None:
        self.world, self.seed, self.mutant, self.focus = world, seed, mutant, focus
        self.simulator = world.simulator
        self.random = random.Random(seed)
        self.histogram: Histogram = Counter()
        self.counts: Counter[str] = Counter()
        self.today = datetime.date(2026, 3, 1)
        self.story: list[str] = []
        self.two_homes: set[str] = set()
        self.stale: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        draw, simulator = self.random, self.simulator
        simulator.restore(self.world.base)
        simulator.clear_log()
        self.names = [f"web{number}" for number in range(1, draw.choice((3, 3, 3, 4, 4, 5, 6, 8, 12)) + 1)]
        self.hosts = dict(zip(self.names, self.world.hosts, strict=False))
        self.overlap = draw.choice((0, 0, 3))
        application, secret = simulator.application("shop")
        self.access = {
            "api_url": simulator.marketplace_url, "application_id": application, "application_secret": secret,
            "ca_path": simulator.ca_path, "url": simulator.url,
        }  # fmt: skip
        # Disabled long ago, disabled lately, and what the hosts have.
        ages = draw.choice(((70,), (70,), (10,), (140, 70), (200, 130, 66), (200, 62), (90, 30), ()))
        pairs = []
        for place, age in enumerate(ages):
            label = f"{PREFIX}{self.today - age * DAY:%Y%m%d}"
            last = place == len(ages) - 1
            pairs.append(simulator.add_key("shop", label, enabled=last))
        simulator.add_key("shop", f"{PREFIX}20250101", uid="000FAKE0SHOP000@AdobeOrg")
        simulator.add_key("shop", f"{PREFIX}old", enabled=False)
        for name, host in self.hosts.items():
            host.clear()
            self._furnish(name, host, pairs[-1] if pairs else None)
        self.before = self.account()
        self.others = self.strangers(self.before)

    def _furnish(self, name: str, host: Host, pair: tuple[str, str] | None) -> None:
        draw = self.random
        if draw.random() < 0.3:
            self.two_homes |= {name}
            for home in (CLASSIC, XDG):
                host.directory(home)
                if pair:
                    host.give(home, pair)
        elif pair:
            host.give(draw.choice((CLASSIC, XDG)), pair)
        if draw.random() < 0.5 and pair:
            host.give(SHOP, pair)
        if draw.random() < 0.3 and pair:
            self.stale |= {name}
            host.give(BACKUP, pair)

    # What is true now

    def account(self) -> list[dict[str, Any]]:
        return list(self.simulator.account("shop")["keys"])

    @staticmethod
    def series(keys: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """By public key: what a rotation may touch."""
        ours = [k for k in keys if k["label"].startswith(PREFIX) and k["label"] != f"{PREFIX}old" and not k["uid"]]
        return {key["public"]: key for key in ours}

    def strangers(self, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        mine = self.series(keys)
        return sorted((k for k in keys if k["public"] not in mine), key=lambda key: str(key["public"]))

    def accepts(self, pair: tuple[str, str]) -> bool:
        """Whether the repository takes the pair, asked under a name that the faults are not for."""
        connection = self.simulator._kept.connection  # the kept connection of the test's own steering
        headers = {**basic(*pair), "Host": f"localhost:{self.simulator.port}"}
        connection.request("GET", "/packages.json", headers=headers)
        response = connection.getresponse()
        response.read()
        return bool(response.status == 200)

    # The promises

    def check(self, phase: str, run: Run, keys: list[dict[str, Any]]) -> None:
        """I1 to I4 and I8 after a step; ``keys`` is the account now, and ``self.before`` as it was before the step."""
        now, was = self.series(keys), self.series(self.before)
        alive = {key["public"] for key in keys if key["enabled"]}
        self.counts["checks"] += 1
        used: set[tuple[str, str]] = set()
        for name, host in self.hosts.items():
            for view, pair in host.used().items():
                used.add(pair)
                if pair[0] not in alive:
                    raise Violation(f"I1: {name} is left with a dead key in {view or 'the home'} ({phase})")
        for pair in used:
            if not self.accepts(pair):
                raise Violation(f"I1: the repository refuses the key that a host uses ({phase})")
        disabled = [p for p in was if was[p]["enabled"] and p in now and not now[p]["enabled"]]
        deleted = [p for p in was if p not in now]
        if disabled:
            self.counts["disabled"] += len(disabled)
            if phase != "retire" or not run.expected:
                raise Violation(f"I2: disabled in {phase}, expected {run.expected}")
            missing = [name for name in run.expected if name not in run.confirmed]
            if missing:
                raise Violation(f"I2: disabled before {missing} were confirmed")
            if set(disabled) & {str(pair[0]) for host in self.hosts.values() for pair in self._all_pairs(host)}:
                raise Violation("I2: disabled while a file of a host has it")
        if [p for p in deleted if was[p]["enabled"]]:
            raise Violation(f"I4: an enabled key was deleted ({phase})")
        self.counts["deleted"] += len(deleted)
        if self.strangers(keys) != self.others:
            raise Violation("I3: somebody else's key was touched")
        if (disabled or deleted) and run.outage(phase):
            raise Violation(f"I8: an outage in {phase} led to {disabled + deleted}")
        if len([p for p in now if now[p]["enabled"]]) > 2:
            raise Violation("I5: a third generation")
        self.before = keys

    @staticmethod
    def _all_pairs(host: Host) -> list[tuple[str, str]]:
        return [pair for place in (CLASSIC, XDG, SHOP, BACKUP) if (pair := host.pair(place))]

    # What happens

    def live(self) -> None:
        """Runs in which anything may go wrong, then runs until quiet."""
        draw = self.random
        for _number in range(draw.choice((2, 3, 3, 4))):
            Run(self, self._plan()).go()
            self.today += draw.choice((0, 0, 1, 4, 21, 61, 61)) * DAY
        self.settle()

    def _plan(self) -> Plan:
        draw = self.random
        every = [(fault, phase) for fault, phases in APPLIES.items() for phase in phases if fault not in STANDING]
        # What few runs come to, and what needs something to be due, would hardly ever be met.
        rare = [one for one in every if one[0] in ("lost answer", "slow effect") or one[1] == "prune"]
        every += 3 * [*rare, ("repository 401", "retire")]
        plan = Plan(set(draw.sample(every, draw.choice((0, 1, 1, 2, 3)))))
        if self.focus and self.focus[0] not in STANDING and draw.random() < 0.5:
            plan.faults.add(self.focus)
        if draw.random() < 0.55:
            phase = draw.choice(("issue", "deploy", "deploy", "deploy", "confirm", *4 * ("retire",), *3 * ("prune",)))
            most = {"issue": 6, "deploy": 8 + 4 * len(self.names), "confirm": 2 * len(self.names)}.get(phase, 5)
            plan.kill = (phase, draw.randint(1, most))
        return plan

    def settle(self) -> None:
        """I5: whatever has happened, undisturbed runs come to one enabled generation and no old retired one."""
        self.simulator.clear_faults()
        for days in (MAX_AGE + 1, 0, *[self.overlap + 1] * (self.overlap > 0), GRACE + 1):
            self.today += days * DAY
            run = Run(self, Plan(), undisturbed=True)
            run.go()
            if run.status != 0:
                raise Violation(f"I5: an undisturbed run ended with {run.status}: {run.message}")
        keys = self.series(self.before)
        if len([key for key in keys.values() if key["enabled"]]) != 1:
            raise Violation(f"I5: left are {[(k['label'], k['enabled']) for k in keys.values()]}")
        dates = sorted(datetime.datetime.strptime(k["label"][4:12], "%Y%m%d").date() for k in keys.values())
        late = [one for one, following in zip(dates, dates[1:], strict=False) if (self.today - following).days > GRACE]
        if late:
            raise Violation(f"I5: retired generations of {late} are still there on {self.today}")
        (current,) = [public for public, key in keys.items() if key["enabled"]]
        if {pair[0] for host in self.hosts.values() for pair in self._all_pairs(host)} != {current}:
            raise Violation("I5: a host has not gone over")
        held, account = [host.files() for host in self.hosts.values()], self.before
        Run(self, Plan(), undisturbed=True).go()
        if [host.files() for host in self.hosts.values()] != held or self.before != account:
            raise Violation("I5: a further run changed something")
