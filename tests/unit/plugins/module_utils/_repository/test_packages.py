# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a walk reads and the packages that it finds, for every form of repository that Composer reads."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, List, Sequence, Tuple, Union
from urllib.parse import quote as percent_encode

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import quoting
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.outcome import Finding, HttpAnswer
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.packages import Walk, packages_json

BASE = "https://repo.example/sub/"
NAMES = ("magento/one", "magento/two")
PROVIDERS = {"providers": {"magento/one": {"sha256": "0"}}}
INLINE = {"packages": {"Magento/One": {"1.0.0": {}}, "magento/two": {}}}

Outcome = Union[HttpAnswer, Finding, bytes, Dict[str, Any]]


def walked(root: Any, files: Dict[str, Outcome], names: Sequence[str] = NAMES) -> Tuple[Walk, List[str]]:
    """Return the finished walk, and the files that it read, relative to the repository."""
    walk, requested = Walk(BASE + "packages.json", names, quoting("public", "private-key")), []
    walk.read(root if isinstance(root, bytes) else json.dumps(root).encode())
    part = walk.following()
    while part is not None:
        requested.append(part.url)
        content = files.get(part.url, HttpAnswer(404))
        if isinstance(content, dict):
            content = json.dumps(content).encode()
        walk.take(part, HttpAnswer(200, content) if isinstance(content, bytes) else content)
        part = walk.following()
    return walk, [url.replace(BASE, "") for url in requested]


def include(content: Dict[str, Any]) -> Dict[str, str]:
    return {"sha256": hashlib.sha256(json.dumps(content).encode()).hexdigest()}


def states(walk: Walk) -> List[str]:
    return list(walk.packages().values())


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://h", "https://h/packages.json"),
        ("https://h/", "https://h/packages.json"),
        ("https://h/a//", "https://h/a/packages.json"),
        ("https://h/a/other.json", "https://h/a/other.json"),
    ],
)
def test_the_root_file(url: str, root: str) -> None:
    assert packages_json(url) == root


def test_packages_in_the_root_file_are_enough() -> None:
    walk, requested = walked(INLINE, {})
    # A package without versions cannot be installed.
    assert (states(walk), requested, walk.trouble) == (["listed", "absent"], [], None)


@pytest.mark.parametrize("empty", [[], {}, None])
def test_an_account_without_packages(empty: Any) -> None:
    walk, requested = walked({"packages": empty, "provider-includes": empty, "providers": empty}, {})
    assert (states(walk), requested, walk.trouble) == (["absent", "absent"], [], None)


def test_includes_of_includes_and_older_includes_are_read() -> None:
    inner = {"providers": {"magento/two": {"sha256": "0"}}}
    outer = {"providers": [], "provider-includes": {"p/inner$%hash%.json": include(inner)}}
    root = {
        "provider-includes": {"p/outer.json": include(outer)},
        "includes": {"include/all$0.json": {"sha1": "wrong"}},
    }
    files: Dict[str, Outcome] = {
        BASE + "p/outer.json": outer,
        BASE + f"p/inner%24{include(inner)['sha256']}.json": inner,
        BASE + "include/all%240.json": INLINE,
    }
    walk, requested = walked(root, files)
    assert states(walk) == ["listed", "listed"], walk.trouble
    assert requested == [url.replace(BASE, "") for url in (list(files)[0], list(files)[2], list(files)[1])]


def test_circular_includes_are_read_once() -> None:
    walk, requested = walked(
        {"includes": {"a.json": {}}}, {BASE + "a.json": {"includes": {"a.json": {}, "b.json": {}}}}
    )
    assert requested == ["a.json", "b.json"] and states(walk) == ["unknown", "unknown"]


def test_the_number_of_includes_is_limited() -> None:
    walk = Walk(BASE + "packages.json", NAMES, quoting("public", "private-key"))
    walk.read(b'{"includes": {"0.json": {}}}')
    number, part = 0, walk.following()
    while part is not None:
        number += 1
        walk.take(part, HttpAnswer(200, json.dumps({"includes": {f"{number}.json": {}}}).encode()))
        part = walk.following()
    assert number == 1000 and states(walk) == ["unknown", "unknown"]
    assert walk.trouble is not None and walk.trouble.code == "not_a_repository"


def test_lazy_providers_are_read_for_the_remaining_packages() -> None:
    root = {"provider-includes": {"p.json": include(PROVIDERS)}, "providers-lazy-url": "/p/%package%.json"}
    walk, requested = walked(root, {BASE + "p.json": PROVIDERS})
    assert requested == ["p.json", "https://repo.example/p/magento/two.json"]
    assert (states(walk), walk.trouble) == (["listed", "absent"], None)


def test_protocol_2_ignores_the_older_keys() -> None:
    root = {
        "packages": INLINE["packages"],
        "metadata-url": "https://other.example/p2/%package%.json",
        "provider-includes": {"p.json": include(PROVIDERS)},
    }
    walk, requested = walked(root, {})
    files = ["https://other.example/p2/magento/two.json", "https://other.example/p2/magento/two~dev.json"]
    assert (states(walk), requested) == (["listed", "absent"], files)


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (HttpAnswer(404), HttpAnswer(410), "absent"),
        (HttpAnswer(404), HttpAnswer(500), "unknown"),
        (HttpAnswer(403), HttpAnswer(404), "unknown"),
        (Finding("timed_out", ""), HttpAnswer(404), "unknown"),
        ({"packages": {"a/b": []}}, {"packages": {}}, "absent"),
        ({"packages": {"a/b": []}}, {"packages": {"a/b": [{}]}}, "listed"),
        ({"packages": {"other/b": [{}]}}, HttpAnswer(404), "absent"),
        ({"message": "hello"}, HttpAnswer(404), "unknown"),
        (HttpAnswer(500), {"packages": {"a/b": [{}]}}, "listed"),
    ],
)
def test_a_package_is_absent_only_if_both_files_lack_it(first: Outcome, second: Outcome, state: str) -> None:
    files = {"https://repo.example/p2/a/b.json": first, "https://repo.example/p2/a/b~dev.json": second}
    walk, _requested = walked({"metadata-url": "/p2/%package%.json"}, files, ["a/b"])
    assert states(walk) == [state]


def test_a_package_that_was_found_is_not_requested_again() -> None:
    files: Dict[str, Outcome] = {"https://repo.example/p2/magento/one.json": {"packages": {"magento/one": [{}]}}}
    _walk, requested = walked({"metadata-url": "/p2/%package%.json"}, files)
    names = [url.rpartition("/")[2] for url in requested]
    assert names == ["one.json", "two.json", "two~dev.json"]


@pytest.mark.parametrize("code", ["timed_out", "rate_limited", "connection_failed", "tls_failed", "proxy_failed"])
def test_a_fault_of_the_connection_ends_the_walk(code: str) -> None:
    root = {"includes": {"a.json": {}, "b.json": {}}}
    walk, requested = walked(root, {BASE + "a.json": Finding(code, "")})
    assert (requested, states(walk)) == (["a.json"], ["unknown", "unknown"])


def test_one_unreadable_include_does_not_affect_the_others() -> None:
    root = {"includes": {"a.json": {}, "b.json": {}}}
    walk, _requested = walked(root, {BASE + "a.json": HttpAnswer(500), BASE + "b.json": INLINE})
    assert states(walk) == ["listed", "unknown"]
    assert walk.trouble is not None and walk.trouble.code == "server_error"


@pytest.mark.parametrize(
    "root",
    [
        b"",
        b"{",
        b'{"packages": []',
        b"[]",
        b'"text"',
        b"{}",
        b'{"warning": "none of the keys of a repository"}',
        b'{"packages": "text"}',
        b'{"packages": [{"name": "a/b"}]}',
        b'{"provider-includes": ["a"]}',
        b'{"provider-includes": {"a": "b"}}',
        b'{"provider-includes": {"a": {"sha256": 1}}}',
        b'{"includes": 1}',
        b'{"providers": true}',
        b'{"metadata-url": 1}',
        b'{"packages": []}\xff',
        b'{"a":' * 100000,
        b'{"packages": ' + b"9" * 1_000_000 + b"}",
        b'{"metadata-url": "' + b"%package%" * 1_000_000 + b'"}',
        b'{"includes": {"' + b"a" * 1_000_000 + b'": {}}}',
        json.dumps({"provider-includes": {"%hash%" * 300: {"sha256": "a" * 2000}}}).encode(),
    ],
)
def test_an_invalid_root_file_makes_all_packages_unknown(root: bytes) -> None:
    walk, requested = walked(root, {})
    assert (states(walk), requested) == (["unknown", "unknown"], [])
    assert walk.trouble is not None and walk.trouble.code == "not_a_repository"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"providers": 1}', b'{"warning": "Maintenance"}', b"<html>"])
def test_an_invalid_include_makes_packages_unknown(content: bytes) -> None:
    walk, _requested = walked({"includes": {"a.json": {}}}, {BASE + "a.json": content})
    assert states(walk) == ["unknown", "unknown"]
    assert walk.trouble is not None and walk.trouble.code == "not_a_repository" and "a.json" in walk.trouble.what


def test_names_are_compared_as_composer_does_and_returned_as_given() -> None:
    walk, _requested = walked(INLINE, {}, ["MAGENTO/One", "magento/one"])
    assert walk.packages() == {"MAGENTO/One": "listed", "magento/one": "listed"}


def test_only_the_wanted_names_are_kept() -> None:
    walk = Walk("https://h.example/packages.json", ["a/b", "A/C"], quoting("a" * 32, "b" * 32))
    names = [*(f"a/n{number}" for number in range(1_000)), "A/b", "a/c"]
    walk.read(json.dumps({"packages": {name: {"1.0": {}} for name in names}, "providers": {}}).encode())
    assert walk.packages() == {"a/b": "listed", "A/C": "listed"} and len(walk._listed) == 2


@pytest.mark.parametrize("secret", ["s3cr3t/longpassword-tail", "a1$b2$cdefghij99"])
def test_a_file_name_with_the_secret_is_not_shown(secret: str) -> None:
    walk = Walk("https://h.example/packages.json", ["a/b"], quoting("u", secret))
    walk.read(json.dumps({"includes": {f"{secret}.json": {}}}).encode())
    part = walk.following()
    assert part is not None
    walk.take(part, HttpAnswer(500))
    assert walk.trouble is not None and walk.trouble.what.startswith("one of its files is failing"), walk.trouble


def test_a_file_name_with_the_escaped_secret_is_not_shown() -> None:
    secret = "pa$word with/slash&made-up"
    walk = Walk("https://h.example/packages.json", ["a/b"], quoting("u", secret))
    walk.read(json.dumps({"includes": {f"{percent_encode(secret, safe='')}.json": {}}}).encode())
    part = walk.following()
    assert part is not None
    walk.take(part, HttpAnswer(500))
    assert walk.trouble is not None and walk.trouble.what.startswith("one of its files is failing"), walk.trouble
