# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin: appends the module arguments of every task, secrets included, to the file named by ARGUMENTS."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Records the arguments."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "arguments"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, result: object) -> None:
        fields = result._task_fields  # type: ignore[attr-defined]
        line = {"host": result._host.get_name(), "task": fields["name"], "args": fields["args"]}  # type: ignore[attr-defined]
        with open(os.environ["ARGUMENTS"], "a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: object) -> None:
        """A task that succeeded."""
        self._record(result)

    def v2_runner_on_failed(self, result: object, ignore_errors: bool = False) -> None:
        """A task that failed."""
        self._record(result)
