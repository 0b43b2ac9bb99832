# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One key that has to go: which one it is, where it goes on a host, and who keeps it from being disabled. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_fleet import Fleet, HeldUp, unheard
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation_reports import files_that_hold, reports_of

_NAMES = ("label", "public_key", "fingerprint")


def revoked_key(keys: Sequence[Mapping[str, Any]], *, wanted: str, uid: str) -> Dict[str, Any]:
    """The key among the account's ``keys`` that ``wanted`` names: its label, public key or fingerprint.

    A label counts for ``uid`` alone, since the same label of another owner is another key. Raises `KeyfleetError`
    ``unknown_key`` or ``ambiguous_key``.
    """
    found = [
        key
        for key in keys
        if wanted in (key["public_key"], key["fingerprint"]) or (wanted == key["label"] and key["uid"] == uid)
    ]
    if not found:
        raise KeyfleetError("unknown_key", f"the account has no key with the label (of {uid}), public key or "
                            f"fingerprint {wanted!r}")  # fmt: skip
    if len(found) > 1:
        names = ", ".join(f"{key['label']!r} of {key['uid']}" for key in found)
        raise KeyfleetError("ambiguous_key", f"{wanted!r} may be {names}; name its public key")
    # The private half of what goes is nobody's business any more.
    return {name: found[0][name] for name in (*_NAMES, "uid", "enabled")}


def revocation_keys(
    public_key: str,
    *,
    held: Mapping[str, Any],
    replacement: Optional[Mapping[str, Any]] = None,
    url: Optional[str] = None,
) -> List[Dict[str, Any]]:
    """The keys of one module execution on one host, wherever it holds ``public_key``. Empty where it does not.

    ``held`` is the host's answer to M(magento_auth_key_info). Without a ``replacement`` the entry is removed, and only
    if it still is that key.
    """
    if replacement and replacement.get("public_key") == public_key:
        raise KeyfleetError("bad_options", "the replacement is the very key that is to be revoked; rotate first")
    paths = files_that_hold(held, [public_key])
    if not paths:
        return []
    if not replacement:
        return [{"public_key": public_key, "state": "absent", "paths": paths}]
    key = {"public_key": replacement["public_key"], "private_key": replacement["private_key"], "paths": paths}
    return [{**key, "url": url} if url else key]


def still_held(
    installed: Mapping[str, Any],
    *,
    public_key: str,
    expected_hosts: Optional[Sequence[str]] = None,
    expected_count: Optional[int] = None,
    written_off: Optional[Sequence[str]] = None,
) -> List[Dict[str, Optional[str]]]:
    """Who keeps the key from being disabled: who was not heard, and who holds it. The rules are those of a rotation."""
    fleet = Fleet.from_variables(expected_hosts, expected_count, written_off)
    reports = reports_of(installed)
    found = unheard(fleet, reports)
    for host, report in reports.items():
        paths = [path for path, key in report.held if key == public_key]
        if paths and host not in fleet.written_off:
            found.append(HeldUp(host, f"{paths[0]} still has it"))
    return [{"host": entry.host, "reason": entry.reason} for entry in found]
