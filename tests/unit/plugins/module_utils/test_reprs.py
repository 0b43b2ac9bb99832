# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No repr shows a secret: it would end up in the traceback, log or message that quotes the object."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils import _errors

PLANTED = "planted-secret-of-the-tests"
HERE = Path(_errors.__file__).parent
NAMES = re.compile("private_key|secret|password|headers|replacement|username")
# Contents of files and answers: as bytes, parsed, or within a function.
TYPES = re.compile("bytes|Document|Transform")
SHOWN = [("NetrcEntry", "host")]
"""Of the fields above those without a secret."""


def classes() -> Iterator[Any]:
    """All dataclasses and named tuples of the module utilities."""
    for path in sorted(HERE.rglob("*.py")):
        name = ".".join(path.relative_to(HERE).with_suffix("").parts)
        module = importlib.import_module(f"{_errors.__name__.rpartition('.')[0]}.{name}")
        for _name, value in inspect.getmembers(module, inspect.isclass):
            record = dataclasses.is_dataclass(value) or (issubclass(value, tuple) and hasattr(value, "_fields"))
            if value.__module__ == module.__name__ and record:
                yield value


def types_of(record: Any) -> Dict[str, str]:
    """The fields of a class with their types as written, also those of its bases."""
    if dataclasses.is_dataclass(record):
        return {field.name: str(field.type) for field in dataclasses.fields(record)}
    return {name: str(record.__annotations__[name]) for name in record._fields}


FIELDS: List[Tuple[Any, str]] = [
    (record, name)
    for record in classes()
    for name, text in types_of(record).items()
    if (NAMES.search(name) or TYPES.search(text)) and (record.__name__, name) not in SHOWN
]


@pytest.mark.parametrize(("record", "name"), FIELDS, ids=[f"{record.__name__}.{name}" for record, name in FIELDS])
def test_repr_shows_no_secret(record: Any, name: str) -> None:
    shown = repr(record(**{**dict.fromkeys(types_of(record)), name: PLANTED}))
    assert shown.startswith(f"{record.__name__}(") and PLANTED not in shown


def test_secrets_are_found() -> None:
    found = {f"{record.__name__}.{name}" for record, name in FIELDS}
    assert found >= {"Key.private_key", "Token.secret", "NetrcEdit.password", "Snapshot.data", "Revoked.replacement"}


def test_repr_of_an_error_shows_no_details() -> None:
    assert PLANTED not in repr(_errors.KeyfleetError("code", "message", private_key=PLANTED))
