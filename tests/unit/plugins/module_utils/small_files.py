# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small JSON files to change, and a fake clock, for several test files."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Callable, List, Optional
from unittest.mock import patch

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files import read, write
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import observe, predict
from ansible_collections.keyfleet.magento.plugins.module_utils._files.state import Change, Transform, Wanted

SECRET = "planted-secret-of-the-tests"


class Time:
    """A clock that only sleep() advances. ``meanwhile`` is called with the time after each sleep.

    In a `with` block it replaces the module `time` in the code that reads and writes files.
    """

    def __init__(self, meanwhile: Optional[Callable[[float], None]] = None) -> None:
        self.now = 0.0
        self.meanwhile = meanwhile

    def __enter__(self) -> None:
        self._patches = [patch.object(module, "time", self) for module in (read, write)]
        for one in self._patches:
            one.start()

    def __exit__(self, *_error: object) -> None:
        for one in self._patches:
            one.stop()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.meanwhile is not None:
            self.meanwhile(self.now)


def once(seconds: float, action: Callable[[], object]) -> Callable[[float], None]:
    """A ``meanwhile`` that calls ``action`` once, after ``seconds``."""
    done: List[float] = []

    def meanwhile(now: float) -> None:
        if now >= seconds and not done:
            done.append(now)
            action()

    return meanwhile


def parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise MalformedFile("not JSON", "line 1") from None


def adding(name: str) -> Transform:
    """A transform that adds ``name`` to the JSON object."""

    def transform(data: Optional[bytes]) -> bytes:
        names = {} if data is None else parse(data)
        return json.dumps(dict(names, **{name: SECRET})).encode()

    return transform


def leave(data: Optional[bytes]) -> Optional[bytes]:
    return None


def wanted(path: Path, name: str = "ours", **options: Any) -> Wanted:
    return Wanted(str(path), options.pop("transform", adding(name)), **options)


def names_in(path: Path) -> List[str]:
    return sorted(json.loads(path.read_bytes()))


def apply(path: Path, **options: Any) -> Change:
    """Change one file, and compare the change with the prediction of check mode."""
    target = wanted(path, **options)
    with Time():
        predicted = predict(observe(target.path, parse=parse), target)
        (change,) = write.apply([target])
    for one, other in ((predicted.before, change.before), (predicted.after, change.after)):
        # Only the write removes a temporary file that a killed run left.
        assert one._replace(left_over=False) == other._replace(left_over=False)
    return change


def refused(code: str, *wanted_files: Wanted, **options: Any) -> KeyfleetError:
    with pytest.raises(KeyfleetError) as caught:
        write.apply(wanted_files, **options)
    assert caught.value.code == code, caught.value.message
    assert SECRET not in caught.value.message and SECRET not in repr(caught.value.details)
    return caught.value


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
