# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release downloads as one account sees them: with which credentials they are asked, and what they have on offer."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import absolute, bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.curl import Curl, find_curl
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.feed import (
    NotAFeed,
    Release,
    Repeats,
    chosen,
    parse,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.fetch import Credentials, fetch
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import (
    Service,
    Token,
    service_from,
    token_from,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_targets import own_netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.verdict import advice, excerpt, judge_page
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import observe
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets, quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import Finding

FEED = "info/json"


class Source:
    """Where releases come from. curl is looked for when it is needed first."""

    def __init__(self, service: Service, token: Callable[[], Token]) -> None:
        self.service = service
        self._token_from = token
        self._token: Optional[Token] = None
        self._curl: Optional[Curl] = None

    @property
    def curl(self) -> Curl:
        """The host's curl. Raises `KeyfleetError` ``no_curl`` or ``old_curl``."""
        if self._curl is None:
            self._curl = find_curl()
        return self._curl

    @property
    def token(self) -> Token:
        """What is shown to the server. Raises `KeyfleetError` ``no_credentials``."""
        if self._token is None:
            self._token = self._token_from()
        return self._token

    @property
    def credentials(self) -> Credentials:
        """The same for curl: the pair itself, as a netrc might be another one when curl opens it."""
        return Credentials(token=self.token)

    def quote(self, text: str) -> str:
        """Foreign text, fit to be shown."""
        return quoting(self.token.mage_id, self.token.secret)(text)

    def failure(self, finding: Finding) -> KeyfleetError:
        """A finding as the failure of a module."""
        return KeyfleetError(finding.code, advice(finding))

    def releases(self) -> List[Release]:
        """Everything that the account may have. Raises `KeyfleetError`."""
        end = fetch(self.curl, self.service, FEED, self.credentials)
        where = f"{self.service.url}/{FEED}"
        finding = judge_page(end, where, self.quote)
        if finding is not None:
            raise self.failure(finding)
        try:
            return parse(end.body, Secrets([(self.token.mage_id, self.token.secret)], in_lists=True).stand_in)
        except NotAFeed as reason:
            text = excerpt(end.body, self.quote)
            what = f'{where} answers 200, but not with the feed of releases ({reason}): "{text}".'
        except Repeats:
            what = f"{where} answers 200, but not with the feed of releases: it repeats the token or the login."
        raise self.failure(Finding("not_the_downloads", what, http_status=200))


def source_from(params: Mapping[str, Any]) -> Source:
    """The source that the options name. Raises ``bad_options`` and ``bad_token``."""
    service = service_from(params)
    token = token_from(params, host=service.host)
    path = None if params["netrc_path"] is None else (absolute("netrc_path", [params["netrc_path"]]) or ("",))[0]
    if token is not None and path is not None:
        raise bad_options("mage_id and token are given, and netrc_path too; one of them is enough")
    return Source(service, lambda: token or _installed(service, path))


def _installed(service: Service, path: Optional[str]) -> Token:
    """What a netrc has for the machine; without a path, that of the user who asks."""
    where = path or own_netrc()
    try:
        data = observe(where, parse=netrc.check).data
    except Unfit as unfit:
        raise KeyfleetError(
            "malformed_file", f"{where} is not a netrc that every curl reads alike: {unfit}", path=where
        ) from None
    used = None if data is None else netrc.pair_for(data, service.host)
    if used is None or not any(used):
        what = "does not exist" if data is None else f"has nothing for {service.host}"
        raise KeyfleetError(
            "no_credentials", f"Neither mage_id and token nor a netrc that helps: {where} {what}.", path=where
        )
    return Token(used[0] or "", used[1] or "")


def list_releases(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The result of the module that only looks."""
    source = source_from(params)
    patterns = {name: params[name] for name in ("version", "type", "name")}
    if "" in patterns.values():
        raise bad_options("an empty pattern fits nothing; leave it out to mean everything")
    found = chosen(source.releases(), version=patterns["version"], category=patterns["type"], name=patterns["name"])
    return {"changed": False, "releases": [release.as_result() for release in found], "problems": []}
