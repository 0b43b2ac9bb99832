# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places to walk to, for the tests of the way to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._files.path import ANYBODY, Access, locate

ROOT = os.geteuid() == 0
ONE, TWO = 4242424, 4242425
"""Users without an account."""


def refused(path: str, code: str, access: Access = ANYBODY) -> str:
    with pytest.raises(KeyfleetError) as caught, locate(path, access):
        pass
    assert caught.value.code == code, caught.value.message
    assert caught.value.details["path"] == path
    return caught.value.message


def made(path: Path, mode: int, uid: Optional[int] = None) -> Path:
    path.mkdir()
    if uid is not None:
        os.chown(str(path), uid, uid)
    path.chmod(mode)
    return path


def link(path: Path, target: str, uid: int) -> None:
    path.symlink_to(target)
    os.chown(str(path), uid, uid, follow_symlinks=False)
