# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of the key API: list, create, enable, disable and delete pairs."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .accounts import Account, Key, fake_key
from .sessions import PART
from .world import World

DONE = {"code": 200, "message": "Success"}
_PLAIN_LABEL = re.compile(r"[A-Za-z0-9 _.-]+")


class Failed(Exception):
    """A call that failed as a whole."""

    def __init__(self, status: int, message: str, code: int = 1208) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ItemFailed(Exception):
    """One item of a batch that failed; the other items are carried out."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownLabel(ItemFailed):
    """No pair has this uid and label."""


class Broken(Exception):
    """The simulated server fails in the middle of a call."""


def as_answer(key: Key, account: Account) -> dict[str, Any]:
    """A pair in the form that the API returns, which always includes the private half."""
    return {
        "label": key.label,
        "user_key": key.public,
        "password_key": key.private,
        "is_enabled": key.enabled,
        "uid": key.uid or account.mage_id,
    }


class KeyCalls:
    """The calls, for one account."""

    def __init__(self, world: World, account: Account) -> None:
        self._world = world
        self._switches = world.switches
        self._name = account.name

    @property
    def _account(self) -> Account:
        return self._world.accounts[self._name]

    def listed(self, kind: str, label: str | None, uid: str) -> dict[str, Any]:
        """The pairs and product keys that match the filters."""
        if kind not in {"m1", "m2", "all"}:
            raise Failed(400, "type must be m1, m2 or all")
        if label is not None and kind != "m2" and self._switches.word("api_label_without_type") == "400":
            raise Failed(400, "label requires type=m2")
        content: dict[str, Any] = {}
        if kind != "m1":
            account, wanted = self._account, "" if uid == self._account.mage_id else uid
            keys = [key for key in account.keys if uid == "all" or key.uid == wanted]
            if label is not None and kind == "m2":
                keys = [key for key in keys if key.label == label]
            if self._switches.word("api_order") == "newest":
                keys.reverse()
            content["m2"] = [as_answer(key, account) for key in keys]
        if kind != "m2":
            content["m1"] = [asdict(product) for product in self._account.m1]
        if self._switches.word("api_empty") == "absent":
            content = {name: found for name, found in content.items() if found}
        return content

    def create(self, items: list[Any]) -> list[dict[str, Any]]:
        """Creates pairs, item by item in the given order; each answer contains the outcome."""
        limit, breaks = self._switches.number("api_batch_limit"), self._switches.number("api_create_breaks_after")
        if limit and len(items) > limit:
            raise Failed(400, f"no more than {limit} items in one request")
        answers = []
        for number, item in enumerate(items):
            if breaks and number >= breaks:
                raise Broken
            answers.append(self._item(item, self._create))
        return answers

    def change(self, label: str, items: list[Any]) -> list[dict[str, Any]]:
        """Enables or disables the pair of this label under the uid of each item."""
        answers = [
            self._item({**item, "label": label} if isinstance(item, dict) else item, self._change) for item in items
        ]
        if not self._switches.on("api_put_item_codes"):
            # In the documented example, only failed items have a code.
            answers = [
                {name: value for name, value in answer.items() if name not in DONE} if answer["code"] == 200 else answer
                for answer in answers
            ]
        return answers

    def delete(self, label: str, uid: str) -> None:
        """Removes a pair."""
        try:
            self._fail_on_command(label)
            key = self._find(label, self._uid({"uid": uid} if uid else {}))
        except UnknownLabel as error:
            if self._switches.word("api_unknown_label") == "200":
                return
            raise Failed(int(self._switches.word("api_unknown_label")), str(error), error.code) from None
        except ItemFailed as error:
            raise Failed(400, str(error), error.code) from None
        if key.enabled and not self._switches.on("api_delete_enabled"):
            raise Failed(400, "an enabled pair cannot be deleted")
        self._take_effect_later(key.public, "enabled" if key.enabled else "disabled")
        self._world.put_account(self._account.without_key(key.public))

    def _item(self, item: Any, carry_out: Any) -> dict[str, Any]:
        known = item if isinstance(item, Mapping) else {}
        try:
            if not isinstance(item, Mapping):
                raise ItemFailed(1208, "an item must be an object")
            return {**carry_out(item), **DONE}
        except UnknownLabel as error:
            status = self._switches.word("api_unknown_label")
            if status != "200":
                raise Failed(int(status), str(error), error.code) from None
            return self._failed_item(known, error)
        except ItemFailed as error:
            return self._failed_item(known, error)

    def _failed_item(self, item: Mapping[str, Any], error: ItemFailed) -> dict[str, Any]:
        named = {name: item[name] for name in ("label", "uid") if name in item}
        return {**named, "code": error.code, "message": str(error)}

    def _create(self, item: Mapping[str, Any]) -> dict[str, Any]:
        label, uid, account = self._label(item), self._uid(item), self._account
        self._fail_on_command(label)
        if any((key.uid, key.label) == (uid, label) for key in account.keys):
            raise ItemFailed(self._switches.number("api_duplicate_code"), "a pair with this label exists already")
        quota = self._switches.number("api_quota")
        if quota and len(account.keys) >= quota:
            raise ItemFailed(self._switches.number("api_quota_code"), f"an account may have at most {quota} pairs")
        numbers = self._world.part(PART).setdefault("created", {})
        numbers[account.name] = number = numbers.get(account.name, 0) + 1
        # Numbered, because a label that is used again gets another pair. The same calls give the same pairs.
        halves = [fake_key(account.name, label, f"{half}/{number}") for half in ("public", "private")]
        key = Key(label, halves[0], halves[1], True, uid)
        self._take_effect_later(key.public, "absent")
        changed = account.with_key(key)
        self._world.put_account(changed)
        return as_answer(key, changed)

    def _change(self, item: Mapping[str, Any]) -> dict[str, Any]:
        enabled = item.get("is_enabled")
        if not isinstance(enabled, bool):
            raise ItemFailed(1208, "is_enabled must be true or false")
        label = item["label"]
        self._fail_on_command(label)
        key = self._find(label, self._uid(item))
        if key.enabled != enabled:
            self._take_effect_later(key.public, "enabled" if key.enabled else "disabled")
            self._world.put_account(self._account.with_enabled(key.public, enabled))
        return as_answer(self._find(label, key.uid), self._account)

    def _find(self, label: str, uid: str) -> Key:
        for key in self._account.keys:
            if (key.uid, key.label) == (uid, label):
                return key
        raise UnknownLabel(self._switches.number("api_unknown_label_code"), "no pair has this label")

    def _label(self, item: Mapping[str, Any]) -> str:
        label, code = item.get("label"), self._switches.number("api_label_code")
        if not isinstance(label, str) or not label.strip():
            raise ItemFailed(code, "a label is required")
        if len(label) > 32:
            raise ItemFailed(code, "a label may have at most 32 characters")
        if self._switches.word("api_label_characters") == "plain" and _PLAIN_LABEL.fullmatch(label) is None:
            raise ItemFailed(code, "a label may contain only letters, digits, blanks, dots, hyphens and underscores")
        return label

    def _uid(self, item: Mapping[str, Any]) -> str:
        uid = item.get("uid", self._account.mage_id)
        if uid == self._account.mage_id:
            return ""
        if not isinstance(uid, str) or uid not in self._account.organisations:
            raise ItemFailed(self._switches.number("api_uid_code"), "this uid does not belong to the account")
        return uid

    def _fail_on_command(self, label: str) -> None:
        pattern = self._switches.word("api_fail_label")
        if pattern and fnmatch.fnmatchcase(label, pattern):
            raise ItemFailed(self._switches.number("api_fail_code"), self._switches.word("api_fail_message"))

    def _take_effect_later(self, public: str, before: str) -> None:
        seconds = self._switches.number("api_effect_milliseconds") / 1000
        requests = self._switches.number("api_effect_requests")
        if seconds or requests:
            self._world.effects.begin(public, before, seconds=seconds, requests=requests)
        else:
            self._world.effects.settle(public)
