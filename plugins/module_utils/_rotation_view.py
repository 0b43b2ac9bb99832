# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role magento_key_rotation hands from one phase to the next, and what it tells people. Pure."""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import Generation, Series
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_fleet import Fleet, confirmed_by, names
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_reports import (
    files_that_hold,
    report_of,
    reports_of,
)

_PLACES = ("users", "projects", "paths")


def deploy_keys(
    pair: Mapping[str, Any],
    *,
    held: Mapping[str, Any],
    older: Sequence[str],
    places: Mapping[str, Any],
    url: Optional[str] = None,
    done: Sequence[Mapping[str, Any]] = (),
) -> List[Dict[str, Any]]:
    """The keys of one module execution on one host: the new pair where it is wanted, and wherever an ``older`` one is.

    ``held`` is the host's answer to M(magento_auth_key_info), ``places`` the users, projects and paths that the fleet's
    variables name; what rows in ``done`` show as written is left out. Empty when nothing is to be written.
    """
    key: Dict[str, Any] = {"public_key": pair["public_key"], "private_key": pair["private_key"]}
    if url:
        key["url"] = url
    for name in _PLACES:
        if places.get(name):
            key[name] = names(places[name])
    stale = files_that_hold(held, set(names(older)) - {pair["public_key"]})
    written = {row[name] for row in done for name in ("path", "real_path") if row.get(name)}
    if written:
        real = {row["path"]: row.get("real_path") for row in held["files"]}
        stale = [path for path in stale if path not in written and real[path] not in written]
    if stale:
        key["paths"] = list(dict.fromkeys([*key.get("paths", []), *stale]))
    return [key] if any(name in key for name in _PLACES) else []


def held_up_by_hand(
    installed: Mapping[str, Any],
    *,
    new_public_key: str,
    old_public_keys: Sequence[str],
    expected_hosts: Optional[Sequence[str]] = None,
    expected_count: Optional[int] = None,
    written_off: Optional[Sequence[str]] = None,
) -> List[Dict[str, Optional[str]]]:
    """Who keeps an old key from being disabled on the account page, where no API does it."""
    old_public_keys = names(old_public_keys)
    if not old_public_keys:
        raise KeyfleetError("bad_options", "magento_key_rotation_old_public_keys: name the keys that are to go")
    if new_public_key in old_public_keys:
        raise KeyfleetError("bad_options", "the new key is among the keys that are to go")
    day = datetime.date(1970, 1, 1)
    old = [Generation(day, n, f"the old key {key}", key, True) for n, key in enumerate(old_public_keys, 1)]
    new = Generation(day, len(old) + 1, f"the new key {new_public_key}", new_public_key, True)
    fleet = Fleet.from_variables(expected_hosts, expected_count, written_off)
    found = confirmed_by(Series("", (*old, new)), fleet, reports_of(installed))
    return [{"host": entry.host, "reason": entry.reason} for entry in found]


def summary(
    result: Mapping[str, Any],
    *,
    installed: Mapping[str, Any],
    expected_hosts: Optional[Sequence[str]] = None,
    check_mode: bool = False,
) -> List[str]:
    """The end of a rotation in plain words: generation, hosts done, hosts that hold it up, what is left to do.

    ``result`` is the answer of M(magento_key_rotation) to its last phase, failed or not.
    """
    label, public_key = result.get("label"), result.get("public_key")
    generations = result.get("generations") or []
    others = {g["public_key"] for g in generations} - {public_key}
    keys = [r.public_keys() for r in (report_of(h, answer) for h, answer in installed.items()) if r.complete]
    done = len([held for held in keys if public_key in held and not held & others])
    held_up = result.get("held_up") or []
    retired, pruned = result.get("retired") or [], result.get("pruned") or []
    enabled = [g["label"] for g in generations if g["enabled"] and g["label"] not in (label, *retired)]
    lines = [f"Generation: {label or 'none'}"]
    lines.append(f"Hosts that have it: {done}" + (f" of {len(set(names(expected_hosts)))}" if expected_hosts else ""))
    lines += [f"Held up by {one['host']}: {one['reason']}" if one.get("host") else f"Held up: {one['reason']}"
              for one in held_up]  # fmt: skip
    for words, labels in (("disable", retired), ("delete", pruned)):
        if labels:
            lines.append(f"{'Would ' + words if check_mode else words.capitalize() + 'd'}: {', '.join(labels)}")
    if enabled and not held_up and result.get("reason"):
        lines.append(f"Waiting: {result['reason']}")
    if enabled:
        lines.append(f"Left to do: {', '.join(enabled)} still enabled; run the rotation again")
    else:
        lines.append("Left to do: nothing")
    return lines
