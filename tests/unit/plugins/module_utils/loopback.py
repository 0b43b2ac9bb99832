# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTPS server on loopback, which sends any bytes that a test chooses. It needs only the standard library.

The certificates in data/tls are only for this server. They are valid until 2120, so that no test depends on the date.
expired.pem expired in 2002, and early.pem is valid from 2110.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import pathlib
import socket
import ssl
import struct
import threading
from typing import Any, Callable, Dict, List, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import Connection
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.check import check
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.outcome import Verdict

TLS = pathlib.Path(__file__).parent / "data" / "tls"
CA = str(TLS / "ca.pem")

Answer = Callable[["Exchange"], None]


def fake_key(word: str) -> str:
    """32 hex digits that are not a real key."""
    return hashlib.sha256(f"not a key: {word}".encode()).hexdigest()[:32]


PUBLIC, PRIVATE = fake_key("public"), fake_key("private")


def ask(url: Optional[str], *, ca_path: Optional[str] = CA, timeout: float = 10, **changes: Any) -> Verdict:
    """The verdict for a fake pair; ``changes`` are other arguments of `check`, or settings of its connection."""
    settings = {name: changes.pop(name) for name in ("validate_certs", "use_proxy") if name in changes}
    arguments: Dict[str, Any] = {
        "repository": "repo.magento.com",
        "url": url,
        "public_key": PUBLIC,
        "private_key": PRIVATE,
        "connection": Connection(ca_path=ca_path, timeout=timeout, **settings),
    }
    arguments.update(changes)
    verdict = check(**arguments)
    if arguments["private_key"] in repr(verdict):
        raise AssertionError("the private key is in the verdict")
    return verdict


def basic(public: str, private: str) -> str:
    """The Authorization header for a pair."""
    return "Basic " + base64.b64encode(f"{public}:{private}".encode()).decode()


class Exchange:
    """A received request, and methods to answer it."""

    def __init__(self, server: Loopback, connection: Any) -> None:
        self.server = server
        self.connection = connection
        self.sent = 0
        self.read()

    def read(self) -> None:
        """Read the next request of the connection."""
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = self.connection.recv(4096)
            if not chunk:
                raise OSError("no request")
            head += chunk
        head, _end, self.body = head.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.path = self.line.split(" ")[:2]
        pairs = (line.partition(":") for line in lines[1:] if line)
        self.headers: Dict[str, str] = {name.lower(): value.strip() for name, _colon, value in pairs}
        # Read the whole body: the connection is reset if it is closed with unread data.
        missing = int(self.headers.get("content-length", 0)) - len(self.body)
        while missing > 0:
            chunk = self.connection.recv(missing)
            if not chunk:
                raise OSError("no request")
            self.body += chunk
            missing -= len(chunk)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent += len(data)

    def reply(self, status: int, body: bytes = b"", length: Optional[int] = None, **headers: str) -> None:
        """Send a complete answer. ``length`` overrides the Content-Length of the body."""
        size = len(body) if length is None else length
        fields = {"Content-Length": str(size), **{name.replace("_", "-"): value for name, value in headers.items()}}
        lines = [f"HTTP/1.1 {status} Whatever"] + [f"{name}: {value}" for name, value in fields.items()]
        self.send("\r\n".join(lines + ["", ""]).encode("latin-1") + body)

    def json(self, text: str, status: int = 200, **headers: str) -> None:
        self.reply(status, text.encode(), None, Content_Type="application/json", **headers)

    def stall(self) -> None:
        """Send nothing more until the server is stopped."""
        self.server.stopping.wait(60)

    def reset(self) -> None:
        """Make the connection end with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def start_tls(self, certificate: str = "good") -> None:
        self.connection = _context(certificate, None).wrap_socket(self.connection, server_side=True)


class Loopback:
    """The server. ``requests`` lists the received requests. ``answer`` gets each of them in a separate thread."""

    def __init__(self, answer: Answer, certificate: Optional[str] = "good", newest_tls: Optional[Any] = None) -> None:
        self.answer = answer
        self.requests: List[Exchange] = []
        self.stopping = threading.Event()
        self._context = _context(certificate, newest_tls) if certificate else None
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.netloc = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"https://{self.netloc}/"
        self._threads: List[threading.Thread] = []

    def __enter__(self) -> Loopback:
        self._start(self._accept)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stopping.set()
        # Closing alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: Any) -> None:
        exchange = None
        # A client that rejects the certificate or closes the connection is no error of the server.
        with contextlib.suppress(OSError):
            try:
                connection.settimeout(30)
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                exchange = Exchange(self, connection)
                self.requests.append(exchange)
                self.answer(exchange)
            finally:
                (exchange.connection if exchange else connection).close()


def _context(certificate: str, newest: Optional[Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(TLS / f"{certificate}.pem"))
    if newest is not None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = newest
        context.maximum_version = newest
    return context
