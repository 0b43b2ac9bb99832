# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The leak scanner finds planted secrets in every form, and fails if it had nothing to search."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keyfleet.magento.plugins.module_utils._redact import quoting
from leaks.forms import PART, Secret
from leaks.report import NotSearched, Report
from leaks.scanner import Scanner
from place import ROOT

KEY = Secret("key", "00112233445566778899aabbccddeeff", user="ffeeddccbbaa99887766554433221100")
PASSWORD = Secret("password", "made up/\"pass\" 'wörd' \\ & more?>>", user="token")
CLI = [sys.executable, str(ROOT / "tests" / "leaks")]

MakeForm = Callable[[str], bytes]


def found(data: bytes, *secrets: Secret) -> set[str]:
    return {finding.secret for finding in Scanner(secrets or (KEY, PASSWORD)).data(data, "test").findings}


def zipped(data: bytes, before: bytes = b"") -> bytes:
    stream = io.BytesIO()
    stream.write(before)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("module/parameters.json", data)
    return stream.getvalue()


FORMS: dict[str, MakeForm] = {
    "plain": str.encode,
    "within text": lambda value: f"x{value}y".encode(),
    "base64": lambda value: base64.b64encode(value.encode()),
    "base64, one byte on": lambda value: base64.b64encode(f"-{value}".encode()),
    "base64, two bytes on": lambda value: base64.b64encode(f"--{value}----".encode()),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(f"{value}/".encode()),
    "base64 in lines": lambda value: base64.encodebytes(b"x" * 50 + value.encode() + b"y" * 50),
    "hex": lambda value: value.encode().hex().encode(),
    "HEX": lambda value: value.encode().hex().upper().encode(),
    "address": lambda value: quote(value, safe="").encode(),
    "query": lambda value: urlencode({"password": value}).encode(),
    "JSON": lambda value: json.dumps({"password": value}).encode(),
    "JSON as PHP writes it": lambda value: json.dumps({"p": value}).replace("/", "\\/").encode(),
    "JSON in JSON": lambda value: json.dumps({"stdout": json.dumps({"password": value})}).encode(),
    "Python": lambda value: repr({"password": value}).encode(),
    "shell": lambda value: ("'" + value.replace("'", "'\"'\"'") + "'").encode(),
    "gzip": lambda value: gzip.compress(value.encode()),
    "half a gzip": lambda value: gzip.compress(value.encode() + os.urandom(4000))[:2000],
    "bzip2": lambda value: bz2.compress(value.encode()),
    "xz": lambda value: lzma.compress(value.encode()),
    "zip": lambda value: zipped(value.encode()),
    "zip behind a line": lambda value: zipped(value.encode(), b"#!/usr/bin/python\n"),
    "name in a zip": lambda value: zipped(b"").replace(b"module/parameters.json", f"{value:.22}".encode()[:22]),
    "gzip in a zip": lambda value: zipped(gzip.compress(value.encode())),
    "zip in base64, as modules travel": lambda value: b"ZIPDATA = " + base64.encodebytes(zipped(value.encode())),
}


@pytest.mark.parametrize("form", FORMS)
def test_secret_is_found_in_every_form(form: str) -> None:
    clean = "nothing of the kind, and long enough to be packed"
    assert found(FORMS[form](KEY.value)) == {"key"}
    assert found(FORMS[form](clean)) == set()
    if form != "name in a zip":
        assert found(FORMS[form](PASSWORD.value)) == {"password"}


def test_secret_is_found_in_an_http_basic_header() -> None:
    short = Secret("short", "sh0rt-pw", user="token")
    for secret in (KEY, PASSWORD, short):
        header = b"Basic " + base64.b64encode(f"{secret.user}:{secret.value}".encode())
        findings = Scanner([secret]).data(header, "test").findings
        assert {finding.form for finding in findings} >= {"HTTP Basic"}


@given(before=st.binary(max_size=40), value=st.text(min_size=8, max_size=40), after=st.binary(max_size=40))
def test_any_secret_is_found_wherever_it_begins(before: bytes, value: str, after: bytes) -> None:
    secret = Secret("any", value, user="user")
    data = value.encode("utf-8", "surrogateescape") if value.isascii() else value.encode("utf-8", "replace")
    if data.decode(errors="replace") == value:
        assert found(before + data + after, secret) == {"any"}
        assert found(base64.b64encode(before + data + after), secret) == {"any"}
        assert found((before + data + after).hex().encode(), secret) == {"any"}


@pytest.mark.parametrize("begin", range(len(KEY.value) - PART + 1))
def test_part_of_a_key_is_found(begin: int) -> None:
    part = KEY.value[begin : begin + PART]
    for data in (part, f"[{part}...]", base64.b64encode(f"-{part}-".encode()).decode(), part.encode().hex()):
        assert found(data.encode()) == {"key"}
    # One character less may be a coincidence.
    assert found(f"[{part[:-1]}]".encode()) == set()


def test_names_and_links_are_searched_too(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / KEY.value).touch()
    (tmp_path / "link").symlink_to(f"/nonexistent/{PASSWORD.value}")
    report = Scanner([KEY, PASSWORD]).paths([tmp_path], "files")
    assert {finding.secret for finding in report.findings} == {"key", "password"}
    assert KEY.value not in str([str(finding) for finding in report.findings])
    excluded = Scanner([KEY, PASSWORD]).paths([tmp_path], "files", without=[tmp_path / "deep", tmp_path / "link"])
    assert excluded.findings == []


def test_search_without_data_is_an_error(tmp_path: Path) -> None:
    scanner = Scanner([KEY])
    with pytest.raises(NotSearched, match="does not exist"):
        scanner.paths([tmp_path / "nowhere"], "files")
    (tmp_path / "empty").touch()
    report = scanner.paths([tmp_path], "files")
    for channels in (["files"], ["files", "log"], ["log"]):
        with pytest.raises(NotSearched, match="nothing was seen"):
            report.require_clean(*channels)
    (tmp_path / "empty").write_text("no longer")
    scanner.paths([tmp_path], "files").require_clean("files")
    with pytest.raises(NotSearched, match="no secret"):
        Scanner([])
    with pytest.raises(ValueError, match="fewer than 8 characters"):
        Secret("short", "short")


def test_finding_is_reported_without_the_secret() -> None:
    report = Scanner([KEY]).data(f"a password: {KEY.value}".encode(), "output")
    with pytest.raises(AssertionError) as caught:
        report.require_clean("output")
    assert str(caught.value) == "output: key (plain) in output at byte 12"
    assert KEY.value not in repr(report) + repr(KEY)
    whole = Report()
    whole.merge(report)
    assert whole.where("key") == {"output"}


def scan(*arguments: str, secrets: object = None, text: str | None = None) -> subprocess.CompletedProcess[str]:
    given = json.dumps(secrets) if secrets is not None else text
    return subprocess.run([*CLI, "scan", *arguments], input=given, capture_output=True, text=True, check=False)


def test_the_command_line(tmp_path: Path) -> None:
    secrets = {"key": {"value": KEY.value, "user": KEY.user}, "planted": {"value": PASSWORD.value, "canary": True}}
    log = tmp_path / "log"
    log.write_text(f"canary: {PASSWORD.value}")
    clean = scan("--secrets-file", "-", str(log), secrets=secrets)
    assert (clean.returncode, clean.stderr) == (0, "")
    assert f"0 leaks; searched {log}: 1 of {log.stat().st_size} bytes" in clean.stdout

    log.write_text("a log of nothing")
    missed = scan("--secrets-file", "-", str(log), secrets=secrets)
    assert missed.returncode == 2
    assert "the canary planted was not found" in missed.stderr

    log.write_text(f"{base64.b64encode(KEY.value.encode()).decode()} {PASSWORD.value}")
    leaky = scan("--secrets-file", "-", str(tmp_path), secrets=secrets)
    assert leaky.returncode == 1
    assert f"LEAK {tmp_path}: key (base64) in {log} at byte 0" in leaky.stdout
    assert KEY.value not in leaky.stdout + leaky.stderr

    file = tmp_path / "secrets"
    file.write_text(json.dumps({"key": KEY.value}))
    file.chmod(0o640)
    assert "its mode must be 0600" in scan("--secrets-file", str(file), str(log)).stderr
    file.chmod(0o600)
    assert scan("--secrets-file", str(file), "-", text=f"x{KEY.value}").returncode == 1
    assert scan("--secrets-file", str(file), "-", text="x").returncode == 0
    # The file with the secrets can be excluded if it is below a searched directory.
    log.write_text("clean")
    assert scan("--secrets-file", str(file), str(tmp_path)).returncode == 1
    assert scan("--secrets-file", str(file), "--without", str(file), str(tmp_path)).returncode == 0


def test_call_that_strace_could_not_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "trace.1").write_text("execve(0x7f13b1da304a, 0x7ffc5f0e12c0, 0x7f13b1da6018) = 0\n")
    refused = scan("--secrets-file", "-", "--programs", str(tmp_path), secrets={"key": KEY.value})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "leaks: trace.1 has a call that cannot be read\n"


@pytest.mark.needs("strace")
def test_programs_on_the_command_line(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    secrets = {"key": KEY.value, "planted": {"value": PASSWORD.value, "canary": True}}

    def run(*command: str, **variables: str) -> None:
        subprocess.run([*CLI, "trace", str(seen), *command], env={**os.environ, **variables}, check=True)

    def found() -> subprocess.CompletedProcess[str]:
        return scan("--secrets-file", "-", "--programs", str(seen), secrets=secrets)

    nothing = found()
    assert nothing.returncode == 2 and "nothing was seen of: argv, environment" in nothing.stderr
    run("sh", "-c", 'true "$@"; env true "$1"', "-", PASSWORD.value)
    half = found()
    assert half.returncode == 2
    assert half.stderr == "leaks: the canary planted was not found in environment, so this search is not reliable\n"
    run("env", "true", PLANTED=PASSWORD.value)
    clean = found()
    assert (clean.returncode, clean.stderr) == (0, "") and "0 leaks; searched argv: " in clean.stdout
    run("sh", "-c", 'exec env true "$KEY"', KEY=KEY.value)
    leaky = found()
    assert leaky.returncode == 1 and KEY.value not in leaky.stdout
    assert {line.split(": ")[0] for line in leaky.stdout.splitlines()[:-1]} == {"LEAK argv", "LEAK environment"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"key": "' + KEY.value, "cannot be used"),
        (f'{{"key": {{"valeu": "{KEY.value}"}}}}', "wrong fields"),
        (f'["{KEY.value}"]', "wrong fields"),
        ('{"key": "short"}', "fewer than 8 characters"),
        ("{}", "no secret to search for"),
    ],
)
def test_unusable_secrets_are_an_error_that_does_not_quote_them(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "log").write_text("clean")
    answer = scan("--secrets-file", "-", str(tmp_path), text=content)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert KEY.value not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "form",
    [
        *("plain", "within text", "base64", "base64, one byte on", "base64, two bytes on", "base64 for addresses"),
        *("hex", "HEX", "address", "query", "JSON", "JSON as PHP writes it", "Python"),
    ],
)
def test_server_message_is_quoted_without_the_secret(form: str) -> None:
    for secret in (KEY, PASSWORD):
        text = FORMS[form](secret.value).decode()
        assert found(text.encode()) == {secret.name}
        assert found(quoting(secret.user, secret.value)(f"Not this one: {text}").encode()) == set()
