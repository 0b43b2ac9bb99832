# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule with results that contain no option that may hold a secret, and no terminal control characters."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import NoLogError

from ._errors import KeyfleetError
from ._secrets import shown_user
from ._text import safe_result

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# User names, which may be set to the secret by mistake.
_USERS = ("public_key", "application_id")
# Options where users write "user:password@" before a host.
_WITH_HOST = ("url", "_url", "repository", "host")
# "key" and "replacement" of a revocation may be set to a pair or a private half by mistake; no_log would hide their
# usual values everywhere in the result. "hosts" has the reports of the hosts: a private half may be in them, and
# Ansible's search for passwords in its log messages takes quadratic time.
_HIDDEN_NAMES = ("key", "replacement", "hosts")
# Anything else in "mage_id" may be the token; no_log would also remove every MAGEID from the result.
_MAGE_ID = re.compile(r"MAG[0-9]+\Z")


def shown(spec: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> Dict[str, Any]:
    """The options that are safe to show in a result: those in ``spec``, without secrets and malformed elements.

    An unknown option may be a secret with a misspelt name.
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
        elif name == "mage_id" and value is not None and not (isinstance(value, str) and _MAGE_ID.match(value)):
            value = HIDDEN
        result[name] = value
    return result


class KeyfleetModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """AnsibleModule that hides secrets in its results and in the system log."""

    params: Dict[str, Any]

    def _invocation(self) -> Dict[str, Any]:
        return {"module_args": shown(self.argument_spec, self.params)}

    def _log_invocation(self) -> None:
        """Write the invocation to the system log."""
        given, self.params = self.params, safe_result(shown(self.argument_spec, self.params))
        try:
            super()._log_invocation()
        finally:
            self.params = given

    def exit_json(self, **kwargs: Any) -> None:
        """Exit with a result that is safe to show."""
        super().exit_json(**safe_result(dict(kwargs, invocation=self._invocation())))

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        """Exit with a failure that is safe to show."""
        validation = getattr(self, "validation_result", None)
        if validation and validation.error_messages and isinstance(validation.errors[0], NoLogError):
            # Raised before Ansible knew which values are secret, and the message quotes them.
            names = [name for name, option in self.argument_spec.items() if "options" in option]
            prefix = self.params.get("option_prefix") or ""
            msg = f"{', '.join(prefix + name for name in names)}: every element must be a dictionary"
        super().fail_json(**safe_result(dict(kwargs, msg=msg, invocation=self._invocation())))


def serve(
    argument_spec: Mapping[str, Any], run: Callable[[KeyfleetModule], Mapping[str, Any]], **not_reached: object
) -> None:
    """Run a module and exit with its result.

    ``run`` returns the result or raises `KeyfleetError`. ``not_reached``: the fields of a failure, with the values that
    they have unless the details of the error hold others.
    """
    module = KeyfleetModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        result = run(module)
    except KeyfleetError as error:
        reached = {name: value for name, value in error.details.items() if name in ("changed", *not_reached)}
        problems = [problem.as_result() for problem in error.problems]
        fields = {"changed": False, **not_reached, **reached, "problems": problems}
        module.fail_json(msg=error.message, code=error.code, **fields)
    if result["changed"]:
        for problem in result.get("problems", ()):
            module.warn(problem["message"])
    module.exit_json(**result)
