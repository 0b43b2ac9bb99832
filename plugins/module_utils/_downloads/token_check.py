# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a download token with the host's curl: a given pair, or the one in a netrc."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.curl import Curl, find_curl
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.fetch import Credentials, fetch
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import Service, Token
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_targets import NetrcTarget
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.verdict import judge_help, judge_page, verdict
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import FileState
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import Identity, acting_as, identity_of
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets, quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import Finding

HELP = "info/help"
_COMMERCE = "info/filter/type/ee-full"


class TokenCheck:
    """Verifies pairs at one server. curl is looked up on first use."""

    def __init__(self, service: Service, host: str) -> None:
        self.service = service
        self.host = host
        self._curl: Optional[Curl] = None
        self._others = Secrets(())

    @property
    def curl(self) -> Curl:
        """The host's curl. Raises `KeyfleetError` ``no_curl`` or ``old_curl``."""
        if self._curl is None:
            self._curl = find_curl()
        return self._curl

    @property
    def url(self) -> str:
        """The URL of the request."""
        return f"{self.service.url}/{HELP}"

    def will_ask(self, given: Optional[Token], states: Iterable[FileState]) -> None:
        """Redact the secrets of all these pairs in every answer from now on."""
        pairs = [*([given] if given else []), *(_pair_of(state, self.host) for state in states)]
        self._others = Secrets((one.mage_id, one.secret) for one in pairs)

    def pair(self, token: Token, *, ask: bool = True) -> Dict[str, Any]:
        """The verdict on a given pair, which need not be installed."""
        if not ask:
            return self.not_asked(token.mage_id, None)
        return self._ask(Credentials(token=token), token, None)

    def not_asked(self, mage_id: Optional[str], path: Optional[str]) -> Dict[str, Any]:
        """The verdict for a pair that was not verified."""
        what = f"{self.host} was not contacted."
        if path is not None:
            what = f"{path} was not checked: its entry is for {self.host}, but downloads_url is on {self.service.host}."
        finding = Finding("not_asked", what)
        return verdict(finding, host=self.host, url=self.url, mage_id=mage_id, curl=None, path=path)

    def through(self, target: NetrcTarget, state: FileState) -> Optional[Dict[str, Any]]:
        """The verdict on the pair that curl finds in an installed file, if the user of the file can read it.

        None for a missing file, or if downloads_url is on another machine than the entry.
        """
        if self.service.host != self.host or state.data is None:
            return None
        reader = identity_of((target.user.uid if target.user else state.uid) or 0)
        if state.privileged and not _reads(reader, state.real_path):
            finding = Finding("netrc_unreadable", f"{target.path} cannot be read by {reader}.")
            return verdict(finding, host=self.host, url=self.url, mage_id=None, curl=None, path=target.path)
        # The pair that curl reads from the file, so that it is redacted.
        return self._ask(Credentials(netrc=state.data), _pair_of(state, self.host), target.path)

    def _ask(self, credentials: Credentials, known: Token, path: Optional[str]) -> Dict[str, Any]:
        end = fetch(self.curl, self.service, HELP, credentials)
        quote = quoting(known.mage_id, known.secret, self._others)
        where = self.url if path is None else f"{self.url} (using {path})"
        finding = judge_help(end, where, quote)
        return verdict(
            finding,
            host=self.host,
            url=self.url,
            mage_id=netrc.shown_login(known.mage_id),
            curl=end.as_result(quote),
            path=path,
        )

    def sees_commerce(self, credentials: Credentials) -> Optional[bool]:
        """Whether files of the commercial edition are listed for the account; None if unknown."""
        end = fetch(self.curl, self.service, _COMMERCE, credentials)
        if judge_page(end, "", lambda text: text) is not None:
            return None
        if end.body.strip() == b"No results found.":
            return False
        rows = [line for line in end.body.splitlines() if line.startswith(b"  ") and line.strip(b" -")]
        # The first row is the heading.
        return True if len(rows) > 1 else None


def _reads(who: Identity, path: str) -> bool:
    with acting_as(who):
        return os.access(path, os.R_OK, effective_ids=True)


def _pair_of(state: FileState, host: str) -> Token:
    own = netrc.pair_for(state.data or b"", host)
    return Token(own[0] or "", own[1] or "") if own else Token("", "")


def stop_on(
    verdicts: Sequence[Mapping[str, Any]], fail_on: Sequence[str], *, before: str = ""
) -> Optional[KeyfleetError]:
    """The failure for verdicts whose status is in ``fail_on``, or None. ``before`` is put before the message."""
    bad = [one for one in verdicts if one["status"] in fail_on]
    if not bad:
        return None
    return KeyfleetError(bad[0]["code"], before + " ".join(one["message"] for one in bad))
