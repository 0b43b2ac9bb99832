# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve the variables of the roles into the keys of a host. Pure.

Entries with a series get its pair, all others are unchanged. The controller imports this file anew for
every host of a play.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError

# Facts that Ansible would use as connection options, once it has removed the prefix ansible_.
_CONNECTION = ("control_path", "control_path_dir", "scp_executable", "sftp_executable")
_CONNECTIONS = ("docker_", "kubectl_", "paramiko_", "podman_")
_READ = ("magento_", "holder_", "inventory_hostname")
_MAGIC = ("omit", "group_names", *_CONNECTION)

FLAT = ("series", "repository", "public_key", "private_key", "url", "packages")
_HALVES = ("public_key", "private_key")


def forged_names(facts: Mapping[Any, Any]) -> List[str]:
    """The names of a host's facts that would override variables of the collection or of Ansible itself."""
    # A dictionary is not an option: it is a network interface with a similar name.
    options = (str(name) for name, value in facts.items() if not isinstance(value, Mapping))
    found = {name for name in options if name.startswith(_CONNECTIONS)}
    return sorted(found.union(name for name in map(str, facts) if name.startswith(_READ) or name in _MAGIC))


def _plan(settings: Mapping[str, Any], rotation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plan that the first play registered; empty if it is for another series."""
    plan = rotation.get("magento_rotation_plan")
    return plan if isinstance(plan, Mapping) and plan.get("series") == settings.get("prefix") else {}


def pair_of(
    settings: Mapping[str, Any], rotation: Mapping[str, Any], replacement: Any = None
) -> Optional[Dict[str, Any]]:
    """The pair of the current key of the series, from the settings or from the results of the first play. For a
    revocation, the pair of the replacement, if any."""
    plan = _plan(settings, rotation)
    wanted = [g["public_key"] for g in plan.get("generations") or () if g["state"] == "current"]
    known = [settings.get("pair") or _first(rotation.get("magento_rotation_pair"))]
    if plan.get("revoked"):
        wanted = [plan["revoked"]["replacement"]]
        known.append(replacement)
    for found in known:
        if isinstance(found, Mapping) and [found.get("public_key")] == wanted:
            return {name: found[name] for name in _HALVES}
    return None


def _first(result: Any) -> Any:
    keys = result.get("marketplace_keys") if isinstance(result, Mapping) else None
    return keys[0] if keys else None


def _removals(settings: Mapping[str, Any], plan: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The keys to remove from all files: only a revoked key, or the older keys of the series."""
    if plan.get("revoked"):
        unwanted = [plan["revoked"]["public_key"]]
    elif settings.get("unmanaged_keys") == "remove":
        unwanted = [g["public_key"] for g in plan.get("generations") or () if g["state"] != "current"]
    else:
        unwanted = []
    return [{"public_key": key, "state": "absent", "search": settings.get("search") or []} for key in unwanted]


def _has_half(entry: Mapping[str, Any]) -> bool:
    return any(entry.get(half) is not None for half in _HALVES)


def resolve(
    keys: Optional[Sequence[Any]],
    *,
    flat: Mapping[str, Any],
    state: Optional[str] = None,
    settings: Optional[Mapping[str, Any]] = None,
    rotation: Optional[Mapping[str, Any]] = None,
    replacement: Any = None,
    check_mode: bool = False,
) -> Dict[str, Any]:
    """The options of M(magento_auth_key) for one host: ``entries``, the list of keys, and those of ``flat``.

    Options without a value are omitted. ``given``: whether the host's variables name any key. ``idle``: whether none of
    these keys is due in this run. Raises `KeyfleetError` ``bad_options``.
    """
    series = flat.get("series")
    one = {name: value for name, value in flat.items() if name != "series"}
    given = keys is not None or series is not None or _has_half(one)
    rotation = rotation or {}
    plan = {} if settings is None else _plan(settings, rotation)
    pair = None if settings is None else pair_of(settings, rotation, replacement)
    revoked = plan.get("revoked")
    # A revocation without a replacement only removes keys; in check mode a new key has no pair yet.
    needless = check_mode or bool(revoked and not revoked["replacement"])

    def paired(item: Mapping[str, Any], name: str, option: str) -> Optional[Dict[str, Any]]:
        """The entry with its pair, None if it is not due in this run."""
        rest = {key: value for key, value in item.items() if key != "series"}
        if _has_half(rest):
            raise KeyfleetError(
                "bad_options", f"{option}: series cannot be combined with a pair; the pair comes from the series"
            )
        if not isinstance(name, str) or not name:
            raise KeyfleetError("bad_options", f"{option}: series must be the prefix of a series")
        if (rest.get("state") or state) == "absent":
            return rest
        if settings is None:
            raise KeyfleetError(
                "bad_options",
                f"{option}: the pair of the series {name} comes from magento_series, which is not set; pass it to "
                "keyfleet.magento.provision or keyfleet.magento.rotate as extra variables",
            )
        if name != settings.get("prefix") or (not pair and needless):
            return None
        if not pair:
            raise KeyfleetError("bad_options", f"{option}: this run has not fetched the pair of the series {name}")
        return {**rest, **pair}

    entries: List[Any] = []
    for number, item in enumerate(keys or ()):
        if isinstance(item, Mapping) and item.get("series") is not None:
            item = paired(item, item["series"], f"magento_auth_keys[{number}]")
        entries += [] if item is None else [item]
    if series is not None:
        one = paired(one, series, "magento_auth_series") or {}
    # An empty list is passed on: the module reports it as an error.
    empty = keys is not None and not keys
    removals = [] if empty or settings is None else _removals(settings, plan)
    listed = entries or removals or empty
    idle = given and not (listed or _has_half(one) or (series is not None and state == "absent"))
    if listed:
        one["entries"] = [*entries, *removals]
    options = {name: value for name, value in one.items() if value is not None}
    return {**options, "given": bool(given or removals), "idle": idle}
