# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a series: argument spec and checks. Pure."""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import ArgumentSpec, bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.keys import marketplace_spec
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import check_prefix

_STRINGS = {"type": "list", "elements": "str"}


def series_spec() -> ArgumentSpec:
    """The options of ``magento_series``."""
    api = marketplace_spec()
    for half in ("application_id", "application_secret"):
        api[half] = dict(api[half], required=False)
    key = {"type": "raw", "required": True, "no_log": False}
    name = {"type": "str", "required": True}
    return {
        "prefix": name,
        "uid": {"type": "str"},
        **api,
        "url": {"type": "str"},
        "packages": _STRINGS,
        "propagation_timeout": {"type": "float", "default": 300.0},
        "max_age": {"type": "int", "default": 90},
        "overlap": {"type": "int", "default": 0},
        "delete_after": {"type": "int", "default": 30},
        "rotate_now": {"type": "bool", "default": False},
        "rejected": _STRINGS,
        "adopt": _STRINGS,
        "expected_hosts": _STRINGS,
        "expected_count": {"type": "int"},
        "excluded_hosts": _STRINGS,
        "search": {"type": "list", "elements": "path"},
        "unmanaged_keys": {
            "type": "str",
            "choices": ["block", "remove", "ignore"],
            "default": "block",
            "no_log": False,
        },
        "external_holders": {
            "type": "list",
            "elements": "dict",
            "options": {"name": name, "role": {"type": "str"}, "tasks_from": {"type": "str"}, "tasks": {"type": "str"}},
        },
        "external_holders_acknowledged": {"type": "bool", "default": False},
        "batches": {"type": "list", "elements": "raw", "default": [1, "20%"]},
        "max_failed": {"type": "int", "default": 0},
        "pair": {
            "type": "dict",
            "options": {"label": name, "public_key": key, "private_key": dict(key, no_log=True)},
        },
        "previous": {
            "type": "list",
            "elements": "dict",
            "options": {"label": name, "public_key": {"type": "str", "required": True, "no_log": False}},
        },
        "disabled_by_hand": _STRINGS,
    }


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises `KeyfleetError` ``bad_options`` for contradictory or incomplete settings."""
    check_prefix(settings["prefix"])
    for name in ("max_age", "overlap", "delete_after", "max_failed", "propagation_timeout"):
        if not settings[name] >= 0:
            raise bad_options(f"{name} must not be negative")
    if settings["expected_count"] is not None and settings["expected_count"] < 1:
        raise bad_options("expected_count must be one or more")
    pair = settings["pair"]
    for name in ("previous", "disabled_by_hand"):
        if settings[name] and pair is None:
            raise bad_options(f"{name} belongs to a pair made by hand, and pair is not set")
    if settings["rotate_now"] and pair is not None:
        raise bad_options("rotate_now needs the key API; make a key on the account page, and name it in pair")
    for name in ("application_id", "application_secret"):
        if settings[name] is None and pair is None:
            raise bad_options(f"{name} is not set; without access to the key API, set pair")
    holders = settings["external_holders"] or ()
    names = [holder["name"] for holder in holders]
    if len(set(names)) < len(names) or not all(names):
        raise bad_options("external_holders: each needs a name of its own")
    for holder in holders:
        # A holder without tasks could not fail, and would always be confirmed.
        if bool(holder["role"]) == bool(holder["tasks"]) or (holder["tasks_from"] and not holder["role"]):
            raise bad_options(f"external_holders: {holder['name']} needs tasks, or a role (tasks_from optional)")
        if holder["tasks"] and not os.path.isabs(holder["tasks"]):
            raise bad_options(f"external_holders: tasks of {holder['name']} is not an absolute path")
