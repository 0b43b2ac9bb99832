# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of pairs, hosts and URLs, whose messages quote no value."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import (
    DOWNLOADS_HOST,
    DOWNLOADS_URL,
    machine,
    service_from,
    token_from,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError

MAGE_ID, TOKEN, AUTH_KEY = "MAG123456789", "0123456789" * 4, "0123456789abcdef" * 2

BAD: Dict[str, Dict[str, Any]] = {
    "swapped": {"mage_id": TOKEN, "token": MAGE_ID},
    "an auth key for a token": {"token": AUTH_KEY},
    "an auth key for a MAGEID": {"mage_id": AUTH_KEY},
    "a whole auth key": {"mage_id": AUTH_KEY, "token": AUTH_KEY[::-1]},
    "a placeholder": {"token": "<your download token>"},
    "another placeholder": {"mage_id": "YOUR_MAGEID"},
    "an e-mail address": {"mage_id": "somebody@shop.example"},
    "a password": {"token": "hunter2hunter2"},
    "upper-case digits": {"token": "AB" * 20},
    "lower-case letters": {"mage_id": "mag123456789"},
    "a MAGEID without digits": {"mage_id": "MAGNOLIA"},
    "a number": {"mage_id": 123456789},
    "a number for a token": {"token": 10**39},
    "a boolean": {"token": True},
    "a list": {"token": [TOKEN]},
    "nothing": {"token": ""},
    "a line break": {"token": TOKEN + "\n"},
    "blanks": {"mage_id": " " + MAGE_ID},
    "twice the same": {"mage_id": TOKEN, "token": TOKEN},
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_pair_is_refused_without_being_quoted(name: str) -> None:
    params = {"mage_id": MAGE_ID, "token": TOKEN, **BAD[name]}
    with pytest.raises(KeyfleetError) as caught:
        token_from(params, host=DOWNLOADS_HOST)
    assert caught.value.code == "bad_token" and caught.value.problems
    text = caught.value.message + "".join(problem.message for problem in caught.value.problems)
    for value in BAD[name].values():
        if isinstance(value, str) and value:
            assert value.strip() not in text
    assert "public_key" not in text and "private_key" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("swapped", "may be swapped"),
        ("an auth key for a token", "32 hex digits as an auth key has"),
        ("an e-mail address", "e-mail address"),
        ("a number", "must be quoted"),
    ],
)
def test_message_names_the_mistake(name: str, words: str) -> None:
    with pytest.raises(KeyfleetError, match=words):
        token_from({"mage_id": MAGE_ID, "token": TOKEN, **BAD[name]}, host=DOWNLOADS_HOST)


def test_valid_pair() -> None:
    token = token_from({"mage_id": MAGE_ID, "token": TOKEN}, host=DOWNLOADS_HOST)
    assert token is not None and (token.mage_id, token.secret) == (MAGE_ID, TOKEN)
    assert TOKEN not in repr(token)
    assert token_from({"mage_id": None, "token": None}, host=DOWNLOADS_HOST) is None


def test_pairs_of_other_hosts() -> None:
    token = token_from({"mage_id": "somebody", "token": "correct horse"}, host="files.vendor.example")
    assert token is not None and token.secret == "correct horse"
    with pytest.raises(KeyfleetError, match="mage_id has a colon"):
        token_from({"mage_id": "some:body", "token": "correct horse"}, host="files.vendor.example")


@pytest.mark.parametrize("half", ["mage_id", "token"])
def test_incomplete_pair(half: str) -> None:
    params = {"mage_id": MAGE_ID, "token": TOKEN, half: None}
    with pytest.raises(KeyfleetError, match=f"{half} is missing") as caught:
        token_from(params, host=DOWNLOADS_HOST)
    assert caught.value.code == "bad_options"


@pytest.mark.parametrize("value", ["https://a.example", "a.example:443", "a/b", "", "a b", "user@a", "-a"])
def test_invalid_host(value: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        machine(value)
    assert caught.value.code == "bad_options"


def test_host_is_lower_case() -> None:
    assert machine("WWW.MagentoCommerce.com") == DOWNLOADS_HOST


def params(**changes: Any) -> Dict[str, Any]:
    return {"downloads_url": DOWNLOADS_URL, "validate_certs": True, "ca_path": None, "timeout": 30.0, **changes}


def test_host_of_the_url() -> None:
    assert service_from(params()).host == DOWNLOADS_HOST
    service = service_from(params(downloads_url="https://127.0.0.1:8443/products/downloads/"))
    assert (service.host, service.url) == ("127.0.0.1", "https://127.0.0.1:8443/products/downloads")


@pytest.mark.parametrize(
    "value",
    [
        "http://www.magentocommerce.com/products/downloads",
        "https://MAG1:hunter2@www.magentocommerce.com/products/downloads",
        "https://www.magentocommerce.com/?a=b",
        "https://www.magentocommerce.com/#a",
        "https:///products",
        "https://www.magentocommerce.com:x/",
        'https://www.magentocommerce.com/"\noutput = "/etc/passwd',
        "https://www.magentocommerce.com/{a,b}",
        "www.magentocommerce.com",
        "",
    ],
)
def test_invalid_url(value: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        service_from(params(downloads_url=value))
    assert caught.value.code == "bad_options" and "hunter2" not in caught.value.message


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf")])
def test_invalid_timeout(value: float) -> None:
    with pytest.raises(KeyfleetError, match="timeout"):
        service_from(params(timeout=value))
