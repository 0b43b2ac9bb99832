# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No download token leaves a run: not in output, logs, results, temporary files, arguments or environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leaks import syslog_socket
from system.leaks.lab import FOREIGN, GIVEN, SEEN, Lab

pytestmark = pytest.mark.needs("strace", "curl")
TOKEN = "keyfleet.magento.magento_download_token"
INFO = "keyfleet.magento.magento_download_token_info"
RELEASES = "keyfleet.magento.magento_release_info"
RELEASE = "keyfleet.magento.magento_release"
FILE = "Magento-CE-2.3.2.zip"
LOGGED = ("syslog",) if syslog_socket.lacking() is None else ()


def task(register: str, module: str, **options: Any) -> dict[str, Any]:
    keywords: dict[str, Any] = {name: options.pop(name) for name in ("check_mode", "diff") if name in options}
    return {"name": register, "register": register, module: options, **keywords}


class Fleet:
    """The options for the simulator, and a netrc with secrets of other services."""

    def __init__(self, lab: Lab) -> None:
        self.netrc = Path(lab.project("shop")) / "netrc"
        self.netrc.write_text(
            f"# {FOREIGN['basic']} was it before\nmachine api.code.example login {FOREIGN['github']} password x\n"
            f'default login somebody password "{FOREIGN["bearer"]}"\n'
        )
        self.dest = str(self.netrc.with_name(FILE))
        self.pair = {
            "mage_id": lab.simulator.account("shop")["mage_id"],
            "token": "{{ vault_download_token }}",
        }
        self.server = {"downloads_url": lab.simulator.downloads_url, "ca_path": lab.simulator.ca_path}
        self.entry = {"host": lab.simulator.host, "paths": [str(self.netrc)], **self.server}


def test_successful_tasks_leak_no_token(lab: Lab) -> None:
    lab.simulator.change_account("shop", download_token=GIVEN["download_token"])
    fleet = Fleet(lab)
    file = {"file_name": FILE, "dest": fleet.dest, **fleet.server}
    steps = [
        task("predicted", TOKEN, **fleet.pair, **fleet.entry, check_mode=True, diff=True),
        task("installed", TOKEN, **fleet.pair, **fleet.entry, diff=True),
        task("repeated", TOKEN, **fleet.pair, **fleet.entry, diff=True, verify="always"),
        task("verified", INFO, **fleet.entry),
        task("checked", INFO, **fleet.pair, **fleet.server),
        task("listed", RELEASES, netrc_path=str(fleet.netrc), **fleet.server),
        task("downloaded", RELEASE, **file, netrc_path=str(fleet.netrc), diff=True),
        task("again", RELEASE, **file, **fleet.pair, force=True, diff=True),
        task("removed", TOKEN, **fleet.entry, state="absent", diff=True),
    ]
    watched, results = lab.play(steps)
    assert {name: result["failed"] for name, result in results.items()} == dict.fromkeys(results, False)
    statuses = [
        verdict["status"] for name in ("installed", "repeated", "verified") for verdict in results[name]["verdicts"]
    ]
    assert statuses == ["valid"] * 5
    assert results["downloaded"]["changed"] and results["listed"]["releases"]
    # The starts of curl were recorded, so the search would have found a token in its arguments.
    assert sum(Path(argv[0]).name == "curl" for argv in watched.argvs if argv) >= 8
    watched.report.require_clean(*SEEN, "results", *LOGGED)


def test_failed_tasks_leak_no_token(lab: Lab) -> None:
    # No account has this token.
    fleet = Fleet(lab)
    file = {"file_name": FILE, "dest": fleet.dest, **fleet.server}
    broken = fleet.netrc.with_name("broken")
    broken.write_text(f'machine a.example login b password "{FOREIGN["broken"]}\n')
    elsewhere = {"downloads_url": "https://127.0.0.1:9/products/downloads"}
    steps = [
        task("wrong", TOKEN, **fleet.pair, **fleet.entry),
        task("wrong_checked", INFO, **fleet.pair, **fleet.server, fail_on=["invalid"]),
        task("wrong_listed", RELEASES, **fleet.pair, **fleet.server),
        task("wrong_downloaded", RELEASE, **file, **fleet.pair),
        task("unreachable", TOKEN, **fleet.pair, **{**fleet.entry, **elsewhere}),
        task("swapped", TOKEN, mage_id=fleet.pair["token"], token=fleet.pair["mage_id"], paths=[str(fleet.netrc)]),
        task("upper", TOKEN, **{**fleet.pair, "token": "{{ vault_download_token | upper }}"}, paths=[str(fleet.netrc)]),
        task("malformed", TOKEN, **fleet.pair, **{**fleet.entry, "paths": [str(broken)]}),
        task("malformed_verified", INFO, **{**fleet.entry, "paths": [str(broken)]}),
        task("misspelt", TOKEN, mage_id="MAG1", tokn=fleet.pair["token"]),
    ]
    watched, results = lab.play(steps, "--diff")
    codes = {name: result.get("code") for name, result in results.items() if result["failed"]}
    assert codes == {
        "wrong": "token_invalid",
        "wrong_checked": "token_invalid",
        "wrong_listed": "token_invalid",
        "wrong_downloaded": "token_invalid",
        "unreachable": "connection_failed",
        "swapped": "bad_token",
        "upper": "bad_token",
        "malformed": "malformed_file",
        "misspelt": None,
    }
    watched.report.require_clean(*SEEN, "results", *LOGGED)
