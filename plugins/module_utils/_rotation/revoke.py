# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One key that has to go: which one it is, what takes its place, and what keeps it from being disabled. Pure."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._options import bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import one_line
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    WOULD_CHANGE,
    Blocked,
    Expected,
    blocked_by_hosts,
    forged,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.keys import HALVES, pair_of
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import Generation, Series

CURRENT = "current"
_OPTIONS = ("magento_revoke_key", "magento_revoke_replacement", "magento_revoke_leak", "magento_revoke_delete")
# What the role itself sets.
_OWN = (
    "account",
    "blocked",
    "deleted",
    "disabled",
    "failure",
    "found",
    "pair",
    "refusal",
    "summary",
    "unusable",
    "verified",
)
# Rows of a summary.
_MOST_ROWS = 100


def by_hand(settings: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The keys that the settings name, in the form of the account's, for series without rights at the API."""
    keys = [*(settings.get("previous") or ()), settings.get("pair") or {}]
    names = ("label", "public_key")
    return [{**{name: str(key.get(name)) for name in names}, "uid": None, "fingerprint": None} for key in keys]


def revoked_key(account: Any, *, wanted: Any, settings: Mapping[str, Any]) -> Dict[str, Any]:
    """The key that ``wanted`` names, by its label, public key or fingerprint: its label, public key and owner.

    ``account`` is the registered list of keys. A label counts for the owner of the series alone, since the same label
    of another owner is another key. Raises `KeyfleetError` ``bad_options``, ``unknown_key`` or ``ambiguous_key``.
    """
    if settings.get("pair"):
        keys, uid = by_hand(settings), None
    else:
        keys, uid = account["marketplace_keys"], settings.get("uid") or account["mage_id"]
    wanted = "" if wanted is None else str(wanted)
    if not wanted.strip():
        raise bad_options("name the key: -e magento_revoke_key=LABEL, or its public key or fingerprint")
    found = [
        key
        for key in keys
        if wanted in (key["public_key"], key["fingerprint"]) or (wanted == key["label"] and key["uid"] == uid)
    ]
    if not found:
        of = f" (of {uid})" if uid else ""
        raise KeyfleetError("unknown_key", f"there is no key with the label{of}, public key or fingerprint {wanted!r}")
    if len(found) > 1:
        names = ", ".join(f"{key['label']!r} of {key['uid']} ({key['public_key']})" for key in found)
        raise KeyfleetError("ambiguous_key", f"{wanted!r} may be {names}; name its public key, or its label")
    return {name: found[0][name] for name in ("label", "public_key", "uid")}


def unusable(plan: Any, *, replacement: Any = None) -> str:
    """Why the series cannot be worked with, or nothing. ``plan`` is the registered result of its status."""
    if not isinstance(plan, Mapping) or "generations" not in plan:
        return one_line(str(plan.get("msg") if isinstance(plan, Mapping) else "magento_series was not looked at"), 1000)
    # Without an enabled generation there is none to replace a key with, which is no reason to keep the key.
    if plan.get("code") in (None, "no_generation", "all_rejected") and not (
        plan.get("code") and replacement == CURRENT
    ):
        return ""
    return str(plan.get("msg"))


def refusal(
    account: Any,
    *,
    wanted: Any,
    replacement: Any,
    settings: Mapping[str, Any],
    rotation: Mapping[str, Any],
    names: Iterable[str] = (),
) -> str:
    """Why the revocation cannot begin, or nothing. ``names`` are those of all variables like the options."""
    unknown = sorted(set(names) - set(_OPTIONS) - {f"magento_revoke_{name}" for name in _OWN})
    if unknown:
        return f"no such option: {', '.join(unknown)}. There are {', '.join(_OPTIONS)}"
    try:
        key = revoked_key(account, wanted=wanted, settings=settings)
        replacement_of(key, replacement=replacement, settings=settings, rotation=rotation)
    except KeyfleetError as error:
        return error.message
    return ""


def replacement_of(
    key: Mapping[str, Any], *, replacement: Any, settings: Mapping[str, Any], rotation: Mapping[str, Any]
) -> Dict[str, Any]:
    """The pair that takes the place of ``key``, or nothing. Raises `KeyfleetError` ``bad_options``."""
    plan = rotation.get("magento_rotation_plan") or {}
    current = [g["public_key"] for g in plan.get("generations") or () if g["state"] == "current"]
    if replacement in (None, ""):
        if key["public_key"] in current:
            raise bad_options(
                f"{key['label']} is the current generation of {settings.get('prefix')}: name it in rejected and "
                "rotate, or give a pair as magento_revoke_replacement"
            )
        return {}
    if replacement == CURRENT and key["public_key"] in current:
        raise bad_options(f"{key['label']} cannot replace itself: name it in rejected and rotate, or give another pair")
    found = pair_of(settings, rotation) if replacement == CURRENT else replacement
    if replacement == CURRENT and not found:
        raise bad_options(f"the pair of the current generation of {settings.get('prefix')} could not be fetched")
    if not isinstance(found, Mapping) or any(not _text(found.get(half)) for half in HALVES):
        raise bad_options("magento_revoke_replacement is either current or a pair with public_key and private_key")
    if str(found["public_key"]) == key["public_key"]:
        raise bad_options(f"{key['label']} cannot replace itself: name it in rejected and rotate, or give another pair")
    return {half: str(found[half]) for half in HALVES}


def _text(value: Any) -> bool:
    # ansible-core before 2.19 has a type of its own, which is no str, for text from a vault.
    return not isinstance(value, (bool, int, float, Mapping, list, tuple, type(None))) and bool(str(value).strip())


def revocation(
    reports: Mapping[str, Any],
    *,
    key: Mapping[str, Any],
    replacement: Mapping[str, Any],
    settings: Mapping[str, Any],
    check_mode: bool = False,
) -> List[Dict[str, Any]]:
    """Who keeps the key from being disabled: the rules, and the form, are those of a rotation."""
    old = Generation(str(key["label"]), str(key["public_key"]), True)
    new = [Generation("the replacement", str(replacement["public_key"]), True)] if replacement else []
    series = Series("", (old, *new), frozenset((old.label,)))
    expected = Expected.of(settings, list(reports))
    blocked = blocked_by_hosts(series, expected, reports, ignore=False, check_mode=check_mode)
    return [row.as_result() for row in blocked]


def failed_call(results: Sequence[Any]) -> str:
    """Why one of these results is none, or nothing: of M(magento_marketplace_key), or of a pair that was verified.

    Tasks that were skipped have none.
    """
    for result in results:
        called = isinstance(result, Mapping) and not result.get("skipped")
        if called and (result.get("code") or not (result.get("marketplace_keys") or result.get("verdicts"))):
            return one_line(str(result.get("msg") or "there is no answer"), 1000)
    return ""


def told(
    blocked: Sequence[Mapping[str, Any]],
    *,
    key: Mapping[str, Any],
    settings: Mapping[str, Any],
    plan: Mapping[str, Any],
    reports: Mapping[str, Any],
    failure: str = "",
    leak: bool = False,
    delete: bool = False,
    check_mode: bool = False,
) -> str:
    """The last message of a revocation, one statement a line. ``failure`` is that of the key API."""
    manual = bool(settings.get("pair"))
    done = not manual or key["label"] in (settings.get("disabled_by_hand") or ())
    lines = [_headline(blocked, key, failure, leak=leak, manual=manual, delete=delete, check_mode=check_mode)]
    lines += [f"Blocked by {Blocked(**row)}" for row in blocked[:_MOST_ROWS]]
    if len(blocked) > _MOST_ROWS:
        lines.append(f"Blocked by {len(blocked) - _MOST_ROWS} more")
    if settings.get("excluded_hosts"):
        lines.append(f"Excluded, and may have it still: {', '.join(settings['excluded_hosts'])}")
    if leak and not manual and not check_mode:
        lines.append("It was disabled before anything else: hosts had no working key until they were reached")
    if check_mode:
        lines += _changes(reports)
    left = []
    if blocked or failure:
        left.append("run again" if failure else "correct what is named above, and run again")
    if not done and (leak or not blocked):
        left.append(f"disable {key['label']} on the account page, and name it in disabled_by_hand")
    ours = [g["public_key"] for g in plan.get("generations") or ()]
    gone = delete and not (blocked or failure)
    if not manual and not gone and key["public_key"] in ours and key["label"] not in (settings.get("rejected") or ()):
        left.append(f"name {key['label']} in rejected, so that no rotation enables it again")
    return "\n".join([*lines, f"Left to do: {'; '.join(left) or 'nothing'}"])


def _headline(
    blocked: Sequence[Any],
    key: Mapping[str, Any],
    failure: str,
    *,
    leak: bool,
    manual: bool,
    delete: bool,
    check_mode: bool,
) -> str:
    name = f"Revocation of {key['label']} ({key['public_key']}){', check mode' if check_mode else ''}"
    if blocked and leak and not manual and not check_mode:
        return f"{name} is blocked: it is disabled, and hosts are not confirmed to be without it"
    if blocked:
        return f"{name} is blocked: it stays enabled"
    if failure:
        return f"{name} failed: {failure}"
    if manual:
        return f"{name}: no expected host {'would have' if check_mode else 'has'} it any more"
    return f"{name}: it {'would be' if check_mode else 'is'} disabled{' and deleted' if delete else ''}"


def _changes(reports: Mapping[str, Any]) -> List[str]:
    rows = [
        f"Would be {one_line(str(row.get('action')), 20)}: {host}, {one_line(str(row.get('path')), 300)}"
        for host, report in reports.items()
        if isinstance(report, Mapping) and not forged(report)
        for row in _files(report.get(WOULD_CHANGE))
        if isinstance(row, Mapping) and row.get("action") != "unchanged"
    ]
    return rows[:_MOST_ROWS]


def _files(result: Any) -> Sequence[Any]:
    files: Optional[Any] = result.get("files") if isinstance(result, Mapping) else None
    return files if isinstance(files, (list, tuple)) else ()
