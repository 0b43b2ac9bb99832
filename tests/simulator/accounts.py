# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, their keys and their entitlements: pure data, read from and converted to JSON."""

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
# Tests that run side by side search the same homes, so that each worker of pytest has keys of its own.
_SALT = os.environ.get("PYTEST_XDIST_WORKER", "")


def fake_key(account: str, label: str, half: str) -> str:
    """32 lower-case hex digits, derived as by ``printf 'shop/web/public' | sha256sum | cut -c1-32``."""
    return _fake(f"{account}/{label}/{half}", 32)


def fake_token(account: str, number: int = 0) -> str:
    """A download token of 40 hex digits, derived from ``shop/downloads/token``, and ``shop/downloads/token/1`` for the
    next one."""
    return _fake(f"{account}/downloads/token" + (f"/{number}" if number else ""), 40)


def _fake(text: str, length: int) -> str:
    return hashlib.sha256((_SALT + text).encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Application:
    """An application that can open a session of the key API. By default, ``id`` is ``APP`` with 7 hex digits of
    ``shop/NAME/id`` in upper case, and ``secret`` is 40 hex digits of ``shop/NAME/secret``."""

    name: str
    id: str
    secret: str

    @classmethod
    def parse(cls, value: object, where: str, account: str) -> Application:
        """Reads an application from JSON."""
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
    """A Magento 1 product key (``type=m1``): the key is a URL that contains a secret."""

    product_name: str
    product_key: str

    @classmethod
    def parse(cls, value: object, where: str) -> OldProduct:
        """Reads a product key from JSON."""
        data = fields.mapping(value, where)
        fields.only(data, {"product_name", "product_key"}, where)
        return cls(fields.text(data, "product_name", where), fields.text(data, "product_key", where))


@dataclass(frozen=True)
class Key:
    """A key pair. ``public`` is the user name and ``private`` the password; any text for hosts other than Magento's.

    ``uid`` is the organisation that holds the pair, or empty for the account itself.
    """

    label: str
    public: str
    private: str
    enabled: bool = True
    uid: str = ""

    @classmethod
    def parse(cls, value: object, where: str, account: str) -> Key:
        """Reads a pair from JSON; missing halves are derived from account and label by ``fake_key``."""
        data = fields.mapping(value, where)
        fields.only(data, {"label", "public", "private", "enabled", "uid"}, where)
        label, uid = fields.text(data, "label", where), fields.text(data, "uid", where, "")
        # The account and an organisation may use the same label for different pairs.
        named = f"{uid}/{label}" if uid else label
        return cls(
            label=label,
            public=fields.text(data, "public", where, "") or fake_key(account, named, "public"),
            private=fields.text(data, "private", where, "") or fake_key(account, named, "private"),
            enabled=fields.flag(data, "enabled", where, True),
            uid=uid,
        )

    def as_json(self) -> dict[str, Any]:
        """The pair in the form that ``parse`` reads, including the private half."""
        return {
            "label": self.label,
            "public": self.public,
            "private": self.private,
            "enabled": self.enabled,
            "uid": self.uid,
        }


@dataclass(frozen=True)
class Account:
    """A customer. Empty ``hosts`` means every host; with a path (``repo.example.com/shop``), the packages are served
    below that path. ``entitlements`` are patterns such as ``magento/*``.

    ``deleted`` holds removed pairs, because a server may answer them differently from unknown pairs.
    ``organisations`` are the uids besides the MAGEID under which the key API keeps pairs. ``environment`` selects
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
        """Reads an account from JSON; raises BadInput that names the account and the field."""
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
        """The account in the form that ``parse`` reads, including private halves."""
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
        """All secrets of the account, which must never be logged."""
        yield from (key.private for key in (*self.keys, *self.deleted))
        yield from (application.secret for application in self.applications)
        yield from (product.product_key for product in self.m1)
        if self.download_token:
            yield self.download_token

    def serves(self, host: str) -> bool:
        """Whether the account exists at this ``Host`` (with or without a port)."""
        return self.folder(host) is not None

    def folder(self, host: str) -> str | None:
        """The path below which the account's packages are served at this ``Host``; None if it does not exist there."""
        if not self.hosts:
            return ""
        wanted = host.lower()
        parts = (entry.partition("/") for entry in self.hosts)
        known = {name.lower(): f"{slash}{path}".rstrip("/") for name, slash, path in parts}
        return known.get(wanted, known.get(wanted.rsplit(":", 1)[0]))

    def entitled(self, package: str) -> bool:
        """Whether the account may see and download the package."""
        return any(fnmatch.fnmatchcase(package, pattern) for pattern in self.entitlements)

    def with_key(self, key: Key) -> Account:
        """The account with the pair added; BadInput if the label exists under the same uid."""
        changed = replace(self, keys=(*self.keys, key))
        changed._check()
        return changed

    def with_enabled(self, public: str, enabled: bool) -> Account:
        """The account with one pair enabled or disabled."""
        return replace(
            self, keys=tuple(replace(key, enabled=enabled) if key.public == public else key for key in self.keys)
        )

    def without_key(self, public: str) -> Account:
        """The account with one pair moved to ``deleted``."""
        removed = tuple(key for key in self.keys if key.public == public)
        return replace(
            self, keys=tuple(key for key in self.keys if key.public != public), deleted=self.deleted + removed
        )


@dataclass(frozen=True)
class Recognised:
    """The pair of a request, its account and its state: ``enabled``, ``disabled`` or ``deleted``."""

    account: Account
    key: Key
    state: str


def recognise(accounts: Iterable[Account], *, host: str, user: str, password: str) -> Recognised | None:
    """Finds the pair among the accounts that exist at ``host``; None for an unknown user or a wrong password."""
    deleted: Recognised | None = None
    for account in accounts:
        if not account.serves(host):
            continue
        for key in account.keys:
            if (key.public, key.private) == (user, password):
                return Recognised(account, key, "enabled" if key.enabled else "disabled")
        for key in account.deleted:
            if (key.public, key.private) == (user, password):
                deleted = Recognised(account, key, "deleted")
    return deleted


def recognise_download(accounts: Iterable[Account], user: str, password: str) -> Account | None:
    """The account with this MAGEID and download token, or None; an account without a token never matches."""
    wanted = (user, password)
    return next(
        (item for item in accounts if item.download_token and (item.mage_id, item.download_token) == wanted), None
    )


def recognise_application(
    accounts: Iterable[Account], environment: str, user: str, password: str
) -> tuple[Account, Application] | None:
    """The account of this environment with this application ID and secret, or None."""
    for account in accounts:
        for application in account.applications:
            if (account.environment, application.id, application.secret) == (environment, user, password):
                return account, application
    return None


def parse_accounts(values: Iterable[object]) -> dict[str, Account]:
    """Accounts by name, in the given order; BadInput for a duplicate name."""
    found: dict[str, Account] = {}
    for value in values:
        account = Account.parse(value)
        if account.name in found:
            raise BadInput(f"two accounts are named {account.name}")
        found[account.name] = account
    return found


def owner_of(accounts: Mapping[str, Account], public: str) -> Account:
    """The account that holds the pair with this public half; BadInput if no account or several hold it."""
    owners = [account for account in accounts.values() if any(key.public == public for key in account.keys)]
    if len(owners) != 1:
        raise BadInput("no account has that key" if not owners else "several accounts have that key")
    return owners[0]
