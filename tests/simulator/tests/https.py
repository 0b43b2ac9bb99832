# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain HTTPS client for the simulator, and the real curl."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from simulator.client import Simulator


@dataclass(frozen=True)
class Response:
    """A complete response; ``raw`` is the body as it was sent."""

    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def body(self) -> bytes:
        """The body, decoded."""
        return gzip.decompress(self.raw) if self.headers["Content-Encoding"] == "gzip" else self.raw

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@contextmanager
def connected(simulator: Simulator, timeout: float = 10.0) -> Iterator[http.client.HTTPSConnection]:
    """A connection that trusts the simulator's CA and nothing else; ``timeout`` in seconds."""
    context = ssl.create_default_context(cafile=simulator.ca_path)
    connection = http.client.HTTPSConnection(simulator.host, simulator.port, timeout=timeout, context=context)
    try:
        yield connection
    finally:
        connection.close()


def basic(user: str, password: str) -> dict[str, str]:
    """The header for HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(
    simulator: Simulator,
    path: str = "/packages.json",
    key: tuple[str, str] | None = None,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> Response:
    """Sends one request and follows no redirect; an incomplete response raises the exception of http.client."""
    with connected(simulator, timeout) as connection:
        connection.request(method, path, headers={**(basic(*key) if key else {}), **(headers or {})})
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())


def walk(simulator: Simulator, key: tuple[str, str], dollar: str = "$") -> dict[str, Any]:
    """Every package that the key may see: name to versions. Verifies every announced hash."""

    def fetch(path: str, digest: str) -> Any:
        got = ask(simulator, "/" + path.replace("%hash%", digest).replace("$", dollar).lstrip("/"), key)
        assert (got.status, hashlib.sha256(got.body).hexdigest()) == (200, digest), path
        return got.json

    root = ask(simulator, key=key).json
    providers = dict(root.get("providers", {}))
    for include, entry in root.get("provider-includes", {}).items():
        providers.update(fetch(include, entry["sha256"])["providers"])
    found = dict(root["packages"] or {})
    for name, entry in providers.items():
        found.update(fetch(root["providers-url"].replace("%package%", name), entry["sha256"])["packages"])
    return found


def curl(simulator: Simulator, path: str, key: tuple[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the real curl; its output is the HTTP status and the number of bytes in the body."""
    lines = [
        f'url = "{simulator.url}{path[1:]}"',
        f'user = "{key[0]}:{key[1]}"',
        f'cacert = "{simulator.ca_path}"',
        'output = "/dev/null"',
        'write-out = "%{http_code} %{size_download}"',
        'noproxy = "*"',
        "silent",
        "show-error",
    ]
    return subprocess.run(
        ["curl", "-q", "-K", "-", *options], input="\n".join(lines), text=True, capture_output=True, check=False
    )
