# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of the demo, which is searched for secrets before it is printed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from leaks.forms import Secret
from leaks.scanner import Scanner

WIDTH = 100
LONGEST = 200


class Failed(Exception):
    """A check or a command of the demo has failed."""


class Screen:
    """Prints and records the output, and refuses a line that contains a secret."""

    def __init__(self) -> None:
        self.checks = 0
        self._recorded: list[str] = []
        self._secrets: dict[str, Secret] = {}

    def keep_secret(self, user: str, password: str) -> None:
        """Registers a password that must not be printed in any form."""
        self._secrets.setdefault(password, Secret(f"password {len(self._secrets) + 1}", password, user))

    def scanner(self) -> Scanner:
        """A scanner that finds the secrets in every form, also in archives."""
        return Scanner(self._secrets.values())

    def secret_in(self, text: str) -> bool:
        """Whether the text contains a secret literally: the quick check before each line."""
        return any(password in text for password in self._secrets)

    def line(self, text: str = "") -> None:
        """Prints one line; Failed if it contains a secret."""
        if self.secret_in(text):
            raise Failed("a secret was about to be printed")
        self._recorded.append(text)
        print(text, flush=True)

    def title(self, text: str) -> None:
        """Prints the heading of a step."""
        self.line()
        self.line(f"== {text} {'=' * max(4, WIDTH - len(text) - 4)}")

    def command(self, text: str) -> None:
        """Prints a command as a user would type it."""
        self.line()
        self.line(f"$ {text}")

    def output(self, text: str, *, show: bool) -> None:
        """Records one line of a command's output; with ``show``, it is printed, shortened if it is long."""
        if self.secret_in(text):
            raise Failed("a command printed a secret")
        self._recorded.append(text)
        if show:
            self.line(f"   | {text if len(text) <= LONGEST else text[:LONGEST] + ' [...]'}".rstrip())

    def say(self, text: str) -> None:
        """Prints a paragraph for the reader."""
        self.line()
        for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
            self.line(line)

    def check(self, text: str, true: bool) -> None:
        """Prints the result of a check; Failed if it is not true."""
        if not true:
            raise Failed(f"this check failed: {text}")
        self.checks += 1
        self.line(f"   [checked] {text}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table whose columns are as wide as their content."""
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        self.line()
        for row in (head, ["-" * width for width in widths], *rows):
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        self.line()

    def is_clean(self) -> bool:
        """Whether all output, printed or not, contains no secret in any form; planted secrets must be found."""
        scanner = self.scanner()
        output = "\n".join(self._recorded)
        planted = f"{output}\n{' '.join(self._secrets)}"
        found = {finding.secret for finding in scanner.data(planted.encode(), "planted").findings}
        finds_all = found == {secret.name for secret in self._secrets.values()}
        return finds_all and not scanner.data(output.encode(), "output").findings
