# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer modules with whatever their owner likes, and a server that must never be asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _control import Run
from _rotation_lab import PYTHON, Fleet

HONEST: dict[str, Any] = {"changed": False, "files": [], "effective": [], "problems": []}
"""What a host says that has no key at all."""
PHASES = ("collect", "deploy", "confirm", "would")
"""The tasks in their order; the last one is the role in check mode."""

# Stands in for the Python of the host: keeps what it is given, and prints an answer.
_PROGRAM = f"""#!{PYTHON}
import json, pathlib, re, sys
here = pathlib.Path(__file__).resolve().parent
given = sys.stdin.read()
seen = sorted(path.name for path in here.glob("asked-*"))
module = (re.findall(r"_ansible_module_name\\W+([\\w.]+)", given) or ["other"])[0].rpartition(".")[2]
check = "true" in re.findall(r"_ansible_check_mode\\W+(\\w+)", given)
first = not any("_info" in name for name in seen)
phase = "collect" if first else "confirm"
if module == "magento_auth_key":
    phase = "would" if check else "deploy"
(here / f"asked-{{len(seen):03}}-{{module}}").write_text(given)
answers = json.loads((here / "answers.json").read_text())
print(answers.get(phase, answers["other"]))
"""


@dataclass
class Hostile:
    """One hostile host. Until told otherwise it is `HONEST`."""

    name: str
    directory: Path

    @property
    def program(self) -> str:
        """What stands in for its Python."""
        return str(self.directory / "python")

    def answer(self, **phases: Any) -> None:
        """Say this in these phases: a dictionary, or text as it is."""
        spoken = {"other": HONEST, **phases}
        texts = {phase: said if isinstance(said, str) else json.dumps(said) for phase, said in spoken.items()}
        (self.directory / "answers.json").write_text(json.dumps(texts))

    def forge(self, facts: Mapping[str, Any], *phases: str) -> None:
        """Answer with these facts in these phases."""
        self.answer(**{phase: {**HONEST, "ansible_facts": dict(facts)} for phase in phases})

    def asked(self) -> list[str]:
        """The modules that it was given, in order."""
        return [path.name[10:] for path in sorted(self.directory.glob("asked-*"))]

    def given(self) -> str:
        """Everything that it was given."""
        return "".join(path.read_text() for path in sorted(self.directory.glob("asked-*")))

    def forget(self) -> None:
        """As if it had not been asked."""
        for path in self.directory.glob("asked-*"):
            path.unlink()


@dataclass
class Lab:
    """A fleet, some hosts of it hostile. ``inventory`` is added to the fleet's."""

    fleet: Fleet
    inventory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Many hosts at once keep a small machine busy.
        self.fleet.settings["propagation_timeout"] = 60

    def hostile(self, name: str) -> Hostile:
        """Turn a host of the fleet hostile."""
        directory = self.fleet.control.directory / f"hostile-{name}"
        directory.mkdir()
        program = directory / "python"
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        made = Hostile(name, directory)
        made.answer()
        self.fleet.own[name] = {"ansible_python_interpreter": str(program)}
        return made

    def run(self, playbook: str, *words: str, **keywords: Any) -> Run:
        """As `Fleet.run`, and no host of the fleet but the hostile ones has to be asked anything else."""
        more = self.fleet.control.write("more.yml", {"all": self.inventory})
        return self.fleet.run(playbook, "-i", str(more), *words, **keywords)


class Elsewhere:
    """A server that counts who connects."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        host, port = listening.getsockname()
        self.url = f"http://{host}:{port}/"

    def visits(self) -> int:
        """The connections until now."""
        count = 0
        while True:
            try:
                self._listening.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@contextmanager
def listening() -> Iterator[Elsewhere]:
    """Such a server on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield Elsewhere(server)
