# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that builds COMPOSER_AUTH from the role's variables."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.keyfleet.magento.plugins.filter.composer_auth_env import FilterModule

composer_auth_env = FilterModule().filters()["composer_auth_env"]
KEY = {"repository": "vendor.example", "public_key": "token", "private_key": "made-up-secret"}


def test_keys_become_http_basic_entries() -> None:
    assert json.loads(composer_auth_env({"keys": [KEY]})) == {
        "http-basic": {"vendor.example": {"username": "token", "password": "made-up-secret"}}
    }


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"keys": []},
        {"keys": [dict(KEY, private_key=["made-up-secret"])]},
        {"keys": [KEY, dict(KEY, public_key="b")]},
    ],
)
def test_failures_are_filter_errors_without_secrets(variables: Dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        composer_auth_env(variables)
    assert str(caught.value).startswith("composer_auth_env: ")
    assert "made-up-secret" not in str(caught.value)


def test_the_input_must_be_a_dictionary() -> None:
    with pytest.raises(AnsibleFilterError, match="dictionary"):
        composer_auth_env("text")
