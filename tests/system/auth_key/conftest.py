# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a new account."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture
def new_name() -> Iterator[str]:
    """The name of an account that a test can create."""
    name = f"kf-new-{secrets.token_hex(3)}"
    yield name
    if subprocess.run(["id", name], capture_output=True, check=False).returncode == 0:
        subprocess.run(["userdel", name], check=True)
    shutil.rmtree(f"/home/{name}", ignore_errors=True)
