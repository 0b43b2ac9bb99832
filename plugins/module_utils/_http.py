# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every conversation that Python itself has with a server needs: an end, no cookies, and no log of its keys."""

from __future__ import annotations

import http.cookiejar
import os
import socket
import threading
from typing import Callable, List


def forget_key_log() -> None:
    """TLS contexts that are made from now on log no keys: Python and urllib3 look at the variable when they make one.

    For good: a request that is late may make one after the caller has given it up.
    """
    os.environ.pop("SSLKEYLOGFILE", None)


def no_cookies() -> http.cookiejar.CookiePolicy:
    """For a jar that takes none, so that nothing of a server's is sent back; nor reads them, which takes long."""
    return http.cookiejar.DefaultCookiePolicy(netscape=False, rfc2965=False)


def in_time(work: Callable[[], None], seconds: float) -> None:
    """Do it within so many seconds. Raises what it raises, and ``socket.timeout`` when it takes longer.

    A socket's own timeout covers neither name resolution nor a server that sends a byte now and then. Work that takes
    longer is not ended, but left to itself: nothing that it uses may be used any more.
    """
    failures: List[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # handed over to the caller below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if failures:
        raise failures[-1]
    if thread.is_alive():
        raise socket.timeout()
