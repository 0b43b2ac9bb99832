# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Composer installs from the simulator, and fails with invalid keys."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.accounts import fake_key
from simulator.client import Simulator
from simulator.start_data import NEWEST
from simulator.tests.https import ask

pytestmark = pytest.mark.needs("composer")
PROJECT = "magento/project-community-edition"


@dataclass(frozen=True)
class Shop:
    """A directory with a Composer home, and the project that Composer makes there."""

    directory: Path
    simulator: Simulator

    @property
    def project(self) -> Path:
        """The directory of the project."""
        return self.directory / "shop"

    def create(
        self, key: tuple[str, str] | None, package: str = PROJECT, folder: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """``composer create-project`` with the pair in the home's auth.json, from a repository below ``folder``."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        auth = {}
        if key is not None:
            auth = {"http-basic": {self.simulator.address: {"username": key[0], "password": key[1]}}}
        (home / "auth.json").write_text(json.dumps(auth))
        where = f"--repository-url={self.simulator.url}{folder}"
        return self.composer("create-project", "--no-cache", where, package, str(self.project))

    def composer(self, *words: str, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The real Composer, with the home that ``create`` made."""
        home = self.directory / "home"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "COMPOSER_HOME": str(home),
            "COMPOSER_CAFILE": self.simulator.ca_path,
            "COMPOSER_ALLOW_SUPERUSER": "1",
            "no_proxy": "*",
        }
        return subprocess.run(
            ["composer", *words, "--no-interaction", "--no-ansi"],
            env=environment,
            cwd=directory or self.directory,
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def shop(tmp_path: Path, simulator: Simulator) -> Shop:
    """An empty directory for a shop."""
    return Shop(tmp_path, simulator)


def installed(shop: Shop) -> dict[str, str]:
    """Package to version, as Composer recorded it."""
    content = json.loads((shop.project / "vendor/composer/installed.json").read_text())
    return {package["name"]: package["version"] for package in content["packages"]}


def test_good_keys_install_a_project(shop: Shop) -> None:
    run = shop.create(shop.simulator.key("shop", "web"), f"{PROJECT}=2.4.7-p1")
    assert run.returncode == 0, run.stderr
    assert installed(shop) == {
        "magento/framework": "103.0.7-p1",
        "magento/magento2-base": "2.4.7-p1",
        "magento/product-community-edition": "2.4.7-p1",
    }
    assert (shop.project / "vendor/magento/magento2-base/app/README.txt").is_file()
    assert all(entry["authorization"] for entry in shop.simulator.requests())


def test_product_requires_a_php_version(shop: Shop) -> None:
    assert shop.create(shop.simulator.key("shop", "web")).returncode == 0
    run = shop.composer("check-platform-reqs", "--format=json", directory=shop.project)
    (php,) = [row for row in json.loads(run.stdout) if row["name"] == "php"]
    assert (php["status"], php["failed_requirement"]) == ("success", None)
    # With an older PHP, the project cannot be installed.
    shop.composer("config", "platform.php", "7.1.0", directory=shop.project)
    run = shop.composer("update", "--dry-run", "--no-cache", directory=shop.project)
    assert run.returncode != 0
    assert "requires php >=7.2.5" in run.stderr


@pytest.mark.parametrize("form", ["includes", "providers", "inline"])
@pytest.mark.parametrize("gzip", ["unasked", "never"])
def test_every_form_installs(shop: Shop, form: str, gzip: str) -> None:
    shop.simulator.set_switch("packages_form", form)
    shop.simulator.set_switch("gzip", gzip)
    shop.simulator.set_switch("provider_names", "odd")
    run = shop.create(shop.simulator.key("shop", "web"))
    assert run.returncode == 0, run.stderr
    assert installed(shop)["magento/product-community-edition"] == NEWEST


def test_enterprise_edition_needs_an_entitled_account(shop: Shop) -> None:
    package = "magento/project-enterprise-edition"
    refused = shop.create(shop.simulator.key("shop", "web"), package)
    assert refused.returncode != 0
    assert "Could not find package" in refused.stderr
    run = shop.create(shop.simulator.key("enterprise", "web"), package)
    assert run.returncode == 0, run.stderr
    assert "magento/module-made-up-b2b" in installed(shop)


@pytest.mark.parametrize(
    ("choose", "warning"),
    [
        (lambda _simulator: None, "no authentication keys were sent"),
        (lambda simulator: (simulator.key("shop", "web")[0], fake_key("a", "b", "c")), "not valid"),
        (lambda simulator: simulator.key("shop", "old"), "not valid"),
    ],
    ids=["none", "wrong", "disabled"],
)
def test_bad_keys_install_nothing(
    shop: Shop, choose: Callable[[Simulator], tuple[str, str] | None], warning: str
) -> None:
    run = shop.create(choose(shop.simulator))
    assert run.returncode != 0
    assert warning in run.stderr
    assert not (shop.project / "composer.json").exists()


def test_a_corrupted_archive_is_caught(shop: Shop) -> None:
    shop.simulator.add_fault("wrong_hash", path="/archives/magento/magento2-base/*")
    run = shop.create(shop.simulator.key("shop", "web"))
    assert run.returncode != 0
    assert "checksum verification of the file failed" in run.stderr
    assert not (shop.project / "vendor/magento/magento2-base").exists()


def test_a_corrupted_listing_is_caught(shop: Shop) -> None:
    shop.simulator.add_fault("wrong_hash", path="/p/magento/product-community-edition*")
    run = shop.create(shop.simulator.key("shop", "web"))
    assert run.returncode != 0
    assert "man-in-the-middle" in run.stderr


def test_keys_are_not_sent_to_another_host(shop: Shop) -> None:
    shop.simulator.set_switch("archive_redirect", True)
    shop.simulator.set_switch("archive_agent", True)
    run = shop.create(shop.simulator.key("shop", "web"))
    assert run.returncode == 0, run.stderr
    elsewhere = [entry for entry in shop.simulator.requests() if entry["host"].startswith("localhost:")]
    assert {entry["authorization"] for entry in elsewhere} == {False}


@pytest.mark.parametrize("redirect", [False, True])
def test_a_repository_below_a_path(redirect: bool, shop: Shop) -> None:
    shop.simulator.change_account("vendor", hosts=[f"{shop.simulator.host}/My-Shop/"])
    shop.simulator.set_switch("archive_redirect", redirect)
    key = shop.simulator.key("vendor", "web")
    run = shop.create(key, "exampleworks/module-gift-note", "My-Shop/")
    assert run.returncode == 0, run.stderr
    asked = [(request["path"], request["status"]) for request in shop.simulator.requests()]
    assert ("/My-Shop/packages.json", 200) in asked and (shop.project / "composer.json").is_file(), asked
    assert ask(shop.simulator, "/packages.json", key).status == ask(shop.simulator, "/My-Shopper/p", key).status == 404
