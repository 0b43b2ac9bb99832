# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated repository as real clients see it: keys, entitlement, layout."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import pytest
from _simulator_fixture import ask

from simulator.accounts import fake_key
from simulator.catalog import normalised
from simulator.client import Simulator

FRAMEWORK_ZIP = "/archives/magento/framework/magento-framework-103.0.7.0-patch1.zip"
ENTERPRISE_ZIP = "/archives/magento/product-enterprise-edition/magento-product-enterprise-edition-2.4.8.0.zip"


def walk(simulator: Simulator, key: tuple[str, str], dollar: str = "$") -> dict[str, Any]:
    """Every package that the key sees: name to versions, with every announced hash checked on the way."""

    def fetch(path: str, digest: str) -> Any:
        got = ask(simulator, "/" + path.replace("%hash%", digest).replace("$", dollar).lstrip("/"), key)
        assert (got.status, hashlib.sha256(got.body).hexdigest()) == (200, digest), path
        return got.json

    root = ask(simulator, key=key).json
    providers = dict(root.get("providers", {}))
    for include, entry in root.get("provider-includes", {}).items():
        providers.update(fetch(include, entry["sha256"])["providers"])
    found = dict(root["packages"] or {})
    for name, entry in providers.items():
        found.update(fetch(root["providers-url"].replace("%package%", name), entry["sha256"])["packages"])
    return found


def test_good_keys_open_the_repository(simulator: Simulator) -> None:
    key = simulator.key("shop", "web")
    for method in ("GET", "HEAD", "POST"):
        got = ask(simulator, key=key, method=method)
        assert got.status == 200
        assert got.headers["Content-Type"] == "application/json"
    assert ask(simulator, key=key).json["packages"] == []
    assert ask(simulator, FRAMEWORK_ZIP, key, method="POST").status == 405


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


def test_only_the_entitled_is_listed(simulator: Simulator) -> None:
    assert "magento/product-enterprise-edition" not in walk(simulator, simulator.key("shop", "web"))
    assert "magento/product-enterprise-edition" in walk(simulator, simulator.key("enterprise", "web"))
    assert walk(simulator, simulator.key("unpaid", "web")) == {}
    simulator.change_account("unpaid", entitlements=["magento/frame*"])
    assert list(walk(simulator, simulator.key("unpaid", "web"))) == ["magento/framework"]
