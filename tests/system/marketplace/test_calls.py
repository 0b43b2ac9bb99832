# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the key API: expired sessions, codes of items, owners, and unusual labels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from simulator.client import Simulator
from system.marketplace.lab import ODD_LABELS, ORGANISATION, SHOP, opened, operations, pairs

pytestmark = pytest.mark.usefixtures("clean_environment")


def failing(call: Callable[[], object]) -> KeyfleetError:
    with pytest.raises(KeyfleetError) as caught:
        call()
    return caught.value


def test_expired_session_is_renewed_once_per_call(simulator: Simulator) -> None:
    with opened(simulator) as client:
        client.keys(uid=SHOP)
        for call, name in (
            (lambda: client.keys(uid=SHOP), "list"),
            (lambda: client.create(["a"], uid=SHOP), "create"),
            (lambda: client.set_enabled("a", uid=SHOP, enabled=False), "disable"),
            (lambda: client.delete("a", uid=SHOP), "delete"),
        ):
            simulator.expire_sessions()
            before = len(operations(simulator))
            call()
            assert operations(simulator)[before:] == [name, "session", name]


def test_second_refusal_fails(simulator: Simulator) -> None:
    simulator.set_switch("api_answer", "401")
    with opened(simulator) as client:
        error = failing(lambda: client.create(["a"], uid=SHOP))
    assert error.code == "api_session_refused"
    assert operations(simulator) == ["session", "create", "session", "create"]
    assert ("", "a") not in pairs(simulator)


@pytest.mark.parametrize("body", ["json", "html", "empty"])
def test_wrong_credentials_are_tried_once(simulator: Simulator, body: str) -> None:
    simulator.set_switch("api_401_body", body)
    with opened(simulator, application_secret="0123456789abcdef") as client:
        error = failing(client.keys)
    assert (error.code, error.details["http_status"]) == ("api_unauthorized", 401)
    assert "application_secret" in error.message
    assert operations(simulator) == ["session"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("403", "api_forbidden"), ("404", "api_refused"), ("429", "api_rate_limited"), ("500", "api_unavailable")],
)
def test_refused_session_fails(simulator: Simulator, status: str, code: str) -> None:
    simulator.set_switch("api_session", status)
    with opened(simulator) as client:
        assert failing(client.keys).code == code
    assert operations(simulator) == ["session"]


def test_codes_of_items_are_reported(simulator: Simulator) -> None:
    simulator.set_switch("api_fail_label", "bad*")
    simulator.set_switch("api_fail_message", "Not  today.\n")
    with opened(simulator) as client:
        made = client.create(["good", "bad 1", "web"], uid=SHOP)
        assert [key.label for key in made.keys] == ["good"]
        assert [(r.label, r.code, r.message) for r in made.refusals] == [
            ("bad 1", 1210, "Not today."),
            ("web", 1208, "a pair with this label exists already"),
        ]
        simulator.set_switch("api_fail_label", "good")
        error = failing(lambda: client.set_enabled("good", uid=SHOP, enabled=False))
        assert (error.code, error.details["api_code"]) == ("api_refused", 1210)
        error = failing(lambda: client.delete("good", uid=SHOP))
        assert (error.code, error.details["api_code"], error.details["http_status"]) == ("api_refused", 1210, 400)


@pytest.mark.parametrize("unknown", ["404", "400", "200"])
def test_unknown_label_fails_unless_it_is_deleted(simulator: Simulator, unknown: str) -> None:
    simulator.set_switch("api_unknown_label", unknown)
    with opened(simulator) as client:
        error = failing(lambda: client.set_enabled("none", uid=SHOP, enabled=True))
        assert (error.code, error.details["api_code"]) == ("api_refused", 1208)
        client.delete("none", uid=SHOP)


def test_empty_and_reordered_lists_are_read(simulator: Simulator) -> None:
    for name in ("web", "ci", "old"):
        simulator.delete_key(simulator.key("shop", name)[0])
    simulator.set_switch("api_empty", "absent")
    with opened(simulator) as client:
        assert client.keys(uid=SHOP) == []
        simulator.add_key("shop", "a")
        simulator.add_key("shop", "b", uid=ORGANISATION)
        assert [(key.uid, key.label) for key in client.keys(uid="all")] == [(SHOP, "a"), (ORGANISATION, "b")]
        simulator.set_switch("api_order", "newest")
        assert [key.label for key in client.keys(uid="all")] == ["b", "a"]
        assert [key.label for key in client.keys(uid=ORGANISATION)] == ["b"]


def test_owner_is_sent_with_every_request(simulator: Simulator) -> None:
    simulator.add_key("shop", "web", uid=ORGANISATION)
    with opened(simulator) as client:
        client.set_enabled("web", uid=ORGANISATION, enabled=False)
        assert [pairs(simulator)[uid, "web"]["enabled"] for uid in ("", ORGANISATION)] == [True, False]
        client.set_enabled("web", uid=SHOP, enabled=False)
        client.set_enabled("web", uid=ORGANISATION, enabled=True)
        assert [pairs(simulator)[uid, "web"]["enabled"] for uid in ("", ORGANISATION)] == [False, True]
        client.delete("web", uid=SHOP)
        assert ("", "web") not in pairs(simulator)
        assert (ORGANISATION, "web") in pairs(simulator)
        made = client.create(["web", "new"], uid=SHOP)
        assert {key.uid for key in made.keys} == {SHOP}
        made = client.create(["new"], uid=ORGANISATION)
        assert {key.uid for key in made.keys} == {ORGANISATION}
        client.keys(uid=SHOP)
        client.delete("new", uid=SHOP)
    queries = [entry["query"] for entry in simulator.requests() if entry["operation"] in ("list", "delete")]
    assert queries
    assert all("uid=" in query for query in queries)


LABELS = (
    st.sampled_from(ODD_LABELS)
    | st.text(st.sampled_from("./%?#+~ \\&=;:@2Ff"), min_size=1, max_size=32)
    | st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=32)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(label=LABELS)
def test_any_label_can_be_created_changed_and_deleted(simulator: Simulator, label: str) -> None:
    assume(label.strip() and label not in (".", "..") and label.isprintable())
    with opened(simulator) as client:
        (key,) = client.create([label], uid=SHOP).keys
        assert key.label == label
        assert key in client.keys(uid=SHOP)
        for enabled in (False, True):
            client.set_enabled(label, uid=SHOP, enabled=enabled)
            assert pairs(simulator)["", label]["enabled"] is enabled
        client.delete(label, uid=SHOP)
        assert ("", label) not in pairs(simulator)
        assert key not in client.keys(uid=SHOP)
