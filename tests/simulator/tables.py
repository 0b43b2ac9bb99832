# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages below ``info/``: help, tables, versions and the feed, as pure functions. The wording is our own."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from .offers import CATEGORIES, Offer

NOTHING = "No results found.\n"
# With an empty cell, a client that splits at blanks would see one column less.
_NO_VERSION = "n/a"


def help_page(base: str) -> str:
    """The page ``info/help``."""
    types = "".join(f"      {short:<10} {long}\n" for short, long in CATEGORIES.items())
    return (
        "Downloads Usage:\n"
        f"  curl --netrc -O {base}/file/[FILENAME]\n\n"
        "Info Usage:\n"
        f"  curl --netrc {base}/info/[OPTION]/[PARAMS]\n\n"
        "Options:\n"
        "  help       this page\n"
        "  files      every file that you may download\n"
        "  versions   every version\n"
        "  filter     files of one version or type\n"
        "  json       everything, for programs\n\n"
        "Filter Params:\n"
        "  version    a version; * matches any text\n"
        "  type       one of\n" + types
    )


def table(offers: Sequence[Offer]) -> str:
    """The page ``info/files`` and the filtered pages: one row for each file and version."""
    if not offers:
        return NOTHING
    rows = [("Name", "File Type", "Version", "File Name")]
    for offer in offers:
        kind = CATEGORIES.get(offer.category, offer.category)
        rows += [(offer.name, kind, version, offer.file_name) for version in offer.versions or (_NO_VERSION,)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    # Not indented: a client that splits the text before the dashes at two blanks would see a fifth column.
    lines.insert(1, "-" * (sum(widths) + 8))
    return "\n".join(lines) + "\n"


def versions_page(offers: Iterable[Offer]) -> str:
    """The page ``info/versions``."""
    known: dict[str, dict[str, None]] = {"CE": {}, "EE": {}}
    for offer in offers:
        if offer.category.endswith("-full"):
            known["EE" if offer.enterprise else "CE"].update(dict.fromkeys(offer.versions))
    blocks = [
        f"{edition} Versions\n{'-' * 11}\n" + "".join(f"{line}\n" for line in found) for edition, found in known.items()
    ]
    return "\n".join(blocks)


def chosen(offers: Sequence[Offer], param: str, value: str) -> list[Offer]:
    """The files that match a filter, each with the matching versions; empty for an unknown filter."""
    if param == "version":
        matching = [replace(offer, versions=tuple(fnmatch.filter(offer.versions, value))) for offer in offers]
        return [offer for offer in matching if offer.versions]
    if param == "type":
        return [offer for offer in offers if value in {offer.category, CATEGORIES.get(offer.category)}]
    return []


def feed(offers: Iterable[Offer], *, md5: str, as_text: bool) -> dict[str, Any]:
    """The feed ``info/json``. ``md5``: ``right``, ``wrong`` or ``empty``; ``as_text``: versions as one string."""
    found: dict[str, Any] = {}
    for offer in offers:
        versions = list(offer.versions)
        listed = ", ".join(versions) if as_text else versions
        nothing = "" if as_text else []
        item = {
            "name": offer.name,
            "file_name": offer.file_name,
            "md5": _md5(offer, md5),
            "ce_versions": nothing if offer.enterprise else listed,
            "ee_versions": listed if offer.enterprise else nothing,
        }
        if offer.plain:
            found.setdefault(offer.category, []).append(item)
        else:
            for version in versions:
                found.setdefault(offer.category, {}).setdefault(version, []).append(item)
    return found


def _md5(offer: Offer, form: str) -> str:
    if form == "empty" or not offer.has_md5:
        return ""
    right = offer.digests()["md5"]
    return right if form == "right" else right[::-1]
