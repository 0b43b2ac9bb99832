# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule whose answers repeat no option that may hold a secret, and no character that a terminal acts on."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import NoLogError

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import safe_result
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import shown_user

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# User names, in the place of which the secret may stand by mistake.
_USERS = ("public_key", "application_id")
# Where people put "user:password@" before a host.
_WITH_HOST = ("url", "_url", "repository", "host")
# Of a revocation: words, in the place of which a pair or its private half may stand. For no_log such a word would be a
# secret too, wherever it stands. And the answers of hosts: a private half may be in them, and Ansible's search for
# passwords in what it logs takes quadratic time.
_HIDDEN_NAMES = ("key", "replacement", "hosts")

_MAGE_ID = re.compile(r"MAG[0-9]+\Z")


def shown(spec: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> Dict[str, Any]:
    """What an answer may repeat of the options: those that ``spec`` knows, without secrets and unfit elements.

    An option that is not known may be a secret under a misspelt name.
    """
    result: Dict[str, Any] = {}
    for name, value in values.items():
        if name not in spec:
            continue
        if value is not None and (spec[name].get("no_log") or name in _HIDDEN_NAMES):
            value = HIDDEN
        elif value is not None and "options" in spec[name]:
            options, one = spec[name]["options"], spec[name].get("type") == "dict"
            elements: List[Any] = [value] if one else value if isinstance(value, list) else []
            several = [shown(options, element) for element in elements if isinstance(element, Mapping)]
            value = dict(*several) if one else several
        elif isinstance(value, str) and name.endswith(_WITH_HOST) and "@" in value:
            value = f"{HIDDEN}@{value.rpartition('@')[2]}"
        elif value is not None and name in _USERS:
            value = shown_user(value) if isinstance(value, str) else HIDDEN
        result[name] = value
    return result


class Door(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """The module's side of Ansible."""

    params: Dict[str, Any]

    def _invocation(self) -> Dict[str, Any]:
        return {"module_args": shown(self.argument_spec, self.params)}

    def _log_invocation(self) -> None:
        """To the system log."""
        given, self.params = self.params, safe_result(shown(self.argument_spec, self.params))
        try:
            super()._log_invocation()
        finally:
            self.params = given

    def exit_json(self, **kwargs: Any) -> None:
        """End well."""
        super().exit_json(**safe_result(dict(kwargs, invocation=self._invocation())))

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        """End badly."""
        validation = getattr(self, "validation_result", None)
        if validation and validation.error_messages and isinstance(validation.errors[0], NoLogError):
            # Raised before it was known which values are secret, and it quotes them.
            names = [name for name, option in self.argument_spec.items() if "options" in option]
            prefix = self.params.get("option_prefix") or ""
            msg = f"{', '.join(prefix + name for name in names)}: every element must be a dictionary"
        super().fail_json(**safe_result(dict(kwargs, msg=msg, invocation=self._invocation())))


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
