# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: reads requests, passes them to the parts, sends and logs the answers."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from aiohttp import web

from .authority import self_signed_context, server_context
from .control import PREFIX, Control
from .delivery import Sent, deliver, in_front
from .downloads import Downloads
from .exchange import Part, Request
from .faults import INSTEAD
from .journal import Entry, Journal
from .marketplace import Marketplace
from .problems import BadInput
from .repository import Repository
from .start_data import read_start_data
from .world import World, write_private

# Asked in this order; Repository owns all remaining requests, so it must be last.
PARTS: tuple[Part, ...] = (Downloads(), Marketplace(), Repository())


@dataclass(frozen=True)
class Settings:
    """How to serve. ``listen``: ``host:port`` (port 0: a free port); ``self_signed``: an additional address, with a
    self-signed certificate; ``parent_pid``: exit when that process ends."""

    state: Path
    listen: str = "127.0.0.1:0"
    self_signed: str | None = None
    names: Sequence[str] = ()
    data: Path | None = None
    parent_pid: int | None = None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``; BadInput otherwise."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise BadInput(f"{address} is not an address of the form host:port")
    return host.strip("[]"), int(port)


class Server:
    """One running simulator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.state.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(settings.state)
        start = read_start_data(settings.data)
        known = tuple(switch for part in PARTS for switch in part.switches)
        self._world = World(settings.state, start, known)
        self._journal = Journal(settings.state / "requests.jsonl")
        self._control = Control(self._world, self._journal, self._control_token())
        self._stop = asyncio.Event()

    def _control_token(self) -> str:
        path = self._settings.state / "control-token"
        if not path.exists():
            write_private(path, secrets.token_hex(20) + "\n")
        return path.read_text().strip()

    async def run(self) -> None:
        """Serves until SIGTERM, SIGINT or the end of the parent process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        web_server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        state, listeners = self._settings.state, []
        # The main address last, because its file means that the server is ready.
        endpoints = [("address", self._settings.listen, server_context(state, self._settings.names))]
        if self._settings.self_signed is not None:
            endpoints.insert(0, ("self-signed-address", self._settings.self_signed, self_signed_context()))
        (state / "self-signed-address").unlink(missing_ok=True)
        try:
            for file, address, context in endpoints:
                host, port = split_address(address)
                listener = await loop.create_server(web_server, host, port, ssl=context, backlog=512)
                listeners.append(listener)
                write_private(state / file, _format_address(listener.sockets[0].getsockname()))
                (state / file).chmod(0o644)
            await self._until_stopped()
        finally:
            for file, _address, _context in endpoints:
                (state / file).unlink(missing_ok=True)
            for listener in listeners:
                listener.close()
            await web_server.shutdown(0.2)
            self._world.save()
            self._journal.close()

    async def _until_stopped(self) -> None:
        parent = self._settings.parent_pid
        own = parent is not None and os.getppid() == parent
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), 0.3)
            except TimeoutError:
                self._world.save_if_changed()
            if parent is not None and (os.getppid() != parent if own else not _alive(parent)):
                self._stop.set()

    async def _handle(self, web_request: web.BaseRequest) -> web.StreamResponse:
        raw_path, _mark, query = web_request.raw_path.partition("?")
        request = Request(web_request.method, web_request.headers.get("Host", ""), raw_path, query, web_request.headers)
        request = replace(request, body=await web_request.read())
        if request.path.startswith(PREFIX):
            return await deliver(web_request, self._control.answer(request), None, Sent())
        return await self._answer(web_request, request)

    async def _answer(self, web_request: web.BaseRequest, request: Request) -> web.StreamResponse:
        world, began, sent = self._world, time.monotonic(), Sent()
        part = next(part for part in PARTS if part.owns(request))
        described = part.describe(request, world)
        user = (request.basic[0] if request.basic else described.user) or ""
        fault = world.faults.take(path=request.path, host=request.host, method=request.method, user=user)
        world.count("requests")
        try:
            if fault is not None and fault.kind in INSTEAD:
                answer = in_front(fault, request, world.switches.word("other_host"))
            else:
                answer = part.answer(request, world)
            return await deliver(web_request, answer, fault, sent)
        finally:
            # Logged even if the client has disconnected and the request was cancelled.
            entry = Entry(
                method=request.method,
                host=request.host,
                path=request.raw_path,
                query=request.query,
                user=described.user,
                authorization=request.scheme is not None,
                scheme=request.scheme,
                range=request.headers.get("Range"),
                user_agent=request.headers.get("User-Agent"),
                part=part.name,
                status=sent.status,
                sent=sent.body,
                fault=fault.id if fault else None,
                seconds=round(time.monotonic() - began, 3),
                complete=sent.complete,
                operation=described.operation,
                items=described.items,
                labels=described.labels,
            )
            self._journal.write(entry, world.secrets())


def _format_address(bound: tuple[Any, ...]) -> str:
    return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"


def _lock(directory: Path) -> IO[str]:
    """Locks the directory for this process; BadInput if another simulator uses it."""
    handle = (directory / "lock").open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(f"another simulator is using the state directory {directory}") from None
    return handle


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def serve(settings: Settings) -> None:
    """Serves in the foreground; BadInput for invalid settings or data, OSError if it cannot listen."""

    async def main() -> None:
        await Server(settings).run()

    # asyncio would report every lost connection, including those that a fault resets.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    asyncio.run(main())
