# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts have to say before a generation is disabled or deleted. Pure: series, date and reports in, a plan out."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, FrozenSet, List, Mapping, Optional, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import Generation, Series


@dataclass(frozen=True)
class HostReport:
    """The keys that a host holds, by file. ``complete`` False: it was not reached, or could not look everywhere."""

    host: str
    held: Tuple[Tuple[str, str], ...] = ()
    complete: bool = True

    def public_keys(self) -> FrozenSet[str]:
        """The public keys on the host."""
        return frozenset(public_key for _path, public_key in self.held)


@dataclass(frozen=True)
class HeldUp:
    """Why the rotation cannot go on yet: a host, or None where it is nobody's in particular, and the reason."""

    host: Optional[str]
    reason: str


def names(value: Any) -> List[str]:
    """A list of a playbook's, or the text with commas that Ansible takes for one."""
    parts = value.split(",") if isinstance(value, str) else value or ()
    return [name for name in (str(part).strip() for part in parts) if name]


@dataclass(frozen=True)
class Fleet:
    """Who has to be heard. Names, or their number where the run cannot know the names."""

    hosts: Tuple[str, ...] = ()
    count: Optional[int] = None
    written_off: Tuple[str, ...] = ()

    @classmethod
    def from_variables(cls, hosts: Any, count: Any, written_off: Any) -> Fleet:
        """From variables of a playbook, where lists and numbers may have come as text (``-e name=value``)."""
        number = None if count in (None, "") else int(count)
        return cls(tuple(names(hosts)), number, tuple(names(written_off)))

    @property
    def declared(self) -> bool:
        """Whether anybody is expected at all."""
        return bool(self.hosts or self.count)


NOBODY_EXPECTED = HeldUp(None, "no hosts are expected; name them (expected_hosts) or give their number")


def unheard(fleet: Fleet, reports: Mapping[str, HostReport]) -> List[HeldUp]:
    """Every expected host that did not report completely. Empty expectations are never met."""
    held_up = [] if fleet.declared else [NOBODY_EXPECTED]
    for host in dict.fromkeys([*fleet.hosts, *reports]):
        report = reports.get(host)
        if host in fleet.written_off:
            continue
        if report is None:
            held_up.append(HeldUp(host, "it was not asked"))
        elif not report.complete:
            held_up.append(HeldUp(host, "it could not be asked, or could not look at all of its files"))
    if fleet.count is not None:
        heard = len([host for host, report in reports.items() if report.complete or host in fleet.written_off])
        missing = len([host for host in fleet.written_off if host not in reports])
        if fleet.count < 1:
            held_up.append(HeldUp(None, "expected_count must be one or more"))
        elif heard + missing != fleet.count:
            held_up.append(HeldUp(None, f"{fleet.count} hosts are expected and {heard + missing} are accounted for"))
    return held_up


def _on_older(labels: Mapping[str, str], current: Generation, report: HostReport) -> Optional[HeldUp]:
    """The host's file that still has another generation than the current one, or None."""
    for path, public_key in report.held:
        if public_key in labels and public_key != current.public_key:
            return HeldUp(report.host, f"{path} still has {labels[public_key]}")
    return None


@dataclass(frozen=True)
class RetirePlan:
    """``disable`` is empty when there is nothing to do, when it is too early, or when somebody holds it up."""

    disable: Tuple[Generation, ...]
    held_up: Tuple[HeldUp, ...]
    reason: str


def confirmed_by(series: Series, fleet: Fleet, reports: Mapping[str, HostReport]) -> Tuple[HeldUp, ...]:
    """Who keeps the current generation from being confirmed. Empty: every expected host was heard, none still
    has another generation, and one at least has this one."""
    current = series.current
    if current is None:
        return (HeldUp(None, "no generation is enabled"),)
    held_up = unheard(fleet, reports)
    labels = {generation.public_key: generation.label for generation in series.generations}
    for host, report in reports.items():
        if host not in fleet.written_off and report.complete:
            older = _on_older(labels, current, report)
            held_up += [older] if older else []
    counted = [report for host, report in reports.items() if host not in fleet.written_off]
    if not any(current.public_key in report.public_keys() for report in counted):
        held_up.append(HeldUp(None, f"{current.label} was not seen on any host"))
    return tuple(held_up)


def plan_retire(
    series: Series,
    *,
    today: datetime.date,
    overlap: int,
    fleet: Fleet,
    reports: Mapping[str, HostReport],
    acknowledged: bool,
) -> RetirePlan:
    """Which spent generations may be disabled now. ``overlap`` in days since the current generation's date."""
    if series.current is None:
        return RetirePlan((), (HeldUp(None, "no generation is enabled"),), "there is no key to go over to")
    if not fleet.declared:
        # Even where nothing is to be done: who forgets to name the fleet is told now, not on the day that it matters.
        return RetirePlan((), (NOBODY_EXPECTED,), "nobody can have gone over")
    if not series.spent:
        return RetirePlan((), (), f"{series.current.label} is the only enabled generation")
    held_up = list(confirmed_by(series, fleet, reports))
    if not acknowledged:
        held_up.append(
            HeldUp(None, "holders outside of the inventory (CI, images, laptops, mirrors) have not been acknowledged")
        )
    if held_up:
        return RetirePlan((), tuple(held_up), "not every expected host has gone over")
    age = (today - series.current.date).days
    if overlap and age <= overlap:
        reason = f"{series.current.label} is {age} days old; older ones stay enabled until it is older than {overlap}"
        return RetirePlan((), (), reason)
    return RetirePlan(series.spent, (), f"every expected host has {series.current.label}")


@dataclass(frozen=True)
class PrunePlan:
    """``delete`` is what may go for good; ``held_up`` says for the rest who or what keeps it."""

    delete: Tuple[Generation, ...]
    held_up: Tuple[HeldUp, ...]
    reason: str


def plan_prune(
    series: Series, *, today: datetime.date, grace: int, fleet: Fleet, reports: Mapping[str, HostReport]
) -> PrunePlan:
    """Which retired generations may be deleted: superseded for longer than ``grace`` days and on no host.

    ``fleet`` is the whole inventory here, not the target of a run alone. Nothing enabled is ever named.
    """
    if series.current is None:
        return PrunePlan((), (HeldUp(None, "no generation is enabled"),), "nothing is deleted while no key works")
    old = []
    for generation in series.retired:
        successor = series.successor(generation)
        if successor and (today - successor.date).days > grace:
            old.append(generation)
    if not old:
        return PrunePlan((), (), f"no retired generation has been superseded for more than {grace} days")
    held_up = unheard(fleet, reports)
    if held_up:
        return PrunePlan((), tuple(held_up), "not every host of the inventory was heard")
    holders = {
        key: host for host, report in reports.items() for key in report.public_keys() if host not in fleet.written_off
    }
    kept = [HeldUp(holders[g.public_key], f"it still holds {g.label}") for g in old if g.public_key in holders]
    gone = tuple(g for g in old if g.public_key not in holders)
    return PrunePlan(gone, tuple(kept), f"{len(gone)} retired generations are on no host any more")
