# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``main()`` of a module as Ansible does: options as JSON in, one line of JSON and an exit status out."""

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
class Answer:
    """What the module printed: parsed, and every byte of it."""

    result: Dict[str, Any]
    text: str
    status: int

    @property
    def code(self) -> str:
        """The failure's code; "" for a success."""
        return str(self.result.get("code", "(none)")) if self.result.get("failed") else ""

    def warnings(self) -> List[str]:
        """The texts of the warnings, whatever shape ansible-core gives them."""
        return [text if isinstance(text, str) else json.dumps(text) for text in self.result.get("warnings", [])]


def knock(main: Callable[[], None], options: Dict[str, Any], *, check_mode: bool = False) -> Answer:
    """Run ``main()`` with these options."""
    arguments = {"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check_mode, "_ansible_diff": True}}
    for kept in (warnings._global_warnings, warnings._global_deprecations):
        kept.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        # Since ansible-core 2.19; nothing looks at it before.
        patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        output = io.StringIO()
        patch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as ended:
            main()
    text = output.getvalue()
    result = json.loads(text.strip().splitlines()[-1])
    assert bool(result.get("failed")) == bool(ended.value.code), result
    return Answer(result, text, int(ended.value.code or 0))
