# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a rotation: list the keys, plan, act. A pair made by hand has no account."""

from __future__ import annotations

import datetime
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._errors import KeyfleetError
from .._marketplace.client import Marketplace
from .._repository.verdict import Verdict
from .._secrets import describe
from .account import Account, ByHand, verdict_of
from .fleet import Blocked, Expected, blocked_by_hosts, not_deployed
from .report import Outcome, predicted_files, summary
from .revoke import begin, finish
from .series import Generation, IssuePlan, Series, plan_issue, plan_retire

# Seconds between requests while a new key takes effect.
_ASK_AGAIN = 5.0


class Timing(NamedTuple):
    """Date, clock and sleep, replaceable in tests."""

    today: Callable[[], datetime.date] = lambda: datetime.datetime.now(datetime.timezone.utc).date()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class RotationRun(NamedTuple):
    """One run of the module. ``done`` is its outcome so far."""

    account: Any  # Account or ByHand
    settings: Mapping[str, Any]
    check_mode: bool
    timing: Timing
    done: Outcome

    @property
    def series(self) -> Series:
        """The current state of the series."""
        series: Series = self.account.series
        return series


def rotate(
    client: Optional[Marketplace],
    params: Mapping[str, Any],
    *,
    check_mode: bool,
    timing: Optional[Timing] = None,
    hide: Callable[[Iterable[str]], object] = list,
) -> Dict[str, Any]:
    """Run ``params["phase"]`` and return the result that the module documents; ``client`` is None for a pair by hand.

    Raises `KeyfleetError` with the same keys as details. ``hide`` receives private keys, which a host may have included
    in its report. Nothing is disabled or deleted unless this call has read the complete list of keys of the account.
    """
    settings, phase = params["series"], params["phase"]
    done = Outcome(phase=phase, prefix=settings["prefix"], check_mode=check_mode)
    account = None
    try:
        account = Account(client, settings) if client else ByHand(settings)
        hide(account.private.values())
        work = RotationRun(account, settings, check_mode, timing or Timing(), done)
        if params["revoke"] is not None:
            {"issue": begin, "retire": finish}[phase](account, params, done)
        else:
            {"issue": _issue, "retire": _retire, "status": _status}[phase](work, params)
    except KeyfleetError as error:
        details = {name: value for name, value in error.details.items() if name == "verdicts"}
        raise KeyfleetError(
            error.code, error.message, **{**_result(account, done, failed=error.message), **details}
        ) from error
    if done.revoked and done.revoked.replacement:
        # It may belong to another account, whose keys were not listed.
        hide([done.revoked.replacement["private_key"]])
    result = _result(account, done)
    if done.blocked:
        raise KeyfleetError("blocked", result["reason"], **result)
    return result


def _result(account: Any, done: Outcome, *, failed: Optional[str] = None) -> Dict[str, Any]:
    series = account.series if account else Series(done.prefix, ())
    current = series.current
    label = done.label or (current.label if current else None)
    known, states = {g.label: g for g in series.generations}, series.states()
    public = known[label].public_key if label in known else None
    return {
        "changed": bool(done.changed),
        "series": done.prefix,
        "label": label,
        "public_key": public,
        "fingerprint": describe(account.private[label]) if account and label in account.private else None,
        "uid": account.uid if account else None,
        "due": done.due,
        "reason": failed or done.reason,
        "generations": [
            {"label": g.label, "public_key": g.public_key, "enabled": g.enabled, "state": states[g.label]}
            for g in series.generations
        ],
        "disabled": list(done.disabled),
        "deleted": list(done.deleted),
        "revoked": done.revoked and done.revoked.as_result(),
        "blocked": [row.as_result() for row in done.blocked],
        "left": list(done.left),
        "summary": summary(done, series, label=label, public_key=public, failed=failed),
        "diff": done.diff(),
        **({"warnings": done.warnings} if done.warnings else {}),
    }


def _plan(work: RotationRun) -> IssuePlan:
    settings = work.settings
    if work.account.by_hand:
        current = work.series.generations[-1]
        return IssuePlan(current.label, current.public_key, False, False, False, f"{current.label} was made by hand")
    return plan_issue(
        work.series, today=work.timing.today(), max_age=settings["max_age"], rotate_now=settings["rotate_now"]
    )


def _issue(work: RotationRun, _params: Mapping[str, Any]) -> None:
    plan, done = _plan(work), work.done
    done.due, done.reason, done.label = plan.due, plan.reason, plan.label
    if plan.create or plan.enable:
        done.lines.append((plan.label, "" if plan.create else "disabled", "enabled"))
        done.changed = True
        if work.check_mode:
            return
        # A failure must not report it as done.
        done.changed = False
        if plan.create:
            work.account.create(plan.label)
        else:
            work.account.enable(plan.label, True)
        done.changed = True
    _verify(work, plan.label)


def _verify(work: RotationRun, label: str) -> None:
    """Poll the repository until it accepts the pair; changes take effect with a delay. A failure undoes nothing."""
    timeout = work.settings["propagation_timeout"]
    until = work.timing.clock() + timeout
    while True:
        verdict = _verdict(work, label)
        if verdict.status == "valid":
            return
        left = until - work.timing.clock()
        if left <= 0:
            raise KeyfleetError(
                "unverified",
                f"The repository did not accept {label} within {timeout:g} s. All keys stay as they are, and the next "
                f"run continues with this one. {verdict.message}",
                verdicts=[verdict.as_result()],
            )
        work.timing.sleep(min(_ASK_AGAIN, left))


def _verdict(work: RotationRun, label: str) -> Verdict:
    public = next(g.public_key for g in work.series.generations if g.label == label)
    return verdict_of(work.settings, public_key=public, private_key=work.account.private[label])


def _status(work: RotationRun, params: Mapping[str, Any]) -> None:
    plan, done = _plan(work), work.done
    done.due, done.reason = plan.due, plan.reason
    current = work.series.current
    if current is None or not current.enabled:
        raise KeyfleetError(
            "no_generation", f"no generation of {work.series.prefix} is enabled; run rotate_issue first"
        )
    if params["hosts"] is not None:
        reports = params["hosts"]
        expected = Expected.of(work.settings, list(reports))
        done.blocked = not_deployed(expected, reports)
        named, asked = {row.host for row in done.blocked}, [host for host in reports if host not in expected.excluded]
        done.confirmed, done.asked = [host for host in asked if host not in named], len(asked)
        if done.blocked:
            done.reason = f"not every host has {current.label}"


def _retire(work: RotationRun, params: Mapping[str, Any]) -> None:
    settings, done, series = work.settings, work.done, work.series
    reports: Mapping[str, Any] = params["hosts"] or {}
    expected = Expected.of(settings, list(reports))
    issue = _plan(work)
    if work.check_mode and (issue.create or issue.enable):
        done.due, done.label = issue.due, issue.label
        done.hosts = predicted_files(reports, series, label=issue.label)
    current = series.current
    if current is None:
        if done.due:
            done.reason = issue.reason
            return
        raise KeyfleetError("no_generation", f"{series.prefix} has no generation; run rotate_issue first")
    today = work.timing.today()
    plan = plan_retire(series, today=today, overlap=settings["overlap"], delete_after=settings["delete_after"])
    ignore = settings["unmanaged_keys"] == "ignore"
    if expected.excluded:
        done.notes.append(f"Excluded, and may still have an older key: {', '.join(expected.excluded)}")
    if ignore:
        done.notes.append("Ignored (unmanaged_keys): older keys in files that no variable names")
    replaced = None
    if done.due:
        # Evaluate hosts as if it existed and their variables named it already.
        replaced = current.public_key
        removed = {current} if settings["unmanaged_keys"] == "remove" else set()
        known = [generation for generation in series.generations if generation not in removed]
        series = series._replace(generations=(*known, Generation(issue.label, "", True)))
    done.blocked = blocked_by_hosts(
        series, expected, reports, ignore=ignore, check_mode=work.check_mode, replaced=replaced
    )
    named = {row.host for row in done.blocked}
    done.confirmed, done.asked = [h for h in expected.hosts if h not in named], len(expected.hosts)
    if not done.due:
        done.blocked += _holders(work, params["holders"] or {}, disables=bool(plan.disable))
    done.reason = issue.reason if done.label else f"every expected host is confirmed to have {current.label}"
    if done.blocked:
        done.reason = f"not every expected host or holder is confirmed to have {done.label or current.label}"
        done.left += [f"disable {g.label}" for g in plan.disable]
        return
    done.left += [f"disable {g.label} when the overlap of {settings['overlap']} days is over" for g in plan.wait]
    if work.account.by_hand:
        done.left += [f"disable {g.label} on the account page, and name it in disabled_by_hand" for g in plan.disable]
        return
    if work.check_mode:
        # Changes after the creation of a generation cannot be predicted.
        unpredictable = done.due or done.hosts
        done.lines += [] if unpredictable else [(g.label, "enabled", "disabled") for g in plan.disable]
        done.lines += [] if unpredictable else [(g.label, "disabled", "") for g in plan.delete]
        done.changed = bool(done.lines or done.hosts)
        return
    _act(work, plan.disable, plan.delete)


def _holders(work: RotationRun, holders: Mapping[str, Any], *, disables: bool) -> List[Blocked]:
    named = [str(holder["name"]) for holder in work.settings["external_holders"] or ()]
    if disables and not named and not work.settings["external_holders_acknowledged"]:
        return [
            Blocked(
                "holders outside of the inventory (CI, images, laptops, mirrors) are not acknowledged: name them in "
                "external_holders, or set external_holders_acknowledged"
            )
        ]
    if work.check_mode:
        return []
    return [Blocked("it has not confirmed the key", holder=name) for name in named if holders.get(name) is not True]


def _act(work: RotationRun, disable: Sequence[Generation], delete: Sequence[Generation]) -> None:
    done, account, current = work.done, work.account, work.series.current
    if (disable or delete) and current:
        # Whatever the hosts report: no key may go unless the repository accepts the remaining one.
        verdict = _verdict(work, current.label) if current.enabled else None
        if verdict is None or verdict.status != "valid":
            message = verdict.message if verdict else "It is disabled."
            raise KeyfleetError(
                "unverified",
                f"Nothing was disabled or deleted: the repository does not accept {current.label} now. {message}",
                verdicts=[verdict.as_result()] if verdict else [],
            )
    steps: List[Tuple[Generation, List[str], Callable[[str], None], Tuple[str, str]]] = [
        *((g, done.disabled, lambda label: account.enable(label, False), ("enabled", "disabled")) for g in disable),
        *((g, done.deleted, account.delete, ("disabled", "")) for g in delete),
    ]
    for generation, finished, act, states in steps:
        act(generation.label)
        finished.append(generation.label)
        done.lines.append((generation.label, *states))
        done.changed = True
