# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches files for planted secrets; says where they are, never what they are.

The secrets come from a file that nobody else can read, or from standard input (-), as JSON:
  {"name": "secret", "other": {"value": "secret", "user": "public key", "canary": true}}
A canary has to be found, since a search that finds nothing planted proves nothing; all others must not be.
Ends 0 when all is as it must be, 1 when a secret was found, 2 when a canary was not, or nothing could be searched.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from .forms import Secret
from .report import NotSearched, Report
from .scanner import Scanner


def read_secrets(source: str) -> list[Secret]:
    """The secrets of a file, or of standard input for ``-``. Raises `NotSearched` without quoting anything."""
    try:
        if source == "-":
            content = json.load(sys.stdin)
        else:
            with open(source, encoding="utf-8") as stream:
                if os.fstat(stream.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise NotSearched(f"{source} is open to others; its mode must be 0600")
                content = json.load(stream)
        secrets = []
        for name, entry in content.items():
            fields = {"value": entry} if isinstance(entry, str) else entry
            secrets.append(Secret(name=name, **fields))
        return secrets
    except OSError as error:
        raise NotSearched(f"{source}: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError) as error:
        # The words of a JSON error hold places, those of ours names; neither holds values.
        ours = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
        reason = str(error) if ours else "wrong fields"
        raise NotSearched(f"the secrets in {source} cannot be used: {reason}") from None


def scan(secrets: Sequence[Secret], paths: Sequence[str], without: Sequence[str]) -> Report:
    """Searches the paths; ``-`` is standard input."""
    scanner = Scanner(secrets)
    report = Report()
    for path in paths:
        if path == "-":
            report.merge(scanner.data(sys.stdin.buffer.read(), "-", "standard input"))
        else:
            report.merge(scanner.paths([Path(path)], path, without=[Path(name) for name in without]))
    report.require(*paths)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="leaks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="scan")
    command = commands.add_parser("scan", help="search files and directories")
    command.add_argument("--secrets-file", required=True, metavar="FILE", help="JSON, mode 0600; - for standard input")
    command.add_argument("--without", action="append", default=[], metavar="PATH", help="where the secrets belong")
    command.add_argument("paths", nargs="+", metavar="PATH", help="file or directory, - for standard input")
    given = parser.parse_args(arguments)
    try:
        if given.secrets_file == "-" and "-" in given.paths:
            raise NotSearched("standard input cannot hold both the secrets and what is searched")
        secrets = read_secrets(given.secrets_file)
        report = scan(secrets, given.paths, given.without)
    except NotSearched as error:
        print(f"leaks: {error}", file=sys.stderr)
        return 2
    canaries = {secret.name for secret in secrets if secret.canary}
    leaks = sorted({str(finding) for finding in report.findings if finding.secret not in canaries})
    missed = sorted(name for name in canaries if not report.where(name))
    for leak in leaks:
        print(f"LEAK {leak}")
    for name in missed:
        print(f"leaks: the canary {name} was not found, so this search proves nothing", file=sys.stderr)
    print(f"{len(leaks)} leaks; searched {report}")
    return 1 if leaks else 2 if missed else 0
