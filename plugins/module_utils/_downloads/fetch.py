# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to release downloads with the host's curl. Credentials are never sent to a redirect target."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.curl import (
    Config,
    Curl,
    as_seconds,
    find_curl,
    run,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import Service, Token
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.verdict import CurlEnd
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import own_account


@dataclass(frozen=True)
class Credentials:
    """Credentials for curl: a pair, or the content of a netrc."""

    token: Optional[Token] = None
    netrc: Optional[bytes] = field(default=None, repr=False)


class Client:
    """Requests to the downloads of one service with the host's curl, which is looked up on first use."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._curl: Optional[Curl] = None

    @property
    def curl(self) -> Curl:
        """The host's curl. Raises `KeyfleetError` ``no_curl`` or ``old_curl``."""
        if self._curl is None:
            self._curl = find_curl()
        return self._curl

    def fetch(self, page: str, credentials: Credentials) -> CurlEnd:
        """Fetch a page below ``downloads_url`` into memory."""
        config = base_config(self.service, f"{self.service.url}/{page}", credentials)
        return run(self.curl, config, credentials.netrc, limit=self.service.timeout)


def netrc_of(home: str) -> str:
    """The netrc in a home directory."""
    return os.path.join(home, ".netrc")


def own_netrc() -> str:
    """The netrc of the current user. As in curl, HOME has precedence over the user database."""
    return netrc_of(os.environ.get("HOME") or own_account().home)


def base_config(service: Service, url: str, credentials: Credentials) -> Config:
    """The common options of every request below ``downloads_url``."""
    config = bare_config(service, url)
    if credentials.token is not None:
        config.append(("user", f"{credentials.token.mage_id}:{credentials.token.secret}"))
    return config


def bare_config(service: Service, url: str) -> Config:
    """The same options for any URL, without credentials."""
    config: Config = [
        ("url", url),
        ("output", "-"),
        ("proto", "=https"),
        ("globoff", None),
        ("silent", None),
        ("show-error", None),
        ("dump-header", "-"),
        ("suppress-connect-headers", None),
        ("connect-timeout", as_seconds(service.timeout)),
    ]
    if not service.validate_certs:
        config.append(("insecure", None))
    if service.ca_path is not None:
        config.append(("cacert", service.ca_path))
    return config
