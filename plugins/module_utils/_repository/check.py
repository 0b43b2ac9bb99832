# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a pair at its repository."""

from __future__ import annotations

from contextlib import suppress
from typing import Dict, Optional, Sequence
from urllib.parse import urlsplit

from .._argspec import Connection
from .._errors import KeyfleetError
from .._redact import Secrets, quoting
from .._secrets import MAGENTO_REPOSITORY
from .outcome import Finding, HttpAnswer, Verdict
from .packages import Walk, packages_json
from .session import Session
from .verdict import conclude, entitlement, judge_answer

# Looking up packages reads megabytes in several files and may take this many times the timeout of one answer.
WALK_FACTOR = 10


def check(
    *,
    repository: str,
    url: Optional[str],
    public_key: str,
    private_key: str,
    packages: Sequence[str] = (),
    connection: Connection,
    others: Sequence[Secrets] = (),
) -> Verdict:
    """Return the verdict for a pair; with ``packages`` also whether the repository offers each of them to the pair.

    A text that contains a part of ``others``, such as the other pairs of a run, is not shown at all.

    Every fault of the network or server results in a verdict. Raises KeyfleetError ``bad_options`` for an invalid
    address and ``bad_key`` for a pair that cannot be sent.
    """
    address = _address(repository, url)
    if not public_key or any("\ud800" <= char <= "\udfff" for char in public_key + private_key):
        raise KeyfleetError("bad_key", f"The pair for {repository} is empty or cannot be written as UTF-8")
    quote = quoting(public_key, private_key, *others)
    limit = connection.timeout * (WALK_FACTOR if packages else 1)
    session = Session(address, (public_key, private_key), quote, connection, limit)
    root = packages_json(address)
    answer = session.get(root, whole=bool(packages))
    finding = answer if isinstance(answer, Finding) else judge_answer(answer, root, quote)
    found: Dict[str, str] = {name: "unknown" for name in packages}
    # A default address is a guess until packages.json was read there.
    guessed = url is None and repository != MAGENTO_REPOSITORY
    if packages and isinstance(answer, HttpAnswer) and finding.code == "keys_valid":
        guessed = False
        walk = Walk(root, packages, quote)
        walk.read(answer.body)
        for part in iter(walk.following, None):
            walk.take(part, session.get(part.url, whole=True))
        found = walk.packages()
        finding = entitlement(found, walk.trouble, repository)
    return conclude(finding, repository=repository, url=address, guessed=guessed, packages=found)


def _address(repository: str, url: Optional[str]) -> str:
    """Return the https address of the repository. Callers validate it with better messages; this is a safeguard."""
    address = f"https://{repository}/" if url is None else url
    with suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme == "https" and parts.hostname and parts.port != 0 and "@" not in parts.netloc:
            return address
    # The address is not quoted: it may hold a password.
    raise KeyfleetError("bad_options", f"The address of {repository} is not an https address, or has a user name")
