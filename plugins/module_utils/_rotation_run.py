# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a rotation at the Marketplace: list the keys, plan, act."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace import Marketplace, check_label
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace_plan import MarketplaceKey
from ansible_collections.keyfleet.magento.plugins.module_utils._options import (
    address,
    bad_options,
    package_names,
    seconds,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._repository import Connection, check
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import (
    AccountKey,
    Generation,
    IssuePlan,
    Series,
    check_prefix,
    plan_issue,
    plan_rollback,
    series_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_fleet import (
    Fleet,
    HeldUp,
    plan_prune,
    plan_retire,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_reports import reports_of
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import MAGENTO_REPOSITORY, describe
from ansible_collections.keyfleet.magento.plugins.module_utils._verdict import Verdict

# Seconds between two questions while a new key takes effect.
_ASK_AGAIN = 5.0


@dataclass(frozen=True)
class Pace:
    """Clock and sleep, so that tests need not wait."""

    today: Callable[[], datetime.date] = lambda: datetime.datetime.now(datetime.timezone.utc).date()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Work:
    """The series as the account has it, and what is needed to go on."""

    client: Marketplace
    params: Mapping[str, Any]
    uid: str
    keys: Tuple[MarketplaceKey, ...]
    series: Series
    check_mode: bool
    pace: Pace

    def pair(self, label: str) -> Optional[MarketplaceKey]:
        """The whole key of that label, or None."""
        return next((key for key in self.keys if key.label == label), None)


def rotate(
    client: Marketplace, params: Mapping[str, Any], *, check_mode: bool, pace: Optional[Pace] = None
) -> Dict[str, Any]:
    """Run ``params["phase"]``. The result has the shape that the module documents. Raises `KeyfleetError`.

    Nothing is disabled or deleted unless the account's list of keys was read in full by this very call.
    """
    uid = params["uid"]
    if uid is not None and (not uid.strip() or uid == "all"):
        raise bad_options(f"uid {uid!r} is no owner; leave it out to mean the account itself")
    check_prefix(params["prefix"])
    uid = uid or client.mage_id
    keys = tuple(key for key in client.keys(uid=uid) if key.uid == uid)
    work = Work(client, params, uid, keys, _series(params["prefix"], keys), check_mode, pace or Pace())
    return {"issue": _issue, "retire": _retire, "prune": _prune, "rollback": _rollback}[params["phase"]](work)


def _series(prefix: str, keys: Iterable[MarketplaceKey]) -> Series:
    return series_of(prefix, [AccountKey(key.label, key.public_key, key.enabled) for key in keys])


def _result(work: Work, key: Optional[MarketplaceKey], *, changed: bool, reason: str, **more: Any) -> Dict[str, Any]:
    series = more.pop("series", work.series)
    return {
        "changed": changed,
        "label": key.label if key else None,
        "public_key": key.public_key if key else None,
        "fingerprint": describe(key.private_key) if key else None,
        "uid": work.uid,
        "reason": reason,
        "generations": [
            {"label": g.label, "public_key": g.public_key, "enabled": g.enabled} for g in series.generations
        ],
        "held_up": [],
        **more,
    }


def _failed(work: Work, code: str, message: str, **more: Any) -> KeyfleetError:
    details = {**_result(work, _current(work), changed=False, reason=message), **more}
    return KeyfleetError(code, message, **{n: v for n, v in details.items() if n != "code"})


def _diff(lines: Sequence[Tuple[str, str, str]]) -> Dict[str, str]:
    """(label, before, after) as Ansible prints a difference; an empty state means that there is no such key."""
    return {
        "before_header": "Marketplace keys",
        "after_header": "Marketplace keys",
        "before": "".join(f"{label}: {before}\n" for label, before, _after in lines if before),
        "after": "".join(f"{label}: {after}\n" for label, _before, after in lines if after),
    }


def _issue(work: Work) -> Dict[str, Any]:
    params = work.params
    plan = plan_issue(work.series, today=work.pace.today(), max_age=params["max_age"], rotate_now=params["rotate_now"])
    if not plan.create:
        key = work.pair(plan.label)
        unfinished = bool(work.series.spent)
        if unfinished and key:
            _prove(work, key)
        return _result(work, key, changed=False, reason=plan.reason, due=plan.due, diff=_diff([]))
    check_label(plan.label)
    diff = _diff([(plan.label, "", "enabled")])
    if work.check_mode:
        coming = {"label": plan.label, "due": plan.due, "diff": diff}
        return {**_result(work, None, changed=True, reason=plan.reason), **coming}
    key = _create(work, plan)
    _prove(work, key, changed=True)
    series = _series(work.series.prefix, (*work.keys, key))
    return _result(work, key, changed=True, reason=plan.reason, due=plan.due, diff=diff, series=series)


def _create(work: Work, plan: IssuePlan) -> MarketplaceKey:
    made = work.client.create([plan.label], uid=work.uid)
    if made.keys:
        return made.keys[0]
    refusal = made.refusals[0]
    raise _failed(work, "keys_not_created", f"{plan.label} was not created: {refusal.message or 'no reason is shown'}")


def _prove(work: Work, key: MarketplaceKey, *, changed: bool = False) -> None:
    """Ask the repository until it accepts the pair: a change may take a while. Nothing is undone if it does not."""
    timeout = work.params["propagation_timeout"]
    until = work.pace.clock() + timeout
    while True:
        verdict = _verdict(work.params, key)
        if verdict.status == "valid":
            return
        left = until - work.pace.clock()
        if left <= 0:
            raise _unproved(
                work,
                key,
                verdict,
                f"{key.label} is enabled, but the repository did not accept it within {timeout:g} s. All keys stay as "
                "they are, and the next run takes this one up again.",
                changed=changed,
            )
        work.pace.sleep(min(_ASK_AGAIN, left))


def _unproved(
    work: Work, key: MarketplaceKey, verdict: Verdict, message: str, *, changed: bool = False
) -> KeyfleetError:
    named = {"label": key.label, "public_key": key.public_key, "fingerprint": describe(key.private_key)}
    message = f"{message} {verdict.message}"
    return _failed(work, "unproved", message, changed=changed, verdicts=[verdict.as_result()], **named)


def _verdict(params: Mapping[str, Any], key: MarketplaceKey) -> Verdict:
    return check(
        repository=MAGENTO_REPOSITORY,
        url=address(params["url"]),
        public_key=key.public_key,
        private_key=key.private_key,
        packages=package_names(params["packages"]),
        connection=Connection(
            validate_certs=params["validate_certs"],
            ca_path=params["ca_path"],
            timeout=seconds(params["timeout"]),
        ),
    )


def _fleet(params: Mapping[str, Any]) -> Fleet:
    return Fleet(
        hosts=tuple(params["expected_hosts"] or ()),
        count=params["expected_count"],
        written_off=tuple(params["written_off"] or ()),
    )


def _waiting(held_up: Sequence[HeldUp]) -> List[Dict[str, Optional[str]]]:
    return [{"host": entry.host, "reason": entry.reason} for entry in held_up]


def _words(held_up: Sequence[HeldUp]) -> str:
    return "; ".join(f"{entry.host}: {entry.reason}" if entry.host else entry.reason for entry in held_up)


def _retire(work: Work) -> Dict[str, Any]:
    params = work.params
    plan = plan_retire(
        work.series,
        today=work.pace.today(),
        overlap=params["overlap"],
        fleet=_fleet(params),
        reports=reports_of(params["installed"] or {}),
        acknowledged=params["external_holders_acknowledged"],
    )
    if plan.held_up:
        message = f"Nothing was disabled: {plan.reason}. {_words(plan.held_up)}. All keys stay enabled; run again later"
        raise _failed(work, "held_up", message, held_up=_waiting(plan.held_up))
    key = _current(work)
    if plan.disable and key:
        # Whatever the hosts saw: while the one key that is to be left does not open the repository, none may go.
        verdict = _verdict(params, key)
        if verdict.status != "valid":
            message = f"Nothing was disabled: the repository does not accept {key.label} now."
            raise _unproved(work, key, verdict, message)
    diff = _diff([(generation.label, "enabled", "disabled") for generation in plan.disable])
    _each(work, plan.disable, "retired", lambda g: work.client.set_enabled(g.label, uid=work.uid, enabled=False))
    done = [generation.label for generation in plan.disable]
    return _result(work, key, changed=bool(done), reason=plan.reason, retired=done, diff=diff)


def _current(work: Work) -> Optional[MarketplaceKey]:
    return work.pair(work.series.current.label) if work.series.current else None


def _prune(work: Work) -> Dict[str, Any]:
    params = work.params
    plan = plan_prune(
        work.series,
        today=work.pace.today(),
        grace=params["grace"],
        fleet=_fleet(params),
        reports=reports_of(params["installed"] or {}),
    )
    if plan.held_up and not plan.delete:
        message = f"Nothing was deleted: {plan.reason}. {_words(plan.held_up)}"
        raise _failed(work, "held_up", message, held_up=_waiting(plan.held_up))
    diff = _diff([(generation.label, "disabled", "") for generation in plan.delete])
    _each(work, plan.delete, "pruned", lambda g: work.client.delete(g.label, uid=work.uid))
    done = [generation.label for generation in plan.delete]
    more = {"pruned": done, "held_up": _waiting(plan.held_up)}
    return _result(work, _current(work), changed=bool(done), reason=plan.reason, diff=diff, **more)


def _rollback(work: Work) -> Dict[str, Any]:
    plan = plan_rollback(work.series)
    diff = _diff([(plan.target.label, "disabled", "enabled")] if plan.enable else [])
    key = work.pair(plan.target.label)
    if plan.enable and not work.check_mode:
        work.client.set_enabled(plan.target.label, uid=work.uid, enabled=True)
    if key and not (plan.enable and work.check_mode):
        _prove(work, key, changed=plan.enable)
    reason = f"back to {plan.target.label}; {plan.newer.label} stays enabled until a person disables it"
    return _result(work, key, changed=plan.enable, reason=reason, diff=diff)


def _each(work: Work, generations: Sequence[Generation], outcome: str, act: Callable[[Generation], None]) -> None:
    """``act`` on each, except in check mode. What was done before a failure is part of it, under ``outcome``."""
    done: List[str] = []
    for generation in () if work.check_mode else generations:
        try:
            act(generation)
        except KeyfleetError as error:
            raise _failed(work, error.code, error.message, changed=bool(done), **{outcome: done}) from error
        done.append(generation.label)
