# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate exceptions of the network libraries into findings that are safe to show. Pure."""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
import urllib.error
from typing import Mapping, Optional
from urllib.parse import unquote

from .._redact import Quote, quoting
from .outcome import Finding

_TLS_CAUSES = {
    9: ("the server's certificate is not valid yet", "Look at the clock of this host."),
    10: (
        "the server's certificate has expired",
        "It must be renewed on the server; look at the clock of this host, too.",
    ),
    18: ("the server's certificate is self-signed", ""),
    19: ("the server's certificate comes from a private CA that this host does not know", ""),
    20: ("the server's certificate comes from a CA that this host does not know", ""),
    21: ("the server's certificate comes from a CA that this host does not know", ""),
    62: ("the server's certificate is for another host name", "Check the option {url} and name resolution."),
    64: ("the server's certificate is for another address", "Check the option {url} and name resolution."),
}
_TLS_HINT = "Check the port in the option {url} and any proxy in between; TLS 1.2 or later is required."
# The form of a proxy's address that all clients parse alike. In other forms the password cannot be told from the rest.
_PROXY = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:(?P<user>[^@/?#\s]*)@)?"
    r"(?P<address>(?:[a-z0-9._-]+|\[[0-9a-f:.%]+\])(?::(?(user)[a-z0-9]*|[0-9]{1,5}))?)/*\Z",
    re.I,
)
_NO_REASON = "the reason is not shown"
_NOT_SHOWN = "the text contains the proxy's user name or password and is not shown"


def proxy_address(value: str) -> str:
    """Return host and port of a proxy, without its user name and password."""
    found = _PROXY.match(value)
    return found.group("address") if found else "that the environment names"


def without_proxies(text: str, environ: Mapping[str, str]) -> str:
    """Redact user names and passwords of the proxies in ``environ`` in a message of a client."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        value = environ.get(name, "")
        found = _PROXY.match(value)
        if found is None:
            words = re.split(r"[:/@?#\s]+", value)
            if any(word and (word in text or unquote(word) in text) for word in words):
                return _NOT_SHOWN
        elif found.group("user"):
            user = found.group("user")
            password = user.partition(":")[2]
            for secret in (user, password, unquote(password)):
                text = (quoting("", secret)(text) or _NOT_SHOWN) if text else ""
    return text


def timed_out(host: str, proxy: Optional[str], seconds: float) -> Finding:
    """Return the finding for an answer that did not arrive completely in time."""
    return Finding("timed_out", f"No complete answer from {_through(host, proxy)} within {seconds:g} seconds.")


def explain(error: BaseException, host: str, proxy: Optional[str], timeout: float, quote: Quote) -> Finding:
    """Return the finding for an exception. Its own text is not shown: it may hold a proxy's password or server text."""
    while isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    where = _through(host, proxy)
    tunnel = re.match(r"Tunnel connection failed: ([0-9]{3})", str(error))
    if tunnel:
        what = f"The proxy {proxy} refuses the connection to {host} (HTTP {tunnel.group(1)})."
        return Finding("proxy_failed", what, "", int(tunnel.group(1)))
    if isinstance(error, socket.timeout) or getattr(error, "errno", None) == errno.ETIMEDOUT:
        return timed_out(host, proxy, timeout)
    if isinstance(error, ssl.SSLCertVerificationError):
        cause, hint = _TLS_CAUSES.get(error.verify_code, ("", ""))
        cause = cause or f"the server's certificate was not accepted: {quote(error.verify_message) or _NO_REASON}"
        return Finding("tls_failed", f"No TLS connection to {where}: {cause}.", hint)
    if isinstance(error, ssl.SSLError) and "eof" not in str(error).lower():
        # Not `reason`: Python 3.7 gives errors of OpenSSL 3 the names of Kerberos faults.
        cause = quote(re.sub(r"\A\[[^]]*\] ?| ?\(_ssl\.c:[0-9]+\)\Z", "", str(error))) or _NO_REASON
        return Finding("tls_failed", f"No TLS connection to {where}: {cause}.", _TLS_HINT)
    lost = (ConnectionError, ssl.SSLError, http.client.IncompleteRead)
    if isinstance(error, lost) and not isinstance(error, ConnectionRefusedError):
        return Finding("connection_lost", f"The connection to {where} ended before the answer was complete.")
    if isinstance(error, http.client.HTTPException) and not isinstance(error, http.client.InvalidURL):
        return Finding("not_a_repository", f"The answer of {where} is not HTTP.")

    if proxy:
        return Finding("proxy_failed", f"The proxy {proxy} cannot be used ({_reason(error)}).")
    return Finding("connection_failed", f"No connection to {host} ({_reason(error)}).")


def _through(host: str, proxy: Optional[str]) -> str:
    return f"{host} through the proxy {proxy}" if proxy else host


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "the address or the answer cannot be used"
