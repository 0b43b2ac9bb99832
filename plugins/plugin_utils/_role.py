# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the roles come to: the keys that a host gets, and COMPOSER_AUTH. Pure.

Entries of a series take its pair, all others pass unchanged.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import bad_options, keys_from
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import (
    HTTP_BASIC,
    Document,
    parse,
    with_entry,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import HALVES

# Facts that Ansible would take for options of the connection, where it has cut off their ansible_.
_CONNECTION = ("control_path", "control_path_dir", "scp_executable", "sftp_executable")
_CONNECTIONS = ("docker_", "kubectl_", "paramiko_", "podman_")
_READ = ("magento_", "holder_", "inventory_hostname")
_MAGIC = ("omit", "group_names", *_CONNECTION)

PREFIX = "magento_auth_"


def forged_names(facts: Mapping[Any, Any]) -> List[str]:
    """The names among a host's facts that would take the place of what the collection or Ansible itself sets."""
    # A dictionary is no option, but a network interface whose name begins like one.
    options = (str(name) for name, value in facts.items() if not isinstance(value, Mapping))
    found = {name for name in options if name.startswith(_CONNECTIONS)}
    return sorted(found.union(name for name in map(str, facts) if name.startswith(_READ) or name in _MAGIC))


def _plan(settings: Mapping[str, Any], rotation: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the first play registered, empty if it speaks of another series."""
    plan = rotation.get("magento_rotation_plan")
    return plan if isinstance(plan, Mapping) and plan.get("series") == settings.get("prefix") else {}


def pair_of(
    settings: Mapping[str, Any], rotation: Mapping[str, Any], replacement: Any = None
) -> Optional[Dict[str, Any]]:
    """The pair of the series' current key, from the settings or from what the first play registered. For a revocation,
    the one that takes the place of the key, if any."""
    plan = _plan(settings, rotation)
    wanted = [g["public_key"] for g in plan.get("generations") or () if g["state"] == "current"]
    known = [settings.get("pair") or _first(rotation.get("magento_rotation_pair"))]
    if plan.get("revoked"):
        wanted = [plan["revoked"]["replacement"]]
        known.append(replacement)
    for found in known:
        if isinstance(found, Mapping) and [found.get("public_key")] == wanted:
            return {name: found[name] for name in HALVES}
    return None


def _first(result: Any) -> Any:
    keys = result.get("marketplace_keys") if isinstance(result, Mapping) else None
    return keys[0] if keys else None


def _removals(settings: Mapping[str, Any], plan: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The keys that are to go from wherever they are: a revoked one alone, or the older ones of the series."""
    if plan.get("revoked"):
        gone = [plan["revoked"]["public_key"]]
    elif settings.get("unmanaged_keys") == "remove":
        gone = [g["public_key"] for g in plan.get("generations") or () if g["state"] != "current"]
    else:
        gone = []
    return [{"public_key": key, "state": "absent", "search": settings.get("search") or []} for key in gone]


def resolve(
    keys: Optional[Sequence[Any]],
    *,
    flat: Mapping[str, Any],
    state: str = "present",
    settings: Optional[Mapping[str, Any]] = None,
    rotation: Optional[Mapping[str, Any]] = None,
    replacement: Any = None,
    check_mode: bool = False,
) -> Dict[str, Any]:
    """The options of M(magento_auth_key) for one host: ``entries``, the list of keys, and those of ``flat``.

    What is not set is left out.
    ``given`` is whether the host's variables name a key at all, and ``idle`` whether none of them is due in this run.
    Raises `KeyfleetError` ``bad_options``.
    """
    series = flat.get("series")
    one = {name: value for name, value in flat.items() if name != "series"}
    halves = [name for name in HALVES if one.get(name) is not None]
    given = keys is not None or series is not None or bool(halves)
    rotation = rotation or {}
    plan = {} if settings is None else _plan(settings, rotation)
    pair = None if settings is None else pair_of(settings, rotation, replacement)
    revoked = plan.get("revoked")
    # Without a replacement a revocation only takes away, and check mode has no pair of a key that is not made yet.
    needless = check_mode or bool(revoked and not revoked["replacement"])

    def paired(item: Mapping[str, Any], name: str, option: str) -> Optional[Dict[str, Any]]:
        """The entry with its pair, None if it is none of this run's."""
        rest = {key: value for key, value in item.items() if key != "series"}
        if any(rest.get(half) is not None for half in HALVES):
            raise bad_options(f"{option}: series stands beside a pair; the series brings its own")
        if not isinstance(name, str) or not name:
            raise bad_options(f"{option}: series is the prefix of a series")
        if (rest.get("state") or state) == "absent":
            return rest
        if settings is None:
            raise bad_options(
                f"{option}: the pair of the series {name} comes from magento_series, which is not set; give it to "
                "keyfleet.magento.provision or keyfleet.magento.rotate as extra variables"
            )
        if name != settings.get("prefix") or (not pair and needless):
            return None
        if not pair:
            raise bad_options(f"{option}: this run has not fetched the pair of the series {name}")
        return {**rest, **pair}

    entries: List[Any] = []
    for number, item in enumerate(keys or ()):
        if isinstance(item, Mapping) and item.get("series") is not None:
            item = paired(item, item["series"], f"magento_auth_keys[{number}]")
        entries += [] if item is None else [item]
    if series is not None:
        resolved = paired(one, series, "magento_auth_series")
        one = {} if resolved is None else resolved
    # An empty list that was given stays one: it is an error of its own.
    empty = keys is not None and not keys
    removals = [] if empty or settings is None else _removals(settings, plan)
    idle = bool(given and not entries and not any(one.get(name) is not None for name in HALVES) and not removals)
    if series is not None and state == "absent":
        idle = False
    if entries or removals or empty:
        one["entries"] = [*entries, *removals]
    options = {name: value for name, value in one.items() if value is not None}
    return {**options, "given": bool(given or removals), "idle": idle and not empty}


def composer_auth_text(variables: Mapping[str, Any]) -> str:
    """One line of JSON with the keys that the role would install for a user, checked by the same rules.

    ``variables`` has the role's names without their prefix. Keys that name projects or files only are left out: in the
    environment they would beat the user's own key everywhere. Raises `KeyfleetError`.
    """
    given = {name: value for name, value in variables.items() if value is not None}
    listed = given.get("keys", ())
    if not (isinstance(listed, (list, tuple)) and all(isinstance(key, Mapping) for key in listed)):
        raise bad_options(f"{PREFIX}keys must be a list of dictionaries")
    for state in [given.get("state", "present"), *(key.get("state") or "present" for key in listed)]:
        if state not in ("present", "absent"):
            raise bad_options(f"{PREFIX}state is either present or absent")
    document: Document = {}
    titles: Dict[str, str] = {}
    for key in keys_from({"state": "present", **given}, prefix=PREFIX):
        if not key.present or ((key.projects or key.paths) and not key.users):
            continue
        there = document.get(HTTP_BASIC, {}).get(key.repository)
        changed = with_entry(
            document, repository=key.repository, username=key.public_key or "", password=key.private_key
        )
        if there is not None and changed != document:
            raise bad_options(
                f"two different keys for {key.repository} cannot stand in one environment: "
                f"{titles[key.repository]} and {key.title}"
            )
        titles.setdefault(key.repository, key.title)
        document = changed
    text = json.dumps(document, ensure_ascii=True)
    parse(text.encode("ascii"))  # what Composer could not read must not leave here
    return text
