# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has to be heard before a generation is disabled or deleted."""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, Optional, Set

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import AccountKey, Series, series_of
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_fleet import (
    Fleet,
    HostReport,
    confirmed_by,
    plan_prune,
    plan_retire,
)

TODAY = datetime.date(2026, 3, 1)
OLD, NEW, GONE = "web-20260101", "web-20260201", "web-20251201"
FLEET = Fleet(hosts=("web1", "web2"))


def series(*labels: str) -> Series:
    return series_of("web", [AccountKey(label.lstrip("-"), f"public of {label.lstrip('-')}", label[:1] != "-")
                             for label in labels])  # fmt: skip


def report(host: str, *labels: str, complete: bool = True) -> HostReport:
    return HostReport(host, tuple((f"/home/{label}/auth.json", f"public of {label}") for label in labels), complete)


def reports(**hosts: Any) -> Dict[str, HostReport]:
    """Host to label, labels, or None for one that did not answer."""
    made = {}
    for host, held in hosts.items():
        names = [held] if isinstance(held, str) else held or []
        made[host] = report(host, *names, complete=held is not None)
    return made


BOTH_NEW = reports(web1=NEW, web2=NEW)


@pytest.mark.parametrize(
    ("fleet", "heard", "who"),
    [
        (FLEET, BOTH_NEW, set()),
        (FLEET, reports(web1=NEW, web2=[]), set()),
        (FLEET, reports(web1=NEW, web2="somebody else's"), set()),
        (FLEET, reports(web1=[], web2=[]), {None}),
        (FLEET, reports(web1=NEW, web2=OLD), {"web2"}),
        (FLEET, reports(web1=NEW, web2=[NEW, OLD]), {"web2"}),
        (FLEET, reports(web1=NEW, web2=[NEW, GONE]), {"web2"}),
        (FLEET, reports(web1=NEW, web2=None), {"web2"}),
        (FLEET, reports(web1=NEW), {"web2"}),
        (FLEET, {}, {"web1", "web2", None}),
        (FLEET, {**BOTH_NEW, "web2": report("web2", NEW, complete=False)}, {"web2"}),
        # Whoever reports counts, expected or not.
        (FLEET, {**BOTH_NEW, **reports(web3=OLD)}, {"web3"}),
        (FLEET, {**BOTH_NEW, **reports(web3=None)}, {"web3"}),
        (FLEET, {**BOTH_NEW, **reports(web3=NEW)}, set()),
        (Fleet(), BOTH_NEW, {None}),
        (Fleet(count=0), BOTH_NEW, {None}),
        (Fleet(count=-1), BOTH_NEW, {None}),
        (Fleet(count=0), {}, {None}),
        (Fleet(count=2), BOTH_NEW, set()),
        (Fleet(count=3), BOTH_NEW, {None}),
        (Fleet(count=1), BOTH_NEW, {None}),
        (Fleet(count=2), reports(web1=NEW, web2=None), {"web2", None}),
        (Fleet(hosts=("web1",), count=2), BOTH_NEW, set()),
        (Fleet(hosts=("web1", "web2"), count=3), BOTH_NEW, {None}),
        (Fleet(hosts=("web1", "web1", "web2")), BOTH_NEW, set()),
        (Fleet(hosts=("WEB1", "web2")), BOTH_NEW, {"WEB1"}),
        # Written off: the named host alone, whatever it says, and it cannot speak for the new key.
        (Fleet(hosts=("web1", "web2"), written_off=("web2",)), reports(web1=NEW), set()),
        (Fleet(hosts=("web1", "web2"), written_off=("web2",)), reports(web1=NEW, web2=OLD), set()),
        (Fleet(hosts=("web1", "web2"), written_off=("web2",)), reports(web1=None, web2=NEW), {"web1", None}),
        (Fleet(hosts=("web1", "web2"), written_off=("web1", "web2")), BOTH_NEW, {None}),
        (Fleet(count=2, written_off=("web2",)), reports(web1=NEW), set()),
        (Fleet(count=2, written_off=("web2",)), reports(web1=NEW, web2=None), set()),
        (Fleet(written_off=("web1", "web2")), BOTH_NEW, {None}),
    ],
)
def test_who_keeps_a_generation_from_being_confirmed(
    fleet: Fleet, heard: Dict[str, HostReport], who: Set[Optional[str]]
) -> None:
    found = series("-" + GONE, OLD, NEW)
    assert {entry.host for entry in confirmed_by(found, fleet, heard)} == who
    plan = plan_retire(found, today=TODAY, overlap=0, fleet=fleet, reports=heard, acknowledged=True)
    assert {entry.host for entry in plan.held_up} == who
    assert [g.label for g in plan.disable] == ([] if who else [OLD])


def test_everybody_who_holds_it_up_is_told_with_the_file() -> None:
    heard = {**reports(web1=[NEW, OLD], web3="x"), "web4": report("web4", complete=False)}
    plan = plan_retire(series(OLD, NEW), today=TODAY, overlap=0, fleet=FLEET, reports=heard, acknowledged=False)
    assert {entry.host: entry.reason for entry in plan.held_up} == {
        "web1": f"/home/{OLD}/auth.json still has {OLD}",
        "web2": "it was not asked",
        "web4": "it could not be asked, or could not look at all of its files",
        None: "holders outside of the inventory (CI, images, laptops, mirrors) have not been acknowledged",
    }


@pytest.mark.parametrize(
    ("labels", "overlap", "fleet", "disabled", "held_up"),
    [
        ([OLD, NEW], 0, FLEET, [OLD], 0),
        ([GONE, OLD, NEW], 0, FLEET, [GONE, OLD], 0),
        # The current generation is 28 days old.
        ([OLD, NEW], 27, FLEET, [OLD], 0),
        ([OLD, NEW], 28, FLEET, [], 0),
        ([OLD, NEW], 99, FLEET, [], 0),
        (["-" + OLD, NEW], 0, FLEET, [], 0),
        ([NEW], 0, FLEET, [], 0),
        # Who forgets to name the fleet is told although nothing is to be done.
        ([NEW], 0, Fleet(), [], 1),
        ([NEW], 0, Fleet(count=0), [], 1),
        ([], 0, FLEET, [], 1),
        (["-" + OLD], 0, FLEET, [], 1),
        (["-" + NEW, "-" + OLD], 0, FLEET, [], 1),
        # The newest is disabled: the one before is current, and nobody has it.
        ([OLD, "-" + NEW], 0, FLEET, [], 0),
        ([GONE, OLD, "-" + NEW], 0, FLEET, [], 3),
    ],
)
def test_retire(labels: List[str], overlap: int, fleet: Fleet, disabled: List[str], held_up: int) -> None:
    plan = plan_retire(series(*labels), today=TODAY, overlap=overlap, fleet=fleet, reports=BOTH_NEW, acknowledged=True)
    assert [g.label for g in plan.disable] == disabled
    assert len(plan.held_up) == held_up
    assert plan.reason


def test_a_new_generation_of_the_day_has_an_overlap_too() -> None:
    for overlap, disabled in ((0, 1), (1, 0)):
        plan = plan_retire(
            series(OLD, "web-20260301"), today=TODAY, overlap=overlap, fleet=FLEET, acknowledged=True,
            reports=reports(web1="web-20260301", web2="web-20260301"),
        )  # fmt: skip
        assert len(plan.disable) == disabled and plan.held_up == ()


@pytest.mark.parametrize(
    ("labels", "grace", "fleet", "heard", "deleted", "who"),
    [
        (["-" + OLD, NEW], 27, FLEET, BOTH_NEW, [OLD], set()),
        (["-" + OLD, NEW], 28, FLEET, BOTH_NEW, [], set()),
        # Superseded since the date of the successor, not of the current one.
        (["-" + GONE, "-" + OLD, NEW], 30, FLEET, BOTH_NEW, [GONE], set()),
        (["-" + GONE, OLD, NEW], 30, FLEET, BOTH_NEW, [GONE], set()),
        # Enabled ones are never deleted, however old.
        ([GONE, OLD, NEW], 0, FLEET, BOTH_NEW, [], set()),
        ([NEW], 0, FLEET, BOTH_NEW, [], set()),
        # Nothing is deleted while nothing works.
        (["-" + OLD, "-" + NEW], 0, FLEET, BOTH_NEW, [], {None}),
        ([], 0, FLEET, BOTH_NEW, [], {None}),
        # The newest has no successor.
        ([OLD, "-" + NEW], 0, FLEET, reports(web1=OLD, web2=OLD), [], set()),
        (["-" + OLD, NEW], 0, FLEET, reports(web1=NEW), [], {"web2"}),
        (["-" + OLD, NEW], 0, FLEET, reports(web1=NEW, web2=None), [], {"web2"}),
        (["-" + OLD, NEW], 0, Fleet(), BOTH_NEW, [], {None}),
        (["-" + OLD, NEW], 0, FLEET, reports(web1=NEW, web2=[NEW, OLD]), [], {"web2"}),
        (["-" + GONE, "-" + OLD, NEW], 0, FLEET, reports(web1=NEW, web2=OLD), [GONE], {"web2"}),
        (["-" + OLD, NEW], 0, Fleet(FLEET.hosts, written_off=("web2",)), reports(web1=NEW, web2=OLD), [OLD], set()),
        # It needs no host at all to have the current one: that was asked before anything was disabled.
        (["-" + OLD, NEW], 0, FLEET, reports(web1=[], web2=[]), [OLD], set()),
    ],
)
def test_prune(
    labels: List[str],
    grace: int,
    fleet: Fleet,
    heard: Dict[str, HostReport],
    deleted: List[str],
    who: Set[Optional[str]],
) -> None:
    plan = plan_prune(series(*labels), today=TODAY, grace=grace, fleet=fleet, reports=heard)
    assert [g.label for g in plan.delete] == deleted
    assert {entry.host for entry in plan.held_up} == who
    assert plan.reason
