# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, their keys and what they may download: pure data, read from and turned into JSON."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import fields
from .problems import BadInput

PRODUCTION, SANDBOX = "production", "sandbox"
# Where several simulators serve one machine, each may have keys of its own.
_SALT = os.environ.get("SIMULATOR_SALT", "")


def fake_key(account: str, label: str, half: str) -> str:
    """32 lower-case hex that anybody can derive: ``printf 'shop/web/public' | sha256sum | cut -c1-32``."""
    return _fake(f"{account}/{label}/{half}", 32)


def fake_token(account: str, number: int = 0) -> str:
    """40 hex as a download token: of ``shop/downloads/token``, and of ``shop/downloads/token/1`` for the next one."""
    return _fake(f"{account}/downloads/token" + (f"/{number}" if number else ""), 40)


def _fake(text: str, length: int) -> str:
    return hashlib.sha256((_SALT + text).encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Application:
    """What opens a session of the key API. Left out, ``id`` is ``APP`` with 7 hex digits of ``shop/NAME/id`` in upper
    case, and ``secret`` 40 hex digits of ``shop/NAME/secret``."""

    name: str
    id: str
    secret: str

    @classmethod
    def parse(cls, value: object, where: str, account: str) -> Application:
        """An application from JSON."""
        data = fields.mapping(value, where)
        fields.only(data, {"name", "id", "secret"}, where)
        name = fields.text(data, "name", where, "application")
        return cls(
            name=name,
            id=fields.text(data, "id", where, "") or "APP" + _fake(f"{account}/{name}/id", 7).upper(),
            secret=fields.text(data, "secret", where, "") or _fake(f"{account}/{name}/secret", 40),
        )


@dataclass(frozen=True)
class OldProduct:
    """A Magento 1 product key (``type=m1``): the key is an address with a secret in it."""

    product_name: str
    product_key: str

    @classmethod
    def parse(cls, value: object, where: str) -> OldProduct:
        """A product key from JSON."""
        data = fields.mapping(value, where)
        fields.only(data, {"product_name", "product_key"}, where)
        return cls(fields.text(data, "product_name", where), fields.text(data, "product_key", where))


@dataclass(frozen=True)
class Key:
    """One pair. ``public`` is the user name and ``private`` the password; any text for hosts other than Magento's.

    ``uid`` is the organisation that holds it, or empty for the account itself.
    """

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
        label, uid = fields.text(data, "label", where), fields.text(data, "uid", where, "")
        # The same label may exist for the account and for an organisation: two pairs.
        named = f"{uid}/{label}" if uid else label
        return cls(
            label=label,
            public=fields.text(data, "public", where, "") or fake_key(account, named, "public"),
            private=fields.text(data, "private", where, "") or fake_key(account, named, "private"),
            enabled=fields.flag(data, "enabled", where, True),
            uid=uid,
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
    """One customer. ``hosts`` empty means every host, and one with a path (``repo.example.com/shop``) that the packages
    are served below it; ``entitlements`` are patterns such as ``magento/*``.

    ``deleted`` remembers removed pairs, because a server may answer them otherwise than pairs it never saw.
    ``organisations`` are the uids besides the MAGEID under which the key API keeps pairs, and ``environment`` says
    which of the two key APIs knows the account.
    """

    name: str
    mage_id: str = ""
    hosts: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    deleted: tuple[Key, ...] = ()
    download_token: str = ""
    applications: tuple[Application, ...] = ()
    organisations: tuple[str, ...] = ()
    m1: tuple[OldProduct, ...] = ()
    environment: str = PRODUCTION

    @classmethod
    def parse(cls, value: object) -> Account:
        """An account from JSON; raises BadInput naming the account and the field."""
        data = fields.mapping(value, "account")
        name = fields.text(data, "name", "account")
        where = f"account {name}"
        known = {"name", "mage_id", "hosts", "entitlements", "keys", "deleted", "download_token"}
        fields.only(data, known | {"applications", "organisations", "m1", "environment"}, where)
        applications = fields.listing(data, "applications", where)
        account = cls(
            name=name,
            mage_id=fields.text(data, "mage_id", where, ""),
            hosts=fields.texts(data, "hosts", where),
            entitlements=fields.texts(data, "entitlements", where),
            keys=tuple(Key.parse(item, f"{where}: key", name) for item in fields.listing(data, "keys", where)),
            deleted=tuple(Key.parse(item, f"{where}: key", name) for item in fields.listing(data, "deleted", where)),
            download_token=fields.text(data, "download_token", where, ""),
            applications=tuple(Application.parse(item, f"{where}: application", name) for item in applications),
            organisations=fields.texts(data, "organisations", where),
            m1=tuple(OldProduct.parse(item, f"{where}: m1") for item in fields.listing(data, "m1", where)),
            environment=fields.text(data, "environment", where, PRODUCTION),
        )
        account._check()
        return account

    def _check(self) -> None:
        names = [(key.uid, key.label) for key in self.keys]
        if len(set(names)) != len(names):
            raise BadInput(f"account {self.name}: two keys with the same label")
        if self.environment not in {PRODUCTION, SANDBOX}:
            raise BadInput(f"account {self.name}: environment must be {PRODUCTION} or {SANDBOX}")

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
            "applications": [asdict(application) for application in self.applications],
            "organisations": list(self.organisations),
            "m1": [asdict(product) for product in self.m1],
            "environment": self.environment,
        }

    def secrets(self) -> Iterator[str]:
        """Every text of the account that must never be written down."""
        yield from (key.private for key in (*self.keys, *self.deleted))
        yield from (application.secret for application in self.applications)
        yield from (product.product_key for product in self.m1)
        if self.download_token:
            yield self.download_token

    def serves(self, host: str) -> bool:
        """Whether the account exists at this ``Host`` (with or without a port)."""
        return self.folder(host) is not None

    def folder(self, host: str) -> str | None:
        """The path below which the account's packages are served at this ``Host``; None where it does not exist."""
        if not self.hosts:
            return ""
        asked = host.lower()
        places = (place.partition("/") for place in self.hosts)
        known = {name.lower(): f"{slash}{path}".rstrip("/") for name, slash, path in places}
        return known.get(asked, known.get(asked.rsplit(":", 1)[0]))

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


def recognise_download(accounts: Iterable[Account], user: str, password: str) -> Account | None:
    """The account with this MAGEID and download token; None when there is none, or when it has no token."""
    wanted = (user, password)
    return next(
        (item for item in accounts if item.download_token and (item.mage_id, item.download_token) == wanted), None
    )


def recognise_application(
    accounts: Iterable[Account], environment: str, user: str, password: str
) -> tuple[Account, Application] | None:
    """The account of this environment with this application ID and secret, if there is one."""
    for account in accounts:
        for application in account.applications:
            if (account.environment, application.id, application.secret) == (environment, user, password):
                return account, application
    return None


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
