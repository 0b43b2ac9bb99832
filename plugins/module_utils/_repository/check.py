# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a pair at its repository; verify the pairs of a run, each once."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from .._argspec import Connection, Key, file_path, seconds
from .._errors import KeyfleetError
from .._redact import Secrets, quoting
from .._secrets import MAGENTO_REPOSITORY, shown_host, shown_user
from .packages import Walk, packages_json
from .verdict import Finding, HttpAnswer, Verdict, conclude, entitlement, judge_answer

# Looking up packages reads megabytes in several files and may take this many times the timeout of one answer.
WALK_FACTOR = 10


def check(
    *,
    repository: str,
    url: Optional[str],
    public_key: str,
    private_key: str,
    packages: Sequence[str] = (),
    connection: Connection,
    others: Sequence[Secrets] = (),
) -> Verdict:
    """Return the verdict for a pair; with ``packages`` also whether the repository offers each of them to the pair.

    A text that contains a part of ``others``, such as the other pairs of a run, is not shown at all.

    Every fault of the network or server results in a verdict. Raises KeyfleetError ``bad_options`` for an invalid
    address and ``bad_key`` for a pair that cannot be sent.
    """
    address = _address(repository, url)
    if not public_key or any("\ud800" <= char <= "\udfff" for char in public_key + private_key):
        raise KeyfleetError("bad_key", f"The pair for {repository} is empty or cannot be written as UTF-8")
    # Imported here, since these imports take a good part of the time of a module run without requests.
    from .session import Session

    quote = quoting(public_key, private_key, *others)
    limit = connection.timeout * (WALK_FACTOR if packages else 1)
    session = Session(address, (public_key, private_key), quote, connection, limit)
    root = packages_json(address)
    answer = session.get(root, whole=bool(packages))
    finding = answer if isinstance(answer, Finding) else judge_answer(answer, root, quote)
    found: Dict[str, str] = {name: "unknown" for name in packages}
    # A default address is a guess until packages.json was read there.
    guessed = url is None and repository != MAGENTO_REPOSITORY
    if packages and isinstance(answer, HttpAnswer) and finding.code == "keys_valid":
        guessed = False
        walk = Walk(root, packages, quote)
        walk.read(answer.body)
        for part in iter(walk.following, None):
            walk.take(part, session.get(part.url, whole=True))
        found = walk.packages()
        finding = entitlement(found, walk.trouble, repository)
    return conclude(finding, repository=repository, url=address, guessed=guessed, packages=found)


def _address(repository: str, url: Optional[str]) -> str:
    """Return the https address of the repository. Callers validate it with better messages; this is a safeguard."""
    address = f"https://{repository}/" if url is None else url
    with suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme == "https" and parts.hostname and parts.port != 0 and "@" not in parts.netloc:
            return address
    # The address is not quoted: it may hold a password.
    raise KeyfleetError("bad_options", f"The address of {repository} is not an https address, or has a user name")


# Limit for pairs from users' files, which may hold any number, at addresses that never answer.
MOST_PAIRS = 100
LIMIT_FACTOR = 10  # times the timeout of one answer; a request in progress is not aborted


class Question(NamedTuple):
    """A pair to verify. ``ask`` False: the repository is not asked, and the verdict says so.

    Where limits apply, questions with a lower ``turn`` go first.
    """

    key: Key
    ask: bool = True
    turn: int = 0


def _merged(questions: Sequence[Question]) -> List[Question]:
    """The questions with each pair once. Those about the same pair at the same address have equal ``ask``."""
    merged: Dict[Tuple[object, ...], Question] = {}
    for question in questions:
        pair = (question.key.url, *question.key.entry)
        earlier = merged.get(pair, question)
        packages = tuple(dict.fromkeys(earlier.key.packages + question.key.packages))
        merged[pair] = Question(replace(earlier.key, packages=packages), earlier.ask, min(earlier.turn, question.turn))
    return list(merged.values())


class PairVerdict(NamedTuple):
    """The verdict on one pair. ``left_out``: the limits of one run were reached before it was verified."""

    key: Key
    verdict: Verdict
    left_out: bool = False

    def as_result(self) -> Dict[str, Any]:
        """Return the element of ``verdicts``."""
        return dict(self.verdict.as_result(), public_key=shown_user(self.key.public_key or ""))


def _not_asked(key: Key, why: str) -> Verdict:
    host, packages = shown_host(key.repository), {name: "unknown" for name in key.packages}
    return Verdict(host, key.url, "not_checked", "not_asked", None, f"{host} was not contacted{why}.", packages)


def verify_pairs(
    questions: Sequence[Question], params: Mapping[str, Any], *, bounded: bool = False
) -> List[PairVerdict]:
    """Return one verdict for each distinct pair. ``params`` holds the options of `_argspec.CONNECTION_SPEC`.

    ``bounded``: the pairs come from users' files, so that at most `MOST_PAIRS` are verified, and none after
    `LIMIT_FACTOR` times the timeout.
    """
    connection = Connection(
        validate_certs=params["validate_certs"],
        ca_path=file_path("ca_path", params["ca_path"]),
        timeout=seconds(params["timeout"]),
        use_proxy=params["use_proxy"],
    )
    merged = _merged(questions)
    queue = sorted(enumerate(merged), key=lambda one: one[1].turn)
    pairs = [(one.key.public_key or "", one.key.private_key) for _number, one in queue if one.ask]
    others = Secrets(pairs[:MOST_PAIRS] if bounded else pairs)
    end = time.monotonic() + LIMIT_FACTOR * connection.timeout
    asked = 0
    answers: Dict[int, PairVerdict] = {}
    for number, (key, ask, _turn) in queue:
        left_out = ask and bounded and (asked >= MOST_PAIRS or time.monotonic() > end)
        if left_out or not ask:
            why = ": so many pairs were found that the limits of one run were reached" if left_out else ""
            answers[number] = PairVerdict(key, _not_asked(key, why), left_out)
            continue
        asked += 1
        verdict = check(
            repository=key.repository,
            url=key.url,
            public_key=key.public_key or "",
            private_key=key.private_key,
            packages=key.packages,
            connection=connection,
            others=[others],
        )
        answers[number] = PairVerdict(key, verdict)
    return [answers[number] for number in range(len(merged))]


def stop_on(answers: Sequence[PairVerdict], fail_on: Sequence[str], *, before: str = "") -> Optional[KeyfleetError]:
    """Return the failure for the verdicts whose status is in ``fail_on``, or None. ``before`` begins its message."""

    bad = [answer for answer in answers if answer.verdict.status in fail_on]
    if not bad:
        return None
    texts = [f"{answer.key.title}: {answer.verdict.message}" for answer in bad]
    return KeyfleetError(bad[0].verdict.code, before + " ".join(texts))
