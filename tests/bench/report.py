# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as JSON, Markdown and a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pyperf

COLUMNS = ("figure", "unit", "median", "quartiles", "values", "wall, median", "target", "")
BARS = {"ping": "ping", "floor": "ping in a role\nlike this", "converged": "role, converged",
        "changing": "role, changing",
        "template role, one file": "template role,\none file", "template role, all files": "template role,\nall files",
        "composer config": "composer config,\nall files"}  # fmt: skip


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def verdict(figure: pyperf.Benchmark) -> str:
    """Whether the median is in the range that is the target; empty without one."""
    target = figure.get_metadata().get("target", "")
    if not target:
        return ""
    if target.startswith((">=", "<=")):
        bound = float(target[2:])
        low, high = (bound, math.inf) if target.startswith(">=") else (0.0, bound)
    else:
        low, high = map(float, target.split(" to "))
    return "met" if low <= figure.median() <= high else "missed"


def row(figure: pyperf.Benchmark, name: str, wall: str) -> str:
    metadata = figure.get_metadata()
    low, high = figure.percentile(25), figure.percentile(75)
    cells = [name, metadata["figure_unit"], shown(figure.median()), f"{shown(low)} to {shown(high)}",
             str(figure.get_nvalue()), wall, metadata.get("target", ""), verdict(figure)]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def markdown(figures: Sequence[pyperf.Benchmark], notes: Sequence[str], about: str) -> str:
    """One table for each case. The wall time of a figure is a figure of its own in the JSON, and a column here."""
    by_name = {figure.get_name(): figure for figure in figures}
    lines = ["# Benchmark", "", about, *(f"\nNot measured: {note}." for note in notes)]
    case = ""
    for name, figure in by_name.items():
        if name.endswith(", wall"):
            continue
        head, _colon, rest = name.partition(": ")
        if head == "growth":
            continue
        if head != case:
            case = head
            lines += ["", f"## {case}", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        wall = by_name.get(f"{name}, wall")
        lines.append(row(figure, rest, shown(wall.median()) if wall else ""))
    return "\n".join([*lines, *growth_table(figures), ""])


def growth_table(figures: Sequence[pyperf.Benchmark]) -> list[str]:
    """One row for each input: medians of the seconds and ratios, and whether the ratios are met."""
    rows: dict[str, list[str]] = {}
    for figure in figures:
        if figure.get_name().startswith("growth: "):
            name = figure.get_name().removeprefix("growth: ").rpartition(", ")[0]
            rows.setdefault(name, []).append(f"{shown(figure.median())} {verdict(figure)}".strip())
    columns = ["input", "n, s", "10 n, s", "100 n, s", "10 n / n, target <= 15", "100 n / 10 n, target <= 15"]
    head = ["", "## growth", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"] if rows else []
    return [*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())]


def plot(figures: Sequence[pyperf.Benchmark], path: Path) -> None:
    """Draws the processor time per host of the case `role`, if it was measured."""
    heights = {label: figure.median() * 1000 for kind, label in BARS.items() for figure in figures
               if figure.get_name().startswith(f"role: {kind}, per host")}  # fmt: skip
    if not heights:
        return
    # Only here: this process must be smaller than those whose memory is measured.
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    drawing, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    axes.bar_label(axes.bar(list(heights), list(heights.values())), fmt="%.0f")
    axes.set_ylabel("processor time per host, ms")
    drawing.savefig(path)
