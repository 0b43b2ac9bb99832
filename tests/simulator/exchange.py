# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers of the parts of the simulator."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from .switches import Switch

if TYPE_CHECKING:
    from .world import World

PIECE = 65536
UNKNOWN_USER = "(unknown)"


@dataclass(frozen=True)
class Request:
    """A request. ``path`` is decoded; ``raw_path`` and ``query`` are as sent, without the ``folder`` below which a
    repository is served."""

    method: str
    host: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    folder: str = ""

    @property
    def path(self) -> str:
        """The path with percent escapes decoded: ``$`` and ``%24`` are the same."""
        return unquote(self.raw_path)

    @property
    def base(self) -> str:
        """The base URL that the client used, without a trailing slash."""
        return f"https://{self.host}{self.folder}"

    @property
    def scheme(self) -> str | None:
        """``Basic``, ``Bearer`` or ``other``; None without an Authorization header."""
        value = self.headers.get("Authorization")
        if value is None:
            return None
        word = value.split(" ", 1)[0].lower()
        return {"basic": "Basic", "bearer": "Bearer"}.get(word, "other")

    @property
    def basic(self) -> tuple[str, str] | None:
        """User name and password of HTTP Basic; None if missing or malformed."""
        if self.scheme != "Basic":
            return None
        try:
            decoded = base64.b64decode(self.headers["Authorization"].split(" ", 1)[1], validate=True).decode("utf-8")
        except (IndexError, binascii.Error, UnicodeDecodeError):
            return None
        user, colon, password = decoded.partition(":")
        return (user, password) if colon else None

    def accepts_gzip(self) -> bool:
        """Whether the client asked for gzip."""
        return "gzip" in self.headers.get("Accept-Encoding", "").lower()


@dataclass(frozen=True)
class Stream:
    """A body that is generated while it is sent: ``make(start, stop)`` yields those bytes of a file, in pieces."""

    make: Callable[[int, int], Iterator[bytes]]
    start: int
    stop: int

    @classmethod
    def of(cls, body: bytes) -> Stream:
        """A stream of existing bytes."""

        def make(start: int, stop: int) -> Iterator[bytes]:
            return (body[first : min(first + PIECE, stop)] for first in range(start, stop, PIECE))

        return cls(make, 0, len(body))

    def __len__(self) -> int:
        return self.stop - self.start

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes from ``first`` up to but not including ``last``, relative to the start of this body."""
        return self.make(self.start + first, self.start + last)


@dataclass(frozen=True)
class Answer:
    """An answer before any fault. ``gzip``: ``body`` is compressed when sent. ``chunked``: without a length."""

    status: int
    body: bytes | Stream = b""
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = field(default=())
    gzip: bool = False
    chunked: bool = False


@dataclass(frozen=True)
class Described:
    """What the log says about a request besides its address, without secrets.

    ``user`` is None if missing and ``(unknown)`` if unknown, because it might be a secret in the wrong place.
    """

    user: str | None = None
    operation: str | None = None
    items: int | None = None
    labels: tuple[str, ...] | None = None


def json_answer(status: int, content: object, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A JSON answer without a charset, because Composer prints a ``warning`` only then."""
    return Answer(status, json.dumps(content).encode(), "application/json", headers)


def page_answer(status: int, title: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A small HTML page, like those of proxies and web servers."""
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(status, page.encode(), "text/html; charset=UTF-8", headers)


class Part(Protocol):
    """One of the simulated hosts. The first part, in order, that owns a request answers it."""

    name: str
    switches: tuple[Switch, ...]

    def owns(self, request: Request) -> bool:
        """Whether the request is meant for this part."""

    def describe(self, request: Request, world: World) -> Described:
        """What the log may say about the request, whether it is carried out or not."""

    def answer(self, request: Request, world: World) -> Answer:
        """Carries out the request."""


def logged_user(request: Request, world: World) -> str | None:
    """The user name of HTTP Basic in the form that the log may contain."""
    user = request.basic[0] if request.basic else None
    return user if user is None or world.known_user(user) else UNKNOWN_USER
