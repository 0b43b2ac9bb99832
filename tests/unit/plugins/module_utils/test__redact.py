# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal control characters are replaced in shown texts, all other characters are kept."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._text import (
    LIMIT,
    REPLACEMENT,
    one_line,
    safe,
    safe_result,
)

CONTROL = ("Cc", "Cf", "Cs", "Zl", "Zp")
HOSTILE = "\x1b]0;a\x07b\x9b31mc\u202ed\u200be\ud800f\x7fg\u2028h"
HARMLESS = REPLACEMENT + "]0;a"


@pytest.mark.parametrize("function", [safe, one_line])
def test_every_control_character_is_replaced(function: Any) -> None:
    for start in range(0, sys.maxunicode + 1, LIMIT // 2):
        shown = function("".join(map(chr, range(start, min(start + LIMIT // 2, sys.maxunicode + 1)))))
        assert {unicodedata.category(char) for char in shown}.isdisjoint(CONTROL)


@pytest.mark.parametrize(
    "text", ["", "/home/anna/a  b/auth.json", "bücher.example", "ключ", "密钥", "no\u00a0break", "😀"]
)
def test_other_characters_are_kept(text: str) -> None:
    assert safe(text) == text
    assert safe_result({"path": text, text: [text]}) == {"path": text, text: [text]}


def test_each_control_character_is_replaced_by_one_character() -> None:
    assert safe("a\x1bb\r\nc\u202e") == f"a{REPLACEMENT}b{REPLACEMENT}{REPLACEMENT}c{REPLACEMENT}"
    assert one_line("a\x1bb\r\n \u202ec") == "a b c"


def test_the_length_is_bounded() -> None:
    assert len(safe("x" * 5 * LIMIT)) == len(one_line("x " * 5 * LIMIT)) == LIMIT
    assert safe("x" * LIMIT) == "x" * LIMIT
    assert safe("abcdef", 5) == one_line("abc def", 5).replace(" ", "") == "ab..."
    assert len(one_line("x" * 5 * LIMIT, None)) == 5 * LIMIT


def test_a_diff_keeps_line_feeds_and_tabs() -> None:
    diff = {"before_header": "a\nb", "before": "one\n\ttwo\x1b\r\n", "after": "x" * 5 * LIMIT + "\ny"}
    shown = safe_result({"diff": [diff]})["diff"][0]
    assert shown["before_header"] == f"a{REPLACEMENT}b"
    assert shown["before"] == f"one\n\ttwo{REPLACEMENT}{REPLACEMENT}\n"
    assert [len(line) for line in shown["after"].split("\n")] == [LIMIT, 1]


def test_names_and_nested_texts_are_cleaned_and_other_values_kept() -> None:
    given = {"a\x1b": [{"b": "\x9b"}, ("\u202e", 5, None, True, 1.5)], "before": {"path": "a\n"}}
    assert safe_result(given) == {
        f"a{REPLACEMENT}": [{"b": REPLACEMENT}, [REPLACEMENT, 5, None, True, 1.5]],
        "before": {"path": f"a{REPLACEMENT}"},
    }


def test_failures_and_problems_have_no_control_characters() -> None:
    problem = Problem("code", HOSTILE, HOSTILE)
    shown = problem.as_result()
    error = KeyfleetError("code", HOSTILE, problems=[problem])
    texts = [str(error), error.message, str(shown["message"]), str(shown["path"])]
    for text in texts:
        assert text.startswith(HARMLESS) and {unicodedata.category(char) for char in text}.isdisjoint(CONTROL), text
    assert len(str(KeyfleetError("code", "x" * 5 * LIMIT))) == LIMIT


def test_a_number_that_python_refuses_to_convert_is_described() -> None:
    assert safe_result({"retries": 10**5000, "size": 2**63}) == {
        "retries": "a number with too many digits",
        "size": 2**63,
    }
