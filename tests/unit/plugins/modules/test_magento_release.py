# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_release and its info module through main() without a server."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.modules.magento_release import ARGUMENT_SPEC, main
from ansible_collections.keyfleet.magento.plugins.modules.magento_release_info import main as info_main
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

NAME = "Magento-CE-2.4.8.zip"
CONTENT = b"PK\x03\x04 made up"
SUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
PAIR = {"mage_id": "MAG123456789", "token": "0123456789" * 4}
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl not found")


def run(options: Dict[str, Any], check_mode: bool = False) -> ModuleResult:
    answer = run_module(main, {"file_name": NAME, **options}, check_mode=check_mode)
    assert PAIR["token"] not in answer.text
    return answer


@pytest.mark.parametrize("dest", ["{}/", "{}", "{}/" + NAME])
def test_a_file_with_the_checksum_needs_neither_server_nor_token(tmp_path: Path, dest: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    options = {"dest": dest.format(tmp_path), "checksum": SUM.upper().replace("SHA", "sha")}
    for check_mode in (True, False):
        answer = run(options, check_mode)
        assert answer.result["changed"], answer.result
        assert [row["action"] for row in answer.result["files"]] == ["repaired"]
        assert answer.result["files"][0]["before"]["mode"] == "0600"
        assert answer.result["transfer"] == {"requests": 0, "resumed_from": 0}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and path.read_bytes() == CONTENT
    for check_mode in (True, False):
        again = run(options, check_mode).result
        assert not again["changed"] and again["diff"] == [] and again["files"][0]["action"] == "unchanged"
    assert os.listdir(str(tmp_path)) == [NAME]


REFUSED: Dict[str, Dict[str, Any]] = {
    "no algorithm": {"checksum": "0" * 64},
    "an unknown algorithm": {"checksum": "crc:00"},
    "a digest of a wrong length": {"checksum": "sha256:00"},
    "a digest of variable length": {"checksum": "shake_128:00"},
    "no digest": {"checksum": "sha256:"},
    "a file name with a path": {"file_name": "../" + NAME},
    "a hidden file": {"file_name": ".zip"},
    "a file name with a query": {"file_name": "a.zip?b"},
    "no file name": {"file_name": ""},
    "a mode for everybody": {"mode": "0666"},
    "an invalid mode": {"mode": "rw"},
    "a path with ..": {"dest": "/tmp/../etc/"},
    "negative retries": {"retries": -1},
    "two sources of a token": {**PAIR, "netrc_path": "/nonexistent/netrc"},
    "half a token": {"mage_id": "MAG123456789"},
    "a URL without TLS": {"downloads_url": "http://www.magentocommerce.com"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_options_are_refused(name: str, tmp_path: Path) -> None:
    answer = run({"dest": f"{tmp_path}/", **REFUSED[name]})
    assert answer.code == "bad_options", answer.result
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param({"netrc_path": "/nonexistent/of/keyfleet/netrc"}, "no_credentials", marks=needs_curl),
        ({"owner": "no-such-user-of-keyfleet"}, "unknown_user"),
        ({"group": "no-such-group-of-keyfleet"}, "unknown_group"),
        ({"dest": "/nonexistent/of/keyfleet/file"}, "no_directory"),
        ({"mage_id": "MAG123456789", "token": "0" * 32}, "bad_token"),
    ],
)
def test_failures_change_nothing(options: Dict[str, Any], code: str, tmp_path: Path) -> None:
    answer = run({"dest": f"{tmp_path}/", **options})
    assert answer.code == code and not answer.result["changed"], answer.result
    assert os.listdir(str(tmp_path)) == []


@needs_curl
def test_info_without_credentials(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine other.example login me password hunter2\n")
    answer = run_module(info_main, {"netrc_path": str(netrc)})
    assert answer.code == "no_credentials" and "hunter2" not in answer.text
    assert answer.result["releases"] == [] and str(netrc) in answer.result["msg"]


def test_the_token_is_no_log() -> None:
    assert ARGUMENT_SPEC["token"]["no_log"] is True
