# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches files and started programs for planted secrets; reports their locations, never their values.

The secrets come from a file with mode 0600, or from standard input (-), as JSON:
  {"name": "secret", "other": {"value": "secret", "user": "public key", "canary": true}}
A canary must be found in every path and, with --programs, in arguments and in an environment; otherwise the search is
not reliable. All other secrets must not be found anywhere.
Exits with 0 on success, 1 if a secret was found, 2 if a canary was not found or something could not be searched.
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
from .trace import programs, search, traced


def read_secrets(source: str) -> list[Secret]:
    """Reads the secrets from a file, or from standard input for ``-``. Raises `NotSearched`, never with a secret."""
    try:
        if source == "-":
            content = json.load(sys.stdin)
        else:
            with open(source, encoding="utf-8") as stream:
                if os.fstat(stream.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise NotSearched(f"{source} is accessible to other users; its mode must be 0600")
                content = json.load(stream)
        secrets = []
        for name, entry in content.items():
            fields = {"value": entry} if isinstance(entry, str) else entry
            secrets.append(Secret(name=name, **fields))
        return secrets
    except OSError as error:
        raise NotSearched(f"{source}: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError) as error:
        # Messages of JSON errors contain positions, those of our errors contain names; neither contains values.
        is_safe = isinstance(error, ValueError) and not isinstance(error, UnicodeError)
        reason = str(error) if is_safe else "wrong fields"
        raise NotSearched(f"the secrets in {source} cannot be used: {reason}") from None


def scan(secrets: Sequence[Secret], paths: Sequence[str], without: Sequence[str], traces: Sequence[str]) -> Report:
    """Searches the paths (``-`` is standard input) and the programs recorded in every directory of traces."""
    scanner = Scanner(secrets)
    report = Report()
    for path in paths:
        if path == "-":
            report.merge(scanner.data(sys.stdin.buffer.read(), "-", "standard input"))
        else:
            report.merge(scanner.paths([Path(path)], path, without=[Path(name) for name in without]))
    for directory in traces:
        report.merge(search(scanner, programs(Path(directory))))
    report.require(*paths, *(["argv", "environment"] if traces else []))
    return report


def search_all(given: argparse.Namespace) -> int:
    """The command ``scan``."""
    if given.secrets_file == "-" and "-" in given.paths:
        raise NotSearched("standard input cannot be used for both the secrets and the data to search")
    if not given.paths and not given.programs:
        raise NotSearched("nothing to search: name a PATH or use --programs")
    secrets = read_secrets(given.secrets_file)
    report = scan(secrets, given.paths, given.without, given.programs)
    canaries = {secret.name for secret in secrets if secret.canary}
    leaks = sorted({str(finding) for finding in report.findings if finding.secret not in canaries})
    missed = [
        (name, channel) for name in sorted(canaries) for channel in report.channels if channel not in report.where(name)
    ]
    for leak in leaks:
        print(f"LEAK {leak}")
    for name, channel in missed:
        print(f"leaks: the canary {name} was not found in {channel}, so this search is not reliable", file=sys.stderr)
    print(f"{len(leaks)} leaks; searched {report}")
    return 1 if leaks else 2 if missed else 0


def trace(given: argparse.Namespace) -> int:
    """The command ``trace``; returns only if the command cannot be started."""
    command = traced(given.command, Path(given.directory))
    os.execvp(command[0], command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="leaks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="scan|trace")
    command = commands.add_parser("scan", help="search files, directories and started programs")
    command.set_defaults(run=search_all)
    command.add_argument("--secrets-file", required=True, metavar="FILE", help="JSON, mode 0600; - for standard input")
    command.add_argument("--without", action="append", default=[], metavar="PATH", help="path to exclude")
    command.add_argument(
        "--programs",
        action="append",
        default=[],
        metavar="DIRECTORY",
        help="output of `trace`: arguments and environments",
    )
    command.add_argument("paths", nargs="*", metavar="PATH", help="file or directory, - for standard input")
    command = commands.add_parser("trace", help="run a command and record every program that it starts")
    command.set_defaults(run=trace)
    command.add_argument(
        "directory", metavar="DIRECTORY", help="existing directory for the records, for `scan --programs`"
    )
    command.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except NotSearched as error:
        print(f"leaks: {error}", file=sys.stderr)
        return 2
