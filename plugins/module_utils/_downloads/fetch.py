# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to release downloads with the host's curl. Credentials are never sent to a redirect target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.curl import Config, Curl, as_seconds, run
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import Service, Token
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.verdict import CurlEnd


@dataclass(frozen=True)
class Credentials:
    """Credentials for curl: a pair, or the content of a netrc."""

    token: Optional[Token] = None
    netrc: Optional[bytes] = field(default=None, repr=False)


def fetch(curl: Curl, service: Service, page: str, credentials: Credentials) -> CurlEnd:
    """Fetch a page below ``downloads_url`` into memory."""
    config = base_config(service, f"{service.url}/{page}", credentials)
    return run(curl, config, credentials.netrc, limit=service.timeout)


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
