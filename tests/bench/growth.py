# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the processor time grows with the size of input that others write: parsers are called in this process."""

from __future__ import annotations

import datetime
import gc
import gzip
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure import Bench
from place import linked_collections

STEPS = (1, 10, 100)
SIZES = ("n", "10 n", "100 n")
RATIOS = ("10 n / n", "100 n / 10 n")
REPEATS = 3
HOST = "repo.magento.com"


def seconds(work: Callable[[], object]) -> float:
    """Returns the processor time, also if the input is refused with an exception."""
    # Like timeit: otherwise, the collector also visits the objects of all other inputs.
    gc.collect()
    gc.disable()
    start = time.process_time()
    try:
        work()
    except (AttributeError, ImportError, NameError, TypeError):
        # The call is wrong, not the input.
        raise
    except Exception:
        pass
    finally:
        elapsed = time.process_time() - start
        gc.enable()
    return elapsed


def entries(count: int) -> dict[str, Any]:
    """An auth.json with `count` entries."""
    return {"http-basic": {f"h{n}.example": {"username": f"u{n}", "password": f"p{n}"} for n in range(count)}}


def inputs(base: Path) -> dict[str, tuple[int, Callable[[int], Callable[[], object]]]]:
    """By name: n, and a function that prepares the work for a size. The preparation is not measured."""
    from ansible_collections.keyfleet.magento.plugins.action import magento_auth_key as action
    from ansible_collections.keyfleet.magento.plugins.filter import roles
    from ansible_collections.keyfleet.magento.plugins.module_utils import _argspec, _redact
    from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json, edit, precedence
    from ansible_collections.keyfleet.magento.plugins.module_utils._composer import report as composer_report
    from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import curl, feed, netrc
    from ansible_collections.keyfleet.magento.plugins.module_utils._downloads import verdict as downloads_verdict
    from ansible_collections.keyfleet.magento.plugins.module_utils._marketplace import client, failures, plan
    from ansible_collections.keyfleet.magento.plugins.module_utils._repository import (
        outcome,
        packages,
        session,
        verdict,
    )
    from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import fleet, report
    from ansible_collections.keyfleet.magento.plugins.module_utils._rotation import series as series_
    from ansible_collections.keyfleet.magento.plugins.modules import magento_auth_key_info

    spec: dict[str, Any] = dict(magento_auth_key_info.ARGUMENT_SPEC)
    defaults = {name: option.get("default") for name, option in spec.items()}

    def parsed(text: str) -> Callable[[], object]:
        data = text.encode()
        return lambda: auth_json.parse(data)

    def info(name: str, content: object, option: str) -> Callable[[], object]:
        directory = base / f"{name}-{time.monotonic_ns()}"
        directory.mkdir(mode=0o700)
        (directory / name).write_text(json.dumps(content))
        params = dict(defaults)
        params[option] = [str(directory)]
        return lambda: composer_report.report_keys(params)

    def nested(count: int) -> Callable[[], object]:
        directory = base / f"search-{time.monotonic_ns()}"
        for number in range(count):
            (directory / f"{number % 10}" / str(number)).mkdir(parents=True)
        params = dict(defaults)
        params["search"] = [str(directory)]
        return lambda: composer_report.report_keys(params)

    def edited(count: int) -> Callable[[], object]:
        data = json.dumps(entries(count)).encode()
        keys = [_argspec.Key(HOST, public_key="a" * 32, private_key="b" * 32)]
        return lambda: edit.text_for_diff(edit.edited(data, keys) or b"", was=data)

    def removed(count: int) -> Callable[[], object]:
        data = json.dumps(entries(count)).encode()
        keys = [_argspec.Key(f"h{n}.example", present=False) for n in range(0, count, max(count // 10, 1))]
        return lambda: edit.edited(data, keys)

    def home_config(count: int) -> Callable[[], object]:
        data = json.dumps({"config": entries(count)}).encode()
        return lambda: auth_json.parse(precedence._in_config(data))

    def effective(count: int) -> Callable[[], object]:
        sources = [precedence.Source(name, name, entries(count)) for name in ("auth.json", "composer.json")]
        return lambda: [precedence.winner(sources, host) for host in precedence.repositories(sources)]

    def api(count: int) -> client.Marketplace:
        """A session at the key API whose list of keys has ``count``."""
        items = [{"label": f"k{n}", "uid": "MAG1", "user_key": f"{n:032x}", "password_key": f"{n + 2**100:032x}",
                  "is_enabled": True} for n in range(count)]  # fmt: skip
        answer = client.Answer("GET", 200, json.dumps({"m2": items}).encode(), "")
        session = client.Marketplace(application_id="APP1", application_secret="d" * 40, api_url="https://h.example")
        session._mage_id = "MAG1"
        session._send = lambda *_words, **_options: answer  # type: ignore[method-assign]
        return session

    def refusal(count: int) -> Callable[[], object]:
        body = json.dumps({"code": 100, "message": "<b>" * count}).encode()
        redactor = failures.Redactor("APP1", "d" * 40)
        return lambda: failures.refused("list the keys", 500, body, "9" * count, redactor)

    def package_list(count: int) -> Callable[[], object]:
        body = json.dumps({"packages": {f"a/b{n}": {"1.0.0": {"name": f"a/b{n}"}} for n in range(count)}}).encode()
        one = packages.Walk("https://h.example/packages.json", ["a/b"], lambda text: text)
        return lambda: one.read(body)

    def page(count: int) -> Callable[[], object]:
        body = b"<html><title>" + b"&lt;" * count
        end = downloads_verdict.CurlEnd(0, http_status=404, headers={"content-type": "text/html"}, body=body)
        return lambda: downloads_verdict.judge_page(end, HOST, _redact.quoting("MAG1", "c" * 40))

    def result(count: int) -> Callable[[], object]:
        diff = [{"before": "a\n" * 10, "after": "b\n" * 10}] * count
        answer = {"diff": diff, "ansible_facts": {f"f{n}": n for n in range(count)}, "warnings": ["w"] * count}
        return lambda: [action.acted_on(answer), action.too_long(answer)]

    def host_variables(count: int) -> Callable[[], object]:
        rows = [{"path": f"/f{n}", "entries": [{"public_key": f"{n:032x}"}]} for n in range(count)]
        known = {"web1": {fleet.CONFIRMED: {"files": rows}, "ansible_facts": {f"f{n}": n for n in range(count)}}}
        return lambda: [roles.rotation_reports(["web1"], known), roles.rotation_hosts(["web1"], known)]

    def changed_files(count: int) -> Callable[[], object]:
        files = [{"path": f"/f{n}", "action": "updated"} for n in range(count)]
        return lambda: report.changes({"web1": {fleet.DEPLOYED: {"files": files}}}, check_mode=False)

    def netrc_file(count: int) -> Callable[[], object]:
        data = "".join(f"machine h{n}.example login l{n} password p{n}\n" for n in range(count)).encode()
        return lambda: netrc.edited(data, netrc.NetrcEdit("www.magentocommerce.com", True, "MAG1", "c" * 40))

    secrets = _redact.Secrets([("user", "a" * 15 + "b" * 1000)], in_lists=True)

    def feed_of(count: int) -> Callable[[], object]:
        versions = {f"2.4.{n}": [{"file_name": f"{n}.zip", "ce_versions": "2.4, " * 5}] for n in range(count)}
        body = json.dumps({"ce-full": versions}).encode()
        return lambda: feed.chosen(
            feed.parse(body, secrets.occur_in),
            version="*2*4*9*",
            name="*.zip",
        )

    def name(count: int) -> Callable[[], object]:
        body = json.dumps({"c": {"1": [{"file_name": "a.zip", "name": "a" * count * 10}]}}).encode()
        return lambda: feed.parse(body, secrets.occur_in)

    def names(count: int) -> Callable[[], object]:
        body = json.dumps({"c" * count: [{"file_name": "a.zip"}] * (count // 10)}).encode()
        return lambda: feed.parse(body, secrets.occur_in)

    def walk(count: int) -> Callable[[], object]:
        body = json.dumps({"provider-includes": {f"p{n}%hash%.json": {"sha256": "0" * 64} for n in range(count)}})
        one = packages.Walk("https://h.example/packages.json", ["a/b"], lambda text: text)
        return lambda: one.read(body.encode())

    def answer(text: str, kind: str) -> Callable[[], object]:
        quote = _redact.quoting("a" * 32, "b" * 32)
        return lambda: verdict.judge_answer(outcome.HttpAnswer(401, text.encode(), kind), HOST, quote)

    def members(count: int) -> Callable[[], object]:
        body, unpacker = gzip.compress(b"") * count, session._Unpacker()
        return lambda: [unpacker.feed(body[place : place + 16384]) for place in range(0, len(body), 16384)]

    def headers(count: int) -> Callable[[], object]:
        pieces = [b"a: b\n"[n % 5 : n % 5 + 1] for n in range(count)]
        lines = curl.HeaderLines()
        return lambda: [lines.feed(piece) for piece in [b"HTTP/1.1 200 OK\n", *pieces]]

    def keys(count: int) -> Callable[[], object]:
        known = [plan.MarketplaceKey(f"k{n}", "MAG1", f"{n:032x}", True, "f" * 32) for n in range(count)]
        options: dict[str, Any] = {"uid": "MAG1", "present": True, "enabled": False, "delete_enabled": False}
        return lambda: plan.diff_of(plan.plan_keys(known, labels=[key.label for key in known], **options))

    def series(count: int) -> series_.Series:
        keys = [series_.Generation(f"f-{2000 + n // 336}{n // 28 % 12 + 1:02}{n % 28 + 1:02}", f"{n:032x}", n % 2 == 1)
                for n in range(count)]  # fmt: skip
        return series_.series_of("f", keys)

    def reports(count: int) -> Callable[[], object]:
        row = {"repository": HOST, "public_key": f"{1:032x}"}
        files = [{"path": f"/f{n}", "action": "updated", "before": row, "after": row} for n in range(count)]
        confirmed = {"files": [{"path": f"/f{n}", "entries": [row]} for n in range(count)], "problems": []}
        report = {fleet.CONFIRMED: confirmed, fleet.WOULD_CHANGE: {"files": files}}
        expected, known = fleet.Expected(("web1",)), series(3)
        return lambda: fleet.blocked_by_hosts(known, expected, {"web1": report}, ignore=False)

    def hosts(count: int) -> Callable[[], object]:
        expected, known = fleet.Expected(tuple(f"web{n}" for n in range(count))), series(3)
        down = {host: {fleet.CONFIRMED: {"unreachable": True}} for host in expected.hosts}
        return lambda: fleet.blocked_by_hosts(known, expected, down, ignore=False)

    def generations(count: int) -> Callable[[], object]:
        today, known = datetime.date(2100, 1, 1), series(count)
        return lambda: [
            series_.plan_issue(known, today=today, max_age=1),
            series_.plan_retire(known, today=today, overlap=0, delete_after=1),
            known.states(),
        ]

    return {
        "auth.json, unterminated text": (4_000, lambda n: parsed('{"a": "' + '\\"' * n)),
        "auth.json, unterminated text and backslash": (4_000, lambda n: parsed('{"a": "' + '\\"' * n + "\\")),
        "auth.json, depth": (4_000, lambda n: parsed("[" * n)),
        "auth.json, digits": (4_000, lambda n: parsed('{"a": ' + "9" * n + "}")),
        "auth.json, entries": (100, lambda n: parsed(json.dumps(entries(n)))),
        "auth.json, entries, edited and shown": (100, edited),
        "auth.json, entries, removed": (100, removed),
        "auth.json, entries, and which of them Composer uses": (100, effective),
        "config.json, entries": (100, home_config),
        "info, entries": (100, lambda n: info("auth.json", entries(n), "projects")),
        "info, entries of composer.json": (100, lambda n: info("composer.json", {"config": entries(n)}, "projects")),
        "info, directories": (50, nested),
        "package name without a slash": (1_000, lambda n: lambda: _argspec.package_names(["a" * n])),
        "password to redact": (1_000, lambda n: lambda: _redact.quoting("u", "\xe9" * n)("text")),
        "answer, titles": (1_000, lambda n: answer("<title" * n, "text/html")),
        "answer, digits": (4_000, lambda n: answer('{"a": ' + "9" * n + "}", "application/json")),
        "gzip answer, members": (1000, members),
        "headers of an answer, byte by byte": (1_000, headers),
        "keys of an account": (100, keys),
        "answer of the key API, keys": (100, lambda n: api(n).keys),
        "answer of the key API, refusal": (1_000, refusal),
        "answer of the downloads, page": (1_000, page),
        "packages of a repository": (100, package_list),
        "result of a module on a host": (100, result),
        "variables of a host": (100, host_variables),
        "reports of hosts, changed files": (100, changed_files),
        "lists of a repository": (1_000, walk),
        "feed, releases": (100, feed_of),
        "feed, name of a category and files in it": (1_000, names),
        "feed, name: partial token at each offset": (1_000, name),
        "reports of hosts, files": (100, reports),
        "reports of hosts, hosts": (100, hosts),
        "generations of a series": (30, generations),
        "netrc, machines": (10, netrc_file),
    }


def measured(base: Path, repeats: int) -> Iterator[tuple[str, list[list[float]]]]:
    """The name of each input with n, and for the sizes n, 10 n and 100 n the seconds of each repetition."""
    from ansible_collections.keyfleet.magento.plugins.module_utils._composer import auth_json

    def once(work: Callable[[], object]) -> float:
        # Otherwise, every repetition would find the parsed file of the first one.
        auth_json._parsed.cache_clear()
        return seconds(work)

    for name, (size, make) in inputs(base).items():
        times = [[once(make(size * step)) for step in STEPS] for _repeat in range(repeats)]
        yield f"{name} (n = {size:,})", [list(column) for column in zip(*times, strict=True)]


def growth(bench: Bench) -> None:
    """Everything that others write and the collection reads, in this process, by size. A ratio of 10 is linear."""
    base = bench.directory / "growth"
    base.mkdir(mode=0o700)
    sys.path.insert(0, str(linked_collections()))
    os.umask(0o077)
    for name, times in measured(base, min(bench.pairs, REPEATS)):
        print(f"growth: {name}: {' '.join(f'{statistics.median(column):.4f} s' for column in times)}", flush=True)
        kept = [bench.add(f"growth: {name}, {step}", column, "s") for step, column in zip(SIZES, times, strict=True)]
        for number, step in enumerate(RATIOS):
            bench.ratio(f"growth: {name}, {step}", kept[number + 1], kept[number], "<= 15")
