# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the curl of the managed host.

All options go through standard input, so that no secret is in an argument or in the environment. ``-q`` comes first, so
that curl ignores every curlrc.
"""

from __future__ import annotations

import os
import re
import secrets
import selectors
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Dict, List, Optional, Tuple, Union
from urllib.parse import urlsplit, urlunsplit

from .._errors import KeyfleetError
from .._files.accounts import own_account
from .._repository.failures import without_proxies
from .options import Service, Token
from .verdict import CurlEnd

# Older versions read comments in a netrc as entries, and report the headers of a proxy as those of the server.
NEEDED = (7, 55, 0)
# Bytes of an info page; the feed of a decade of releases is far smaller.
MOST = 4 * 1024 * 1024
# Bytes of the headers of an answer, including interim answers (1xx).
MOST_HEADERS = 256 * 1024
# Seconds beyond curl's own limit, which curl may exceed: it can block on a file before it checks the time.
_GRACE = 3.0
_CHUNK = 65536
# Bytes held back, so that the text that curl writes after the body is not taken for part of it.
_TAIL = 16384
# Environment variables of the task that are passed to curl. SSLKEYLOGFILE is not among them, and neither are the proxy
# variables, which may contain a password.
_PASSED_ON = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
# In the order of curl, which uses the first that is set.
_PROXY = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_NO_PROXY = ("no_proxy", "NO_PROXY")
_PATH = "/usr/local/bin:/usr/bin:/bin"
# Their values may have any character, since they do not become part of a request unchanged.
_ANY_CHARACTER = ("user", "netrc-file", "cacert", "proxy", "noproxy")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_VERSION = re.compile(r"curl ([0-9]+)\.([0-9]+)\.([0-9]+)")

# The output of the write-out option in ``_config_text``.
_FACTS = re.compile(rb"([0-9]{1,3}) ([0-9]{1,3}) (.*)", re.S)

Config = List[Tuple[str, Optional[str]]]
# A pair, or the content of a netrc.
Credentials = Union[Token, bytes]


@dataclass(frozen=True)
class Curl:
    """The curl of this host."""

    path: str
    version: str


@lru_cache(maxsize=None)
def find_curl() -> Curl:
    """The curl on the PATH. Raises `KeyfleetError` ``no_curl`` or ``old_curl``.

    Cached, since the process lives for one module run.
    """
    path = shutil.which("curl")
    if path is None:
        raise KeyfleetError("no_curl", "curl is not on the PATH of this host. Release downloads need it: install curl.")
    try:
        # There is no AnsibleModule here, hence no run_command.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [path, "-q", "--version"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            timeout=30,
        )
        text = done.stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise KeyfleetError("no_curl", f"{path} cannot be run: {exc}") from exc
    found = _VERSION.match(text)
    needed = ".".join(map(str, NEEDED))
    if found is None or tuple(map(int, found.groups())) < NEEDED:
        version = found.group(0) if found else f"{path}, whose version is unknown,"
        raise KeyfleetError(
            "old_curl",
            f"{version} is too old: install {needed} or newer; older versions read comments in a netrc as entries.",
        )
    if not re.search(r"^Protocols:.*\bhttps\b", text, re.M):
        raise KeyfleetError("old_curl", f"{path} was built without HTTPS. Install a curl with HTTPS.")
    return Curl(path, ".".join(found.groups()))


def _config_text(config: Config, mark: str) -> bytes:
    lines = [name if value is None else f"{name} = {_quoted(name, value)}" for name, value in config]
    # No line end before the mark: truncated headers would seem to end there.
    lines.append(f'write-out = "{mark} %{{http_code}} %{{http_connect}} %{{redirect_url}}"')
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def as_seconds(value: float) -> str:
    """Seconds as text for any version of curl: no exponent, and never 0, which means no limit."""
    return f"{max(value, 0.001):.3f}"


def _quoted(name: str, value: str) -> str:
    if "\0" in value or not (name in _ANY_CHARACTER or value.isprintable()):
        # A line end in a header or URL would begin another header or request.
        raise ValueError(f"the value of {name} has characters that cannot be sent")
    return '"' + "".join(_ESCAPES.get(char, char) for char in value) + '"'


class Body:
    """Receives the body of an answer and keeps it in memory. Subclasses may store it elsewhere."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def begin(self, headers: Dict[str, str]) -> None:
        """Called once the headers are complete."""

    def add(self, piece: bytes) -> bool:
        """Add a piece. False when no more is wanted."""
        self.kept += piece
        return len(self.kept) <= MOST


class HeaderLines:
    """The headers received so far of the final answer; those of interim answers (1xx) are dropped.

    As in curl, a line ends with a line feed, with or without a carriage return before it.
    """

    def __init__(self) -> None:
        self.values: Dict[str, str] = {}
        self.complete = False
        self.rest = bytearray()
        self._searched = 0
        self._size = 0

    @property
    def too_long(self) -> bool:
        """Whether the headers exceed `MOST_HEADERS` bytes."""
        return not self.complete and self._size > MOST_HEADERS

    def feed(self, piece: bytes) -> bool:
        """Add a piece. True once the headers are ``complete``; ``rest`` then holds the bytes after them."""
        self.rest += piece
        self._size += len(piece)
        begin = 0
        while not self.complete:
            end = self.rest.find(b"\n", max(begin, self._searched)) + 1
            if not end:
                break
            self._take(bytes(self.rest[begin:end]))
            begin = end
        del self.rest[:begin]
        self._searched = len(self.rest)
        return self.complete

    def _take(self, line: bytes) -> None:
        status = re.match(rb"HTTP/[0-9.]+ ([0-9]{3})", line)
        if status and "status" not in self.values:
            self.values["status"] = status.group(1).decode()
        elif "status" not in self.values:
            return
        elif line[:1] not in b"\r\n":
            name, colon, value = line.decode("latin-1").partition(":")
            key = name.rstrip().lower()
            # A line that begins with a blank continues the previous one. CGI programs send a header "Status".
            if colon and key != "status" and not key[:1].isspace():
                self.values[key] = value.strip()
        elif self.values["status"].startswith("1"):
            self.values = {}
        else:
            self.complete = True


class _Output:
    """Splits the output of curl into headers, body and, after the mark, the write-out text."""

    def __init__(self, sink: Body, mark: str) -> None:
        self.headers = HeaderLines()
        self.enough = False
        self._sink, self._mark = sink, f"{mark} ".encode()
        self._held = self.headers.rest

    def feed(self, piece: bytes) -> bool:
        """Add a piece. False when no more is wanted."""
        if self.headers.complete:
            self._held += piece
        elif self.headers.feed(piece):
            self._sink.begin(self.headers.values)
        self.enough = self.headers.too_long
        if self.headers.complete and len(self._held) >= _TAIL + _CHUNK:
            self.enough = not self._sink.add(bytes(self._held[:-_TAIL]))
            del self._held[:-_TAIL]
        return not self.enough

    def finish(self) -> bytes:
        """Called at the end of the output. Returns the write-out text, or nothing if there is none."""
        before, mark, facts = bytes(self._held).rpartition(self._mark)
        if self.headers.complete and not self.enough:
            self.enough = not self._sink.add(before if mark else facts)
        return facts if mark else b""


def run(
    curl: Curl, config: Config, netrc: Optional[bytes] = None, *, limit: float, body: Optional[Body] = None
) -> CurlEnd:
    """Run curl, for at most ``limit`` seconds, and return how it ended.

    ``netrc`` is the content of the netrc for curl; curl never opens a file that could be replaced meanwhile. It
    runs as the current user, so that no other account can trace it and read the proxy password.
    """
    mark = secrets.token_hex(16)
    sink = body or Body()
    output = _Output(sink, mark)
    until = time.monotonic() + limit + _GRACE
    config = [*config, *_proxies(), ("max-time", as_seconds(limit))]
    passed = []
    try:
        with ExitStack() as stack:
            if netrc is not None:
                file = stack.enter_context(tempfile.TemporaryFile())
                file.write(netrc)
                file.flush()
                passed.append(file.fileno())
                config.append(("netrc-file", f"/dev/fd/{file.fileno()}"))
            text = _config_text(config, mark)
            # run_command has no deadline and keeps all output in memory.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [curl.path, "-q", "-K", "-"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=_environment(),
                pass_fds=passed,
            )
    except OSError as exc:
        raise KeyfleetError("no_curl", f"{curl.path} cannot be run: {os.strerror(exc.errno or 0)}") from exc
    try:
        error = _communicate(process, text, output, until)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    facts = output.finish()
    exit_code, headers = process.returncode, output.headers
    if headers.too_long:
        exit_code, error = 63, f"the headers have more than {MOST_HEADERS} bytes"
    elif output.enough:
        # The body wanted no more; a caller that passed one knows why.
        exit_code, error = (0, "") if body else (63, f"over {MOST} bytes received")
    elif exit_code < 0:
        exit_code, error = 28, "curl did not end in time"
    elif exit_code == 0 and not headers.complete:
        exit_code, error = 8, "the answer has no headers"
    error = without_proxies(error.strip(), os.environ)
    return CurlEnd(exit_code, error, *_facts(facts, headers.values), headers.values, bytes(sink.kept), curl.version)


def _communicate(process: subprocess.Popen[bytes], text: bytes, output: _Output, until: float) -> str:
    """Send ``text`` to curl and read its output until it ends, ``output`` wants no more, or time is up.

    Returns its standard error. A process that keeps the pipes open does not extend the time.
    """
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    if stdin is None or stdout is None or stderr is None:
        raise ValueError("curl was started without pipes")
    error, rest = b"", memoryview(text)
    with stdin, stdout, stderr, selectors.DefaultSelector() as pipes:
        os.set_blocking(stdin.fileno(), False)
        pipes.register(stdin, selectors.EVENT_WRITE)
        pipes.register(stdout, selectors.EVENT_READ)
        pipes.register(stderr, selectors.EVENT_READ)
        while pipes.get_map() and time.monotonic() < until:
            for key, _events in pipes.select(until - time.monotonic()):
                if key.fileobj is stdin:
                    try:
                        rest = rest[os.write(key.fd, rest) :]
                    except BrokenPipeError:
                        rest = rest[:0]
                    if not rest:
                        pipes.unregister(stdin)
                        stdin.close()
                    continue
                piece = os.read(key.fd, _CHUNK)
                if not piece:
                    pipes.unregister(key.fileobj)
                elif key.fileobj is stderr:
                    error = (error + piece)[:_CHUNK]
                elif not output.feed(piece):
                    return ""
    return error.decode("utf-8", "replace")


def _facts(facts: bytes, headers: Dict[str, str]) -> Tuple[int, int, str]:
    """HTTP status, proxy status and redirect URL."""
    found = _FACTS.match(facts)
    if found is None:
        return int(headers.get("status", 0)), 0, ""
    http_status, proxy_status, redirect_url = found.groups()
    return int(http_status), int(proxy_status), _sendable(redirect_url.decode("utf-8", "replace"))


def _sendable(url: str) -> str:
    """A URL without credentials: curl puts the given pair into the URL of a relative redirect.

    "" for an invalid URL.
    """
    try:
        parts = urlsplit(url)
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        urlsplit(bare)
    except ValueError:
        return ""
    return bare if bare.isascii() and bare.isprintable() and " " not in bare else ""


def _proxies() -> Config:
    """The proxy options from the environment of the task."""
    named = [
        (option, next((os.environ[name] for name in names if name in os.environ), ""))
        for option, names in (("proxy", _PROXY), ("noproxy", _NO_PROXY))
    ]
    return [(option, value) for option, value in named if value]


def _environment() -> Dict[str, str]:
    """The environment for curl: of the task's variables only those that curl needs."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed, "LC_ALL": "C", "PATH": _PATH}


def fetch(service: Service, page: str, credentials: Credentials) -> CurlEnd:
    """Fetch a page below ``downloads_url`` into memory. Raises `KeyfleetError` ``no_curl`` or ``old_curl``."""
    token = credentials if isinstance(credentials, Token) else None
    netrc = credentials if isinstance(credentials, bytes) else None
    config = base_config(service, f"{service.url}/{page}", token)
    return run(find_curl(), config, netrc, limit=service.timeout)


def netrc_of(home: str) -> str:
    """The netrc in a home directory."""
    return os.path.join(home, ".netrc")


def own_netrc() -> str:
    """The netrc of the current user. As in curl, HOME has precedence over the user database."""
    return netrc_of(os.environ.get("HOME") or own_account().home)


def base_config(service: Service, url: str, token: Optional[Token] = None) -> Config:
    """The common options of every request. ``token`` is passed only for a URL below ``downloads_url``."""
    config: Config = [
        ("url", url),
        ("output", "-"),
        ("proto", "=https"),
        ("globoff", None),
        ("silent", None),
        ("show-error", None),
        ("dump-header", "-"),
        ("suppress-connect-headers", None),
        ("connect-timeout", as_seconds(service.timeout)),
    ]
    if not service.validate_certs:
        config.append(("insecure", None))
    if service.ca_path is not None:
        config.append(("cacert", service.ca_path))
    if token is not None:
        config.append(("user", f"{token.mage_id}:{token.secret}"))
    return config
