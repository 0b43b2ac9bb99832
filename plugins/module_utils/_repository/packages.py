# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a Composer repository to read to learn whether it offers certain packages. Pure.

The forms are those of Composer's ComposerRepository.php (2.5.5): provider includes, nested ones too, packages in the
root file and in the older ``includes``, a file for each package (``providers-lazy-url``, ``metadata-url``).
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Deque, Dict, Iterable, Optional, Sequence, Set, Union
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from ansible_collections.keyfleet.magento.plugins.module_utils._json import json_object
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Quote
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import Answer, Finding, judge_part

# Far beyond any real repository; ends a walk whose files name ever new files.
_MOST_FILES = 1000
# Characters of a file's name, address or hash. One is put into another, and as often as its placeholder stands there.
_LONGEST_NAME = 2048
_HASH_DIGITS = 64
# After these, asking for the next file as well would cost time or patience for nothing.
_HOPELESS = ("timed_out", "rate_limited", "connection_failed", "tls_failed", "proxy_failed")
_KNOWN = ("packages", "providers", "provider-includes", "includes", "providers-lazy-url", "metadata-url")


@dataclass(frozen=True)
class Part:
    """A file to be read, and for whose sake when it tells of a single package."""

    url: str
    sha256: Optional[str] = None
    package: Optional[str] = None


def packages_json(base: str) -> str:
    """The address of the root file, which an address may also name itself."""
    path = urlsplit(base).path
    return base if path.endswith(".json") else base.rstrip("/") + "/packages.json"


class Walk:
    """The files still to be read, and what those read so far have told.

    Begin with `start`; then take a `Part` from `following`, read it, hand it to `take`, until there is none.
    """

    def __init__(self, root_url: str, names: Sequence[str], quote: Quote) -> None:
        parts = urlsplit(root_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base = root_url.rpartition("/")[0]
        self._wanted = {name: name.lower() for name in names}
        self._quote = quote
        self._listed: Set[str] = set()
        # Names whose absence proves nothing; None stands for every name.
        self._unsure: Set[Optional[str]] = set()
        self._parts: Deque[Part] = deque()
        self._seen: Set[str] = set()
        self._template: Optional[str] = None
        self._suffixes: Sequence[str] = ("",)
        self.trouble: Optional[Finding] = None

    def start(self, body: bytes) -> None:
        """Read the root file."""
        self._read(json_object(body), None)

    def following(self) -> Optional[Part]:
        """The next file to read; None when all is known, or will not be."""
        if self.trouble is not None and self.trouble.code in _HOPELESS:
            return None
        missing = [name for name in self._wanted.values() if name not in self._listed]
        if missing and not self._parts and self._template is not None:
            template, self._template = self._template, None
            for suffix in self._suffixes:
                for name in missing:
                    url = template.replace("%package%", percent_encode(name + suffix, safe="/~"))
                    self._add(Part(url, package=name))
        while missing and self._parts:
            part = self._parts.popleft()
            if part.package not in self._listed:
                return part
        return None

    def take(self, part: Part, outcome: Union[Answer, Finding]) -> None:
        """Read a file, or note why it could not be read."""
        if isinstance(outcome, Finding):
            self._note(outcome, part)
            return
        if part.package is not None and outcome.http_status in (404, 410):
            return
        wrong = judge_part(outcome, self._name(part), self._quote)
        if wrong is not None:
            self._note(wrong, part)
        elif part.sha256 and hashlib.sha256(outcome.body).hexdigest() != part.sha256.lower():
            what = f"{self._name(part)} is not what the repository announces: its hash differs."
            self._note(Finding("hash_mismatch", what, "", 200), part)
        else:
            self._read(json_object(outcome.body), part)

    def packages(self) -> Dict[str, str]:
        """``listed``, ``absent`` or ``unknown`` for each of the names."""
        unsure = self._unsure | {part.package for part in self._parts}
        return {
            name: "listed" if lowered in self._listed else "unknown" if unsure & {None, lowered} else "absent"
            for name, lowered in self._wanted.items()
        }

    def _read(self, content: Optional[Dict[str, Any]], part: Optional[Part]) -> None:
        try:
            self._read_parts(content, part)
        except (AttributeError, LookupError, TypeError, ValueError):
            what = f"{self._name(part)} is not a file that Composer can read."
            self._note(Finding("not_a_repository", what, "", 200), part)

    def _read_parts(self, content: Optional[Dict[str, Any]], part: Optional[Part]) -> None:
        if content is None or not any(name in content for name in _KNOWN):
            raise ValueError("no file of a repository")
        self._list(name for name, versions in _mapping(content.get("packages")).items() if versions)
        if part is not None and part.package is not None:
            return
        if part is None:
            self._template = _text(content.get("metadata-url") or content.get("providers-lazy-url") or None)
            if self._template is not None and self._template.startswith("/"):
                self._template = self._origin + self._template
        if part is None and content.get("metadata-url"):
            # A repository of the second protocol: as in Composer, its older keys do not count. Branches have a file of
            # their own, which is asked for last.
            self._suffixes = ("", "~dev")
            return
        self._list(_mapping(content.get("providers")))
        for name, facts in _mapping(content.get("provider-includes")).items():
            digest = _text(_mapping(facts).get("sha256"))
            if digest is not None and len(digest) > _HASH_DIGITS:
                raise ValueError("no hash")
            self._add(Part(f"{self._base}/{_short(name).replace('%hash%', digest or '%hash%')}", digest))
        # These announce a SHA-1, which Composer uses for its cache and does not check either.
        for name in _mapping(content.get("includes")):
            self._add(Part(f"{self._base}/{_short(name)}"))

    def _list(self, names: Iterable[str]) -> None:
        # No more than what is asked for: files by the hundred may have names by the million.
        wanted = set(self._wanted.values())
        self._listed.update(name for name in map(str.lower, names) if name in wanted)

    def _add(self, part: Part) -> None:
        # Composer writes the first dollar sign so, "as bad proxies choke on them".
        url = part.url.replace("$", "%24", 1)
        if url in self._seen:
            return
        if len(self._seen) >= _MOST_FILES:
            self._note(Finding("not_a_repository", "The repository names more files than any real one has."), None)
            return
        self._seen.add(url)
        self._parts.append(replace(part, url=url))

    def _note(self, failure: Finding, part: Optional[Part]) -> None:
        self.trouble = self.trouble or failure
        self._unsure.add(part.package if part else None)

    def _name(self, part: Optional[Part]) -> str:
        if part is None:
            return "packages.json"
        return self._quote(part.url.replace("%24", "$")).rpartition("/")[2] or "one of its files"


def _text(value: object) -> Optional[str]:
    if value is None:
        return None
    if isinstance(value, str):
        return _short(value)
    raise ValueError("not text")


def _short(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        raise ValueError("longer than any real one")
    return name


def _mapping(value: object) -> Dict[str, Any]:
    """An object; PHP writes an empty one as a list."""
    if value is None or value == []:
        return {}
    if isinstance(value, dict):
        return value
    raise ValueError("not an object")
