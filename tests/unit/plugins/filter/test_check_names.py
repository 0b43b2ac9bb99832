# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names are near misses of a role's variables, and which are people's own."""

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
    """With the variables of the playbook."""
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
def test_near_misses(name: str, meant: str) -> None:
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
def test_names_of_people_s_own_are_free(name: str) -> None:
    assert check_names(f"magento_auth_{name}", *KNOWN) is True


def test_a_map_beside_the_variable_that_is_taken_from_it_is_free() -> None:
    assert check_names("magento_auth_private_keys", "magento_auth_private_key") is True
    with pytest.raises(AnsibleFilterError, match="private_keys"):
        check_names("magento_auth_private_keys", "magento_auth_public_key")


@pytest.mark.parametrize("result", [{"changed": False}, {"failed": True, "msg": "made up"}])
def test_what_a_task_has_registered_is_free(result: Dict[str, Any]) -> None:
    assert check_names(magento_auth_key=result) is True
    for other in ({"public_key": "a"}, [result], None):
        with pytest.raises(AnsibleFilterError, match="'magento_auth_key' "):
            check_names(magento_auth_key=other)


def test_a_name_from_the_facts_of_a_host_reaches_no_terminal_raw() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        check_names("magento_auth_projects\x1bc")
    assert "'magento_auth_projects\\x1bc' (magento_auth_projects " in str(caught.value)


def test_every_known_name_is_right() -> None:
    assert len(KNOWN) > 30 and check_names(*KNOWN) is True
