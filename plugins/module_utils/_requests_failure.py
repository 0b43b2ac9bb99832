# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an exception of requests and urllib3 comes down to, in words that are fit to be shown.

The words of the libraries are not: they quote addresses, headers and a proxy's password. Both libraries are imported
only here below, where an exception of theirs is at hand.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from typing import Iterator, List, Optional
from urllib.parse import urlsplit

from ansible_collections.keyfleet.magento.plugins.module_utils._conversation import forget_key_log
from ansible_collections.keyfleet.magento.plugins.module_utils._disguise import Quote
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._network_failure import explain, proxy_address, timed_out
from ansible_collections.keyfleet.magento.plugins.module_utils._verdict import Finding


def check_authorities(path: Optional[str]) -> None:
    """Raises for a file that requests would stumble over; it does take a directory of hashed names."""
    if not path or os.path.isdir(path):
        return
    try:
        forget_key_log()
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        missing = isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError)
        reason = os.strerror(error.errno or 0) if missing and isinstance(error, OSError) else "no certificates in it"
        raise KeyfleetError(
            "api_tls_failed",
            f"The CA certificates could not be read from {path} ({reason}). Look at the option ca_path.",
        ) from None


def never_connected(error: BaseException) -> bool:
    """Whether no connection came about, so that nothing was sent."""
    from urllib3.exceptions import ConnectTimeoutError

    return any(isinstance(one, ConnectTimeoutError) for one in _chain(error))


def what_happened(error: BaseException, *, url: str, timeout: float, quote: Quote) -> Finding:
    """The finding for an exception that a request to ``url`` ended in."""
    from urllib3.exceptions import TimeoutError as PoolTimeout

    host, proxy, chain = urlsplit(url).netloc, _proxy(url), list(_chain(error))
    if any(isinstance(one, PoolTimeout) for one in chain) and not _cause(chain, OSError):
        return timed_out(host, proxy, timeout)
    return explain(_root(chain), host, proxy, timeout, quote)


def _chain(error: Optional[BaseException]) -> Iterator[BaseException]:
    """The error and what it came from, wherever the libraries have put that."""
    todo: List[object] = [error]
    seen: List[int] = []
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.append(id(one))
            yield one
            todo += [getattr(one, "reason", None), getattr(one, "original_error", None), *one.args]
            todo += [one.__cause__, one.__context__]


def _cause(chain: List[BaseException], *kinds: type) -> Optional[BaseException]:
    """The first error of these kinds that is the system's own, not one of the libraries'."""
    from requests import RequestException

    own = (one for one in chain if isinstance(one, kinds) and not isinstance(one, RequestException))
    return next(own, None)


def _root(chain: List[BaseException]) -> BaseException:
    """What says most about the failure."""
    return (
        _cause(chain, ssl.SSLError)
        or _cause(chain, socket.timeout, OSError)
        or _cause(chain, http.client.HTTPException)
        or chain[-1]
    )


def _proxy(url: str) -> Optional[str]:
    """Host and port of the proxy that the environment names, without its credentials."""
    from requests.utils import get_environ_proxies

    found = get_environ_proxies(url)
    value = str(found.get("https") or found.get("all") or "")
    return proxy_address(value) if value else None
