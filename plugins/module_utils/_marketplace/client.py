# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client for the key calls of the Marketplace EQP REST API: list, create, enable, disable, delete.

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
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.session import ApiSession

__all__ = ["ADDRESSES", "Created", "Marketplace", "check_label"]

ADDRESSES = {
    "production": "https://commercedeveloper-api.adobe.com",
    "sandbox": "https://commercedeveloper-sandbox-api.adobe.com",
}
# Characters that HTTP can send as user and password, without control characters.
_HALF = re.compile(r"[\x21-\x7e]+\Z")
# Characters per field. A label has at most 32; every field is searched for secrets.
_LONGEST = 255
DONE = 200  # code of an item in a batch answer
# Seconds before each list request after a lost answer: the server may still be working.
_LOOKS = (0.0, 1.0, 3.0)


@dataclass(frozen=True)
class Created:
    """The result of a create call: created keys and refused items."""

    keys: Tuple[MarketplaceKey, ...]
    refusals: Tuple[Refusal, ...]


class Marketplace:
    """A session of the API, to be used as a context manager; connections are reused until its end.

    Every method may raise `KeyfleetError` with a code that begins with ``api_``; its text never contains a secret.
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
        self._session = ApiSession(
            api_url=api_url,
            application_id=application_id,
            application_secret=application_secret,
            timeout=timeout,
            ca_path=ca_path,
            validate_certs=validate_certs,
        )
        self._sleep = sleep
        # Of all answers: a shown field of one may be the private key of another.
        self._shown: Set[str] = set()
        self._private_keys: Set[str] = set()

    def __enter__(self) -> Marketplace:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._session.close()

    @property
    def mage_id(self) -> str:
        """The MAGEID of the account, from the session."""
        return self._session.mage_id

    def keys(self, *, uid: str = "all") -> List[MarketplaceKey]:
        """All pairs of ``uid``: a MAGEID, an organisation, or ``all``. One request."""
        doing = "list the keys"
        answer = self._session.call("GET", "keys", doing=doing, params={"type": "m2", "uid": uid})
        keys = self._keys(_items(answer, doing), doing)
        if len({(key.uid, key.label) for key in keys}) < len(keys):
            raise unreadable(doing, "it lists a label twice for one owner")
        return keys

    def create(self, labels: Sequence[str], *, uid: str) -> Created:
        """Create a pair for each of ``labels``, in one request that is never repeated.

        If its answer is lost, the keys are listed to find out which labels were created.
        """
        doing = f"create {len(labels)} key{'s' * (len(labels) != 1)}"
        wanted = [{"label": label, "uid": uid} for label in labels]
        try:
            answer = self._session.call("POST", "keys", doing=doing, json={"m2": wanted})
            return self._created(_items(answer, doing, lost=True), labels, uid=uid, doing=doing)
        except KeyfleetError as error:
            if not error.details.get("answer_lost"):
                raise
            return self._look(labels, uid=uid, error=error)

    def set_enabled(self, label: str, *, uid: str, enabled: bool) -> None:
        """Enable or disable one pair. The answer, or else the list of keys, must confirm it."""
        doing = f"{'enable' if enabled else 'disable'} {label!r}"
        body = {"m2": [{"is_enabled": enabled, "uid": uid}]}
        answer = self._session.call("PUT", "keys/" + quote(label, safe=""), doing=doing, json=body)
        items = _items(answer, doing)
        for item in items:
            code = number(item.get("code", DONE))
            if code != DONE:
                raise item_refused(doing, code, self._session.redactor.shown(item.get("message")))
            if item.get("is_enabled", enabled) is not enabled:
                raise unreadable(doing, "its key does not have the requested state")
        if not any("is_enabled" in item and item.get("label", label) == label for item in items):
            key = self._labelled(uid).get(label)
            if key is None or key.enabled is not enabled:
                raise unreadable(doing, "the list of keys does not confirm the change")

    def delete(self, label: str, *, uid: str) -> None:
        """Delete one pair. A missing one is not an error: an earlier answer may have been lost."""
        doing = f"delete {label!r}"
        try:
            self._session.call("DELETE", "keys/" + quote(label, safe=""), doing=doing, params={"uid": uid})
        except KeyfleetError as error:
            if error.code != "api_refused" or label in self._labelled(uid):
                raise

    def _labelled(self, uid: str) -> Dict[str, MarketplaceKey]:
        return {key.label: key for key in self.keys(uid=uid) if key.uid == uid}

    def _created(self, items: Sequence[Dict[str, Any]], labels: Sequence[str], *, uid: str, doing: str) -> Created:
        if len(items) != len(labels):
            raise unreadable(doing, "it does not have one item for each label", lost=True)
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
                refusals.append(Refusal(label, code, self._session.redactor.shown(item.get("message"))))
        return Created(tuple(self._keys(done, doing, lost=True)), tuple(refusals))

    def _look(self, labels: Sequence[str], *, uid: str, error: KeyfleetError) -> Created:
        """The result of a create call whose answer was lost, from the list of keys."""
        existing: Dict[str, MarketplaceKey] = {}
        try:
            for seconds in _LOOKS:
                self._sleep(seconds)
                existing = self._labelled(uid)
                if all(label in existing for label in labels):
                    break
        except KeyfleetError as list_error:
            raise KeyfleetError(
                "api_answer_lost",
                f"{error.message} Whether the keys were created is unknown, because they cannot be listed either "
                f"({list_error.message}). Run again: existing keys are not created a second time.",
            ) from None
        made = tuple(existing[label] for label in labels if label in existing)
        if not made:
            raise KeyfleetError(error.code, f"{error.message} None of the keys exists.")
        missing = [label for label in labels if label not in existing]
        return Created(made, tuple(Refusal(label, None, error.message) for label in missing))

    def _keys(self, items: Sequence[Mapping[str, Any]], doing: str, *, lost: bool = False) -> List[MarketplaceKey]:
        keys = [self._key(item, doing, lost=lost) for item in items]
        shown = {self.mage_id, *(text for key in keys for text in (key.label, key.uid, key.public_key))}
        self._shown |= {text.casefold() for text in shown}
        self._private_keys |= {key.private_key.casefold() for key in keys}
        if self._private_keys & self._shown or self._session.redactor.repeats(" ".join(shown)):
            raise unreadable(doing, "it has a secret in a field that results show", lost=lost)
        return keys

    def _key(self, item: Mapping[str, Any], doing: str, *, lost: bool = False) -> MarketplaceKey:
        label, public_key, private_key = (item.get(name) for name in ("label", "user_key", "password_key"))
        uid, enabled = item.get("uid", self.mage_id), item.get("is_enabled", True)
        texts = (label, uid, public_key, private_key)
        if not all(isinstance(text, str) and text for text in texts) or not isinstance(enabled, bool):
            raise unreadable(doing, "a key in it lacks label, owner, state or one of its halves", lost=lost)
        if max(len(str(text)) for text in texts) > _LONGEST:
            raise unreadable(doing, f"a key in it has a field of more than {_LONGEST} characters", lost=lost)
        if not all(_HALF.match(str(half)) for half in (public_key, private_key)):
            raise unreadable(doing, "half of a key in it has invalid characters", lost=lost)
        return MarketplaceKey(
            label=str(label), uid=str(uid), public_key=str(public_key), enabled=enabled, private_key=str(private_key)
        )


def _items(answer: Any, doing: str, *, lost: bool = False) -> List[Dict[str, Any]]:
    items = answer.get("m2") if isinstance(answer, dict) else None
    if items is None and isinstance(answer, dict) and set(answer) <= {"m1", "m2"}:
        # An account without keys. Any other object without a list, such as a maintenance page, is an error.
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise unreadable(doing, "it has no list of keys", lost=lost)
    return items
