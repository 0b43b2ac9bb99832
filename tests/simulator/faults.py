# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on command: which requests they apply to, how often, and what they do."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import fields
from .problems import BadInput

KINDS = {
    "latency": "answer normally, `latency` seconds later",
    "status": "answer with `status`, `body` and `headers` instead",
    "not_json": "answer 200 with an HTML page instead",
    "redirect": "answer with `status` (302) and `location`; `other_host` (default): another name of this server",
    "stall": "send nothing for `seconds` before the headers, or after `after_bytes` of the body, then continue",
    "reset": "carry out the request, then reset the connection before the headers, or after `after_bytes` of the body",
    "truncate": "carry out the request, announce the full length, close after `after_bytes`; `chunked`: no length",
    "wrong_hash": "answer with one byte added to the body, so that the announced hash is wrong",
    "corrupt": "answer with one byte of the body changed: the one after `after_bytes`, or the middle one",
}
# These answer instead of the server, so the request is not carried out; with all other kinds it is.
INSTEAD = frozenset({"status", "not_json", "redirect"})
FIELDS = {
    "kind": "one of the kinds",
    "path": "shell pattern for the decoded path; default: any, as for host, method and user",
    "host": "shell pattern for the Host header, including the port",
    "method": "shell pattern for the method",
    "user": "shell pattern for the user name sent (public key, MAGEID, application ID; a session's application ID)",
    "skip": "number of matching requests to skip first",
    "count": "number of requests that are affected after that; default: all",
    "latency": "seconds before anything is sent; possible with every kind",
    "status": "status code (status: default 500, redirect: default 302)",
    "body": "text of the body (status)",
    "headers": "object of headers, such as Retry-After or Content-Type (status, not_json, redirect)",
    "location": "target: an address, a path, or other_host (redirect)",
    "seconds": "duration of the stall; default: one hour (stall)",
    "after_bytes": "bytes of the body sent before the fault (stall, reset, truncate, corrupt)",
    "chunked": "true: no length is announced, the last chunk is missing (truncate)",
}


@dataclass(frozen=True)
class Fault:
    """A fault. It applies to requests that match ``path``, ``host``, ``method`` and ``user`` (shell patterns).

    The first ``skip`` matching requests are not affected, the next ``count`` are (None: all of them).
    Durations are seconds. ``matched`` counts the matching requests so far.
    """

    id: int
    kind: str
    path: str = "*"
    host: str = "*"
    method: str = "*"
    user: str = "*"
    count: int | None = None
    skip: int = 0
    latency: float = 0.0
    status: int = 0
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    location: str = "other_host"
    seconds: float = 3600.0
    after_bytes: int | None = None
    chunked: bool = False
    matched: int = 0

    @classmethod
    def parse(cls, value: object, number: int) -> Fault:
        """Reads a fault from JSON; raises BadInput for unknown kinds and fields, to catch typing errors."""
        data = fields.mapping(value, "fault")
        kind = fields.text(data, "kind", "fault")
        if kind not in KINDS:
            raise BadInput(f"no fault is of kind {kind}; the kinds are: {', '.join(KINDS)}")
        where = f"fault {kind}"
        fields.only(data, set(FIELDS), where)
        status = fields.whole(data, "status", where, {"status": 500, "redirect": 302}.get(kind, 0)) or 0
        if kind in {"status", "redirect"} and not 200 <= status <= 599:
            raise BadInput(f"{where}: status must be from 200 to 599")
        return cls(
            id=number,
            kind=kind,
            path=fields.text(data, "path", where, "*"),
            host=fields.text(data, "host", where, "*"),
            method=fields.text(data, "method", where, "*").upper(),
            user=fields.text(data, "user", where, "*"),
            count=fields.whole(data, "count", where, None),
            skip=fields.whole(data, "skip", where, 0) or 0,
            latency=fields.seconds(data, "latency", where, 1.0 if kind == "latency" else 0.0),
            status=status,
            body=fields.text(data, "body", where, ""),
            headers=tuple(fields.string_map(data, "headers", where).items()),
            location=fields.text(data, "location", where, "other_host"),
            seconds=fields.seconds(data, "seconds", where, 3600.0),
            after_bytes=fields.whole(data, "after_bytes", where, None),
            chunked=fields.flag(data, "chunked", where, False),
        )

    @property
    def hits(self) -> int:
        """The number of requests that it has affected."""
        reached = max(0, self.matched - self.skip)
        return reached if self.count is None else min(reached, self.count)

    def matches(self, *, path: str, host: str, method: str, user: str) -> bool:
        """Whether the request matches, even if the fault is used up."""
        return (
            fnmatch.fnmatchcase(path, self.path)
            and fnmatch.fnmatchcase(host.lower(), self.host.lower())
            and fnmatch.fnmatchcase(method, self.method)
            and fnmatch.fnmatchcase(user, self.user)
        )

    def as_json(self) -> dict[str, Any]:
        """All fields with their values, and ``id``, ``matched`` and ``hits``."""
        content = {name: getattr(self, name) for name in sorted(FIELDS)}
        content["headers"] = dict(self.headers)
        return {"id": self.id, **content, "matched": self.matched, "hits": self.hits}


class Faults:
    """The active faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._next = 1

    def add(self, value: object) -> Fault:
        """Adds a fault; its ``id`` is never used again."""
        fault = Fault.parse(value, self._next)
        self._next += 1
        self._faults.append(fault)
        return fault

    def remove(self, number: int) -> None:
        """Removes a fault; BadInput for an unknown id."""
        if all(fault.id != number for fault in self._faults):
            raise BadInput(f"there is no fault {number}")
        self._faults = [fault for fault in self._faults if fault.id != number]

    def clear(self) -> None:
        """Removes all."""
        self._faults = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults))

    def take(self, *, path: str, host: str, method: str, user: str) -> Fault | None:
        """The first fault that affects this request; counts the request for every matching fault up to that one."""
        for index, fault in enumerate(self._faults):
            if not fault.matches(path=path, host=host, method=method, user=user):
                continue
            counted = replace(fault, matched=fault.matched + 1)
            self._faults[index] = counted
            if counted.hits > fault.hits:
                return counted
        return None

    def as_json(self) -> dict[str, Any]:
        """The form in which the faults are saved."""
        return {"next": self._next, "faults": [fault.as_json() for fault in self._faults]}

    def load(self, value: Mapping[str, Any]) -> None:
        """Restores the result of ``as_json``."""
        self._faults = []
        for item in value.get("faults", []):
            known = {name: content for name, content in item.items() if name in FIELDS}
            self._faults.append(replace(Fault.parse(known, item["id"]), matched=item["matched"]))
        self._next = value.get("next", 1)
