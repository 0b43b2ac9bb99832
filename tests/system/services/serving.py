# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTPS server for one external service.

Its directory contains an authority like the simulator's (``ca.pem``), the state of the service (``state.json``) and,
while the server runs, its ``address``.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from simulator.authority import server_context

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Request:
    """One request; ``path`` as it was sent, with its query."""

    method: str
    path: str
    headers: Message
    body: bytes

    def fields(self) -> dict[str, Any]:
        """The JSON object in the body of a write. Anything else is `Refused`."""
        if self.headers.get("Content-Type") != "application/json":
            raise Refused(400, {"error": "the body is not announced as JSON"})
        found = json.loads(self.body)
        if not isinstance(found, dict):
            raise Refused(400, {"error": "the body is no object"})
        return found


class Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.answer = (status, body)


class Service:
    """``asked`` contains the methods of all requests. A test can set ``writes_fail`` (a status for all writes),
    ``moved`` (the target of redirects) and ``meanwhile`` (called once before a write)."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.asked: list[str] = []
        self.writes_fail: int | None = None
        self.moved: str | None = None
        self.meanwhile: Callable[[], None] | None = None

    def answer(self, request: Request) -> Answer:
        """The answer of the service."""
        raise NotImplementedError

    def state(self) -> Any:
        """The state of the service, for JSON."""
        raise NotImplementedError

    def play(self, request: Request) -> Answer:
        """The answer with the faults that a test has set."""
        self.asked.append(request.method)
        if self.moved:
            return 307, {"moved": self.moved}
        if "Authorization" in request.headers:
            return 400, {"error": "credentials that nobody asked for"}
        if request.method != "GET":
            if self.writes_fail:
                return self.writes_fail, {"error": "ordered"}
            if self.meanwhile:
                act, self.meanwhile = self.meanwhile, None
                act()
        try:
            return self.answer(request)
        except Refused as refusal:
            return refusal.answer


@contextlib.contextmanager
def serving(
    service: Service, directory: Path, listen: tuple[str, int] = ("127.0.0.1", 0), names: tuple[str, ...] = ()
) -> Iterator[str]:
    """Runs the service and yields its address."""
    context = server_context(directory, names)

    def save_state() -> None:
        (directory / "state.json").write_text(json.dumps(service.state()))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def setup(self) -> None:
            self.request.do_handshake()
            super().setup()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = service.play(Request(self.command, self.path, self.headers, body))
            save_state()
            sent = json.dumps(content).encode()
            self.send_response(status)
            if status == 307:
                self.send_header("Location", f"https://{service.moved}{self.path}")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(sent)
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore clients that reject the certificate."""

    with Server(listen, Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        host, port = server.server_address[:2]
        save_state()
        (directory / "address").write_text(f"{host!s}:{port}")
        try:
            yield f"{host!s}:{port}"
        finally:
            (directory / "address").unlink()
            server.shutdown()
            thread.join()
