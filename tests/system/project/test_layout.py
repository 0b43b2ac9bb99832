# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of layers in CONTRIBUTING.md matches import-linter, and lists every file of module_utils."""

from __future__ import annotations

import re
import tomllib

from place import ROOT

UTILS = ROOT / "plugins" / "module_utils"


def documented() -> tuple[list[set[str]], set[str]]:
    """The packages and flat files of each layer, and all files."""
    layers: dict[str, set[str]] = {}
    files: set[str] = set()
    for number, cell in re.findall(r"^\| ([0-9]+) \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE):
        first, *others = re.findall(r"`(\w+)`", cell)
        package = (UTILS / first).is_dir()
        layers.setdefault(number, set()).update([first] if package else [first, *others])
        files.update(f"{first}/{name}" for name in others) if package else files.update([first, *others])
    return list(layers.values()), files


def test_layers_match_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = next(item["layers"] for item in contracts if item.get("containers", [""])[0].endswith("module_utils"))
    assert documented()[0] == [set(layer.split(" | ")) for layer in checked]


def test_table_lists_every_file() -> None:
    assert documented()[1] == {str(path.relative_to(UTILS).with_suffix("")) for path in UTILS.rglob("*.py")}
