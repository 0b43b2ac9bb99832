# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how long it takes to write N entries to one auth.json: `python tests/bench/entries.py [N]`.

Compares `composer config`, called once for each entry as users do today, with one execution of magento_auth_key for
all entries and a second one that changes nothing. The module runs as on a managed host, without a connection. The
results are only printed. Run the script in an environment with ansible-core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
MODULE = "ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key"


def seconds(command: list[str], **options: Any) -> float:
    """Returns the wall time of a command, which must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    return time.perf_counter() - start


def by_composer(home: Path, count: int) -> float:
    """Runs Composer once for each entry."""
    environment = dict(os.environ, COMPOSER_HOME=str(home), COMPOSER_ALLOW_SUPERUSER="1")
    command = ["composer", "--no-interaction", "config", "--global"]
    return sum(
        seconds([*command, f"http-basic.host{n}.example.test", "made-up", f"made-up-{n}"], env=environment)
        for n in range(count)
    )


def by_module(home: Path, collections: Path, count: int) -> float:
    """Runs the module once for all entries."""
    keys = [
        {
            "repository": f"host{n}.example.test",
            "public_key": "made-up",
            "private_key": f"made-up-{n}",
            "paths": [str(home / "auth.json")],
        }
        for n in range(count)
    ]
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"keys": keys, "verify": "never"}}).encode()
    environment = dict(os.environ, PYTHONPATH=str(collections))
    return seconds([sys.executable, "-m", MODULE], input=arguments, env=environment)


def main() -> None:
    """Prints one line for each measurement."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        namespace = base / "path" / "ansible_collections" / "keyfleet"
        namespace.mkdir(parents=True)
        (namespace / "magento").symlink_to(ROOT)
        homes = [base / "composer", base / "module"]
        for home in homes:
            home.mkdir(mode=0o700)
        print(f"{count} entries into one file")
        print(f"composer config, {count} calls   {by_composer(homes[0], count):7.2f} s")
        print(f"magento_auth_key, one execution   {by_module(homes[1], base / 'path', count):7.2f} s")
        print(f"second execution, unchanged       {by_module(homes[1], base / 'path', count):7.2f} s")
        counts = [len(json.loads((home / "auth.json").read_text())["http-basic"]) for home in homes]
        print(f"entries in the files afterwards: {counts[0]} and {counts[1]}")


if __name__ == "__main__":
    main()
