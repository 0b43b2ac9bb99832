# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input and output of curl, with a script instead of curl. tests/system uses the real curl."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.curl import (
    MOST_HEADERS,
    Curl,
    HeaderLines,
    find_curl,
    run,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError

Program = Callable[[str], Curl]


@pytest.fixture(autouse=True)
def no_earlier_curl() -> None:
    find_curl.cache_clear()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Install a shell script as curl on the PATH."""

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
def test_supported_curl(program: Program, text: str) -> None:
    curl = program(version(text))
    assert find_curl() == Curl(curl.path, text.split(" ")[1].split("-")[0])


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
def test_unsupported_curl(program: Program, script: str) -> None:
    program(script)
    with pytest.raises(KeyfleetError) as caught:
        find_curl()
    assert caught.value.code == "old_curl"


def test_missing_curl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeyfleetError) as caught:
        find_curl()
    assert caught.value.code == "no_curl"


def test_options_are_quoted_and_passed_on_standard_input(program: Program, tmp_path: Path) -> None:
    curl = program(f'printf "%s|" "$@" > {tmp_path}/argv; cat > {tmp_path}/given')
    run(curl, [("url", "https://h/"), ("user", 'a:"b\\c\nd'), ("silent", None)], limit=9)
    assert (tmp_path / "argv").read_text() == "-q|-K|-|"
    given = (tmp_path / "given").read_text().splitlines()
    assert given[:3] == ['url = "https://h/"', 'user = "a:\\"b\\\\c\\nd"', "silent"]
    assert given[3] == 'max-time = "9.000"' and given[4].startswith('write-out = "') and len(given) == 5


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "a\u2028b"])
@pytest.mark.parametrize("name", ["header", "url", "range"])
def test_line_ends_in_a_request_are_refused(program: Program, tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        run(program(f"touch {tmp_path}/ran"), [(name, value)], limit=9)
    assert not (tmp_path / "ran").exists()


READ_MARK = """
given=$(cat)
mark=$(printf '%s\\n' "$given" | sed -n 's/^write-out = "\\([0-9a-f]*\\) .*/\\1/p')
"""


def test_headers_body_and_write_out_text_are_split(program: Program) -> None:
    curl = program(
        READ_MARK + "printf 'HTTP/1.1 100 Continue\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\nRetry-After: 7\\n"
        "Content-Type: text/plain; x=y\\n\\r\\n"
        "HTTP/1.1 is no header here\\r\\n\\r\\nbody'\n"
        "printf '%s 200 0 https://h/there' $mark"
    )
    end = run(curl, [("url", "https://h/")], limit=9)
    assert (end.exit_code, end.http_status, end.headers["content-type"]) == (0, 200, "text/plain; x=y")
    assert (end.redirect_url, end.headers["retry-after"]) == ("https://h/there", "7")
    assert end.body == b"HTTP/1.1 is no header here\r\n\r\nbody"


@pytest.mark.parametrize("facts", ["x", "200", "200 0", "x 0 https://h/", "9999999999 0 https://h/"])
def test_malformed_write_out_text(program: Program, facts: str) -> None:
    end = run(program(READ_MARK + f"printf 'HTTP/1.1 200 OK\n\n%s {facts}' $mark"), [("url", "https://h/")], limit=9)
    assert (end.exit_code, end.http_status, end.redirect_url) == (0, 200, "")


def test_netrc_is_passed_unchanged(program: Program, tmp_path: Path) -> None:
    path = "$(cat | sed -n 's/^netrc-file = \"\\(.*\\)\"/\\1/p')"
    run(program(f"cat {path} > {tmp_path}/seen"), [("url", "https://h/")], b"machine h", limit=9)
    assert (tmp_path / "seen").read_bytes() == b"machine h"


def test_error_text_of_curl(program: Program) -> None:
    curl = program(READ_MARK + "echo 'curl: (6) no such host' >&2; printf '%s 000 000 ' $mark; exit 6")
    end = run(curl, [("url", "https://h/")], limit=9)
    assert (end.exit_code, end.error, end.http_status, end.body) == (6, "curl: (6) no such host", 0, b"")


ENDLESS = {
    "silence": "exec sleep 60",
    "a body": "printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'; while :; do echo x; sleep 0.1; done",
    "headers": "echo HTTP/1.1 200 OK; while :; do echo X: y; sleep 0.1; done",
    "error text": "while :; do echo x >&2; sleep 0.1; done",
    "a child that holds the pipes": "sleep 10",
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_curl_is_killed_after_the_limit(program: Program, script: str) -> None:
    end = run(program(script), [("url", "https://h/")], limit=0.1)
    assert (end.exit_code, end.error) == (28, "curl did not end in time")


def test_endless_headers(program: Program) -> None:
    for line in ("X: y", ""):
        end = run(program(f"echo HTTP/1.1 200 OK; exec yes '{line or 'HTTP/1.1 100 C'}'"), [("silent", None)], limit=30)
        assert end.exit_code == 63 and str(MOST_HEADERS) in end.error


def test_answer_without_headers(program: Program) -> None:
    end = run(program(READ_MARK + "printf 'a body of HTTP/0.9%s 200 0 ' $mark"), [("silent", None)], limit=9)
    assert (end.exit_code, end.body) == (8, b"")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://MAG1:secret@h/there?x=y#z", "https://h/there?x=y"),
        ("https://a@b@h/", "https://h/"),
        ("https://[bad", ""),
        ("https://h/a b", ""),
        ("https://]@[h/", ""),
        ("https://h/\u00e9", ""),
        ("", ""),
    ],
)
def test_redirect_url_has_no_credentials(program: Program, url: str, shown: str) -> None:
    script = f"printf 'HTTP/1.1 302 Found\\r\\n\\r\\n'; printf '%s 302 0 %s' $mark '{url}'"
    assert run(program(READ_MARK + script), [("silent", None)], limit=9).redirect_url == shown


def test_environment_of_curl(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for its version and for a transfer."""
    curl = program(f"env > {tmp_path}/seen-$2; cat > {tmp_path}/given; " + version("curl 8.0.0"))
    monkeypatch.setenv("SSLKEYLOGFILE", "/nonexistent")
    monkeypatch.setenv("MADE_UP", "1")
    monkeypatch.setenv("https_proxy", "http://user:made-up-word@proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    monkeypatch.setenv("SSL_CERT_DIR", "/etc/ssl/certs")
    assert find_curl() == curl
    run(curl, [("silent", None)], limit=9)
    shell_variables = {"PWD", "SHLVL", "_", "OLDPWD"}
    passed_on = {"LC_ALL", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "CURL_CA_BUNDLE"}
    for option in ("--version", "-K"):
        seen = dict(line.split("=", 1) for line in (tmp_path / f"seen-{option}").read_text().splitlines())
        # Processes of curl's user can read its environment, so a proxy password is passed on standard input.
        assert set(seen) - shell_variables <= passed_on
        assert (seen["LC_ALL"], seen["SSL_CERT_DIR"]) == ("C", "/etc/ssl/certs")
        assert str(tmp_path) not in seen["PATH"].split(":")
    given = (tmp_path / "given").read_text().splitlines()
    assert 'proxy = "http://user:made-up-word@proxy.invalid:3128"' in given and 'noproxy = "inside.example"' in given


def test_curl_inherits_no_descriptor_and_no_directory(program: Program, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        run(program(f"cat > /dev/null; {{ pwd; ls -l /dev/fd/; }} > {tmp_path}/seen"), [("silent", None)], limit=9)
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("/\n") and f"{tmp_path}/seen\n" in seen and f"{tmp_path}/secret" not in seen


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "http://a", "all_proxy": "http://b"}, ["http://a"]),
        ({"ALL_PROXY": "http://b", "NO_PROXY": "*"}, ["http://b", "*"]),
        ({"https_proxy": "", "all_proxy": "http://b"}, []),
    ],
)
def test_proxy_variables_have_the_precedence_of_curl(
    environ: Dict[str, str], expected: List[str], program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "all_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    run(program(f"cat > {tmp_path}/given"), [("silent", None)], limit=9)
    given = (tmp_path / "given").read_text()
    assert re.findall(r'^(?:no)?proxy = "(.*)"', given, re.M) == expected


def test_exit_code_of_a_curl_that_does_not_read_its_input(program: Program) -> None:
    end = run(program("exec <&-; exit 2"), [("url", "https://h/" + "x" * 200000)], limit=9)
    assert end.exit_code == 2


@pytest.mark.parametrize(
    ("answer", "headers", "rest"),
    [
        (b"", None, b""),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", None, b""),
        (b"HTTP/1.1 200 OK\r\nA: b: c \r\n\r\nbody", {"status": "200", "a": "b: c"}, b"body"),
        (b"HTTP/1.1 200 OK\nA: b\n\n\r\nbody", {"status": "200", "a": "b"}, b"\r\nbody"),
        (b"HTTP/1.1 200 OK\r\nA: b\n\r\nbody", {"status": "200", "a": "b"}, b"body"),
        (b"HTTP/1.1 200 OK\nA: b\n C: d\nno colon\nStatus: 500 No\n\n", {"status": "200", "a": "b"}, b""),
        (b"HTTP/2 206\r\n\r\n", {"status": "206"}, b""),
        (b"HTTP/1.1 103 Early\r\nB: c\r\n\r\nHTTP/1.1 404 No\r\n\r\nx", {"status": "404"}, b"x"),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 404", None, b"HTTP/1.1 404"),
        (b"\nmark 000 000 ", None, b"mark 000 000 "),
    ],
)
@pytest.mark.parametrize("chunk_size", [1, 2, 1000])
def test_headers_of_the_final_answer(
    answer: bytes, headers: Optional[Dict[str, str]], rest: bytes, chunk_size: int
) -> None:
    lines, later = HeaderLines(), b""
    for begin in range(0, len(answer), chunk_size):
        piece = answer[begin : begin + chunk_size]
        if lines.complete:
            later += piece
        else:
            lines.feed(piece)
    assert (lines.values if lines.complete else None) == headers
    assert bytes(lines.rest) + later == rest


@pytest.mark.parametrize("line", [b"X: y\n", b"x", b"\n", b"HTTP/1.1 100 C\n\n"])
def test_limit_of_headers(line: bytes) -> None:
    lines = HeaderLines()
    lines.feed(b"HTTP/1.1 103 E\n")
    while not lines.too_long:
        assert not lines.feed(line * 1000)
