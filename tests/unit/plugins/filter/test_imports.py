# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible loads the files of all filters anew for every host of a play that uses one of them."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from jinja2 import Environment
from ansible_collections.keyfleet.magento.plugins.filter import composer_auth_env, roles
variables = {"magento_auth_public_key": "a", "magento_auth_private_key": "b"}
roles.series_keys(Environment().from_string("").new_context(variables), False)
print(*(name for name in sys.modules if "_utils._" in name and "keyfleet" in name))
"""
USED = ["module_utils._errors", "module_utils._text", "plugin_utils._role"]


def test_keys_of_a_host_are_resolved_with_few_imports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={"PYTHONPATH": ":".join(sys.path)}, stdout=subprocess.PIPE, check=True
    )
    assert sorted(".".join(name.split(".")[-2:]) for name in done.stdout.decode().split()) == USED
