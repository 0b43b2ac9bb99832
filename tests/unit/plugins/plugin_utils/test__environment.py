# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""COMPOSER_AUTH from the variables of the role."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.plugin_utils._environment import composer_auth_text


def half(word: str) -> str:
    """32 hex digits that are not a real key."""
    return hashlib.sha256(f"not a key: {word}".encode()).hexdigest()[:32]


MAGENTO = {"public_key": half("public"), "private_key": half("private")}
OTHER = {"public_key": half("other public"), "private_key": half("other private")}
VENDOR = {"repository": "vendor.example", "public_key": "token", "private_key": 'made up "pass" \\ wörd'}
MAGENTO_ENTRY = {"repo.magento.com": {"username": half("public"), "password": half("private")}}
VENDOR_ENTRY = {"vendor.example": {"username": "token", "password": 'made up "pass" \\ wörd'}}


@pytest.mark.parametrize(
    ("variables", "entries"),
    [
        (MAGENTO, MAGENTO_ENTRY),
        ({"keys": None, "state": None, "users": None, **MAGENTO}, MAGENTO_ENTRY),
        ({"keys": [MAGENTO, VENDOR]}, {**MAGENTO_ENTRY, **VENDOR_ENTRY}),
        ({"keys": [VENDOR], **MAGENTO, "users": ["deploy"]}, {**VENDOR_ENTRY, **MAGENTO_ENTRY}),
        ({"keys": [MAGENTO, dict(VENDOR, state="absent")]}, MAGENTO_ENTRY),
        ({"keys": [MAGENTO, dict(VENDOR, state="present")], "state": "absent"}, VENDOR_ENTRY),
        ({"keys": [MAGENTO, MAGENTO]}, MAGENTO_ENTRY),
        # A key for one project or file; in the environment it would be used everywhere.
        ({"keys": [MAGENTO, dict(OTHER, projects=["/srv/shop"])]}, MAGENTO_ENTRY),
        ({"keys": [MAGENTO, dict(OTHER, paths=["/srv/auth.json"])]}, MAGENTO_ENTRY),
        ({"keys": [dict(MAGENTO, users=["a"], projects=["/srv/shop"])]}, MAGENTO_ENTRY),
        ({"keys": [dict(MAGENTO, users=["a"]), VENDOR], "projects": ["/srv/shop"]}, MAGENTO_ENTRY),
    ],
)
def test_the_keys_of_a_user(variables: Dict[str, Any], entries: Dict[str, Any]) -> None:
    text = composer_auth_text(variables)
    assert json.loads(text) == {"http-basic": entries}
    assert text.isascii()
    assert "\n" not in text


@pytest.mark.parametrize(
    "variables",
    [{"state": "absent"}, {"keys": [dict(MAGENTO, state="absent")]}, dict(MAGENTO, projects=["/srv/shop"])],
)
def test_no_present_key_is_an_empty_object(variables: Dict[str, Any]) -> None:
    assert json.loads(composer_auth_text(variables)) == {}


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"keys": [MAGENTO, OTHER]}, "bad_options"),
        ({"keys": [dict(MAGENTO, users=["a"]), dict(OTHER, users=["b"])]}, "bad_options"),
        (dict(MAGENTO, state="gone"), "bad_options"),
        ({"keys": [dict(MAGENTO, state="gone")]}, "bad_options"),
        (dict(MAGENTO, repository="https://repo.magento.com/"), "bad_options"),
        ({"private_key": half("private")}, "bad_options"),
        (dict(MAGENTO, private_key=half("private").upper()), "bad_key"),
        (dict(MAGENTO, private_key=12345678), "bad_key"),
    ],
)
def test_invalid_variables_are_refused(variables: Dict[str, Any], code: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        composer_auth_text(variables)
    assert caught.value.code == code
    for secret in (half("private"), half("other private"), half("private").upper(), "12345678"):
        assert secret not in caught.value.message


@pytest.mark.parametrize("variables", [{}, {"keys": []}, {"keys": "text"}, {"magento_auth_public_key": half("public")}])
def test_no_key_is_an_error(variables: Dict[str, Any]) -> None:
    with pytest.raises(KeyfleetError, match="magento_auth_keys"):
        composer_auth_text(variables)


@pytest.mark.parametrize(
    "listed", ["public_key=a private_key=made-up", MAGENTO, [[MAGENTO]], ["made up"], [MAGENTO, None], 7]
)
def test_an_invalid_list_of_keys_is_refused_and_not_quoted(listed: Any) -> None:
    with pytest.raises(KeyfleetError) as caught:
        composer_auth_text({"keys": listed})
    assert caught.value.message == "magento_auth_keys must be a list of dictionaries"


def test_two_keys_for_one_repository_are_named() -> None:
    with pytest.raises(KeyfleetError) as caught:
        composer_auth_text({"keys": [VENDOR, MAGENTO], **OTHER})
    assert caught.value.message.endswith(
        f"magento_auth_keys[1] {MAGENTO['public_key']} at repo.magento.com and "
        f"magento_auth_public_key {OTHER['public_key']} at repo.magento.com"
    )
