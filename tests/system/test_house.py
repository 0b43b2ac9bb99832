# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The map in CONTRIBUTING is that of the house: every file has its kind, and imports run one way."""

from __future__ import annotations

import re

from place import ROOT

UTILS = ROOT / "plugins" / "module_utils"
FILES = {str(path.relative_to(UTILS).with_suffix("")): path.read_text() for path in UTILS.rglob("*.py")}
MAY_USE = {
    "pure": {"pure", "shared"},
    "I/O": {"I/O", "pure", "shared"},
    "order": {"order", "I/O", "pure", "shared"},
    "shared": {"shared", "pure"},
}
OUTSIDE = re.compile(
    r"^ *(?:import|from) (?:subprocess|tempfile|fcntl|requests|urllib3)\b|AnsibleModule\(", re.MULTILINE
)


def kinds() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines():
        if row := re.match(r"\| (pure|I/O|order|shared) \|", line):
            for name in re.findall(r"`(_[\w/]+)`", line):
                assert name not in found, f"{name} has two kinds"
                found[name] = row[1]
    return found


def test_every_file_has_its_kind() -> None:
    assert kinds().keys() == FILES.keys()


def test_imports_run_one_way() -> None:
    kind_of = kinds()
    found = {name: re.findall(r"module_utils(?:\.| import )(_[\w.]+)", text) for name, text in FILES.items()}
    used = {name: {other.replace(".", "/") for other in others} for name, others in found.items()}
    # A pattern that finds nothing would find nothing wrong.
    assert sum(map(len, used.values())) > len(FILES)
    wrong = {
        (name, other) for name, others in used.items() for other in others
        if kind_of[other] not in MAY_USE[kind_of[name]]
    }  # fmt: skip
    assert wrong == set()


def test_pure_files_have_no_way_out() -> None:
    kind_of = kinds()
    with_a_way = {name for name, text in FILES.items() if OUTSIDE.search(text)}
    assert "_curl" in with_a_way
    assert {name for name in with_a_way if kind_of[name] == "pure"} == set()
