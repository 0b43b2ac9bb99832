# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends an answer, in full or changed by a fault."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aiohttp import web

from .exchange import PIECE, Answer, Request, Stream, page_answer
from .faults import Fault
from .repository import other_host


@dataclass
class Sent:
    """What was sent so far: the status (None before the headers), bytes of the body, and whether it is complete."""

    status: int | None = None
    body: int = 0
    complete: bool = False


def in_front(fault: Fault, request: Request, configured_host: str) -> Answer:
    """The answer of a fault that replaces the server's answer (see ``faults.INSTEAD``)."""
    if fault.kind == "not_json":
        return replace(page_answer(200, "Welcome"), headers=fault.headers)
    if fault.kind == "redirect":
        target = fault.location
        if target == "other_host":
            target = f"https://{other_host(request, configured_host)}{request.raw_path}"
            target += f"?{request.query}" if request.query else ""
        return page_answer(fault.status, "Redirect", headers=(*fault.headers, ("Location", target)))
    headers = {name.lower(): value for name, value in fault.headers}
    content_type = headers.pop("content-type", None) or ("application/json" if _is_json(fault.body) else "text/html")
    return Answer(fault.status, fault.body.encode(), content_type, tuple(headers.items()))


def _is_json(body: str) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


async def deliver(request: web.BaseRequest, answer: Answer, fault: Fault | None, sent: Sent) -> web.StreamResponse:
    """Sends the answer and records it in ``sent``, even if the client disconnects in the middle."""
    kind = fault.kind if fault else ""
    if fault and fault.latency:
        await asyncio.sleep(fault.latency)
    body = answer.body if isinstance(answer.body, Stream) else Stream.of(answer.body)
    if fault and kind in {"wrong_hash", "corrupt"}:
        body = _damaged(body, fault)
    if answer.gzip:
        body = Stream.of(gzip.compress(b"".join(body.pieces(0, len(body))), mtime=0))
    if fault and kind == "stall" and fault.after_bytes is None:
        await asyncio.sleep(fault.seconds)
    if fault and kind == "reset" and fault.after_bytes is None:
        return _reset(request)

    small = kind not in {"stall", "reset", "truncate"} and not answer.chunked and len(body) <= PIECE
    if small and request.method != "HEAD" and answer.status not in {204, 304}:
        return await _at_once(request, answer, b"".join(body.pieces(0, len(body))), sent)
    response = web.StreamResponse(status=answer.status)
    _put_headers(response, answer)
    if answer.chunked or (fault and kind == "truncate" and fault.chunked):
        response.enable_chunked_encoding()
    else:
        response.content_length = len(body)
    await response.prepare(request)
    sent.status = answer.status
    if request.method == "HEAD" or answer.status in {204, 304}:
        sent.complete = True
        return response

    if fault and kind in {"stall", "reset", "truncate"}:
        first = min(len(body) // 2 if fault.after_bytes is None else fault.after_bytes, len(body))
        await _write(response, body.pieces(0, first), sent)
        if kind == "truncate":
            _close(request)
            return response
        if kind == "reset":
            return _reset(request, response)
        await asyncio.sleep(fault.seconds)
        await _write(response, body.pieces(first, len(body)), sent)
    else:
        await _write(response, body.pieces(0, len(body)), sent)
    sent.complete = True
    return response


def _put_headers(response: web.StreamResponse, answer: Answer) -> None:
    for name, value in answer.headers:
        response.headers.add(name, value)
    if answer.status != 204:
        response.headers["Content-Type"] = answer.content_type
    if answer.gzip:
        response.headers["Content-Encoding"] = "gzip"


async def _at_once(request: web.BaseRequest, answer: Answer, body: bytes, sent: Sent) -> web.StreamResponse:
    """Sends headers and body together, because most answers are small and sending dominates their cost."""
    response = web.Response(status=answer.status, body=body)
    _put_headers(response, answer)
    await response.prepare(request)
    sent.status, sent.body = answer.status, len(body)
    await response.write_eof()
    sent.complete = True
    return response


async def _write(response: web.StreamResponse, pieces: Iterator[bytes], sent: Sent) -> None:
    # Piece by piece, so that the count is nearly exact if the client disconnects.
    for piece in pieces:
        await response.write(piece)
        sent.body += len(piece)


def _damaged(body: Stream, fault: Fault) -> Stream:
    """The body with one byte changed (corrupt) or one more (wrong_hash)."""
    target = -1
    if fault.kind == "corrupt":
        target = len(body) // 2 if fault.after_bytes is None else fault.after_bytes

    def make(start: int, stop: int) -> Iterator[bytes]:
        position = start
        for piece in body.pieces(start, min(stop, len(body))):
            index = target - position
            position += len(piece)
            yield piece if target < 0 or not 0 <= index < len(piece) else _changed(piece, index)
        if stop > len(body):
            # White space keeps the JSON valid, so that only the hash shows the damage.
            yield b"\n"

    return Stream(make, 0, len(body) + (fault.kind == "wrong_hash"))


def _changed(piece: bytes, index: int) -> bytes:
    return piece[:index] + bytes([piece[index] ^ 1]) + piece[index + 1 :]


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


def _reset(request: web.BaseRequest, response: web.StreamResponse | None = None) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        handle = transport.get_extra_info("socket")
        # With a linger time of zero seconds, closing sends RST instead of FIN.
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return response or web.StreamResponse()
