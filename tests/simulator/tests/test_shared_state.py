# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all parts of the simulator share: accounts, snapshots, restarts, the connection to the control interface."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from place import ROOT
from simulator.client import Simulator
from simulator.problems import BadInput
from simulator.tests.https import ask
from simulator.tests.keys_api import Api

HELP = "/products/downloads/info/help"


def test_sessions_tokens_and_pending_changes_survive_a_restart(tmp_path: Path) -> None:
    with Simulator(tmp_path) as simulator, Api(simulator) as api:
        simulator.set_switch("api_effect_requests", 2)
        key, token = api.create_pair("fleet"), simulator.replace_token("shop")
        assert ask(simulator, key=key).status == 401
        simulator.restart()
        api.disconnect()
        assert api.list().status == 200
        assert [ask(simulator, key=key).status for _turn in range(2)] == [401, 200]
        assert ask(simulator, HELP, token).status == 200
        assert simulator.replace_token("shop")[1] != token[1]


def test_snapshot_restores_everything(simulator: Simulator) -> None:
    with Api(simulator) as api:
        first, token = api.create_pair("fleet"), simulator.token("shop")
        simulator.set_switch("challenge", True)
        simulator.add_fault("status", status=418, skip=1, count=1)
        snapshot = simulator.snapshot()
        second = api.create_pair("second")
        assert api.list().status == 418
        newer = simulator.replace_token("shop")
        simulator.expire_sessions()
        simulator.call("DELETE", "switches")
        simulator.restore(snapshot)
        assert simulator.requests() == []
        assert api.list().status == 200
        assert api.list().status == 418
        assert [ask(simulator, key=key).status for key in (first, second)] == [200, 401]
        assert [ask(simulator, HELP, pair).status for pair in (token, newer)] == [200, 401]
        assert ask(simulator).headers["WWW-Authenticate"]
        # The same call creates the same pair again.
        assert api.create_pair("second") == second
        simulator.restore(snapshot)
        assert simulator.snapshot() == snapshot


@pytest.mark.parametrize("state", [{}, {"accounts": [{}]}, {"accounts": 1, "switches": {}}])
def test_malformed_snapshot_is_refused_and_changes_nothing(simulator: Simulator, state: dict[str, object]) -> None:
    before = simulator.snapshot()
    with pytest.raises(BadInput):
        simulator.restore(state)
    assert simulator.snapshot() == before


def test_client_keeps_its_connection_and_reconnects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    connect = socket.create_connection

    def counted(*words: Any) -> socket.socket:
        opened.append(words)
        return connect(*words)

    monkeypatch.setattr(socket, "create_connection", counted)
    with Simulator(tmp_path) as own:
        own.set_switch("challenge", True)
        own.restart()
        assert own.switches()["challenge"]["value"] is True
        for _turn in range(5):
            own.reset()
        assert len(opened) == 2
    with pytest.raises(OSError):
        own.reset()


def test_command_line_handles_tokens_sessions_and_downloads(simulator: Simulator) -> None:
    program = [sys.executable, str(ROOT / "tests" / "simulator")]

    def run(*words: str) -> str:
        command = [*program, words[0], "--state", str(simulator.state), *words[1:]]
        return subprocess.run(command, text=True, capture_output=True, check=True, timeout=30).stdout

    token = simulator.token("shop")
    run("account", "replace-token", "shop")
    assert simulator.token("shop") != token
    run("account", "remove-token", "shop")
    assert simulator.account("shop")["download_token"] == ""
    assert simulator.download("Magento-CE-2.3.2.zip")["sha256"] in run("downloads")
    with Api(simulator, "enterprise") as api:
        run("expire-sessions")
        assert api.list().status == 401
        simulator.set_switch("api_effect_requests", 1000)
        key = api.open().create_pair("fleet")
        run("settle")
        assert ask(simulator, key=key).status == 200
