# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the API calls that bring the keys of an account to the requested state. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any, Collection, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .._errors import KeyfleetError
from .._secrets import describe, shown_user
from .._text import one_line

LABEL_LIMIT = 32  # characters
# Labels named in a message for many.
_NAMED = 5
# Labels of an account that are compared with an unknown one; each takes a fraction of a millisecond.
_COMPARED = 1000


@dataclass(frozen=True)
class MarketplaceKey:
    """A pair at the Marketplace. ``uid`` is the MAGEID or organisation that owns it, or empty if it is not known."""

    label: str
    uid: str
    public_key: str
    enabled: bool
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """An item of a batch that the API refused, as an element of ``refusals``. ``code`` is that of the API."""

    label: str
    code: Optional[int]
    message: str


@dataclass(frozen=True)
class Step:
    """One label with its key and the planned action."""

    label: str
    existing: Optional[MarketplaceKey]
    action: str  # created, enabled, disabled, deleted, unchanged
    enabled: Optional[bool]  # afterwards; None: no key


@dataclass(frozen=True)
class KeyPlan:
    """The calls, in this order: one for all of ``create``, then one for each of ``switch`` and ``delete``."""

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
        """Whether the plan has any calls."""
        return any(step.action != "unchanged" for step in self.steps)


def check_label(label: str) -> None:
    """Raises `KeyfleetError` ``bad_options`` for an invalid label."""
    if len(label) > LABEL_LIMIT:
        raise KeyfleetError("bad_options", f"label {label!r} has more than {LABEL_LIMIT} characters")
    if not label.strip():
        raise KeyfleetError("bad_options", f"label {label!r} is empty")
    if label in (".", ".."):
        # Servers and clients resolve these as path segments, even when percent-encoded.
        raise KeyfleetError("bad_options", f"label {label!r} cannot be used in a URL")
    if not label.isprintable():
        raise KeyfleetError("bad_options", f"label {label!r} has characters that cannot be printed")


def refusals_in_words(refusals: Sequence[Refusal], *, asked: int) -> str:
    """A message about refused keys, of ``asked`` ones, grouped by reason."""
    reasons: Dict[str, List[str]] = {}
    for refusal in refusals:
        code = "" if refusal.code is None else f" (code {refusal.code})"
        reasons.setdefault((refusal.message or "no reason is shown") + code, []).append(repr(refusal.label))
    parts = [f"{_first(labels, len(labels))}: {reason}" for reason, labels in reasons.items()]
    return f"{len(refusals)} of {asked} keys were not created: {'; '.join(parts)}"


def _first(labels: Sequence[str], number: int) -> str:
    """The first labels, and how many others there are, of ``number``."""
    return ", ".join(labels[:_NAMED]) + (f" and {number - _NAMED} others" if number > _NAMED else "")


def unknown_labels(labels: Sequence[str], *, owner: str, known: Collection[str]) -> str:
    """A message that ``owner`` has no key of ``labels``, with similar labels among ``known``."""
    folded = {label.casefold(): label for label in islice(known, _COMPARED) if len(label) <= LABEL_LIMIT}
    parts = []
    for label in labels[:_NAMED]:
        wanted = label.casefold()
        near = get_close_matches(wanted, folded) or [other for other in folded if wanted in other][:3]
        meant = f" (there is {', '.join(repr(folded[match]) for match in near)})" if near else ""
        parts.append(f"{label!r}{meant}")
    return f"{owner} has no key called {_first(parts, len(labels))}"


def _present(label: str, existing: Optional[MarketplaceKey], enabled: Optional[bool]) -> Step:
    if existing is None:
        return Step(label, None, "created", True)
    if enabled is None or enabled == existing.enabled:
        return Step(label, existing, "unchanged", existing.enabled)
    return Step(label, existing, "enabled" if enabled else "disabled", enabled)


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

    Raises `KeyfleetError` ``unknown_label`` if a missing key shall be disabled, ``key_enabled`` if an enabled key shall
    be deleted without ``delete_enabled``.
    """
    owned = {key.label: key for key in keys if key.uid == uid}
    if present:
        unknown = [label for label in labels if label not in owned]
        if unknown and enabled is False:
            text = unknown_labels(unknown, owner=uid, known=owned)
            raise KeyfleetError("unknown_label", f"Nothing was done: {text}")
        return KeyPlan(tuple(_present(label, owned.get(label), enabled) for label in labels), uid)
    enabled_labels = [label for label in labels if label in owned and owned[label].enabled]
    if enabled_labels and not delete_enabled:
        raise KeyfleetError(
            "key_enabled",
            f"Nothing was done: {', '.join(repr(label) for label in enabled_labels)} would be deleted while enabled. "
            "Disable keys first to find out whether they are in use, or set delete_enabled",
        )
    steps = [Step(label, owned.get(label), "deleted" if label in owned else "unchanged", None) for label in labels]
    return KeyPlan(tuple(steps), uid)


def key_row(key: MarketplaceKey, *, include_private_key: bool = False) -> Dict[str, Any]:
    """A key for results."""
    row = {
        "label": key.label,
        "uid": key.uid,
        "public_key": shown_user(key.public_key),
        "fingerprint": describe(key.private_key),
        "enabled": key.enabled,
    }
    return {**row, "private_key": key.private_key} if include_private_key else row


def step_row(step: Step, uid: str, now: Optional[MarketplaceKey] = None) -> Dict[str, Any]:
    """One element of ``marketplace_keys``; ``now`` is the key after an executed step."""
    known = now or step.existing
    unknown = {"label": step.label, "uid": uid, "public_key": None, "fingerprint": None}
    row = key_row(known) if known else unknown
    return dict(row, enabled=now.enabled if now else step.enabled, action=step.action)


def difference(before: str, after: str, *, name: str = "Marketplace keys") -> Dict[str, str]:
    """One element of a diff for Ansible."""
    return {"before_header": name, "after_header": name, "before": before, "after": after}


def diff_of(plan: KeyPlan) -> Dict[str, str]:
    """The diff, identical in check mode and in a real run: a new key is shown without its public key."""

    def line(step: Step, enabled: Optional[bool]) -> str:
        if enabled is None:
            return ""
        key = step.existing
        pair = f" {one_line(shown_user(key.public_key))} {describe(key.private_key)}" if key else ""
        return f"{step.label} ({plan.uid}): {'enabled' if enabled else 'disabled'}{pair}\n"

    before = "".join(line(step, step.existing.enabled if step.existing else None) for step in plan.steps)
    return difference(before, "".join(line(step, step.enabled) for step in plan.steps))


def matches(key: MarketplaceKey, filters: Mapping[str, Any]) -> bool:
    """Whether the key matches every filter that is not None. ``filters``: the options of the info module."""
    values = {"enabled": key.enabled, "public_key": key.public_key, "fingerprint": describe(key.private_key)}
    return (
        (filters["labels"] is None or key.label in filters["labels"])
        and (filters["prefix"] is None or key.label.startswith(filters["prefix"]))
        and filters["uid"] in (None, "all", key.uid)
        and all(filters[name] in (None, value) for name, value in values.items())
    )
