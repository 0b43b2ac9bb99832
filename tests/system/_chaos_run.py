# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a history: what goes wrong in which phase, and a look at every step of the controller."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from _chaos_control import Orders, start

if TYPE_CHECKING:
    from _chaos_history import History

MAX_AGE, GRACE = 60, 20
APPLIES = {
    "unreachable": ("deploy", "confirm"),
    "disk full": ("deploy",),
    "api 5xx": ("issue", "deploy", "retire", "prune"),
    "lost answer": ("issue", "retire", "prune"),
    "api 401": ("issue", "deploy", "retire", "prune"),
    "repository 401": ("issue", "deploy", "retire"),
    "slow effect": ("issue",),
    "nobody expected": ("retire",),
    "two homes": ("deploy", "confirm"),
    "stale file": ("deploy", "confirm"),
    "kill": ("issue", "deploy", "confirm", "retire", "prune"),
}
"""Every fault, and the phases in which it can do harm."""
Histogram = Counter[tuple[str, str]]


class Violation(AssertionError):
    """A promise was broken."""


@dataclass
class Plan:
    """What goes wrong in one run: faults by phase, and the call at which the controller is killed."""

    faults: set[tuple[str, str]] = field(default_factory=set)
    kill: tuple[str, int] | None = None

    def has(self, fault: str, phase: str) -> bool:
        return (fault, phase) in self.faults


STANDING = ("two homes", "stale file", "kill")


class Run:
    """One run of a controller under its faults, watched step by step."""

    def __init__(self, history: History, plan: Plan, *, undisturbed: bool = False) -> None:
        self.history, self.plan = history, plan
        draw = history.random
        self.confirmed: set[str] = set()
        self.seen: set[str] = set()
        self.faults: dict[str, int] = {}
        self.message = ""
        self.status = 0
        self.expected = list(history.names)
        playbook, hosts, check_mode = "rotate", dict(history.hosts), False
        unreachable: dict[str, set[str]] = {}
        if not undisturbed:
            playbook = draw.choice(("rotate",) * 8 + ("rotate_retire", "rotate_retire", "rotate_deploy"))
            check_mode = draw.random() < 0.08
            if draw.random() < 0.1:
                hosts = dict(draw.sample(sorted(hosts.items()), draw.randint(1, len(hosts) - 1)))
            if plan.has("nobody expected", "retire"):
                playbook, self.expected = "rotate_retire", []
            for phase in ("deploy", "confirm"):
                if plan.has("unreachable", phase):
                    unreachable[phase] = set(draw.sample(sorted(hosts), draw.randint(1, max(1, len(hosts) // 2))))
        self.orders = Orders(
            playbook=playbook, today=history.today, hosts=hosts, expected=self.expected, access=history.access,
            overlap=history.overlap, grace=GRACE, max_age=MAX_AGE, serial=draw.choice((1, 2, 5)),
            max_fail=20 if undisturbed else draw.choice((20, 60, 100)), inventory=tuple(history.names),
            check_mode=check_mode, acknowledged=undisturbed or draw.random() > 0.15,
            unreachable=unreachable, kill=plan.kill, mutant=history.mutant,
        )  # fmt: skip
        self.phase = ""

    def go(self) -> None:
        """Start the controller and look after each of its steps."""
        history = self.history
        state = self._state() if self.orders.check_mode else None
        history.simulator.clear_log()
        pid, line = start(self.orders)
        try:
            self._watch(line)
        finally:
            line.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL) if self._broken else None
            status = os.waitpid(pid, 0)[1]
            for host in self.orders.hosts.values():
                host.calm()
            self._mend()
        killed = os.WIFSIGNALED(status) and not self._broken
        if killed:
            history.histogram["kill", self.phase] += 1
        self.status = -1 if killed else os.waitstatus_to_exitcode(status)
        history.counts["runs"] += 1
        history.story.append(f"{self.orders.playbook} {self.orders.today} {self.status} {self.phase} {self.message}")
        history.check(self.phase, self, history.account())
        created = history.simulator.requests(part="marketplace", operation="create")
        if len(created) > 1:
            raise Violation(f"I5: {len(created)} keys were asked for in one run")
        if state is not None and state != self._state():
            raise Violation("I6: check mode changed something")

    _broken = False

    def _watch(self, line: socket.socket) -> None:
        while True:
            message = line.recv(1 << 20)
            if not message:
                return
            self._broken = True
            self._look(message)
            self._broken = False
            line.send(b"go on")

    def _look(self, message: bytes) -> None:
        history, content = self.history, json.loads(message)
        keys, text = history.account(), message.decode()
        for key in keys:
            if key["private"] in text:
                raise Violation(f"I7: the private half of {key['label']} was told")
        if content["what"] == "phase":
            self._mend()
            self.phase = content["phase"]
            self._break()
            return
        if content["what"] == "stopped":
            self.message = content["message"]
        if content["what"] == "host":
            self._count_host(content)
        if content["what"] == "api" and content["answer"].get("failed"):
            self.message = content["answer"]["msg"]
        history.check(self.phase, self, keys)

    def _count_host(self, content: dict[str, Any]) -> None:
        history, name, answer = self.history, content["host"], content["answer"]
        if answer.get("unreachable"):
            history.histogram["unreachable", self.phase] += 1
            return
        if self.phase == "confirm" and not answer.get("failed"):
            self.confirmed.add(name)
        if name in history.two_homes:
            history.histogram["two homes", self.phase] += 1
        if name in history.stale:
            history.histogram["stale file", self.phase] += 1
        if answer.get("failed"):
            history.story.append(f"  {self.phase} {name}: {answer['msg']}")
        if answer.get("code") == "write_failed":
            history.histogram["disk full", self.phase] += 1

    def outage(self, phase: str) -> bool:
        """Whether API or repository answer everything in this phase with 401 or 5xx."""
        return any(name in self.faults for name in ("api 401", "repository 401"))

    def _break(self) -> None:
        """Put the faults of the phase that begins into force."""
        simulator, phase = self.history.simulator, self.phase
        self.history.histogram["nobody expected", phase] += not self.expected
        steady = self.history.random.random() < 0.5
        ways = {
            "api 5xx": {"kind": "status", "status": 503, "path": "/rest/*", "count": None if steady else 2},
            "api 401": {"kind": "status", "status": 401, "path": "/rest/*"},
            "repository 401": {"kind": "status", "status": 401, "path": "/packages.json", "host": "127.0.0.1*"},
        }
        methods = {"issue": "POST", "retire": "PUT", "prune": "DELETE"}
        if phase in methods:
            ways["lost answer"] = {"kind": "reset", "method": methods[phase], "path": "/rest/*/keys*", "count": 1}
        for name, fields in ways.items():
            if self.plan.has(name, phase):
                fields = {field: value for field, value in fields.items() if value is not None}
                self.faults[name] = simulator.add_fault(**fields)  # type: ignore[arg-type]
        if self.plan.has("slow effect", phase):
            simulator.set_switch("api_effect_requests", self.history.random.choice((3, 6, 1000)))
        if self.plan.has("disk full", phase):
            for name in self.history.random.sample(sorted(self.orders.hosts), 1 + len(self.orders.hosts) // 3):
                self.orders.hosts[name].fill()

    def _mend(self) -> None:
        """The phase is over: count the faults that have hit something, and take them away."""
        simulator, histogram = self.history.simulator, self.history.histogram
        if self.faults:
            hits = {fault["id"]: fault["hits"] for fault in simulator.faults()}
            for name, number in self.faults.items():
                histogram[name, self.phase] += min(1, hits.get(number, 0))
            simulator.clear_faults()
        self.faults = {}
        if self.plan.has("slow effect", self.phase):
            histogram["slow effect", self.phase] += bool(simulator.requests(operation="create"))
            simulator.set_switch("api_effect_requests", None)
            simulator.settle()
        for host in self.orders.hosts.values():
            host.unfill()

    def _state(self) -> list[Any]:
        return [[host.files() for host in self.history.hosts.values()], self.history.account()]
