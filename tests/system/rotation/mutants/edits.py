# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants: single edits of plays, tasks and variables files, each of which should break a promise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from system.rotation.mutants.templates import condition_mutants, inverted, template_mutants

_DROP = object()
_CONDITIONS = ("when", "failed_when", "changed_when")
# They have a default, so dropping them inverts them.
_SWITCHES = ("ignore_errors", "ignore_unreachable", "no_log", "gather_facts")
_FOLLOW = ("check_mode", "diff")
# Without the name of a role, the file cannot be loaded; quiet only reduces the output.
_EXCLUDED = (
    ("ansible.builtin.import_role", "name"),
    ("ansible.builtin.include_role", "name"),
    ("ansible.builtin.assert", "quiet"),
)
_LISTS = ("tasks", "block", "rescue", "always")


class Mutant(NamedTuple):
    """One edit of one file. ``context`` is the text of the edited play, task or variable."""

    file: str
    node: str
    edit: str
    text: str
    context: str

    @property
    def id(self) -> str:
        return f"{self.file}#{self.node}#{self.edit}"


class _Edit(NamedTuple):
    node: str
    name: str
    path: tuple[Any, ...]
    value: Any
    context: str


def mutants_of(file: str, text: str) -> Iterator[Mutant]:
    """The mutants of a file with this text."""
    content = yaml.safe_load(text)
    walk = _variables(content) if isinstance(content, dict) else _tasks(content, (), "", Counter())
    for edit in walk:
        changed = _edited(content, edit.path, edit.value)
        yield Mutant(file, edit.node, edit.name, yaml.safe_dump(changed, sort_keys=False, width=10**6), edit.context)


def _edited(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    # Copied as JSON: otherwise, an alias would be edited together with its anchor.
    whole = json.loads(json.dumps(content))
    node = whole
    for step in path[:-1]:
        node = node[step]
    if value is _DROP:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return whole


def _variables(content: dict[str, Any]) -> Iterator[_Edit]:
    for name, value in content.items():
        context = json.dumps(value)
        yield _Edit(name, "dropped", (name,), _DROP, context)
        for edit, new in template_mutants(value):
            yield _Edit(name, edit, (name,), new, context)


def _tasks(items: list[dict[str, Any]], path: tuple[Any, ...], parent: str, seen: Counter[str]) -> Iterator[_Edit]:
    """Edits of tasks, plays and imported playbooks: all are dictionaries with a name, and some contain others."""
    for number, item in enumerate(items):
        node = f"{parent}/{item['name']}" if parent else item["name"]
        seen[node] += 1
        if seen[node] > 1:
            node = f"{node} ({seen[node]})"
        here = (*path, number)
        own = {key: value for key, value in item.items() if key not in _LISTS}
        context = json.dumps(own)
        if len(items) > 1 or "hosts" not in item:
            yield _Edit(node, "dropped", here, _DROP, context)
        for key, value in own.items():
            for name, below, new in _of(key, value):
                yield _Edit(node, name, (*here, key, *below), new, context)
        for key in _LISTS:
            yield from _tasks(item.get(key, []), (*here, key), node, seen)


def _of(key: str, value: Any) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """The edits of one keyword or module call: name, path below the key, and new value."""
    if key in _CONDITIONS:
        yield f"{key} dropped", (), _DROP
        yield from _conditions(key, value)
    elif key in (*_SWITCHES, *_FOLLOW):
        yield f"{key} dropped", (), _DROP
        if key in _FOLLOW or not isinstance(value, bool):
            yield f"{key} inverted", (), inverted(value)
    elif key in ("register", "serial"):
        yield f"{key} dropped", (), _DROP
        yield from _templates(key, value)
    elif key == "hosts":
        yield from _templates(key, value)
    elif key == "loop":
        yield f"{key} emptied", (), []
        yield from _templates(key, value)
    elif key == "roles":
        yield from ((f"role {role['role']} dropped", (number,), _DROP) for number, role in enumerate(value))
    elif key == "module_defaults":
        for group, options in value.items():
            yield from ((f"{name} of {group} dropped", (group, name), _DROP) for name in options)
    elif key in ("vars", "loop_control") or ("." in key and isinstance(value, dict)):
        for name, given in value.items():
            if (key, name) in _EXCLUDED:
                continue
            yield f"{name} dropped", (name,), _DROP
            edits = _conditions(name, given) if name == "that" else _templates(name, given)
            yield from ((edit, (name, *below), new) for edit, below, new in edits)


def _conditions(key: str, value: Any) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    if not isinstance(value, list):
        yield from ((f"{key}: {name}", (), new) for name, new in condition_mutants(value))
        return
    for number, item in enumerate(value):
        excerpt = " ".join(str(item).split())[:44]
        if len(value) > 1:
            yield f"{key} '{excerpt}' dropped", (number,), _DROP
        yield from ((f"{key} '{excerpt}': {name}", (number,), new) for name, new in condition_mutants(item))


def _templates(key: str, value: Any) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    if isinstance(value, list) and len(value) > 1:
        yield from ((f"{key}: {item} dropped", (number,), _DROP) for number, item in enumerate(value))
    yield from ((f"{key}: {name}", (), new) for name, new in template_mutants(value))
