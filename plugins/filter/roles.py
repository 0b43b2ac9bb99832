# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the roles and playbooks: check variables and targets, resolve series, select hosts, gather reports.

The controller loads this file anew for every host of a play, so its filters import on use.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from difflib import get_close_matches
from os.path import commonprefix
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Mapping, Sequence

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.inventory.manager import split_host_pattern
from ansible.module_utils.common.yaml import yaml_load
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

# Similarity as computed by difflib: about one letter in fourteen may differ.
_NEAR = 0.93
# Ansible's syntax for one host of a group or a range of hosts.
_SUBSCRIPT = re.compile(r"\A([^~].*)\[(?:-?[0-9]+|[0-9]+[:-][0-9]*)\]\Z", re.DOTALL)
_LIMIT = "--limit is refused, since it hides hosts that must be counted: name a smaller magento_target"
_NO_HOST = "all:!all"
_ENTRIES = ("magento_auth_keys", "magento_auth_series")
# Levels: result, files, file, entries, entry, and a reserve.
_MOST_DEPTH = 8
_UNREADABLE = {"failed": True, "msg": "its result cannot be read"}

HostVars = Mapping[str, Mapping[str, Any]]


def _is_own(name: str, near: str, prefix: str, given: Iterable[str]) -> bool:
    """Whether a name adds words or a number to the similar known name, or both are set and differ in a final s."""
    adds_words = name.startswith(f"{near}_") or name.endswith(f"_{near[len(prefix) :]}") or name[-1:].isdigit()
    return adds_words or (near in given and name.rstrip("s") == near.rstrip("s"))


def _is_registered(value: Any) -> bool:
    return isinstance(value, Mapping) and ("changed" in value or "failed" in value)


@pass_context
def check_names(context: Context, names: Iterable[str], role_path: str) -> bool:
    """See check_names.yml."""
    # A lookup with from_yaml takes ten times as long on every host.
    specs = yaml_load((Path(role_path) / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    known = list(specs["argument_specs"]["main"]["options"])
    given = set(names)
    prefix = commonprefix(known)
    wrong = []
    for name in sorted(given.difference(known)):
        for near in get_close_matches(name.lower(), known, n=1, cutoff=_NEAR):
            if not _is_own(name, near, prefix, given) and not _is_registered(context.resolve(name)):
                wrong.append(f"{name!r} ({near} was probably meant)")
    if wrong:
        raise AnsibleFilterError(f"misspelled variables: {', '.join(wrong)}")
    return True


def _stands_for_all(name: str) -> bool:
    """Whether a part of a pattern matches the group ``all``. Ansible matches wildcards with group names, too."""
    try:
        return re.match(name[1:] if name.startswith("~") else fnmatch.translate(name), "all") is not None
    except re.error:
        # Ansible reports the error itself.
        return False


def _means_everybody(pattern: str, matched: Sequence[str], all_hosts: Sequence[str]) -> bool:
    names = [_SUBSCRIPT.sub(r"\1", part) for part in split_host_pattern(pattern) if part[:1] not in ("!", "&")]
    # A pattern of only exclusions and intersections starts from all hosts.
    if not names or any(_stands_for_all(name) for name in names):
        return True
    # A group that is named explicitly may contain the whole inventory.
    return any(name.startswith("~") or set("*?[") & set(name) for name in names) and set(matched) >= set(all_hosts)


def fleet(pattern: object, *, matched: Sequence[str], all_hosts: Sequence[str], limit: object = None) -> str:
    """See fleet.yml."""
    if limit is not None:
        raise AnsibleFilterError(_LIMIT)
    if not isinstance(pattern, str) or not pattern.strip():
        raise AnsibleFilterError("Name the hosts to work on: -e magento_target=GROUP")
    if not matched:
        raise AnsibleFilterError(f"magento_target={pattern} matches no host of the inventory")
    if _means_everybody(pattern, matched, all_hosts):
        raise AnsibleFilterError(
            f"magento_target={pattern} would hand credentials to every host of the inventory; name a group of hosts"
        )
    return pattern


def _plain(value: Any, depth: int = _MOST_DEPTH) -> Any:
    """A copy without values nested deeper than in any genuine result, which could not be passed to a task."""
    if isinstance(value, Mapping):
        return {name: _plain(item, depth - 1) for name, item in value.items()} if depth else None
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value] if depth else None
    return value


def _known(hostvars: HostVars, host: str) -> Mapping[str, Any]:
    """The variables of a host. If Ansible fails on facts that are nested too deep, only unreadable facts."""
    try:
        # In a syntax check, hosts have no variables.
        return hostvars[host] if hostvars else {}
    except RecursionError:
        return {"ansible_facts": None}


def _value(known: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """The value of a variable, None if it cannot be evaluated."""
    try:
        return known.get(name, default)
    except (AnsibleError, RecursionError):
        return None


def _read(known: Mapping[str, Any], name: str) -> Any:
    """A variable as a plain dictionary, or None."""
    value = _value(known, name, {})
    return _plain(value) if isinstance(value, Mapping) else None


def _results(known: Mapping[str, Any], names: Sequence[str]) -> Dict[str, Any]:
    return {name: _read(known, name) or _UNREADABLE for name in names if name in known}


def _forged(known: Mapping[str, Any]) -> List[str]:
    from ansible_collections.keyfleet.magento.plugins.plugin_utils._role import forged_names

    facts = _read(known, "ansible_facts")
    return ["ansible_facts"] if facts is None else forged_names(facts)


def rotation_hosts(
    hosts: Sequence[str], hostvars: HostVars, *, limit: Any = None, collected: bool = False, predicted: bool = False
) -> Any:
    """See rotation_hosts.yml."""
    if limit is not None:
        raise AnsibleFilterError(_LIMIT)
    from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import COLLECTED

    found = [host for host in hosts if not predicted and not _forged(_known(hostvars, host))]
    if collected:
        silent = _failed(found, hostvars, COLLECTED)
        found = [host for host in found if host not in silent]
    return found or _NO_HOST


def _failed(hosts: Sequence[str], hostvars: HostVars, name: str) -> FrozenSet[str]:
    """The hosts whose result ``name`` exists and is a failure."""
    from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import failure_of

    found = ((host, _results(_known(hostvars, host), [name])) for host in hosts)
    return frozenset(host for host, results in found if name in results and failure_of(results[name]))


def rotation_failed(hosts: Sequence[str], hostvars: HostVars) -> List[str]:
    """See rotation_failed.yml."""
    from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import DEPLOYED

    return sorted(_failed(hosts, hostvars, DEPLOYED))


def rotation_reports(hosts: Sequence[str], hostvars: HostVars) -> Dict[str, Dict[str, Any]]:
    """See rotation_reports.yml."""
    from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import FACTS, RESULTS

    known = {host: _known(hostvars, host) for host in hosts}
    return {host: {**_results(known[host], RESULTS), FACTS: _forged(known[host])} for host in hosts}


def check_series(
    settings: Any,
    *,
    hosts: Sequence[str],
    hostvars: HostVars,
    own: Sequence[Any],
    fixed: Sequence[Any],
    revokes: bool = False,
) -> bool:
    """See check_series.yml."""
    forged = _forged(_known(hostvars, "localhost"))
    if forged:
        raise AnsibleFilterError(
            f"facts of localhost set variables of the controller ({', '.join(forged[:3])}); clear the fact cache, "
            "which may hold facts of another host"
        )
    if any(fixed):
        raise AnsibleFilterError(
            "magento_auth_public_key and magento_auth_private_key are set by extra variables, which override the pair "
            "of a series on every host; omit them"
        )
    prefix = settings.get("prefix") if isinstance(settings, Mapping) else None
    named = (_value(_known(hostvars, host), name) for host in hosts for name in _ENTRIES)
    # If no host names the series, a revocation only removes keys.
    if prefix is not None and not revokes and not any(_names(value, prefix) for value in itertools.chain(own, named)):
        raise AnsibleFilterError(
            f"no host of the target names the series {prefix} in magento_auth_keys or magento_auth_series; "
            "group_vars are only read beside the inventory, and extra variables override them"
        )
    return True


def _names(value: Any, prefix: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(isinstance(key, Mapping) and key.get("series") == prefix for key in value)
    return bool(value == prefix)


@pass_context
def series_keys(context: Context, check_mode: bool) -> Dict[str, Any]:
    """See series_keys.yml."""
    from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
    from ansible_collections.keyfleet.magento.plugins.plugin_utils._role import FLAT, resolve

    def value(name: str) -> Any:
        """A variable; None if it, or one that it refers to, is undefined."""
        found = context.resolve(name)
        return None if isinstance(found, Undefined) else found

    keys, settings = context.resolve("magento_auth_keys"), value("magento_series")
    try:
        return resolve(
            # A list that is empty is not the same as none: the module reports it as an error.
            None if isinstance(keys, Undefined) else keys or [],
            flat={name: value(f"magento_auth_{name}") for name in FLAT},
            state=value("magento_auth_state"),
            settings=settings,
            rotation=None if settings is None else context.resolve("hostvars")["localhost"],
            replacement=value("magento_revoke_replacement"),
            check_mode=check_mode,
        )
    except KeyfleetError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    """Filter plugins of the collection."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "check_names": check_names,
            "check_series": check_series,
            "fleet": fleet,
            "rotation_failed": rotation_failed,
            "rotation_hosts": rotation_hosts,
            "rotation_reports": rotation_reports,
            "series_keys": series_keys,
        }
