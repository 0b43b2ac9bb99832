# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors for failed calls of the Marketplace API, from answers and exceptions, with messages that are safe to show.

Messages of requests and urllib3 are not safe: they quote addresses, headers and a proxy's password. Both libraries are
imported only in functions that handle their exceptions.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
from typing import Any, Iterator, List, Optional
from urllib.parse import urlsplit

from .._errors import KeyfleetError
from .._redact import TEXT_LIMIT, Secrets, unescaped
from .._repository.failures import explain, proxy_address, timed_out
from .._repository.session import forget_key_log
from .._repository.verdict import message_of
from .._text import json_object, one_line

# Parts of keys (also in base64 or with hyphens) and of tokens.
_MACHINE_MADE = re.compile(r"[0-9a-f]{12,}|[0-9a-z_=-]{24,}", re.IGNORECASE)
_CODE = re.compile(r"[0-9]{1,9}\Z")
_CODES = {403: "api_forbidden", 429: "api_rate_limited"}
# The server or a proxy stopped waiting; the call may still be carried out.
_TIMED_OUT = (408, 425, 499)
_HINTS = {
    "api_unauthorized": (
        "Check application_id, application_secret and environment; package keys do not work with this API."
    ),
    "api_session_refused": "The session was new: look for an outage, or a proxy or filter in between.",
    "api_forbidden": "The account may lack a developer profile, or the uid does not belong to it.",
    "api_rate_limited": "Run again later.",
    "api_unavailable": "The fault is on the server: run again later.",
    "api_redirected": "Nothing was sent there. Check api_url, and look for a sign-in or maintenance page in between.",
}


class Redactor:
    """Makes text of the server safe to show: one line of limited length, without secrets.

    The secrets of the session are known. Private keys may be unknown, since any answer may contain one.
    """

    def __init__(self, application_id: str, application_secret: str) -> None:
        self._pairs = [(application_id, application_secret)]
        self._application = Secrets(self._pairs, shortest=1)
        self._tokens = Secrets(())

    def hide(self, token: str) -> None:
        """Redact this token, too."""
        self._pairs.append(("", token))
        self._tokens = Secrets(self._pairs[1:])

    def shown(self, text: object) -> str:
        """The redacted text; "" for other types, and for text with a secret of the session."""
        if not isinstance(text, str):
            return ""
        line = one_line(text)
        # Before masking: a partly masked secret would not be recognized.
        if self._application.occur_in(line) or self._tokens.occur_in(line):
            return ""
        shown = one_line(_MACHINE_MADE.sub("***", line), TEXT_LIMIT)
        return "" if any(map(_MACHINE_MADE.search, unescaped(shown))) else shown

    def repeats(self, text: str) -> bool:
        """Whether ``text``, a list of values, contains a part of the application secret or of a token."""
        return Secrets(self._pairs, in_lists=True).occur_in(text)


def number(value: Any) -> Optional[int]:
    """A code of the API as a number, or None. A longer number could be a secret."""
    if isinstance(value, str) and _CODE.match(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9 else None


def unreadable(doing: str, why: str, *, lost: bool = True) -> KeyfleetError:
    """The error for an unusable answer. ``lost``: the call may have been carried out; only `create` looks at it."""
    words = f"Cannot {doing}: the Marketplace's answer cannot be used ({why})."
    return KeyfleetError("api_answer_unusable", words, answer_lost=lost)


def item_refused(doing: str, code: Optional[int], message: str) -> KeyfleetError:
    """The error for an item of a batch, with the code of the API."""
    said = f" {message}" if message else ""
    words = f"Cannot {doing}: the Marketplace refuses (code {'none' if code is None else code}).{said}"
    return KeyfleetError("api_refused", words, api_code=code, http_status=None)


def refused(
    doing: str, status: int, body: bytes, retry_after: str, redactor: Redactor, *, signing_in: bool = False
) -> KeyfleetError:
    """The error for a failed call. ``answer_lost``: the server may have carried it out although it failed."""
    content = json_object(body) or {}
    code = number(content.get("code"))
    if status >= 500:
        name = "api_unavailable"
    elif status == 401:
        name = "api_unauthorized" if signing_in else "api_session_refused"
    elif 300 <= status < 400:
        name = "api_redirected"
    else:
        name = _CODES.get(status, "api_refused")
    numbers = f"HTTP {status}" if code is None else f"HTTP {status}, code {code}"
    said = redactor.shown(content.get("message"))
    wait = redactor.shown(retry_after) if status in (429, 503) else ""
    parts = [
        f"Cannot {doing}: the Marketplace answers {numbers}.",
        f'It says: "{said}".' if said else "",
        f"It asks for a pause (Retry-After: {wait})." if wait else "",
        _HINTS.get(name, ""),
    ]
    words = " ".join(part for part in parts if part)
    lost = not signing_in and (status >= 500 or status in _TIMED_OUT)
    return KeyfleetError(name, words, api_code=code, http_status=status, answer_lost=lost)


def check_authorities(path: Optional[str]) -> None:
    """Raises `KeyfleetError` ``api_tls_failed`` for an unusable CA file. A directory is not checked."""
    if not path or os.path.isdir(path):
        return
    try:
        forget_key_log()
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        cause = None if isinstance(error, (ssl.SSLError, ValueError)) else error.errno
        reason = os.strerror(cause) if cause else "no certificates in it"
        words = f"The CA certificates could not be read from {path} ({reason}). Check the option ca_path."
        raise KeyfleetError("api_tls_failed", words) from None


def never_connected(error: BaseException) -> bool:
    """Whether no connection was established, so that nothing was sent."""
    from urllib3.exceptions import ConnectTimeoutError

    return any(isinstance(one, ConnectTimeoutError) for one in _chain(error))


def unreachable(error: BaseException, doing: str, *, url: str, timeout: float, redactor: Redactor) -> KeyfleetError:
    """The error for an exception of a request to ``url``."""
    from urllib3.exceptions import TimeoutError as PoolTimeout

    host, proxy, chain = urlsplit(url).netloc, _proxy(url), list(_chain(error))
    if any(isinstance(one, PoolTimeout) for one in chain) and not _cause(chain, OSError):
        finding = timed_out(host, proxy, timeout)
    else:
        # The most informative error.
        causes = (_cause(chain, kind) for kind in (ssl.SSLError, OSError, http.client.HTTPException))
        finding = explain(next(filter(None, causes), chain[-1]), host, proxy, timeout, redactor.shown)
    code = {"tls_failed": "api_tls_failed", "proxy_failed": "api_proxy_failed"}.get(finding.code, "api_unreachable")
    words = f"Cannot {doing}: {message_of(finding, url='api_url')}"
    return KeyfleetError(code, words, answer_lost=not never_connected(error))


def _chain(error: Optional[BaseException]) -> Iterator[BaseException]:
    """The error and its causes, wherever the libraries store them."""
    todo: List[object] = [error]
    seen: List[int] = []
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.append(id(one))
            yield one
            todo += [getattr(one, "reason", None), getattr(one, "original_error", None), *one.args]
            todo += [one.__cause__, one.__context__]


def _cause(chain: List[BaseException], kind: type) -> Optional[BaseException]:
    """The first error of this kind that does not come from the libraries."""
    from requests import RequestException

    return next((one for one in chain if isinstance(one, kind) and not isinstance(one, RequestException)), None)


def _proxy(url: str) -> Optional[str]:
    """Host and port of the proxy that the environment names, without its credentials."""
    from requests.utils import get_environ_proxies

    found = get_environ_proxies(url)
    value = str(found.get("https") or found.get("all") or "")
    return proxy_address(value) if value else None
