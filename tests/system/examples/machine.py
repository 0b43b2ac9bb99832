# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine in separate mount and network namespaces without a network: the users `deploy` and `www-data`, and
empty homes; if ``trusting``, with the real host names on the loopback interface and the CA of the simulator."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from place import ROOT
from simulator.authority import NAMES

HYVA = "hyva-themes.repo.packagist.com"
USERS = {"root": (0, "/home/root"), "deploy": (61001, "/home/deploy"), "www-data": (33, "/var/www")}
"""User ids, which are group ids too, and homes."""
HOSTS = [name for name in (*NAMES, HYVA) if name[0].isalpha() and name != "localhost"]
# Required directories may be below the replaced ones ($@). /tmp comes last, since $top may be below it. The source tree
# is read-only, so that an example that installs the collection cannot change it.
NAMESPACES = """\
top=$1 collection=$2; shift 2
for entry in /var/*; do
    if [ -L "$entry" ]; then cp -P "$entry" "$top$entry"
    elif [ -d "$entry" ] && [ "$entry" != /var/www ]; then set -- "$@" "$entry"; fi
done
for kept; do
    [ -d "$top/${kept#/}" ] || mkdir -p "$top/${kept#/}"
    mount --rbind "$kept" "$top/${kept#/}"
done
for name in etc home srv usr/local/share/ca-certificates var tmp; do mount --rbind "$top/$name" "/$name"; done
mount --bind -o ro "$collection" "$collection"
ip link set lo up
ip address add 192.0.2.10/32 dev lo
echo ready
exec cat
"""


@contextlib.contextmanager
def namespaces(machine: Path, *, trusting: bool) -> Iterator[tuple[Path, int]]:
    """The directory with the replaced directories, and the process ID of a process in the namespaces."""
    top = Path(tempfile.mkdtemp(prefix="kf-world-"))
    top.chmod(0o755)
    for name in ("home/root", "home/deploy", "srv", "tmp", "usr/local/share", "var/www"):
        (top / name).mkdir(parents=True)
    os.chown(top / "home/deploy", USERS["deploy"][0], USERS["deploy"][0])
    (top / "tmp").chmod(0o1777)
    shutil.copytree("/usr/local/share/ca-certificates", top / "usr/local/share/ca-certificates")
    subprocess.run(["cp", "--archive", machine / ("trusting" if trusting else "etc"), top / "etc"], check=True)
    if trusting:
        shutil.copytree(machine / "simulator", top / "srv/simulator")
    replaced = ("/home/", "/srv/", "/tmp/", "/var/")
    kept = {path for path in (str(ROOT), sys.prefix, sys.base_prefix) if path.startswith(replaced)}
    process = subprocess.Popen(
        ["unshare", "--mount", "--net", "sh", "-ec", NAMESPACES, "sh", str(top), str(ROOT), *sorted(kept)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stdout.readline() == "ready\n"
    try:
        yield top, process.pid
    finally:
        process.communicate()
        shutil.rmtree(top)
