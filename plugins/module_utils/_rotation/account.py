# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a series, at the Marketplace account of the owner or only in the settings, and whether they work."""

from __future__ import annotations

import os
from typing import Any, List, Mapping, Optional

from .._argspec import ArgumentSpec, Connection, address, bad_options, package_names, seconds
from .._errors import KeyfleetError
from .._marketplace.client import Marketplace
from .._marketplace.keys import marketplace_spec, owner_of
from .._marketplace.plan import MarketplaceKey
from .._repository.check import check
from .._repository.outcome import Verdict
from .._secrets import MAGENTO_REPOSITORY, key_faults
from .series import Generation, Series, check_prefix, date_of, series_of

_STRINGS = {"type": "list", "elements": "str"}


def series_spec() -> ArgumentSpec:
    """The options of ``magento_series``."""
    key = {"type": "raw", "required": True, "no_log": False}
    name, text = {"type": "str", "required": True}, {"type": "str"}
    holder = {"name": name, "role": text, "tasks_from": text, "tasks": text}
    pair = {"label": name, "public_key": key, "private_key": dict(key, no_log=True)}
    earlier = {"label": name, "public_key": dict(name, no_log=False)}
    return {
        "prefix": name,
        "uid": text,
        **marketplace_spec(required=False),
        "url": text,
        "packages": _STRINGS,
        "propagation_timeout": {"type": "float", "default": 300.0},
        "max_age": {"type": "int", "default": 90},
        "overlap": {"type": "int", "default": 0},
        "delete_after": {"type": "int", "default": 30},
        "rotate_now": {"type": "bool", "default": False},
        "rejected": _STRINGS,
        "adopt": _STRINGS,
        "expected_hosts": _STRINGS,
        "expected_count": {"type": "int"},
        "excluded_hosts": _STRINGS,
        "search": {"type": "list", "elements": "path"},
        "unmanaged_keys": {**text, "choices": ["block", "remove", "ignore"], "default": "block", "no_log": False},
        "external_holders": {"type": "list", "elements": "dict", "options": holder},
        "external_holders_acknowledged": {"type": "bool", "default": False},
        "batches": {"type": "list", "elements": "raw", "default": [1, "20%"]},
        "max_failed": {"type": "int", "default": 0},
        "pair": {"type": "dict", "options": pair},
        "previous": {"type": "list", "elements": "dict", "options": earlier},
        "disabled_by_hand": _STRINGS,
    }


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises `KeyfleetError` ``bad_options`` for contradictory or incomplete settings."""
    check_prefix(settings["prefix"])
    for name in ("max_age", "overlap", "delete_after", "max_failed", "propagation_timeout"):
        if not settings[name] >= 0:
            raise bad_options(f"{name} must not be negative")
    if settings["expected_count"] is not None and settings["expected_count"] < 1:
        raise bad_options("expected_count must be one or more")
    pair = settings["pair"]
    for name in ("previous", "disabled_by_hand"):
        if settings[name] and pair is None:
            raise bad_options(f"{name} belongs to a pair made by hand, and pair is not set")
    if settings["rotate_now"] and pair is not None:
        raise bad_options("rotate_now needs the key API; make a key on the account page, and name it in pair")
    for name in ("application_id", "application_secret"):
        if settings[name] is None and pair is None:
            raise bad_options(f"{name} is not set; without access to the key API, set pair")
    holders = settings["external_holders"] or ()
    names = [holder["name"] for holder in holders]
    if len(set(names)) < len(names) or not all(names):
        raise bad_options("external_holders: each needs a name of its own")
    for holder in holders:
        # A holder without tasks could not fail, and would always be confirmed.
        if bool(holder["role"]) == bool(holder["tasks"]) or (holder["tasks_from"] and not holder["role"]):
            raise bad_options(f"external_holders: {holder['name']} needs tasks, or a role (tasks_from optional)")
        if holder["tasks"] and not os.path.isabs(holder["tasks"]):
            raise bad_options(f"external_holders: tasks of {holder['name']} is not an absolute path")


def verdict_of(settings: Mapping[str, Any], *, public_key: str, private_key: str) -> Verdict:
    """The repository's current verdict on a pair, including the packages in the settings."""
    return check(
        repository=MAGENTO_REPOSITORY,
        url=address(settings["url"]),
        public_key=public_key,
        private_key=private_key,
        packages=package_names(settings["packages"]),
        connection=Connection(
            validate_certs=settings["validate_certs"],
            ca_path=settings["ca_path"],
            timeout=seconds(settings["timeout"]),
        ),
    )


def unverified(words: str, verdict: Optional[Verdict]) -> KeyfleetError:
    """The error for a key that the repository does not accept; without a verdict, the key is disabled."""
    message = verdict.message if verdict else "It is disabled."
    return KeyfleetError("unverified", f"{words} {message}", verdicts=[verdict.as_result()] if verdict else [])


class Account:
    """The keys of one owner at the Marketplace."""

    by_hand = False

    def __init__(self, client: Marketplace, settings: Mapping[str, Any]) -> None:
        self.client = client
        self.uid = owner_of(settings["uid"], client)
        keys = [key for key in client.keys(uid=self.uid) if key.uid == self.uid]
        self.private = {key.label: key.private_key for key in keys}
        self.series = series_of(
            settings["prefix"],
            [Generation(key.label, key.public_key, key.enabled) for key in keys],
            adopt=settings["adopt"] or (),
            rejected=settings["rejected"] or (),
        )

    def every_key(self) -> List[MarketplaceKey]:
        """The keys of all owners."""
        return self.client.keys()

    def create(self, label: str) -> None:
        """Create the key. A lost answer is an error only if the key was not created."""
        made = self.client.create([label], uid=self.uid)
        if not made.keys:
            reason = made.refusals[0].message or "no reason is shown"
            raise KeyfleetError("keys_not_created", f"{label} was not created: {reason}")
        key = made.keys[0]
        self.private[label] = key.private_key
        new = Generation(label, key.public_key, key.enabled, date_of(self.series.prefix, label))
        self.series = self.series._replace(generations=(*self.series.generations, new))

    def enable(self, label: str, enabled: bool) -> None:
        """Enable or disable the key."""
        self.client.set_enabled(label, uid=self.uid, enabled=enabled)
        generations = [g._replace(enabled=enabled) if g.label == label else g for g in self.series.generations]
        self.series = self.series._replace(generations=tuple(generations))

    def delete(self, label: str) -> None:
        """Delete the key."""
        self.client.delete(label, uid=self.uid)
        self.series = self.series._replace(generations=tuple(g for g in self.series.generations if g.label != label))


class ByHand:
    """A pair made by hand on the account page, and its predecessors. They cannot be changed from here."""

    by_hand = True
    uid = None

    def __init__(self, settings: Mapping[str, Any]) -> None:
        pair, previous = settings["pair"], settings["previous"] or []
        for name in ("adopt", "rejected"):
            if settings[name]:
                raise bad_options(f"{name} needs the key API; with a pair made by hand, previous names the other keys")
        faults = key_faults(
            repository=MAGENTO_REPOSITORY,
            public_key=pair["public_key"],
            private_key=pair["private_key"],
            names=("pair.public_key", "pair.private_key"),
        )
        labels = [key["label"] for key in (*previous, pair)]
        public = [str(key["public_key"]) for key in (*previous, pair)]
        if len(set(labels)) < len(labels) or len(set(public)) < len(public):
            faults.append("pair and previous name one label or public key twice")
        disabled = settings["disabled_by_hand"] or []
        faults += [f"disabled_by_hand: {label!r} is not in previous" for label in disabled if label not in labels[:-1]]
        if faults:
            raise bad_options("; ".join(faults))
        self.private = {pair["label"]: pair["private_key"]}
        prefix = settings["prefix"]
        generations = [Generation(k["label"], k["public_key"], k["label"] not in disabled) for k in previous]
        last = Generation(pair["label"], pair["public_key"], True, date_of(prefix, pair["label"]))
        self.series = Series(prefix, (*generations, last))

    def every_key(self) -> List[MarketplaceKey]:
        """The keys in the settings. Private keys of predecessors are unknown."""
        return [
            MarketplaceKey(g.label, "", str(g.public_key), g.enabled, self.private.get(g.label, ""))
            for g in self.series.generations
        ]
