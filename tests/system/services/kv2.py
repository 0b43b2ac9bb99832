# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulates HashiCorp Vault: one secret of a KV version 2 engine that requires check-and-set."""

from __future__ import annotations

from typing import Any

from .serving import Answer, Refused, Request, Service

WHERE = "/v1/secret/data/magento/web"


class KV2(Service):
    """``versions`` contains each written version, None for a deleted one."""

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self.versions: list[dict[str, Any] | None] = []

    def state(self) -> Any:
        return self.versions

    def answer(self, request: Request) -> Answer:
        if request.headers.get("X-Vault-Token") != self.token:
            return 403, {"errors": ["permission denied"]}
        if request.path != WHERE:
            return 404, {"errors": [f"no handler for route {request.path!r}"]}
        if request.method == "GET":
            return self._read()
        if request.method in ("POST", "PUT"):
            return self._write(request)
        return 405, {"errors": ["unsupported operation"]}

    def _read(self) -> Answer:
        if not self.versions:
            return 404, {"errors": []}
        held = self.versions[-1]
        metadata = {
            "version": len(self.versions),
            "destroyed": False,
            "deletion_time": "" if held else "2026-01-01T00:00:00Z",
        }
        return 200 if held else 404, {"data": {"data": held, "metadata": metadata}}

    def _write(self, request: Request) -> Answer:
        fields = request.fields()
        if fields.keys() != {"options", "data"} or not isinstance(fields["data"], dict):
            raise Refused(400, {"errors": ["no data provided"]})
        version = fields["options"].get("cas")
        if not isinstance(version, int) or isinstance(version, bool):
            raise Refused(400, {"errors": ["check-and-set parameter required for this call"]})
        if version != len(self.versions):
            raise Refused(400, {"errors": ["check-and-set parameter did not match the current version"]})
        self.versions.append(fields["data"])
        return 200, {"data": {"version": len(self.versions), "destroyed": False, "deletion_time": ""}}
