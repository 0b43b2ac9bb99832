# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every conversation that Python itself has with a server needs: an end, and no log of its session keys."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, List

_KEY_LOG = "SSLKEYLOGFILE"


@contextmanager
def no_key_log() -> Iterator[None]:
    """TLS contexts that are made within log no keys: Python and urllib3 look at the variable when they make one."""
    name = os.environ.pop(_KEY_LOG, None)
    try:
        yield
    finally:
        if name is not None:
            os.environ[_KEY_LOG] = name


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
