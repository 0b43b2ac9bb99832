# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks release downloads, by the host's own curl. Redirects are never followed with credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._composer_home import Account
from ansible_collections.keyfleet.magento.plugins.module_utils._curl import Config, Curl, run
from ansible_collections.keyfleet.magento.plugins.module_utils._curl_verdict import CurlEnd
from ansible_collections.keyfleet.magento.plugins.module_utils._token_options import Service, Token

# Seconds beyond curl's own limit, for a curl that does not keep it.
_GRACE = 15.0


@dataclass(frozen=True)
class Credentials:
    """What curl shows to the server: a pair, or what a netrc has for the machine.

    ``reader`` is who runs curl, if not this process; ``behind`` what the netrc is known to hold.
    """

    token: Optional[Token] = None
    netrc: Optional[str] = None
    reader: Optional[Account] = None
    behind: Optional[Token] = None


def fetch(curl: Curl, service: Service, page: str, credentials: Credentials, extra: Optional[Config] = None) -> CurlEnd:
    """One page below ``downloads_url``, in memory."""
    config = base_config(service, page, credentials)
    config += [("max-time", f"{service.timeout:g}"), ("output", "-"), *(extra or [])]
    return run(curl, config, credentials.reader, deadline=service.timeout + _GRACE)


def base_config(service: Service, page: str, credentials: Credentials) -> Config:
    """What every request below ``downloads_url`` has in common."""
    config = bare_config(service, f"{service.url}/{page}")
    if credentials.token is not None:
        config.append(("user", f"{credentials.token.mage_id}:{credentials.token.secret}"))
    elif credentials.netrc is not None:
        config.append(("netrc-file", credentials.netrc))
    return config


def bare_config(service: Service, url: str) -> Config:
    """The same for any address, without credentials."""
    config: Config = [
        ("url", url),
        ("proto", "=https"),
        ("globoff", None),
        ("silent", None),
        ("show-error", None),
        ("dump-header", "-"),
        ("suppress-connect-headers", None),
        ("connect-timeout", f"{service.timeout:g}"),
    ]
    if not service.validate_certs:
        config.append(("insecure", None))
    if service.ca_path is not None:
        config.append(("cacert", service.ca_path))
    return config
