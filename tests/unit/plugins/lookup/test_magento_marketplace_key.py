# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of a Marketplace key's pair, against a small API on loopback."""

from __future__ import annotations

from typing import Any, Iterator, List

import pytest
from ansible.errors import AnsibleError, AnsibleLookupError

from ansible_collections.keyfleet.magento.tests.unit.plugins.lookup.plugins import look_up
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import Loopback, fake_key
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.key_api import (
    ME,
    SECRET,
    KeyApi,
    private_half,
)

NAME = "magento_marketplace_key"
ORG = "000MADEUP000@AdobeOrg"


@pytest.fixture
def api() -> KeyApi:
    made = KeyApi()
    made.add("web")
    made.add("old, and off", enabled=False)
    made.add("theirs", uid=ORG)
    return made


@pytest.fixture
def server(api: KeyApi) -> Iterator[Loopback]:
    with Loopback(api.answer) as running:
        yield running


def labels(found: List[Any]) -> List[str]:
    return [pair["label"] for pair in found]


def test_pairs_in_the_order_of_the_labels(api: KeyApi, server: Loopback) -> None:
    found = look_up(NAME, "old, and off", "web", **api.options(server))
    assert labels(found) == ["old, and off", "web"]
    assert [pair["enabled"] for pair in found] == [False, True]
    assert found[1]["uid"] == ME
    assert (found[1]["public_key"], found[1]["private_key"]) == (fake_key("public web"), private_half("web"))
    assert api.calls == ["session", "GET"]


def test_labels_in_a_list_and_repeated_labels(api: KeyApi, server: Loopback) -> None:
    assert labels(look_up(NAME, ["web", "old, and off"], "web", **api.options(server))) == [
        "web", "old, and off", "web",
    ]  # fmt: skip


def test_another_owner(api: KeyApi, server: Loopback) -> None:
    assert labels(look_up(NAME, "theirs", uid=ORG, **api.options(server))) == ["theirs"]
    for label, owner in (("theirs", None), ("web", ORG), ("none", None)):
        with pytest.raises(AnsibleLookupError, match=rf"has no key called '{label}' \(unknown_label\)"):
            look_up(NAME, label, uid=owner, **api.options(server))


def test_credentials_from_the_environment(api: KeyApi, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    options = api.options(server)
    for option in ("application_id", "application_secret", "api_url"):
        monkeypatch.setenv(f"MAGENTO_{option.upper()}", options.pop(option))
    assert labels(look_up(NAME, "web", **options)) == ["web"]
    monkeypatch.delenv("MAGENTO_APPLICATION_SECRET")
    with pytest.raises(AnsibleError, match="application_secret"):
        look_up(NAME, "web", **options)


@pytest.mark.parametrize(
    ("terms", "changes", "code"),
    [([], {}, "bad_options"), ([".."], {}, "bad_options"), (["web"], {"uid": "all"}, "bad_options"),
     (["web"], {"timeout": 0}, "bad_options"), (["web"], {"api_url": "nowhere"}, "bad_options"),
     (["web"], {"ca_path": "/nonexistent/ca.pem"}, "api_tls_failed")],
)  # fmt: skip
def test_failures_have_a_code_and_no_secret(
    api: KeyApi, server: Loopback, terms: List[str], changes: Any, code: str
) -> None:
    with pytest.raises(AnsibleLookupError) as caught:
        look_up(NAME, *terms, **{**api.options(server), **changes})
    assert f"({code})" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["application_id", "application_secret"])
@pytest.mark.parametrize("value", [[SECRET], {"secret": SECRET}, 1234567890])
def test_a_value_that_is_not_text_is_not_quoted(api: KeyApi, server: Loopback, name: str, value: Any) -> None:
    with pytest.raises(AnsibleLookupError) as caught:
        look_up(NAME, "web", **{**api.options(server), name: value})
    assert f"{name} is not text" in str(caught.value) and "(bad_options)" in str(caught.value)
    assert SECRET not in str(caught.value) and "1234567890" not in str(caught.value)
    assert api.calls == []
