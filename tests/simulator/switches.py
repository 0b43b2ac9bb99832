# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches: how the simulator behaves where the real hosts are undocumented, or on a bad day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .problems import BadInput

Value = bool | int | str


@dataclass(frozen=True)
class Switch:
    """One switch: its start value, what it does, and the words it takes when it is not free."""

    name: str
    default: Value
    about: str
    choices: tuple[str, ...] = ()

    def accept(self, value: object) -> Value:
        """The value in the switch's own type; BadInput that names what is allowed otherwise."""
        if self.choices:
            # 403 and "403" mean the same thing to everybody who types one.
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
    """Current values by name; only known names exist."""

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
        """The value of a switch of words."""
        return str(self[name])

    def number(self, name: str) -> int:
        """The value of a switch of whole numbers."""
        return int(self[name])

    def update(self, values: Mapping[str, object]) -> None:
        """Sets several at once, all or none; None puts one back to its default."""
        accepted = {
            name: self._switch(name).default if value is None else self._switch(name).accept(value)
            for name, value in values.items()
        }
        self._values.update(accepted)

    def reset(self) -> None:
        """Puts every switch back to its default."""
        self._values.clear()

    def values(self) -> dict[str, Value]:
        """Every switch with its current value."""
        return {name: self[name] for name in self._known}

    def changed(self) -> dict[str, Value]:
        """Only those that are not at their default."""
        return {name: value for name, value in self.values().items() if value != self._known[name].default}

    def described(self) -> dict[str, dict[str, object]]:
        """Name → value, default, choices and meaning, for people and for the control interface."""
        return {
            name: {
                "value": self[name],
                "default": switch.default,
                "choices": list(switch.choices),
                "about": switch.about,
            }
            for name, switch in self._known.items()
        }
