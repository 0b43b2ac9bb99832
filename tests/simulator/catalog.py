# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of the repository: releases, archive names and archives."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import fields
from .problems import BadInput

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*/[a-z0-9][a-z0-9_.-]*")
_VERSION = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(?:-?(p|patch|alpha|beta|rc)\.?(\d*))?", re.IGNORECASE
)
_SUFFIXES = {"p": "patch", "patch": "patch", "alpha": "alpha", "beta": "beta", "rc": "RC"}
BASE_MARK = "{base}"


def normalised(version: str) -> str:
    """Composer's normalised version, used in archive names: ``2.4.5-p12`` is ``2.4.5.0-patch12``."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise BadInput(f"version {version} is not of the form 1.2.3 or 1.2.3-p4")
    numbers = ".".join(part or "0" for part in match.groups()[:4])
    suffix, count = match.group(5), match.group(6)
    return f"{numbers}-{_SUFFIXES[suffix.lower()]}{count}" if suffix else numbers


@dataclass(frozen=True)
class Release:
    """One version of one package. ``{base}`` in ``files`` and ``extra`` is replaced with the requested address.

    ``group`` names the provider include that lists the release; ``padding`` is a number of bytes added to the archive.
    """

    name: str
    version: str
    type: str = "library"
    description: str = ""
    group: str = "ce"
    require: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    extra: str = field(default="{}")
    padding: int = 0

    @classmethod
    def parse(cls, value: object, name: str, defaults: dict[str, Any]) -> Release:
        """Reads a release from JSON; missing fields come from its package."""
        data = {**defaults, **fields.mapping(value, f"package {name}: version")}
        version = fields.text(data, "version", f"package {name}")
        where = f"package {name} {version}"
        fields.only(data, {"version", "type", "description", "group", "require", "files", "composer", "padding"}, where)
        normalised(version)
        return cls(
            name=name,
            version=version,
            type=fields.text(data, "type", where, "library"),
            description=fields.text(data, "description", where, ""),
            group=fields.text(data, "group", where, "ce"),
            require=tuple(fields.string_map(data, "require", where).items()),
            files=tuple(fields.string_map(data, "files", where).items()),
            extra=json.dumps(fields.mapping(data.get("composer", {}), f"{where}: composer")),
            padding=fields.whole(data, "padding", where, 0) or 0,
        )

    @property
    def archive_path(self) -> str:
        """The path of the archive."""
        return f"/archives/{self.name}/{self.name.replace('/', '-')}-{normalised(self.version)}.zip"

    @property
    def uses_base(self) -> bool:
        """Whether the archive contains the requested address, so that its bytes depend on it."""
        return BASE_MARK in self.extra or any(BASE_MARK in content for _path, content in self.files)

    def composer_json(self, base: str) -> dict[str, Any]:
        """The package's own composer.json."""
        content: dict[str, Any] = {"name": self.name, "description": self.description, "type": self.type}
        content["version"] = self.version
        content["require"] = dict(self.require)
        content.update(json.loads(self.extra.replace(BASE_MARK, base)))
        return content

    def archive(self, base: str) -> bytes:
        """The zip: the same bytes for the same release and address, on every machine."""
        return _archive(self, base if self.uses_base else "")


@functools.lru_cache(maxsize=512)
def _archive(release: Release, base: str) -> bytes:
    contents = {"composer.json": json.dumps(release.composer_json(base), indent=4) + "\n"}
    contents.update((path, content.replace(BASE_MARK, base)) for path, content in release.files)
    if release.padding:
        line = hashlib.sha256(release.name.encode()).hexdigest() + "\n"
        contents["padding.txt"] = (line * (release.padding // len(line) + 1))[: release.padding]
    buffer = io.BytesIO()
    # Stored, not deflated, because the bytes must not depend on the machine's zlib.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content.encode())
    return buffer.getvalue()


@functools.lru_cache(maxsize=1024)
def archive_sha1(release: Release, base: str) -> str:
    """The ``shasum`` of the archive, 40 hex digits."""
    return hashlib.sha1(release.archive(base), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Catalog:
    """All releases, regardless of entitlements."""

    releases: tuple[Release, ...]

    @classmethod
    def parse(cls, values: Iterable[object]) -> Catalog:
        """Reads packages from JSON: ``{"name", "versions": [{"version", …}], …}``; other fields are defaults of the
        versions."""
        found: list[Release] = []
        for value in values:
            data = dict(fields.mapping(value, "package"))
            name = fields.text(data, "name", "package")
            if _NAME.fullmatch(name) is None:
                raise BadInput(f"package name {name} is not of the form vendor/name in lower case")
            versions = fields.listing(data, "versions", f"package {name}")
            if not versions:
                raise BadInput(f"package {name} has no versions")
            defaults = {key: item for key, item in data.items() if key not in {"name", "versions"}}
            found.extend(Release.parse(item, name, defaults) for item in versions)
        paths = [release.archive_path for release in found]
        if len(set(paths)) != len(paths):
            raise BadInput("two releases have the same archive address")
        return cls(tuple(found))

    def by_archive_path(self, path: str) -> Release | None:
        """The release whose archive has this path."""
        return next((release for release in self.releases if release.archive_path == path), None)
