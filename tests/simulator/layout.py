# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Composer v1 layout of a set of releases: packages.json, provider includes, package files."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .catalog import Release, archive_sha1, normalised

_PROVIDERS_URL = "/p/%package%$%hash%.json"


@dataclass(frozen=True)
class Layout:
    """``root`` is packages.json; ``documents`` are all other JSON files, by decoded path.

    ``package_paths`` are the paths of the documents that describe one package each.
    """

    root: bytes
    documents: Mapping[str, bytes]
    package_paths: frozenset[str]


def _version(release: Release, base: str, uid: int) -> dict[str, Any]:
    return {
        **release.composer_json(base),
        "version_normalized": normalised(release.version),
        "uid": uid,
        "dist": {
            "type": "zip",
            "url": base + release.archive_path,
            "reference": None,
            "shasum": archive_sha1(release, base if release.uses_base else ""),
        },
    }


def _encode(content: object) -> tuple[bytes, str]:
    body = json.dumps(content, separators=(",", ":")).encode()
    return body, hashlib.sha256(body).hexdigest()


def _include_name(group: str, odd: bool) -> str:
    return f"listing-{hashlib.sha256(group.encode()).hexdigest()[:8]}" if odd else f"provider-{group}"


@functools.lru_cache(maxsize=64)
def lay_out(releases: tuple[Release, ...], *, base: str, form: str, odd_names: bool) -> Layout:
    """Lays out the releases for one base URL.

    ``form``: ``includes`` (like the real host), ``providers`` (the listing is in packages.json), ``inline`` (all
    versions are in packages.json), ``bare`` (packages.json contains neither, as if it listed no package).
    """
    packages: dict[str, dict[str, Any]] = {}
    for uid, release in enumerate(releases, start=1):
        packages.setdefault(release.name, {})[release.version] = _version(release, base, uid)
    if form == "inline":
        return Layout(_encode({"packages": packages})[0], {}, frozenset())

    documents: dict[str, bytes] = {}
    listings: dict[str, dict[str, dict[str, str]]] = {}
    groups = {release.name: release.group for release in releases}
    for name, versions in packages.items():
        body, digest = _encode({"packages": {name: versions}})
        documents[f"/p/{name}${digest}.json"] = body
        listings.setdefault(groups[name], {})[name] = {"sha256": digest}
    package_paths = frozenset(documents)

    root: dict[str, Any] = {"packages": [], "providers-url": urlsplit(base).path + _PROVIDERS_URL}
    if form == "providers":
        root["providers"] = {name: entry for listing in listings.values() for name, entry in listing.items()}
    elif form == "includes":
        includes: dict[str, dict[str, str]] = {}
        for group, listing in listings.items():
            body, digest = _encode({"providers": listing})
            name = _include_name(group, odd_names)
            documents[f"/p/{name}${digest}.json"] = body
            includes[f"p/{name}$%hash%.json"] = {"sha256": digest}
        root["provider-includes"] = includes
    return Layout(_encode(root)[0], documents, package_paths)
