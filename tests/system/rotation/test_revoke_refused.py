# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid revocations are refused with one error on localhost, and change nothing, even if a key has leaked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from system.control import PYTHON, Run
from system.rotation.lab import LAPTOP, OLD, Fleet, headline, pair, plays, today, unwrapped

pytestmark = pytest.mark.needs("root", PYTHON)
Options = dict[str, Any]


def refused(run: Run, reason: str) -> None:
    """The run ended on localhost with one error, with the reason in its headline."""
    assert run.status == 2, run.output
    assert {r["host"] for r in run.record} == {"localhost"}, "a host was asked"
    failed = [r for r in run.record if r["outcome"] == "failed"]
    assert len(failed) == 1 and reason in failed[0]["result"]["msg"], run.output
    assert run.output.count("fatal: ") == 1 and "<<< caused by >>>" not in run.output, run.output
    headlines = [line for line in run.output.splitlines() if line.startswith(("[ERROR]", "fatal: "))]
    assert reason in headlines[0], run.output


# All others are in the unit tests of revocations.
CASES: dict[str, tuple[Callable[[Fleet], Options], str]] = {
    "no key": (lambda _fleet: {}, "name the key: -e magento_revoke_key=LABEL"),
    "of another owner": (
        lambda _fleet: {"magento_revoke_key": LAPTOP, "uid": "000FAKE0SHOP000@AdobeOrg"},
        "there is no key with the label (of 000FAKE0SHOP000@AdobeOrg)",
    ),
    "half a pair": (
        lambda fleet: {
            "magento_revoke_key": OLD,
            "magento_revoke_replacement": {"public_key": pair(fleet, "web")["public_key"]},
        },
        "must be current or a pair with public_key and private_key",
    ),
    "a pair that does not work": (
        lambda fleet: {"magento_revoke_key": OLD, "magento_revoke_replacement": pair(fleet, "old")},
        "does not accept",
    ),
    "a pair that lacks a package": (
        lambda fleet: {
            "magento_revoke_key": OLD,
            "magento_revoke_replacement": pair(fleet, "web"),
            "packages": ["nobody/has-it"],
        },
        "nobody/has-it",
    ),
    "a misspelled option": (
        lambda fleet: {"magento_revoke_key": LAPTOP, "magento_revoke_replacment": pair(fleet, "web")},
        "revoke.replacment",
    ),
    "a wrong secret": (
        lambda _fleet: {"magento_revoke_key": LAPTOP, "application_secret": "{{ 'f' * 40 }}"},
        "the application ID or secret is wrong",
    ),
}


@pytest.mark.hosts(1)
@pytest.mark.parametrize("case", CASES)
def test_an_invalid_revocation_is_refused(case: str, fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", LAPTOP)
    # A label that is the public key of another key.
    fleet.simulator.add_key("shop", pair(fleet, LAPTOP)["public_key"])
    make, reason = CASES[case]
    options = make(fleet)
    settings = {name: value for name, value in options.items() if not name.startswith("magento_")}
    before = fleet.state()
    variables = {name: value for name, value in options.items() if name not in settings}
    run = fleet.run("revoke", settings=settings, **variables, magento_revoke_leak=True)
    refused(run, reason)
    assert fleet.state() == before


def test_an_invalid_revocation_is_refused_without_a_leak_too(fleet: Fleet) -> None:
    before = fleet.state()
    run = fleet.run("revoke", magento_revoke_key=OLD, magento_revoke_replacement=pair(fleet, "old"))
    refused(run, "does not accept")
    assert fleet.state() == before


def test_no_generation_is_enabled(fleet: Fleet) -> None:
    """Then no key can be replaced, but a key can still be revoked without a replacement."""
    fleet.simulator.add_key("shop", LAPTOP)
    fleet.simulator.disable_key(pair(fleet, OLD)["public_key"])
    before = fleet.state()
    refused(fleet.run("revoke", magento_revoke_key=LAPTOP, magento_revoke_replacement="current"), "run rotate_issue")
    assert fleet.state() == before
    # No host has to name the series either.
    del fleet.variables["magento_auth_keys"]
    run = fleet.run("revoke", magento_revoke_key=LAPTOP)
    assert run.status == 0, run.output
    assert not next(key["enabled"] for key in fleet.at_account() if key["label"] == LAPTOP)


def test_without_a_series(fleet: Fleet) -> None:
    run = fleet.play("keyfleet.magento.revoke", magento_target="web", magento_revoke_key=OLD)
    assert run.status == 2 and plays(run) == ["Plan"], run.output
    assert "magento_series, or a variable in it, is not set" in headline(run), run.output


def test_a_pair_in_extra_variables_is_refused(fleet: Fleet) -> None:
    before = fleet.state()
    options: Options = {
        "magento_auth_public_key": "0" * 32,
        "magento_revoke_key": OLD,
        "magento_revoke_replacement": "current",
    }
    run = fleet.run("revoke", **options)
    assert run.status == 2 and "are set by extra variables" in headline(run), run.output
    assert plays(run) == ["Plan"] and fleet.state() == before and not fleet.asked()


@pytest.mark.parametrize(
    ("word", "target", "reason"),
    [
        ("--limit=web1", "web", "--limit is refused"),
        ("--diff", "nobody", "matches no host"),
        ("--diff", "all", "every host of the inventory"),
        ("--diff", None, "Name the hosts"),
    ],
)
def test_limits_and_targets_that_are_refused(word: str, target: str | None, reason: str, fleet: Fleet) -> None:
    fleet.simulator.add_key("shop", today())
    before = fleet.state()
    run = fleet.run("revoke", word, target=target, magento_revoke_key=OLD, magento_revoke_replacement="current",
                    magento_revoke_leak=True)  # fmt: skip
    assert run.status == 4 and reason in unwrapped(run), run.output
    assert not run.record and fleet.state() == before and not fleet.asked()
