# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure plan of a rotation against a model of account and fleet: days pass, hosts come and go, anybody fails.

The model keeps what it did itself (which labels it disabled, who holds what), so that the promises are checked against
facts and not against the plan's own words.
"""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import (
    AccountKey,
    Series,
    plan_issue,
    plan_rollback,
    series_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_fleet import (
    Fleet,
    HostReport,
    plan_prune,
    plan_retire,
)

STEPS: Counter[str] = Counter()
DAY = datetime.timedelta(days=1)
HOSTS = tuple(f"web{number}" for number in range(1, 6))
MAX_AGE, GRACE = 60, 20
STRANGERS = ("ci", "web", "web-old", "webs-20260101", "web-20260101-01", "api-20260101")


class Rotation(RuleBasedStateMachine):
    """An account, a fleet and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.today = datetime.date(2026, 1, 1)
        self.account: dict[str, AccountKey] = {}
        self.held: dict[str, set[str]] = {}
        self.down: set[str] = set()
        self.overlap = 0
        self.made = 0
        self.rolled_back = False

    @initialize(hosts=st.integers(1, len(HOSTS)), overlap=st.sampled_from([0, 0, 7]))
    def start(self, hosts: int, overlap: int) -> None:
        self.held = {host: set() for host in HOSTS[:hosts]}
        self.overlap = overlap
        for label in STRANGERS:
            self.account[label] = AccountKey(label, f"public of {label}", label != "web-old")
        self.strangers = {label: self.account[label] for label in STRANGERS}

    @property
    def series(self) -> Series:
        return series_of("web", self.account.values())

    @property
    def fleet(self) -> Fleet:
        return Fleet(hosts=tuple(self.held))

    def step(self, name: str) -> None:
        STEPS[name] += 1

    def reports(self, *, skip: frozenset[str] = frozenset()) -> dict[str, HostReport]:
        found = {}
        for host, held in self.held.items():
            if host not in skip:
                files = tuple((f"/{key}", key) for key in sorted(held))
                found[host] = HostReport(host, () if host in self.down else files, complete=host not in self.down)
        return found

    @rule(days=st.sampled_from([1, 1, 3, 8, 21, 61]))
    def days_pass(self, days: int) -> None:
        self.step("day")
        self.today += days * DAY

    @rule(host=st.sampled_from(HOSTS))
    def goes_down_or_comes_back(self, host: str) -> None:
        self.step("host")
        if host in self.held:
            self.down ^= {host}

    @rule(host=st.sampled_from(HOSTS), data=st.data())
    def an_old_file_turns_up(self, host: str, data: st.DataObject) -> None:
        """A backup, say; of a generation that still works, or it would be broken without us."""
        self.step("old file")
        alive = [g.public_key for g in self.series.generations if g.enabled]
        if host in self.held and alive:
            self.held[host].add(data.draw(st.sampled_from(alive)))

    @rule(now=st.booleans())
    def issue(self, now: bool) -> None:
        self.step("issue")
        before = self.series
        plan = plan_issue(before, today=self.today, max_age=MAX_AGE, rotate_now=now)
        assert plan.create or before.current and plan.label == before.current.label
        if plan.create:
            assert plan.label not in self.account and not before.spent
            self.made += 1
            self.account[plan.label] = AccountKey(plan.label, f"public {self.made}", True)
            current = self.series.current
            assert current and current.label == plan.label

    @rule(count=st.integers(1, len(HOSTS)))
    def deploy(self, count: int) -> None:
        """To some of the hosts; the others fail or come later."""
        self.step("deploy")
        current = self.series.current
        for host in [h for h in self.held if h not in self.down][:count]:
            if current:
                self.held[host] = {current.public_key}

    @rule(
        trick=st.sampled_from(["none"] * 4 + ["left out", "nobody", "count", "wrong count", "written off"]),
        acknowledged=st.sampled_from([True, True, True, False]),
    )
    def retire(self, trick: str, acknowledged: bool) -> None:
        self.step(f"retire {trick}")
        series, fleet = self.series, self.fleet
        first = next(iter(self.held))
        skip = frozenset({first}) if trick == "left out" else frozenset()
        if trick in ("nobody", "count", "wrong count"):
            fleet = Fleet(count={"nobody": None, "count": len(self.held), "wrong count": len(self.held) + 1}[trick])
        if trick == "written off":
            fleet = replace(fleet, written_off=(first,))
        plan = plan_retire(
            series, today=self.today, overlap=self.overlap, fleet=fleet, acknowledged=acknowledged,
            reports=self.reports(skip=skip),
        )  # fmt: skip
        assert not (plan.disable and plan.held_up)
        excused = {first} if trick == "written off" else set()
        for generation in plan.disable:
            assert trick in ("none", "count", "written off") and acknowledged
            assert generation in series.spent and series.current
            for host, held in self.held.items():
                assert host in excused or host not in self.down
                assert host in excused or generation.public_key not in held
            age = (self.today - series.current.date).days
            assert not self.overlap or age > self.overlap
        self.switch([g.label for g in plan.disable], enabled=False)
        for host in excused:
            # They were given up by name; a person takes them out of the fleet, or brings them back empty.
            self.held[host] -= {g.public_key for g in plan.disable}

    @rule(trick=st.sampled_from(["none", "none", "left out", "nobody"]))
    def prune(self, trick: str) -> None:
        self.step(f"prune {trick}")
        skip = frozenset({next(iter(self.held))}) if trick == "left out" else frozenset()
        fleet = Fleet() if trick == "nobody" else self.fleet
        plan = plan_prune(self.series, today=self.today, grace=GRACE, fleet=fleet, reports=self.reports(skip=skip))
        for generation in plan.delete:
            assert trick == "none" and not self.down
            assert not self.account[generation.label].enabled
            assert all(generation.public_key not in held for held in self.held.values())
            successor = self.series.successor(generation)
            assert successor and (self.today - successor.date).days > GRACE
        for generation in plan.delete:
            del self.account[generation.label]

    @rule()
    def rollback(self) -> None:
        self.step("rollback")
        try:
            plan = plan_rollback(self.series)
        except KeyfleetError as error:
            assert error.code == "no_previous"
            return
        self.rolled_back = True
        self.switch([plan.target.label], enabled=True)
        assert self.account[plan.newer.label].enabled
        if not self.down:
            # Everybody went back, and the person judged: the newer one goes.
            self.held = {host: {plan.target.public_key} for host in self.held}
            self.switch([plan.newer.label], enabled=False)

    @rule()
    def until_quiet(self) -> None:
        """Everybody is back, and the run is carried out to its end on the days that it needs."""
        self.step("until quiet")
        self.down = set()
        self.today += (MAX_AGE + 1) * DAY
        for days in (0, self.overlap + 1, GRACE + 1):
            self.today += days * DAY
            self.issue(now=False)
            self.deploy(len(HOSTS))
            self.retire("none", acknowledged=True)
            self.prune("none")
        series = self.series
        assert len([g for g in series.generations if g.enabled]) == 1
        assert all(len(held) == 1 for held in self.held.values())
        for generation in series.retired:
            successor = series.successor(generation)
            assert not successor or (self.today - successor.date).days <= GRACE

    def switch(self, labels: list[str], *, enabled: bool) -> None:
        for label in labels:
            self.account[label] = replace(self.account[label], enabled=enabled)

    @invariant()
    def nobody_is_left_with_a_dead_key_alone(self) -> None:
        alive = {key.public_key for key in self.account.values() if key.enabled}
        assert all(not held or held & alive for held in self.held.values())

    @invariant()
    def others_are_left_alone(self) -> None:
        if self.account:
            assert {label: self.account[label] for label in STRANGERS} == self.strangers

    @invariant()
    def never_a_third(self) -> None:
        assert self.rolled_back or len([g for g in self.series.generations if g.enabled]) <= 2


def test_the_plan_keeps_its_promises_over_ten_thousand_steps() -> None:
    profile = settings(
        max_examples=260, stateful_step_count=60, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    STEPS.clear()
    run_state_machine_as_test(Rotation, settings=profile)
    print(f"{sum(STEPS.values())} steps: {dict(sorted(STEPS.items()))}")
    assert sum(STEPS.values()) >= 10_000, STEPS
    assert all(count >= 100 for count in STEPS.values()), STEPS
