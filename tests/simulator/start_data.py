# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded data of a new simulator, and the data file that can replace it.

Names and keys are obviously made up: every key is the hash of ``account/label/half`` (see ``fake_key``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fields
from .accounts import SANDBOX, Account, fake_key, fake_token, parse_accounts
from .catalog import Catalog
from .offers import Offer, parse_offers
from .problems import BadInput

VENDOR_PASSWORD = "made-up password of the vendor account"
_COMMUNITY = [
    "magento/project-community-edition",
    "magento/product-community-edition",
    "magento/magento2-base",
    "magento/framework",
]
_ENTERPRISE = ["magento/project-enterprise-edition", "magento/product-enterprise-edition", "magento/module-made-up-b2b"]
BIG_FILE = "Magento-CE-2.4.8.zip"
_EXTENSION = "exampleworks/module-gift-note"
# For each release line, the release and a few patches; for the last line, all of them.
_SHOPS = (
    *("2.4.4", "2.4.4-p13", "2.4.5", "2.4.5-p12", "2.4.6", "2.4.6-p11", "2.4.7", "2.4.7-p1", "2.4.7-p6"),
    *("2.4.8", "2.4.8-p1", "2.4.8-p2", "2.4.8-p3", "2.4.8-p4"),
)
NEWEST = _SHOPS[-1]
_LINES = tuple((shop, "103.0." + shop.removeprefix("2.4.")) for shop in _SHOPS)


def _project(edition: str) -> dict[str, Any]:
    return {
        "name": f"magento/project-{edition}-edition",
        "type": "project",
        "description": "Made-up project template",
        "group": "ce" if edition == "community" else "ee",
        "composer": {
            # Packagist is disabled, so that an installation uses only this server.
            "repositories": [{"type": "composer", "url": "{base}/"}, {"packagist.org": False}],
            "minimum-stability": "stable",
        },
        "versions": [
            {"version": shop, "require": {f"magento/product-{edition}-edition": shop}} for shop, _framework in _LINES
        ],
    }


def _downloads() -> list[dict[str, Any]]:
    """Files with names like the real ones, an unknown category of each shape, and missing MD5 sums."""

    def release(category: str, version: str, file_name: str, **more: Any) -> dict[str, Any]:
        return {
            "category": category,
            "name": f"Version {version}",
            "versions": [version],
            "file_name": file_name,
            **more,
        }

    def patch(category: str, number: int, file_name: str, *versions: str) -> dict[str, Any]:
        return {"category": category, "name": f"SUPEE-{number}", "versions": list(versions), "file_name": file_name}

    zips = [release("ce-full", shop, f"Magento-CE-{shop}.zip") for shop in reversed(_SHOPS)]
    next(item for item in zips if item["file_name"] == BIG_FILE)["size"] = 64 * 1024 * 1024
    return [
        *zips,
        release("ce-full", "2.4.3-p1", "Magento-CE-2.4.3-p1_sample_data.tar.gz", md5=False),
        release("ce-full", "2.4.2", "Magento-CE-2.4.2_sample_data.tar.gz"),
        release("ce-full", "2.3.2", "Magento-CE-2.3.2.zip"),
        release("ce-full", "2.0.0", "Magento-CE-2.0.0.zip"),
        release("ce-full", "2.0.0", "Magento-CE-2.0.0+Samples.zip", name="Version 2.0.0 with samples"),
        release("ce-full", "1.9.2.4", "magento-1.9.2.4.tar.bz2"),
        release("ce-full", "1.9.2.1", "magento-1.9.2.1.tar.gz"),
        release("ce-full", "1.9.0.0", "magento-1.9.0.0.tar.gz"),
        patch("ce-patch", 7405, "PATCH_SUPEE-7405_CE_1.9.2.2_v1.1.sh", "1.9.2.2", "1.9.2.3"),
        patch("ce-patch", 6788, "PATCH_SUPEE-6788_CE_1.9.2.1_v1.sh", "1.9.2.0", "1.9.2.1"),
        patch("ce-patch", 6482, "PATCH_SUPEE-6482_CE_1.9.2.0_v1.sh", "1.9.2.0"),
        patch(
            "ce-patch", 5344, "PATCH_SUPEE-5344_CE_1.8.0.0_v1.sh", "1.8.0.0", "1.8.1.0", "1.9.0.0", "1.9.0.1", "1.9.1.0"
        ),
        release("ee-full", "2.4.8", "Magento-EE-2.4.8.zip"),
        patch("ee-patch", 6788, "PATCH_SUPEE-6788_EE_1.14.2.1_v1.sh", "1.14.2.1"),
        {"category": "other", "name": "Made-up tool", "versions": ["1.0.0"], "file_name": "made-up-tool-1.0.0.tar.gz"},
        {"category": "other", "name": "Made-up notes", "file_name": "made-up-notes.zip", "md5": False},
        release("ce-beta", "2.5.0-beta1", "Magento-CE-2.5.0-beta1.zip"),
        {"category": "cloud-tool", "plain": True, "name": "Made-up cloud tool", "file_name": "made-up-cloud-tool.zip"},
    ]


def embedded() -> dict[str, Any]:
    """The embedded data, in the form of a data file."""
    return {
        "packages": [
            _project("community"),
            _project("enterprise"),
            {
                "name": "magento/product-community-edition",
                "type": "metapackage",
                "description": "Made-up product",
                "versions": [
                    {
                        "version": shop,
                        # Any PHP that can run current versions of Composer 2.
                        "require": {"php": ">=7.2.5", "magento/magento2-base": shop, "magento/framework": framework},
                    }
                    for shop, framework in _LINES
                ],
            },
            {
                "name": "magento/magento2-base",
                "type": "magento2-component",
                "description": "Made-up base, large enough to be cut in the middle",
                "padding": 200000,
                "files": {"app/README.txt": "Nothing of Magento is in here.\n"},
                "versions": [{"version": shop, "require": {"magento/framework": fw}} for shop, fw in _LINES],
            },
            {
                "name": "magento/framework",
                "type": "magento2-library",
                "description": "Made-up framework",
                "files": {"registration.php": "<?php\n// Nothing of Magento is in here.\n"},
                "versions": [{"version": framework} for _shop, framework in _LINES],
            },
            {
                "name": "magento/product-enterprise-edition",
                "type": "metapackage",
                "group": "ee",
                "description": "Made-up product for paying customers",
                "versions": [
                    {
                        "version": shop,
                        "require": {"magento/product-community-edition": shop, "magento/module-made-up-b2b": "1.5.0"},
                    }
                    for shop, _framework in _LINES
                ],
            },
            {
                "name": "magento/module-made-up-b2b",
                "type": "magento2-module",
                "group": "ee",
                "versions": [{"version": "1.5.0"}],
            },
            {
                "name": _EXTENSION,
                "type": "magento2-module",
                "group": "extensions",
                "description": "Made-up extension of a made-up vendor",
                "versions": [{"version": "1.0.0"}, {"version": "1.1.0"}],
            },
        ],
        "downloads": _downloads(),
        "accounts": [
            {
                "name": "shop",
                "mage_id": "MAG000000001",
                "download_token": fake_token("shop"),
                "applications": [{"name": "application"}],
                "organisations": ["000FAKE0SHOP000@AdobeOrg"],
                "m1": [
                    {
                        "product_name": "exampleworks/gift-note-0.9.0",
                        "product_key": f"https://connect.test/{fake_key('shop', 'm1', 'product')}/gift-note-0.9.0",
                    }
                ],
                "entitlements": [*_COMMUNITY, _EXTENSION],
                "keys": [{"label": "web"}, {"label": "ci"}, {"label": "old", "enabled": False}],
            },
            {
                "name": "enterprise",
                "mage_id": "MAG000000002",
                "download_token": fake_token("enterprise"),
                "applications": [{"name": "application"}],
                "organisations": ["000FAKE0ENTERPRISE@AdobeOrg"],
                "entitlements": [*_COMMUNITY, *_ENTERPRISE],
                "keys": [{"label": "web"}, {"label": "old", "enabled": False}],
            },
            {
                "name": "unpaid",
                "mage_id": "MAG000000003",
                "download_token": fake_token("unpaid"),
                "applications": [{"name": "application"}],
                "keys": [{"label": "web"}],
            },
            {
                # The sandbox account of shop, with the same MAGEID.
                "name": "sandbox",
                "environment": SANDBOX,
                "mage_id": "MAG000000001",
                "applications": [{"name": "application"}],
                "entitlements": [*_COMMUNITY, _EXTENSION],
                "keys": [{"label": "web"}, {"label": "old", "enabled": False}],
            },
            {
                "name": "vendor",
                "hosts": ["composer.exampleworks.test"],
                "entitlements": ["exampleworks/*"],
                "keys": [{"label": "web", "public": "token", "private": VENDOR_PASSWORD}],
            },
        ],
    }


@dataclass(frozen=True)
class StartData:
    """Packages and downloads (fixed while the server runs) and the initial accounts."""

    catalog: Catalog
    offers: tuple[Offer, ...]
    accounts: dict[str, Account]


def parse_start_data(value: object) -> StartData:
    """Data in the form of ``embedded``, which provides the missing parts."""
    data = fields.mapping(value, "data")
    fields.only(data, {"packages", "downloads", "accounts"}, "data")
    whole = {**embedded(), **data}
    return StartData(
        Catalog.parse(fields.listing(whole, "packages", "data")),
        parse_offers(fields.listing(whole, "downloads", "data")),
        parse_accounts(fields.listing(whole, "accounts", "data")),
    )


def read_start_data(path: Path | None) -> StartData:
    """The data of a YAML or JSON file, or the embedded data; BadInput if the file cannot be read or is invalid."""
    if path is None:
        return parse_start_data({})
    try:
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return parse_start_data(json.loads(content))
        # Imported here, because a container that serves the embedded data or JSON needs no YAML library.
        import yaml

        return parse_start_data(yaml.safe_load(content))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    except ImportError as error:
        raise BadInput(f"{path}: YAML needs the Python package PyYAML; JSON does not") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except Exception as error:
        raise BadInput(f"{path} is neither valid YAML nor JSON: {error}") from error
