# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo prints. Everything goes through here, so that a secret among it is noticed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from leaks.forms import Secret
from leaks.scanner import Scanner

WIDTH = 100
LONGEST = 200


class Failed(Exception):
    """Something that the demo claims is not so."""


class Screen:
    """Prints, remembers what it has printed, and refuses a line with a secret in it."""

    def __init__(self) -> None:
        self.claims = 0
        self._heard: list[str] = []
        self._secrets: dict[str, Secret] = {}

    def keep_secret(self, user: str, password: str) -> None:
        """Never print this password, nor anything that is made of it."""
        self._secrets.setdefault(password, Secret(f"password {len(self._secrets) + 1}", password, user))

    def scanner(self) -> Scanner:
        """Finds the secrets in whatever shape, also in packed files."""
        return Scanner(self._secrets.values())

    def secret_in(self, text: str) -> bool:
        """Whether a secret stands in the text as it is; the quick look before each line."""
        return any(password in text for password in self._secrets)

    def line(self, text: str = "") -> None:
        """One line as it is; Failed when there is a secret in it."""
        if self.secret_in(text):
            raise Failed("a secret was about to be printed")
        self._heard.append(text)
        print(text, flush=True)

    def title(self, text: str) -> None:
        """The beginning of a step."""
        self.line()
        self.line(f"== {text} {'=' * max(4, WIDTH - len(text) - 4)}")

    def command(self, text: str) -> None:
        """A command as a person would type it."""
        self.line()
        self.line(f"$ {text}")

    def output(self, text: str, *, show: bool) -> None:
        """One line that a command printed: searched as a whole, shown up to a bearable length, or not at all."""
        if self.secret_in(text):
            raise Failed("a command printed a secret")
        self._heard.append(text)
        if show:
            self.line(f"   | {text if len(text) <= LONGEST else text[:LONGEST] + ' [...]'}".rstrip())

    def say(self, text: str) -> None:
        """A paragraph for the reader."""
        self.line()
        for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
            self.line(line)

    def claim(self, text: str, true: bool) -> None:
        """Say that something is so, after it has been looked at; Failed when it is not."""
        if not true:
            raise Failed(f"not so: {text}")
        self.claims += 1
        self.line(f"   [checked] {text}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their content."""
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        self.line()
        for row in (head, ["-" * width for width in widths], *rows):
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        self.line()

    def is_clean(self) -> bool:
        """Whether all output, shown or not, is without a secret in any shape; planted ones must be found."""
        scanner = self.scanner()
        heard = "\n".join(self._heard)
        planted = f"{heard}\n{' '.join(self._secrets)}"
        found = {finding.secret for finding in scanner.data(planted.encode(), "planted").findings}
        seen = found == {secret.name for secret in self._secrets.values()}
        return seen and not scanner.data(heard.encode(), "output").findings
