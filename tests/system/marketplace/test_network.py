# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the key API with netrc, proxies, CAs and hostile servers; secrets in errors."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.client import Marketplace
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import Exchange, Loopback
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.key_api import ME, KeyApi
from simulator.client import Simulator
from system.marketplace.lab import SHOP, Proxy, access, opened, operations, pairs

pytestmark = pytest.mark.usefixtures("clean_environment", "pauses")
PASSWORD = "made-up-proxy-pass"


def failing(simulator: Simulator, **changes: Any) -> KeyfleetError:
    """The error of a list, which must contain no secret."""
    with pytest.raises(KeyfleetError) as caught, opened(simulator, **changes) as client:
        client.keys()
    error = caught.value
    text = "\n".join([error.message, repr(error.details), repr(error.__cause__)])
    for secret in (PASSWORD, access(simulator)["application_secret"]):
        assert secret not in text
    return error


@pytest.mark.parametrize("source", ["home", "variable"])
def test_netrc_does_not_replace_the_authorization(
    simulator: Simulator, clean_environment: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    netrc = clean_environment / (".netrc" if source == "home" else "other")
    netrc.write_text(f"machine {simulator.host} login somebody password {PASSWORD}\ndefault login any password x\n")
    netrc.chmod(0o600)
    if source == "variable":
        monkeypatch.setenv("NETRC", str(netrc))
    with opened(simulator) as client:
        client.create(["a"], uid=SHOP)
        client.set_enabled("a", uid=SHOP, enabled=False)
        client.delete("a", uid=SHOP)
        client.keys()
    application = simulator.application("shop")[0]
    assert [(entry["scheme"], entry["user"], entry["status"]) for entry in simulator.requests()] == [
        ("Basic", application, 200),
        ("Bearer", application, 200),
        ("Bearer", application, 200),
        ("Bearer", application, 204),
        ("Bearer", application, 200),
    ]


def test_proxies_of_the_environment_are_used(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(("somebody", PASSWORD)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://somebody:{PASSWORD}@{proxy.address}")
        with opened(simulator) as client:
            assert client.keys()
        assert proxy.tunnels == [simulator.address]
        monkeypatch.setenv("no_proxy", simulator.host)
        with opened(simulator) as client:
            assert client.keys()
        assert len(proxy.tunnels) == 1


def test_refusal_of_a_proxy_is_reported(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(("somebody", "another")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://somebody:{PASSWORD}@{proxy.address}")
        error = failing(simulator)
        assert error.code == "api_proxy_failed"
        assert f"proxy {proxy.address}" in error.message
        assert "407" in error.message


@pytest.mark.parametrize(
    ("proxy", "code"),
    [
        (f"http://somebody:{PASSWORD}@127.0.0.1:1", "api_proxy_failed"),
        (f"http://somebody:{PASSWORD}@[bad", None),
        (f"http://somebody:{PASSWORD}@:3128", None),
        (f"http://somebody:{PASSWORD}@127.0.0.1:notaport", None),
        (f"odd://somebody:{PASSWORD}@127.0.0.1:1", "api_proxy_failed"),
        (f"socks5://somebody:{PASSWORD}@127.0.0.1:1", None),
        (f"http://somebody:{PASSWORD}/?#@127.0.0.1:1", None),
        (f"http://somebody:{PASSWORD}@127.0.0.1:1\nX: y", None),
    ],
)
def test_unusable_proxy_fails_with_a_code(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, proxy: str, code: str | None
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    error = failing(simulator)
    assert error.code in ((code,) if code else ("api_proxy_failed", "api_unreachable", "bad_options"))
    assert operations(simulator) == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_ca_comes_from_the_option_or_the_environment(
    simulator: Simulator, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = failing(simulator, ca_path=None)
    assert error.code == "api_tls_failed"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulator.ca_path)
    with opened(simulator, ca_path=None) as client:
        assert client.keys()
    # The option takes precedence, and an unusable file is an error.
    for name in ("missing.pem", "empty.pem", "words.pem"):
        path = clean_environment / name
        if name != "missing.pem":
            path.write_text("" if name == "empty.pem" else "no certificate")
        error = failing(simulator, ca_path=str(path))
        assert error.code == "api_tls_failed"
        assert str(path) in error.message
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clean_environment / "missing.pem"))
    assert failing(simulator, ca_path=None).code == "api_tls_failed"
    with opened(simulator, ca_path=None, validate_certs=False) as client:
        assert client.keys()


def test_untrusted_certificate_fails(simulator: Simulator) -> None:
    error = failing(simulator, api_url=f"https://{simulator.self_signed_address}")
    assert error.code == "api_tls_failed"
    assert "self-signed" in error.message and "ca_path" in error.message
    assert operations(simulator) == []


def test_closed_port_is_reported(simulator: Simulator) -> None:
    error = failing(simulator, api_url="https://127.0.0.1:1")
    assert error.code == "api_unreachable"
    assert "127.0.0.1:1" in error.message
    assert error.details["answer_lost"] is False


def test_unknown_host_name_is_reported(simulator: Simulator) -> None:
    error = failing(simulator, api_url="https://nobody.invalid")
    assert (error.code, "nobody.invalid" in error.message) == ("api_unreachable", True)


@pytest.mark.parametrize("path", ["/rest/v1/app/*", "/rest/v1/users/*"])
def test_silent_server_times_out(simulator: Simulator, path: str) -> None:
    simulator.add_fault("stall", path=path, seconds=30)
    error = failing(simulator, timeout=0.5)
    assert error.code == "api_unreachable"
    assert "0.5 seconds" in error.message


def test_api_url_may_include_the_version(simulator: Simulator) -> None:
    for ending in ("/", "/rest/v1", "/rest/v1/"):
        with opened(simulator, api_url=simulator.marketplace_url + ending) as client:
            assert client.mage_id == SHOP


def _forms_of_secrets(simulator: Simulator) -> dict[str, str]:
    pair = ":".join(simulator.application("shop"))
    return {
        "secret": simulator.application("shop")[1],
        "pair": base64.b64encode(pair.encode()).decode(),
        "private": simulator.key("shop", "web")[1],
        "upper case": simulator.key("shop", "web")[1].upper(),
    }


CALLS: list[Callable[[Simulator], object]] = [
    lambda simulator: simulator.add_fault(
        "status", path="*/token", status=403, body=_message_with(_forms_of_secrets(simulator))
    ),
    lambda simulator: simulator.add_fault(
        "status", path="*/keys", status=403, body=_message_with(_forms_of_secrets(simulator))
    ),
]


def _message_with(words: dict[str, str]) -> str:
    return json.dumps({"code": 1208, "message": "You said " + " and ".join(words.values())})


@pytest.mark.parametrize("arrange", CALLS)
def test_server_message_with_secrets_is_not_shown(simulator: Simulator, arrange: Callable[[Simulator], object]) -> None:
    arrange(simulator)
    error = failing(simulator)
    assert "You said" not in error.message
    assert not [name for name, text in _forms_of_secrets(simulator).items() if text in error.message]


def test_session_token_is_not_shown(simulator: Simulator) -> None:
    with opened(simulator) as client:
        client.keys()
        (token,) = simulator.snapshot()["parts"]["marketplace"]["sessions"]
        simulator.set_switch("api_fail_label", "*")
        simulator.set_switch("api_fail_message", f"No key for Bearer {token}")
        made = client.create(["a"], uid=SHOP)
        assert made.refusals[0].message == ""
        with pytest.raises(KeyfleetError) as caught:
            client.delete("web", uid=SHOP)
        assert token not in caught.value.message
    assert ("", "a") not in pairs(simulator)


@pytest.mark.parametrize("token", ["with blank", "line\nend", "wörd", "", "too-few", "x" * 8193, "tab\t", None, 7])
def test_session_token_invalid_in_a_header_is_refused(simulator: Simulator, token: object) -> None:
    body = json.dumps({"mage_id": SHOP, "ust": token, "expires_in": 60})
    simulator.add_fault("status", path="*/token", status=200, body=body)
    error = failing(simulator)
    assert error.code == "api_answer_unusable"
    assert not token or str(token) not in error.message


MALFORMED = {
    "no list": {"m2": {"label": "a"}},
    "no objects": {"m2": ["a"]},
    "no label": {"m2": [{"uid": SHOP, "user_key": "a", "password_key": "b"}]},
    "no half": {"m2": [{"uid": SHOP, "label": "a", "user_key": "a"}]},
    "state unknown": {"m2": [{"uid": SHOP, "label": "a", "user_key": "a", "password_key": "b", "is_enabled": "no"}]},
    "one half twice": {"m2": [{"uid": SHOP, "label": "a", "user_key": "a", "password_key": "a"}]},
    "list": [],
    "text": "m2",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_list_fails(simulator: Simulator, body: object) -> None:
    simulator.add_fault("status", path="*/keys", method="GET", status=200, body=json.dumps(body))
    assert failing(simulator).code == "api_answer_unusable"


@pytest.mark.parametrize("field", ["uid", "label", "user_key"])
def test_secret_in_a_public_field_fails(simulator: Simulator, field: str) -> None:
    key = {"uid": SHOP, "label": "a", "user_key": "a", "password_key": "b"}
    other = {"uid": SHOP, "label": "c", "user_key": "d", "password_key": "e"}
    for secret in (f"x{access(simulator)['application_secret']}x", other["password_key"]):
        body = json.dumps({"m2": [{**key, field: secret}, other]})
        simulator.add_fault("status", path="*/keys", method="GET", status=200, body=body, count=1)
        assert failing(simulator).code == "api_answer_unusable"


def test_private_key_as_mage_id_fails(simulator: Simulator) -> None:
    half = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    key = {"uid": SHOP, "label": "a", "user_key": "a", "password_key": half}
    body = json.dumps({"ust": "made-up-token", "mage_id": half})
    simulator.add_fault("status", path="*/session/token", method="POST", status=200, body=body)
    simulator.add_fault("status", path="*/keys", method="GET", status=200, body=json.dumps({"m2": [key]}))
    assert failing(simulator).code == "api_answer_unusable"


HALF = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
CREATED = {"uid": SHOP, "label": "a", "user_key": "a", "password_key": HALF}
MESSAGE = f"is taken by {HALF[:31]} or {base64.b64encode(HALF.encode()).decode()}"
ANSWERS: list[tuple[int, object]] = [
    (200, {"m2": [CREATED, {**CREATED, "label": "b"}]}),
    (200, {"m2": [{**CREATED, "user_key": "a" * 300}]}),
    (200, {"m2": [CREATED, 5]}),
    (200, {"m2": CREATED}),
    (200, [CREATED]),
    (500, {"m2": [CREATED], "message": MESSAGE}),
    (200, {"m2": [{**CREATED, "code": 1208, "message": MESSAGE}]}),
]


@pytest.mark.parametrize(("status", "content"), ANSWERS)
def test_private_keys_of_any_answer_are_not_shown(simulator: Simulator, status: int, content: object) -> None:
    simulator.add_fault("status", path="*/keys", method="POST", status=status, body=json.dumps(content))
    for then, body in ((200, {"m2": [{**CREATED, "label": "z"}]}), (422, {"message": MESSAGE})):
        simulator.add_fault("status", path="*/keys", method="GET", status=then, body=json.dumps(body), count=1)
    with opened(simulator) as client:
        try:
            messages = [refusal.message for refusal in client.create(["a"], uid=SHOP).refusals]
        except KeyfleetError as error:
            messages = [error.message]
    assert messages and not any(HALF[:8] in text for text in messages), messages


@pytest.mark.parametrize("halves", [("a", HALF, HALF, "c"), (HALF, "c", "a", HALF), ("a", HALF, HALF.upper(), "c")])
def test_private_key_as_public_key_fails(simulator: Simulator, halves: tuple[str, str, str, str]) -> None:
    for method, label, half, other in (("GET", "d", *halves[:2]), ("POST", "e", *halves[2:])):
        body = json.dumps({"m2": [{"uid": SHOP, "label": label, "user_key": half, "password_key": other}]})
        simulator.add_fault("status", path="*/keys", method=method, status=200, body=body)
    with opened(simulator) as client:
        client.keys()
        with pytest.raises(KeyfleetError) as caught:
            client.create(["e"], uid=SHOP)
    # The keys cannot be listed either, because it is unknown which of the answers is right.
    assert caught.value.code == "api_answer_lost" and HALF[:8] not in caught.value.message


@pytest.mark.parametrize("field", ["label", "uid"])
def test_too_long_label_or_owner_fails(simulator: Simulator, field: str) -> None:
    key = {"uid": SHOP, "label": "a", "user_key": "a", "password_key": "b"}
    for length, code in ((255, None), (256, "api_answer_unusable")):
        body = json.dumps({"m2": [{**key, field: "a" * length}]})
        simulator.add_fault("status", path="*/keys", method="GET", status=200, body=body, count=1)
        with opened(simulator) as client:
            try:
                assert client.keys() and code is None
            except KeyfleetError as error:
                assert error.code == code and len(error.message) < 200


@pytest.mark.parametrize("half", ["user_key", "password_key"])
@pytest.mark.parametrize("text", ["a\x9b31m", "a\u202e", "a b", "\u0661", "a" * 256])
def test_key_invalid_in_a_header_fails(simulator: Simulator, half: str, text: str) -> None:
    key = {"uid": SHOP, "label": "a", "user_key": "a", "password_key": "b", half: text}
    simulator.add_fault("status", path="*/keys", method="GET", status=200, body=json.dumps({"m2": [key]}))
    error = failing(simulator)
    assert error.code == "api_answer_unusable" and text not in error.message


def test_session_token_as_mage_id_fails(simulator: Simulator) -> None:
    body = json.dumps({"ust": "made-up-token", "mage_id": "made-up-token"})
    simulator.add_fault("status", path="*/session/token", method="POST", status=200, body=body)
    error = failing(simulator)
    assert error.code == "api_answer_unusable" and "made-up-token" not in error.message


def test_key_without_owner_belongs_to_the_account(simulator: Simulator) -> None:
    body = {"m2": [{"label": "a", "user_key": "a", "password_key": "b", "is_enabled": False}]}
    simulator.add_fault("status", path="*/keys", method="GET", status=200, body=json.dumps(body))
    with opened(simulator) as client:
        assert [(key.uid, key.enabled) for key in client.keys(uid="all")] == [(SHOP, False)]


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"code": 200}, {"code": 200}],
        [{"code": 200, "label": "b"}, {"code": 200, "label": "a"}],
        [{"code": 200, "label": "a", "user_key": "x"}, {"code": 1210, "label": "b"}],
        "nothing",
    ],
)
def test_create_with_unusable_answer_is_looked_up(simulator: Simulator, items: object) -> None:
    simulator.add_fault("status", path="*/keys", method="POST", status=200, body=json.dumps({"m2": items}))
    simulator.add_key("shop", "a")
    with opened(simulator) as client:
        made = client.create(["a", "b"], uid=SHOP)
    assert [key.label for key in made.keys] == ["a"]
    assert [refusal.label for refusal in made.refusals] == ["b"]


@pytest.mark.parametrize(
    "items",
    [[{"label": "web", "uid": SHOP, "is_enabled": True}], [], [{}], [{"label": "other", "is_enabled": False}]],
    ids=str,
)
def test_unconfirmed_change_fails(simulator: Simulator, items: list[Any]) -> None:
    simulator.add_fault("status", path="*/keys/*", method="PUT", status=200, body=json.dumps({"m2": items}))
    with opened(simulator) as client, pytest.raises(KeyfleetError) as caught:
        client.set_enabled("web", uid=SHOP, enabled=False)
    assert caught.value.code == "api_answer_unusable"


@pytest.mark.parametrize("body", ["", "{}", '{"m2": [{}]}'])
def test_change_confirmed_by_the_list_succeeds(simulator: Simulator, body: str) -> None:
    simulator.add_fault("status", path="*/keys/*", method="PUT", status=200, body=body)
    with opened(simulator) as client:
        client.set_enabled("web", uid=SHOP, enabled=True)
    assert simulator.requests(part="marketplace", method="GET")


# Hostile servers


@contextlib.contextmanager
def hostile(method: str, send: Callable[[Exchange], None]) -> Iterator[tuple[KeyApi, Marketplace]]:
    """A key API whose answers to ``method`` come from ``send``; of POST, only the first."""
    api = KeyApi()
    seen: list[str] = []

    def answer(exchange: Exchange) -> None:
        if exchange.method != method or "/session/" in exchange.path or (method == "POST" and seen):
            api.answer(exchange)
            return
        seen.append(exchange.path)
        send(exchange)

    with Loopback(answer) as server:
        access = {name: value for name, value in api.options(server).items() if name != "timeout"}
        with Marketplace(**access, timeout=0.3) as client:
            yield api, client


def drip(head: bytes, piece: bytes) -> Callable[[Exchange], None]:
    def send(exchange: Exchange) -> None:
        exchange.send(head)
        while not exchange.server.stopping.wait(0.1):
            exchange.send(piece)

    return send


SLOW_ANSWERS = {
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "answers before it": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.mark.parametrize("kind", SLOW_ANSWERS)
def test_slow_answer_times_out(kind: str) -> None:
    with hostile("GET", SLOW_ANSWERS[kind]) as (_api, client), pytest.raises(KeyfleetError) as caught:
        client.keys()
    assert caught.value.code == "api_unreachable" and "within 3 seconds" in caught.value.message


@pytest.mark.parametrize("kind", SLOW_ANSWERS)
def test_create_with_slow_answer_is_looked_up(kind: str) -> None:
    with hostile("POST", SLOW_ANSWERS[kind]) as (api, client):
        api.add("a")
        made = client.create(["a", "b"], uid=ME)
    assert [key.label for key in made.keys] == ["a"]
    assert [refusal.label for refusal in made.refusals] == ["b"]


@pytest.mark.parametrize(
    ("status", "header", "code"),
    [
        (429, "Retry-After", "api_rate_limited"),
        (503, "Retry-After", "api_unavailable"),
        (200, "Content-Length", "api_answer_unusable"),
    ],
)
def test_huge_numbers_cause_no_traceback(status: int, header: str, code: str) -> None:
    def send(exchange: Exchange) -> None:
        exchange.send(f"HTTP/1.1 {status} Whatever\r\n{header}: {'9' * 5000}\r\n\r\n[".encode())

    with hostile("GET", send) as (_api, client), pytest.raises(KeyfleetError) as caught:
        client.keys()
    assert caught.value.code == code


@pytest.mark.parametrize("version", ["this", "before 2.2"])
def test_a_chunk_of_negative_size_is_not_read_to_its_end(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if version == "before 2.2":
        monkeypatch.delattr("urllib3.response.HTTPResponse.read1", raising=False)
    most = 64 * 1024 * 1024
    sent = []

    def send(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        with contextlib.suppress(OSError):
            while exchange.sent < most:
                exchange.send(b" " * 65536)
        sent.append(exchange.sent)

    with hostile("GET", send) as (_api, client), pytest.raises(KeyfleetError):
        client.keys()
    assert sent and sent[0] < most / 2, sent


@pytest.mark.parametrize(
    "date", [",01 Jan am( .12.34.56 1994", "Wed, 99 Oct 99999999999 99:99:99 GMT", "Jan .1 , 99", "Jan"]
)
def test_malformed_date_causes_no_traceback(date: str) -> None:
    def send(exchange: Exchange) -> None:
        exchange.reply(429, Retry_After=date)

    with hostile("GET", send) as (_api, client), pytest.raises(KeyfleetError) as caught:
        client.keys()
    assert caught.value.code == "api_rate_limited"


def test_session_keys_are_not_logged(
    simulator: Simulator, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = clean_environment / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with opened(simulator) as client:
        assert client.keys()
    # The variable stays unset: a late request may still create a TLS context.
    assert "SSLKEYLOGFILE" not in os.environ and not log.exists()


def test_the_body_of_a_redirect_is_not_read_to_its_end() -> None:
    most = 64 * 1024 * 1024
    sent = []

    def send(exchange: Exchange) -> None:
        exchange.reply(302, b"", most, Location="/elsewhere")
        with contextlib.suppress(OSError):
            while exchange.sent < most:
                exchange.send(b" " * 65536)
        sent.append(exchange.sent)

    with hostile("GET", send) as (_api, client), pytest.raises(KeyfleetError) as caught:
        client.keys()
    assert caught.value.code == "api_answer_unusable" and sent and sent[0] < most / 2, (caught.value.message, sent)


@pytest.mark.parametrize(("status", "code"), [(200, "api_answer_unusable"), (403, "api_forbidden")])
def test_compressed_answer_is_not_unpacked(status: int, code: str) -> None:
    """A few bytes could expand to more than the available memory."""
    seen = []

    def send(exchange: Exchange) -> None:
        seen.append(dict(exchange.headers))
        body = gzip.compress(b'{"m2": [], "message": "unpacked"}')
        exchange.reply(status, body, Content_Encoding="gzip")

    with hostile("GET", send) as (_api, client), pytest.raises(KeyfleetError) as caught:
        client.keys()
    assert caught.value.code == code and "unpacked" not in caught.value.message, caught.value.message
    assert {headers["accept-encoding"] for headers in seen} == {"identity"}


@pytest.mark.parametrize(
    ("body", "valid"),
    [
        ({"m2": []}, True),
        ({"m1": []}, True),
        ({}, True),
        ({"status": "maintenance"}, False),
        ({"m2": False}, False),
        ({"m2": {}}, False),
        ([], False),
    ],
)
def test_only_a_list_of_keys_is_accepted(body: Any, valid: bool) -> None:
    """Otherwise a maintenance page would look like an account without keys, and every key would be created again."""
    with hostile("GET", lambda exchange: exchange.json(json.dumps(body))) as (_api, client):
        if valid:
            assert client.keys() == []
            return
        with pytest.raises(KeyfleetError) as caught:
            client.keys()
        assert caught.value.code == "api_answer_unusable"


def test_duplicate_label_in_the_list_fails() -> None:
    """The last entry would hide that the first is enabled."""
    key = {"label": "web", "uid": ME, "user_key": "0" * 32, "password_key": "f" * 32}
    twice = json.dumps({"m2": [{**key, "is_enabled": True}, {**key, "is_enabled": False}]})
    with hostile("GET", lambda exchange: exchange.json(twice)) as (_api, client):
        with pytest.raises(KeyfleetError) as caught:
            client.keys()
        assert caught.value.code == "api_answer_unusable" and "twice" in caught.value.message


@pytest.mark.parametrize("status", [408, 499, 502])
def test_create_with_gateway_error_is_looked_up(status: int) -> None:
    with hostile("POST", lambda exchange: exchange.json("{}", status)) as (api, client):
        with pytest.raises(KeyfleetError) as caught:
            client.create(["a"], uid=ME)
        assert "None of the keys exists" in caught.value.message


def test_cookies_are_not_sent_back() -> None:
    seen: list[Exchange] = []
    api = KeyApi()

    def answer(exchange: Exchange) -> None:
        seen.append(exchange)
        send = exchange.reply
        exchange.reply = lambda *a, **fields: send(*a, **{**fields, "Set_Cookie": "evil=from-server; Path=/"})  # type: ignore[method-assign]
        api.answer(exchange)

    with Loopback(answer) as server, Marketplace(**api.options(server)) as client:
        client.keys()
        client.keys()
    assert len(seen) == 3 and not any("cookie" in exchange.headers for exchange in seen)


@pytest.mark.parametrize("mage_id", ["\ud800", "M" * 256, "..", ""])
def test_mage_id_invalid_in_a_url_fails(mage_id: str) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.json(json.dumps({"ust": "made-up-token", "mage_id": mage_id, "expires_in": 60}))

    with Loopback(answer) as server, Marketplace(**KeyApi().options(server)) as client:
        with pytest.raises(KeyfleetError) as caught:
            client.keys()
        assert caught.value.code == "api_answer_unusable" and "MAGEID" in caught.value.message


def test_key_created_for_another_owner_fails() -> None:
    item = {"code": 200, "label": "a", "uid": "MAG000000009", "user_key": "a", "password_key": "b"}
    answer = json.dumps({"m2": [item]})
    with (
        hostile("POST", lambda exchange: exchange.json(answer)) as (_api, client),
        pytest.raises(KeyfleetError) as caught,
    ):
        client.create(["a"], uid=ME)
    assert caught.value.code == "api_answer_unusable" and "another owner" in caught.value.message
