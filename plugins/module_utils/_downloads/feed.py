# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The feed ``info/json`` of release downloads as a flat list. Pure.

A category is an object of versions or a plain list. New categories appear over time, so unknown ones are kept, and so
are items that lack a field.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .._text import json_value, one_line

# Characters. Matching a pattern with several asterisks takes more than linear time.
_LONGEST_FIELD = 255
# Files; a decade of releases has some hundreds.
_MOST = 20_000
# A patch applies to some dozens.
_MOST_VERSIONS = 1_000
_MD5 = re.compile(r"[0-9a-f]{32}\Z")


class NotAFeed(Exception):
    """The body is not a feed of releases."""


class Repeats(Exception):
    """The feed contains a secret."""


@dataclass(frozen=True)
class Release:
    """One file on offer. ``version`` and ``md5`` are None if the feed has none for it."""

    category: str
    version: Optional[str]
    name: str
    file_name: str
    md5: Optional[str]
    ce_versions: Tuple[str, ...] = ()
    ee_versions: Tuple[str, ...] = ()

    def as_result(self) -> Dict[str, Any]:
        """One element of ``releases``."""
        return dict(vars(self), ce_versions=list(self.ce_versions), ee_versions=list(self.ee_versions))


def _versions(value: object) -> Tuple[str, ...]:
    """Versions from a list, or from a string that separates them by commas or blanks."""
    parts = re.split(r"[,\s]+", value) if isinstance(value, str) else value if isinstance(value, list) else []
    texts = [
        _text(part if isinstance(part, str) else str(part))
        for part in parts[:_MOST_VERSIONS]
        if isinstance(part, (str, int, float))
    ]
    return tuple(text for text in texts if text)


def _text(value: object) -> str:
    return one_line(value[: 4 * _LONGEST_FIELD], _LONGEST_FIELD) if isinstance(value, str) else ""


def _release(category: str, version: str, item: Any) -> Optional[Release]:
    """The release of an item, or None. ``category`` and ``version`` are already safe to show."""
    if not isinstance(item, dict) or not _text(item.get("file_name")):
        return None
    md5 = _text(item.get("md5")).lower()
    return Release(
        category=category,
        version=version or _text(item.get("version")) or None,
        name=_text(item.get("name")),
        file_name=_text(item["file_name"]),
        md5=md5 if _MD5.match(md5) else None,
        ce_versions=_versions(item.get("ce_versions")),
        ee_versions=_versions(item.get("ee_versions")),
    )


def _items(content: object) -> Iterator[Tuple[str, Any]]:
    if isinstance(content, dict) and "file_name" not in content:
        for version, items in content.items():
            shown = _text(version)
            for item in items if isinstance(items, list) else [items]:
                yield shown, item
    elif isinstance(content, (dict, list)):
        for item in content if isinstance(content, list) else [content]:
            yield "", item


def _texts(value: object) -> Iterator[str]:
    """Every string and number in a JSON value, names included."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one
        elif isinstance(one, (str, int, float)):
            yield str(one)


def parse(body: bytes, repeats: Callable[[str], bool]) -> List[Release]:
    """All releases, in the order of the feed. Raises `NotAFeed`, or `Repeats` if the feed ``repeats`` a secret."""
    try:
        feed = json_value(body)
    except ValueError:
        raise NotAFeed("it is not JSON") from None
    # Before any text is shortened.
    if repeats("\n".join(_texts(feed))):
        raise Repeats()
    if not isinstance(feed, dict):
        # PHP writes an empty object as an empty list.
        if feed == []:
            return []
        raise NotAFeed("it is JSON, but not an object of categories")
    found = []
    for category, content in feed.items():
        shown = _text(category)
        found += [_release(shown, version, item) for version, item in _items(content)]
        if len(found) > _MOST:
            raise NotAFeed(f"it has more than {_MOST} files")
    releases = [release for release in found if release is not None]
    if found and not releases:
        raise NotAFeed("it is JSON, but nothing in it is a file on offer")
    return releases


# None matches everything.
Pattern = Optional[str]


def _matches(pattern: Pattern, *values: str) -> bool:
    return pattern is None or any(fnmatch.fnmatchcase(value.lower(), pattern.lower()) for value in values)


def chosen(
    releases: Sequence[Release], *, version: Pattern = None, category: Pattern = None, name: Pattern = None
) -> List[Release]:
    """The releases that match every pattern. ``*`` matches anything; case is ignored.

    ``version`` is matched against the version under which the feed lists the file or, if there is none, the versions
    that the file is for. ``name`` is matched against the name and the file name.
    """
    return [
        one
        for one in releases
        if _matches(version, *([one.version] if one.version else [*one.ce_versions, *one.ee_versions]))
        and _matches(category, one.category)
        and _matches(name, one.name, one.file_name)
    ]


def find(releases: Sequence[Release], file_name: str) -> Optional[Release]:
    """The entry of a file, or None; of several, the first that has an MD5."""
    same = [release for release in releases if release.file_name == file_name]
    return next((release for release in same if release.md5), same[0] if same else None)
