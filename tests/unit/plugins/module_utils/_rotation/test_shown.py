# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a rotation that may contain a secret by mistake are hidden in results."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._module import HIDDEN, shown
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.revoke import REVOKE_SPEC
from ansible_collections.keyfleet.magento.plugins.modules.magento_key_rotation import ARGUMENT_SPEC
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import fake_key

PRIVATE = fake_key("private half")


def test_reports_of_hosts_are_hidden() -> None:
    hosts = {"web1": {"magento_auth_result": {"failed": True, "msg": PRIVATE}}}
    assert shown(ARGUMENT_SPEC, {"phase": "retire", "hosts": hosts}) == {"phase": "retire", "hosts": HIDDEN}


@pytest.mark.parametrize("name", ["key", "replacement"])
@pytest.mark.parametrize(
    "given", [PRIVATE, {"public_key": "p", "private_key": PRIVATE}, [PRIVATE], [{"private_key": PRIVATE}]], ids=type
)
def test_key_and_replacement_are_hidden(name: str, given: Any) -> None:
    assert shown(REVOKE_SPEC, {name: given, "leak": True}) == {name: HIDDEN, "leak": True}
