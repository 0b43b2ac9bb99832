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
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    COLLECTED,
    CONFIRMED,
    DEPLOYED,
    WOULD_CHANGE,
    Expected,
    blocked_by_hosts,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import (
    Generation,
    Series,
    plan_issue,
    plan_retire,
    series_of,
)

STEPS: Counter[str] = Counter()
DAY = datetime.timedelta(days=1)
HOSTS = tuple(f"web{number}" for number in range(1, 6))
MAX_AGE, DELETE_AFTER = 60, 20
STRANGERS = ("ci", "web", "web-old", "webs-20260101", "web-20260101-01", "api-20260101", "by hand")
SHOP = "/shop/auth.json"


class Rotation(RuleBasedStateMachine):
    """An account, a fleet and a clock. ``held``: the files of a host, and the public key in each."""

    def __init__(self) -> None:
        super().__init__()
        self.today = datetime.date(2026, 1, 1)
        self.account: dict[str, Generation] = {}
        self.strangers: dict[str, Generation] = {}
        self.held: dict[str, dict[str, str]] = {}
        self.down: set[str] = set()
        self.rejected: list[str] = []
        self.adopt: list[str] = []
        self.overlap = 0
        self.made = 0

    @initialize(hosts=st.integers(1, len(HOSTS)), overlap=st.sampled_from([0, 0, 7]), adopts=st.booleans())
    def start(self, hosts: int, overlap: int, adopts: bool) -> None:
        self.held = {host: {} for host in HOSTS[:hosts]}
        self.overlap = overlap
        for label in STRANGERS:
            self.account[label] = Generation(label, f"public of {label}", label != "web-old")
        if adopts:
            self.adopt = ["by hand"]
            self.held = {host: {SHOP: "public of by hand"} for host in self.held}
        self.strangers = {label: key for label, key in self.account.items() if label not in self.adopt}

    @property
    def series(self) -> Series:
        return series_of("web", self.account.values(), adopt=self.adopt, rejected=self.rejected)

    def step(self, name: str) -> None:
        STEPS[name] += 1

    def report(self, host: str) -> dict[str, Any]:
        """As the modules would answer."""
        if host in self.down:
            return {COLLECTED: {"unreachable": True, "msg": "no route"}}
        held, current = self.held[host], self.series.current
        files = [{"path": path, "owner": "deploy", "entries": [{"public_key": key}]} for path, key in held.items()]
        after = {"public_key": current.public_key if current else ""}
        action = "unchanged" if held.get(SHOP) == after["public_key"] else "updated"
        would = {"files": [{"path": SHOP, "action": action, "after": after}]}
        return {COLLECTED: {"files": files}, DEPLOYED: {"files": []}, WOULD_CHANGE: would, CONFIRMED: {"files": files}}

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
            self.held[host]["/backup/auth.json"] = data.draw(st.sampled_from(alive))

    @rule(host=st.sampled_from(HOSTS))
    def an_old_file_goes(self, host: str) -> None:
        self.step("no old file")
        self.held.get(host, {}).pop("/backup/auth.json", None)

    @rule()
    def reject(self) -> None:
        """A rollback."""
        self.step("reject")
        current = self.series.current
        if current and current.date and len(self.rejected) < 3:
            self.rejected.append(current.label)

    @rule(now=st.booleans())
    def issue(self, now: bool) -> None:
        self.step("issue")
        before = self.series
        try:
            plan = plan_issue(before, today=self.today, max_age=MAX_AGE, rotate_now=now)
        except KeyfleetError as error:
            assert error.code == "all_rejected" and before.current is None
            return
        assert plan.label not in self.rejected and plan.create == plan.due and not (plan.create and plan.enable)
        if plan.create:
            assert plan.label not in self.account
            newest = before.newest
            old = newest is None or (self.today - newest).days > MAX_AGE
            assert old or now and not [g for g in before.superseded if g.label not in self.rejected]
            self.made += 1
            self.account[plan.label] = Generation(plan.label, f"public {self.made}", True)
        elif plan.enable:
            assert not self.account[plan.label].enabled
            self.switch([plan.label], enabled=True)
        current = self.series.current
        assert current and current.label == plan.label and current.enabled

    @rule(count=st.integers(1, len(HOSTS)))
    def deploy(self, count: int) -> None:
        """To some of the hosts; the others fail or come later."""
        self.step("deploy")
        current = self.series.current
        for host in [h for h in self.held if h not in self.down][:count]:
            if current and current.enabled:
                self.held[host][SHOP] = current.public_key

    @rule(trick=st.sampled_from(["none"] * 4 + ["left out", "nobody", "wrong count", "excluded", "ignore"]))
    def retire(self, trick: str) -> None:
        self.step(f"retire {trick}")
        series, first = self.series, next(iter(self.held))
        reports = {host: self.report(host) for host in self.held if trick != "left out" or host != first}
        given: dict[str, Any] = {
            "expected_hosts": list(self.held) if trick == "left out" else [],
            "excluded_hosts": {"excluded": [first], "nobody": list(self.held)}.get(trick, []),
            "expected_count": len(self.held) + 1 if trick == "wrong count" else None,
        }
        expected = Expected.of(given, list(reports))
        blocked = blocked_by_hosts(series, expected, reports, ignore=trick == "ignore")
        if series.current is None:
            return
        assert blocked or trick in ("none", "excluded", "ignore")
        if blocked:
            return
        plan = plan_retire(series, today=self.today, overlap=self.overlap, delete_after=DELETE_AFTER)
        assert not (plan.disable and plan.delete)
        for generation in plan.disable:
            assert generation != series.current and self.account[generation.label].enabled
            newest = series.newest
            assert newest and (not self.overlap or generation.label in self.rejected
                               or (self.today - newest).days > self.overlap)  # fmt: skip
            for host in expected.hosts:
                assert host not in self.down and self.held[host][SHOP] == series.current.public_key
                assert trick == "ignore" or generation.public_key not in self.held[host].values()
        for generation in plan.delete:
            assert not generation.enabled and generation.date and generation != series.current
            assert any(g.label > generation.label and not g.enabled for g in series.generations) or self.rejected
        self.switch([g.label for g in plan.disable], enabled=False)
        for generation in plan.delete:
            del self.account[generation.label]
        alive = {key.public_key for key in self.account.values() if key.enabled}
        for host, held in self.held.items():
            # A person takes excluded hosts out of the fleet, or brings them back empty; ignored files were given up.
            given_up = [
                path for path, key in held.items() if key not in alive and (path != SHOP or host not in expected.hosts)
            ]
            for path in given_up:
                del held[path]

    @rule()
    def until_quiet(self) -> None:
        """Everybody is back, and the run is carried out to its end on the days that it needs."""
        self.step("until quiet")
        self.down = set()
        self.today += (MAX_AGE + 1) * DAY
        for days in (0, self.overlap + 1, DELETE_AFTER + 1):
            self.today += days * DAY
            self.issue(now=False)
            self.deploy(len(HOSTS))
            for host in self.held:
                self.an_old_file_goes(host)
            self.retire("none")
        series = self.series
        assert series.current and [g for g in series.generations if g.enabled] == [series.current]
        assert all(held == {SHOP: series.current.public_key} for held in self.held.values())
        dated = [g for g in series.generations if g.date and series.state(g) == "retired"]
        assert len(dated) <= 1

    def switch(self, labels: list[str], *, enabled: bool) -> None:
        for label in labels:
            self.account[label] = self.account[label]._replace(enabled=enabled)

    @invariant()
    def nobody_is_left_with_a_dead_key(self) -> None:
        alive = {key.public_key for key in self.account.values() if key.enabled}
        assert all(set(held.values()) <= alive for held in self.held.values())

    @invariant()
    def others_are_left_alone_and_adopted_ones_never_deleted(self) -> None:
        assert {label: self.account[label] for label in self.strangers} == self.strangers
        assert all(label in self.account for label in self.adopt)


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
