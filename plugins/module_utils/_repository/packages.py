# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the files of a Composer repository that tell whether it offers certain packages. Pure.

Source: Composer's ComposerRepository.php (2.5.5): provider includes, also nested ones, packages in the root file and in
the older ``includes``, and one file for each package (``providers-lazy-url``, ``metadata-url``).
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any, Deque, Dict, Iterable, NamedTuple, Optional, Sequence, Set, Union
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from .._redact import Quote
from .._text import json_object
from .outcome import Finding, HttpAnswer
from .verdict import judge_file

# More files than any real repository has; ends a walk whose files always name new files.
_MOST_FILES = 1000
# Characters of a file's name, address or hash. A placeholder may occur many times in an address.
_LONGEST_NAME = 2048
_HASH_DIGITS = 64
# After these faults the next request would most likely fail as well.
_HOPELESS = ("timed_out", "rate_limited", "connection_failed", "tls_failed", "proxy_failed")
_KNOWN = ("packages", "providers", "provider-includes", "includes", "providers-lazy-url", "metadata-url")


class ProviderFile(NamedTuple):
    """A file to read. ``package`` is set if the file describes a single package."""

    url: str
    sha256: str
    package: Optional[str]


def packages_json(base: str) -> str:
    """Return the address of the root file. ``base`` may already be that address."""
    path = urlsplit(base).path
    return base if path.endswith(".json") else base.rstrip("/") + "/packages.json"


class Walk:
    """The files still to be read, and the packages found in those read so far.

    Pass the root file to `read`; then request each `ProviderFile` that `following` returns and pass the outcome to
    `take`, until it is None.
    """

    def __init__(self, root_url: str, names: Sequence[str], quote: Quote) -> None:
        parts = urlsplit(root_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base = root_url.rpartition("/")[0]
        self._wanted = {name: name.lower() for name in names}
        self._quote = quote
        self._listed: Set[str] = set()
        # Packages whose files could not be read; None means every package.
        self._unsure: Set[Optional[str]] = set()
        self._parts: Deque[ProviderFile] = deque()
        self._seen: Set[str] = set()
        self._template = ""
        self._suffixes: Sequence[str] = ("",)
        self.trouble: Optional[Finding] = None

    def following(self) -> Optional[ProviderFile]:
        """Return the next file to read, or None when every package is decided or no further file can be read."""
        if self.trouble is not None and self.trouble.code in _HOPELESS:
            return None
        missing = [name for name in self._wanted.values() if name not in self._listed]
        if missing and not self._parts and self._template:
            template, self._template = self._template, ""
            for suffix in self._suffixes:
                for name in missing:
                    url = template.replace("%package%", percent_encode(name + suffix, safe="/~"))
                    self._add(url, package=name)
        while missing and self._parts:
            part = self._parts.popleft()
            if part.package not in self._listed:
                return part
        return None

    def take(self, part: ProviderFile, outcome: Union[HttpAnswer, Finding]) -> None:
        """Read the packages of a file, or note why it could not be read."""
        if isinstance(outcome, Finding):
            self._note(outcome, part)
            return
        if part.package is not None and outcome.http_status in (404, 410):
            return
        wrong = judge_file(outcome, self._name(part), self._quote)
        if wrong is not None:
            self._note(wrong, part)
        elif part.sha256 and hashlib.sha256(outcome.body).hexdigest() != part.sha256.lower():
            what = f"{self._name(part)} is not what the repository announces: its hash differs."
            self._note(Finding("hash_mismatch", what, "", 200), part)
        else:
            self.read(outcome.body, part)

    def packages(self) -> Dict[str, str]:
        """Return ``listed``, ``absent`` or ``unknown`` for each package."""
        unsure = self._unsure | {part.package for part in self._parts}
        return {
            name: "listed" if lowered in self._listed else "unknown" if unsure & {None, lowered} else "absent"
            for name, lowered in self._wanted.items()
        }

    def read(self, body: bytes, part: Optional[ProviderFile] = None) -> None:
        """Read the root file, or ``part``."""
        try:
            self._read(json_object(body), part)
        except (AttributeError, LookupError, TypeError, ValueError):
            what = f"{self._name(part)} is not a file that Composer can read."
            self._note(Finding("not_a_repository", what, "", 200), part)

    def _read(self, content: Optional[Dict[str, Any]], part: Optional[ProviderFile]) -> None:
        if content is None or not any(name in content for name in _KNOWN):
            raise ValueError("no file of a repository")
        self._list(name for name, versions in _mapping(content.get("packages")).items() if versions)
        if part is not None and part.package is not None:
            return
        if part is None:
            self._template = _text(content.get("metadata-url") or content.get("providers-lazy-url") or None)
            if self._template.startswith("/"):
                self._template = self._origin + self._template
            if content.get("metadata-url"):
                # A repository of protocol 2: as in Composer, its older keys are ignored. Dev versions have a file of
                # their own, requested last.
                self._suffixes = ("", "~dev")
                return
        self._list(_mapping(content.get("providers")))
        for name, facts in _mapping(content.get("provider-includes")).items():
            digest = _text(_mapping(facts).get("sha256"))
            if len(digest) > _HASH_DIGITS:
                raise ValueError("no hash")
            self._add(f"{self._base}/{_text(name).replace('%hash%', digest or '%hash%')}", sha256=digest)
        # These have a SHA-1, which Composer uses for its cache and does not verify either.
        for name in _mapping(content.get("includes")):
            self._add(f"{self._base}/{_text(name)}")

    def _list(self, names: Iterable[str]) -> None:
        # Only the wanted names: a repository may list millions.
        self._listed |= set(self._wanted.values()).intersection(map(str.lower, names))

    def _add(self, url: str, *, sha256: str = "", package: Optional[str] = None) -> None:
        # Composer encodes the first dollar sign, "as bad proxies choke on them".
        url = url.replace("$", "%24", 1)
        if url in self._seen:
            return
        if len(self._seen) >= _MOST_FILES:
            self._note(Finding("not_a_repository", "The repository names more files than any real one has."), None)
            return
        self._seen.add(url)
        self._parts.append(ProviderFile(url, sha256, package))

    def _note(self, failure: Finding, part: Optional[ProviderFile]) -> None:
        self.trouble = self.trouble or failure
        self._unsure.add(part.package if part else None)

    def _name(self, part: Optional[ProviderFile]) -> str:
        if part is None:
            return "packages.json"
        return self._quote(part.url.replace("%24", "$")).rpartition("/")[2] or "one of its files"


def _text(value: object) -> str:
    """Return ``value``, or "" for None."""
    if value is None:
        return ""
    if isinstance(value, str) and len(value) <= _LONGEST_NAME:
        return value
    raise ValueError("not text, or longer than any real one")


def _mapping(value: object) -> Dict[str, Any]:
    """Return ``value`` as an object; PHP writes an empty one as a list."""
    if value is None or value == []:
        return {}
    if isinstance(value, dict):
        return value
    raise ValueError("not an object")
