# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS requests with the keys to one repository, within a time limit.

Imported only for a request, since the import takes a good part of the time of a ``ping``. `Session` does not raise for
a fault of the server or network; it returns a `Finding`.
"""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import os
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from typing import Any, Callable, List, Optional, Tuple, Union
from urllib.parse import quote as percent_encode
from urllib.parse import urljoin, urlsplit, urlunsplit

from .._argspec import Connection
from .._redact import Quote
from .failures import explain, proxy_address, timed_out
from .outcome import Finding, HttpAnswer
from .verdict import opens_object


def forget_key_log() -> None:
    """Stop new TLS contexts from logging keys: Python and urllib3 read SSLKEYLOGFILE when they create one.

    Permanent, since a late request may create a context after the caller has abandoned it.
    """
    os.environ.pop("SSLKEYLOGFILE", None)


def no_cookies() -> http.cookiejar.CookiePolicy:
    """A policy that accepts no cookies, so that none is sent back, and parses none, which would take long."""
    return http.cookiejar.DefaultCookiePolicy(netscape=False, rfc2965=False)


def in_time(work: Callable[[], None], seconds: float) -> None:
    """Run ``work`` for at most ``seconds``. Raises its exception, or ``socket.timeout`` if it takes longer.

    A socket timeout covers neither name resolution nor a server that sends single bytes slowly. Work that takes longer
    is not stopped: the caller must no longer use any of its objects.
    """
    failures: List[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised in the caller's thread below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if failures:
        raise failures[-1]
    if thread.is_alive():
        raise socket.timeout()


AnswerOrFinding = Union[HttpAnswer, Finding]

# Some hosts reject unknown programs, so the name that they know comes first.
USER_AGENT = "Composer/2 (compatible; keyfleet.magento for Ansible)"
MOST_REDIRECTS = 5
_CHUNK = 16 * 1024
# Bytes of an answer that is read only for its message.
_MOST_TEXT = 64 * 1024
# Bytes of a file. A provider include of a full account has some megabytes.
_MOST_BODY = 16 * 1024 * 1024
_GZIP = b"\x1f\x8b"
# Characters of an address from a repository that need no percent-encoding in a request.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


class Damaged(Exception):
    """A body that cannot be unpacked or is too large; the message is safe to show."""


class Session:
    """Requests to one origin; the keys, a public and a private one, are never sent to another.

    ``limit``: seconds for all requests together.
    """

    def __init__(self, url: str, keys: Tuple[str, str], quote: Quote, connection: Connection, limit: float) -> None:
        # The Marketplace client uses this file without these.
        from ansible.module_utils.urls import Request, make_context

        self._origin = _origin(url)
        self._host = urlsplit(url).hostname or ""
        self._quote = quote
        self._timeout = connection.timeout
        self._limit = limit
        self._end = time.monotonic() + limit
        self._proxy = _proxy(urlsplit(url).netloc) if connection.use_proxy else None
        self._broken: Optional[Finding] = None
        try:
            forget_key_log()
            context = make_context(cafile=connection.ca_path, validate_certs=connection.validate_certs)
            _refuse_old_tls(context)
        except OSError as error:
            missing = error.errno and not isinstance(error, ssl.SSLError)
            reason = os.strerror(error.errno or 0) if missing else "no certificates in it"
            what = f"The CA certificates could not be read from {connection.ca_path or 'this host'} ({reason})."
            self._broken = Finding("tls_failed", what, "Check the option ca_path.")
            return
        self._request = Request(
            context=context,
            use_proxy=connection.use_proxy,
            url_username=keys[0],
            url_password=keys[1],
            force_basic_auth=True,
            use_netrc=False,
            follow_redirects="none",
            decompress=False,
            http_agent=USER_AGENT,
            cookies=http.cookiejar.CookieJar(no_cookies()),
        )

    def get(self, url: str, *, whole: bool) -> AnswerOrFinding:
        """Return the answer for ``url``: with ``whole`` the body, else enough of it to tell a JSON object."""
        if self._broken is not None:
            return self._broken
        box: List[Union[HttpAnswer, Finding]] = []
        with contextlib.suppress(socket.timeout):
            in_time(lambda: box.append(self._follow(url, whole, box)), self._end - time.monotonic())
        return box[-1] if box else timed_out(self._host, self._proxy, self._limit)

    def _follow(self, url: str, whole: bool, box: List[Any]) -> AnswerOrFinding:
        location = ""
        for _attempt in range(1 + MOST_REDIRECTS):
            try:
                url = _sendable(urljoin(url, location))
                origin = _origin(url)
            except ValueError:
                return Finding("not_a_repository", f"{self._host} refers to an address that cannot be used.")
            if origin != self._origin or "@" in urlsplit(url).netloc:
                other = self._quote(f"{origin[0]}://{origin[1]}" + (f":{origin[2]}" if origin[2] else ""))
                what = f"{self._host} redirects to {other or 'another address'}."
                return Finding("redirected", what)
            outcome = self._send(url, whole, box)
            if not isinstance(outcome, str):
                return outcome
            location = outcome
        return Finding("redirected", f"{self._host} redirects too many times.", "Check the option {url}.")

    def _send(self, url: str, whole: bool, box: List[Any]) -> Union[AnswerOrFinding, str]:
        """Return the outcome of one request, or the address that it redirects to."""
        headers = {"Accept-Encoding": "gzip" if whole else "identity"}
        timeout = min(self._timeout, max(0.001, self._end - time.monotonic()))
        try:
            try:
                response = self._request.open("GET", url, headers=headers, timeout=timeout)
            except urllib.error.HTTPError as error:
                # Read within this block: the response is closed with the exception.
                with error:
                    return self._receive(error.fp, error.code, whole, box)
            with response:
                return self._receive(response, response.status, whole, box)
        except Damaged as damage:
            return Finding("not_a_repository", f"{self._host}: {damage}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() > self._end
            return explain(error, self._host, self._proxy, self._limit if late else self._timeout, self._quote)

    def _receive(self, response: Any, status: int, whole: bool, box: List[Any]) -> Union[AnswerOrFinding, str]:
        headers = response.headers
        location = headers.get("Location")
        if status in (301, 302, 303, 307, 308) and location:
            return str(location)
        answer = HttpAnswer(status, b"", headers.get("Content-Type") or "", headers.get("Retry-After") or "")
        if status == 200:
            return answer._replace(body=self._body(response, _MOST_BODY if whole else _MOST_TEXT, whole))
        # The status decides the verdict. A slow or lost body must not change it.
        box.append(answer)
        try:
            return answer._replace(body=self._body(response, _MOST_TEXT, True))
        except (OSError, http.client.HTTPException, Damaged):
            return answer

    def _body(self, response: Any, most: int, whole: bool) -> bytes:
        """Return the decoded body, or its beginning unless ``whole``. ``read1`` returns available bytes at once."""
        expected: Optional[int] = response.length
        raw, body, unpacker = 0, bytearray(), _Unpacker()
        while expected is None or raw < expected:
            if time.monotonic() > self._end:
                raise socket.timeout()
            chunk = response.read1(_CHUNK if expected is None else min(_CHUNK, expected - raw))
            if not chunk:
                break
            raw += len(chunk)
            body += unpacker.feed(chunk)
            if not whole and (len(body) > most or opens_object(bytes(body)) is not None):
                return bytes(body)
            if len(body) > most:
                raise Damaged(f"a file has more than {most >> 20} MiB.")
        if (expected is not None and raw < expected) or unpacker.incomplete:
            raise http.client.IncompleteRead(b"")
        return bytes(body)


class _Unpacker:
    """Decompresses a body that begins like gzip, regardless of the headers: no JSON begins like that."""

    def __init__(self) -> None:
        self._inflate: Any = None
        self._plain = False
        self._rest = b""

    @property
    def incomplete(self) -> bool:
        """Whether the end of the last member is missing."""
        return self._inflate is not None and not self._inflate.eof

    def feed(self, chunk: bytes) -> bytes:
        """The content of the next bytes. The time is linear, since they are few: each member copies those after it."""
        if self._plain:
            return chunk
        chunk, self._rest, content = self._rest + chunk, b"", bytearray()
        try:
            # gzip may consist of several members; other bytes after a member are padding.
            while chunk:
                if self.incomplete:
                    content += self._inflate.decompress(chunk)
                    chunk = self._inflate.unused_data
                elif chunk.startswith(_GZIP):
                    self._inflate = zlib.decompressobj(31)
                elif _GZIP.startswith(chunk):
                    self._rest, chunk = chunk, b""
                else:
                    self._plain = self._inflate is None
                    return chunk if self._plain else bytes(content)
        except zlib.error:
            raise Damaged("a compressed file cannot be unpacked.") from None
        return bytes(content)


def _origin(url: str) -> Tuple[str, str, Optional[int]]:
    """Return scheme, host and port, None for the default port. Raises ValueError for an invalid address."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host")
    port = parts.port
    return parts.scheme, parts.hostname, None if port == 443 and parts.scheme == "https" else port


def _sendable(url: str) -> str:
    """Return the address without fragment. Characters that are not allowed in a request are percent-encoded."""
    parts = urlsplit(url)
    path, query = (percent_encode(text, safe=_SAFE) for text in (parts.path, parts.query))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _proxy(netloc: str) -> Optional[str]:
    """Return host and port of the proxy that urllib will use, without its credentials."""

    value = urllib.request.getproxies().get("https")
    if not value or urllib.request.proxy_bypass(netloc):
        return None
    return proxy_address(value)


def _refuse_old_tls(context: Any) -> None:
    if hasattr(context, "minimum_version"):
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    else:  # Python 3.7 with an OpenSSL before 1.1.0g
        context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
