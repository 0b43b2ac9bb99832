# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a rotation: list the keys, plan, act. A pair made by hand has no account."""

from __future__ import annotations

import datetime
import time
from typing import Any, Callable, Dict, Iterable, Mapping, Optional

from .._errors import KeyfleetError
from .._marketplace.client import Marketplace
from .._repository.outcome import Verdict
from .._secrets import describe
from .account import Account, ByHand, unverified, verdict_of
from .fleet import Expected, blocked_by_holders, blocked_by_hosts, not_deployed
from .report import Outcome, predicted_files, summary
from .revoke import begin, finish
from .series import Generation, IssuePlan, RetirePlan, Series, plan_issue, plan_retire

# Seconds between requests while a new key takes effect.
_ASK_AGAIN = 5.0


def utc_date() -> datetime.date:
    """The current date in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date()


def rotate(
    client: Optional[Marketplace],
    params: Mapping[str, Any],
    *,
    check_mode: bool,
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
        if params["revoke"] is not None:
            {"issue": begin, "retire": finish}[phase](account, params, done)
        else:
            {"issue": _issue, "retire": _retire, "status": _status}[phase](account, params, done)
    except KeyfleetError as error:
        details = {name: value for name, value in error.details.items() if name == "verdicts"}
        error.details = {**_result(account, done, failed=error.message), **details}
        raise
    finally:
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
        "changed": bool(done.changed or done.disabled or done.deleted),
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
        "disabled": done.disabled,
        "deleted": done.deleted,
        "revoked": done.revoked and done.revoked.as_result(),
        "blocked": [row.as_result() for row in done.blocked],
        "left": done.left,
        "summary": summary(done, series, label=label, public_key=public, failed=failed),
        "diff": done.diff(),
        **({"warnings": done.warnings} if done.warnings else {}),
    }


def _plan(account: Any, settings: Mapping[str, Any]) -> IssuePlan:
    if account.by_hand:
        label = account.series.generations[-1].label
        return IssuePlan(label, f"{label} was made by hand")
    return plan_issue(account.series, today=utc_date(), max_age=settings["max_age"], rotate_now=settings["rotate_now"])


def _issue(account: Any, params: Mapping[str, Any], done: Outcome) -> None:
    plan = _plan(account, params["series"])
    done.due, done.reason, done.label = plan.due, plan.reason, plan.label
    if plan.due or plan.enable:
        done.lines.append((plan.label, "" if plan.due else "disabled", "enabled"))
        if done.check_mode:
            done.changed = True
            return
        if plan.due:
            account.create(plan.label)
        else:
            account.enable(plan.label, True)
        # Not earlier: a failure must not report it as done.
        done.changed = True
    _verify(account, params["series"], plan.label)


def _verify(account: Any, settings: Mapping[str, Any], label: str) -> None:
    """Poll the repository until it accepts the pair; changes take effect with a delay. A failure undoes nothing."""
    timeout = settings["propagation_timeout"]
    until = time.monotonic() + timeout
    while True:
        verdict = _verdict(account, settings, label)
        if verdict.status == "valid":
            return
        left = until - time.monotonic()
        if left <= 0:
            raise unverified(
                f"The repository did not accept {label} within {timeout:g} s. All keys stay as they are, and the next "
                "run continues with this one.",
                verdict,
            )
        time.sleep(min(_ASK_AGAIN, left))


def _verdict(account: Any, settings: Mapping[str, Any], label: str) -> Verdict:
    public = next(g.public_key for g in account.series.generations if g.label == label)
    return verdict_of(settings, public_key=public, private_key=account.private[label])


def _status(account: Any, params: Mapping[str, Any], done: Outcome) -> None:
    plan, current = _plan(account, params["series"]), account.series.current
    done.due, done.reason = plan.due, plan.reason
    if current is None or not current.enabled:
        raise KeyfleetError("no_generation", f"no generation of {done.prefix} is enabled; run rotate_issue first")
    reports = params["hosts"]
    if reports is not None:
        expected = Expected.of(params["series"], reports)
        done.blocked = not_deployed(expected, reports)
        named, asked = {row.host for row in done.blocked}, [host for host in reports if host not in expected.excluded]
        done.confirmed, done.asked = [host for host in asked if host not in named], len(asked)
        if done.blocked:
            done.reason = f"not every host has {current.label}"


def _retire(account: Any, params: Mapping[str, Any], done: Outcome) -> None:
    settings, series, current = params["series"], account.series, account.series.current
    reports: Mapping[str, Any] = params["hosts"] or {}
    expected = Expected.of(settings, reports)
    issue = _plan(account, settings)
    if done.check_mode and (issue.due or issue.enable):
        done.due, done.label = issue.due, issue.label
        done.hosts = predicted_files(reports, series, label=issue.label)
    if current is None:
        if done.due:
            done.reason = issue.reason
            return
        raise KeyfleetError("no_generation", f"{series.prefix} has no generation; run rotate_issue first")
    plan = plan_retire(series, today=utc_date(), overlap=settings["overlap"], delete_after=settings["delete_after"])
    ignore = settings["unmanaged_keys"] == "ignore"
    if expected.excluded:
        done.notes.append(f"Excluded, and may still have an older key: {', '.join(expected.excluded)}")
    if ignore:
        done.notes.append("Ignored (unmanaged_keys): older keys in files that no variable names")
    replaced = None
    if done.due:
        # Evaluate hosts as if it existed and their variables named it already.
        replaced = current.public_key
        known = [g for g in series.generations if g != current or settings["unmanaged_keys"] != "remove"]
        series = series._replace(generations=(*known, Generation(issue.label, "", True)))
    done.blocked = blocked_by_hosts(
        series, expected, reports, ignore=ignore, check_mode=done.check_mode, replaced=replaced
    )
    named = {row.host for row in done.blocked}
    done.confirmed, done.asked = [h for h in expected.hosts if h not in named], len(expected.hosts)
    if not done.due:
        done.blocked += blocked_by_holders(
            settings, params["holders"] or {}, disables=bool(plan.disable), check_mode=done.check_mode
        )
    done.reason = issue.reason if done.label else f"every expected host is confirmed to have {current.label}"
    if done.blocked:
        done.reason = f"not every expected host or holder is confirmed to have {done.label or current.label}"
        done.left += [f"disable {g.label}" for g in plan.disable]
        return
    done.left += [f"disable {g.label} when the overlap of {settings['overlap']} days is over" for g in plan.wait]
    if account.by_hand:
        done.left += [f"disable {g.label} on the account page, and name it in disabled_by_hand" for g in plan.disable]
        return
    if done.check_mode:
        # Changes after the creation of a generation cannot be predicted.
        if not done.due and not done.hosts:
            done.lines += [(g.label, "enabled", "disabled") for g in plan.disable]
            done.lines += [(g.label, "disabled", "") for g in plan.delete]
        done.changed = bool(done.lines or done.hosts)
        return
    _act(account, settings, plan, done)


def _act(account: Any, settings: Mapping[str, Any], plan: RetirePlan, done: Outcome) -> None:
    current = account.series.current
    if plan.disable or plan.delete:
        # Whatever the hosts report: no key may go unless the repository accepts the remaining one.
        verdict = _verdict(account, settings, current.label) if current.enabled else None
        if verdict is None or verdict.status != "valid":
            words = f"Nothing was disabled or deleted: the repository does not accept {current.label} now."
            raise unverified(words, verdict)
    for generation in plan.disable:
        account.enable(generation.label, False)
        done.disabled.append(generation.label)
        done.lines.append((generation.label, "enabled", "disabled"))
    for generation in plan.delete:
        account.delete(generation.label)
        done.deleted.append(generation.label)
        done.lines.append((generation.label, "disabled", ""))
