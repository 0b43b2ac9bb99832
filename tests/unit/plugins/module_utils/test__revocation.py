# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One key that has to go: only that one, wherever it is, and not before everybody was heard."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._revocation import (
    revocation_keys,
    revoked_key,
    still_held,
)

ME, SHOP = "MAG000000001", "000FAKE0SHOP000@AdobeOrg"


def key(label: str, uid: str = ME, number: int = 0) -> Dict[str, Any]:
    return {"label": label, "uid": uid, "public_key": f"public of {label} {number}",
            "fingerprint": f"sha256:{label} {number}", "enabled": True}  # fmt: skip


ACCOUNT = [key("ci"), key("ci", SHOP, 1), key("laptop"), {**key("web"), "private_key": "made up"}]


@pytest.mark.parametrize(
    ("wanted", "uid", "place"),
    [
        ("ci", ME, 0),
        ("ci", SHOP, 1),
        ("public of ci 1", ME, 1),
        ("sha256:laptop 0", SHOP, 2),
        ("web", ME, 3),
    ],
)
def test_the_one_key(wanted: str, uid: str, place: int) -> None:
    found = revoked_key(ACCOUNT, wanted=wanted, uid=uid)
    assert found == {name: value for name, value in ACCOUNT[place].items() if name != "private_key"}


@pytest.mark.parametrize(
    ("wanted", "uid", "code"),
    [
        ("laptop", SHOP, "unknown_key"),
        ("CI", ME, "unknown_key"),
        ("", ME, "unknown_key"),
        ("nobody", ME, "unknown_key"),
        ("public of ci", ME, "unknown_key"),
        # A label that looks like the public key of another key.
        ("public of laptop 0", ME, "ambiguous_key"),
    ],
)
def test_no_key_or_more_than_one(wanted: str, uid: str, code: str) -> None:
    keys = [*ACCOUNT, key("public of laptop 0", number=7)] if code == "ambiguous_key" else ACCOUNT
    with pytest.raises(KeyfleetError) as caught:
        revoked_key(keys, wanted=wanted, uid=uid)
    assert caught.value.code == code


def holding(*public_keys: str) -> Dict[str, Any]:
    entries = [[{"repository": "repo.magento.com", "public_key": name}] for name in public_keys]
    return {"files": [{"path": f"/{name}/auth.json", "entries": e} for name, e in zip(public_keys, entries)]}


def test_it_is_replaced_or_removed_where_it_is() -> None:
    held, pair = holding("bad", "other"), {"public_key": "new", "private_key": "made up", "label": "web"}
    assert revocation_keys("bad", held=held) == [{"public_key": "bad", "state": "absent", "paths": ["/bad/auth.json"]}]
    given = {"public_key": "new", "private_key": "made up", "paths": ["/bad/auth.json"]}
    assert revocation_keys("bad", held=held, replacement=pair) == [given]
    asked = revocation_keys("bad", held=held, replacement=pair, url="https://h/")
    assert asked == [{**given, "url": "https://h/"}]
    assert revocation_keys("gone", held=held, replacement=pair) == []
    with pytest.raises(KeyfleetError) as caught:
        revocation_keys("bad", held=held, replacement={"public_key": "bad", "private_key": "made up"})
    assert caught.value.code == "bad_options"


@pytest.mark.parametrize(
    ("installed", "expectations", "who"),
    [
        ({"web1": holding("other")}, {"expected_hosts": ["web1"]}, set()),
        ({"web1": holding()}, {"expected_count": 1}, set()),
        ({"web1": holding("other", "bad")}, {"expected_hosts": ["web1"]}, {"web1"}),
        ({"web1": holding()}, {"expected_hosts": ["web1", "web2"]}, {"web2"}),
        ({"web1": holding(), "web2": None}, {"expected_hosts": ["web1"]}, {"web2"}),
        ({"web1": holding(), "web2": holding("bad")}, {"expected_hosts": ["web1"], "written_off": ["web2"]}, set()),
        ({"web1": holding()}, {}, {None}),
        ({}, {"expected_count": 0}, {None}),
    ],
)
def test_who_keeps_it_from_being_disabled(
    installed: Dict[str, Any], expectations: Dict[str, Any], who: Set[Optional[str]]
) -> None:
    found: List[Dict[str, Optional[str]]] = still_held(installed, public_key="bad", **expectations)
    assert {entry["host"] for entry in found} == who
