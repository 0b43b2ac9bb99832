# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles and the playbooks of a rotation ask of variables: keys of a series, hosts of a play, their reports."""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Sequence

from ansible.errors import AnsibleError, AnsibleFilterError

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    COLLECTED,
    DEPLOYED,
    FACTS,
    RESULTS,
    failure_of,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.keys import (
    forged_names,
    resolve,
)

LIMIT = "--limit is refused, since it hides hosts that count: name a smaller magento_target"
_NO_HOST = "all:!all"
_ENTRIES = ("magento_auth_keys", "magento_auth_series")
# Levels: result, files, file, entries, entry, and some to come.
_MOST_DEPTH = 8
_UNREADABLE = {"failed": True, "msg": "its answer cannot be read"}


def _plain(value: Any, depth: int = _MOST_DEPTH) -> Any:
    """A copy without what is nested deeper than in any honest answer, which no task could be given."""
    if isinstance(value, Mapping):
        return {name: _plain(item, depth - 1) for name, item in value.items()} if depth else None
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value] if depth else None
    return value


def _known(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """The variables of a host, or none where Ansible itself fails at facts that are nested too deep."""
    try:
        # Where the syntax alone is checked, no host has variables.
        known: Mapping[str, Any] = hostvars[host] if hostvars else {}
    except RecursionError:
        return {"ansible_facts": None}
    return known


def _value(known: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """A variable, None where it cannot be had."""
    try:
        return known.get(name, default)
    except (AnsibleError, RecursionError):
        return None


def _read(known: Mapping[str, Any], name: str) -> Any:
    """A variable as a plain dictionary, or None."""
    value = _value(known, name, {})
    return _plain(value) if isinstance(value, Mapping) else None


def _results(known: Mapping[str, Any], names: Sequence[str] = RESULTS) -> Dict[str, Any]:
    return {name: _read(known, name) or _UNREADABLE for name in names if name in known}


def _forged(known: Mapping[str, Any]) -> List[str]:
    facts = _read(known, "ansible_facts")
    return ["ansible_facts"] if facts is None else forged_names(facts)


def rotation_hosts(
    hosts: Sequence[str],
    hostvars: Mapping[str, Any],
    *,
    limit: Any = None,
    collected: bool = False,
    foreseen: bool = False,
) -> Any:
    """See the documentation beside this file."""
    if limit is not None:
        raise AnsibleFilterError(LIMIT)
    found = [host for host in hosts if not foreseen and not _forged(_known(hostvars, host))]
    if collected:
        silent = _failed(found, hostvars, COLLECTED)
        found = [host for host in found if host not in silent]
    return found or _NO_HOST


def _failed(hosts: Sequence[str], hostvars: Mapping[str, Any], name: str) -> FrozenSet[str]:
    """The hosts that have such a result, and it is no answer."""
    found = ((host, _results(_known(hostvars, host), [name])) for host in hosts)
    return frozenset(host for host, results in found if name in results and failure_of(results[name]))


def rotation_failed(hosts: Sequence[str], hostvars: Mapping[str, Any]) -> List[str]:
    """See the documentation beside this file."""
    return sorted(_failed(hosts, hostvars, DEPLOYED))


def rotation_reports(hosts: Sequence[str], hostvars: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
    """See the documentation beside this file."""
    known = {host: _known(hostvars, host) for host in hosts}
    return {host: {**_results(known[host]), FACTS: _forged(known[host])} for host in hosts}


def check_series(
    settings: Any,
    *,
    hosts: Sequence[str],
    hostvars: Mapping[str, Any],
    own: Sequence[Any],
    fixed: Sequence[Any],
    revokes: bool = False,
) -> bool:
    """See the documentation beside this file."""
    forged = _forged(_known(hostvars, "localhost"))
    if forged:
        raise AnsibleFilterError(
            f"facts of localhost set variables of the controller ({', '.join(forged[:3])}); clear the cache of facts, "
            "which keeps what another host may have said"
        )
    if any(fixed):
        raise AnsibleFilterError(
            "magento_auth_public_key and magento_auth_private_key are set by extra variables, which beat the pair of a "
            "series on every host; leave them out"
        )
    prefix = settings.get("prefix") if isinstance(settings, Mapping) else None
    named = (_value(_known(hostvars, host), name) for host in hosts for name in _ENTRIES)
    # A revocation only takes away where no host names the series.
    if prefix is not None and not revokes and not any(_names(value, prefix) for value in itertools.chain(own, named)):
        raise AnsibleFilterError(
            f"no host of the target has a key with series: {prefix} in magento_auth_keys, or magento_auth_series; "
            "group_vars are read beside the inventory alone, and extra variables beat them"
        )
    return True


def _names(value: Any, prefix: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(isinstance(key, Mapping) and key.get("series") == prefix for key in value)
    return bool(value == prefix)


def series_keys(keys: Any, **given: Any) -> Dict[str, Any]:
    """See the documentation beside this file."""
    try:
        return resolve(keys, **given)
    except KeyfleetError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    """The filters under their names."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name to function."""
        return {
            "check_series": check_series,
            "rotation_failed": rotation_failed,
            "rotation_hosts": rotation_hosts,
            "rotation_reports": rotation_reports,
            "series_keys": series_keys,
        }
