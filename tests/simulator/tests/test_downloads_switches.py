# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every switch of the simulated release downloads, in every position, as a plain client sees it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from simulator.accounts import fake_token
from simulator.client import Simulator
from simulator.downloads import PREFIX, SHORT_TEXT, SWITCHES
from simulator.tests.https import ask

INFO = f"{PREFIX}/info"
FILES = f"{PREFIX}/file"
SMALL = f"{FILES}/Magento-CE-2.3.2.zip"
ENTERPRISE = f"{FILES}/Magento-EE-2.4.8.zip"
Pair = tuple[str, str]
Check = Callable[[Simulator, Pair], None]


def wrong_pair_gets(status: int, kind: str = "") -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        for credentials in ((pair[0], fake_token("nobody")), None):
            got = ask(simulator, f"{INFO}/help", credentials)
            assert got.status == status
            assert kind in (got.headers["Content-Type"] + (got.headers["Location"] or ""))
        assert ask(simulator, f"{INFO}/help", pair).status == 200

    return check


def good_pair_gets(status: int) -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        simulator.set_switch("downloads_retry_after", 7)
        for path in (f"{INFO}/help", SMALL):
            got = ask(simulator, path, pair)
            assert got.status == status
            assert got.headers["Retry-After"] == ("7" if status in {429, 503} else None)
        assert ask(simulator, f"{INFO}/help").status == 401

    return check


def login_page(simulator: Simulator, pair: Pair) -> None:
    simulator.set_switch("downloads_good_credentials", "login")
    target = ask(simulator, f"{INFO}/help", pair).headers["Location"]
    assert target == f"https://localhost:{simulator.port}/customer/account/login/"
    assert b"Sign in" in ask(simulator, "/customer/account/login/").body


def short_text(simulator: Simulator, pair: Pair) -> None:
    got = ask(simulator, f"{INFO}/help")
    assert (got.status, got.raw, len(got.raw)) == (200, SHORT_TEXT, 25)


def refusal_body(content_type: str, start: bytes) -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        got = ask(simulator, f"{INFO}/help")
        assert (got.status, got.headers["Content-Type"].split(";")[0]) == (401, content_type)
        assert got.raw.startswith(start)
        assert bool(got.raw) == bool(start)

    return check


def challenge_is(sent: bool) -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        assert (ask(simulator, f"{INFO}/help").headers["WWW-Authenticate"] is not None) == sent

    return check


def info_type(*expected: str) -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        found = [ask(simulator, f"{INFO}/{page}", pair).headers["Content-Type"] for page in ("help", "json")]
        assert found == list(expected)

    return check


def feed_item(name: str, expected: Callable[[Simulator], Any]) -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        feed = json.loads(ask(simulator, f"{INFO}/json", pair).body)
        assert feed["ce-full"]["2.3.2"][0][name] == expected(simulator)

    return check


def right_md5(simulator: Simulator) -> str:
    return str(simulator.download("Magento-CE-2.3.2.zip")["md5"])


def file_gets(content_type: str, body: bytes, path: str = SMALL, status: int = 200) -> Check:
    def check(simulator: Simulator, pair: Pair) -> None:
        got = ask(simulator, path, pair)
        assert (got.status, got.headers["Content-Type"].split(";")[0]) == (status, content_type)
        assert body in got.raw
        if body == SHORT_TEXT:
            assert got.raw == body

    return check


def redirected(simulator: Simulator, pair: Pair) -> None:
    got = ask(simulator, f"{FILES}/Magento-CE-2.0.0+Samples.zip", pair)
    assert got.status == 302
    host = f"https://localhost:{simulator.port}"
    assert got.headers["Location"].startswith(f"{host}/_elsewhere/products/downloads/file/")
    elsewhere = ask(simulator, got.headers["Location"].removeprefix(host), headers={"Range": "bytes=0-3"})
    assert (elsewhere.status, elsewhere.raw) == (206, b"PK\3\4")
    assert ask(simulator, f"{FILES}/Magento-CE-2.0.0+Samples.zip").status == 401


def no_ranges(simulator: Simulator, pair: Pair) -> None:
    got = ask(simulator, SMALL, pair, headers={"Range": "bytes=5-"})
    assert (got.status, got.headers["Accept-Ranges"]) == (200, None)
    assert got.raw.startswith(b"PK")


def no_tags(simulator: Simulator, pair: Pair) -> None:
    got = ask(simulator, SMALL, pair, headers={"Range": "bytes=5-", "If-Range": '"any"'})
    assert (got.status, got.headers["ETag"], got.headers["Last-Modified"]) == (200, None, None)


def chunked(simulator: Simulator, pair: Pair) -> None:
    got = ask(simulator, SMALL, pair)
    assert (got.headers["Content-Length"], got.headers["Transfer-Encoding"]) == (None, "chunked")
    assert zipfile.ZipFile(io.BytesIO(got.raw)).testzip() is None


HTML, ZIP = "text/html", "application/zip"
CASES: list[tuple[str, Any, Check]] = [
    ("downloads_wrong_credentials", "401", wrong_pair_gets(401)),
    ("downloads_wrong_credentials", "403", wrong_pair_gets(403)),
    ("downloads_wrong_credentials", "login", wrong_pair_gets(302, "/customer/account/login/")),
    ("downloads_wrong_credentials", "text", short_text),
    ("downloads_401_body", "html", refusal_body(HTML, b"<!DOCTYPE html>")),
    ("downloads_401_body", "text", refusal_body("text/plain", b"These credentials")),
    ("downloads_401_body", "json", refusal_body("application/json", b"{")),
    ("downloads_401_body", "empty", refusal_body("text/plain", b"")),
    ("downloads_challenge", True, challenge_is(True)),
    ("downloads_challenge", False, challenge_is(False)),
    *(("downloads_good_credentials", str(status), good_pair_gets(status)) for status in (200, 401, 403, 429, 503)),
    ("downloads_good_credentials", "login", login_page),
    ("downloads_retry_after", 7, good_pair_gets(200)),
    ("downloads_info_type", "usual", info_type("text/plain; charset=utf-8", "application/json")),
    ("downloads_info_type", "html", info_type(HTML, HTML)),
    ("downloads_versions", "list", feed_item("ce_versions", lambda _simulator: ["2.3.2"])),
    ("downloads_versions", "text", feed_item("ce_versions", lambda _simulator: "2.3.2")),
    ("downloads_md5", "right", feed_item("md5", right_md5)),
    ("downloads_md5", "wrong", feed_item("md5", lambda simulator: right_md5(simulator)[::-1])),
    ("downloads_md5", "empty", feed_item("md5", lambda _simulator: "")),
    ("downloads_file", "file", file_gets(ZIP, b"PK\3\4")),
    ("downloads_file", "text", file_gets(HTML, SHORT_TEXT)),
    ("downloads_file", "text_as_archive", file_gets(ZIP, SHORT_TEXT)),
    ("downloads_file", "page", file_gets(HTML, b"Sign in")),
    ("downloads_unknown_file", "404", file_gets(HTML, b"Not Found", f"{FILES}/none.zip", 404)),
    ("downloads_unknown_file", "text", file_gets(HTML, SHORT_TEXT, f"{FILES}/none.zip")),
    *(("downloads_not_entitled", str(status), file_gets(HTML, b"", ENTERPRISE, status)) for status in (404, 403, 401)),
    ("downloads_not_entitled", "text", file_gets(HTML, SHORT_TEXT, ENTERPRISE)),
    ("downloads_redirect", True, redirected),
    ("downloads_ranges", False, no_ranges),
    ("downloads_tags", False, no_tags),
    ("downloads_chunked", True, chunked),
    ("downloads_type", "by_name", file_gets(ZIP, b"PK")),
    ("downloads_type", "application/octet-stream", file_gets("application/octet-stream", b"PK")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "check"), CASES, ids=[f"{name}={value}" for name, value, _check in CASES])
def test_switch(simulator: Simulator, name: str, value: Any, check: Check) -> None:
    simulator.set_switch(name, value)
    check(simulator, simulator.token("shop"))


def test_every_position_of_the_download_switches_has_a_case() -> None:
    wanted: set[tuple[str, Any]] = {(switch.name, choice) for switch in SWITCHES for choice in switch.choices}
    wanted |= {(switch.name, not switch.default) for switch in SWITCHES if isinstance(switch.default, bool)}
    tested = {(name, value) for name, value, _check in CASES}
    assert wanted <= tested
    assert {switch.name for switch in SWITCHES} == {name for name, _value in tested}
