# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real curl and Python's netrc read in a file, and strategies for tidy and odd files."""

from __future__ import annotations

import base64
import netrc
import subprocess
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from hypothesis import strategies as st

HOST = "www.magentocommerce.com"
OTHERS = ("a.test", "b.test", "c.test")
UNLISTED = "nobody.test"
# In place of credentials: curl failed to read the file.
BROKEN = "(curl cannot read the file)"


class Echo(BaseHTTPRequestHandler):
    """Answers every request with the credentials that it contains."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, _blank, credentials = self.headers.get("Authorization", "").partition(" ")
        body = base64.b64decode(credentials) if kind == "Basic" else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


class NetrcClients:
    """The real curl and Python's netrc. The echo server is the proxy of curl, so no name is resolved."""

    def __init__(self, scratch: Path, port: int) -> None:
        self._file = scratch / "netrc"
        self._proxy = f"http://127.0.0.1:{port}"

    def curl(self, data: bytes, hosts: Sequence[str]) -> dict[str, str]:
        """The credentials that curl sends to each machine, or BROKEN."""
        self._file.write_bytes(data)
        command = ["curl", "-q", "-s", "--netrc-file", str(self._file), "--proxy", self._proxy, "--noproxy", ""]
        command += ["-w", r"\n%{http_code}\1"]
        done = subprocess.run(
            [*command, *(f"http://{host}/" for host in hosts)], capture_output=True, check=False, timeout=60
        )
        answers = done.stdout.split(b"\\1")[:-1]
        found = {}
        for host, answer in zip(hosts, answers, strict=True):
            pair, _line, status = answer.rpartition(b"\n")
            # An entry without values is sent as an empty pair by some versions and as nothing by others.
            found[host] = BROKEN if status != b"200" else "" if pair == b":" else pair.decode("latin-1")
        return found

    def python(self, data: bytes, hosts: Sequence[str]) -> dict[str, object] | None:
        """The credentials that Python's netrc finds for each machine; None if it rejects the file."""
        self._file.write_bytes(data)
        try:
            known = netrc.netrc(str(self._file))
        except (netrc.NetrcParseError, UnicodeDecodeError):
            return None
        return {host: known.authenticators(host) for host in hosts}


_VALUES = [
    b"plain",
    b'"two words"',
    b'"a \\" and \\\\ and \\t"',
    b"in#side",
    b'in"side',
    b'"x"y',
    b"back\\slash",
    b'""',
]
_KEYWORDS = [b"machine", b"MACHINE", b"default", b"login", b"Password", b"account", b"macdef"]
_GAPS = [b" ", b"\t", b"\n", b"\n\t", b"  ", b" # note\n", b"\n# login x\n", b"\r\n", b"\n\n"]
_names = st.sampled_from([*(name.encode() for name in OTHERS), HOST.encode(), HOST.upper().encode()])
_values = st.sampled_from(_VALUES)


@st.composite
def _entries(draw: st.DrawFn) -> bytes:
    head = [b"machine", draw(_names)] if draw(st.integers(0, 5)) else [b"default"]
    halves = [[b"login", draw(_values)], [b"password", draw(_values)], [b"account", draw(_values)]]
    chosen = draw(st.sampled_from([(0, 1), (0, 1), (0, 1), (1, 0), (0, 2, 1), (0,), (1,), ()]))
    words = [*head, *(word for number in chosen for word in halves[number])]
    text = b"".join(word + draw(st.sampled_from(_GAPS[:6])) for word in words[:-1]) + words[-1]
    return text + draw(st.sampled_from([b"\n", b"\n", b"\n\n", b" ", b" # note\n", b"\r\n"]))


_macros = st.sampled_from(
    [
        b"macdef init\ncd /\n\n",
        b"macdef init\nmachine a.test login m password n\n\n",
        b"macdef x\nmachine www.magentocommerce.com login m password n\n",
    ]
)
_comments = st.sampled_from([b"# note\n", b"#\n", b"  # machine a.test login x password y\n", b"\n", b"#note\n"])
_fragments = st.lists(
    st.sampled_from(
        [*_KEYWORDS, *_VALUES, *(name.encode() for name in OTHERS), HOST.encode(), b'"open', b"\r", b"\x0c"]
    ),
    max_size=6,
).map(lambda words: b" ".join(words) + b"\n")

tidy_files = st.lists(st.one_of(_entries(), _entries(), _comments, _macros), max_size=6).map(b"".join)
odd_files = st.lists(st.one_of(_entries(), _comments, _macros, _fragments), max_size=6).map(b"".join)
