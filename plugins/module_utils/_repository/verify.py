# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify pairs at their repositories, each pair once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import file_path, seconds
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._redact import Secrets
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.check import Connection, check
from ansible_collections.keyfleet.magento.plugins.module_utils._repository.verdict import Verdict
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import key_title, shown_host, shown_user

# Limit for pairs from users' files, which may hold any number, at addresses that never answer.
MOST_PAIRS = 100
LIMIT_FACTOR = 10  # times the timeout of one answer; a request in progress is not aborted


@dataclass(frozen=True)
class Question:
    """One pair at one address. ``ask`` False: the repository is not asked, and the verdict says so.

    Where limits apply, questions with a lower ``turn`` go first. ``option`` names the pair in messages.
    """

    repository: str
    url: Optional[str]
    public_key: str
    private_key: str = field(repr=False)
    packages: Tuple[str, ...] = ()
    ask: bool = True
    turn: int = 0
    option: str = "public key"

    @property
    def title(self) -> str:
        """The name of the pair in messages."""
        return key_title(
            self.option,
            repository=shown_host(self.repository),
            public_key=self.public_key,
            private_key=self.private_key,
        )

    @property
    def pair(self) -> Tuple[Optional[str], ...]:
        """The identity of a question. Questions with equal ``pair`` are merged and have equal ``ask``."""
        return (self.repository, self.url, self.public_key, self.private_key)


def _merged(questions: Sequence[Question]) -> List[Question]:
    merged: Dict[Tuple[Optional[str], ...], Question] = {}
    for question in questions:
        earlier = merged.get(question.pair, question)
        packages = tuple(dict.fromkeys(earlier.packages + question.packages))
        merged[question.pair] = replace(earlier, packages=packages, turn=min(earlier.turn, question.turn))
    return list(merged.values())


@dataclass(frozen=True)
class PairVerdict:
    """The verdict on one pair. ``left_out``: the limits of one run were reached before it was verified."""

    question: Question
    verdict: Verdict
    left_out: bool = False

    def as_result(self) -> Dict[str, Any]:
        """Return the element of ``verdicts``."""
        return dict(self.verdict.as_result(), public_key=shown_user(self.question.public_key))


def _not_asked(question: Question, why: str) -> Verdict:
    return Verdict(
        repository=shown_host(question.repository),
        status="not_checked",
        code="not_asked",
        http_status=None,
        message=f"{shown_host(question.repository)} was not contacted{why}.",
        packages={name: "unknown" for name in question.packages},
        url=question.url,
    )


def verify_pairs(
    questions: Sequence[Question],
    params: Mapping[str, Any],
    *,
    bounded: bool = False,
    clock: Callable[[], float] = time.monotonic,
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
    pairs = [(one.public_key, one.private_key) for _number, one in queue if one.ask]
    others = Secrets(pairs[:MOST_PAIRS] if bounded else pairs)
    end = clock() + LIMIT_FACTOR * connection.timeout
    asked = 0
    answers: Dict[int, PairVerdict] = {}
    for number, question in queue:
        left_out = question.ask and bounded and (asked >= MOST_PAIRS or clock() > end)
        if left_out or not question.ask:
            why = ": so many pairs were found that the limits of one run were reached" if left_out else ""
            answers[number] = PairVerdict(question, _not_asked(question, why), left_out)
            continue
        asked += 1
        verdict = check(
            repository=question.repository,
            url=question.url,
            public_key=question.public_key,
            private_key=question.private_key,
            packages=question.packages,
            connection=connection,
            others=[others],
        )
        answers[number] = PairVerdict(question, verdict)
    return [answers[number] for number in range(len(merged))]


def stop_on(answers: Sequence[PairVerdict], fail_on: Sequence[str], *, before: str = "") -> Optional[KeyfleetError]:
    """Return the failure for the verdicts whose status is in ``fail_on``, or None. ``before`` begins its message."""

    bad = [answer for answer in answers if answer.verdict.status in fail_on]
    if not bad:
        return None
    texts = [f"{answer.question.title}: {answer.verdict.message}" for answer in bad]
    return KeyfleetError(bad[0].verdict.code, before + " ".join(texts))
