# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the collection with one wrong edit each, and a short history in which an invariant must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from place import ROOT
from system.rotation.chaos.fleet import Fleet, Orders, label
from system.rotation.chaos.promises import Watch
from system.rotation.chaos.workers import copy_collection

_UTILS = "plugins/module_utils"


@dataclass(frozen=True)
class Mutant:
    """The file ``path`` contains ``old`` exactly once."""

    name: str
    path: str
    old: str
    new: str
    history: Callable[[Fleet], None]

    def text(self) -> str:
        """The text of the file with the edit."""
        before = (ROOT / self.path).read_text()
        assert before.count(self.old) == 1, f"{self.name}: {self.old!r} must occur exactly once in {self.path}"
        return before.replace(self.old, self.new)

    def tree(self, directory: Path) -> Path:
        """Create a collections path with the mutated collection."""
        (copy_collection(directory) / "ansible_collections" / "keyfleet" / "magento" / self.path).write_text(
            self.text()
        )
        return directory


def _run(fleet: Fleet, orders: Orders) -> None:
    watch = Watch(fleet)
    result = fleet.run(orders)
    # A collection whose playbook does not start would break no promise. (A Violation would count as caught.)
    if "Left to do" not in result.summary():
        raise RuntimeError(result.output)
    fleet.simulator.clear_faults()
    watch.after(orders, result)


def a_dead_host(fleet: Fleet) -> None:
    fleet.begin({label(100): True}, label(100))
    _run(fleet, Orders(dead=("web2",)))


def nobody_expected(fleet: Fleet) -> None:
    fleet.begin({label(100): True}, label(100))
    _run(fleet, Orders(dead=("web2",), settings={"expected_hosts": [], "excluded_hosts": list(fleet.names)}))


def a_long_overlap(fleet: Fleet) -> None:
    fleet.begin({label(200): True, label(70): True}, label(70), overlap=80, delete_after=30)
    _run(fleet, Orders())


def a_lost_answer(fleet: Fleet) -> None:
    fleet.begin({label(100): True}, label(100))
    fleet.simulator.add_fault("reset", method="POST", path="/rest/*/keys*", count=1)
    _run(fleet, Orders())


HISTORIES = (a_dead_host, nobody_expected, a_long_overlap, a_lost_answer)
MUTANTS = (
    Mutant(
        "disables before confirmation",
        f"{_UTILS}/_rotation/run.py",
        "done.blocked = blocked_by_hosts(",
        "done.blocked = [] and blocked_by_hosts(",
        a_dead_host,
    ),
    Mutant(
        "deletes enabled keys",
        f"{_UTILS}/_rotation/series.py",
        "generation.date and not generation.enabled and",
        "generation.date and",
        a_long_overlap,
    ),
    Mutant(
        "takes unreachable for confirmed",
        f"{_UTILS}/_rotation/fleet.py",
        "    if why:\n        yield Blocked(why)\n        return\n",
        "    if why:\n        if 'reached' not in why:\n            yield Blocked(why)\n        return\n",
        a_dead_host,
    ),
    Mutant(
        "accepts empty expectations",
        f"{_UTILS}/_rotation/fleet.py",
        "        if not self.hosts:\n",
        "        if False:\n",
        nobody_expected,
    ),
    Mutant(
        "posts again after a lost answer",
        f"{_UTILS}/_marketplace/client.py",
        "            return self._look(labels, uid=uid, error=error)\n",
        "            return self.create([label + '-2' for label in labels], uid=uid)\n",
        a_lost_answer,
    ),
)
