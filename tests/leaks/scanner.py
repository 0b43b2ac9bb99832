# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches bytes, files and directories for every form of given secrets, also in archives."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from .forms import Form, Secret, forms
from .report import Finding, NotSearched, Report

LARGEST = 256 * 1024 * 1024
"""Maximum bytes of one piece, packed or not. A larger piece is an error, because it must not be skipped silently."""
DEEPEST = 5
_GZIP, _BZIP, _XZ = b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00"
_PACKED = (_GZIP, _BZIP, _XZ)
# The same signatures in base64.
_PACKED_BASE64 = re.compile(rb"(?:H4sI|UEsDB|Qlpo|/Td6WFo)[A-Za-z0-9+/\r\n]{40,}={0,2}")
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)


class Scanner:
    """Searches for ``secrets``. All methods return a `Report` and raise `NotSearched` for unreadable data."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self.secrets = tuple(secrets)
        if not self.secrets:
            raise NotSearched("there is no secret to search for")
        found = {form.text: form for secret in self.secrets for form in forms(secret)}
        self._needles = [(needle, offset, form) for form in found.values() for offset, needle in form.needles()]

    def data(self, data: bytes, channel: str, where: str = "") -> Report:
        """Searches bytes from ``channel``."""
        report = Report()
        report.add_piece(channel, len(data))
        for inner, content in _unpacked(data, where or channel, 0):
            hits = list(self._hits(content))
            found = {form for form, _offset in hits}
            for form, offset in hits:
                report.findings.append(Finding(form.secret, form.kind, channel, inner, offset))
            if b"\n" in content:
                # Search again without line breaks, which base64 may contain anywhere.
                for form, offset in self._hits(re.sub(rb"\r?\n", b"", content)):
                    if form not in found:
                        report.findings.append(
                            Finding(form.secret, form.kind, channel, f"{inner}, lines joined", offset)
                        )
        return report

    def paths(self, paths: Iterable[Path], channel: str, *, without: Iterable[Path] = ()) -> Report:
        """Searches files, and everything below directories: contents, names and the targets of links.

        ``without`` are files and directories to exclude, because they contain the secrets on purpose. A missing path
        raises `NotSearched`.
        """
        report = Report()
        excluded = {os.path.abspath(path) for path in without}
        for top in paths:
            if not os.path.lexists(top):
                raise NotSearched(f"{top} does not exist")
            for path in _below(os.path.abspath(top), excluded):
                name = os.path.basename(path)
                where = path if not any(self._hits(os.fsencode(path))) else f"a file below {top}"
                kind = os.lstat(path).st_mode
                try:
                    if stat.S_ISLNK(kind):
                        report.merge(self.data(os.fsencode(os.readlink(path)), channel, f"{where} (target)"))
                    elif stat.S_ISREG(kind):
                        report.merge(self.data(_read(path), channel, where))
                except FileNotFoundError:
                    # The file was removed in the meantime; its name is still searched.
                    pass
                except OSError as error:
                    raise NotSearched(f"{where}: {error.strerror}") from error
                for form, offset in self._hits(os.fsencode(name)):
                    report.findings.append(Finding(form.secret, form.kind, channel, f"{where} (name)", offset))
        return report

    def _hits(self, data: bytes) -> Iterator[tuple[Form, int]]:
        """Each form with each offset, found by a piece and then extended in both directions."""
        seen: set[tuple[bytes, int]] = set()
        for needle, offset, form in self._needles:
            at = data.find(needle)
            while at >= 0:
                begin, end = at, at + len(needle)
                left, right = offset, offset + len(needle)
                while left > 0 and begin > 0 and data[begin - 1] == form.text[left - 1]:
                    begin, left = begin - 1, left - 1
                while right < len(form.text) and end < len(data) and data[end] == form.text[right]:
                    end, right = end + 1, right + 1
                if end - begin >= form.least and (form.text, begin) not in seen:
                    seen.add((form.text, begin))
                    yield form, begin
                at = data.find(needle, at + 1)


def _below(top: str, excluded: set[str]) -> Iterator[str]:
    if top in excluded:
        return
    yield top
    if os.path.isdir(top) and not os.path.islink(top):
        try:
            names = sorted(os.listdir(top))
        except FileNotFoundError:
            return
        except OSError as error:
            raise NotSearched(f"{top}: {error.strerror}") from error
        for name in names:
            yield from _below(os.path.join(top, name), excluded)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise NotSearched(f"{path} has more than {LARGEST} bytes")
    return data


def _unpacked(data: bytes, where: str, depth: int) -> Iterator[tuple[str, bytes]]:
    """The bytes themselves, then the contents of archives in them, recursively."""
    yield where, data
    if depth == DEEPEST:
        raise NotSearched(f"{where} is packed more than {DEEPEST} times")
    for inner, content in (*_members(data, where), *_base64_packed(data, where)):
        yield from _unpacked(content, inner, depth + 1)


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """The members of an archive. Of a damaged archive, only the readable part is unpacked, as others get no more."""
    # A zip file may have a prefix, such as the first line of a script.
    zipped = zipfile.is_zipfile(io.BytesIO(data))
    if not zipped and not data.startswith(_PACKED):
        return
    try:
        if zipped:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist():
                    yield f"{where}!name", member.filename.encode()
                    with archive.open(member) as plain:
                        yield f"{where}!{member.filename}", _limited(plain.read(LARGEST + 1), where)
            return
        opener = gzip.open if data.startswith(_GZIP) else bz2.open if data.startswith(_BZIP) else lzma.open
        content = bytearray()
        with opener(io.BytesIO(data)) as unpacked:
            try:
                while piece := unpacked.read(1 << 16):
                    content += piece
                    _limited(content, where)
            finally:
                # The beginning of a truncated file can be read.
                yield f"{where}!content", bytes(content)
    except _BROKEN:
        return


def _limited(content: bytes | bytearray, where: str) -> bytes:
    if len(content) > LARGEST:
        raise NotSearched(f"{where} unpacks to more than {LARGEST} bytes")
    return bytes(content)


def _base64_packed(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """Archives in base64, as Ansible sends modules."""
    for match in _PACKED_BASE64.finditer(data):
        text = re.sub(rb"[\r\n=]", b"", match[0])
        if len(text) % 4 == 1:
            text = text[:-1]
        try:
            yield f"{where}!base64 at byte {match.start()}", base64.b64decode(text + b"=" * (-len(text) % 4))
        except ValueError:
            continue
