# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the host's curl ask about a download token: the pair itself, or whatever a netrc gives."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.curl import Curl, find_curl
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.fetch import Credentials, fetch
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import Service, Token
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_targets import Place
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.verdict import judge_help, judge_page, verdict
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.credential import FileState
from ansible_collections.keyfleet.magento.plugins.module_utils._files.identity import Identity, acting_as, identity_of
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets, quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import Finding

HELP = "info/help"
_COMMERCE = "info/filter/type/ee-full"


class Proof:
    """Asks one server; curl is looked for when it is needed first."""

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
        """What is asked for."""
        return f"{self.service.url}/{HELP}"

    def will_ask(self, given: Optional[Token], states: Iterable[FileState]) -> None:
        """From now on nothing is shown that the server says to one of these and that is a secret of another."""
        pairs = [*([given] if given else []), *(_pair_of(state, self.host) for state in states)]
        self._others = Secrets((one.mage_id, one.secret) for one in pairs)

    def pair(self, token: Token, *, ask: bool = True) -> Dict[str, Any]:
        """The verdict on a pair that is not installed, or not yet."""
        if not ask:
            return self.not_asked(token.mage_id, None)
        return self._ask(Credentials(token=token), token, None)

    def not_asked(self, mage_id: Optional[str], path: Optional[str]) -> Dict[str, Any]:
        """The verdict where there was nothing to ask."""
        what = f"{self.host} was not asked."
        if path is not None:
            what = f"{path} was not asked through: its entry is for {self.host}, the address for {self.service.host}."
        finding = Finding("not_asked", what)
        return verdict(finding, host=self.host, url=self.url, mage_id=mage_id, curl=None, path=path)

    def through(self, place: Place, state: FileState) -> Optional[Dict[str, Any]]:
        """The verdict on what curl finds in an installed file, if the user whose it is can read it.

        None where the address that is asked is another machine than the entry's: nothing would be found then.
        """
        if self.service.host != self.host or state.data is None:
            return None
        reader = identity_of((place.user.uid if place.user else state.uid) or 0)
        if state.privileged and not _reads(reader, state.real_path):
            finding = Finding("netrc_unreadable", f"{place.path} cannot be read by {reader}.")
            return verdict(finding, host=self.host, url=self.url, mage_id=None, curl=None, path=place.path)
        # What curl is given by the file is known here too, so that it can be kept out of what is shown.
        return self._ask(Credentials(netrc=state.data), _pair_of(state, self.host), place.path)

    def _ask(self, credentials: Credentials, known: Token, path: Optional[str]) -> Dict[str, Any]:
        end = fetch(self.curl, self.service, HELP, credentials)
        quote = quoting(known.mage_id, known.secret, self._others)
        where = self.url if path is None else f"{self.url} (asked through {path})"
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
        """Whether the account is shown files of the commercial edition; None when that cannot be told."""
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
    """The failure for the verdicts whose status is in ``fail_on``, or None. ``before`` leads the text."""
    bad = [one for one in verdicts if one["status"] in fail_on]
    if not bad:
        return None
    return KeyfleetError(bad[0]["code"], before + " ".join(one["message"] for one in bad))
