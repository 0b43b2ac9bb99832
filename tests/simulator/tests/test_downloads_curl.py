# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated release downloads as the real curl sees them: resumed, cut, stalled, corrupted, and untrusted."""

from __future__ import annotations

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from simulator.client import Simulator
from simulator.downloads import PREFIX
from simulator.start_data import BIG_FILE

INFO = f"{PREFIX}/info"


def fetch(simulator: Simulator, name: str, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The real curl, with its configuration on standard input; prints status and number of bytes received."""
    user, token = simulator.token("shop")
    lines = [
        f'url = "{simulator.downloads_url}/file/{name}"',
        f'user = "{user}:{token}"',
        f'cacert = "{simulator.ca_path}"',
        f'output = "{output}"',
        'write-out = "%{http_code} %{size_download}"',
        'noproxy = "*"',
        "silent",
        "show-error",
        "fail",
    ]
    command = ["curl", "-q", "-K", "-", *options]
    return subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, check=False)


def sha256(path: Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.needs("curl")
def test_curl_resumes_the_big_file_after_two_cuts(simulator: Simulator, tmp_path: Path) -> None:
    output, known = tmp_path / "big.zip", simulator.download(BIG_FILE)
    simulator.add_fault("truncate", path="*/file/*", after_bytes=20_000_000, count=1)
    simulator.add_fault("reset", path="*/file/*", after_bytes=30_000_000, count=1)
    runs = [fetch(simulator, BIG_FILE, output, "-C", "-") for _turn in range(3)]
    assert runs[0].returncode == 18
    assert runs[1].returncode in {18, 56}
    assert (runs[2].returncode, runs[2].stdout.split()[0]) == (0, "206")
    assert (output.stat().st_size, sha256(output)) == (known["size"], known["sha256"])
    assert hashlib.md5(output.read_bytes()).hexdigest() == known["md5"]
    assert zipfile.ZipFile(output).testzip() is None
    logged = simulator.requests()
    assert [(entry["status"], entry["complete"]) for entry in logged] == [(200, False), (206, False), (206, True)]
    assert [entry["range"] for entry in logged][:2] == [None, "bytes=20000000-"]
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{simulator.pid}/status").read_text())
    assert peak is not None
    assert int(peak[1]) < 120_000, "the big file must not be held in memory"


@pytest.mark.needs("curl")
def test_every_fault_of_a_transfer_reaches_curl(simulator: Simulator, tmp_path: Path) -> None:
    for kind, fields, code in (
        ("status", {"status": 503}, 22),
        ("stall", {"after_bytes": 1000}, 28),
        ("reset", {}, 56),
        ("corrupt", {"after_bytes": 5_000_000}, 0),
    ):
        simulator.clear_faults()
        simulator.add_fault(kind, path="*/file/*", **fields)
        run = fetch(simulator, BIG_FILE, tmp_path / kind, "--speed-time", "1", "--speed-limit", "1000")
        assert run.returncode == code, (kind, run)
    known = simulator.download(BIG_FILE)
    assert (tmp_path / "corrupt").stat().st_size == known["size"]
    assert sha256(tmp_path / "corrupt") != known["sha256"]


@pytest.mark.needs("curl")
def test_self_signed_port_fails_only_tls(simulator: Simulator) -> None:
    user, token = simulator.token("shop")
    config = f'url = "https://{simulator.self_signed_address}{INFO}/help"\nuser = "{user}:{token}"\nnoproxy = "*"\n'
    command = ["curl", "-q", "-K", "-", "--silent", "--cacert", simulator.ca_path]
    run = subprocess.run(command, input=config, text=True, capture_output=True, check=False)
    assert (run.returncode, run.stdout) == (60, "")
    run = subprocess.run([*command, "--insecure"], input=config, text=True, capture_output=True, check=False)
    assert run.stdout.startswith("Downloads Usage:")


@pytest.mark.needs("curl")
def test_curl_cannot_resume_if_ranges_are_ignored(simulator: Simulator, tmp_path: Path) -> None:
    simulator.set_switch("downloads_ranges", False)
    output = tmp_path / "small.zip"
    output.write_bytes(b"PK")
    assert fetch(simulator, "Magento-CE-2.3.2.zip", output, "-C", "-").returncode == 33
    assert fetch(simulator, "Magento-CE-2.3.2.zip", output).returncode == 0
    assert sha256(output) == simulator.download("Magento-CE-2.3.2.zip")["sha256"]
