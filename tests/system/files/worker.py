# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Separate processes that each add entries to one file, for the tests of files.

`python -S -s -B worker.py` reads one job per line, forks for it and prints the process id. The child
waits for SIGUSR1 (so that strace can attach first, or many can start at once), runs the job and writes its result to a
file. Starting an interpreter for each of several hundred runs would take minutes.

The calls of getsid mark the beginning and the end of the work in the log of strace.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
from typing import Any

from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json, edit
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import observe
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Ownership, Transform, Wanted
from ansible_collections.keyfleet.magento.plugins.module_utils._files.write import apply


def adding(host: str) -> Transform:
    """A transform that adds an entry for a host."""

    def transform(data: bytes | None) -> bytes:
        document = {} if data is None else auth_json.parse(data)
        wanted = edit.with_entry(document, repository=host, username="0" * 32, password="f" * 32)
        return data if data is not None and wanted == document else edit.serialise(wanted, like=data)

    return transform


def work(job: dict[str, Any]) -> dict[str, object]:
    """Adds an entry for each host of the job, one after the other; with ``look``, only returns the existing hosts."""
    if "act_as" in job:
        os.setgroups([])
        os.setgid(pwd.getpwuid(job["act_as"]).pw_gid)
        os.setuid(job["act_as"])
    ownership = Ownership(job.get("uid"), job.get("gid"), job.get("mode", 0o600))
    changed = []
    try:
        if "look" in job:
            os.getsid(0)
            state = observe(job["path"], parse=auth_json.parse)
            os.getsid(0)
            return {"hosts": [entry.repository for entry in auth_json.entries(auth_json.parse(state.data or b"{}"))]}
        for host in job["hosts"]:
            wanted = Wanted(
                job["path"],
                adding(host),
                ownership,
                make_directory=job.get("make_directory", False),
                user=job.get("user"),
            )
            os.getsid(0)
            changes = apply([wanted], settle=job.get("settle", 0.25), lock_timeout=job.get("lock_timeout", 30.0))
            os.getsid(0)
            changed.append(changes[0].changed)
    except KeyfleetError as exc:
        return {"code": exc.code, "message": exc.message, "ids": [os.geteuid(), os.getegid(), os.getgroups()]}
    return {"changed": changed, "ids": [os.geteuid(), os.getegid(), os.getgroups()]}


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                result = os.open(job["result"], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                signal.sigwait({signal.SIGUSR1})
                answer = json.dumps(work(job)).encode()
                os.write(result, answer)
                status = 0
            finally:
                os._exit(status)
        print(child, flush=True)


if __name__ == "__main__":
    main()
