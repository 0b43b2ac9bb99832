# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one of the services until interrupted: `python -m system.services.serve kv2|gitlab --directory D ...`."""

from __future__ import annotations

import argparse
import contextlib
import threading
from pathlib import Path

from .gitlab import GitLab
from .kv2 import KV2
from .serving import Service, serving

SERVICES: dict[str, type[Service]] = {"gitlab": GitLab, "kv2": KV2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=SERVICES)
    for name in ("directory", "listen", "name", "token"):
        parser.add_argument(f"--{name}", required=True)
    wanted = parser.parse_args()
    host, _colon, port = wanted.listen.rpartition(":")
    service = SERVICES[wanted.service](wanted.token)
    with (
        contextlib.suppress(KeyboardInterrupt),
        serving(service, Path(wanted.directory), (host, int(port)), (wanted.name,)),
    ):
        threading.Event().wait()


if __name__ == "__main__":
    main()
