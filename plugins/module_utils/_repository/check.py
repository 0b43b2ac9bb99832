# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a Composer repository whether a pair of keys works, and which packages it offers to the pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional, Sequence
from urllib.parse import urlsplit

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets, quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.packages import Walk, packages_json
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import (
    Finding,
    HttpAnswer,
    Verdict,
    conclude,
    entitlement,
    judge_answer,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import MAGENTO_REPOSITORY

if TYPE_CHECKING:
    from ansible_collections.keyfleet.magento.plugins.module_utils._repository.session import Session

# Looking up packages reads megabytes in several files and may take this many times the timeout of one answer.
WALK_FACTOR = 10


@dataclass(frozen=True)
class Connection:
    """How to reach a repository. ``timeout``: seconds for a plain verdict, and for each silence while reading files."""

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
    """Return the verdict for a pair; with ``packages`` also whether the repository offers each of them to the pair.

    A text that contains a part of ``others``, such as the other pairs of a run, is not shown at all.

    Every fault of the network or server results in a verdict. Raises KeyfleetError ``bad_options`` for an invalid
    address and ``bad_key`` for a pair that cannot be sent.
    """
    address = _address(repository, url)
    if not public_key or not _utf8(public_key + private_key):
        raise KeyfleetError("bad_key", f"The pair for {repository} is empty or cannot be written as UTF-8")
    # Imported here, since these imports take a good part of the time of a module run without requests.
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
    finding = answer if isinstance(answer, Finding) else judge_answer(answer, root, quote)
    found: Dict[str, str] = {name: "unknown" for name in packages}
    # A default address is a guess until packages.json was read there.
    guessed = url is None and repository != MAGENTO_REPOSITORY
    if packages and isinstance(answer, HttpAnswer) and finding.code == "keys_valid":
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
    """Return the https address of the repository. Callers validate it with better messages; this is a safeguard."""
    address = f"https://{repository}/" if url is None else url
    try:
        parts = urlsplit(address)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        # The address is not quoted: it may hold a password.

        raise KeyfleetError("bad_options", f"The address of {repository} is not an https address, or has a user name")
    return address


def _utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
