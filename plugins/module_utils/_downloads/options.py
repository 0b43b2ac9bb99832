# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs and option checks of the download modules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit

from .._argspec import CONNECTION_SPEC, ArgumentSpec, bad_options, file_path, seconds
from .._errors import KeyfleetError, Problem
from .._secrets import host_as_shown, key_faults

DOWNLOADS_HOST = "www.magentocommerce.com"
DOWNLOADS_URL = f"https://{DOWNLOADS_HOST}/products/downloads"

# A token is valid for all downloads of the account, so there is no "not entitled" as with auth keys.
FAIL_ON = ("invalid", "refused", "unknown")

DOWNLOADS_SPEC: ArgumentSpec = {
    # raw: a value that YAML parsed as a number must be refused, not converted to text.
    "mage_id": {"type": "raw"},
    "token": {"type": "raw", "no_log": True},
    "downloads_url": {"type": "str", "default": DOWNLOADS_URL},
    **{name: CONNECTION_SPEC[name] for name in ("validate_certs", "ca_path", "timeout")},
}
# For the modules that use a token.
SOURCE_SPEC: ArgumentSpec = {**DOWNLOADS_SPEC, "netrc_path": {"type": "path"}}
# For the modules that manage netrc files.
NETRC_SPEC: ArgumentSpec = {
    **DOWNLOADS_SPEC,
    "host": {"type": "str", "default": DOWNLOADS_HOST},
    "users": {"type": "list", "elements": "str"},
    "paths": {"type": "list", "elements": "path"},
}

_MAGE_ID = re.compile(r"MAG[0-9]+\Z")
_TOKEN = re.compile(r"[0-9a-f]{40}\Z")
_AUTH_KEY = re.compile(r"[0-9a-f]{32}\Z")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True)
class Token:
    """A MAGEID with its download token."""

    mage_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Service:
    """Address of the downloads and connection settings. ``timeout``: seconds for an answer, or without data."""

    url: str
    validate_certs: bool
    ca_path: Optional[str]
    timeout: float

    @property
    def host(self) -> str:
        """The machine that curl looks up in a netrc."""
        return (urlsplit(self.url).hostname or "").lower()


def service_from(params: Mapping[str, Any]) -> Service:
    """The service from the options of `DOWNLOADS_SPEC`. Raises ``bad_options``."""
    value = params["downloads_url"]
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise bad_options("downloads_url is not a URL") from None
    if "@" in parts.netloc:
        # The value is not repeated: it may hold a password.
        raise bad_options("downloads_url must not contain a user name or password; use mage_id and token")
    invalid = any(char in '"\\{}[]' or not 32 < ord(char) < 127 for char in value)
    if parts.scheme != "https" or not host or parts.query or parts.fragment or invalid:
        raise bad_options(f"downloads_url {host_as_shown(value)} is not an https URL, or has a query or fragment")
    ca_path = file_path("ca_path", params["ca_path"])
    return Service(value.rstrip("/"), params["validate_certs"], ca_path, seconds(params["timeout"]))


def machine(value: str) -> str:
    """The host of a netrc entry in lower case, without port. Raises ``bad_options``."""
    if not _HOST.match(value):
        raise bad_options(f"host {host_as_shown(value)} is not a host name; a netrc entry has no scheme, port or path")
    return value.lower()


def _mage_id_fault(value: str) -> Optional[str]:
    if _MAGE_ID.match(value):
        return None
    if _TOKEN.match(value.lower()):
        return "mage_id has 40 hex digits as a download token has; the two may be swapped"
    if _AUTH_KEY.match(value.lower()):
        return "mage_id has 32 hex digits as an auth key has; release downloads need the MAGEID (MAG and digits)"
    if "@" in value:
        return "mage_id is an e-mail address; release downloads need the MAGEID (MAG and digits)"
    if _MAGE_ID.match(value.upper()):
        return "mage_id has lower-case letters; write MAG in capitals"
    return "mage_id is not MAG followed by digits"


def _token_fault(value: str) -> Optional[str]:
    if _TOKEN.match(value):
        return None
    if _MAGE_ID.match(value.upper()):
        return "token is a MAGEID; the two may be swapped"
    if _AUTH_KEY.match(value.lower()):
        return "token has 32 hex digits as an auth key has; a download token has 40"
    if "@" in value:
        return "token is an e-mail address"
    if _TOKEN.match(value.lower()):
        return "token has upper-case letters; a download token is 40 lower-case hex digits"
    return f"token is not 40 lower-case hex digits (it has {len(value)} characters)"


def token_from(params: Mapping[str, Any], *, host: str) -> Optional[Token]:
    """The pair in the options, or None if not set. Raises ``bad_options`` or ``bad_token``."""
    mage_id, token = params["mage_id"], params["token"]
    if mage_id is None and token is None:
        return None
    if mage_id is None or token is None:
        missing = "mage_id" if mage_id is None else "token"
        raise bad_options(f"mage_id and token must be set together; {missing} is missing")
    faults = key_faults(repository=host, public_key=mage_id, private_key=token, names=("mage_id", "token"))
    if host == DOWNLOADS_HOST and not faults:
        faults = [fault for fault in (_mage_id_fault(mage_id), _token_fault(token)) if fault]
    if faults:
        problems = [Problem("bad_token", fault) for fault in faults]
        raise KeyfleetError("bad_token", "Nothing was touched: " + "; ".join(faults), problems=problems)
    return Token(mage_id, token)
