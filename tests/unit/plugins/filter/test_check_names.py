# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Misspelled names of a role's variables, and names of other variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from jinja2 import Environment

import ansible_collections.keyfleet.magento.plugins.filter.roles as plugin

ROLE = Path(plugin.__file__).parents[2] / "roles" / "magento_auth"
SPEC = (ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
KNOWN = list(yaml.safe_load(SPEC)["argument_specs"]["main"]["options"])


def check_names(*names: str, **values: Any) -> Any:
    """Run the filter with ``values`` as variables of the playbook."""
    context = Environment().from_string("").new_context(values)
    return plugin.FilterModule().filters()["check_names"](context, [*names, *values], str(ROLE))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("projets", "projects"), ("key", "keys"), ("kyes", "keys"), ("user", "users"), ("pubic_key", "public_key"),
        ("public_keys", "public_key"), ("publickey", "public_key"), ("private_kay", "private_key"), ("ulr", "url"),
        ("mageid", "mage_id"), ("validate_cert", "validate_certs"), ("token_user", "token_users"), ("pathss", "paths"),
        ("downlaod_token", "download_token"), ("fail-on", "fail_on"), ("Users", "users"), ("MAGEID", "mage_id"),
    ],
)  # fmt: skip
def test_misspelled_names(name: str, meant: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        check_names(f"magento_auth_{name}", "magento_auth_timeout")
    assert str(caught.value) == f"misspelled variables: 'magento_auth_{name}' (magento_auth_{meant} was probably meant)"


@pytest.mark.parametrize(
    "name",
    [
        "vault_public_key", "keys_common", "projects_a", "keys2", "key1", "users_2", "common_keys", "shop_keys",
        "packages_", "packages_ee", "result", "token_result", "vendors", "enabled", "environment", "series", "hosts",
        "a_keys", "p_users",
    ],
)  # fmt: skip
def test_other_names_are_accepted(name: str) -> None:
    assert check_names(f"magento_auth_{name}", *KNOWN) is True


def test_the_plural_of_a_set_variable_is_accepted() -> None:
    assert check_names("magento_auth_private_keys", "magento_auth_private_key") is True
    with pytest.raises(AnsibleFilterError, match="private_keys"):
        check_names("magento_auth_private_keys", "magento_auth_public_key")


@pytest.mark.parametrize("result", [{"changed": False}, {"failed": True, "msg": "made up"}])
def test_registered_variables_are_accepted(result: Dict[str, Any]) -> None:
    assert check_names(magento_auth_key=result) is True
    for other in ({"public_key": "a"}, [result], None):
        with pytest.raises(AnsibleFilterError, match="'magento_auth_key' "):
            check_names(magento_auth_key=other)


def test_control_characters_in_a_name_are_escaped() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        check_names("magento_auth_projects\x1bc")
    assert "'magento_auth_projects\\x1bc' (magento_auth_projects " in str(caught.value)


def test_every_known_name_is_accepted() -> None:
    assert len(KNOWN) > 30 and check_names(*KNOWN) is True
