# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, their keys and what they may download: pure data, read from and turned into JSON."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import fields
from .problems import BadInput


def fake_key(account: str, label: str, half: str) -> str:
    """32 lower-case hex that anybody can derive: ``printf 'shop/web/public' | sha256sum | cut -c1-32``."""
    return hashlib.sha256(f"{account}/{label}/{half}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Key:
    """One pair. ``public`` is the user name and ``private`` the password; any text for hosts other than Magento's."""

    label: str
    public: str
    private: str
    enabled: bool = True
    uid: str = ""

    @classmethod
    def parse(cls, value: object, where: str, account: str) -> Key:
        """A pair from JSON; halves that are left out are derived from account and label by ``fake_key``."""
        data = fields.mapping(value, where)
        fields.only(data, {"label", "public", "private", "enabled", "uid"}, where)
        label = fields.text(data, "label", where)
        return cls(
            label=label,
            public=fields.text(data, "public", where, "") or fake_key(account, label, "public"),
            private=fields.text(data, "private", where, "") or fake_key(account, label, "private"),
            enabled=fields.flag(data, "enabled", where, True),
            uid=fields.text(data, "uid", where, ""),
        )

    def as_json(self) -> dict[str, Any]:
        """The same pair as ``parse`` reads it, private half included."""
        return {
            "label": self.label,
            "public": self.public,
            "private": self.private,
            "enabled": self.enabled,
            "uid": self.uid,
        }


@dataclass(frozen=True)
class Account:
    """One customer. ``hosts`` empty means every host; ``entitlements`` are patterns such as ``magento/*``.

    ``deleted`` remembers removed pairs, because a server may answer them otherwise than pairs it never saw.
    """

    name: str
    mage_id: str = ""
    hosts: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    deleted: tuple[Key, ...] = ()
    download_token: str = ""

    @classmethod
    def parse(cls, value: object) -> Account:
        """An account from JSON; raises BadInput naming the account and the field."""
        data = fields.mapping(value, "account")
        name = fields.text(data, "name", "account")
        where = f"account {name}"
        known = {"name", "mage_id", "hosts", "entitlements", "keys", "deleted", "download_token"}
        fields.only(data, known, where)
        account = cls(
            name=name,
            mage_id=fields.text(data, "mage_id", where, ""),
            hosts=tuple(host.lower() for host in fields.texts(data, "hosts", where)),
            entitlements=fields.texts(data, "entitlements", where),
            keys=tuple(Key.parse(item, f"{where}: key", name) for item in fields.listing(data, "keys", where)),
            deleted=tuple(Key.parse(item, f"{where}: key", name) for item in fields.listing(data, "deleted", where)),
            download_token=fields.text(data, "download_token", where, ""),
        )
        account._check()
        return account

    def _check(self) -> None:
        names = [(key.uid, key.label) for key in self.keys]
        if len(set(names)) != len(names):
            raise BadInput(f"account {self.name}: two keys with the same label")

    def as_json(self) -> dict[str, Any]:
        """The account as ``parse`` reads it, private halves included."""
        return {
            "name": self.name,
            "mage_id": self.mage_id,
            "hosts": list(self.hosts),
            "entitlements": list(self.entitlements),
            "keys": [key.as_json() for key in self.keys],
            "deleted": [key.as_json() for key in self.deleted],
            "download_token": self.download_token,
        }

    def serves(self, host: str) -> bool:
        """Whether the account exists at this ``Host`` (with or without a port)."""
        asked = host.lower()
        return not self.hosts or asked in self.hosts or asked.rsplit(":", 1)[0] in self.hosts

    def entitled(self, package: str) -> bool:
        """Whether the account may see and download the package."""
        return any(fnmatch.fnmatchcase(package, pattern) for pattern in self.entitlements)

    def with_key(self, key: Key) -> Account:
        """The account with one more pair; a label that is taken (under the same uid) is refused."""
        changed = replace(self, keys=(*self.keys, key))
        changed._check()
        return changed

    def with_enabled(self, public: str, enabled: bool) -> Account:
        """The account with one pair switched on or off."""
        return replace(
            self, keys=tuple(replace(key, enabled=enabled) if key.public == public else key for key in self.keys)
        )

    def without_key(self, public: str) -> Account:
        """The account with one pair moved to ``deleted``."""
        gone = tuple(key for key in self.keys if key.public == public)
        return replace(self, keys=tuple(key for key in self.keys if key.public != public), deleted=self.deleted + gone)


@dataclass(frozen=True)
class Recognised:
    """Whose pair was shown, and in which state it is: ``enabled``, ``disabled`` or ``deleted``."""

    account: Account
    key: Key
    state: str


def recognise(accounts: Iterable[Account], *, host: str, user: str, password: str) -> Recognised | None:
    """Finds the pair among the accounts that exist at ``host``; None for an unknown user or a wrong password."""
    gone: Recognised | None = None
    for account in accounts:
        if not account.serves(host):
            continue
        for key in account.keys:
            if (key.public, key.private) == (user, password):
                return Recognised(account, key, "enabled" if key.enabled else "disabled")
        for key in account.deleted:
            if (key.public, key.private) == (user, password):
                gone = Recognised(account, key, "deleted")
    return gone


def parse_accounts(values: Iterable[object]) -> dict[str, Account]:
    """Accounts by name, in the order given; two of one name are refused."""
    found: dict[str, Account] = {}
    for value in values:
        account = Account.parse(value)
        if account.name in found:
            raise BadInput(f"two accounts are named {account.name}")
        found[account.name] = account
    return found


def owner_of(accounts: Mapping[str, Account], public: str) -> Account:
    """The account that holds the pair with this public half; BadInput when none or several do."""
    owners = [account for account in accounts.values() if any(key.public == public for key in account.keys)]
    if len(owners) != 1:
        raise BadInput("no account holds that key" if not owners else "several accounts hold that key")
    return owners[0]
