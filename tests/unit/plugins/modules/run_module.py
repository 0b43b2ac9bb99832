# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ``main()`` of a module as Ansible does: options as JSON, and a result of one JSON line and an exit status."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, List

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings


@dataclass(frozen=True)
class ModuleResult:
    """The result of a module, parsed and as text, and its exit status."""

    result: Dict[str, Any]
    text: str
    status: int

    @property
    def code(self) -> str:
        """The code of the failure; "" for a success."""
        return str(self.result.get("code", "(none)")) if self.result.get("failed") else ""

    def warnings(self) -> List[str]:
        """Return the texts of the warnings, which are strings or dictionaries depending on ansible-core."""
        return [text if isinstance(text, str) else json.dumps(text) for text in self.result.get("warnings", [])]


def run_module(main: Callable[[], None], options: Dict[str, Any], *, check_mode: bool = False) -> ModuleResult:
    """Run ``main()`` with ``options`` in diff mode."""
    arguments = {"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True}}
    for messages in (warnings._global_warnings, warnings._global_deprecations):
        messages.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        # ansible-core reads it since 2.19.
        patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        # Since 2.19, warnings are not in the result but printed if the rest of ansible-core can be imported.
        patch.setattr(getattr(warnings, "_internal", warnings), "is_controller", False, raising=False)
        output = io.StringIO()
        patch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as ended:
            main()
    text = output.getvalue()
    result = json.loads(text.strip().splitlines()[-1])
    assert bool(result.get("failed")) == bool(ended.value.code), result
    return ModuleResult(result, text, int(ended.value.code or 0))
