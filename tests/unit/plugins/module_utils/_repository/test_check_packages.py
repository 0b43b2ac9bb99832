# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that `check` reads to find out whether a repository offers packages, over HTTPS on loopback."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any, Dict, List
from unittest.mock import patch

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._repository import session
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    PRIVATE,
    PUBLIC,
    Exchange,
    Loopback,
    ask,
    basic,
)

MIB = 1024 * 1024


def paths(server: Loopback) -> List[str]:
    return [request.path for request in server.requests]


def site(files: Dict[str, Any]) -> Any:
    """Return an answer function that serves JSON values, bytes, or a status by path, and 404 for other paths."""

    def answer(exchange: Exchange) -> None:
        content = files.get(exchange.path, 404)
        if isinstance(content, int):
            exchange.json("{}", status=content)
        elif isinstance(content, bytes):
            exchange.reply(200, content)
        else:
            exchange.json(json.dumps(content))

    return answer


def hashed(content: Any) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else json.dumps(content).encode()).hexdigest()


INCLUDE = {"providers": {"magento/one": {"sha256": "0"}, "Magento/Two": {"sha256": "0"}}}
OTHER = {"providers": {"other/three": {"sha256": "0"}}}


def root_with(name: str, sha256: str) -> Dict[str, Any]:
    return {
        "packages": [],
        "providers-url": "/p/%package%$%hash%.json",
        "provider-includes": {name: {"sha256": sha256}},
    }


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["p/provider-ce$%hash%.json", "p/provider-anything%24%hash%.json"])
def test_includes_with_any_name_and_compression_are_read(name: str, packed: bool) -> None:
    plain = json.dumps(INCLUDE).encode()
    # As in Composer, a dollar sign is always encoded in the request.
    path = "/" + name.replace("$", "%24").replace("%hash%", hashed(plain))
    files = {"/packages.json": root_with(name, hashed(plain)), path: gzip.compress(plain) if packed else plain}
    with Loopback(site(files)) as server:
        verdict = ask(server.url, packages=["magento/one", "MAGENTO/two", "magento/none"])
    assert (verdict.status, verdict.code) == ("not_entitled", "package_absent"), verdict
    assert verdict.packages == {"magento/one": "listed", "MAGENTO/two": "listed", "magento/none": "absent"}
    assert "magento/none" in verdict.message and "magento/one" not in verdict.message
    assert paths(server) == ["/packages.json", path]
    assert {request.headers["authorization"] for request in server.requests} == {basic(PUBLIC, PRIVATE)}
    assert {request.headers["accept-encoding"] for request in server.requests} == {"gzip"}


def test_the_walk_ends_when_all_packages_are_found() -> None:
    root = root_with("a$%hash%.json", hashed(INCLUDE))
    root["provider-includes"]["b$%hash%.json"] = {"sha256": hashed(OTHER)}
    files = {
        "/packages.json": root,
        f"/a%24{hashed(INCLUDE)}.json": INCLUDE,
        f"/b%24{hashed(OTHER)}.json": OTHER,
    }
    with Loopback(site(files)) as server:
        assert ask(server.url, packages=["magento/one"]).code == "keys_valid"
        assert len(server.requests) == 2
        assert ask(server.url, packages=["magento/one", "other/three"]).packages["other/three"] == "listed"
        assert len(server.requests) == 5


@pytest.mark.parametrize("fault", [401, 403, 404, 429, 500, b"not json", b'{"message": "hello"}', b"\x1f\x8bjunk"])
def test_an_include_that_cannot_be_read_leaves_its_packages_unknown(fault: Any) -> None:
    sha256 = hashed(fault) if isinstance(fault, bytes) and not fault.startswith(b"\x1f") else "0" * 64
    files = {"/packages.json": root_with("a$%hash%.json", sha256), f"/a%24{sha256}.json": fault}
    with Loopback(site(files)) as server:
        verdict = ask(server.url, packages=["magento/one"])
    assert verdict.status == "unknown" and verdict.packages == {"magento/one": "unknown"}, verdict
    codes = {429: "rate_limited", 500: "server_error", 401: "unexpected_status", 403: "unexpected_status"}
    codes[404] = "unexpected_status"
    assert verdict.code == (codes[fault] if isinstance(fault, int) else "not_a_repository")
    assert verdict.http_status == (fault if isinstance(fault, int) else 200 if b"\x1f" not in fault else None)


def test_a_default_url_with_a_root_file_is_no_guess() -> None:
    with Loopback(site({"/packages.json": root_with("a.json", "0" * 64), "/a.json": 500})) as server:
        verdict = ask(None, repository=server.netloc, packages=["magento/one"])
    assert (verdict.status, verdict.code) == ("unknown", "server_error"), verdict


def test_an_include_with_a_wrong_hash_is_not_used() -> None:
    files = {"/packages.json": root_with("a$%hash%.json", "0" * 64), "/a%24" + "0" * 64 + ".json": INCLUDE}
    with Loopback(site(files)) as server:
        verdict = ask(server.url, packages=["magento/one"])
    assert (verdict.status, verdict.code, verdict.packages) == ("unknown", "hash_mismatch", {"magento/one": "unknown"})


def test_several_gzip_members_are_one_file() -> None:
    plain = json.dumps(INCLUDE).encode()
    packed = gzip.compress(plain[:10]) + gzip.compress(plain[10:]) + b"\x00" * 10
    files = {"/packages.json": root_with("a%hash%.json", hashed(plain)), f"/a{hashed(plain)}.json": packed}
    with Loopback(site(files)) as server:
        assert ask(server.url, packages=["magento/one"]).code == "keys_valid"


def test_the_size_of_an_unpacked_file_is_limited() -> None:
    packed = gzip.compress(b" " * (17 * MIB), compresslevel=1)
    files = {"/packages.json": root_with("a.json", "0" * 64), "/a.json": packed}
    with Loopback(site(files)) as server:
        verdict = ask(server.url, packages=["magento/one"])
    assert (verdict.status, verdict.code) == ("unknown", "not_a_repository") and "16 MiB" in verdict.message, verdict


def test_package_files() -> None:
    files = {
        "/packages.json": {"packages": [], "metadata-url": "/p2/%package%.json"},
        "/p2/hyva-themes/one.json": {"packages": {"hyva-themes/one": [{"version": "1.0.0"}]}},
        "/p2/hyva-themes/empty.json": {"packages": {"hyva-themes/empty": []}},
        "/p2/hyva-themes/dev~dev.json": {"packages": {"hyva-themes/dev": [{"version": "dev-main"}]}},
        "/p2/hyva-themes/odd.json": 500,
    }
    with Loopback(site(files)) as server:
        names = [f"hyva-themes/{name}" for name in ("one", "empty", "dev", "none", "odd")]
        verdict = ask(server.url, packages=names, repository="vendor.example")
    states = ["listed", "absent", "listed", "absent", "unknown"]
    assert verdict.packages == dict(zip(names, states)), verdict
    assert verdict.status == "not_entitled"


def test_a_file_on_another_host_is_not_requested() -> None:
    with Loopback(site({})) as other, Loopback(site({})) as server:
        root = {"metadata-url": f"{other.url}p2/%package%.json"}
        server.answer = site({"/packages.json": root})
        verdict = ask(server.url, packages=["a/b"])
    assert (verdict.status, verdict.code) == ("unknown", "redirected"), verdict
    assert other.netloc in verdict.message and not other.requests
    assert verdict.packages == {"a/b": "unknown"}


def test_a_stall_ends_the_walk() -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.path == "/packages.json":
            exchange.json(json.dumps(root_with("a$%hash%.json", "0" * 64)))
        else:
            exchange.reply(200, b'{"providers": ', length=MIB)
            exchange.stall()

    with Loopback(answer) as server:
        verdict = ask(server.url, packages=["a/b"], timeout=0.5)
    # The limit of the whole walk is 5 seconds.
    assert "within 0.5 seconds" in verdict.message
    assert (verdict.status, verdict.code, verdict.packages) == ("unknown", "timed_out", {"a/b": "unknown"})


def test_a_slow_server_cannot_extend_the_walk() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\n{")
        while not exchange.server.stopping.wait(0.02):
            exchange.send(b" ")

    with Loopback(answer) as server, patch.object(session, "in_time", wraps=session.in_time) as in_time:
        verdict = ask(server.url, packages=["a/b"], timeout=0.1)
    (((_work, seconds), _named),) = in_time.call_args_list
    assert seconds <= 1
    assert (verdict.code, verdict.packages) == ("timed_out", {"a/b": "unknown"}), verdict


def test_packages_are_unknown_if_the_pair_is_refused() -> None:
    with Loopback(lambda exchange: exchange.json("{}", status=401)) as server:
        verdict = ask(server.url, packages=["a/b"])
    assert (verdict.status, verdict.packages, len(server.requests)) == ("invalid", {"a/b": "unknown"}, 1)
