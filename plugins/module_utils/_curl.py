# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the host's own curl.

Everything that curl is told goes through its standard input, so that no secret is in an argument or in the environment;
``-q`` comes first, so that no curlrc has a say.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import threading
from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._composer_home import Account
from ansible_collections.keyfleet.magento.plugins.module_utils._curl_verdict import CurlEnd
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._identity import Identity, identity_of

# Older ones take comments in a netrc for entries, and show the headers of a proxy as if they were the server's.
NEEDED = (7, 55, 0)
# What an info page may have; the feed of a decade of releases is far below.
MOST = 16 * 1024 * 1024
_CHUNK = 65536
# Held back, so that what curl writes behind the body is not taken for a part of it.
_HELD = 16384
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_VERSION = re.compile(r"curl ([0-9]+)\.([0-9]+)\.([0-9]+)")

Config = List[Tuple[str, Optional[str]]]


@dataclass(frozen=True)
class Curl:
    """The curl of this host."""

    path: str
    version: str


def find_curl() -> Curl:
    """Raises `KeyfleetError` ``no_curl`` or ``old_curl``."""
    path = shutil.which("curl")
    if path is None:
        raise KeyfleetError(
            "no_curl",
            "There is no curl on the PATH of this host. Install it; nothing else is used to ask for release downloads.",
        )
    try:
        # The file layer knows no AnsibleModule, so there is no run_command here.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [path, "-q", "--version"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
        text = done.stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise KeyfleetError("no_curl", f"{path} cannot be run: {exc}") from exc
    found = _VERSION.match(text)
    needed = ".".join(map(str, NEEDED))
    if found is None or tuple(map(int, found.groups())) < NEEDED:
        version = found.group(0) if found else f"{path}, which does not tell its version,"
        raise KeyfleetError(
            "old_curl", f"{version} is too old: {needed} or newer reads comments in a netrc and can be asked safely."
        )
    if not re.search(r"^Protocols:.*\bhttps\b", text, re.M):
        raise KeyfleetError("old_curl", f"{path} was built without HTTPS. Install one that has it.")
    return Curl(path, ".".join(found.groups()))


def _written(config: Config, mark: str) -> bytes:
    lines = [name if value is None else f"{name} = {_quoted(value)}" for name, value in config]
    facts = "%{http_code} %{http_connect} %{content_type}\\t%{redirect_url}"
    lines.append(f'write-out = "\\n{mark} {facts}"')
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def _quoted(value: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in value) + '"'


class Body:
    """Takes what follows the headers; this one keeps it in memory. ``add`` says whether more is wanted."""

    def __init__(self) -> None:
        self.kept = b""
        self._pieces: List[bytes] = []
        self._size = 0

    def begin(self, headers: Dict[str, str]) -> None:
        """The headers of the answer have come."""

    def add(self, piece: bytes) -> bool:
        """Some more of it."""
        self._pieces.append(piece)
        self._size += len(piece)
        return self._size <= MOST

    def finish(self) -> None:
        """Nothing more comes."""
        self.kept = b"".join(self._pieces)


def run(
    curl: Curl,
    config: Config,
    reader: Optional[Account] = None,
    *,
    deadline: Optional[float] = None,
    body: Optional[Body] = None,
) -> CurlEnd:
    """Run curl to its end. ``reader`` is the account that it runs as, where root may choose."""
    mark = secrets.token_hex(16)
    who = _other(reader)
    sink = body or Body()
    # run_command could not drop root for the child.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function
        [curl.path, "-q", "-K", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=_environment(reader),
        preexec_fn=_dropping(who) if who else None,
    )
    timer = threading.Timer(deadline, process.kill) if deadline else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        headers, facts, error, enough = _talk(process, _written(config, mark), mark, sink)
    finally:
        if timer:
            timer.cancel()
        if process.poll() is None:
            process.kill()
        process.wait()
    sink.finish()
    http_status, proxy_status, content_type, redirect_url = _facts(facts, headers)
    end = CurlEnd(
        exit_code=process.returncode,
        error=error.strip(),
        http_status=http_status,
        proxy_status=proxy_status,
        content_type=content_type,
        redirect_url=redirect_url,
        retry_after=headers.get("retry-after", ""),
        headers=headers,
        body=sink.kept,
        version=curl.version,
    )
    if enough:
        # We ended it; whether that was right is for the body to know.
        return replace(end, exit_code=0 if body else 63, error="" if body else f"more than {MOST} bytes came")
    if end.exit_code < 0:
        return replace(end, exit_code=28, error="curl did not end in time")
    return end


def _talk(
    process: subprocess.Popen[bytes], text: bytes, mark: str, sink: Body
) -> Tuple[Dict[str, str], bytes, str, bool]:
    """Headers, the facts behind the mark, curl's own text, and whether the body wanted no more."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ValueError("curl was started without pipes")
    with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(text)
    headers: Optional[Dict[str, str]] = None
    held = b""
    with process.stdout as stdout, process.stderr as stderr:
        # What Popen gives is a BufferedReader, whatever its type says.
        for piece in iter(lambda: stdout.read1(_CHUNK), b""):  # type: ignore[attr-defined]
            held += piece
            if headers is None:
                headers, held = split_headers(held)
                if headers is not None:
                    sink.begin(headers)
            if headers is not None and len(held) > _HELD:
                more = sink.add(held[:-_HELD])
                held = held[-_HELD:]
                if not more:
                    process.kill()
                    return headers, b"", "", True
        rest, found, facts = held.rpartition(f"\n{mark} ".encode())
        more = sink.add(rest if found else held) if headers is not None else True
        error = stderr.read(_CHUNK).decode("utf-8", "replace")
    return headers or {}, facts if found else b"", error, not more


def _facts(facts: bytes, headers: Dict[str, str]) -> Tuple[int, int, str, str]:
    """HTTP status, status of a proxy, content type, target of a redirect."""
    if not facts:
        return int(headers.get("status", 0)), 0, headers.get("content-type", ""), ""
    numbers, _tab, redirect_url = facts.decode("utf-8", "replace").partition("\t")
    http_status, proxy_status, *content_type = numbers.split(" ", 2)
    return int(http_status), int(proxy_status), content_type[0] if content_type else "", redirect_url


def split_headers(answer: bytes) -> Tuple[Optional[Dict[str, str]], bytes]:
    """The headers of the last of the answers in a row (100 and the like come before), and what follows them.

    None while they are not complete.
    """
    while True:
        found = re.match(rb"HTTP/[0-9.]+ ([0-9]{3})[^\n]*\n", answer)
        block, gap, rest = answer.partition(b"\r\n\r\n")
        if found is None or not gap:
            return None, answer
        if found.group(1)[:1] != b"1":
            break
        answer = rest
    headers = {"status": found.group(1).decode()}
    for line in block.split(b"\r\n")[1:]:
        name, _colon, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers, rest


def _other(reader: Optional[Account]) -> Optional[Identity]:
    """Somebody else than this process, if root may be that."""
    if reader is None or os.geteuid() != 0 or reader.uid == 0:
        return None
    return identity_of(reader.uid, reader.gid)


def _dropping(who: Identity) -> Callable[[], None]:
    groups: Sequence[int] = who.groups

    def drop() -> None:
        # In the child, before curl: for good, not by effective id alone.
        os.setgroups(groups)
        os.setgid(who.gid)
        os.setuid(who.uid)

    return drop


def _environment(reader: Optional[Account]) -> Dict[str, str]:
    """The task's own, for its proxy; without what would write the secrets of TLS to a file."""
    environment = {name: value for name, value in os.environ.items() if name != "SSLKEYLOGFILE"}
    environment["LC_ALL"] = "C"
    if reader is not None:
        environment.update(HOME=reader.home, USER=reader.name, LOGNAME=reader.name)
    return environment
