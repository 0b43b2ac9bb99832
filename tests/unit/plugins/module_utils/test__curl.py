# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How curl is told what to do and how its words are read. A script stands in; the real one is in tests/system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Dict, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._curl import Curl, find_curl, run, split_headers
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError

Program = Callable[[str], Curl]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script on the PATH as curl."""

    def make(script: str) -> Curl:
        path = tmp_path / "curl"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
        return Curl(str(path), "8.0.0")

    return make


def version(text: str, protocols: str = "http https") -> str:
    return f"echo '{text} (x86_64-pc-linux-gnu) libcurl/1'; echo 'Protocols: {protocols}'"


@pytest.mark.parametrize("text", ["curl 7.55.0", "curl 7.88.1", "curl 8.14.1", "curl 10.0.0-DEV"])
def test_a_curl_that_will_do(program: Program, text: str) -> None:
    made = program(version(text))
    assert find_curl() == Curl(made.path, text.split(" ")[1].split("-")[0])


@pytest.mark.parametrize(
    "script",
    [
        version("curl 7.29.0"),
        version("curl 7.54.1"),
        version("curl 6.5"),
        version("curl 8.14.1", "file ftp http"),
        "echo something else",
        "exit 127",
    ],
)
def test_a_curl_that_will_not(program: Program, script: str) -> None:
    program(script)
    with pytest.raises(KeyfleetError) as caught:
        find_curl()
    assert caught.value.code == "old_curl"


def test_no_curl_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeyfleetError) as caught:
        find_curl()
    assert caught.value.code == "no_curl"


def test_options_come_on_standard_input_and_quoted(program: Program, tmp_path: Path) -> None:
    curl = program(f'printf "%s|" "$@" > {tmp_path}/argv; cat > {tmp_path}/told')
    run(curl, [("url", "https://h/"), ("user", 'a:"b\\c\nd'), ("silent", None)])
    assert (tmp_path / "argv").read_text() == "-q|-K|-|"
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:3] == ['url = "https://h/"', 'user = "a:\\"b\\\\c\\nd"', "silent"]
    assert told[3].startswith('write-out = "') and len(told) == 4


ECHO_FACTS = """
told=$(cat)
mark=$(printf '%s\\n' "$told" | sed -n 's/^write-out = "\\\\n\\([0-9a-f]*\\) .*/\\1/p')
"""


def test_headers_body_and_facts_are_told_apart(program: Program) -> None:
    curl = program(
        ECHO_FACTS + "printf 'HTTP/1.1 100 Continue\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\nRetry-After: 7\\r\\n\\r\\n"
        "HTTP/1.1 is no header here\\r\\n\\r\\nbody'\n"
        "printf '\\n%s 200 0 text/plain; x=y\\thttps://h/there' $mark"
    )
    end = run(curl, [("url", "https://h/")])
    assert (end.exit_code, end.http_status, end.content_type) == (0, 200, "text/plain; x=y")
    assert (end.redirect_url, end.retry_after) == ("https://h/there", "7")
    assert end.body == b"HTTP/1.1 is no header here\r\n\r\nbody"


def test_an_error_is_passed_on(program: Program) -> None:
    curl = program(ECHO_FACTS + "echo 'curl: (6) no such host' >&2; printf '\\n%s 000 000 \\t' $mark; exit 6")
    end = run(curl, [("url", "https://h/")])
    assert (end.exit_code, end.error, end.http_status, end.body) == (6, "curl: (6) no such host", 0, b"")


def test_a_curl_that_does_not_end_is_ended(program: Program) -> None:
    end = run(program("exec sleep 60"), [("url", "https://h/")], deadline=0.3)
    assert (end.exit_code, end.error) == (28, "curl did not end in time")


def test_a_curl_that_reads_nothing_is_no_reason_to_fail(program: Program) -> None:
    end = run(program("exec <&-; exit 2"), [("url", "https://h/" + "x" * 200000)])
    assert end.exit_code == 2


@pytest.mark.parametrize(
    ("answer", "headers", "rest"),
    [
        (b"", None, b""),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", None, b"HTTP/1.1 200 OK\r\nA: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nA: b: c \r\n\r\nbody", {"status": "200", "a": "b: c"}, b"body"),
        (b"HTTP/2 206\r\n\r\n", {"status": "206"}, b""),
        (b"HTTP/1.1 103 Early\r\nB: c\r\n\r\nHTTP/1.1 404 No\r\n\r\nx", {"status": "404"}, b"x"),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 404", None, b"HTTP/1.1 404"),
    ],
)
def test_the_headers_of_the_last_answer(answer: bytes, headers: Optional[Dict[str, str]], rest: bytes) -> None:
    assert split_headers(answer) == (headers, rest)
