# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No text in a result has a character that a terminal acts on, whatever files, servers and hosts contain."""

from __future__ import annotations

import json
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import feed, netrc
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.failures import Redactor, refused
from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace.plan import MarketplaceKey, key_row
from ansible_collections.keyfleet.magento.plugins.module_utils._module import KeyfleetModule
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.fleet import (
    CONFIRMED,
    DEPLOYED,
    WOULD_CHANGE,
    Expected,
    blocked_by_hosts,
    not_deployed,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.report import (
    Outcome,
    Revoked,
    changes,
    predicted_files,
    summary,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._rotation.series import Generation, Series
from ansible_collections.keyfleet.magento.plugins.modules import magento_auth_key, magento_auth_key_info
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import run_module

HOST = "repo.magento.com"
PUBLIC, PRIVATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")
NASTY = "\x00\x07\t\n\r\x1b\x7f\x85\x9b\u00ad\u061c\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ud800\udfff\U000e0041"
TEXT = st.text(st.sampled_from(NASTY + "ab[31m.:/\\\"' é") | st.characters(), max_size=12)
SEVERAL_LINES = ("before", "after", "prepared", "summary")


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSER_AUTH", raising=False)


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield "", key
            yield from texts(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def harmless(value: Any) -> None:
    for name, text in texts(value):
        allowed = "\n\t" if name in SEVERAL_LINES else ""
        bad = [char for char in text if unicodedata.category(char) in ACTING and char not in allowed]
        assert not bad, (name, text)


def module_result(**result: Any) -> dict[str, Any]:
    """The result as a module returns it."""
    answer = run_module(lambda: KeyfleetModule(argument_spec={}).exit_json(**result), {}).result
    harmless(answer)
    return answer


def thorough(function: Callable[..., None]) -> Callable[..., None]:
    return settings(max_examples=60)(function)


ENTRY = st.fixed_dictionaries({"username": TEXT, "password": TEXT}) | TEXT
FILE = st.dictionaries(
    st.sampled_from(["http-basic", "bearer", "gitlab-token", "client-certificate"]) | TEXT,
    st.dictionaries(TEXT, ENTRY, max_size=3) | TEXT,
    max_size=4,
)


# Each malformed file is read repeatedly for a second.
@settings(max_examples=15)
@given(content=FILE, name=st.text(st.sampled_from(NASTY.replace("\0", "").replace("\ud800", "") + "ab "), max_size=8))
def test_auth_files_and_their_paths(content: dict[str, Any], name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        # The only surrogates in a path are those of bytes that are not UTF-8.
        place = os.path.join(directory, "x" + name.replace("\udfff", "\udcff"))
        os.mkdir(place, 0o700)
        path = Path(place, "auth.json")
        path.write_text(json.dumps(content))
        path.chmod(0o604)
        harmless(run_module(magento_auth_key_info.main, {"search": [directory], "verify": "always"}).result)
        pair = {"public_key": PUBLIC, "private_key": PRIVATE, "verify": "never"}
        for malformed in ("fail", "replace"):
            harmless(run_module(magento_auth_key.main, {**pair, "paths": [str(path)], "malformed": malformed}).result)


@thorough
@given(data=st.lists(st.tuples(TEXT, TEXT), max_size=3), raw=st.binary(max_size=30))
def test_the_diff_of_a_netrc(data: list[tuple[str, str]], raw: bytes) -> None:
    lines = "".join(f"machine {host} login {login} password p\n" for host, login in data)
    for content in (lines.encode("utf-8", "replace"), raw, b"machine " + raw + b" login a password b\n"):
        module_result(diff={"before": netrc.text_for_diff(content), "after": ""})


@thorough
@given(content=st.dictionaries(TEXT, st.dictionaries(TEXT, st.fixed_dictionaries({"file_name": TEXT, "name": TEXT}))))
def test_a_feed(content: dict[str, Any]) -> None:
    try:
        releases = feed.parse(json.dumps(content).encode(), lambda _text: False)
    except feed.NotAFeed:
        return
    harmless([release.as_result() for release in releases])
    module_result(releases=[release.as_result() for release in releases])


@thorough
@given(label=TEXT, uid=TEXT, message=TEXT)
def test_answers_of_the_api(label: str, uid: str, message: str) -> None:
    key = MarketplaceKey(label, uid, PUBLIC, True, PRIVATE)
    row = module_result(marketplace_keys=[key_row(key, include_private_key=True)])["marketplace_keys"][0]
    assert (row["public_key"], row["private_key"]) == (PUBLIC, PRIVATE)
    body = json.dumps({"code": 1, "message": message}).encode()
    harmless(refused(f"enable {label}", 400, body, message, Redactor("id", "made-up-secret")).message)


@thorough
@given(path=TEXT, message=TEXT, action=TEXT, owner=TEXT, facts=st.lists(TEXT, max_size=2))
def test_reports_of_hosts(path: str, message: str, action: str, owner: str, facts: list[str]) -> None:
    entry = {"public_key": PUBLIC, "fingerprint": message}
    row = {"path": path, "owner": owner, "entries": [entry], "action": action, "before": entry, "after": None}
    problem = {"code": "read_failed", "path": path, "message": message}
    given = {**row, "after": {"public_key": "new"}}
    report = {
        CONFIRMED: {"files": [row], "problems": [problem]},
        WOULD_CHANGE: {"files": [row, given]},
        DEPLOYED: {"failed": True, "msg": message},
        "forged_facts": facts,
    }
    failed = {"web2": {CONFIRMED: {"unreachable": True, "msg": message}}, "web3": {CONFIRMED: {"files": []}}}
    reports = {"web1": report, "web4": {CONFIRMED: report[CONFIRMED], WOULD_CHANGE: {}}, **failed}
    series = Series("s", (Generation("s-20260101", PUBLIC, True), Generation("s-20260201", "new", True)))
    expected = Expected(tuple(reports))
    blocked = blocked_by_hosts(series, expected, reports, ignore=False)
    blocked += not_deployed(expected, reports)
    assert len(blocked) >= 6
    rows = [row.as_result() for row in blocked]
    harmless(rows)
    done = Outcome(phase="retire", prefix="s", check_mode=True, blocked=blocked)
    done.hosts = predicted_files(reports, series, label="s-20260301")
    text = summary(done, series, label=None, public_key=None)
    harmless(text.split("\n"))
    assert len(text.split("\n")) == 3 + len(blocked) + len(done.hosts) - 1
    module_result(summary=text, blocked=rows, diff=done.diff())
    done.revoked = Revoked("s", PUBLIC, None, enabled=True)
    done.notes += changes(reports, check_mode=True)
    harmless(summary(done, series, label=None, public_key=None).split("\n"))
    harmless(KeyfleetError("read_failed", message).message)
