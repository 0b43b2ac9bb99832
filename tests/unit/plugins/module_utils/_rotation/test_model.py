# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules in a random model of account and fleet: days pass, hosts fail, runs are killed, and keys are rejected.

The model records its own actions, so that the invariants do not depend on the plans.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Dict, List, Optional, Set

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    CONFIRMED,
    FACTS,
    WOULD_CHANGE,
    Expected,
    blocked_by_hosts,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import (
    Generation,
    Series,
    date_of,
    plan_issue,
    plan_retire,
    series_of,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils._rotation.rotation_lab import DAY, TODAY

SEEDS, STEPS = 40, 120
MAX_AGE, DELETE_AFTER = 60, 20
FOREIGN = ("ci", "web", "web-old", "webs-20260101", "web-20260101-01", "api-20260101")
COUNTS: Dict[str, int] = Counter()


class Host:
    """``managed``: the key in the file that the host's variables name, if any. ``stray``: keys in other files."""

    def __init__(self, random_: random.Random, first: str) -> None:
        self.has_managed_file = random_.random() < 0.9
        self.managed: Optional[str] = first if self.has_managed_file else None
        self.stray: Set[str] = set()
        self.state = "up"

    def holds(self) -> Set[str]:
        return self.stray | ({self.managed} if self.managed else set())

    def report(self, current: Optional[Generation]) -> Any:
        if self.state == "omitted":
            return {}
        if self.state == "down":
            return {CONFIRMED: {"unreachable": True, "msg": "down"}}
        held = [*([self.managed] if self.managed else []), *sorted(self.stray)]
        files = [{"path": f"/{n}", "owner": "eve", "entries": [{"public_key": key}]} for n, key in enumerate(held)]
        problems = [{"code": "permission_denied", "path": "/x", "message": "m"}] if self.state == "unreadable" else []
        wanted = current.public_key if current else None
        action = "unchanged" if self.managed == wanted else "updated"
        row = {"path": "/0", "action": action, "before": None, "after": {"public_key": wanted}}
        role: Dict[str, Any] = {"files": [row]} if self.has_managed_file else {"skipped": True}
        facts = ["magento_series"] if self.state == "forged" else []
        return {CONFIRMED: {"files": files, "problems": problems}, WOULD_CHANGE: role, FACTS: facts}


class World:
    """An account, a fleet and a clock."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.today = TODAY
        self.account = {label: Generation(label, f"public of {label}", label != "web-old") for label in FOREIGN}
        self.adopt: List[str] = ["hand"] if seed % 3 == 0 else []
        for label in self.adopt:
            self.account[label] = Generation(label, f"public of {label}", True)
        self.others = {label: self.account[label] for label in FOREIGN}
        self.rejected: List[str] = []
        self.used: Set[str] = set(self.account)
        self.overlap = self.random.choice([0, 0, 7])
        self.issue()
        first = self.series.current
        assert first
        self.hosts = {f"web{n}": Host(self.random, first.public_key) for n in range(self.random.randrange(1, 5))}

    @property
    def series(self) -> Series:
        return series_of("web", self.account.values(), adopt=self.adopt, rejected=self.rejected)

    def own(self, label: str) -> bool:
        return label in self.adopt or date_of("web", label) is not None

    def enable(self, label: str, enabled: bool) -> None:
        assert self.own(label)
        self.account[label] = self.account[label]._replace(enabled=enabled)

    # Events

    def pass_days(self) -> None:
        self.today += self.random.choice([1, 3, 8, 21, 61, -2]) * DAY

    def change_host(self) -> None:
        host = self.random.choice(list(self.hosts.values()))
        host.state = self.random.choice(["up", "up", "up", "down", "omitted", "unreadable", "forged"])

    def copy_key(self) -> None:
        host = self.random.choice(list(self.hosts.values()))
        alive = {key.public_key for key in self.account.values() if key.enabled}
        if host.managed and host.managed in alive and self.random.random() < 0.5:
            host.stray.add(host.managed)
        else:
            host.stray.clear()

    def reject_key(self) -> None:
        current = self.series.current
        if current and current.date and self.random.random() < 0.3:
            self.rejected.append(current.label)

    def issue(self, *, rotate_now: Optional[bool] = None) -> None:
        now = self.random.random() < 0.2 if rotate_now is None else rotate_now
        series = self.series
        try:
            plan = plan_issue(series, today=self.today, max_age=MAX_AGE, rotate_now=now)
        except KeyfleetError as error:
            assert error.code == "all_rejected"
            assert all(g.label in self.rejected for g in series.generations)
            COUNTS["all rejected"] += 1
            return
        assert plan.label not in self.rejected
        if plan.due:
            assert plan.label not in self.used and self.own(plan.label)
            self.used.add(plan.label)
            self.account[plan.label] = Generation(plan.label, f"public of {plan.label}", True)
            COUNTS["created"] += 1
        elif plan.enable:
            self.enable(plan.label, True)
            COUNTS["enabled"] += 1
        current = self.series.current
        assert current and current.enabled and current.label == plan.label

    def deploy(self, *, everywhere: bool = False) -> None:
        """Deploy to some or all of the reachable hosts."""
        current = self.series.current
        for host in self.hosts.values():
            reached = host.state in ("up", "unreadable") and (everywhere or self.random.random() < 0.7)
            if current and current.enabled and reached and host.has_managed_file:
                host.managed = current.public_key

    def retire(self, *, killed: Optional[bool] = None) -> None:
        """Retire, completely or until killed at some point."""
        series = self.series
        reports = {name: host.report(series.current) for name, host in self.hosts.items()}
        expected = Expected(tuple(self.hosts))
        if not series.current or blocked_by_hosts(series, expected, reports, ignore=False):
            COUNTS["blocked"] += 1
            return
        plan = plan_retire(series, today=self.today, overlap=self.overlap, delete_after=DELETE_AFTER)
        assert not (plan.disable and plan.delete)
        limit = self.random.randrange(4) if killed is None else None
        for generation in plan.disable[:limit]:
            assert series.current.enabled and generation != series.current
            for host in self.hosts.values():
                assert host.state == "up" and generation.public_key not in host.holds()
                assert host.managed in ((series.current.public_key,) if host.has_managed_file else (None,))
            self.enable(generation.label, False)
            COUNTS["disabled"] += 1
        for generation in plan.delete[:limit]:
            assert self.own(generation.label) and generation.label not in self.adopt
            assert not self.account[generation.label].enabled
            del self.account[generation.label]
            COUNTS["deleted"] += 1

    # Invariants

    def check(self) -> None:
        alive = {key.public_key for key in self.account.values() if key.enabled}
        for host in self.hosts.values():
            assert not host.managed or host.managed in alive, "a host has a disabled key"
        assert {label: self.account[label] for label in FOREIGN} == self.others

    def settle(self) -> None:
        """Repair all hosts, remove stray keys, and repeat the phases until only the current key is enabled."""
        for host in self.hosts.values():
            host.state, host.stray = "up", set()
        if all(g.label in self.rejected for g in self.series.generations):
            self.issue(rotate_now=True)
        newest = self.series.newest or self.today
        self.today = max(self.today, newest)
        for _run in range(3):
            self.issue(rotate_now=False)
            self.deploy(everywhere=True)
            self.retire(killed=False)
            self.check()
            series = self.series
            enabled = [g for g in series.generations if g.enabled]
            if enabled == [series.current]:
                break
            self.today += (self.overlap + 1) * DAY
        if any(host.has_managed_file for host in self.hosts.values()):
            assert enabled == [series.current] and enabled[0].label not in self.rejected
            COUNTS["settled"] += 1


def live(world: World) -> None:
    steps = [
        world.pass_days, world.change_host, world.copy_key, world.reject_key, world.issue,
        world.deploy, world.deploy, world.retire, world.retire,
    ]  # fmt: skip
    for number in range(STEPS):
        world.random.choice(steps)()
        world.check()
        COUNTS["steps"] += 1
        if number % 30 == 29:
            world.settle()


def test_invariants_hold() -> None:
    COUNTS.clear()
    for seed in range(SEEDS):
        try:
            live(World(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert len(COUNTS) == 8 and min(COUNTS.values()) >= 10, COUNTS
