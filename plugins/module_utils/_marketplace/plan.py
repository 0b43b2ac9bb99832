# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the keys of an account and what is wanted of them to the calls that bring it about. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any, Collection, Dict, Iterable, List, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import one_line
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe, shown_user

LABEL_LIMIT = 32  # characters
# So many labels are named where one reason holds for many.
_NAMED = 5
# So many labels of an account are compared with one that is unknown; each takes a fraction of a millisecond.
_COMPARED = 1000


@dataclass(frozen=True)
class MarketplaceKey:
    """A pair as the account has it. ``uid`` is the MAGEID or organisation that owns it."""

    label: str
    uid: str
    public_key: str
    enabled: bool
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """An item of a batch that the API did not carry out. ``code`` is the API's own."""

    label: str
    code: Optional[int]
    message: str

    def as_result(self) -> Dict[str, Any]:
        """The keys that every element of ``refusals`` has in a result."""
        return {"label": self.label, "code": self.code, "message": self.message}


@dataclass(frozen=True)
class Step:
    """One label: what is there, and what shall become of it."""

    label: str
    there: Optional[MarketplaceKey]
    action: str  # created, enabled, disabled, deleted, unchanged
    enabled: Optional[bool]  # afterwards; None: no such key


@dataclass(frozen=True)
class KeyPlan:
    """What to call, in this order: one create for ``create``, then one call for each of the others."""

    steps: Tuple[Step, ...]
    uid: str

    @property
    def create(self) -> List[str]:
        """Labels to create. A new key is enabled."""
        return [step.label for step in self.steps if step.action == "created"]

    @property
    def switch(self) -> List[Step]:
        """Keys to enable or disable."""
        return [step for step in self.steps if step.action in ("enabled", "disabled")]

    @property
    def delete(self) -> List[str]:
        """Labels to delete."""
        return [step.label for step in self.steps if step.action == "deleted"]

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return any(step.action != "unchanged" for step in self.steps)


def check_label(label: str) -> None:
    """Raises `KeyfleetError` ``bad_options`` for what cannot be the label of a key."""
    if len(label) > LABEL_LIMIT:
        raise KeyfleetError("bad_options", f"label {label!r} has more than {LABEL_LIMIT} characters")
    if not label.strip():
        raise KeyfleetError("bad_options", f"label {label!r} is empty")
    if label in (".", ".."):
        # Servers and clients resolve these two in an address, however they are written.
        raise KeyfleetError("bad_options", f"label {label!r} cannot be named in an address")
    if not label.isprintable():
        raise KeyfleetError("bad_options", f"label {label!r} has characters that cannot be printed")


def refusals_in_words(refusals: Sequence[Refusal], *, asked: int) -> str:
    """What was not created of ``asked`` keys, each reason once."""
    reasons: Dict[str, List[str]] = {}
    for refusal in refusals:
        code = "" if refusal.code is None else f" (code {refusal.code})"
        reasons.setdefault((refusal.message or "no reason is shown") + code, []).append(repr(refusal.label))
    parts = []
    for reason, labels in reasons.items():
        others = f" and {len(labels) - _NAMED} others" if len(labels) > _NAMED else ""
        parts.append(f"{', '.join(labels[:_NAMED])}{others}: {reason}")
    return f"{len(refusals)} of {asked} keys were not created: {'; '.join(parts)}"


def unknown_labels(labels: Sequence[str], *, owner: str, known: Collection[str]) -> str:
    """That ``owner`` has no key of ``labels``, with the labels among ``known`` that were probably meant."""
    folded = {label.casefold(): label for label in islice(known, _COMPARED) if len(label) <= LABEL_LIMIT}
    parts = []
    for label in labels[:_NAMED]:
        wanted = label.casefold()
        near = get_close_matches(wanted, folded) or [other for other in folded if wanted in other][:3]
        meant = f" (there is {', '.join(repr(folded[match]) for match in near)})" if near else ""
        parts.append(f"{label!r}{meant}")
    others = f" and {len(labels) - _NAMED} others" if len(labels) > _NAMED else ""
    return f"{owner} has no key called {', '.join(parts)}{others}"


def _present(label: str, there: Optional[MarketplaceKey], enabled: Optional[bool]) -> Step:
    if there is None:
        return Step(label, None, "created", True)
    if enabled is None or enabled == there.enabled:
        return Step(label, there, "unchanged", there.enabled)
    return Step(label, there, "enabled" if enabled else "disabled", enabled)


def plan_keys(
    keys: Iterable[MarketplaceKey],
    *,
    labels: Sequence[str],
    uid: str,
    present: bool,
    enabled: Optional[bool],
    delete_enabled: bool,
) -> KeyPlan:
    """The plan for ``labels`` of ``uid``; the same label of another owner is another key.

    Raises `KeyfleetError` ``unknown_label`` if a key that does not exist would be disabled, ``key_enabled`` if an
    enabled key would be deleted without ``delete_enabled``.
    """
    owned = {key.label: key for key in keys if key.uid == uid}
    if present:
        unknown = [label for label in labels if label not in owned]
        if unknown and enabled is False:
            text = unknown_labels(unknown, owner=uid, known=owned)
            raise KeyfleetError("unknown_label", f"Nothing was done: {text}")
        return KeyPlan(tuple(_present(label, owned.get(label), enabled) for label in labels), uid)
    alive = [label for label in labels if label in owned and owned[label].enabled]
    if alive and not delete_enabled:
        raise KeyfleetError(
            "key_enabled",
            f"Nothing was done: {', '.join(repr(label) for label in alive)} would be deleted while enabled. "
            "Disable first and see whether anybody misses it, or set delete_enabled",
        )
    steps = [Step(label, owned.get(label), "deleted" if label in owned else "unchanged", None) for label in labels]
    return KeyPlan(tuple(steps), uid)


def key_row(key: MarketplaceKey, *, include_private_key: bool = False) -> Dict[str, Any]:
    """A key as results show it."""
    row: Dict[str, Any] = {
        "label": key.label,
        "uid": key.uid,
        "public_key": shown_user(key.public_key),
        "fingerprint": describe(key.private_key),
        "enabled": key.enabled,
    }
    if include_private_key:
        row["private_key"] = key.private_key
    return row


def step_row(step: Step, uid: str, now: Optional[MarketplaceKey] = None) -> Dict[str, Any]:
    """One element of ``keys``; ``now`` is the key of a step that was carried out, as it is afterwards."""
    known = now or step.there
    row: Dict[str, Any] = {"label": step.label, "uid": uid, "public_key": None, "fingerprint": None}
    if known:
        row.update(key_row(known))
    return dict(row, enabled=now.enabled if now else step.enabled, action=step.action)


def diff_of(plan: KeyPlan) -> Dict[str, str]:
    """Before and after, the same in check mode and in a real run: a pair that does not exist yet has no public key."""

    def line(label: str, enabled: Optional[bool], there: Optional[MarketplaceKey]) -> str:
        if enabled is None:
            return ""
        pair = f" {one_line(shown_user(there.public_key))} {describe(there.private_key)}" if there else ""
        return f"{label} ({plan.uid}): {'enabled' if enabled else 'disabled'}{pair}\n"

    before = [line(s.label, s.there.enabled if s.there else None, s.there) for s in plan.steps]
    after = [line(s.label, s.enabled, s.there) for s in plan.steps]
    return {
        "before_header": "Marketplace keys",
        "after_header": "Marketplace keys",
        "before": "".join(before),
        "after": "".join(after),
    }


def selected(
    keys: Iterable[MarketplaceKey],
    *,
    labels: Optional[Sequence[str]] = None,
    prefix: Optional[str] = None,
    uid: Optional[str] = None,
    enabled: Optional[bool] = None,
    public_key: Optional[str] = None,
    fingerprint: Optional[str] = None,
) -> List[MarketplaceKey]:
    """The keys that meet every filter that is not None."""
    return [
        key
        for key in keys
        if (labels is None or key.label in labels)
        and (prefix is None or key.label.startswith(prefix))
        and (uid in (None, "all") or key.uid == uid)
        and (enabled is None or key.enabled == enabled)
        and (public_key is None or key.public_key == public_key)
        and (fingerprint is None or describe(key.private_key) == fingerprint)
    ]
