# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares reading and writing of auth.json with the real Composer, for generated files of every class."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import HTTP_BASIC, entries, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import (
    serialise,
    with_entry,
    without_entry,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import repository_fault
from pytest_plugin import Uncaptured
from system.auth_key.agreement import (
    EXAMPLES,
    REFUSED_ALTHOUGH_READ,
    ROW_OF,
    altered_by_composer,
    as_composer_leaves,
    at_least,
    compared,
    profile,
)
from system.auth_key.auth_files import (
    ACCEPTED,
    FATAL,
    KEYS_WITH_NUL,
    PLAIN,
    REAL_HOSTS,
    TEXT,
    VALID,
    Kind,
    documents,
    written,
)
from system.auth_key.composer import Command, Harness
from system.auth_key.malformed import MALFORMED, RANDOM, STRICTER

pytestmark = pytest.mark.needs("composer", "php")


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    harness = Harness(tmp_path_factory.mktemp("harness"))
    yield harness
    harness.close()


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(tmp_path_factory.mktemp("command"))


Tally = dict[str, Counter[str]]


@pytest.fixture(scope="module")
def tally(uncaptured: Uncaptured, command: Command) -> Iterator[Tally]:
    """Numbers of files and outcomes of each class, always printed at the end."""
    counts: Tally = {}
    yield counts
    with uncaptured():
        print(f"\n\n{command.version}; {EXAMPLES} examples of each class")
        columns = ("files", "accepted", "ignored", "fatal", "stricter")
        print(f"{'class of auth.json':<36}" + "".join(f"{column:>10}" for column in columns))
        for label, count in counts.items():
            print(f"{label:<36}" + "".join(f"{count[column] or '':>10}" for column in columns))
        print(f"{'all':<36}" + "".join(f"{sum(c[column] for c in counts.values()):>10}" for column in columns))


def labels(kinds: tuple[Kind, ...]) -> list[str]:
    return [kind.label for kind in kinds]


ALL = (*VALID, KEYS_WITH_NUL, *MALFORMED, *STRICTER, *RANDOM)


@pytest.mark.parametrize("kind", ALL, ids=labels(ALL))
def test_reading_agrees(kind: Kind, harness: Harness, tally: Tally) -> None:
    outcomes: dict[bytes, tuple[str, str]] = {}

    @profile(kind, examples=EXAMPLES * 5 if kind in RANDOM else EXAMPLES)
    @given(kind.files)
    def check(file: bytes) -> None:
        composer = harness.read(file)
        assert composer.outcome in kind.composer, f"{kind.label}: {composer}: {file!r}"
        outcomes[file] = compared(harness, file, composer)

    check()
    tally[kind.label] = Counter(outcome for outcome, _reason in outcomes.values())
    tally[kind.label]["files"] = len(outcomes)
    assert len(outcomes) >= at_least(kind)
    seen = {reason for outcome, reason in outcomes.values() if outcome == "stricter"}
    if kind in STRICTER:
        assert seen == set(ROW_OF[kind.label])
        assert {outcome for outcome, _reason in outcomes.values()} == {"stricter"}
    elif kind not in RANDOM:
        assert seen == set()


def test_every_exception_has_a_class() -> None:
    assert {row for rows in ROW_OF.values() for row in rows} == set(REFUSED_ALTHOUGH_READ)
    assert list(ROW_OF) == labels(STRICTER)


@pytest.mark.parametrize("kind", ALL, ids=labels(ALL))
def test_harness_agrees_with_the_command(kind: Kind, harness: Harness, command: Command) -> None:
    """For a sample of each class, the command fails exactly if the harness reports a fatal error."""
    outcomes = []

    @profile(examples=2)
    @given(kind.files)
    def check(file: bytes) -> None:
        outcome = harness.read(file).outcome
        outcomes.append(outcome)
        assert command.accepts(file) is (outcome != FATAL), f"{outcome}: {file!r}"

    check()
    assert set(outcomes) <= set(kind.composer)


def test_the_command_reads_the_same_pairs(command: Command) -> None:
    read = []

    # The command formats its output, so the texts contain no special characters.
    @profile(examples=10)
    @given(written(documents(text=PLAIN).filter(lambda document: HTTP_BASIC in document)))
    def check(text: str) -> None:
        file = text.encode()
        ours = {
            entry.repository: (entry.username, entry.secret)
            for entry in entries(parse(file))
            if entry.section == HTTP_BASIC
        }
        theirs = command.http_basic(file)
        assert {host: (pair["username"], pair["password"]) for host, pair in theirs.items()} == ours
        read.append(ours)

    check()
    assert len(read) >= 10


REPOSITORIES = st.one_of(
    REAL_HOSTS,
    st.just("localhost"),
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?\.example(:[0-9]{1,5})?", fullmatch=True),
)


def repositories(document: dict[str, Any]) -> st.SearchStrategy[str]:
    """Hosts to write an entry for; about half of them have an entry already."""
    present = [host for host in document.get(HTTP_BASIC) or {} if repository_fault(host) is None]
    return st.sampled_from(present) | REPOSITORIES if present else REPOSITORIES


@pytest.mark.parametrize("kind", VALID, ids=labels(VALID))
def test_written_file_is_what_composer_writes(kind: Kind, harness: Harness) -> None:
    """The rest is read as before, Composer uses the pair, and `composer config` with the same pair changes no byte."""
    identical = []

    @profile(kind)
    @given(st.data(), TEXT, TEXT)
    def check(data: st.DataObject, username: str, password: str) -> None:
        file = data.draw(kind.files)
        host = data.draw(repositories(parse(file)))
        document = with_entry(parse(file), repository=host, username=username, password=password)
        ours = serialise(document, like=file)
        before, after = harness.read(file, without=host), harness.read(ours, without=host)
        compared(harness, ours, after)
        assert after.outcome == ACCEPTED
        assert after.rest == before.rest, file
        others = {name: pair for name, pair in before.hosts.items() if name != host}
        assert {name: pair for name, pair in after.hosts.items() if name != host} == others
        if host not in document.get("bearer", {}):
            assert after.hosts[host] == (username, password)
        assert serialise(parse(ours), like=ours) == ours
        done = harness.set(ours, host=host, username=username, password=password)
        assert done.status == 0, f"{done.error}: {ours!r}"
        assert done.file == as_composer_leaves(document, file, host=host, username=username, password=password), file
        assert (done.file == ours) is not altered_by_composer(document, host), file
        identical.append(done.file == ours)

    check()
    assert len(identical) >= at_least(kind)
    assert sum(identical) >= len(identical) // 4, "Composer altered too many files"


def test_command_does_not_change_the_written_file(command: Command) -> None:
    """The same with the real command, whose arguments cannot contain NUL."""
    left = []
    argument = TEXT.map(lambda text: text.replace("\x00", ""))

    @profile(examples=20)
    @given(st.data(), argument, argument)
    def check(data: st.DataObject, username: str, password: str) -> None:
        file = data.draw(st.one_of(*[kind.files for kind in VALID]))
        host = data.draw(repositories(parse(file)))
        document = with_entry(parse(file), repository=host, username=username, password=password)
        ours = serialise(document, like=file)
        done = command.set(ours, host=host, username=username, password=password)
        assert done.status == 0, done.error
        assert done.file == as_composer_leaves(document, file, host=host, username=username, password=password), file
        assert (done.file == ours) is not altered_by_composer(document, host), file
        left.append(done.file)

    check()
    assert len(left) >= 20


PAIR = {"username": "anna", "password": "fake"}
# Other files of ours that `composer config` alters or refuses: its exit status, and the reason in Composer.
ALTERED = [
    ("a key that begins with NUL", {"http-basic": {"\x00": PAIR}}, 1, "PHP cannot make an object of it"),
    ("the host's name as a key elsewhere", {"http-basic": {"o": {**PAIR, "h.example": 1}}}, 0, "it edits that too"),
    ("a top key of composer.json", {"name": 5}, 1, "it checks the file as if it were composer.json"),
    ("thousands of escapes", {"x": "\n" * 20000}, 6, "its regular expression gives up"),
    ("a home elsewhere", {"home": "/nonexistent"}, 1, "the file to write lies there"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "status", "why"), [row[1:] for row in ALTERED], ids=[row[0] for row in ALTERED]
)  # fmt: skip
def test_composer_config_alters_or_refuses_a_file_that_it_reads(
    document: dict[str, Any], status: int, why: str, harness: Harness
) -> None:
    ours = serialise(with_entry(document, repository="h.example", **PAIR))
    assert compared(harness, ours, harness.read(ours)) == (ACCEPTED, "")
    done = harness.set(ours, host="h.example", **PAIR)
    assert done.status == status, why
    assert (done.file == ours) is (status != 0), why


@pytest.mark.parametrize("kind", VALID, ids=labels(VALID))
def test_removal_removes_only_the_entry(kind: Kind, harness: Harness) -> None:
    removed = []

    @profile(kind)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        file = data.draw(kind.files)
        document = parse(file)
        host = data.draw(st.sampled_from(sorted(document.get(HTTP_BASIC) or {}) or ["absent.example"]))
        left = without_entry(document, host)
        ours = serialise(left, like=file)
        before, after = harness.read(file, without=host), harness.read(ours, without=host)
        assert compared(harness, ours, after) == (ACCEPTED, "")
        assert after.rest == before.rest, file
        kept = {name: pair for name, pair in before.hosts.items() if name != host}
        assert {name: pair for name, pair in after.hosts.items() if name != host} == kept
        rest = {section: hosts for section, hosts in document.items() if section != HTTP_BASIC}
        assert {section: hosts for section, hosts in json.loads(ours).items() if section != HTTP_BASIC} == rest
        assert list(json.loads(ours)) == list(document)
        if left is not document:
            assert host not in json.loads(ours)[HTTP_BASIC]
            assert isinstance(json.loads(ours)[HTTP_BASIC], dict)
            removed.append(host)

    check()
    if kind.label == "sections":
        assert len(removed) >= EXAMPLES // 4
