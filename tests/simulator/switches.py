# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches: the behaviour of the simulator where the real hosts are undocumented or may fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .problems import BadInput

Value = bool | int | str


@dataclass(frozen=True)
class Switch:
    """A switch: its name, default and meaning, and its allowed words unless any value is allowed."""

    name: str
    default: Value
    about: str
    choices: tuple[str, ...] = ()

    def accept(self, value: object) -> Value:
        """Converts the value to the type of the switch; BadInput that names the allowed values otherwise."""
        if self.choices:
            # Users may write 403 or "403".
            word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if isinstance(word, str) and word in self.choices:
                return word
            raise BadInput(f"switch {self.name} takes one of: {', '.join(self.choices)}")
        if isinstance(self.default, bool):
            if isinstance(value, bool):
                return value
            raise BadInput(f"switch {self.name} takes true or false")
        if isinstance(self.default, int):
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                return value
            raise BadInput(f"switch {self.name} takes a whole number, 0 or more")
        if isinstance(value, str):
            return value
        raise BadInput(f"switch {self.name} takes a string")


class Switches:
    """Current values by name; BadInput for unknown names."""

    def __init__(self, known: tuple[Switch, ...]) -> None:
        self._known = {switch.name: switch for switch in known}
        self._values: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        return self._values.get(name, self._switch(name).default)

    def _switch(self, name: str) -> Switch:
        if name not in self._known:
            raise BadInput(f"no switch is named {name}; the switches are: {', '.join(sorted(self._known))}")
        return self._known[name]

    def on(self, name: str) -> bool:
        """The value of a true/false switch."""
        return self[name] is True

    def word(self, name: str) -> str:
        """The value of a switch as a string."""
        return str(self[name])

    def number(self, name: str) -> int:
        """The value of a numeric switch."""
        return int(self[name])

    def update(self, values: Mapping[str, object]) -> None:
        """Sets several switches, all or none; None resets a switch to its default."""
        accepted = {
            name: self._switch(name).default if value is None else self._switch(name).accept(value)
            for name, value in values.items()
        }
        self._values.update(accepted)

    def reset(self) -> None:
        """Resets every switch to its default."""
        self._values.clear()

    def values(self) -> dict[str, Value]:
        """Every switch with its current value."""
        return {name: self[name] for name in self._known}

    def changed(self) -> dict[str, Value]:
        """Only the switches that are not at their default."""
        return {name: value for name, value in self.values().items() if value != self._known[name].default}

    def described(self) -> dict[str, dict[str, object]]:
        """Value, default, choices and meaning by name, for the command line and the control interface."""
        return {
            name: {
                "value": self[name],
                "default": switch.default,
                "choices": list(switch.choices),
                "about": switch.about,
            }
            for name, switch in self._known.items()
        }
