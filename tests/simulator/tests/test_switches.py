# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every switch of the simulator, in every position, as a real client sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.client import Simulator
from simulator.problems import BadInput
from simulator.repository import SWITCHES
from simulator.tests.https import ask, curl, walk

Check = Callable[[Simulator, tuple[str, str]], None]
FRAMEWORK_ZIP = "/archives/magento/framework/magento-framework-103.0.8.0.zip"
ENTERPRISE_ZIP = "/archives/magento/product-enterprise-edition/magento-product-enterprise-edition-2.4.8.0.zip"


def _provider(simulator: Simulator, key: tuple[str, str]) -> str:
    """The address of one package's provider file."""
    include, entry = next(iter(ask(simulator, key=key).json["provider-includes"].items()))
    providers = ask(simulator, "/" + include.replace("%hash%", entry["sha256"]), key).json["providers"]
    return f"/p/magento/framework${providers['magento/framework']['sha256']}.json"


def _encodings(simulator: Simulator, key: tuple[str, str]) -> list[bool]:
    """Whether the answer is gzip: packages.json without and with Accept-Encoding, then the same for a provider file."""
    accepting = {"Accept-Encoding": "gzip, deflate"}
    plain = {"Accept-Encoding": "identity"}
    return [
        ask(simulator, path, key, headers=headers).headers["Content-Encoding"] == "gzip"
        for path in ("/packages.json", _provider(simulator, key))
        for headers in (plain, accepting)
    ]


def gzip_is(*expected: bool) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        assert _encodings(simulator, key) == list(expected)
        assert "magento/framework" in walk(simulator, key)

    return check


def good_keys_get(status: int, *, path: str = "/packages.json", content: str) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        got = ask(simulator, path, key)
        assert got.status == status
        assert content in got.headers["Content-Type"]
        assert ask(simulator, path).status == 401

    return check


def only_packages_json_gets(status: int) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        assert ask(simulator, key=key).status == status
        assert ask(simulator, FRAMEWORK_ZIP, key).status == 200

    return check


def maintenance_is(status: int) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        for credentials in (key, None):
            got = ask(simulator, key=credentials)
            assert got.status == status
            assert got.headers["Content-Type"].startswith("text/html")
            assert b"maintenance" in got.body

    return check


def pair_gets(status: int, change: Callable[[Simulator, str], None]) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        change(simulator, key[0])
        got = ask(simulator, key=key)
        assert got.status == status
        assert got.json["warning"]

    return check


def archive_gets(status: int) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        assert ask(simulator, ENTERPRISE_ZIP, key).status == status
        assert ask(simulator, FRAMEWORK_ZIP, key).status == 200

    return check


def root_holds(*names: str) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        assert sorted(ask(simulator, key=key).json) == sorted(names)
        found = walk(simulator, key)
        assert ("magento/framework" in found) == (names != ("packages", "providers-url"))

    return check


def include_names(expected: str) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        includes = ask(simulator, key=key).json["provider-includes"]
        assert all(include.startswith(expected) for include in includes)
        assert "magento/framework" in walk(simulator, key)

    return check


def challenge(simulator: Simulator, key: tuple[str, str]) -> None:
    assert ask(simulator).headers["WWW-Authenticate"].startswith("Basic realm=")
    simulator.set_switch("challenge", False)
    assert ask(simulator).headers["WWW-Authenticate"] is None


def archives_elsewhere(simulator: Simulator, key: tuple[str, str]) -> None:
    got = ask(simulator, FRAMEWORK_ZIP, key)
    assert got.status == 302
    target = got.headers["Location"]
    assert target.startswith(f"https://localhost:{simulator.port}/_elsewhere/archives/")
    elsewhere = ask(simulator, target.removeprefix(f"https://localhost:{simulator.port}"))
    simulator.set_switch("archive_redirect", False)
    assert elsewhere.raw == ask(simulator, FRAMEWORK_ZIP, key).raw


def archives_for_composer(simulator: Simulator, key: tuple[str, str]) -> None:
    for agent, status in (
        ("curl/8", 403),
        ("my composer", 403),
        ("", 403),
        ("Composer/2.5.5 (Linux)", 200),
        ("composer-php/2.7.0", 200),
        ("composer/1.10", 200),
        ("COMPOSER", 200),
    ):
        assert ask(simulator, FRAMEWORK_ZIP, key, headers={"User-Agent": agent}).status == status, agent
    assert ask(simulator, key=key, headers={"User-Agent": "curl/8"}).status == 200


def sandbox_pair_gets(status: int) -> Check:
    def check(simulator: Simulator, key: tuple[str, str]) -> None:
        assert ask(simulator, key=simulator.key("sandbox", "web")).status == status
        assert ask(simulator, key=simulator.key("sandbox", "old")).status == 401
        assert ask(simulator, key=key).status == 200

    return check


def retry_after(simulator: Simulator, key: tuple[str, str]) -> None:
    for name, value in (("good_keys", 429), ("good_keys", 503), ("maintenance", 503)):
        simulator.set_switch(name, value)
        assert ask(simulator, key=key).headers["Retry-After"] == "7"
    simulator.set_switch("retry_after", 0)
    assert ask(simulator, key=key).headers["Retry-After"] is None


def named_other_host(simulator: Simulator, key: tuple[str, str]) -> None:
    simulator.set_switch("archive_redirect", True)
    assert ask(simulator, FRAMEWORK_ZIP, key).headers["Location"].startswith("https://cdn.test:8443/")


HTML, JSON = "text/html", "application/json"
REFUSALS = (401, 402, 403)
PAGES = (404, 429, 503)
CASES: list[tuple[str, Any, Check]] = [
    ("maintenance", "off", good_keys_get(200, content=JSON)),
    ("maintenance", "503", maintenance_is(503)),
    ("maintenance", "200", maintenance_is(200)),
    ("challenge", True, challenge),
    ("disabled_key", "401", pair_gets(401, Simulator.disable_key)),
    ("disabled_key", "403", pair_gets(403, Simulator.disable_key)),
    ("deleted_key", "401", pair_gets(401, Simulator.delete_key)),
    ("deleted_key", "403", pair_gets(403, Simulator.delete_key)),
    ("good_keys", "200", good_keys_get(200, content=JSON)),
    *(("good_keys", str(status), good_keys_get(status, content=JSON)) for status in REFUSALS),
    *(("good_keys", str(status), good_keys_get(status, path=FRAMEWORK_ZIP, content=HTML)) for status in PAGES),
    *(("packages_json", str(status), only_packages_json_gets(status)) for status in (200, *REFUSALS, *PAGES)),
    ("retry_after", 7, retry_after),
    ("packages_form", "includes", root_holds("packages", "providers-url", "provider-includes")),
    ("packages_form", "providers", root_holds("packages", "providers-url", "providers")),
    ("packages_form", "inline", root_holds("packages")),
    ("packages_form", "bare", root_holds("packages", "providers-url")),
    ("provider_names", "usual", include_names("p/provider-")),
    ("provider_names", "odd", include_names("p/listing-")),
    ("gzip", "unasked", gzip_is(False, True, True, True)),
    ("gzip", "always", gzip_is(True, True, True, True)),
    ("gzip", "asked", gzip_is(False, True, False, True)),
    ("gzip", "never", gzip_is(False, False, False, False)),
    *(("archive_not_entitled", str(status), archive_gets(status)) for status in (404, 403, 401)),
    ("archive_redirect", True, archives_elsewhere),
    ("archive_agent", True, archives_for_composer),
    *(("sandbox_key", str(status), sandbox_pair_gets(status)) for status in (401, 200)),
    ("other_host", "cdn.test:8443", named_other_host),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "check"), CASES, ids=[f"{name}={value}" for name, value, _check in CASES])
def test_switch(simulator: Simulator, name: str, value: Any, check: Check) -> None:
    simulator.set_switch(name, value)
    check(simulator, simulator.key("shop", "web"))


def test_every_position_of_the_repository_switches_has_a_case() -> None:
    wanted: set[tuple[str, Any]] = {(switch.name, choice) for switch in SWITCHES for choice in switch.choices}
    wanted |= {(switch.name, True) for switch in SWITCHES if switch.default is False}
    tested = {(name, value) for name, value, _check in CASES}
    assert wanted <= tested
    assert {switch.name for switch in SWITCHES} == {name for name, _value in tested}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("no_such_switch", True, "no switch is named no_such_switch; the switches are: .*maintenance"),
        ("maintenance", "on", "takes one of: off, 503, 200"),
        ("challenge", "yes", "takes true or false"),
        ("challenge", 1, "takes true or false"),
        ("retry_after", -1, "whole number"),
        ("retry_after", True, "whole number"),
        ("other_host", 3, "takes a string"),
    ],
)
def test_unusable_settings_are_refused_and_change_nothing(
    simulator: Simulator, name: str, value: Any, words: str
) -> None:
    before = simulator.switches()
    with pytest.raises(BadInput, match=words):
        simulator.call("PATCH", "switches", {"provider_names": "odd", name: value})
    assert simulator.switches() == before


def test_number_and_string_set_the_same_value(simulator: Simulator) -> None:
    simulator.set_switch("disabled_key", 403)
    assert simulator.switches()["disabled_key"]["value"] == "403"
    simulator.set_switch("disabled_key", None)
    assert simulator.switches()["disabled_key"]["value"] == "401"


@pytest.mark.needs("curl")
def test_curl_is_redirected_without_its_password(simulator: Simulator) -> None:
    simulator.set_switch("archive_redirect", True)
    run = curl(simulator, FRAMEWORK_ZIP, simulator.key("shop", "web"), "--location", "--fail")
    assert run.returncode == 0, run.stderr
    first, second = simulator.requests()
    assert (first["host"], first["status"], first["authorization"]) == (simulator.address, 302, True)
    assert (second["host"], second["status"], second["authorization"]) == (f"localhost:{simulator.port}", 200, False)
