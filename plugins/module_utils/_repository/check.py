# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a Composer repository whether a pair of keys works, and what it offers to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional, Sequence
from urllib.parse import urlsplit

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets, quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.packages import Walk, packages_json
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import (
    Answer,
    Finding,
    Verdict,
    conclude,
    entitlement,
    judge,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import MAGENTO_REPOSITORY

if TYPE_CHECKING:
    from ansible_collections.keyfleet.magento.plugins.module_utils._repository.session import Session

# A walk reads megabytes in several files: it may take this many times the timeout of one answer.
WALK_FACTOR = 10


@dataclass(frozen=True)
class Connection:
    """How to reach a repository. ``timeout``: seconds for a plain verdict, and for each silence during a walk."""

    validate_certs: bool = True
    ca_path: Optional[str] = None
    timeout: float = 30
    use_proxy: bool = True


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
    """The verdict for a pair; with ``packages`` also whether the repository offers each of them to it.

    Of a text with a part of ``others`` in it, such as the other pairs of a run, nothing is shown.

    Whatever the network and the server do ends in a verdict. `KeyfleetError` is raised only for what can never be
    asked: ``bad_options`` for an address, ``bad_key`` for a pair.
    """
    address = _address(repository, url)
    if not public_key or not _utf8(public_key + private_key):
        raise KeyfleetError("bad_key", f"The pair for {repository} is empty or cannot be written as UTF-8")
    # Only now: with its imports a request costs a good part of what a whole module run costs without one.
    from ansible_collections.keyfleet.magento.plugins.module_utils._repository.session import Session

    quote = quoting(public_key, private_key, *others)
    session = Session(
        url=address,
        public_key=public_key,
        private_key=private_key,
        quote=quote,
        validate_certs=connection.validate_certs,
        ca_path=connection.ca_path,
        timeout=connection.timeout,
        use_proxy=connection.use_proxy,
        limit=connection.timeout * (WALK_FACTOR if packages else 1),
    )
    root = packages_json(address)
    answer = session.get(root, whole=bool(packages))
    finding = answer if isinstance(answer, Finding) else judge(answer, root, quote)
    found: Dict[str, str] = {name: "unknown" for name in packages}
    # An address that nobody gave: once packages.json has been had there, it was the right one.
    guessed = url is None and repository != MAGENTO_REPOSITORY
    if packages and isinstance(answer, Answer) and finding.code == "keys_valid":
        guessed = False
        walk = Walk(root, packages, quote)
        _take(walk, session, answer.body)
        found = walk.packages()
        finding = entitlement(found, walk.trouble, repository)
    return conclude(finding, repository=repository, url=address, guessed=guessed, packages=found)


def _take(walk: Walk, session: Session, root: bytes) -> None:
    walk.start(root)
    part = walk.following()
    while part is not None:
        walk.take(part, session.get(part.url, whole=True))
        part = walk.following()


def _address(repository: str, url: Optional[str]) -> str:
    """The https address to ask; callers have refused bad ones in better words, so this only makes sure."""
    address = f"https://{repository}/" if url is None else url
    try:
        parts = urlsplit(address)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        # Not repeated: it may hold a password.
        raise KeyfleetError("bad_options", f"The address of {repository} is not an https address without a user name")
    return address


def _utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
