# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases listed and downloaded with the real curl: complete and correct, or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from system.files.lab import Accounts, give
from system.token.lab import RELEASE, RELEASES, TOKEN, Host

pytestmark = pytest.mark.needs("curl")

BIG = "Magento-CE-2.4.8.zip"
SMALL = "Magento-CE-2.3.2.zip"
PLUS = "Magento-CE-2.0.0+Samples.zip"
PATCH = "PATCH_SUPEE-6788_CE_1.9.2.1_v1.sh"
WITHOUT_MD5 = "made-up-notes.zip"
MIB = 1024 * 1024
QUICK: dict[str, Any] = {"retry_delay": 0.05}


def part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.keyfleet-part")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(MIB), b""):
            digest.update(piece)
    return digest.hexdigest()


def file_requests(host: Host, name: str) -> list[tuple[str, int, str | None]]:
    requests = [request for request in host.simulator.requests() if request["path"].endswith(f"/file/{name}")]
    return [(request["method"], request["status"], request.get("range")) for request in requests]


def assert_downloaded(host: Host, path: Path, name: str) -> None:
    assert sha256(path) == host.simulator.download(name)["sha256"]
    assert not part_of(path).exists()


def test_big_download_resumes_after_two_interruptions(host: Host, tmp_path: Path) -> None:
    path = tmp_path / BIG
    pattern = f"*/file/{BIG}"
    host.simulator.add_fault("truncate", path=pattern, method="GET", after_bytes=20 * MIB, count=1)
    host.simulator.add_fault("reset", path=pattern, method="GET", after_bytes=20 * MIB, count=1)
    host.simulator.clear_log()
    result = host.run(RELEASE, **host.pair, **QUICK, file_name=BIG, dest=str(path))
    assert_downloaded(host, path, BIG)
    assert path.stat().st_size == 64 * MIB and stat.S_IMODE(path.stat().st_mode) == 0o644
    requests = file_requests(host, BIG)
    assert [status for _method, status, _range in requests] == [200, 206, 206], requests
    starts = [int(str(header).removeprefix("bytes=").removesuffix("-")) for _method, _status, header in requests[1:]]
    # Nearly everything sent before each interruption was received, and nothing was downloaded twice.
    assert starts[0] == 20 * MIB and 20 * MIB < starts[1] <= 40 * MIB
    assert result["transfer"] == {"requests": 3, "resumed_from": starts[1]}
    assert result["files"][0]["action"] == "created" and result["files"][0]["after"]["size"] == 64 * MIB
    assert result["release"]["category"] == "ce-full"


def test_next_run_resumes_an_interrupted_download(host: Host, tmp_path: Path) -> None:
    path = tmp_path / BIG
    host.simulator.add_fault("truncate", path=f"*/file/{BIG}", method="GET", after_bytes=30 * MIB, count=1)
    options = {**host.pair, "file_name": BIG, "dest": str(path), "retries": 0}
    host.fails("connection_lost", RELEASE, **options)
    assert not path.exists() and part_of(path).stat().st_size == 30 * MIB
    assert stat.S_IMODE(part_of(path).stat().st_mode) == 0o600
    host.simulator.clear_log()
    assert host.run(RELEASE, **options)["transfer"] == {"requests": 1, "resumed_from": 30 * MIB}
    assert_downloaded(host, path, BIG)
    assert file_requests(host, BIG) == [("GET", 206, f"bytes={30 * MIB}-")]


def test_leftover_of_another_file_is_discarded(host: Host, tmp_path: Path) -> None:
    path = tmp_path / SMALL
    part_of(path).write_bytes(b"PK\x03\x04 of another file")
    part_of(path).chmod(0o600)
    result = host.run(RELEASE, **host.pair, **QUICK, file_name=SMALL, dest=str(path))
    assert result["transfer"]["requests"] == 2
    assert_downloaded(host, path, SMALL)
    # A leftover that is longer than the file cannot be resumed.
    part_of(path).write_bytes(b"x" * 100000)
    host.run(RELEASE, **host.pair, **QUICK, file_name=SMALL, dest=str(path), force=True)
    assert_downloaded(host, path, SMALL)
    # Without a checksum, no leftover is resumed.
    notes = tmp_path / WITHOUT_MD5
    part_of(notes).write_bytes(b"PK\x03\x04 of another file")
    assert host.run(RELEASE, **host.pair, file_name=WITHOUT_MD5, dest=str(notes))["transfer"]["resumed_from"] == 0
    assert_downloaded(host, notes, WITHOUT_MD5)


ARCHIVES = ["magento-1.9.0.0.tar.gz", "magento-1.9.2.4.tar.bz2", "made-up-cloud-tool.zip"]


@pytest.mark.parametrize("name", [SMALL, PLUS, PATCH, WITHOUT_MD5, *ARCHIVES])
def test_check_mode_predicts_and_second_run_downloads_nothing(host: Host, tmp_path: Path, name: str) -> None:
    options = {**host.pair, "file_name": name, "dest": f"{tmp_path}/"}
    path = tmp_path / name
    host.simulator.clear_log()
    predicted = host.run(RELEASE, check=True, **options)
    assert os.listdir(tmp_path) == [] and {method for method, _s, _r in file_requests(host, name)} == {"HEAD"}
    done = host.run(RELEASE, **options)
    assert_downloaded(host, path, name)
    for part in ("changed", "files", "release", "checksums", "diff"):
        assert predicted[part] == done[part]
    before = path.stat()
    host.simulator.clear_log()
    for check in (True, False):
        again = host.run(RELEASE, check=check, **options)
        assert not again["changed"] and again["files"][0]["action"] == "unchanged" and again["diff"] == []
    assert {method for method, _s, _r in file_requests(host, name)} <= {"HEAD"}
    assert path.stat() == before or path.stat().st_mtime_ns == before.st_mtime_ns
    known = host.simulator.download(name)["md5"] and name != WITHOUT_MD5
    assert [problem["code"] for problem in again["problems"]] == ([] if known else ["size_only"])


def test_given_checksum_needs_no_request(host: Host, tmp_path: Path) -> None:
    path = tmp_path / SMALL
    checksum = f"sha256:{host.simulator.download(SMALL)['sha256']}"
    options = {**host.pair, "file_name": SMALL, "dest": str(path), "checksum": checksum}
    assert host.run(RELEASE, **options)["checksums"]["sha256"] == checksum.split(":")[1]
    host.simulator.clear_log()
    assert not host.run(RELEASE, **options)["changed"]
    assert not host.run(RELEASE, **{**options, "mage_id": None, "token": None})["changed"]
    assert host.simulator.requests() == []
    path.write_bytes(b"something else")
    assert host.run(RELEASE, **options)["files"][0]["action"] == "updated"
    assert_downloaded(host, path, SMALL)
    assert host.run(RELEASE, **options, force=True)["changed"]


def test_wrong_checksum_keeps_the_old_file(host: Host, tmp_path: Path) -> None:
    path = tmp_path / SMALL
    path.write_bytes(b"of old")
    options = {**host.pair, **QUICK, "file_name": SMALL, "dest": str(path)}
    result = host.fails("checksum_mismatch", RELEASE, **options, checksum=f"sha1:{'0' * 40}")
    assert "sha1" in result["msg"] and "the option checksum" in result["msg"]
    host.simulator.set_switch("downloads_md5", "wrong")
    assert "the feed has" in host.fails("checksum_mismatch", RELEASE, **options)["msg"]
    host.simulator.set_switch("downloads_md5", "right")
    host.simulator.add_fault("corrupt", path="*/file/*", method="GET")
    host.fails("checksum_mismatch", RELEASE, **options)
    assert path.read_bytes() == b"of old" and os.listdir(tmp_path) == [path.name]


WRONG_ANSWERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a short text": ({"downloads_file": "text"}, "text_instead", "No such file or no access"),
    "a short text called an archive": (
        {"downloads_file": "text_as_archive"},
        "text_instead",
        "No such file or no access",
    ),
    "a page": ({"downloads_file": "page"}, "text_instead", "Sign in"),
    "a login page": ({"downloads_good_credentials": "login"}, "login_page", "login"),
    "401": ({"downloads_good_credentials": "401"}, "token_invalid", "401"),
    "403": ({"downloads_good_credentials": "403"}, "access_refused", "403"),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_wrong_answer_keeps_the_old_file(host: Host, tmp_path: Path, name: str) -> None:
    switches, code, words = WRONG_ANSWERS[name]
    path = tmp_path / SMALL
    path.write_bytes(b"of old")
    for switch, value in switches.items():
        host.simulator.set_switch(switch, value)
    result = host.fails(code, RELEASE, **host.pair, **QUICK, file_name=SMALL, dest=str(path))
    assert words in result["msg"] and not result["changed"]
    assert path.read_bytes() == b"of old" and os.listdir(tmp_path) == [path.name]


def test_page_instead_of_the_file_fails(host: Host, tmp_path: Path) -> None:
    host.simulator.add_fault("not_json", path="*/file/*")
    result = host.fails("text_instead", RELEASE, **host.pair, **QUICK, file_name=SMALL, dest=f"{tmp_path}/")
    assert os.listdir(tmp_path) == []
    assert result["msg"].isprintable()
    assert host.fails("text_instead", RELEASE, check=True, **host.pair, file_name=SMALL, dest=f"{tmp_path}/")


def test_temporary_faults_are_retried(host: Host, tmp_path: Path) -> None:
    path = tmp_path / SMALL
    pattern = "*/file/*"
    host.simulator.add_fault("status", path=pattern, method="GET", status=503, count=1, headers={"Retry-After": "1"})
    host.simulator.add_fault("reset", path=pattern, method="GET", count=1)
    host.simulator.add_fault("stall", path=pattern, method="GET", count=1)
    result = host.run(RELEASE, **host.pair, **QUICK, file_name=SMALL, dest=str(path), timeout=1)
    assert result["transfer"]["requests"] == 4
    assert_downloaded(host, path, SMALL)


def test_persistent_faults_fail_after_all_retries(host: Host, tmp_path: Path) -> None:
    options = {**host.pair, **QUICK, "file_name": SMALL, "dest": f"{tmp_path}/", "retries": 2, "timeout": 1}
    faults: list[tuple[dict[str, Any], str]] = [
        ({"kind": "status", "status": 429}, "rate_limited"),
        ({"kind": "stall", "after_bytes": 10}, "timed_out"),
        ({"kind": "truncate", "after_bytes": 0}, "connection_lost"),
    ]
    for fault, code in faults:
        host.simulator.add_fault(path="*/file/*", method="GET", **fault)
        result = host.fails(code, RELEASE, **options)
        assert "tried 3 times" in result["msg"] and result["transfer"]["requests"] == 3
        assert not (tmp_path / SMALL).exists()
        host.simulator.clear_faults()


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("downloads_ranges", False),
        ("downloads_tags", False),
        ("downloads_chunked", True),
        ("downloads_redirect", True),
        ("downloads_type", "application/octet-stream"),
        ("downloads_versions", "text"),
        ("downloads_md5", "empty"),
    ],
)
def test_undocumented_server_behaviour_is_supported(host: Host, tmp_path: Path, switch: str, value: Any) -> None:
    path = tmp_path / BIG
    host.simulator.set_switch(switch, value)
    host.simulator.add_fault("reset", path=f"*/file/{BIG}", method="GET", after_bytes=8 * MIB, count=1)
    host.run(RELEASE, **host.pair, **QUICK, file_name=BIG, dest=str(path))
    assert_downloaded(host, path, BIG)


def test_credentials_are_not_sent_to_another_host(host: Host, tmp_path: Path) -> None:
    host.simulator.set_switch("downloads_redirect", True)
    host.simulator.clear_log()
    host.run(RELEASE, **host.pair, file_name=SMALL, dest=f"{tmp_path}/")
    elsewhere = [request for request in host.simulator.requests() if "_elsewhere" in request["path"]]
    assert [(request["status"], request["user"]) for request in elsewhere] == [(200, None)]
    assert {request["user"] for request in host.simulator.requests() if "_elsewhere" not in request["path"]} == {
        host.mage_id
    }


def test_file_that_the_account_may_not_download(host: Host, tmp_path: Path) -> None:
    name = "Magento-EE-2.4.8.zip"
    result = host.fails("not_offered", RELEASE, **host.pair, file_name=name, dest=f"{tmp_path}/")
    assert [problem["code"] for problem in result["problems"]] == ["not_listed"]
    assert os.listdir(tmp_path) == []
    mage_id, token = host.simulator.token("enterprise")
    host.run(RELEASE, mage_id=mage_id, token=token, file_name=name, dest=f"{tmp_path}/")
    assert_downloaded(host, tmp_path / name, name)


def test_installed_token_is_used(host: Host, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    netrc = home / "netrc"
    host.run(TOKEN, **host.entry_options(paths=[str(netrc)], **host.pair))
    result = host.run(RELEASE, netrc_path=str(netrc), file_name=SMALL, dest=f"{tmp_path}/")
    assert_downloaded(host, tmp_path / SMALL, SMALL)
    assert result["transfer"]["requests"] == 1
    assert host.run(RELEASES, netrc_path=str(netrc), name=SMALL)["releases"][0]["file_name"] == SMALL
    for options in (
        {"netrc_path": str(home / "none")},
        {"netrc_path": str(netrc), "downloads_url": "https://localhost/x"},
    ):
        host.fails("no_credentials", RELEASE, file_name=PATCH, dest=f"{tmp_path}/", **options)
    host.fails("bad_options", RELEASE, file_name=PATCH, dest=f"{tmp_path}/", netrc_path=str(netrc), **host.pair)


def test_two_concurrent_runs_succeed(host: Host, tmp_path: Path) -> None:
    path = tmp_path / BIG
    host.simulator.add_fault("latency", path=f"*/file/{BIG}", latency=1)
    options = {**host.pair, "file_name": BIG, "dest": str(path)}
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _number: host.run(RELEASE, **options), range(2)))
    assert all(result["files"][0]["after"]["size"] == 64 * MIB for result in results)
    assert_downloaded(host, path, BIG)


def test_list_with_filters(host: Host) -> None:
    def names(**filters: Any) -> list[str]:
        return [release["file_name"] for release in host.run(RELEASES, **host.pair, **filters)["releases"]]

    everything = names()
    assert {BIG, SMALL, PLUS, PATCH, WITHOUT_MD5, "made-up-cloud-tool.zip", "Magento-CE-2.5.0-beta1.zip"} <= set(
        everything
    )
    assert not any("-EE-" in name or "_EE_" in name for name in everything)
    assert set(names(version="2.0.*")) == {"Magento-CE-2.0.0.zip", PLUS}
    assert names(version="1.9.2.1", type="ce-patch") == [PATCH]
    assert names(type="cloud-tool") == ["made-up-cloud-tool.zip"]
    assert names(name="*supee-6788*") == [PATCH, PATCH]
    assert set(names(version="2.4.8-p*")) == {f"Magento-CE-2.4.8-p{number}.zip" for number in range(1, 5)}
    assert names(version="9.*") == []
    by_name = {release["file_name"]: release for release in host.run(RELEASES, **host.pair)["releases"]}
    assert by_name[SMALL]["md5"] == host.simulator.download(SMALL)["md5"]
    assert (by_name[WITHOUT_MD5]["md5"], by_name[WITHOUT_MD5]["version"]) == (None, None)
    assert by_name[SMALL]["version"] == "2.3.2" and by_name[SMALL]["category"] == "ce-full"


@pytest.mark.parametrize("form", ["plain", "base64", "cut", "escaped twice"])
def test_list_that_contains_the_token_is_not_shown(host: Host, tmp_path: Path, form: str) -> None:
    pair = f"{host.mage_id}:{host.token}".encode()
    text = {
        "plain": host.token,
        "base64": base64.b64encode(pair).decode(),
        "cut": "A" * 213 + host.token + "ZZZ",
        "escaped twice": "".join(f"\\u{ord(char):04x}" for char in host.token),
    }[form]
    body = json.dumps({"ce-full": {"2.4.8": [{"file_name": "a.zip", "name": text}]}})
    host.simulator.add_fault("status", path="*/info/json", status=200, body=body)
    netrc = tmp_path / "netrc"
    netrc.write_bytes(host.entry())
    netrc.chmod(0o600)
    result = host.fails("not_the_downloads", RELEASES, netrc_path=str(netrc))
    assert text[-40:-10] not in json.dumps(result).replace("\\\\", "\\"), result


def test_list_fails_with_a_code(host: Host) -> None:
    host.fails("bad_options", RELEASES, **host.pair, version="")
    host.simulator.add_fault("not_json", path="*/info/json")
    host.fails("not_the_downloads", RELEASES, **host.pair)
    host.simulator.clear_faults()
    host.fails("token_invalid", RELEASES, mage_id=host.mage_id, token="ab" * 20)


@pytest.mark.needs("root")
def test_file_gets_the_owner_of_the_directory_or_the_given_owner(host: Host, accounts: Accounts, lab: Path) -> None:
    deploy = accounts.deploy
    shop = give(lab / "shop", deploy, 0o755)
    host.run(RELEASE, **host.pair, file_name=SMALL, dest=f"{shop}/")
    info = (shop / SMALL).stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (deploy.uid, deploy.gid, 0o644)
    options = {**host.pair, "file_name": SMALL, "dest": f"{lab}/", "owner": deploy.name, "mode": "0600"}
    host.run(RELEASE, **options)
    info = (lab / SMALL).stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (deploy.uid, 0o600)
    os.chown(lab / SMALL, 0, 0)
    (lab / SMALL).chmod(0o640)
    for check in (True, False):
        result = host.run(RELEASE, check=check, **options)
        assert result["changed"] and result["files"][0]["action"] == "repaired"
    info = (lab / SMALL).stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (deploy.uid, 0o600)
    assert not host.run(RELEASE, **options)["changed"]


@pytest.mark.needs("root")
def test_planted_links_are_not_followed(host: Host, accounts: Accounts, lab: Path) -> None:
    deploy = accounts.deploy
    shop = give(lab / "shop", deploy, 0o755)
    victim = give(lab / "victim", None, 0o600, "root's own\n")
    path = shop / SMALL
    options = {**host.pair, "file_name": SMALL, "dest": str(path)}
    for plant in (os.symlink, os.link):
        plant(victim, part_of(path))
        host.run(RELEASE, **options)
        assert_downloaded(host, path, SMALL)
        assert os.listdir(shop) == [SMALL]
        path.unlink()
    path.symlink_to(victim)
    assert host.run(RELEASE, **options)["failed"]
    assert victim.read_text() == "root's own\n" and victim.stat().st_uid == 0


@pytest.mark.needs("root")
@pytest.mark.parametrize("mode", [0o1777, 0o775])
def test_release_planted_in_a_root_directory_is_refused(host: Host, accounts: Accounts, lab: Path, mode: int) -> None:
    """The user who planted the file may keep a descriptor for writing, even if the content is correct."""
    deploy = accounts.deploy
    shared = give(lab / "shared", None, mode)
    os.chown(shared, 0, deploy.gid)
    path = shared / SMALL
    options = {**host.pair, "file_name": SMALL, "dest": str(path)}
    host.run(RELEASE, **options)
    assert_downloaded(host, path, SMALL)
    assert path.stat().st_uid == 0 and not host.run(RELEASE, **options)["changed"]
    os.chown(path, deploy.uid, deploy.gid)
    for check in (True, False):
        for more in ({}, {"owner": accounts.other.name}, {"force": True}):
            planted = host.run(RELEASE, check=check, **options, **more)
            assert planted.get("code") == "unsafe_path" and deploy.name in planted["msg"], planted
    assert path.stat().st_uid == deploy.uid
    path.unlink()
    deploy.run(f"ln -s {deploy.home} {shared}/planted")
    assert host.run(RELEASE, **{**options, "dest": f"{shared}/planted/{SMALL}"})["code"] == "unsafe_path"
    assert not (deploy.home / SMALL).exists()


@pytest.mark.needs("root")
def test_part_in_a_shared_root_directory_is_not_resumed(host: Host, accounts: Accounts, lab: Path) -> None:
    """A member of the group could have moved another file of root there."""
    shared = give(lab / "shared", None, 0o775)
    os.chown(shared, 0, accounts.deploy.gid)
    path = shared / WITHOUT_MD5
    moved = give(part_of(path), None, 0o600, "PK\x03\x04 root's own")
    with moved.open() as kept:
        host.run(RELEASE, **host.pair, file_name=WITHOUT_MD5, dest=str(path))
        assert kept.read() == "PK\x03\x04 root's own"
    assert_downloaded(host, path, WITHOUT_MD5)


@pytest.mark.needs("root")
def test_release_of_another_owner_is_downloaded_again(host: Host, accounts: Accounts, lab: Path) -> None:
    deploy, other = accounts.deploy, accounts.other
    shop = give(lab / "shop", deploy, 0o2777)
    path = shop / SMALL
    options = {**host.pair, "file_name": SMALL, "dest": str(path)}
    host.run(RELEASE, **options)
    os.chown(path, other.uid, other.gid)
    with path.open("r+b") as kept:
        predicted = host.run(RELEASE, check=True, **options)
        result = host.run(RELEASE, **options)
        assert [found["files"][0]["action"] for found in (predicted, result)] == ["updated", "updated"], result
        kept.write(b"changed by the other")
    assert_downloaded(host, path, SMALL)
    assert path.stat().st_uid == deploy.uid and not host.run(RELEASE, **options)["changed"]
    # Nor may the directory owner keep a descriptor of a release that is installed for another user.
    with path.open("r+b") as kept:
        assert host.run(RELEASE, **options, owner=other.name)["files"][0]["action"] == "updated"
        kept.write(b"changed by the owner of the directory")
    assert_downloaded(host, path, SMALL)
    assert path.stat().st_uid == other.uid and not host.run(RELEASE, **options, owner=other.name)["changed"]


@pytest.mark.needs("root", "strace")
@pytest.mark.parametrize("directory", ["root's", "another's"])
def test_next_run_succeeds_after_a_kill(host: Host, accounts: Accounts, lab: Path, directory: str) -> None:
    """The kill comes after the chown of the part file and before its rename."""
    shop = give(lab / "shop", accounts.deploy if directory == "another's" else None, 0o755)
    path = shop / SMALL
    options = {**host.pair, "file_name": SMALL, "dest": str(path), "owner": accounts.other.name}
    host.run_killed("rename,renameat,renameat2", RELEASE, **options)
    assert part_of(path).stat().st_uid == accounts.other.uid and not path.exists()
    host.run(RELEASE, **options)
    assert_downloaded(host, path, SMALL)
    assert path.stat().st_uid == accounts.other.uid and os.listdir(shop) == [SMALL]


@pytest.mark.needs("root")
def test_part_of_a_release_for_another_owner_is_not_resumed(host: Host, accounts: Accounts, lab: Path) -> None:
    """The owner of the directory could have moved a file of root there."""
    shop = give(lab / "shop", accounts.deploy, 0o755)
    path = shop / WITHOUT_MD5
    options = {**host.pair, "file_name": WITHOUT_MD5, "dest": str(path), "owner": accounts.other.name}
    moved = give(part_of(path), None, 0o600, "PK\x03\x04 root's own")
    with moved.open() as kept:
        assert host.run(RELEASE, **options)["transfer"]["resumed_from"] == 0
        assert kept.read() == "PK\x03\x04 root's own"
    assert_downloaded(host, path, WITHOUT_MD5)
    assert path.stat().st_uid == accounts.other.uid
    host.simulator.add_fault("truncate", path=f"*/file/{SMALL}", method="GET", after_bytes=100, count=1)
    options.update(file_name=SMALL, dest=f"{shop}/", retries=0)
    host.fails("connection_lost", RELEASE, **options)
    assert os.listdir(shop) == [WITHOUT_MD5]


@pytest.mark.needs("root")
@pytest.mark.parametrize("owner", ["root's", "the owner's"])
def test_planted_file_of_the_right_size_is_replaced(host: Host, accounts: Accounts, lab: Path, owner: str) -> None:
    """Without a checksum, the file could be any private file that another user moved there."""
    holder = None if owner == "root's" else accounts.other
    shared = give(lab / "shared", None if holder is None else accounts.deploy, 0o775)
    os.chown(shared, shared.stat().st_uid, accounts.deploy.gid)
    path = shared / WITHOUT_MD5
    options = {**host.pair, "file_name": WITHOUT_MD5, "dest": str(path), "owner": holder.name if holder else "root"}
    host.run(RELEASE, **options)
    same = host.run(RELEASE, **options)
    assert not same["changed"] and [problem["code"] for problem in same["problems"]][-1] == "size_only", same
    planted = give(shared / "private", holder, 0o600, "x" * path.stat().st_size)
    accounts.deploy.run(f"mv -f {planted} {path}")
    with path.open() as kept:
        for check in (True, False):
            assert host.run(RELEASE, check=check, **options)["files"][0]["action"] == "updated"
        assert stat.S_IMODE(os.fstat(kept.fileno()).st_mode) == 0o600
    assert_downloaded(host, path, WITHOUT_MD5)


@pytest.mark.needs("root")
def test_part_in_a_group_writable_directory_is_not_resumed(host: Host, accounts: Accounts, lab: Path) -> None:
    """The part is another file of the same user; the user who moved it may have it open, or move it back."""
    shop = give(lab / "shop", accounts.deploy, 0o755)
    os.chown(shop, accounts.deploy.uid, accounts.web.gid)
    shop.chmod(0o2775)
    moved = give(shop / "job.sh", accounts.deploy, 0o755, "PK\x03\x04 his own")
    accounts.web.run(f"mv {shop}/job.sh {part_of(shop / WITHOUT_MD5)}")
    with part_of(shop / WITHOUT_MD5).open() as kept:
        result = host.run(RELEASE, **host.pair, file_name=WITHOUT_MD5, dest=f"{shop}/")
        assert kept.read() == "PK\x03\x04 his own" and result["transfer"]["resumed_from"] == 0
    assert not moved.exists()
    assert_downloaded(host, shop / WITHOUT_MD5, WITHOUT_MD5)


@pytest.mark.needs("root", "setfacl")
@pytest.mark.parametrize("made", ["in a directory of another", "in one that came from another"])
def test_default_acl_does_not_make_a_release_writable(host: Host, accounts: Accounts, lab: Path, made: str) -> None:
    shop = give(lab / "shop", accounts.deploy, 0o755)
    accounts.deploy.run(f"setfacl -m d:u:{accounts.deploy.name}:rwx {shop}")
    if made == "in one that came from another":
        (shop / "own").mkdir()
        shop = Path(shutil.move(shop / "own", lab / "own"))
        os.chown(shop, accounts.other.uid, accounts.other.gid)
        shop.chmod(0o755)
    options = {**host.pair, "file_name": SMALL, "dest": f"{shop}/", "owner": accounts.other.name, "mode": "0664"}
    host.run(RELEASE, **options)
    accounts.deploy.run(f"! echo >> {shop}/{SMALL} 2>/dev/null")
    assert_downloaded(host, shop / SMALL, SMALL)


@pytest.mark.needs("root")
@pytest.mark.parametrize("owner", ["root", "other"])
def test_release_that_the_directory_owner_may_not_read(host: Host, accounts: Accounts, lab: Path, owner: str) -> None:
    shop = give(lab / "shop", accounts.deploy, 0o755)
    name = "root" if owner == "root" else accounts.other.name
    options = {**host.pair, "file_name": SMALL, "dest": f"{shop}/", "owner": name, "mode": "0640"}
    host.run(RELEASE, **options)
    accounts.deploy.run(f"! cat {shop}/{SMALL} 2>/dev/null")
    for check in (True, False):
        assert not host.run(RELEASE, check=check, **options)["changed"]
    (shop / SMALL).write_bytes(b"another")
    assert host.run(RELEASE, **options)["files"][0]["action"] == "updated"
    # A file of any other user is not read but replaced.
    os.chown(shop / SMALL, accounts.web.uid, accounts.web.gid)
    assert host.run(RELEASE, **options)["files"][0]["action"] == "updated"
    assert_downloaded(host, shop / SMALL, SMALL)


def test_unusable_destination_fails(host: Host, tmp_path: Path) -> None:
    options = {**host.pair, "file_name": SMALL}
    host.fails("no_directory", RELEASE, **options, dest=f"{tmp_path}/none/{SMALL}")
    assert host.run(RELEASE, check=True, **options, dest=f"{tmp_path}/none/{SMALL}")["changed"]
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / SMALL)
    host.fails("not_a_file", RELEASE, **options, dest=f"{tmp_path}/pipe/")
    assert not (tmp_path / "none").exists()
