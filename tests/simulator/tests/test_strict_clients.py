# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two strict clients read every list of the simulated release downloads as public programs do."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from simulator.client import Simulator
from simulator.downloads import PREFIX
from simulator.tests.https import ask

HEADER = ["Name", "File Type", "Version", "File Name"]
Row = tuple[str, str, str, str]


def page(simulator: Simulator, account: str, path: str) -> str:
    """A page below ``info/``."""
    got = ask(simulator, f"{PREFIX}/info/{path}", simulator.token(account))
    assert got.status == 200, path
    return got.body.decode()


def offered(simulator: Simulator, account: str) -> set[tuple[str, str]]:
    """The category and the name of every file that the account may download."""
    commerce = account == "enterprise"
    files = simulator.downloads()
    return {
        (file["category"], file["file_name"]) for file in files if commerce or not file["category"].startswith("ee-")
    }


def categories(simulator: Simulator, account: str) -> list[str]:
    """The categories of the files that the account may download."""
    return sorted({category for category, _name in offered(simulator, account)})


def four_columns(text: str) -> list[Row]:
    """The first client: all text before the dashes is the header, and two or more blanks separate the cells."""
    head, body = re.split(r"-{5,}", text)
    assert [cell.strip() for cell in re.split(r" {2,}", head)] == ["", *HEADER], text
    found: list[Row] = []
    for line in filter(None, body.split("\n")):
        indent, name, kind, version, file_name = re.split(r" {2,}", line)
        assert indent == "", line
        found.append((name, kind, version, file_name))
    return found


def named_after_version(text: str, version: str) -> list[str]:
    """The second client: every line below the dashes ends in the requested version, blanks, a file name."""
    found = []
    for line in text.splitlines()[2:]:
        match = re.search(rf"(?<!\S){re.escape(version)} +(\S+)$", line)
        assert match, f"{version}: {line!r}"
        found.append(match[1])
    return found


def edition_lists(text: str) -> dict[str, list[str]]:
    """The list of versions: blocks that an empty line separates, each with a title, dashes and one version a line."""
    found = {}
    for block in text.removesuffix("\n").split("\n\n"):
        title, rule, *versions = block.split("\n")
        assert re.fullmatch(r"-{5,}", rule), block
        assert all(re.fullmatch(r"\d\S*", version) for version in versions), block
        found[title] = versions
    return found


@pytest.mark.parametrize("account", ["shop", "unpaid", "enterprise"])
def test_every_table_has_four_columns(simulator: Simulator, account: str) -> None:
    everything = four_columns(page(simulator, account, "files"))
    assert {row[3] for row in everything} == {name for _category, name in offered(simulator, account)}
    assert len(set(everything)) == len(everything)
    by_type: list[Row] = []
    for category in categories(simulator, account):
        rows = four_columns(page(simulator, account, f"filter/type/{category}"))
        assert {(category, row[3]) for row in rows} <= offered(simulator, account), category
        by_type += rows
    assert sorted(by_type) == sorted(everything)
    for pattern in ("*", "1.9.*", "2.4.8*", "1.9.2.1"):
        expression = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        expected = [row for row in everything if expression.fullmatch(row[2]) and row[2] != "n/a"]
        assert four_columns(page(simulator, account, f"filter/version/{pattern}")) == expected, pattern
        assert expected, pattern


@pytest.mark.parametrize("account", ["shop", "enterprise"])
def test_every_file_name_follows_its_version(simulator: Simulator, account: str) -> None:
    visible = {name for _category, name in offered(simulator, account)}
    files = [file for file in simulator.downloads() if file["file_name"] in visible]
    versions = sorted({version for file in files for version in file["versions"]})
    assert {"1.9.2.0", "1.9.2.1", "2.4.8-p4"} <= set(versions)
    for version in versions:
        names = named_after_version(page(simulator, account, f"filter/version/{quote(version)}"), version)
        assert names == [file["file_name"] for file in files if version in file["versions"]], version


@pytest.mark.parametrize(("account", "commerce"), [("shop", False), ("enterprise", True)])
def test_version_list_has_one_version_per_line(simulator: Simulator, account: str, commerce: bool) -> None:
    found = edition_lists(page(simulator, account, "versions"))
    assert list(found) == ["CE Versions", "EE Versions"]
    assert bool(found["EE Versions"]) == commerce
    for title, kind in (("CE Versions", "ce-full"), ("EE Versions", "ee-full")):
        files = [file for file in simulator.downloads() if (kind, file["file_name"]) in offered(simulator, account)]
        assert found[title] == list(dict.fromkeys(v for file in files for v in file["versions"])), title
