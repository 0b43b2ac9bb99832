# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of modules that take a MAGEID: what stands in its place by mistake may be the token, and is not repeated."""

from __future__ import annotations

import re
from typing import Any, Dict

from ansible_collections.keyfleet.magento.plugins.module_utils._door import HIDDEN, Door

_MAGE_ID = re.compile(r"MAG[0-9]+\Z")


class TokenDoor(Door):
    """AnsibleModule that repeats a MAGEID only if it is one.

    ``no_log`` would be too much: it would take every MAGEID out of the result, too.
    """

    def _invocation(self) -> Dict[str, Any]:
        invocation = super()._invocation()
        invocation["module_args"] = _without_secret(invocation["module_args"])
        return invocation

    def _log_invocation(self) -> None:
        given = self.params
        self.params = _without_secret(given)
        try:
            super()._log_invocation()
        finally:
            self.params = given


def _without_secret(params: Dict[str, Any]) -> Dict[str, Any]:
    value = params.get("mage_id")
    if value is None or (isinstance(value, str) and _MAGE_ID.match(value)):
        return params
    return dict(params, mage_id=HIDDEN)
