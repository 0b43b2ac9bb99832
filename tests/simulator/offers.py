# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release files that can be downloaded: their entries in the feed, and their bytes."""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import fields
from .exchange import PIECE, Stream
from .problems import BadInput

CATEGORIES = {
    "ce-full": "Community Edition - Full",
    "ee-full": "Enterprise Edition - Full",
    "ce-patch": "Community Edition - Patch",
    "ee-patch": "Enterprise Edition - Patch",
    "other": "Other",
}


@dataclass(frozen=True)
class Offer:
    """A file. ``plain``: its category is a list in the feed, not an object of versions. ``size`` (of zip files and
    plain text): the exact number of bytes, 0 for the minimum. ``has_md5``: the feed contains its MD5 sum."""

    file_name: str
    category: str
    name: str
    versions: tuple[str, ...] = ()
    plain: bool = False
    size: int = 0
    has_md5: bool = True

    @classmethod
    def parse(cls, value: object) -> Offer:
        """Reads a file from JSON."""
        data = fields.mapping(value, "download")
        file_name = fields.text(data, "file_name", "download")
        where = f"download {file_name}"
        fields.only(data, {"file_name", "category", "name", "versions", "plain", "size", "md5"}, where)
        offer = cls(
            file_name=file_name,
            category=fields.text(data, "category", where, "other"),
            name=fields.text(data, "name", where, file_name),
            versions=fields.texts(data, "versions", where),
            plain=fields.flag(data, "plain", where, data.get("category", "other") == "other"),
            size=fields.whole(data, "size", where, 0) or 0,
            has_md5=fields.flag(data, "md5", where, True),
        )
        if "/" in file_name or any(blank in file_name for blank in " \t\n"):
            raise BadInput(f"{where}: a file name must not contain a slash or a blank")
        if any("  " in cell for cell in (offer.name, offer.category, *offer.versions)):
            raise BadInput(
                f"{where}: name, category and versions must not contain two blanks in a row, which separate columns"
            )
        if not offer.plain and not offer.versions:
            raise BadInput(f"{where}: versions must not be empty unless plain is true")
        if offer.size and offer.is_tar:
            raise BadInput(f"{where}: size is supported only for zip files and plain text")
        if 0 < offer.size < len(_bare(offer)):
            raise BadInput(f"{where}: size must be at least {len(_bare(offer))} bytes")
        return offer

    @property
    def is_tar(self) -> bool:
        """Whether the file is a compressed tar archive."""
        return self.file_name.endswith((".tar.gz", ".tgz", ".tar.bz2"))

    @property
    def is_zip(self) -> bool:
        """Whether the file is a zip archive."""
        return self.file_name.endswith(".zip")

    @property
    def content_type(self) -> str:
        """The usual content type of such a file."""
        types = {
            "zip": "application/zip",
            "gz": "application/gzip",
            "tgz": "application/gzip",
            "bz2": "application/x-bzip2",
        }
        return types.get(self.file_name.rpartition(".")[2], "application/x-sh")

    @property
    def enterprise(self) -> bool:
        """Whether only accounts that are entitled to the commercial edition see the file."""
        return self.category.startswith("ee-")

    @property
    def entity_tag(self) -> str:
        """The ETag, derived from the fields, which determine the bytes."""
        return f'"{hashlib.sha256(repr(self).encode()).hexdigest()[:16]}"'

    def body(self) -> Stream:
        """The whole file."""
        return _body(self)

    def digests(self) -> dict[str, str]:
        """``md5`` and ``sha256`` of the file."""
        return dict(_digests(self))


def parse_offers(values: Iterable[object]) -> tuple[Offer, ...]:
    """Reads files from JSON; BadInput for a duplicate file name, or a category that is plain for some files only."""
    offers = tuple(Offer.parse(value) for value in values)
    names = [offer.file_name for offer in offers]
    if len(set(names)) != len(names):
        raise BadInput("two downloads have the same file name")
    for offer in offers:
        if any(other.category == offer.category and other.plain != offer.plain for other in offers):
            raise BadInput(f"category {offer.category} must be plain for all of its files or for none")
    return offers


@functools.lru_cache(maxsize=256)
def _digests(offer: Offer) -> tuple[tuple[str, str], ...]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    body = offer.body()
    for piece in body.pieces(0, len(body)):
        md5.update(piece)
        sha256.update(piece)
    return ("md5", md5.hexdigest()), ("sha256", sha256.hexdigest())


@functools.lru_cache(maxsize=256)
def _body(offer: Offer) -> Stream:
    bare = _bare(offer)
    if offer.size <= len(bare):
        return Stream.of(bare)
    padding = offer.size - len(bare)
    if not offer.is_zip:
        return _joined(bare, _made_up(offer.file_name, padding), b"")
    head, tail = _zip_frame(f"{_folder(offer)}/padding.bin", _made_up(offer.file_name, padding))
    return _joined(head, _made_up(offer.file_name, padding), tail)


def _folder(offer: Offer) -> str:
    return offer.file_name.split(".zip")[0].split(".tar")[0]


@functools.lru_cache(maxsize=256)
def _bare(offer: Offer) -> bytes:
    """The file without padding; for a padded zip, only the length is used."""
    note = f"{offer.name}: nothing of Magento is in here.\n".encode()
    if offer.is_tar:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            entry = tarfile.TarInfo(f"{_folder(offer)}/README.txt")
            entry.size = len(note)
            archive.addfile(entry, io.BytesIO(note))
        content = buffer.getvalue()
        return bz2.compress(content) if offer.file_name.endswith(".bz2") else gzip.compress(content, mtime=0)
    if offer.is_zip and offer.size:
        return b"".join(_zip_frame(f"{_folder(offer)}/padding.bin", Stream.of(b"")))
    if offer.is_zip:
        head, tail = _zip_frame(f"{_folder(offer)}/README.txt", Stream.of(note))
        return head + note + tail
    return b"#!/bin/sh\n# " + note + b"exit 0\n"


def _zip_frame(name: str, content: Stream) -> tuple[bytes, bytes]:
    """The bytes before and after the content in a zip archive that stores it, uncompressed, under this name."""
    check = 0
    for piece in content.pieces(0, len(content)):
        check = zlib.crc32(piece, check)
    entry = name.encode()
    # Version 2.0, no flags, stored, 1980-01-01 00:00: the same bytes on every machine.
    common = struct.pack("<HHHHHLLLHH", 20, 0, 0, 0, 0x21, check, len(content), len(content), len(entry), 0)
    head = b"PK\3\4" + common + entry
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHLL", 0, 0, 0, 0, 0) + entry
    end = struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), len(head) + len(content), 0)
    return head, central + b"PK\5\6" + end


def _made_up(seed: str, size: int) -> Stream:
    """Incompressible bytes, generated as numbered blocks so that they are never in memory as a whole."""
    block = hashlib.shake_256(seed.encode()).digest(PIECE - 8)

    def make(start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            number, offset = divmod(start, PIECE)
            piece = (number.to_bytes(8, "big") + block)[offset : offset + stop - start]
            yield piece
            start += len(piece)

    return Stream(make, 0, size)


def _joined(head: bytes, middle: Stream, tail: bytes) -> Stream:
    parts = (Stream.of(head), middle, Stream.of(tail))

    def make(start: int, stop: int) -> Iterator[bytes]:
        begin = 0
        for part in parts:
            first, last = max(start - begin, 0), min(stop - begin, len(part))
            if first < last:
                yield from part.pieces(first, last)
            begin += len(part)

    return Stream(make, 0, sum(map(len, parts)))
