# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options in a result. The leak scanner of the system tests checks the output of Ansible."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._module import HIDDEN, shown

PAIR = {
    "public_key": {"type": "raw", "no_log": False},
    "private_key": {"type": "raw", "no_log": True},
    "url": {"type": "str"},
    "downloads_url": {"type": "str"},
    "application_id": {"type": "raw"},
}
SPEC: Dict[str, Dict[str, Any]] = dict(
    PAIR,
    users={"type": "list", "elements": "str"},
    keys={"type": "list", "elements": "dict", "options": PAIR},
    series={"type": "dict", "options": dict(PAIR, pair={"type": "dict", "options": PAIR})},
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"users": ["deploy"], "public_key": "p"}, {"users": ["deploy"], "public_key": "p"}),
        ({"public_key": "ghp_" + "a1" * 18}, {"public_key": "set"}),
        ({"keys": [{"public_key": "ghp_" + "a1" * 18}]}, {"keys": [{"public_key": "set"}]}),
        ({"public_key": ["ghp_" + "a1" * 18]}, {"public_key": HIDDEN}),
        ({"keys": [{"public_key": {"ghp_" + "a1" * 18: 1}}]}, {"keys": [{"public_key": HIDDEN}]}),
        ({"application_id": "ghp_" + "a1" * 18}, {"application_id": "set"}),
        ({"private_key": None}, {"private_key": None}),
        ({"private_key": "secret"}, {"private_key": HIDDEN}),
        # Ansible does not search the keys of a mapping for secrets.
        ({"private_key": {"secret": 1}}, {"private_key": HIDDEN}),
        ({"privat_key": "secret"}, {}),
        ({"keys": None}, {"keys": None}),
        ({"series": {"private_key": "secret", "privat_key": "secret"}}, {"series": {"private_key": HIDDEN}}),
        ({"series": {"pair": {"private_key": "secret"}}}, {"series": {"pair": {"private_key": HIDDEN}}}),
        ({"series": "private_key=secret"}, {"series": {}}),
        (
            {"keys": [{"public_key": "p", "private_key": "secret"}, {"public_key": "q", "privat_key": "secret"}]},
            {"keys": [{"public_key": "p", "private_key": HIDDEN}, {"public_key": "q"}]},
        ),
        ({"keys": ["secret", [{"private_key": "secret"}]]}, {"keys": []}),
        ({"keys": "private_key=secret"}, {"keys": []}),
        ({"keys": {"private_key": "secret"}}, {"keys": []}),
        ({"url": "https://user:secret@repo.example/x"}, {"url": f"{HIDDEN}@repo.example/x"}),
        ({"url": "user:sec@ret@repo.example"}, {"url": f"{HIDDEN}@repo.example"}),
        ({"downloads_url": "https://user:secret@repo.example/"}, {"downloads_url": f"{HIDDEN}@repo.example/"}),
        ({"url": "https://repo.example/"}, {"url": "https://repo.example/"}),
        ({"keys": [{"url": "https://user:secret@repo.example/x"}]}, {"keys": [{"url": f"{HIDDEN}@repo.example/x"}]}),
    ],
)
def test_only_known_options_without_secrets_are_shown(given: Dict[str, Any], expected: Dict[str, Any]) -> None:
    assert shown(SPEC, given) == expected
