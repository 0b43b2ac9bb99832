# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables whose names are near misses of those that a role knows."""

from __future__ import annotations

from difflib import get_close_matches
from os.path import commonprefix
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Mapping

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.yaml import yaml_load
from jinja2 import pass_context
from jinja2.runtime import Context

# As difflib counts: of names that begin with the same prefix, one letter in fourteen may differ.
_NEAR = 0.93


def _is_own(name: str, near: str, prefix: str, given: Iterable[str]) -> bool:
    """Whether a name adds words or a number to the known one that it is near to, or is its plural beside it."""
    adds_words = name.startswith(f"{near}_") or name.endswith(f"_{near[len(prefix) :]}") or name[-1:].isdigit()
    return adds_words or (near in given and name.rstrip("s") == near.rstrip("s"))


def _is_registered(value: Any) -> bool:
    return isinstance(value, Mapping) and ("changed" in value or "failed" in value)


@pass_context
def check_names(context: Context, names: Iterable[str], role_path: str) -> bool:
    """See the documentation beside this file."""
    # Not through a lookup and from_yaml, which take ten times as long on every host.
    specs = yaml_load((Path(role_path) / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    known = list(specs["argument_specs"]["main"]["options"])
    given = set(names)
    prefix = commonprefix(known)
    wrong = []
    for name in sorted(given.difference(known)):
        for near in get_close_matches(name.lower(), known, n=1, cutoff=_NEAR):
            if not _is_own(name, near, prefix, given) and not _is_registered(context.resolve(name)):
                wrong.append(f"{name!r} ({near} was probably meant)")
    if wrong:
        raise AnsibleFilterError(f"misspelled variables: {', '.join(wrong)}")
    return True


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., bool]]:
        """Name to function."""
        return {"check_names": check_names}
