# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A revocation passes each setting and the revoked key to modules, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from system.control import PYTHON
from system.rotation.lab import OLD, Fleet
from system.rotation.options.lab import (
    UID,
    expected_settings,
    no_implicit_tasks,
    recorded_control,
    series,
    set_every_setting,
)

pytestmark = pytest.mark.needs("root", PYTHON)

PLAN = "Create the next generation if one is due, and verify it"
LEAK = "Disable a leaked key at once"
RETIRE = "Disable superseded or revoked keys, or delete keys retired long ago"
LOOK, INSTALL, CONFIRM = "Look for keys", "Install the auth keys", "Check what the role would change"


@pytest.mark.parametrize("leak", [False, True])
def test_every_setting_reaches_its_module(leak: bool, fleet: Fleet, tmp_path: Path) -> None:
    control = recorded_control(fleet)
    fleet.names = ("web1",)
    current = set_every_setting(fleet)
    fleet.settings["external_holders"] = control.holders(tmp_path / "holders")
    leaver = fleet.simulator.add_key("shop", "fleet-leaver", uid=UID)
    fleet.simulator.add_key("shop", "fleet-leaver")
    file = fleet.give("web1", *leaver, "elsewhere")
    options: dict[str, Any] = {"magento_revoke_key": "fleet-leaver", "magento_revoke_replacement": "current"}
    run = fleet.run("revoke", magento_revoke_leak=leak, magento_revoke_delete=not leak, **options)
    assert run.status == 0 and leaver[0] not in file.read_text(), run.output
    assert "Left to do: nothing" in run.output and fleet.held("web1") == OLD
    kept = {OLD: True, f"{UID} {OLD}": True, "fleet-leaver": True}
    assert series(fleet) == kept | ({f"{UID} fleet-leaver": False} if leak else {})
    no_implicit_tasks(run)

    settings, account = expected_settings(fleet)
    revoke = {"key": "fleet-leaver", "replacement": "current", "leak": leak, "delete": not leak}
    asked = {"phase": "issue", "series": settings}
    assert control.arguments(PLAN) == [{**asked, "revoke": {**revoke, "leak": False}}]
    assert control.arguments(LEAK) == ([{**asked, "revoke": revoke}] if leak else [])
    assert control.arguments("Fetch the pair") == [
        {"labels": [OLD], "uid": UID, "include_private_keys": True, **account}
    ]
    assert control.keywords("Fetch the pair", "no_log") == [True]
    (retired,) = control.arguments(RETIRE)
    assert list(retired.pop("hosts")) == ["web1"] and retired.pop("holders") == {}
    assert retired == {"phase": "retire", "series": settings, "revoke": revoke}
    # The holders have the current generation, which is not revoked.
    assert not list((tmp_path / "holders").iterdir())
    roots = [str(fleet.directory / "web1")]
    removal = {"public_key": leaver[0], "state": "absent", "search": roots}
    assert control.arguments(LOOK, "web1") == [{"all_users": True, "search": roots}] * 2
    for task in (INSTALL, CONFIRM):
        ((first, last),) = [given["keys"] for given in control.arguments(task, "web1")]
        assert (first["public_key"], first["private_key"], last) == (*current, removal)
