# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller in a process of its own, which can be killed: the order of the playbooks over the real module code.

It tells the test about every step and goes on when it is told to. `Killing` ends it with SIGKILL at a call.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from _chaos_host import Host, complete, end_with_parent

from ansible_collections.keyfleet.magento.plugins.module_utils import _rotation_run
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace import Marketplace
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_view import deploy_keys
from ansible_collections.keyfleet.magento.plugins.modules import magento_key_rotation

Result = dict[str, Any]


@dataclass
class Orders:
    """One run: what is asked for, and how it will go wrong."""

    playbook: str
    today: datetime.date
    hosts: dict[str, Host]
    expected: list[str]
    access: Mapping[str, Any]
    overlap: int
    grace: int
    max_age: int
    serial: int = 2
    max_fail: int = 20
    inventory: tuple[str, ...] = ()
    check_mode: bool = False
    acknowledged: bool = True
    unreachable: dict[str, set[str]] = field(default_factory=dict)
    kill: tuple[str, int] | None = None
    mutant: Callable[[], None] | None = None


class Stopped(Exception):
    """The run has ended in an error."""


class Controller:
    """The controller's end of the line, in its process."""

    def __init__(self, orders: Orders, line: socket.socket) -> None:
        self.orders, self.line = orders, line
        self.phase, self.calls = "", 0
        self.failed: set[str] = set()
        self.reports: dict[str, Any] = {}
        self.deployed: dict[str, Result] = {}
        self.clock = 0.0

    def tell(self, what: str, **content: Any) -> None:
        """Tell the test, and wait until it has looked."""
        self.line.send(json.dumps({"what": what, "phase": self.phase, **content}).encode())
        if not self.line.recv(16):
            os._exit(3)

    def enter(self, phase: str) -> None:
        self.phase, self.calls = phase, 0
        self.tell("phase")

    def point(self) -> None:
        """A moment at which the controller may die."""
        self.calls += 1
        if self.orders.kill == (self.phase, self.calls):
            os.kill(os.getpid(), signal.SIGKILL)

    def run(self) -> None:
        steps = {
            "rotate": (self.issue, self.deploy, self.confirm, self.retire, self.prune),
            "rotate_retire": (self.confirm, self.retire, self.prune),
            "rotate_deploy": (self.deploy,),
        }[self.orders.playbook]
        if self.orders.playbook == "rotate" and not self.orders.expected:
            raise Stopped("nobody is expected")
        for step in steps:
            step()

    def at_api(self, phase: str, *, check_mode: bool = False, **given: Any) -> Result:
        """magento_key_rotation, with a clock that the test sets."""
        orders = self.orders
        options = complete(
            magento_key_rotation.ARGUMENT_SPEC,
            {"phase": phase, "prefix": "web", "max_age": orders.max_age, "overlap": orders.overlap,
             "grace": orders.grace, "propagation_timeout": 60.0, "written_off": [],
             "external_holders_acknowledged": orders.acknowledged, **orders.access, **given},
        )  # fmt: skip
        pace = _rotation_run.Pace(today=lambda: orders.today, clock=lambda: self.clock, sleep=self.sleep)
        access = {name: options[name] for name in ("api_url", "application_id", "application_secret", "ca_path")}
        try:
            with Marketplace(**access, sleep=lambda _seconds: None) as client:
                answer = _rotation_run.rotate(client, options, check_mode=check_mode or orders.check_mode, pace=pace)
        except KeyfleetError as error:
            answer = {**failure(error, **{n: None for n in ("label", "public_key", "generations", "held_up")}),
                      "failed": True}  # fmt: skip
        self.tell("api", answer=answer, looked=check_mode)
        return answer

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def issue(self) -> None:
        self.enter("issue")
        answer = self.at_api("issue")
        if answer.get("failed"):
            raise Stopped(answer["msg"])

    def on(self, host: str, module: str, options: Mapping[str, Any]) -> Result:
        """A module on a host; one that cannot be reached has failed for the rest of the run."""
        self.point()
        if host in self.orders.unreachable.get(self.phase, ()):
            answer: Result = {"unreachable": True, "msg": "no route to the host"}
        else:
            self.orders.hosts[host].send(module, options, check_mode=self.orders.check_mode)
            # The work goes on there, whether somebody hears of it or not.
            self.point()
            answer = json.loads(self.orders.hosts[host].line.recv(1 << 20))
        if answer.get("failed") or answer.get("unreachable"):
            self.failed.add(host)
        self.tell("host", host=host, module=module, answer=answer)
        return answer

    def ask(self, host: str) -> Result:
        places = {"users": ["deploy"], "projects": ["/srv/shop"], "search": ["/srv"], "all_users": True}
        return self.on(host, "info", places)

    def deploy(self) -> None:
        self.enter("deploy")
        orders = self.orders
        answer = self.at_api("issue", check_mode=True, max_age=10**6)
        if answer.get("failed") or not answer["public_key"]:
            if orders.check_mode and not answer.get("failed"):
                return
            raise Stopped("no generation")
        older = [generation["public_key"] for generation in answer["generations"]]
        names = list(orders.hosts)
        # The canary first, then the others.
        batches = [names[:1], *(names[i : i + orders.serial] for i in range(1, len(names), orders.serial))]
        for batch in batches:
            pair = self.pair(answer["label"])
            for host in batch:
                held = self.ask(host)
                if host in self.failed:
                    continue
                keys = deploy_keys(pair, held=held, older=older, url=str(orders.access["url"]),
                                   places={"users": ["deploy"], "projects": ["/srv/shop"]})  # fmt: skip
                options = {"keys": keys, "ca_path": orders.access["ca_path"]}
                self.deployed[host] = self.on(host, "install", options)
            if 100 * len(self.failed & set(batch)) > orders.max_fail * len(batch):
                raise Stopped("too many hosts failed")

    def pair(self, label: str) -> Mapping[str, Any]:
        names = ("api_url", "application_id", "application_secret", "ca_path")
        try:
            with Marketplace(**{name: self.orders.access[name] for name in names}) as client:
                key = next(key for key in client.keys(uid=client.mage_id) if key.label == label)
        except KeyfleetError as error:
            raise Stopped(error.message) from error
        return {"public_key": key.public_key, "private_key": key.private_key}

    def confirm(self) -> None:
        self.enter("confirm")
        for host in self.orders.hosts:
            if host in self.failed:
                continue
            report = self.ask(host)
            if host in self.failed:
                continue
            if self.orders.check_mode and host in self.deployed:
                written = self.deployed[host]["files"]
                paths = {row["path"] for row in written}
                kept = [row for row in report["files"] if row["path"] not in paths]
                report = {"files": kept + written, "problems": report["problems"]}
            self.reports[host] = report

    @property
    def installed(self) -> dict[str, Any]:
        return {**dict.fromkeys(self.orders.hosts), **self.reports}

    def retire(self) -> None:
        self.enter("retire")
        answer = self.at_api("retire", installed=self.installed, expected_hosts=self.orders.expected)
        if answer.get("failed"):
            raise Stopped(answer["msg"])

    def prune(self) -> None:
        self.enter("prune")
        self.at_api("prune", installed=self.installed, expected_hosts=list(self.orders.inventory))


def start(orders: Orders) -> tuple[int, socket.socket]:
    """Process id of a new controller, and the line to it."""
    line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (line, far):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    pid = os.fork()
    if pid:
        far.close()
        return pid, line
    status = 1
    try:
        end_with_parent()
        line.close()
        controller = Controller(orders, far)
        _watch_requests(controller)
        if orders.mutant:
            orders.mutant()
        try:
            controller.run()
            status = 0
        except Stopped as stopped:
            controller.tell("stopped", message=str(stopped))
            status = 2
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _watch_requests(controller: Controller) -> None:
    """A point before and after everything that is sent to the API; and no pause between repetitions."""
    send, sleep = requests.Session.send, time.sleep

    def watched(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        controller.point()
        response = send(self, request, **options)
        controller.point()
        return response

    requests.Session.send = watched  # type: ignore[method-assign]
    time.sleep = lambda _seconds: sleep(0.001)
