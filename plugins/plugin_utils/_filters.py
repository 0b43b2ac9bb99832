# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the failures of pure functions reach a playbook through a filter. Controller only."""

from __future__ import annotations

import functools
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its `KeyfleetError`s as what Ansible expects of a filter: message and code."""

    @functools.wraps(function)
    def translated(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except KeyfleetError as error:
            raise AnsibleFilterError(f"{error.message} ({error.code})") from None

    return translated
