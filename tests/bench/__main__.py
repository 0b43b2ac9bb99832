# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measures the collection, and writes .work/bench/bench.json, bench.md and bench.svg.

Measurements that are compared alternate (A B B A). Each must succeed, and its effect is asserted. The medians of the
processor time decide. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

if not __package__:
    # Run as a directory: Python puts that directory first in sys.path, where our files could hide other modules.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pyperf

from bench import cases, growth, lab, report, services
from bench.measure import Bench
from place import WORK

FUNCTIONS = (cases.module, cases.role, cases.fleet, cases.info, services.labels, services.rotation, services.transfer,
             growth.growth)  # fmt: skip
CASES = {function.__name__: function for function in FUNCTIONS}
MEBIBYTE = 1024 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="CASE", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument(
        "--pairs",
        type=int,
        default=10,
        help="how often each measurement is repeated; at most 3 times in fleet and growth, once for composer config",
    )
    parser.add_argument("--hosts", default="20,100,500", help="three numbers of hosts")
    parser.add_argument(
        "--quick", action="store_true", help="one pair, 1, 2 and 4 hosts, small files: to test the bench"
    )
    parser.add_argument("--output", type=Path, default=WORK / "bench", help="directory of the results")
    options = parser.parse_args()
    names = options.names or list(CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}; the cases are {', '.join(CASES)}")
    # So that a run that is ended removes its files.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Hosts are to compile what they import, as real ones do, see tests/compiled.
    os.environ.pop("PYTHONPATH", None)
    lab.enter_namespace()
    few, many, most = (1, 2, 4) if options.quick else map(int, options.hosts.split(","))
    with tempfile.TemporaryDirectory(prefix="kf-bench-") as directory:
        Path(directory).chmod(0o755)
        bench = Bench(
            Path(directory),
            1 if options.quick else options.pairs,
            (few, many, most),
            (4 if options.quick else 256) * MEBIBYTE,
            lab.in_namespace(),
        )
        for name in (name for name in CASES if name in names):
            CASES[name](bench)
            write(bench, options.output)
    report.plot(bench.suite, options.output / "bench.svg")
    print(f"\n{(options.output / 'bench.md').read_text()}")


def write(bench: Bench, output: Path) -> None:
    """Replaces the results by those of the cases so far, because a later case may fail."""
    output.mkdir(parents=True, exist_ok=True)
    pyperf.BenchmarkSuite(bench.suite).dump(str(output / "bench.json"), compact=False, replace=True)
    about = (f"{bench.pairs} pairs, {os.cpu_count()} processors, load at the end {os.getloadavg()[0]:.1f}, "
             f"ansible-core {version('ansible-core')}, hosts with {lab.PYTHON}.")  # fmt: skip
    (output / "bench.md").write_text(report.markdown(bench.suite, bench.notes, about))


if __name__ == "__main__":
    main()
