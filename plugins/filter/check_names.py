# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables whose names are near misses of those that a role knows."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Callable, Dict, Iterable

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.yaml import yaml_load

# As difflib counts: of names that begin with the same prefix, one letter in fourteen may differ.
_NEAR = 0.93


def check_names(names: Iterable[str], role_path: str) -> bool:
    """See the documentation beside this file."""
    # Not through a lookup and from_yaml, which take ten times as long on every host.
    specs = yaml_load((Path(role_path) / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    known = specs["argument_specs"]["main"]["options"]
    wrong = []
    for name in sorted(set(names) - set(known)):
        if name[-1:].isdigit():
            continue
        near = get_close_matches(name, known, n=1, cutoff=_NEAR)
        if near and not name.startswith(f"{near[0]}_"):
            wrong.append(f"{name} ({near[0]} was probably meant)")
    if wrong:
        raise AnsibleFilterError(f"misspelled variables: {', '.join(wrong)}")
    return True


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., bool]]:
        """Name to function."""
        return {"check_names": check_names}
