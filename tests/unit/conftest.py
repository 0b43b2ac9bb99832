# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time limit for each test, and Ansible's importer of collections if ansible-test has not installed it.

Beside the part of ansible-core that runs on hosts, Python itself imports the collection.
"""

from __future__ import annotations

import importlib.util
import sys

import pytest

if importlib.util.find_spec("ansible.utils"):
    from ansible.utils.collection_loader import AnsibleCollectionConfig

    if not AnsibleCollectionConfig.collection_finder:
        from ansible.plugins.loader import init_plugin_loader

        init_plugin_loader(sys.path)


def pytest_itemcollected(item: pytest.Item) -> None:
    # ansible-test runs each test in a fork, which does not inherit a timer that is set before.
    item.add_marker(pytest.mark.timeout(300, func_only=True))
