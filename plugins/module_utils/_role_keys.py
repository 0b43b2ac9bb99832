# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the role magento_auth to the keys of one module execution. Pure."""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Sequence, Tuple

PREFIX = "magento_auth_"
# The flat variables that describe one key. Users, projects and paths are not among them: they serve every key.
_FLAT = ("repository", "public_key", "private_key", "url", "packages")

# A key by repository and public half → the packages that are looked up with it.
Lookups = Dict[Tuple[str, str], FrozenSet[str]]


def role_keys(variables: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The list form and the flat form as one list. ``variables`` has the role's names without their prefix.

    None stands for a variable that is not set. Raises ValueError when there is no key at all or no list of them.
    """
    given = variables.get("keys")
    if given is not None and not given:
        # Usually a variable that came out empty; with state absent it would remove a key that nobody named.
        raise ValueError(f"{PREFIX}keys is an empty list; leave it out to mean nothing")
    if given is not None and not (isinstance(given, (list, tuple)) and all(isinstance(key, Mapping) for key in given)):
        raise ValueError(f"{PREFIX}keys must be a list of dictionaries")
    keys = [dict(key) for key in given or []]
    flat = {name: variables[name] for name in _FLAT if variables.get(name) is not None}
    removes_any = not keys and variables.get("state") == "absent"
    if "public_key" in flat or "private_key" in flat or removes_any:
        keys.append(flat)
    if not keys:
        raise ValueError(
            f"neither {PREFIX}keys nor {PREFIX}public_key and {PREFIX}private_key are set; "
            f"to remove keys, set {PREFIX}state to absent"
        )
    return keys


def _identity(key: Mapping[str, Any]) -> Tuple[str, str]:
    return str(key.get("repository") or "repo.magento.com"), str(key.get("public_key"))


def _packages(key: Mapping[str, Any]) -> FrozenSet[str]:
    packages = key.get("packages") or ()
    names = packages.split(",") if isinstance(packages, str) else packages
    return frozenset(str(name).strip().lower() for name in names)


def lookups(variables: Mapping[str, Any]) -> Lookups:
    """What a host with these variables looks up; nothing where they name no key."""
    try:
        keys = role_keys(variables)
    except ValueError:
        return {}
    state = variables.get("state")
    return {_identity(key): _packages(key) for key in keys if (key.get("state") or state) != "absent"}


def entitlement_once(
    keys: Sequence[Mapping[str, Any]],
    *,
    host: str,
    hosts: Sequence[str],
    known: Callable[[str], Lookups],
) -> List[Dict[str, Any]]:
    """``keys`` without the packages that another host of the play looks up.

    A key's packages stay with the first of ``hosts`` that asks for them, since the lists that answer the question have
    megabytes. ``known`` is `lookups` of another host: where nothing is known of it, it looks nothing up.
    """
    result = []
    for key in keys:
        wanted, identity = _packages(key), _identity(key)
        first = next((h for h in hosts if h == host or wanted <= known(h).get(identity, frozenset())), host)
        result.append({name: value for name, value in key.items() if name != "packages" or first == host})
    return result
