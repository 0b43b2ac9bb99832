# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables whose names are near misses of those that a role knows."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Callable, Dict, Iterable

# As difflib counts: of names that begin with the same prefix, one letter in fourteen may differ.
_NEAR = 0.93


def misspelled(names: Iterable[str], known: Iterable[str]) -> Dict[str, str]:
    """See the documentation beside this file."""
    meant = {}
    right = set(known)
    for name in sorted(set(names) - right):
        if name[-1:].isdigit():
            continue
        near = get_close_matches(name, right, n=1, cutoff=_NEAR)
        if near and not name.startswith(f"{near[0]}_"):
            meant[name] = near[0]
    return meant


class FilterModule:
    """The filter under its name."""

    def filters(self) -> Dict[str, Callable[..., Dict[str, str]]]:
        """Name to function."""
        return {"misspelled": misspelled}
