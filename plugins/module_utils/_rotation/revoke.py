# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revoke one key: identify it and its replacement, and disable it unless a host blocks that."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from .._argspec import ArgumentSpec, bad_options
from .._errors import KeyfleetError
from .._marketplace.plan import MarketplaceKey, check_label
from .._secrets import MAGENTO_REPOSITORY, describe, fingerprint, key_faults
from .account import unverified, verdict_of
from .fleet import Expected, blocked_by_hosts
from .report import Outcome, Revoked, changes
from .series import HALVES, Generation, Series

CURRENT = "current"
REVOKE_SPEC: ArgumentSpec = {
    # raw: another type, such as a pair, must not be converted to text.
    "key": {"type": "raw", "no_log": False},
    # no_log would hide the word "current" everywhere, not only the private half of a pair.
    "replacement": {"type": "raw", "no_log": False},
    "leak": {"type": "bool", "default": False},
    "delete": {"type": "bool", "default": False},
}


def begin(account: Any, params: Mapping[str, Any], done: Outcome) -> None:
    """Identify the key and its replacement, verify the replacement, and disable a leaked key at once."""
    key = _revoked(account, params["revoke"], params["series"])
    done.revoked, done.reason = key, f"{key.label} is to be revoked"
    if not key.leak or done.check_mode:
        return
    if key.by_hand:
        done.warnings.append(
            f"Disable {key.label} on the account page now: it leaked. A host has no working key until the run reaches "
            "it"
        )
        return
    try:
        _disable(account, key, done)
    except KeyfleetError as error:
        message = f"{key.label} was not disabled, and no host was changed: {error.message}"
        raise KeyfleetError(error.code, message) from error


def finish(account: Any, params: Mapping[str, Any], done: Outcome) -> None:
    """Disable the key, and delete it if requested, when no expected host has it any more."""
    settings = params["series"]
    # Verify again: if another run has disabled the replacement, the revoked key may be the only working one.
    key = done.revoked = _revoked(account, params["revoke"], settings)
    reports: Mapping[str, Any] = params["hosts"] or {}
    expected = Expected.of(settings, reports)
    done.reason = f"no expected host has {key.label}"
    if expected.excluded:
        done.notes.append(f"Excluded, and may still have it: {', '.join(expected.excluded)}")
    if key.leak and not key.by_hand:
        first, had = ("would be", "would have") if done.check_mode else ("was", "had")
        done.notes.append(f"It {first} disabled first, so hosts {had} no working key until the run reached them")
    done.notes += changes(reports, check_mode=done.check_mode)
    # As in a rotation, with the key and its replacement as the only generations.
    generations = [Generation(key.label, key.public_key, True)]
    if key.replacement:
        generations.append(Generation(f"the replacement of {key.label}", key.replacement["public_key"], True))
    series = Series(settings["prefix"], tuple(generations), frozenset((key.label,)))
    done.blocked = blocked_by_hosts(series, expected, reports, ignore=False, check_mode=done.check_mode)
    if key.by_hand and key.enabled and (key.leak or not done.blocked):
        done.left.append(f"disable {key.label} on the account page, and name it in disabled_by_hand")
    if key.by_hand and key.delete and not done.blocked:
        done.left.append(f"delete {key.label} on the account page")
    if done.blocked:
        done.reason = f"not every expected host is confirmed to be without {key.label}"
    elif not key.by_hand:
        _disable_or_delete(account, key, done)
    if key.by_hand or key.public_key not in {g.public_key for g in account.series.generations}:
        return
    deleted = key.delete and not done.blocked
    named = [name for name in ("adopt", "rejected") if key.label in (settings[name] or ())]
    if not deleted and "rejected" not in named:
        done.left.append(f"name {key.label} in rejected, so that no rotation enables it again")
    if deleted and "adopt" in named:
        done.left.append(f"remove {key.label} from {' and '.join(named)}")


def _disable_or_delete(account: Any, key: Revoked, done: Outcome) -> None:
    before = "enabled" if key.enabled else "disabled"
    if done.check_mode:
        after = "" if key.delete else "disabled"
        done.lines += [(key.label, before, after)] if before != after else []
        done.changed = bool(done.lines)
        return
    _disable(account, key, done)
    if key.delete:
        account.client.delete(key.label, uid=key.uid)
        done.deleted.append(key.label)
        done.lines = [(key.label, before, "")]


def _disable(account: Any, key: Revoked, done: Outcome) -> None:
    if key.enabled:
        account.client.set_enabled(key.label, uid=key.uid, enabled=False)
        done.revoked = key._replace(enabled=False)
        done.disabled.append(key.label)
        done.lines.append((key.label, "enabled", "disabled"))


def _revoked(account: Any, given: Mapping[str, Any], settings: Mapping[str, Any]) -> Revoked:
    """Resolve and verify the options in ``given``.

    Nothing of the replacement may be shown before the repository has accepted it: its halves may be swapped.
    """
    key = _key_named(account, given["key"])
    replacement = _replacement(account, key, given["replacement"])
    verdict = verdict_of(settings, **replacement) if replacement else None
    if verdict and verdict.status != "valid":
        words = f"The repository does not accept the replacement of {key.label}, which stays as it is."
        raise unverified(words, verdict)
    return Revoked(
        key.label, key.public_key, key.uid or None, key.enabled,
        replacement=replacement, leak=given["leak"], delete=given["delete"], by_hand=account.by_hand,
    )  # fmt: skip


def _key_named(account: Any, wanted: Any) -> MarketplaceKey:
    """The key with this label, public key or fingerprint.

    A label must be of the owner of the series: the same label of another owner is another key.
    """
    if not isinstance(wanted, str) or not wanted.strip():
        raise bad_options("name the key: -e magento_revoke_key=LABEL, or its public key or fingerprint")
    found: List[MarketplaceKey] = [
        key
        for key in account.every_key()
        if wanted == key.public_key
        or (wanted == describe(key.private_key) and wanted.startswith("sha256:"))
        or (wanted == key.label and (key.uid or None) == account.uid)
    ]
    # It may be a private key, given by mistake.
    shown = repr(wanted) if fingerprint(wanted) is None else f"{describe(wanted)} (its SHA-256)"
    if not found:
        of = f" (of {account.uid})" if account.uid else ""
        where = "; name it in previous" if account.by_hand else ""
        raise KeyfleetError(
            "unknown_key", f"there is no key with the label{of}, public key or fingerprint {shown}{where}"
        )
    if len(found) > 1:
        names = ", ".join(f"{key.label!r}{f' of {key.uid}' if key.uid else ''} ({key.public_key})" for key in found)
        raise KeyfleetError("ambiguous_key", f"{shown} matches {names}; name the public key or label")
    check_label(found[0].label)
    return found[0]


def _replacement(account: Any, key: MarketplaceKey, given: Any) -> Optional[Dict[str, str]]:
    current, prefix = account.series.current, account.series.prefix
    if given in (None, ""):
        if current and key.public_key == current.public_key:
            raise bad_options(
                f"{key.label} is the current generation of {prefix}: name it in rejected and rotate, or give a pair as "
                "magento_revoke_replacement"
            )
        if key.enabled and key.public_key in {generation.public_key for generation in account.series.generations}:
            # Hosts whose variables name the series may have it, and would be left without a key.
            raise bad_options(
                f"{key.label} is a generation of {prefix}: give magento_revoke_replacement, either current or a pair"
            )
        return None
    if given == CURRENT:
        if current is None or not current.enabled:
            raise KeyfleetError("no_generation", f"no generation of {prefix} is enabled; run rotate_issue first")
        pair = {"public_key": current.public_key, "private_key": account.private[current.label]}
    elif isinstance(given, Mapping) and set(given) >= set(HALVES):
        pair = {half: given[half] for half in HALVES}
        names = ("magento_revoke_replacement.public_key", "magento_revoke_replacement.private_key")
        faults = key_faults(repository=MAGENTO_REPOSITORY, names=names, **pair)
        if faults:
            raise bad_options("; ".join(faults))
    else:
        raise bad_options("magento_revoke_replacement must be current or a pair with public_key and private_key")
    if pair["public_key"] == key.public_key:
        raise bad_options(f"{key.label} cannot replace itself: name it in rejected and rotate, or give another pair")
    return pair
