# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin: numbers the start and the end of every task on every host, and kills Ansible at one of them.

Each event is a line of JSON in the file named by KILL_EVENTS. At the event with the number KILL_AT, the process group
gets SIGKILL before the run continues.
"""

from __future__ import annotations

import json
import os
import signal

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Records the events."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    def _event(self, moment: str, host: object, task: object) -> None:
        self._number += 1
        line = {
            "number": self._number,
            "moment": moment,
            "host": host.get_name(),  # type: ignore[attr-defined]
            "task": task.get_name(),  # type: ignore[attr-defined]
        }
        with open(os.environ["KILL_EVENTS"], "a", encoding="utf-8") as events:
            events.write(json.dumps(line) + "\n")
        if self._number == int(os.environ.get("KILL_AT", "0")):
            os.killpg(os.getpgrp(), signal.SIGKILL)

    def v2_runner_on_start(self, host: object, task: object) -> None:
        """Before a task begins on a host."""
        self._event("start", host, task)

    def v2_runner_on_ok(self, result: object) -> None:
        """After a task that succeeded."""
        self._end(result)

    def v2_runner_on_failed(self, result: object, ignore_errors: bool = False) -> None:
        """After a task that failed."""
        self._end(result)

    def v2_runner_on_skipped(self, result: object) -> None:
        """After a task that was skipped."""
        self._end(result)

    def v2_runner_on_unreachable(self, result: object) -> None:
        """After a task whose host could not be reached."""
        self._end(result)

    def _end(self, result: object) -> None:
        self._event("end", result._host, result._task)  # type: ignore[attr-defined]
