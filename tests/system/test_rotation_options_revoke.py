# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a revocation gives to modules: each setting, and the one key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _options_lab
import _rotation_lab
import pytest
from _options_lab import UID, as_given, everything, only_ours, record_of, series
from _rotation_lab import OLD, PYTHON, Fleet

pytestmark = pytest.mark.needs("root", PYTHON)
control, fleet = _options_lab.control, _rotation_lab.fleet

PLAN = "Create the next generation if one is due, and verify it"
LEAK = "Disable a leaked key at once"
RETIRE = "Disable superseded or revoked keys, or delete keys retired long ago"
LOOK, BRING, SEE = "Look for keys", "Install the auth keys", "Check what the role would change"


@pytest.mark.parametrize("leak", [False, True])
def test_every_setting_reaches_its_module(leak: bool, fleet: Fleet, tmp_path: Path) -> None:
    control = record_of(fleet)
    fleet.names = ("web1",)
    current = everything(fleet)
    fleet.settings["external_holders"] = control.holders(tmp_path / "holders")
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
    revoke = {"key": "fleet-leaver", "replacement": "current", "leak": leak, "delete": not leak}
    asked = {"phase": "issue", "series": told}
    assert control.arguments(PLAN) == [{**asked, "revoke": {**revoke, "leak": False}}]
    assert control.arguments(LEAK) == ([{**asked, "revoke": revoke}] if leak else [])
    assert control.arguments("Fetch the pair") == [
        {"labels": [OLD], "uid": UID, "include_private_keys": True, **account}
    ]
    assert control.keywords("Fetch the pair", "no_log") == [True]
    (retired,) = control.arguments(RETIRE)
    assert list(retired.pop("hosts")) == ["web1"] and retired.pop("holders") == {}
    assert retired == {"phase": "retire", "series": told, "revoke": revoke}
    # They hold the current generation, which stays.
    assert not list((tmp_path / "holders").iterdir())
    roots = [str(fleet.directory / "web1")]
    removal = {"public_key": gone[0], "state": "absent", "search": roots}
    assert control.arguments(LOOK, "web1") == [{"all_users": True, "search": roots}] * 2
    for task in (BRING, SEE):
        ((first, last),) = [given["keys"] for given in control.arguments(task, "web1")]
        assert (first["public_key"], first["private_key"], last) == (*current, removal)
