# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_auth_key through main() with an HTTPS server: when it verifies keys, and the effect of the verdicts."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key import main
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import (
    CA,
    Exchange,
    Loopback,
    fake_key,
)
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

HOST, VENDOR = "repo.magento.com", "repo.vendor.example"
GOOD = {"public_key": fake_key("good"), "private_key": fake_key("good private")}
ALSO_GOOD = {"public_key": fake_key("also good"), "private_key": fake_key("also good private")}
BAD = {"public_key": fake_key("bad"), "private_key": fake_key("bad private")}
OLD = {"username": fake_key("old"), "password": fake_key("old private")}
SECRETS = (GOOD["private_key"], ALSO_GOOD["private_key"], BAD["private_key"], OLD["password"])
LISTED = {"packages": {"magento/framework": {"1.0.0": {"name": "magento/framework", "version": "1.0.0"}}}}


class Repository:
    """A repository that accepts the good pairs and answers ``status`` to all others."""

    def __init__(self) -> None:
        self.status = 401
        self.server = Loopback(self._answer)

    def _answer(self, exchange: Exchange) -> None:
        pairs = {":".join(pair.values()) for pair in (GOOD, ALSO_GOOD)}
        sent = base64.b64decode(exchange.headers.get("authorization", "Basic ").split(" ")[1]).decode()
        status = 200 if sent in pairs else self.status
        exchange.json(json.dumps(LISTED if status == 200 else {"warning": "The server's own words."}), status=status)

    def asked(self) -> int:
        """Return the number of requests since the last call."""
        found = len(self.server.requests)
        self.server.requests.clear()
        return found


@pytest.fixture(name="repository")
def _repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    repository = Repository()
    with repository.server:
        yield repository


def run(repository: Repository, options: Dict[str, Any], check_mode: bool = False) -> ModuleResult:
    if "keys" not in options and options.get("state") != "absent":
        options = {"url": repository.server.url, **options}
    answer = run_module(main, {"ca_path": CA, "timeout": 10, **options}, check_mode=check_mode)
    for secret in SECRETS:
        assert secret not in answer.text, answer.text
    return answer


def old_file(directory: Path) -> Path:
    path = directory / "auth.json"
    path.write_text(json.dumps({"http-basic": {HOST: OLD}}, indent=4) + "\n")
    path.chmod(0o600)
    return path


def facts(path: Path) -> Tuple[Any, ...]:
    info = path.stat()
    return path.read_bytes(), info.st_ino, info.st_mtime_ns, info.st_mode


def statuses(answer: ModuleResult) -> List[Tuple[str, str]]:
    return [(row["status"], row["code"]) for row in answer.result["verdicts"]]


VALID, NOT_ASKED = ("valid", "keys_valid"), ("not_checked", "not_asked")


@pytest.mark.parametrize(
    ("verify", "changing", "converged"),
    [
        (None, VALID, NOT_ASKED),
        ("changed", VALID, NOT_ASKED),
        ("always", VALID, VALID),
        ("never", NOT_ASKED, NOT_ASKED),
    ],
)
def test_when_a_key_is_verified(
    verify: Optional[str], changing: Tuple[str, str], converged: Tuple[str, str], repository: Repository, tmp_path: Path
) -> None:
    options: Dict[str, Any] = {**GOOD, "projects": [str(tmp_path)]}
    if verify:
        options["verify"] = verify
    for check_mode, expected in ((True, changing), (False, changing), (True, converged), (False, converged)):
        answer = run(repository, options, check_mode)
        assert statuses(answer) == [expected], answer.result
        assert answer.result["verdicts"][0]["public_key"] == GOOD["public_key"], answer.result
        assert repository.asked() == (expected == VALID), answer.result
    # A change of owner or mode alone is not verified.
    (tmp_path / "auth.json").chmod(0o644)
    answer = run(repository, options)
    assert [row["action"] for row in answer.result["files"]] == ["repaired"], answer.result
    assert repository.asked() == (verify == "always"), answer.result
    answer = run(repository, {"projects": [str(tmp_path)], "state": "absent", "verify": verify or "changed"})
    assert (answer.result["changed"], answer.result["verdicts"], repository.asked()) == (True, [], 0), answer.result


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("status", "code"), [(401, "keys_invalid"), (403, "access_refused"), (500, "server_error"), (404, "wrong_address")]
)
def test_a_bad_key_replaces_nothing(
    status: int, code: str, check_mode: bool, repository: Repository, tmp_path: Path
) -> None:
    repository.status = status
    path = old_file(tmp_path)
    before = facts(path)
    keys = [{**BAD, "url": repository.server.url}, {"repository": VENDOR, **GOOD, "url": repository.server.url}]
    answer = run(repository, {"keys": keys, "projects": [str(tmp_path)]}, check_mode)
    assert (answer.code, answer.result["changed"]) == (code, False), answer.result
    assert facts(path) == before, answer.result
    assert answer.result["msg"].startswith("No file was touched. "), answer.result
    assert status == 404 or "The server's own words." in answer.result["msg"], answer.result
    assert [row["http_status"] for row in answer.result["verdicts"]] == [status, 200], answer.result
    files = answer.result["files"]
    assert [(row["path"], row["repository"], row["action"]) for row in files] == [
        (str(path), HOST, "unchanged"), (str(path), VENDOR, "unchanged"),
    ], answer.result  # fmt: skip
    assert files[0]["after"]["public_key"] == OLD["username"], answer.result


@pytest.mark.parametrize(
    ("status", "fail_on", "installed"),
    [
        (401, ["invalid"], False),
        (401, ["refused", "not_entitled", "unknown"], True),
        (401, [], True),
        (402, ["refused"], False),
        (403, ["invalid", "not_entitled", "unknown"], True),
        (503, ["unknown"], False),
        (503, ["invalid", "refused", "not_entitled"], True),
        (429, "invalid,refused", True),
    ],
)
def test_fail_on_selects_the_verdicts_that_fail(
    status: int, fail_on: Any, installed: bool, repository: Repository, tmp_path: Path
) -> None:
    repository.status = status
    path = old_file(tmp_path)
    answer = run(repository, {**BAD, "projects": [str(tmp_path)], "fail_on": fail_on})
    assert bool(answer.code) is not installed, answer.result
    user = json.loads(path.read_text())["http-basic"][HOST]["username"]
    assert user == (BAD["public_key"] if installed else OLD["username"]), answer.result
    assert answer.result["verdicts"][0]["http_status"] == status, answer.result


@pytest.mark.parametrize("fail_on", [None, ["invalid", "refused", "unknown"]])
def test_packages_that_the_key_is_not_entitled_to(fail_on: Any, repository: Repository, tmp_path: Path) -> None:
    path = old_file(tmp_path)
    before = facts(path)
    options = {**GOOD, "projects": [str(tmp_path)], "packages": ["magento/framework", "Magento/Made-Up"]}
    answer = run(repository, {**options, **({"fail_on": fail_on} if fail_on else {})})
    verdict = answer.result["verdicts"][0]
    assert verdict["status"] == "not_entitled", answer.result
    assert verdict["packages"] == {"magento/framework": "listed", "magento/made-up": "absent"}, answer.result
    assert "magento/made-up" in verdict["message"], answer.result
    assert (answer.code, facts(path) == before) == (("", False) if fail_on else ("package_absent", True)), answer.result


def test_each_pair_has_a_verdict_but_only_changes_are_verified(repository: Repository, tmp_path: Path) -> None:
    url = repository.server.url
    first = {**GOOD, "url": url, "packages": ["magento/framework"]}
    assert not run(repository, {"keys": [first], "projects": [str(tmp_path)]}).code
    assert repository.asked() == 1
    keys = [first, {"repository": VENDOR, **ALSO_GOOD, "url": url}, {"repository": "h.example", "state": "absent"}]
    answer = run(repository, {"keys": keys, "projects": [str(tmp_path)]})
    assert statuses(answer) == [NOT_ASKED, VALID], answer.result
    assert answer.result["verdicts"][0]["packages"] == {"magento/framework": "unknown"}, answer.result
    assert [row["public_key"] for row in answer.result["verdicts"]] == [GOOD["public_key"], ALSO_GOOD["public_key"]]
    assert repository.asked() == 1


def test_a_pair_in_several_keys_is_verified_once(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    key = {**GOOD, "url": repository.server.url}
    keys = [{**key, "projects": [str(tmp_path)]}, {**key, "projects": [str(tmp_path / "two")]}]
    keys[1]["packages"] = ["magento/framework"]
    answer = run(repository, {"keys": keys})
    assert statuses(answer) == [VALID] and repository.asked() == 1, answer.result
    assert answer.result["verdicts"][0]["packages"] == {"magento/framework": "listed"}, answer.result


def test_a_pair_with_two_urls_is_verified_at_both(repository: Repository, tmp_path: Path) -> None:
    key = {"repository": VENDOR, **GOOD}
    keys = [{**key, "url": repository.server.url}, {**key, "url": repository.server.url + "shop/"}]
    answer = run(repository, {"keys": keys, "projects": [str(tmp_path)]})
    assert statuses(answer) == [VALID, VALID] and repository.asked() == 2, answer.result


@pytest.mark.parametrize("port", [None, "closed"])
def test_a_key_of_a_vendor_without_url_is_installed_unverified(
    port: Optional[str], repository: Repository, tmp_path: Path
) -> None:
    netloc = repository.server.netloc
    repository.status = 404
    if port:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            netloc = f"127.0.0.1:{unused.getsockname()[1]}"
    answer = run(repository, {"keys": [{"repository": netloc, **BAD}], "projects": [str(tmp_path)]})
    assert not answer.code and statuses(answer) == [("not_checked", "no_address")], answer.result
    assert list(json.loads((tmp_path / "auth.json").read_text())["http-basic"]) == [netloc], answer.result


def test_an_answer_of_a_vendor_without_url_is_used(repository: Repository, tmp_path: Path) -> None:
    answer = run(repository, {"keys": [{"repository": repository.server.netloc, **BAD}], "projects": [str(tmp_path)]})
    assert answer.code == "keys_invalid" and not (tmp_path / "auth.json").exists(), answer.result


@pytest.mark.parametrize(
    ("options", "code"), [({"ca_path": None}, "tls_failed"), ({"ca_path": None, "validate_certs": False}, "")]
)
def test_an_untrusted_certificate(options: Dict[str, Any], code: str, repository: Repository, tmp_path: Path) -> None:
    answer = run(repository, {**GOOD, "projects": [str(tmp_path)], **options})
    assert answer.code == code, answer.result
    assert (tmp_path / "auth.json").exists() is not bool(code), answer.result


@pytest.mark.parametrize(("pair", "code"), [(GOOD, ""), (BAD, "keys_invalid")])
def test_check_mode_verifies_the_key_of_a_missing_user(pair: Dict[str, str], code: str, repository: Repository) -> None:
    answer = run(repository, {**pair, "users": ["no-such-user-of-keyfleet"]}, check_mode=True)
    assert (answer.code, repository.asked()) == (code, 1), answer.result
