# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""magento_auth_key through main(): the changes to files, and their exact prediction by check mode."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key import main
from ansible_collections.keyfleet.magento.tests.unit.plugins.module_utils.loopback import fake_key
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module

HOST, VENDOR = "repo.magento.com", "repo.vendor.example"
PUBLIC, PRIVATE = fake_key("public"), fake_key("private")
OTHER, OLD = fake_key("other public"), fake_key("old private")
PASSWORD = "a password that somebody chose"
SECRETS = (PRIVATE, OLD, PASSWORD, "hunter2")
MISSING_USER = "no-such-user-of-keyfleet"


def entry(user: str, secret: str) -> Dict[str, str]:
    return {"username": user, "password": secret}


def text(**hosts: Dict[str, str]) -> str:
    return json.dumps({"http-basic": {name.replace("_", "."): value for name, value in hosts.items()}}, indent=4) + "\n"


def write(path: Path, content: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def facts(directory: Path) -> Dict[str, Tuple[Any, ...]]:
    """Return every file below ``directory`` with everything that a write could change."""
    found = {}
    for path in sorted(directory.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(path)] = (content, info.st_mode, info.st_uid, info.st_gid, info.st_ino, info.st_mtime_ns)
    return found


def run(options: Dict[str, Any], check_mode: bool = False) -> ModuleResult:
    answer = run_module(main, {"verify": "never", **options}, check_mode=check_mode)
    for secret in SECRETS:
        assert secret not in answer.text, answer.text
    return answer


def essence(answer: ModuleResult) -> Dict[str, Any]:
    return {name: answer.result[name] for name in ("changed", "files", "diff", "problems", "verdicts")}


# Every kind of creation, change and removal. Each case is run in check mode, for real, and a second time.

ONE = {"public_key": PUBLIC, "private_key": PRIVATE}
LINE = json.dumps({"http-basic": {HOST: entry(PUBLIC, PRIVATE)}, "bearer": {"h": "hunter2"}})
Prepare = Callable[[Path], Dict[str, Any]]
CASES: Dict[str, Tuple[Prepare, List[str]]] = {}


def case(*actions: str) -> Callable[[Prepare], Prepare]:
    def keep(prepare: Prepare) -> Prepare:
        CASES[prepare.__name__] = (prepare, list(actions))
        return prepare

    return keep


@case("created")
def new_file(shop: Path) -> Dict[str, Any]:
    return dict(ONE, projects=[str(shop)])


@case("created", "created")
def new_file_for_two_repositories(shop: Path) -> Dict[str, Any]:
    vendor = {"repository": VENDOR, "public_key": "token", "private_key": PASSWORD}
    return {"keys": [dict(ONE, packages=["magento/framework"]), vendor], "paths": [str(shop / "auth.json")]}


@case("updated")
def other_existing_entry(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(other=entry("token", PASSWORD)))
    return dict(ONE, projects=[str(shop)])


@case("updated")
def different_key(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(OTHER, OLD)))
    return dict(ONE, projects=[str(shop)])


@case("updated")
def different_private_half(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(PUBLIC, OLD)))
    return dict(ONE, projects=[str(shop)])


@case("updated")
def different_password_with_equal_description(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_vendor_example=entry("token", "hunter2")))
    return {"repository": VENDOR, "public_key": "token", "private_key": PASSWORD, "projects": [str(shop)]}


@case("updated")
def different_password_and_mode(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_vendor_example=entry("token", "hunter2")), 0o644)
    return {"repository": VENDOR, "public_key": "token", "private_key": PASSWORD, "projects": [str(shop)]}


@case("repaired")
def readable_by_others(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(PUBLIC, PRIVATE)), 0o644)
    return dict(ONE, projects=[str(shop)])


@case("repaired")
def different_mode(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(PUBLIC, PRIVATE)))
    return dict(ONE, projects=[str(shop)], mode="0640")


@case("unchanged")
def unchanged_entry(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", LINE)
    return dict(ONE, projects=[str(shop)])


@case("updated")
def empty_list_as_section(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", '{"http-basic": []}')
    return dict(ONE, projects=[str(shop)])


@case("created", "updated")
def composer_home_of_the_project(shop: Path) -> Dict[str, Any]:
    write(shop / "var" / "composer_home" / "auth.json", "{}")
    return dict(ONE, projects=[str(shop)])


@case("updated")
def linked_file(shop: Path) -> Dict[str, Any]:
    write(shop / "shared" / "auth.json", text(other=entry("token", PASSWORD)))
    (shop / "auth.json").symlink_to("shared/auth.json")
    return dict(ONE, projects=[str(shop)])


@case("created")
def link_to_a_missing_file(shop: Path) -> Dict[str, Any]:
    (shop / "shared").mkdir()
    (shop / "auth.json").symlink_to("shared/auth.json")
    return dict(ONE, projects=[str(shop)])


@case("updated", "unchanged")
def two_paths_to_one_file(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(OTHER, OLD)), 0o644)
    (shop / "current").symlink_to(".")
    return dict(ONE, projects=[str(shop), str(shop / "current")])


@case("removed")
def key_to_remove(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(OTHER, OLD), other=entry("token", PASSWORD)))
    return {"projects": [str(shop)], "state": "absent"}


@case("removed", "removed")
def two_keys_to_remove(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(OTHER, OLD), repo_vendor_example=entry("token", PASSWORD)))
    return {"keys": [{}, {"repository": VENDOR}], "projects": [str(shop)], "state": "absent"}


@case("removed")
def key_to_remove_by_public_half(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(PUBLIC, OLD)))
    return {"projects": [str(shop)], "state": "absent", "public_key": PUBLIC}


@case("unchanged")
def different_key_is_not_removed(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(repo_magento_com=entry(OTHER, OLD)))
    return {"projects": [str(shop)], "state": "absent", "public_key": PUBLIC}


@case("unchanged", "unchanged")
def nothing_to_remove(shop: Path) -> Dict[str, Any]:
    paths = [str(shop / "auth.json"), str(shop / "no-such-directory" / "auth.json")]
    return {"paths": paths, "users": [MISSING_USER], "state": "absent", "keys": [{"paths": paths}]}


@case("repaired")
def mode_of_a_file_without_the_key_to_remove(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", text(other=entry("token", PASSWORD)), 0o644)
    return {"projects": [str(shop)], "state": "absent"}


@case("updated")
def malformed_file_to_replace(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", '{"http-basic": {"h": "hunter2"}}')
    return dict(ONE, projects=[str(shop)], malformed="replace")


@case("removed")
def key_to_remove_from_a_malformed_file(shop: Path) -> Dict[str, Any]:
    write(shop / "auth.json", "hunter2")
    return {"projects": [str(shop)], "malformed": "replace", "state": "absent"}


@pytest.mark.parametrize("name", sorted(CASES))
def test_check_mode_predicts_the_run_and_a_second_run_changes_nothing(name: str, tmp_path: Path) -> None:
    prepare, actions = CASES[name]
    options = prepare(tmp_path)
    before = facts(tmp_path)
    predicted = run(options, check_mode=True)
    assert facts(tmp_path) == before, predicted.result
    real = run(options)
    assert not real.code, real.result
    assert essence(predicted) == essence(real)
    assert [row["action"] for row in real.result["files"]] == actions, real.result
    assert real.result["changed"] is (actions.count("unchanged") < len(actions)), real.result
    assert bool(real.result["diff"]) is real.result["changed"], real.result
    assert predicted.warnings() == real.warnings()
    after = facts(tmp_path)
    assert real.result["changed"] or after == before, real.result
    for check_mode in (True, False):
        again = run(options, check_mode=check_mode)
        assert not again.code and again.result["changed"] is False, again.result
        assert {row["action"] for row in again.result["files"]} == {"unchanged"}, again.result
        assert again.result["diff"] == [] and again.warnings() == [], again.result
        assert facts(tmp_path) == after, again.result
    for row in real.result["files"]:
        mode = stat.S_IMODE(os.stat(row["path"]).st_mode) if os.path.exists(row["path"]) else None
        assert mode in (None, 0o600, 0o640), (name, row)


# The content of the file afterwards


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (None, ONE, text(repo_magento_com=entry(PUBLIC, PRIVATE))),
        (
            '{"zeta": 1, "http-basic": {"b": {"username": "u", "password": "p", "more": [1]}}, "bearer": {"a": "t"}}',
            ONE,
            json.dumps(
                {
                    "zeta": 1,
                    "http-basic": {"b": dict(entry("u", "p"), more=[1]), HOST: entry(PUBLIC, PRIVATE)},
                    "bearer": {"a": "t"},
                },
                indent=4,
            )
            + "\n",
        ),
        (
            '{\n\t"http-basic": {\n\t\t"repo.magento.com": {"username": "o", "password": "o", "note": "ü"}\n\t}\n}',
            ONE,
            json.dumps({"http-basic": {HOST: dict(entry(PUBLIC, PRIVATE), note="ü")}}, indent="\t", ensure_ascii=False)
            + "\n",
        ),
        (
            text(repo_magento_com=entry(OTHER, OLD)),
            {"state": "absent"},
            '{\n    "http-basic": {}\n}\n',
        ),
        (LINE, ONE, LINE),
    ],
)
def test_other_content_and_order_are_kept(
    before: Optional[str], options: Dict[str, Any], after: str, tmp_path: Path
) -> None:
    if before is not None:
        write(tmp_path / "auth.json", before)
    answer = run(dict(options, projects=[str(tmp_path)]))
    assert (tmp_path / "auth.json").read_text() == after, answer.result


def test_the_diff_shows_fingerprints_owner_and_mode_but_no_secret(tmp_path: Path) -> None:
    write(tmp_path / "auth.json", text(repo_magento_com=entry(OTHER, OLD), other=entry("u", PASSWORD)), 0o644)
    (diff,) = run(dict(ONE, projects=[str(tmp_path)])).result["diff"]
    assert diff["before"].splitlines()[0].endswith(" 0644") and diff["after"].splitlines()[0].endswith(" 0600"), diff
    assert OTHER in diff["before"], diff
    assert diff["after"].count("sha256:") == 1 and '"set"' in diff["after"], diff


def test_left_over_of_a_killed_run_is_removed_though_nothing_changes(tmp_path: Path) -> None:
    options = {**ONE, "paths": [str(tmp_path / "auth.json")]}
    run(options)
    write(tmp_path / ".auth.json.keyfleet", text(repo_magento_com=entry(OTHER, OLD)))
    assert not run(options, check_mode=True).result["changed"] and len(list(tmp_path.iterdir())) == 2
    assert not run(options).result["changed"] and list(tmp_path.iterdir()) == [tmp_path / "auth.json"]


CONVERGED = """
import json, sys
import ansible.module_utils.basic
known = set(sys.modules)
from ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key import ARGUMENT_SPEC, install_keys
params = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
print(json.dumps(install_keys({**params, **json.load(sys.stdin)}, False)["changed"]), *set(sys.modules) - known)
"""
ON_USE = re.compile(r"(_composer\.(edit|removal|search)|_files\.write|_redact|_repository\.(check|session|verdict))\Z")


def test_converged_run_imports_only_what_it_uses(tmp_path: Path) -> None:
    """A host compiles every imported file again in every run."""
    options = {**ONE, "verify": "never", "paths": [str(tmp_path / "auth.json")]}
    environment = {"PYTHONPATH": ":".join(sys.path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", CONVERGED], input=json.dumps(options), env=environment, stdout=subprocess.PIPE,
            text=True, check=True,
        ).stdout.split()
        for _run in range(2)
    ]  # fmt: skip
    assert [output[0] for output in outputs] == ["true", "false"]
    changing, converged = ({name for name in output if ON_USE.search(name)} for output in outputs)
    assert converged == set() and {name.rpartition(".")[2] for name in changing} == {"edit", "write"}
    assert not {"html", "ipaddress", "urllib.parse"}.intersection(outputs[1])
