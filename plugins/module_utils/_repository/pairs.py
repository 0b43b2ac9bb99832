# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify several pairs, each once, within the limits of one run."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._argspec import Connection, Key, file_path, seconds
from .._errors import KeyfleetError
from .._secrets import shown_host, shown_user
from .outcome import Verdict

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
        merged[pair] = Question(earlier.key._replace(packages=packages), earlier.ask, min(earlier.turn, question.turn))
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


def _verifier(pairs: Sequence[Tuple[str, str]], connection: Connection) -> Callable[[Key], Verdict]:
    """Return the function that verifies one of ``pairs``."""
    # Imported on use: most runs send no request, and these imports would take a good part of their time.
    from .._redact import Secrets
    from .check import check

    others = [Secrets(pairs)]
    return lambda key: check(
        repository=key.repository,
        url=key.url,
        public_key=key.public_key or "",
        private_key=key.private_key,
        packages=key.packages,
        connection=connection,
        others=others,
    )


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
    verify: Optional[Callable[[Key], Verdict]] = None
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
        verify = verify or _verifier(pairs[:MOST_PAIRS] if bounded else pairs, connection)
        answers[number] = PairVerdict(key, verify(key))
    return [answers[number] for number in range(len(merged))]


def stop_on(answers: Sequence[PairVerdict], fail_on: Sequence[str], *, before: str = "") -> Optional[KeyfleetError]:
    """Return the failure for the verdicts whose status is in ``fail_on``, or None. ``before`` begins its message."""

    bad = [answer for answer in answers if answer.verdict.status in fail_on]
    if not bad:
        return None
    texts = [f"{answer.key.title}: {answer.verdict.message}" for answer in bad]
    return KeyfleetError(bad[0].verdict.code, before + " ".join(texts))
