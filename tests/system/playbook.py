# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a play with the real ansible-playbook on local hosts, and returns the registered variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from place import linked_collections


@dataclass(frozen=True)
class Played:
    """Exit status, output, and the registered variables of the first host, by name."""

    status: int
    output: str = field(repr=False)
    results: dict[str, Any] = field(repr=False)


def play(
    directory: Path,
    tasks: Sequence[Mapping[str, Any]],
    *,
    hosts: Sequence[str] = ("web",),
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    **keywords: Any,
) -> Played:
    """``keywords`` are those of the play. A failed task does not stop the play."""
    names = [str(task["register"]) for task in tasks if "register" in task]
    pairs = ", ".join(f"'{name}': {name} | default(none)" for name in names)
    saved = directory / "results.json"
    saved.unlink(missing_ok=True)
    save = {
        "name": "Save the results",
        "ansible.builtin.copy": {"content": "{{ {" + pairs + "} | to_json }}", "dest": str(saved), "mode": "0600"},
        "run_once": True,
        "no_log": True,
    }
    ignoring = [{"ignore_errors": True, **task} for task in tasks]
    content = {"hosts": "all", "gather_facts": False, "tasks": [*ignoring, save], **keywords}
    playbook = directory / "play.json"
    playbook.write_text(json.dumps([content]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(playbook), "-c", "local"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(linked_collections()),
        "ANSIBLE_HOME": str(directory / "ansible-home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_LOCALHOST_WARNING": "0",
        **(env or {}),
    }
    run = subprocess.run(
        [*command, "-i", ",".join([*hosts, ""]), *options],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert saved.exists(), run.stdout + run.stderr
    return Played(run.returncode, run.stdout + run.stderr, json.loads(saved.read_text()))
