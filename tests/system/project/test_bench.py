# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench` measures, asserts what it has measured, and writes all of its files. No time is compared."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from place import ROOT

TARGETS = {
    "module: magento_auth_key, converged / ping": "<= 1.2",
    "role: converged / ping, per host": "<= 1.3",
    "role: converged / template role, one file, per host": "<= 0.45",
    "role: changing / ping, per host": "<= 1.4",
    "transfer: loopback, throughput, magento_release / curl": ">= 0.97",
    "transfer: loopback, throughput, magento_release / curl, per byte, without the MD5": ">= 0.97",
}


def bench(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "bench", f"BENCH={' '.join(map(str, words))}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.needs("make", "curl")
def test_bench_writes_every_figure(tmp_path: Path) -> None:
    done = bench("--quick", "--output", tmp_path, "module", "role", "transfer", "growth")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kf-bench" not in Path("/proc/self/mounts").read_text() and "kfbench" not in Path("/etc/passwd").read_text()
    suite = json.loads((tmp_path / "bench.json").read_text())
    found = {item["metadata"]["name"]: item for item in suite["benchmarks"]}
    assert {name: found[name]["metadata"]["target"] for name in TARGETS} == TARGETS
    assert all(run["values"] and min(run["values"]) > 0 for item in found.values() for run in item["runs"])
    assert {"module: ping, wall", "role: changing, 2 hosts", "transfer: MD5 alone, loopback, 4 MiB"} <= set(found)
    assert "role: floor / ping, per host" in found
    text = (tmp_path / "bench.md").read_text()
    limited = [name for name in found if name.startswith("transfer: 1 Gbit/s, throughput")]
    assert len(limited) == (0 if "Not measured: transfer: 1 Gbit/s" in text else 3), text
    assert text in done.stdout
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["module", "role", "transfer", "growth"]
    for name, target in TARGETS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {name.partition(': ')[2]} | ratio |"))
        assert re.search(rf"\| {re.escape(target)} \| (met|missed) \|$", row), row
    growth = text.partition("## growth")[2].splitlines()[4:]
    assert len(growth) > 30 and all(len(re.findall(r"[0-9] (?:met|missed) \|", line)) == 2 for line in growth), growth
    assert "composer config" in text
    assert (tmp_path / "bench.svg").read_text().count("<svg") == 1


@pytest.mark.needs("make")
def test_an_unknown_case_is_an_error() -> None:
    done = bench("no-such-case")
    assert done.returncode != 0 and "the cases are module, role, fleet" in done.stderr
