# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the key modules on real accounts: in this process as root, as another account, or under other mounts."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.keyfleet.magento.plugins.modules import magento_auth_key, magento_auth_key_info
from ansible_collections.keyfleet.magento.tests.unit.plugins.modules.run_module import ModuleResult, run_module
from system.files import lab as file_lab
from system.files.lab import Account


def fake_key(word: str) -> str:
    """32 hex digits that are not a real key."""
    return hashlib.sha256(f"made up: {word}".encode()).hexdigest()[:32]


HOST, VENDOR = "repo.magento.com", "repo.vendor.example"
CLASSIC, XDG = ".composer", ".config/composer"
PUBLIC, PRIVATE = fake_key("public"), fake_key("private")
OTHER, OLD = fake_key("other public"), fake_key("old private")
PAIR = {"public_key": PUBLIC, "private_key": PRIVATE}
SECRETS = (PRIVATE, OLD)


def auth(user: str = OTHER, secret: str = OLD, host: str = HOST) -> str:
    """An auth.json with one entry."""
    return json.dumps({"http-basic": {host: {"username": user, "password": secret}}}, indent=4) + "\n"


def put(account: Account, name: str, content: str | None = None, mode: int = 0o600) -> Path:
    """A file (with content) or directory in the home of an account, which owns it and all new parent directories."""
    path = account.home / name
    for directory in reversed([*path.relative_to(account.home).parents][:-1]):
        if not (account.home / directory).exists():
            file_lab.give(account.home / directory, account, 0o755)
    return file_lab.give(path, account, 0o755 if content is None else mode, content)


def _without_secrets(answer: ModuleResult) -> ModuleResult:
    for secret in SECRETS:
        assert secret not in answer.text, answer.text
    return answer


def install(options: Mapping[str, Any], *, check_mode: bool = False) -> ModuleResult:
    """magento_auth_key as root, by default without verification."""
    return _without_secrets(run_module(magento_auth_key.main, {"verify": "never", **options}, check_mode=check_mode))


def info(options: Mapping[str, Any]) -> ModuleResult:
    """magento_auth_key_info as root."""
    return _without_secrets(run_module(magento_auth_key_info.main, dict(options)))


def as_account(account: Account, run: Callable[[], ModuleResult], environ: Mapping[str, str]) -> ModuleResult:
    """Calls ``run`` in a child process of this account, with only this environment."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            os.initgroups(account.name, account.gid)
            os.setgid(account.gid)
            os.setuid(account.uid)
            os.environ.clear()
            os.environ.update(environ)
            answer = run()
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(json.dumps([answer.result, answer.text, answer.status]).encode())
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, f"the child process of {account.name} failed without a result"
    return ModuleResult(*json.loads(text))


def install_under(prefix: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """magento_auth_key in a separate process behind a command such as ``unshare``."""
    module = "ansible_collections.keyfleet.magento.plugins.modules.magento_auth_key"
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"verify": "never", **options}})
    path = os.pathsep.join([file_lab.IMPORTS, *filter(None, sys.path)])
    run = subprocess.run(
        [*prefix, sys.executable, "-m", module],
        input=arguments, text=True, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def composer(account: Account, *words: str, environ: Mapping[str, str], prefix: Sequence[str] = ()) -> tuple[str, str]:
    """Output and log of the real Composer as this account, with its HOME and only this environment."""
    variables = {"HOME": str(account.home), "PATH": "/usr/local/bin:/usr/bin:/bin", **environ}
    command = [*prefix, "setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--init-groups", "env", "-i"]
    command += [f"{name}={value}" for name, value in variables.items()]
    command += ["composer", "--no-ansi", "--no-interaction", *words]
    run = subprocess.run(command, text=True, capture_output=True, cwd=account.home, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


def state_of(path: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a directory, with all attributes that a write could have changed."""
    found = {}
    for one in sorted(path.rglob("*")):
        info = one.lstat()
        content = one.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(one)] = (content, info.st_mode, info.st_uid, info.st_gid, info.st_ino, info.st_mtime_ns)
    return found


def essence(answer: ModuleResult) -> dict[str, Any]:
    """The fields that must be equal in check mode and in the real run."""
    return {name: answer.result[name] for name in ("changed", "files", "diff", "problems", "verdicts")}


def converges(options: Mapping[str, Any], where: Path) -> ModuleResult:
    """Check mode and run, twice: the first two agree, the last two change nothing."""
    before = state_of(where)
    predicted = install(options, check_mode=True)
    assert state_of(where) == before, predicted.result
    real = install(options)
    assert not real.code, real.result
    assert essence(predicted) == essence(real)
    after = state_of(where)
    for check_mode in (True, False):
        again = install(options, check_mode=check_mode)
        assert not again.code and again.result["changed"] is False, again.result
        assert state_of(where) == after, again.result
        assert {row["action"] for row in again.result["files"]} == {"unchanged"}, again.result
        assert again.warnings() == [], again.result
    return real
