# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with arbitrary answers to modules, and a server that must receive no connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from system.control import PYTHON, Run
from system.rotation.lab import Fleet

HONEST: dict[str, Any] = {"changed": False, "files": [], "effective": [], "problems": []}
"""The answer of a host without keys."""
PHASES = ("collect", "deploy", "confirm", "would")
"""The tasks in their order; the last one is the role in check mode."""

# Replaces the Python of the host: stores its input and prints an answer.
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
    """One hostile host. It answers `HONEST` by default."""

    name: str
    directory: Path

    @property
    def program(self) -> str:
        """The program that replaces its Python."""
        return str(self.directory / "python")

    def answer(self, **phases: Any) -> None:
        """Set the answers of these phases: a dictionary, or text that is printed as it is."""
        answers = {"other": HONEST, **phases}
        texts = {phase: text if isinstance(text, str) else json.dumps(text) for phase, text in answers.items()}
        (self.directory / "answers.json").write_text(json.dumps(texts))

    def forge(self, facts: Mapping[str, Any], *phases: str) -> None:
        """Answer with these facts in these phases."""
        self.answer(**{phase: {**HONEST, "ansible_facts": dict(facts)} for phase in phases})

    def asked(self) -> list[str]:
        """The modules that it received, in order."""
        return [path.name[10:] for path in sorted(self.directory.glob("asked-*"))]

    def given(self) -> str:
        """Everything that it received."""
        return "".join(path.read_text() for path in sorted(self.directory.glob("asked-*")))

    def clear(self) -> None:
        """Delete the record of what it received."""
        for path in self.directory.glob("asked-*"):
            path.unlink()


@dataclass
class Lab:
    """A fleet with some hostile hosts. ``inventory`` is added to the inventory of the fleet."""

    fleet: Fleet
    inventory: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Many hosts at once slow down a small machine.
        self.fleet.settings["propagation_timeout"] = 60

    def hostile(self, name: str) -> Hostile:
        """Make a host of the fleet hostile."""
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
        """Like `Fleet.run`, with the additional inventory."""
        more = self.fleet.control.write("more.yml", {"all": self.inventory})
        return self.fleet.run(playbook, "-i", str(more), *words, **keywords)


class CountingServer:
    """A server that counts connections."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        host, port = listening.getsockname()
        self.url = f"http://{host}:{port}/"

    def connections(self) -> int:
        """The number of connections since the last call."""
        count = 0
        while True:
            try:
                self._listening.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@contextmanager
def listening() -> Iterator[CountingServer]:
    """A counting server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield CountingServer(server)
