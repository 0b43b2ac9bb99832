# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Byte ranges of a file: 200, 206 and 416 according to RFC 9110, one range at a time."""

from __future__ import annotations

import re

from .exchange import Answer, Request, Stream

_RANGE = re.compile(r"bytes\s*=\s*(\d*)-(\d*)\s*", re.IGNORECASE)
LAST_MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"


def wanted(header: str, size: int) -> tuple[int, int] | None:
    """Start and exclusive end of the range; None if the header is to be ignored, ValueError if it is unsatisfiable."""
    match = _RANGE.fullmatch(header)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= stop:
        raise ValueError("outside the file")
    return start, stop


def answer_file(
    request: Request, body: Stream, *, content_type: str, entity_tag: str, ranges: bool, tags: bool
) -> Answer:
    """The file or the requested range. ``ranges``: ranges are supported; ``tags``: send ETag and Last-Modified."""
    headers: tuple[tuple[str, str], ...] = (("ETag", entity_tag), ("Last-Modified", LAST_MODIFIED)) if tags else ()
    whole = Answer(200, body, content_type, headers)
    if not ranges:
        return whole
    headers += (("Accept-Ranges", "bytes"),)
    whole = Answer(200, body, content_type, headers)
    header, condition = request.headers.get("Range"), request.headers.get("If-Range")
    if header is None or request.method != "GET":
        return whole
    if condition is not None and not (tags and condition in {entity_tag, LAST_MODIFIED}):
        return whole
    try:
        found = wanted(header, len(body))
    except ValueError:
        return Answer(416, b"", "text/plain", (*headers, ("Content-Range", f"bytes */{len(body)}")))
    if found is None:
        return whole
    start, stop = found
    part = Stream(body.pieces, start, stop)
    return Answer(206, part, content_type, (*headers, ("Content-Range", f"bytes {start}-{stop - 1}/{len(body)}")))
