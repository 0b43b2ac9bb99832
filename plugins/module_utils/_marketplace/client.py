# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client of the key calls of the Marketplace EQP REST API: list, create, enable, disable, delete.

Source: AdobeDocs/commerce-marketplace, ``src/pages/guides/eqp/v1/{auth,users,access-keys,handling-errors}.md``.
Needs `requests`; runs on the controller.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple, Type
from urllib.parse import quote

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.failures import (
    item_refused,
    number,
    unreadable,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.plan import (
    MarketplaceKey,
    Refusal,
    check_label,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.session import REQUESTS_IMPORT_ERROR, Line

__all__ = ["ADDRESSES", "REQUESTS_IMPORT_ERROR", "Created", "Marketplace", "check_label"]

ADDRESSES = {
    "production": "https://commercedeveloper-api.adobe.com",
    "sandbox": "https://commercedeveloper-sandbox-api.adobe.com",
}
# What HTTP can send as user and password; a key is shown in places that know nothing of control characters.
_HALF = re.compile(r"[\x21-\x7e]+\Z")
# Characters. A label has at most 32, and each of them is looked through for secrets.
_LONGEST = 255
DONE = 200  # an item's own code in a batch answer
# Seconds before each look at the list after an answer was lost: the server may still be at work.
_LOOKS = (0.0, 1.0, 3.0)


@dataclass(frozen=True)
class Created:
    """What became of a create call, item by item."""

    keys: Tuple[MarketplaceKey, ...]
    refusals: Tuple[Refusal, ...]


class Marketplace:
    """A session at the API. Use it as a context manager; connections are kept and reused until then.

    Every method raises `KeyfleetError` with a code that begins with ``api_``; none holds a secret.
    """

    def __init__(
        self,
        *,
        api_url: str,
        application_id: str,
        application_secret: str,
        timeout: float = 30.0,
        ca_path: Optional[str] = None,
        validate_certs: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._line = Line(
            api_url=api_url,
            application_id=application_id,
            application_secret=application_secret,
            timeout=timeout,
            ca_path=ca_path,
            validate_certs=validate_certs,
        )
        self._sleep = sleep
        # Of every answer: what is shown of one may be the private key of another.
        self._shown: Set[str] = set()
        self._private_keys: Set[str] = set()

    def __enter__(self) -> Marketplace:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._line.close()

    @property
    def mage_id(self) -> str:
        """The MAGEID of the account, which only a session tells."""
        return self._line.mage_id

    def keys(self, *, uid: str = "all") -> List[MarketplaceKey]:
        """Every pair of ``uid``: a MAGEID, an organisation, or ``all``. One request."""
        doing = "list the keys"
        answer = self._line.call("GET", "keys", doing=doing, params={"type": "m2", "uid": uid})
        keys = self._keys(_items(answer, doing), doing)
        if len({(key.uid, key.label) for key in keys}) < len(keys):
            raise unreadable(doing, "a label stands in it twice for one owner")
        return keys

    def create(self, labels: Sequence[str], *, uid: str) -> Created:
        """Create a pair for each of ``labels``, in one request that is never repeated.

        When its answer is lost the keys are listed: a label that is there was created.
        """
        doing = f"create {len(labels)} key{'s' * (len(labels) != 1)}"
        wanted = [{"label": label, "uid": uid} for label in labels]
        try:
            answer = self._line.call("POST", "keys", doing=doing, json={"m2": wanted})
            return self._created(_items(answer, doing, lost=True), labels, uid=uid, doing=doing)
        except KeyfleetError as error:
            if not error.details.get("answer_lost"):
                raise
            return self._look(labels, uid=uid, error=error)

    def set_enabled(self, label: str, *, uid: str, enabled: bool) -> None:
        """Enable or disable one pair. It is done when the answer says so, or else the list of keys."""
        doing = f"{'enable' if enabled else 'disable'} {label!r}"
        body = {"m2": [{"is_enabled": enabled, "uid": uid}]}
        answer = self._line.call("PUT", "keys/" + quote(label, safe=""), doing=doing, json=body)
        items = _items(answer, doing)
        for item in items:
            code = number(item.get("code", DONE))
            if code != DONE:
                raise item_refused(doing, code, self._line.voice.shown(item.get("message")))
            if item.get("is_enabled", enabled) is not enabled:
                raise unreadable(doing, "the key in it is not as it should be")
        if not any("is_enabled" in item and item.get("label", label) == label for item in items):
            key = self._labelled(uid).get(label)
            if key is None or key.enabled is not enabled:
                raise unreadable(doing, "and the list does not have the key as it should be")

    def delete(self, label: str, *, uid: str) -> None:
        """Delete one pair for good. Gone already is fine: then an earlier answer was lost."""
        doing = f"delete {label!r}"
        try:
            self._line.call("DELETE", "keys/" + quote(label, safe=""), doing=doing, params={"uid": uid})
        except KeyfleetError as error:
            if error.code != "api_refused" or label in self._labelled(uid):
                raise

    def _labelled(self, uid: str) -> Dict[str, MarketplaceKey]:
        return {key.label: key for key in self.keys(uid=uid) if key.uid == uid}

    def _created(self, items: Sequence[Dict[str, Any]], labels: Sequence[str], *, uid: str, doing: str) -> Created:
        if len(items) != len(labels):
            raise unreadable(doing, "there is not one item for each label", lost=True)
        done: List[Dict[str, Any]] = []
        refusals = []
        # Items come back in the order sent.
        for label, item in zip(labels, items):
            if item.get("label", label) != label:
                raise unreadable(doing, "its items are not in the order of the labels", lost=True)
            if item.get("uid", uid) != uid:
                raise unreadable(doing, "a key in it is for another owner", lost=True)
            code = number(item.get("code", DONE))
            if code == DONE:
                done.append({"label": label, "uid": uid, **item})
            else:
                refusals.append(Refusal(label, code, self._line.voice.shown(item.get("message"))))
        return Created(tuple(self._keys(done, doing, lost=True)), tuple(refusals))

    def _look(self, labels: Sequence[str], *, uid: str, error: KeyfleetError) -> Created:
        """What a create whose answer was lost has done, going by the list of keys."""
        there: Dict[str, MarketplaceKey] = {}
        try:
            for seconds in _LOOKS:
                self._sleep(seconds)
                there = self._labelled(uid)
                if all(label in there for label in labels):
                    break
        except KeyfleetError as trouble:
            raise KeyfleetError(
                "api_answer_lost",
                f"{error.message} Whether the keys were created is not known, since they cannot be listed either "
                f"({trouble.message}). Run again: that finds out, and creates no key a second time.",
            ) from None
        made = tuple(there[label] for label in labels if label in there)
        if not made:
            raise KeyfleetError(error.code, f"{error.message} None of the keys is there.")
        missing = [label for label in labels if label not in there]
        return Created(made, tuple(Refusal(label, None, error.message) for label in missing))

    def _keys(self, items: Sequence[Mapping[str, Any]], doing: str, *, lost: bool = False) -> List[MarketplaceKey]:
        keys = [self._key(item, doing, lost=lost) for item in items]
        shown = {self.mage_id, *(text for key in keys for text in (key.label, key.uid, key.public_key))}
        self._shown |= {text.casefold() for text in shown}
        self._private_keys |= {key.private_key.casefold() for key in keys}
        if self._private_keys & self._shown or self._line.voice.repeats(" ".join(shown)):
            raise unreadable(doing, "it has a secret where results show it", lost=lost)
        return keys

    def _key(self, item: Mapping[str, Any], doing: str, *, lost: bool = False) -> MarketplaceKey:
        label, public_key, private_key = (item.get(name) for name in ("label", "user_key", "password_key"))
        uid, enabled = item.get("uid", self.mage_id), item.get("is_enabled", True)
        texts = (label, uid, public_key, private_key)
        if not all(isinstance(text, str) and text for text in texts) or not isinstance(enabled, bool):
            raise unreadable(doing, "a key in it lacks label, owner, state or one of its halves", lost=lost)
        if max(len(str(text)) for text in texts) > _LONGEST:
            raise unreadable(doing, f"a key in it has more than {_LONGEST} characters in one place", lost=lost)
        if not all(_HALF.match(str(half)) for half in (public_key, private_key)):
            raise unreadable(doing, "half of a key in it has characters that none has", lost=lost)
        return MarketplaceKey(
            label=str(label), uid=str(uid), public_key=str(public_key), enabled=enabled, private_key=str(private_key)
        )


def _items(answer: Any, doing: str, *, lost: bool = False) -> List[Dict[str, Any]]:
    items = answer.get("m2") if isinstance(answer, dict) else None
    if items is None and isinstance(answer, dict) and set(answer) <= {"m1", "m2"}:
        # An account without keys; whatever else lacks a list, a page of maintenance for one, is no list without keys.
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise unreadable(doing, "there is no list of keys in it", lost=lost)
    return items
