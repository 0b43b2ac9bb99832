# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers for tests of a rotation: series, settings, reports of hosts, and a fake account."""

from __future__ import annotations

import contextlib
import datetime
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence
from unittest import mock

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.client import Created
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.plan import MarketplaceKey, Refusal
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import run as run_module
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.account import series_spec
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import CONFIRMED, FACTS, WOULD_CHANGE
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import Generation, Series, series_of
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    CA,
    Exchange,
    Loopback,
    basic,
    fake_key,
)

TODAY = datetime.date(2026, 3, 1)
DAY = datetime.timedelta(days=1)
MIXED_UP = "web-20240102"
FILE = "/home/deploy/.composer/auth.json"


def key(label: str) -> Generation:
    """A generation; a leading minus means disabled."""
    name = label.lstrip("-")
    return Generation(name, f"public of {name}", label == name)


def series(*labels: str, rejected: Sequence[str] = (), adopt: Sequence[str] = (), prefix: str = "web") -> Series:
    """The series of an account with these labels."""
    return series_of(prefix, [key(label) for label in labels], rejected=rejected, adopt=adopt)


def labels(generations: Iterable[Generation]) -> List[str]:
    """The labels of generations."""
    return [generation.label for generation in generations]


def settings(**given: Any) -> Dict[str, Any]:
    """The settings of a series, with defaults from the argument spec."""
    spec: Dict[str, Dict[str, Any]] = series_spec()
    known = {name: option.get("default") for name, option in spec.items()}
    if not set(given) <= set(known):
        raise AssertionError(f"no such settings: {set(given) - set(known)}")
    return {**known, "prefix": "web", "application_id": "APP1", "application_secret": "made up", **given}


def entry(label: Optional[str]) -> Optional[Dict[str, Any]]:
    """The entry with the key of this label, as in a result."""
    return label if label is None else {"public_key": f"public of {label}", "fingerprint": f"sha256:{label}"}


def installed(*held: str, path: str = FILE, owner: str = "deploy", **more: Any) -> Dict[str, Any]:
    """A result of M(magento_auth_key_info): one file with the keys of these labels."""
    return {
        "files": [{"path": path, "owner": owner, "entries": [entry(label) for label in held]}],
        "problems": [],
        **more,
    }


def would(action: str, before: Optional[str], after: Optional[str], path: str = FILE) -> Dict[str, Any]:
    """A row of ``files`` of M(magento_auth_key)."""
    return {"path": path, "owner": "deploy", "action": action, "before": entry(before), "after": entry(after)}


def role(*rows: Dict[str, Any], **more: Any) -> Dict[str, Any]:
    """A result of the role in check mode."""
    return {"files": list(rows), "problems": [], "changed": False, **more}


def has(label: str, **more: Any) -> Dict[str, Any]:
    """The report of a host with one file, which has the requested key: the key of this label."""
    return {FACTS: [], CONFIRMED: installed(label), WOULD_CHANGE: role(would("unchanged", label, label)), **more}


class FakeClient:
    """A fake client with an account. ``calls``: the changing calls. Calls in ``failing`` raise an error."""

    mage_id = "MAG1"

    def __init__(self, *labels: str, uid: str = "MAG1") -> None:
        self.keys_: Dict[Any, MarketplaceKey] = {}
        self.calls: List[str] = []
        self.failing: Dict[str, str] = {}
        self.refusal: Optional[str] = None
        for label in labels:
            self.add(label, uid)

    def add(self, label: str, uid: str = "MAG1") -> None:
        """Add a key; a leading minus means disabled."""
        name, public, enabled, _date = key(label)
        self.keys_[uid, name] = MarketplaceKey(name, uid, public, enabled, fake_key(f"private {name}"))

    def _call(self, *words: str) -> None:
        if words[0] in self.failing or " ".join(words) in self.failing:
            raise KeyfleetError("api_unreachable", "the API does not answer")
        if words[0] != "list":
            self.calls.append(" ".join(words))

    def keys(self, *, uid: str = "all") -> List[MarketplaceKey]:
        """The keys of the owner and, as from a faulty API, one of another owner."""
        self._call("list")
        return [pair for pair in self.keys_.values() if uid in ("all", pair.uid) or pair.label == MIXED_UP]

    def create(self, names: Sequence[str], *, uid: str) -> Created:
        """Create the keys, or refuse them all."""
        self._call("create", *names)
        if self.refusal is not None:
            return Created((), tuple(Refusal(name, 1, self.refusal) for name in names))
        for name in names:
            if (uid, name) in self.keys_:
                raise AssertionError(f"{name} exists")
            self.add(name, uid)
        return Created(tuple(self.keys_[uid, name] for name in names), ())

    def set_enabled(self, label: str, *, uid: str, enabled: bool) -> None:
        """Enable or disable a key."""
        self._call("enable" if enabled else "disable", label)
        self.keys_[uid, label] = replace(self.keys_[uid, label], enabled=enabled)

    def delete(self, label: str, *, uid: str) -> None:
        """Delete a key."""
        self._call("delete", label)
        del self.keys_[uid, label]

    def answer(self, exchange: Exchange) -> None:
        """Answer as a repository that accepts enabled pairs."""
        pairs = [basic(pair.public_key, pair.private_key) for pair in self.keys_.values() if pair.enabled]
        if exchange.headers["authorization"] in pairs:
            exchange.json("{}")
        else:
            exchange.reply(401)


@contextlib.contextmanager
def stopped_clock(slept: List[float]) -> Iterator[None]:
    """For a rotation, it is `TODAY`, and only its pauses pass time. They are added to ``slept``."""
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    with mock.patch.multiple(run_module, utc_date=lambda: TODAY, time=clock):
        yield


class Lab:
    """An account, its repository, and a clock that only sleep() advances."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.client = FakeClient()
        self.slept: List[float] = []
        self.answer: Optional[Callable[[Exchange], None]] = None

    def run(self, phase: str, *, check_mode: bool = False, **given: Any) -> Dict[str, Any]:
        """Run a phase; ``given``: module options and settings. Returns the result, or details, code and message."""
        params: Dict[str, Any] = {"phase": phase, "hosts": given.pop("hosts", None)}
        params.update({name: given.pop(name, None) for name in ("holders", "revoke")})
        known = {"url": self.server.url, "ca_path": CA, "timeout": 10.0, "external_holders_acknowledged": True, **given}
        params["series"] = settings(**known)
        try:
            with stopped_clock(self.slept):
                result = run_module.rotate(self.client, params, check_mode=check_mode)  # type: ignore[arg-type]
        except KeyfleetError as error:
            result = {**error.details, "code": error.code, "message": error.message}
        for pair in self.client.keys_.values():
            assert pair.private_key not in json.dumps(result), result
        return result

    def states(self) -> Dict[str, bool]:
        """Whether each label is enabled."""
        return {label: pair.enabled for (_uid, label), pair in self.client.keys_.items()}
