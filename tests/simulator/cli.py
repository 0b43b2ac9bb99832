# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``serve``, and commands that control a running simulator."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .client import Simulator
from .faults import FIELDS, KINDS
from .problems import BadInput


def _value(word: str) -> Any:
    """A value from the command line: JSON if it is valid JSON, text otherwise."""
    try:
        return json.loads(word)
    except ValueError:
        return word


def _pairs(words: Sequence[str]) -> dict[str, Any]:
    """Converts ``name=value`` words to an object; BadInput for any other word."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise BadInput(f"{word} is not of the form name=value")
        found[name] = _value(value)
    return found


def _show(content: object) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def _serve(options: argparse.Namespace) -> None:
    # Imported here, because the other commands need neither aiohttp nor trustme.
    from .server import Settings, serve

    serve(
        Settings(
            options.state, options.listen, options.self_signed, tuple(options.name), options.data, options.parent_pid
        )
    )


def _switch(options: argparse.Namespace, simulator: Simulator) -> None:
    if options.reset:
        simulator.call("DELETE", "switches")
    if options.setting:
        simulator.call("PATCH", "switches", _pairs(options.setting))
    for name, switch in simulator.switches().items():
        choices = f" [{'|'.join(switch['choices'])}]" if switch["choices"] else ""
        mark = "" if switch["value"] == switch["default"] else "  (changed)"
        sys.stdout.write(f"{name}={json.dumps(switch['value'])}{mark}\n    {switch['about']}{choices}\n")


def _fault(options: argparse.Namespace, simulator: Simulator) -> None:
    if options.action == "add":
        if not options.word:
            raise BadInput(f"fault add requires a kind: {', '.join(KINDS)}")
        simulator.add_fault(options.word[0], **_pairs(options.word[1:]))
    elif options.action == "remove":
        for number in options.word:
            simulator.call("DELETE", f"faults/{number}")
    elif options.action == "clear":
        simulator.clear_faults()
    elif options.action == "kinds":
        for title, entries in (("kinds", KINDS), ("fields", FIELDS)):
            sys.stdout.write(f"{title}:\n" + "".join(f"    {name}: {about}\n" for name, about in entries.items()))
        return
    _show(simulator.faults())


def _log(options: argparse.Namespace, simulator: Simulator) -> None:
    if options.clear:
        simulator.clear_log()
        return
    for entry in simulator.requests():
        if options.json:
            sys.stdout.write(json.dumps(entry) + "\n")
        else:
            words = ("time", "status", "method", "host", "path", "sent", "user")
            sys.stdout.write(" ".join(str(entry[word] if entry[word] is not None else "-") for word in words) + "\n")


def _account(options: argparse.Namespace, simulator: Simulator) -> None:
    words = options.word
    wanted = {"list": 0, "add-key": 2, "enable": 2, "disable": 2, "delete": 2}
    if len(words) < wanted.get(options.action, 1):
        raise BadInput(
            f"account {options.action} requires the name of an account" + " and a label" * (options.action in wanted)
        )
    if options.action == "list":
        for account in simulator.accounts():
            sys.stdout.write(f"{account['name']}  {account['mage_id'] or '-'}  {' '.join(account['entitlements'])}\n")
            for key in account["keys"]:
                state = "enabled" if key["enabled"] else "disabled"
                sys.stdout.write(f"    {key['label']}  {key['public']}  {state}\n")
    elif options.action == "show":
        _show(simulator.account(words[0]))
    elif options.action == "set":
        known = {account["name"]: account for account in simulator.accounts()}
        _show(simulator.set_account(**{**known.get(words[0], {"name": words[0]}), **_pairs(words[1:])}))
    elif options.action == "remove":
        simulator.remove_account(words[0])
    elif options.action == "replace-token":
        simulator.replace_token(words[0])
    elif options.action == "remove-token":
        simulator.remove_token(words[0])
    elif options.action == "add-key":
        simulator.add_key(words[0], words[1], **_pairs(words[2:]))
        _show(simulator.account(words[0])["keys"][-1])
    else:
        public, _private = simulator.key(words[0], words[1])
        {"enable": simulator.enable_key, "disable": simulator.disable_key, "delete": simulator.delete_key}[
            options.action
        ](public)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python tests/simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="serve in the foreground until SIGTERM")
    serve.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory for CA, state and log")
    serve.add_argument(
        "--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0: a free port, see DIR/address"
    )
    serve.add_argument("--self-signed", metavar="HOST:PORT", help="listen there too, with a self-signed certificate")
    serve.add_argument("--name", action="append", default=[], metavar="HOST", help="additional name in the certificate")
    serve.add_argument("--data", type=Path, metavar="FILE", help="packages, downloads and accounts, YAML or JSON")
    serve.add_argument("--parent-pid", type=int, metavar="PID", help="exit when process PID ends")

    def steering_command(name: str, about: str, run: Any) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about)
        command.add_argument("--state", type=Path, required=True, metavar="DIR", help="the server's state directory")
        command.add_argument(
            "--address", metavar="HOST:PORT", help="the server's address, if DIR/address cannot be used"
        )
        command.set_defaults(run=run)
        return command

    switch = steering_command("switch", "show or set switches: NAME=VALUE …", _switch)
    switch.add_argument("--reset", action="store_true", help="first reset all to their defaults")
    switch.add_argument("setting", nargs="*", metavar="NAME=VALUE")
    fault = steering_command("fault", "list, add KIND FIELD=VALUE …, remove ID …, clear, kinds", _fault)
    fault.add_argument("action", choices=("list", "add", "remove", "clear", "kinds"), nargs="?", default="list")
    fault.add_argument("word", nargs="*")
    log = steering_command("log", "show or clear the request log", _log)
    log.add_argument("--json", action="store_true", help="as JSON lines")
    log.add_argument("--clear", action="store_true", help="empty the log instead")
    account = steering_command("account", "list, show, set or remove accounts; change their keys and tokens", _account)
    key_actions = ("add-key", "enable", "disable", "delete")
    actions = ("list", "show", "set", "remove", *key_actions, "replace-token", "remove-token")
    account.add_argument("action", choices=actions, nargs="?", default="list")
    account.add_argument("word", nargs="*", help="ACCOUNT [LABEL] [FIELD=VALUE …]")
    steering_command("downloads", "list the downloads, with checksums", lambda _options, sim: _show(sim.downloads()))
    steering_command("expire-sessions", "end every session of the key API", lambda _options, sim: sim.expire_sessions())
    steering_command("settle", "let changes at the key API take effect now", lambda _options, sim: sim.settle())
    steering_command("reset", "reset accounts, switches, faults, counters and log", lambda _options, sim: sim.reset())
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 on success, 2 for invalid input, 1 if the server cannot be reached."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "serve":
            _serve(options)
        else:
            options.run(options, Simulator.attach(options.state, options.address))
    except BadInput as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    return 0
