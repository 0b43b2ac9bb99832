# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are processes: each has a /home, a /srv and a user database of its own, and runs the real module code.

A host's /home is a small file system of its own, so that a full disk is a full disk.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.keyfleet.magento.plugins.module_utils import _credential_file
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.modules import magento_auth_key, magento_auth_key_info

REPOSITORY = "repo.magento.com"
UID = 64123
PASSWD = f"root:x:0:0:root:/home/root:/bin/sh\ndeploy:x:{UID}:{UID}:deploy:/home/deploy:/bin/sh\n"
CLASSIC, XDG = "home/deploy/.composer", "home/deploy/.config/composer"
SHOP, BACKUP = "srv/shop", "srv/backup/2025"
_NEW_NAMESPACE, _PRIVATE, _BIND = 0x00020000, 0x00044000, 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


def alone() -> None:
    """Mounts of this process and its children are seen by nobody else and end with them, as it ends with its parent."""
    end_with_parent()
    if _libc.unshare(_NEW_NAMESPACE):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("none", "/", "", _PRIVATE)


def end_with_parent() -> None:
    """SIGKILL when whoever made this process ends."""
    _libc.prctl(1, signal.SIGKILL)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def complete(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as Ansible hands them to a module: every one of the spec, with its default."""
    values = {name: given.get(name, option.get("default")) for name, option in spec.items()}
    for name, option in spec.items():
        if "options" in option and values[name] is not None:
            values[name] = [complete(option["options"], one) for one in values[name]]
    return values


def user_database(directory: Path) -> Path:
    """An /etc of their own: a file of it that is mounted alone goes away when somebody else replaces it (useradd)."""
    subprocess.run(["cp", "-a", "/etc", str(directory / "etc")], check=True)
    (directory / "etc" / "passwd").write_text(PASSWD)
    return directory / "etc"


class Host:
    """One host. ``root`` is its disk as the test sees it; ``call`` is what Ansible would do over a connection."""

    def __init__(self, root: Path, etc: Path) -> None:
        self.root = root
        for name in ("home", "srv"):
            (root / name).mkdir(parents=True)
        _mount("keyfleet-chaos", str(root / "home"), "tmpfs", 0, "size=64k,mode=0755")
        self.line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self.line, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.pid = os.fork()
        if self.pid == 0:
            self.line.close()
            _serve(root, etc, far)
        far.close()

    def stop(self) -> None:
        """End the process and give its disk back."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.line.close()

    def call(self, module: str, options: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
        """Run a module there and wait for its answer."""
        self.send(module, options, check_mode=check_mode)
        result: dict[str, Any] = json.loads(self.line.recv(1 << 20))
        return result

    def send(self, module: str, options: Mapping[str, Any], *, check_mode: bool = False) -> None:
        """Have a module run there; nobody need be left to hear its answer."""
        self.line.send(json.dumps([module, options, check_mode]).encode())

    def calm(self) -> None:
        """Until the host has nothing under way: a controller that was killed has left it alone with its work."""
        self.line.send(json.dumps(["ping", {}, False]).encode())
        while json.loads(self.line.recv(1 << 20)) != {"ping": True}:
            pass

    def clear(self) -> None:
        """An empty disk, with the home of `deploy`."""
        for place in (self.root / "home", self.root / "srv"):
            for path in place.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for name in ("home/deploy", "home/root", SHOP):
            self.directory(name)

    def directory(self, name: str) -> Path:
        path = self.root
        for part in name.split("/"):
            path = path / part
            if not path.exists():
                path.mkdir()
                if "/deploy" in str(path) or "/srv/" in str(path):
                    os.chown(path, UID, UID)
        return path

    def give(self, place: str, pair: tuple[str, str]) -> None:
        """An auth.json in a directory."""
        entry = {"username": pair[0], "password": pair[1]}
        path = self.directory(place) / "auth.json"
        path.write_text(json.dumps({"http-basic": {REPOSITORY: entry}}, indent=4) + "\n")
        os.chown(path, UID, UID)
        path.chmod(0o600)

    def fill(self) -> None:
        """Not a byte is left in /home."""
        with (self.root / "home" / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def unfill(self) -> None:
        (self.root / "home" / "filler").unlink(missing_ok=True)

    def pair(self, place: str) -> tuple[str, str] | None:
        """The pair in an auth.json, or None."""
        try:
            document = json.loads((self.root / place / "auth.json").read_bytes())
        except FileNotFoundError:
            return None
        entry = document.get("http-basic", {}).get(REPOSITORY)
        return (entry["username"], entry["password"]) if entry else None

    def used(self) -> dict[str, tuple[str, str]]:
        """The pair that a Composer of `deploy` takes, alone and in each project: the project's own beats the home's."""
        order = (XDG, CLASSIC) if os.path.isdir("/etc/xdg") else (CLASSIC,)
        home = next((place for place in order if (self.root / place).is_dir()), CLASSIC)
        views = {"": self.pair(home)}
        for project in (SHOP, BACKUP):
            if (self.root / project).is_dir():
                views[project] = self.pair(project) or views[""]
        return {view: pair for view, pair in views.items() if pair}

    def files(self) -> list[Any]:
        """All that a write could have changed."""
        found = sorted(self.root.rglob("auth.json"))
        return [(str(p), p.read_bytes(), p.stat().st_ino, p.stat().st_mtime_ns) for p in found]


def _serve(root: Path, etc: Path, line: socket.socket) -> None:
    """The host's end, in its own process."""
    try:
        alone()
        for source, target in ((root / "home", "/home"), (root / "srv", "/srv"), (etc, "/etc")):
            _mount(str(source), target, "", _BIND)
        os.chdir("/")
        # The quarter of a second in which a Composer might overwrite what was written: there is none here.
        defaults = _credential_file.apply.__kwdefaults__
        assert defaults is not None
        defaults["settle"] = 0.0
        while True:
            message = line.recv(1 << 20)
            if not message:
                break
            line.send(json.dumps(_answer(*json.loads(message))).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _answer(module: str, options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    if module == "ping":
        return {"ping": True}
    if module == "composer":
        return _composer(str(options["project"]))
    try:
        if module == "info":
            return magento_auth_key_info.run(complete(magento_auth_key_info.ARGUMENT_SPEC, options))
        return magento_auth_key.run(complete(magento_auth_key.ARGUMENT_SPEC, options), check_mode=check_mode)
    except KeyfleetError as error:
        return {**failure(error), "failed": True}


def _composer(project: str) -> dict[str, Any]:
    """What the real Composer of `deploy` takes in a project of this host."""
    # Without one it says that this is no project.
    Path(f"/{project}/composer.json").write_text("{}")
    command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i", "HOME=/home/deploy"]
    command += ["PATH=/usr/local/bin:/usr/bin:/bin", "composer", "--no-ansi", "--no-interaction", "config"]
    run = subprocess.run(
        [*command, f"http-basic.{REPOSITORY}", "--working-dir", f"/{project}"],
        text=True,
        capture_output=True,
        check=False,
    )
    return {"status": run.returncode, "output": run.stdout, "error": run.stderr}
