# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a revocation gives to modules: each setting, and the one key."""

from __future__ import annotations

from typing import Any

import _options_lab
import _rotation_lab
import pytest
from _options_lab import PACKAGE, UID, as_given, everything, only_ours, outcomes, record_of, series
from _rotation_lab import OLD, PYTHON, Fleet

pytestmark = pytest.mark.needs("root", PYTHON)
control, fleet = _options_lab.control, _rotation_lab.fleet

STATUS = "Check the settings of the series, and know its current generation"
VERIFY = "Verify the replacement before anything is disabled"
AGAIN = "Verify the replacement once more, since another run may have disabled it meanwhile"
LEAK = "Disable a leaked key at once, so that hosts are without a working key until they are reached"
LOOK, BRING, SEE = "Look for keys", "Bring the auth keys to the host", "See what the role would change"


@pytest.mark.parametrize("leak", [False, True])
def test_every_setting_reaches_its_module(leak: bool, fleet: Fleet) -> None:
    control = record_of(fleet)
    fleet.names = ("web1",)
    current = everything(fleet)
    gone = fleet.simulator.add_key("shop", "fleet-leaver", uid=UID)
    fleet.simulator.add_key("shop", "fleet-leaver")
    file = fleet.give("web1", *gone, "elsewhere")
    words: dict[str, Any] = {"magento_revoke_key": "fleet-leaver", "magento_revoke_replacement": "current"}
    run = fleet.run("revoke", magento_revoke_leak=leak, magento_revoke_delete=not leak, **words)
    assert run.status == 0 and gone[0] not in file.read_text(), run.output
    assert "Left to do: nothing" in run.output and fleet.held("web1") == OLD
    kept = {OLD: True, f"{UID} {OLD}": True, "fleet-leaver": True}
    assert series(fleet) == kept | ({f"{UID} fleet-leaver": False} if leak else {})
    only_ours(run)

    told, account = as_given(fleet)
    assert control.arguments(STATUS) == [{"phase": "status", "series": told}]
    assert control.arguments("List the keys of the account") == [account]
    assert control.arguments("Fetch the pair") == [
        {"labels": [OLD], "uid": UID, "include_private_keys": True, **account}
    ]
    assert control.keywords("Fetch the pair", "no_log") == [True]
    asked = {name: told[name] for name in ("url", "ca_path", "validate_certs", "timeout")}
    asked |= {"public_key": current[0], "private_key": current[1]}
    verdicts = ["invalid", "refused", "not_entitled", "unknown"]
    assert control.arguments(VERIFY) == [{**asked, "packages": [PACKAGE], "fail_on": verdicts}]
    verdicts.remove("not_entitled")
    assert control.arguments(AGAIN) == [{**asked, "fail_on": verdicts}]
    one = {"labels": ["fleet-leaver"], "uid": UID, **account}
    assert control.arguments(LEAK) == ([{**one, "enabled": False}] if leak else [])
    assert control.arguments("Disable the key") == [{**one, "enabled": False}]
    assert control.arguments("Delete the key") == ([] if leak else [{**one, "state": "absent"}])
    assert outcomes(run, "Ask for what cannot be done from here") == []
    roots = [str(fleet.directory / "web1")]
    removal = {"public_key": gone[0], "state": "absent", "search": roots}
    assert control.arguments(LOOK, "web1") == [{"all_users": True, "search": roots}] * 2
    for task in (BRING, SEE):
        ((first, last),) = [given["keys"] for given in control.arguments(task, "web1")]
        assert (first["public_key"], first["private_key"], last) == (*current, removal)
