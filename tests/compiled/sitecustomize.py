# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the compiled code of modules that Python imports from zip files, if this directory is on PYTHONPATH.

Ansible packs every module into a zip file, and Python compiles these anew in every task, each file even twice: a
quarter of the processor time of a playbook. The code is found by the hash of its source, so it is always that of the
source.
"""

from __future__ import annotations

import _imp
import marshal
import os
import sys
import zipimport
from _collections_abc import Callable
from types import CodeType

KEPT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), ".work", "compiled")
OPTIONS = f"{sys.hexversion:x}-{sys.flags.optimize}"


def compile_source(path: str, source: bytes) -> CodeType:
    """In place of the function of zipimport."""
    kept = os.path.join(KEPT, f"{_imp.source_hash(0, source).hex()}-{OPTIONS}")
    try:
        with open(kept, "rb") as file:
            code: CodeType = marshal.loads(file.read())
        # The path of the zip file is another one in every task.
        _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
    except OSError:
        assert original is not None
        code = original(path, source)
        _keep(kept, code)
    return code


def _keep(path: str, code: CodeType) -> None:
    fresh = f"{path}.{os.getpid()}"
    try:
        with open(fresh, "xb") as file:
            file.write(marshal.dumps(code))
        os.replace(fresh, path)
    except OSError:
        # Another user than the one of the tests, or a source tree that is mounted read-only.
        pass


# Missing in Python 3.7, whose zipimport is written in C.
original: Callable[[str, bytes], CodeType] | None = getattr(zipimport, "_compile_source", None)
if original is not None:
    zipimport._compile_source = compile_source  # type: ignore[attr-defined]
