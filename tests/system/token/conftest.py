# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host, and the readers of a netrc."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from simulator.client import Simulator
from system.token.lab import Host
from system.token.netrc_lab import Echo, NetrcClients


@pytest.fixture
def host(tmp_path: Path, simulator: Simulator) -> Host:
    """A managed host with the simulator as its server."""
    return Host(tmp_path, simulator)


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetrcClients]:
    """The clients, with a running echo server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield NetrcClients(tmp_path_factory.mktemp("netrc"), server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
