# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the role magento_auth to the keys of one module execution. Pure."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

PREFIX = "magento_auth_"
# The flat variables that describe one key. Users, projects and paths are not among them: they serve every key.
_FLAT = ("repository", "public_key", "private_key", "url", "packages")

Identity = Tuple[str, str]


def role_keys(variables: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The list form and the flat form as one list. ``variables`` has the role's names without their prefix.

    None stands for a variable that is not set. Raises ValueError when there is no key at all.
    """
    keys = [dict(key) for key in variables.get("keys") or []]
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


def _identity(key: Mapping[str, Any]) -> Identity:
    return str(key.get("repository") or "repo.magento.com"), str(key.get("public_key"))


def identities(variables: Mapping[str, Any]) -> Optional[Set[Identity]]:
    """Repository and public key of every key in a host's own variables; None where it has none of its own."""
    try:
        return {_identity(key) for key in role_keys(variables)}
    except ValueError:
        return None


def entitlement_once(
    keys: Sequence[Mapping[str, Any]],
    *,
    host: str,
    hosts: Sequence[str],
    known: Callable[[str], Optional[Set[Identity]]],
) -> List[Dict[str, Any]]:
    """``keys`` without the packages that another host of the play looks up.

    A key's packages stay with the first of ``hosts`` that has the key, since the lists that answer the question have
    megabytes. ``known`` tells the keys in a host's own variables; where it has none, the play gives all hosts the same.
    """
    result = []
    for key in keys:
        first = next((h for h in hosts if h == host or (_identity(key) in (known(h) or {_identity(key)}))), host)
        result.append({name: value for name, value in key.items() if name != "packages" or first == host})
    return result
