# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_download_token and its info module through main() without a server: files, options and failures."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.modules.magento_download_token import ARGUMENT_SPEC, main
from ansible_collections.keyfleet.magento.plugins.modules.magento_download_token_info import main as info_main
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

HOST = "www.magentocommerce.com"
MAGE_ID, TOKEN, OLD = "MAG123456789", "0123456789" * 4, "9876543210" * 4
PAIR = {"mage_id": MAGE_ID, "token": TOKEN}
LINE = f"machine {HOST} login {MAGE_ID} password {TOKEN}\n"
OTHERS = (
    "# hunter2 of old\nmachine other.example\n  login me\n  password hunter2\n\ndefault login you password hunter2\n"
)


def run(options: Dict[str, Any], check_mode: bool = False) -> ModuleResult:
    answer = run_module(main, {"verify": "never", **options}, check_mode=check_mode)
    for secret in (TOKEN, OLD, "hunter2"):
        assert secret not in answer.text, answer.text
    return answer


CASES = {
    "created": ("", {}, LINE, "created"),
    "added to others": (OTHERS, {}, OTHERS.replace("machine", LINE + "machine", 1), "updated"),
    "different token": (LINE.replace(TOKEN, OLD) + OTHERS, {}, LINE + OTHERS, "updated"),
    "different MAGEID": (LINE.replace("MAG1", "MAG9") + OTHERS, {}, LINE + OTHERS, "updated"),
    "removed": (LINE + OTHERS, {"state": "absent"}, OTHERS, "removed"),
    "removed by its MAGEID": (LINE + OTHERS, {"state": "absent", "mage_id": MAGE_ID}, OTHERS, "removed"),
    "different MAGEID is not removed": (LINE, {"state": "absent", "mage_id": "MAG1"}, LINE, "unchanged"),
    "nothing to remove": (OTHERS, {"state": "absent"}, OTHERS, "unchanged"),
}


@pytest.mark.parametrize("name", CASES)
def test_check_mode_predicts_the_run_and_a_second_run_changes_nothing(name: str, tmp_path: Path) -> None:
    before, changes, after, action = CASES[name]
    path = tmp_path / "netrc"
    if before:
        path.write_text(before)
        path.chmod(0o600)
    options = {"paths": [str(path)], **(changes if "state" in changes else PAIR)}
    predicted = run(options, check_mode=True)
    assert (path.read_text() if path.exists() else "") == before
    done = run(options)
    assert path.read_text() == after
    for part in ("changed", "files", "diff", "problems"):
        assert predicted.result[part] == done.result[part]
    assert [row["action"] for row in done.result["files"]] == [action]
    assert done.result["changed"] == (action != "unchanged") == bool(done.result["diff"])
    for check_mode in (True, False):
        again = run(options, check_mode)
        assert not again.result["changed"] and [row["action"] for row in again.result["files"]] == ["unchanged"]
    assert path.read_text() == after


def test_an_entry_in_the_result(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text(f"machine {HOST} login somebody password hunter2\n")
    path.chmod(0o640)
    row = run({"paths": [str(path)], **PAIR}).result["files"][0]
    assert (row["host"], row["path"]) == (HOST, str(path))
    before, after = row["before"], row["after"]
    assert (before["mage_id"], before["fingerprint"], before["mode"]) == ("set", "set", "0640")
    assert (after["mage_id"], after["mode"]) == (MAGE_ID, "0600")
    assert after["fingerprint"].startswith("sha256:") and len(after["fingerprint"]) == 19


def test_the_mode_is_set_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text(LINE)
    path.chmod(0o644)
    answer = run({"paths": [str(path)], **PAIR})
    assert [row["action"] for row in answer.result["files"]] == ["repaired"]
    assert [problem["code"] for problem in answer.result["problems"]] == ["readable_by_others"]
    assert len(answer.warnings()) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run({"paths": [str(path)], **PAIR}).warnings() == []


def test_two_paths_to_one_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "netrc")
    options = {"paths": [str(tmp_path / "netrc"), str(tmp_path / "link")], **PAIR}
    predicted = run(options, check_mode=True)
    done = run(options)
    assert [row["action"] for row in predicted.result["files"]] == ["created", "unchanged"]
    assert predicted.result["files"] == done.result["files"]
    assert (tmp_path / "netrc").read_text() == LINE


REFUSED: Dict[str, Dict[str, Any]] = {
    "bad_token": {"token": OLD.upper() + "A"},
    "bad_options no token": {"token": None},
    "bad_options no pair": {"token": None, "mage_id": None},
    "bad_options mode": {"mode": "0644"},
    "bad_options relative": {"paths": ["a/../netrc"]},
    "bad_options empty": {"paths": []},
    "bad_options host": {"host": "https://a.example"},
    "bad_options address": {"downloads_url": "http://a.example"},
    "bad_options timeout": {"timeout": 0},
    "bad_options removal": {"state": "absent", "mage_id": 5},
    "no_directory": {"paths": ["/nonexistent/of/keyfleet/netrc"]},
    "unknown_user": {"users": ["no-such-user-of-keyfleet"]},
    "unknown_user owner": {"owner": "no-such-user-of-keyfleet"},
    "unknown_group": {"group": "no-such-group-of-keyfleet"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_failures_change_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    answer = run({"paths": [str(path)], **PAIR, **REFUSED[name]})
    assert answer.code == name.split(" ")[0], answer.result
    assert not path.exists() and not answer.result["changed"]


def test_a_file_that_curl_cannot_read_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text('machine other.example login me password "hunter2\n')
    for options in (PAIR, {"state": "absent"}):
        answer = run({"paths": [str(path)], **options})
        assert answer.code == "malformed_file" and "line 1" in answer.result["msg"]
    assert path.read_text() == 'machine other.example login me password "hunter2\n'


def test_the_home_of_the_current_user_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in curl, HOME comes before the user database."""
    own = str(tmp_path / ".netrc")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [row["path"] for row in run_module(info_main, {}).result["files"]] == [own]
    registered = os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".netrc")
    for home, expected in ((str(tmp_path), own), (None, registered)):
        if home:
            monkeypatch.setenv("HOME", home)
        else:
            monkeypatch.delenv("HOME")
        answer = run({**PAIR, "state": "absent", "token": None}, check_mode=True)
        if os.geteuid() == 0:
            assert answer.code == "no_target"
        else:
            assert [row["path"] for row in answer.result["files"]] == [expected]


@pytest.mark.parametrize("mage_id", [TOKEN, [TOKEN], {"a": TOKEN}, f"{TOKEN}\n"])
def test_a_token_given_as_mage_id_is_not_quoted(mage_id: Any, tmp_path: Path) -> None:
    for main_function, code in ((main, "bad_token"), (info_main, "bad_token")):
        answer = run_module(main_function, {"mage_id": mage_id, "token": MAGE_ID, "paths": [str(tmp_path / "netrc")]})
        assert answer.code == code and TOKEN not in answer.text


def test_the_token_is_no_log_and_the_mage_id_is_not() -> None:
    assert ARGUMENT_SPEC["token"]["no_log"] is True
    assert "no_log" not in ARGUMENT_SPEC["mage_id"]


def test_info_does_not_verify_a_token_at_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text(OTHERS.replace("machine", LINE + "machine", 1))
    path.chmod(0o600)
    # The URL has another host than the entry, so that no request is sent.
    options = {"paths": [str(path), str(tmp_path / "none")], "downloads_url": "https://127.0.0.1:9/products/downloads"}
    answer = run_module(info_main, options)
    assert TOKEN not in answer.text and "hunter2" not in answer.text
    first, second = answer.result["files"]
    assert (first["exists"], first["mage_id"], first["mode"]) == (True, MAGE_ID, "0600")
    assert (second["exists"], second["mage_id"], second["mode"]) == (False, None, None)
    assert [(v["status"], v["code"], v["commerce"]) for v in answer.result["verdicts"]] == [
        ("not_checked", "not_asked", None)
    ]
    assert answer.result["problems"] == [] and not answer.result["changed"]


def test_info_reports_unusable_files(tmp_path: Path) -> None:
    broken, open_to_all = tmp_path / "broken", tmp_path / "open"
    broken.write_text('machine other.example login me password "hunter2\n')
    broken.chmod(0o600)
    open_to_all.write_text("machine other.example login me password hunter2\n")
    open_to_all.chmod(0o604)
    options = {"paths": [str(broken), str(open_to_all)], "users": ["no-such-user-of-keyfleet"]}
    answer = run_module(info_main, options)
    assert "hunter2" not in answer.text
    found = [(problem["code"], problem["path"]) for problem in answer.result["problems"]]
    assert found == [
        ("unknown_user", None),
        ("malformed_file", str(broken)),
        ("readable_by_others", str(open_to_all)),
    ]
    assert answer.result["verdicts"] == []
