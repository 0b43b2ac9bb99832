# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin: appends every result of every task, one line of JSON each, to the file named by RECORD."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Records the results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, outcome: str, result: object) -> None:
        line = {
            "host": result._host.get_name(),  # type: ignore[attr-defined]
            "action": result._task.action,  # type: ignore[attr-defined]
            "task": result._task.get_name(),  # type: ignore[attr-defined]
            "outcome": outcome,
            "result": result._result,  # type: ignore[attr-defined]
        }
        with open(os.environ["RECORD"], "a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: object) -> None:
        """A task that succeeded."""
        self._record("ok", result)

    def v2_runner_on_failed(self, result: object, ignore_errors: bool = False) -> None:
        """A task that failed."""
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result: object) -> None:
        """A host that could not be reached."""
        self._record("unreachable", result)
