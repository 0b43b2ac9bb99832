# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edits that make the mutants of YAML files."""

from __future__ import annotations

from typing import Any

import yaml

from system.rotation.mutants.edits import mutants_of

PLAY = """
- name: Play
  hosts: "{{ magento_target | keyfleet.magento.rotation_hosts(hostvars, limit=no, collected=true) if one else 'two' }}"
  gather_facts: false
  serial: 1
  module_defaults:
    group/keyfleet.magento.marketplace: {timeout: 3}
  vars:
    mark: &mark {a: 1}
  tasks:
    - name: Task
      keyfleet.magento.magento_auth_key_info:
        all_users: true
        fail_on: [invalid, refused]
      ignore_errors: "{{ quiet }}"
      check_mode: true
      register: found
      when:
        - first or not (second and third)
        - fourth
    - name: Guarded
      block:
        - name: Task
          ansible.builtin.assert: {that: one and two, quiet: true}
          vars: *mark
      rescue:
        - name: Task
          ansible.builtin.include_role: {name: holder, tasks_from: keep}
          loop: "{{ many }}"
"""
FIRST = "when 'first or not (second and third)'"
EXPECTED = {
    "Play": [
        "hosts: 'if one' taken for true", "hosts: 'if one' taken for false", "hosts: rotation_hosts(limit) dropped",
        "hosts: rotation_hosts(collected) dropped", "gather_facts dropped", "serial dropped",
        "timeout of group/keyfleet.magento.marketplace dropped", "mark dropped",
    ],
    "Play/Task": [
        "dropped", "all_users dropped", "fail_on dropped", "fail_on: invalid dropped", "fail_on: refused dropped",
        "ignore_errors dropped", "ignore_errors inverted", "check_mode dropped", "check_mode inverted",
        "register dropped", "when dropped", f"{FIRST} dropped", f"{FIRST}: turned", f"{FIRST}: 'first' dropped",
        f"{FIRST}: 'not (second and third)' dropped", "when 'fourth' dropped", "when 'fourth': turned",
    ],
    "Play/Guarded": ["dropped"],
    "Play/Guarded/Task": ["dropped", "that dropped", "that: turned", "that: 'one' dropped", "that: 'two' dropped",
                          "a dropped"],
    "Play/Guarded/Task (2)": ["dropped", "tasks_from dropped", "loop emptied"],
}  # fmt: skip


def test_every_kind_of_edit() -> None:
    found: dict[str, list[str]] = {}
    for mutant in mutants_of("play.yml", PLAY):
        found.setdefault(mutant.node, []).append(mutant.edit)
    assert found == EXPECTED


def edited(node: str, edit: str) -> Any:
    (text,) = [mutant.text for mutant in mutants_of("play.yml", PLAY) if (mutant.node, mutant.edit) == (node, edit)]
    return yaml.safe_load(text)[0]


def test_an_edit_changes_only_its_own_place() -> None:
    whole = yaml.safe_load(PLAY)[0]
    hosts = "{{ magento_target | keyfleet.magento.rotation_hosts(hostvars, limit=no) if one else 'two' }}"
    assert edited("Play", "hosts: rotation_hosts(collected) dropped") == {**whole, "hosts": hosts}
    assert edited("Play", "hosts: 'if one' taken for false")["hosts"].split() == ["{{", "'two'", "}}"]
    task = whole["tasks"][0]
    assert edited("Play/Task", "when 'fourth': turned")["tasks"][0] == {
        **task,
        "when": [task["when"][0], "not (fourth)"],
    }
    assert edited("Play/Task", "ignore_errors inverted")["tasks"][0] == {**task, "ignore_errors": "{{ not (quiet) }}"}
    # An edit of an alias does not change its anchor.
    other = edited("Play/Guarded/Task", "a dropped")
    assert other["vars"] == {"mark": {"a": 1}} and other["tasks"][1]["block"][0]["vars"] == {}


def test_a_variable() -> None:
    text = "one: \"{{ keys | keyfleet.magento.series_keys(flat={'a': 1, 'b': [2, 3]}, state='x') }}\"\ntwo: plain\n"
    values = {(m.node, m.edit): yaml.safe_load(m.text).get(m.node) for m in mutants_of("vars.yml", text)}
    assert values == {
        ("one", "dropped"): None,
        ("one", "series_keys(flat) dropped"): "{{ keys | keyfleet.magento.series_keys(state='x') }}",
        (
            "one",
            "series_keys(flat.a) dropped",
        ): "{{ keys | keyfleet.magento.series_keys(flat={'b': [2, 3]}, state='x') }}",
        ("one", "series_keys(flat.b) dropped"): "{{ keys | keyfleet.magento.series_keys(flat={'a': 1}, state='x') }}",
        ("one", "series_keys(state) dropped"): "{{ keys | keyfleet.magento.series_keys(flat={'a': 1, 'b': [2, 3]}) }}",
        ("two", "dropped"): None,
    }
