# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release downloads of one account: credentials and available releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional

from .._argspec import absolute, bad_options
from .._errors import KeyfleetError, MalformedFile
from .._files.read import observe
from .._redact import Secrets, quoting
from .._repository.outcome import Finding
from .._repository.verdict import message_of
from . import netrc
from .curl import fetch, own_netrc
from .feed import NotAFeed, Release, Repeats, chosen, parse
from .options import Service, Token, service_from, token_from
from .verdict import excerpt, judge_page

FEED = "info/json"


@dataclass
class Source:
    """A service with credentials, which are looked up on first use.

    ``_token``: the pair, once it is known. ``_path``: the netrc that has it; None for that of the current user.
    """

    service: Service
    _token: Optional[Token]
    _path: Optional[str]

    @property
    def token(self) -> Token:
        """The pair for the server; not a netrc, which could be replaced meanwhile.

        Raises `KeyfleetError` ``no_credentials``.
        """
        if self._token is None:
            self._token = _installed(self.service, self._path)
        return self._token

    def quote(self, text: str) -> str:
        """Text from outside, redacted so that it is safe to show."""
        return quoting(self.token.mage_id, self.token.secret)(text)

    def failure(self, finding: Finding) -> KeyfleetError:
        """A finding as an error."""
        return KeyfleetError(finding.code, message_of(finding, url="downloads_url"))

    def releases(self) -> List[Release]:
        """All releases of the account. Raises `KeyfleetError`."""
        end = fetch(self.service, FEED, self.token)
        where = f"{self.service.url}/{FEED}"
        finding = judge_page(end, where, self.quote)
        if finding is not None:
            raise self.failure(finding)
        try:
            return parse(end.body, Secrets([(self.token.mage_id, self.token.secret)], in_lists=True).occur_in)
        except NotAFeed as reason:
            text = excerpt(end.body, self.quote)
            what = f'{where} answers 200, but not with the feed of releases ({reason}): "{text}".'
        except Repeats:
            what = f"{where} answers 200, but not with the feed of releases: it contains the token or the login."
        raise self.failure(Finding("not_the_downloads", what, http_status=200))


def source_from(params: Mapping[str, Any]) -> Source:
    """The source from the options. Raises ``bad_options`` and ``bad_token``."""
    service = service_from(params)
    token = token_from(params, host=service.host)
    path = None if params["netrc_path"] is None else absolute("netrc_path", [params["netrc_path"]])[0]
    if token is not None and path is not None:
        raise bad_options("mage_id and token cannot be combined with netrc_path; set one of them")
    return Source(service, token, path)


def _installed(service: Service, path: Optional[str]) -> Token:
    """The pair for the machine in the netrc at ``path``, by default that of the current user."""
    where = path or own_netrc()
    try:
        data = observe(where, parse=netrc.entries).data
    except MalformedFile as malformed:
        text = f"{where} is not a netrc that all versions of curl read alike: {malformed}"
        raise KeyfleetError("malformed_file", text, path=where) from None
    used = None if data is None else netrc.pair_for(data, service.host)
    if used is None or not any(used):
        what = "does not exist" if data is None else f"has no login and password for {service.host}"
        raise KeyfleetError("no_credentials", f"mage_id and token are not set, and {where} {what}.", path=where)
    return Token(used[0] or "", used[1] or "")


def list_releases(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The result of the info module: the releases that match the patterns. Raises `KeyfleetError`."""
    source = source_from(params)
    patterns = {name: params[name] for name in ("version", "type", "name")}
    if "" in patterns.values():
        raise bad_options("an empty version, type or name matches nothing; omit it")
    found = chosen(source.releases(), version=patterns["version"], category=patterns["type"], name=patterns["name"])
    return {"changed": False, "releases": [release.as_result() for release in found], "problems": []}
