# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulates GitLab: the CI/CD variables of the project ``shops/web``, number 7."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

from .serving import Answer, Refused, Request, Service

FLAGS = ("masked", "protected", "raw")
WHERE = re.compile(r"/api/v4/projects/([^/?]+)/variables(?:/(\w+))?(?:\?(.*))?\Z")
SCOPE = "filter[environment_scope]"


def check(variable: dict[str, Any]) -> None:
    """GitLab's rules for masked values."""
    value = variable["value"]
    if variable["masked"] and not re.fullmatch(r"\S{8,}" if variable["raw"] else r"[A-Za-z0-9+/=@:.~_-]{8,}", value):
        raise Refused(400, {"message": {"value": ["is invalid"]}})


class GitLab(Service):
    """``variables`` by key and environment."""

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self.variables: dict[tuple[str, str], dict[str, Any]] = {}

    def state(self) -> Any:
        return list(self.variables.values())

    def put(self, value: str, scope: str = "*", key: str = "COMPOSER_AUTH", **flags: bool) -> None:
        """Add a variable as a user does by hand."""
        self.variables[key, scope] = {
            "key": key, "value": value, "environment_scope": scope, "variable_type": "env_var",
            **dict.fromkeys(FLAGS, False), **flags,
        }  # fmt: skip

    def answer(self, request: Request) -> Answer:
        if request.headers.get("PRIVATE-TOKEN") != self.token:
            return 401, {"message": "401 Unauthorized"}
        found = WHERE.match(request.path)
        if not found or unquote(found[1]) not in ("shops/web", "7"):
            return 404, {"message": "404 Project Not Found"}
        key, query = found[2], parse_qs(found[3] or "")
        if (request.method, key) == ("POST", None):
            return self._create(request.fields())
        if key is None or request.method not in ("GET", "PUT"):
            return 405, {"error": "405 Not Allowed"}
        variable = self._find(key, query)
        if request.method == "PUT":
            changed = {**variable, **self._known(request.fields())}
            check(changed)
            variable.update(changed)
        return 200, variable

    def _find(self, key: str, query: dict[str, list[str]]) -> dict[str, Any]:
        scopes = [scope for name, scope in self.variables if name == key]
        if SCOPE in query:
            scopes = [scope for scope in scopes if [scope] == query[SCOPE]]
        if not scopes:
            raise Refused(404, {"message": "404 Variable Not Found"})
        if len(scopes) > 1:
            message = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
            raise Refused(409, {"message": message})
        return self.variables[key, scopes[0]]

    def _known(self, fields: dict[str, Any]) -> dict[str, Any]:
        kinds = {"key": str, "value": str, "environment_scope": str, **dict.fromkeys(FLAGS, bool)}
        wrong = [name for name, value in fields.items() if not isinstance(value, kinds.get(name, ()))]
        if wrong:
            raise Refused(400, {"error": f"{', '.join(wrong)} is invalid"})
        return fields

    def _create(self, fields: dict[str, Any]) -> Answer:
        variable = {
            "environment_scope": "*",
            "variable_type": "env_var",
            **dict.fromkeys(FLAGS, False),
            **self._known(fields),
        }
        if {"key", "value"} - variable.keys():
            raise Refused(400, {"error": "key is missing, value is missing"})
        place = (variable["key"], variable["environment_scope"])
        if place in self.variables:
            raise Refused(400, {"message": {"key": [f"({place[0]}) has already been taken"]}})
        check(variable)
        self.variables[place] = variable
        return 201, variable
