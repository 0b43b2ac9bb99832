# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated release downloads as plain clients see them: credentials, tables, files, ranges."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from simulator.accounts import fake_token
from simulator.client import Simulator
from simulator.downloads import PREFIX
from simulator.problems import BadInput
from simulator.start_data import BIG_FILE, NEWEST, read_start_data
from simulator.tests.https import ask

INFO = f"{PREFIX}/info"
FILES = f"{PREFIX}/file"
SMALL_NAME = "Magento-CE-2.3.2.zip"
SMALL = f"{FILES}/{SMALL_NAME}"
ENTERPRISE = f"{FILES}/Magento-EE-2.4.8.zip"
PATCH = "PATCH_SUPEE-6788_CE_1.9.2.1_v1.sh"


def rows(text: str) -> list[list[str]]:
    """The table as clients read it: two or more blanks separate the cells."""
    head, rule, *lines = text.splitlines()
    assert all(line.startswith("  ") for line in (head, *lines))
    assert head.split()[0] == "Name"
    assert set(rule) == {"-"}
    return [re.split(r" {2,}", line.strip()) for line in lines]


def test_the_two_kinds_of_credentials_are_kept_apart(simulator: Simulator) -> None:
    pair, key = simulator.token("shop"), simulator.key("shop", "web")
    assert pair == ("MAG000000001", fake_token("shop"))
    assert [ask(simulator, f"{INFO}/help", credentials).status for credentials in (pair, key, None)] == [200, 401, 401]
    assert [ask(simulator, "/packages.json", credentials).status for credentials in (key, pair)] == [200, 401]
    assert ask(simulator, f"{INFO}/help", (pair[0], simulator.token("enterprise")[1])).status == 401
    assert [entry["part"] for entry in simulator.requests()][:4] == ["downloads"] * 3 + ["repository"]


def test_real_host_name_selects_the_downloads(simulator: Simulator) -> None:
    headers = {"Host": "www.magentocommerce.com"}
    got = ask(simulator, f"{INFO}/help", simulator.token("shop"), headers=headers)
    assert "https://www.magentocommerce.com/products/downloads/file/" in got.body.decode()
    assert ask(simulator, "/packages.json", simulator.token("shop"), headers=headers).status == 404


def test_a_new_token_replaces_the_old_one_at_once(simulator: Simulator) -> None:
    old = simulator.token("shop")
    new = simulator.replace_token("shop")
    assert new == (old[0], fake_token("shop", 1))
    assert [ask(simulator, f"{INFO}/help", pair).status for pair in (old, new)] == [401, 200]
    newer = simulator.replace_token("shop")
    assert [ask(simulator, f"{INFO}/help", pair).status for pair in (new, newer)] == [401, 200]
    simulator.remove_token("shop")
    assert [ask(simulator, f"{INFO}/help", pair).status for pair in (newer, (old[0], ""))] == [401, 401]
    with pytest.raises(BadInput, match="account shop has no download token"):
        simulator.token("shop")
    assert simulator.key("shop", "web")


def test_tokens_never_reach_the_log(simulator: Simulator) -> None:
    old = simulator.token("shop")
    new = simulator.replace_token("shop")
    for pair in (old, new):
        ask(simulator, f"{INFO}/{pair[1]}?token={pair[1]}", pair, headers={"User-Agent": f"agent {pair[1]}"})
    assert [entry["user"] for entry in simulator.requests()] == ["MAG000000001"] * 2
    assert simulator.requests()[0]["query"] == "token=(secret)"
    written = (simulator.state / "requests.jsonl").read_text()
    assert [pair for pair in (old, new) if pair[1] in written] == []


def test_help_has_its_parts_in_order(simulator: Simulator) -> None:
    text = ask(simulator, f"{INFO}/help", simulator.token("shop")).body.decode()
    assert text.startswith("Downloads Usage:")
    parts = ["file/[FILENAME]", "Info Usage:", "info/[OPTION]/[PARAMS]", "Options:", "help", "files", "versions"]
    parts += [
        "filter",
        "json",
        "Filter Params:",
        "version",
        "type",
        "ce-full",
        "ee-full",
        "ce-patch",
        "ee-patch",
        "other",
    ]
    position = 0
    for part in parts:
        position = text.index(part, position)


def test_tables(simulator: Simulator) -> None:
    pair = simulator.token("enterprise")

    def names(path: str) -> list[str]:
        return [row[-1] for row in rows(ask(simulator, path, pair).body.decode())]

    everything = names(f"{INFO}/files")
    assert {name: everything.count(name) for name in (PATCH, SMALL_NAME)} == {PATCH: 2, SMALL_NAME: 1}
    assert ["Version 2.3.2", "Community Edition - Full", "2.3.2", "Magento-CE-2.3.2.zip"] in rows(
        ask(simulator, f"{INFO}/files", pair).body.decode()
    )
    assert {BIG_FILE, "Magento-CE-2.0.0+Samples.zip", "Magento-EE-2.4.8.zip", "made-up-notes.zip"} <= set(everything)
    assert names(f"{INFO}/filter/version/*") == [name for name in everything if name not in
                                                 {"made-up-notes.zip", "made-up-cloud-tool.zip"}]  # fmt: skip
    assert names(f"{INFO}/filter/version/1.9.2.1") == ["magento-1.9.2.1.tar.gz", PATCH]
    assert [row[2] for row in rows(ask(simulator, f"{INFO}/filter/version/1.9.2.0", pair).body.decode())] == [
        "1.9.2.0"
    ] * 2
    assert "magento-1.9.0.0.tar.gz" in names(f"{INFO}/filter/version/1.9.%2A")
    assert names(f"{INFO}/filter/type/ee-full") == names(f"{INFO}/filter/type/Enterprise%20Edition%20-%20Full")
    for nothing in ("version/9.9", "type/none", "colour/red"):
        assert ask(simulator, f"{INFO}/filter/{nothing}", pair).body == b"No results found.\n"
    head, versions = ask(simulator, f"{INFO}/versions", pair).body.decode().split("\n\n")
    assert head.splitlines()[:3] == ["CE Versions", "-----------", NEWEST]
    assert versions.splitlines() == ["EE Versions", "-----------", "2.4.8"]


@pytest.mark.parametrize("option", ["help", "files", "versions", "json", "filter/version/1.9.2.1", "filter/type/other"])
def test_text_after_an_option_is_ignored(simulator: Simulator, option: str) -> None:
    pair = simulator.token("shop")
    plain = ask(simulator, f"{INFO}/{option}", pair)
    assert plain.body.startswith(b"Downloads Usage:") == (option == "help")
    for suffix in ("/", "/info/json/", "/version/2.*", "?x=1"):
        got = ask(simulator, f"{INFO}/{option}{suffix}", pair)
        assert (got.status, got.headers["Content-Type"], got.body) == (
            200,
            plain.headers["Content-Type"],
            plain.body,
        ), suffix
    # Incomplete and unknown options return the help.
    for other in ("filter", "filter/version", "nothing/json"):
        assert ask(simulator, f"{INFO}/{other}", pair).body.startswith(b"Downloads Usage:"), other


def test_the_feed_has_both_shapes_and_unknown_categories(simulator: Simulator) -> None:
    feed = ask(simulator, f"{INFO}/json", simulator.token("enterprise")).json
    assert set(feed) == {"ce-full", "ce-patch", "ee-full", "ee-patch", "other", "ce-beta", "cloud-tool"}
    assert {name for name, found in feed.items() if isinstance(found, list)} == {"other", "cloud-tool"}
    (patch,) = feed["ce-patch"]["1.9.2.1"]
    assert patch in feed["ce-patch"]["1.9.2.0"]
    assert set(patch) == {"name", "file_name", "md5", "ce_versions", "ee_versions"}
    sums = []
    for found in feed.values():
        for item in found if isinstance(found, list) else [item for items in found.values() for item in items]:
            sums.append(item["md5"])
            assert item["md5"] in {"", simulator.download(item["file_name"])["md5"]}
    assert "" in sums
    assert simulator.download(BIG_FILE)["md5"] in sums


def test_only_paying_accounts_see_commerce(simulator: Simulator) -> None:
    for account, sees in (("shop", False), ("unpaid", False), ("enterprise", True)):
        pair = simulator.token(account)
        assert ("ee-full" in ask(simulator, f"{INFO}/json", pair).json) == sees
        assert ("Magento-EE" in ask(simulator, f"{INFO}/files", pair).body.decode()) == sees
        assert ask(simulator, ENTERPRISE, pair).status == (200 if sees else 404)
        assert ask(simulator, SMALL, pair).status == 200


def test_small_files_have_the_format_of_their_names(simulator: Simulator) -> None:
    pair = simulator.token("shop")
    for name in ("Magento-CE-2.3.2.zip", "Magento-CE-2.0.0+Samples.zip", "Magento-CE-2.0.0%2BSamples.zip"):
        got = ask(simulator, f"{FILES}/{name}", pair)
        assert got.headers["Content-Type"] == "application/zip"
        assert zipfile.ZipFile(io.BytesIO(got.raw)).testzip() is None
        assert hashlib.sha256(got.raw).hexdigest() == simulator.download(name.replace("%2B", "+"))["sha256"]
    for stem, suffix, content_type, magic in (
        ("magento-1.9.0.0", "gz", "application/gzip", b"\x1f\x8b"),
        ("magento-1.9.2.4", "bz2", "application/x-bzip2", b"BZh"),
    ):
        got = ask(simulator, f"{FILES}/{stem}.tar.{suffix}", pair)
        assert (got.headers["Content-Type"], got.raw.startswith(magic)) == (content_type, True)
        with tarfile.open(fileobj=io.BytesIO(got.raw)) as archive:
            assert archive.getnames() == [f"{stem}/README.txt"]
    assert ask(simulator, f"{FILES}/{PATCH}", pair).raw.startswith(b"#!/bin/sh\n")
    assert ask(simulator, f"{FILES}/Magento-CE-9.9.9.zip", pair).status == 404
    assert ask(simulator, SMALL, pair, method="POST").status == 405
    with pytest.raises(BadInput, match="no such download; the downloads are: Magento-CE-2.4.8-p4.zip"):
        simulator.download("nothing.zip")


def test_head_returns_the_headers_of_a_download(simulator: Simulator) -> None:
    got = ask(simulator, f"{FILES}/{BIG_FILE}", simulator.token("shop"), method="HEAD", headers={"Range": "bytes=0-1"})
    assert (got.status, got.headers["Content-Length"], got.raw) == (200, str(64 * 1024 * 1024), b"")
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["ETag"]


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=5-99999999", 206, slice(5, None)),
        ("bytes=9-5", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
    ],
)
def test_ranges(simulator: Simulator, header: str, status: int, part: slice) -> None:
    pair = simulator.token("shop")
    whole = ask(simulator, SMALL, pair).raw
    got = ask(simulator, SMALL, pair, headers={"Range": header})
    assert (got.status, got.raw) == (status, whole[part])
    if status == 206:
        first = range(len(whole))[part][0]
        assert got.headers["Content-Range"] == f"bytes {first}-{first + len(got.raw) - 1}/{len(whole)}"
    if status == 416:
        assert got.headers["Content-Range"] == f"bytes */{len(whole)}"
    assert simulator.requests()[-1]["range"] == header


def test_range_of_another_file_returns_the_whole_file(simulator: Simulator) -> None:
    pair = simulator.token("shop")
    first = ask(simulator, SMALL, pair)
    for condition, status in ((first.headers["ETag"], 206), (first.headers["Last-Modified"], 206), ('"other"', 200)):
        got = ask(simulator, SMALL, pair, headers={"Range": "bytes=1-", "If-Range": condition})
        assert got.status == status, condition


@pytest.mark.parametrize(
    ("downloads", "words"),
    [
        ([{"file_name": "a b.zip"}], "must not contain a slash or a blank"),
        ([{"file_name": "a.zip"}, {"file_name": "a.zip"}], "same file name"),
        ([{"file_name": "a.zip", "category": "ce-full"}], "versions must not be empty"),
        ([{"file_name": "a.zip", "name": "two  blanks"}], "two blanks in a row"),
        ([{"file_name": "a.zip", "versions": ["1  2"]}], "two blanks in a row"),
        ([{"file_name": "a.tar.gz", "size": 99999}], "size is supported only for zip files"),
        ([{"file_name": "a.tar.bz2", "size": 99999}], "size is supported only for zip files"),
        ([{"file_name": "a.zip", "size": 3}], "size must be at least"),
        ([{"file_name": "a.zip"}, {"file_name": "b.zip", "plain": False, "versions": ["1"]}], "for all of its files"),
    ],
)
def test_unusable_downloads_are_reported(tmp_path: Path, downloads: list[Any], words: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"downloads": downloads}))
    with pytest.raises(BadInput, match=words):
        read_start_data(path)
