# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Common rules for connections made by Python: a time limit, no cookies, and no TLS key log."""

from __future__ import annotations

import http.cookiejar
import os
import socket
import threading
from typing import Callable, List


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
