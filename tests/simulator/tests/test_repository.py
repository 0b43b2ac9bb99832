# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated repository as real clients see it: keys, entitlement, layout."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest

from simulator.accounts import fake_key
from simulator.catalog import normalised
from simulator.client import Simulator
from simulator.problems import BadInput
from simulator.tests.https import ask, walk

FRAMEWORK_ZIP = "/archives/magento/framework/magento-framework-103.0.7.0-patch1.zip"
ENTERPRISE_ZIP = "/archives/magento/product-enterprise-edition/magento-product-enterprise-edition-2.4.8.0.zip"


def test_good_keys_open_the_repository(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    for method in ("GET", "HEAD", "POST"):
        got = ask(simulator, key=key, method=method)
        assert got.status == 200
        assert got.headers["Content-Type"] == "application/json"
    assert ask(simulator, key=key).json["packages"] == []
    for path, methods, allowed in (
        ("/packages.json", ("PUT", "OPTIONS", "DELETE", "PATCH"), "GET, HEAD, POST"),
        (FRAMEWORK_ZIP, ("POST", "PUT", "OPTIONS"), "GET, HEAD"),
    ):
        for method in methods:
            got = ask(simulator, path, key, method=method)
            assert (got.status, got.headers["Allow"]) == (405, allowed), (path, method)
            assert ask(simulator, path, method=method).status == 401


def test_missing_and_wrong_keys_get_different_warnings(simulator: Simulator) -> None:
    public, _private = simulator.key("shop", "web")
    missing, wrong = ask(simulator), ask(simulator, key=(public, fake_key("shop", "nobody", "private")))
    assert (missing.status, wrong.status) == (401, 401)
    assert "no authentication keys were sent" in missing.json["warning"]
    assert "not valid" in wrong.json["warning"]
    # Composer prints the text only without a charset.
    assert missing.headers["Content-Type"] == wrong.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("dollar", ["$", "%24"])
def test_every_hash_is_right(simulator: Simulator, dollar: str) -> None:
    key = simulator.key("shop", "web")
    found = walk(simulator, key, dollar)
    assert "magento/product-community-edition" in found
    for versions in found.values():
        for version, content in versions.items():
            dist = content["dist"]
            assert dist["url"].startswith(simulator.url)
            assert dist["url"].endswith(f"-{normalised(version)}.zip")
            archive = ask(simulator, "/" + dist["url"].removeprefix(simulator.url), key).body
            assert hashlib.sha1(archive).hexdigest() == dist["shasum"]
            assert "composer.json" in zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_only_entitled_packages_are_listed(simulator: Simulator) -> None:
    assert "magento/product-enterprise-edition" not in walk(simulator, simulator.key("shop", "web"))
    assert "magento/product-enterprise-edition" in walk(simulator, simulator.key("enterprise", "web"))
    assert walk(simulator, simulator.key("unpaid", "web")) == {}
    simulator.change_account("unpaid", entitlements=["magento/frame*"])
    assert list(walk(simulator, simulator.key("unpaid", "web"))) == ["magento/framework"]


def test_an_archive_outside_the_entitlement_is_absent(simulator: Simulator) -> None:
    assert ask(simulator, ENTERPRISE_ZIP, simulator.key("enterprise", "web")).status == 200
    assert ask(simulator, ENTERPRISE_ZIP, simulator.key("shop", "web")).status == 404
    assert ask(simulator, "/archives/magento/none/magento-none-1.0.0.0.zip", simulator.key("shop", "web")).status == 404


def test_archives_are_the_same_bytes_every_time(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    first = ask(simulator, FRAMEWORK_ZIP, key).raw
    simulator.restart()
    assert ask(simulator, FRAMEWORK_ZIP, key).raw == first


def test_key_can_be_added_disabled_enabled_and_deleted(simulator: Simulator) -> None:
    key = simulator.add_key("shop", "new one")
    assert key == (fake_key("shop", "new one", "public"), fake_key("shop", "new one", "private"))
    for change, status in (
        (simulator.disable_key, 401),
        (simulator.enable_key, 200),
        (simulator.delete_key, 401),
    ):
        change(key[0])
        assert ask(simulator, key=key).status == status, change
    with pytest.raises(BadInput, match="no account has that key"):
        simulator.enable_key(key[0])
    with pytest.raises(BadInput, match="same label"):
        simulator.add_key("shop", "web")


def test_accounts_can_be_limited_to_a_host(simulator: Simulator) -> None:
    key = simulator.key("vendor", "web")
    assert key[0] == "token"
    assert ask(simulator, key=key).status == 401
    for host in ("composer.exampleworks.test", f"Composer.ExampleWorks.test:{simulator.port}"):
        got = ask(simulator, key=key, headers={"Host": host})
        assert got.status == 200
        assert [path for path in got.json["provider-includes"] if "extensions" in path]


def test_urls_use_the_requested_host_name(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    host = {"Host": "repo.magento.com"}
    path = "/archives/magento/project-community-edition/magento-project-community-edition-2.4.8.0.zip"
    archive = zipfile.ZipFile(io.BytesIO(ask(simulator, path, key, headers=host).raw))
    project = json.loads(archive.read("composer.json"))
    assert project["repositories"] == [
        {"type": "composer", "url": "https://repo.magento.com/"},
        {"packagist.org": False},
    ]


@pytest.mark.parametrize(
    ("version", "long"),
    [
        ("2.4.5-p12", "2.4.5.0-patch12"),
        ("2.4.5", "2.4.5.0"),
        ("103.0.7-p1", "103.0.7.0-patch1"),
        ("1.2", "1.2.0.0"),
        ("v2", "2.0.0.0"),
        ("2.4.0-beta1", "2.4.0.0-beta1"),
        ("2.4.0-rc.2", "2.4.0.0-RC2"),
        ("1.2.3.4", "1.2.3.4"),
    ],
)
def test_versions_are_normalised_as_composer_does(version: str, long: str) -> None:
    assert normalised(version) == long
