# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes in and out of a part of the simulator: a request that was read, and an answer not yet sent."""

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
class Asked:
    """A request. ``path`` is decoded; ``raw_path`` and ``query`` are as they were sent, without the ``folder`` below
    which a repository is served."""

    method: str
    host: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    folder: str = ""

    @property
    def path(self) -> str:
        """The path with percent escapes resolved: ``$`` and ``%24`` are the same."""
        return unquote(self.raw_path)

    @property
    def base(self) -> str:
        """The address under which the client reached us, without a slash at the end."""
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
        """User name and password of HTTP Basic; None when absent or unreadable."""
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
    """A body that is made while it is sent: ``make(start, stop)`` gives those bytes of a file, in pieces."""

    make: Callable[[int, int], Iterator[bytes]]
    start: int
    stop: int

    @classmethod
    def of(cls, body: bytes) -> Stream:
        """Bytes that are there already."""

        def make(start: int, stop: int) -> Iterator[bytes]:
            return (body[place : min(place + PIECE, stop)] for place in range(start, stop, PIECE))

        return cls(make, 0, len(body))

    def __len__(self) -> int:
        return self.stop - self.start

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes from ``first`` to before ``last``, counted from the start of this body."""
        return self.make(self.start + first, self.start + last)


@dataclass(frozen=True)
class Answer:
    """An answer before any fault. ``body`` is not yet encoded; ``gzip`` asks for it. ``chunked``: without a length."""

    status: int
    body: bytes | Stream = b""
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = field(default=())
    gzip: bool = False
    chunked: bool = False


@dataclass(frozen=True)
class Described:
    """What the log tells of a request besides its address; nothing of it is secret.

    ``user`` is None without one, ``(unknown)`` when nobody has that name: it might be a secret in the wrong place.
    """

    user: str | None = None
    operation: str | None = None
    items: int | None = None
    labels: tuple[str, ...] | None = None


def json_answer(status: int, content: object, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """JSON without a charset: Composer prints a ``warning`` only then."""
    return Answer(status, json.dumps(content).encode(), "application/json", headers)


def page_answer(status: int, title: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A small HTML page, as edges and web servers send it."""
    page = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(status, page.encode(), "text/html; charset=UTF-8", headers)


class Part(Protocol):
    """One of the hosts that the simulator plays. Parts are asked in order; the first that owns a request answers it."""

    name: str
    switches: tuple[Switch, ...]

    def owns(self, asked: Asked) -> bool:
        """Whether the request is meant for this part."""

    def describe(self, asked: Asked, world: World) -> Described:
        """What the log may tell of the request, whether it is carried out or not."""

    def answer(self, asked: Asked, world: World) -> Answer:
        """Carries the request out."""


def shown_user(asked: Asked, world: World) -> str | None:
    """The user name of HTTP Basic as the log may show it."""
    user = asked.basic[0] if asked.basic else None
    return user if user is None or world.known_user(user) else UNKNOWN_USER
