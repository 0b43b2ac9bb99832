# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workspace of the suites: directories, environment, Pythons, and a copy of the collection for Ansible's tools."""

from __future__ import annotations

import collections
import contextlib
import functools
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

import environments

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"
REQUIREMENTS = ROOT / "tests" / "requirements"
PYTHONS = ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Core:
    """A version of ansible-core, with the Pythons of controllers that it supports, the one that tests prefer first, and
    the oldest one of hosts."""

    version: str
    controllers: tuple[str, ...]
    oldest_host: str

    @property
    def name(self) -> str:
        """The name of its suite, and of its requirements."""
        return f"core-{self.version}"

    @property
    def hosts(self) -> tuple[str, str]:
        """The Pythons of hosts that tests use."""
        return self.oldest_host, self.controllers[0]


CORES = (
    Core("2.17", ("3.12", "3.11", "3.10"), "3.7"),
    Core("2.18", ("3.13", "3.12", "3.11"), "3.8"),
    Core("2.19", ("3.13", "3.12", "3.11"), "3.8"),
    Core("2.20", ("3.13", "3.12", "3.14"), "3.9"),
    Core("2.21", ("3.13", "3.12", "3.14"), "3.9"),
)
CURLS = {"bullseye": "7.74", "bookworm": "7.88", "trixie": "8.14"}
"""The versions of curl that tests use, by release of Debian."""
LIMIT = 2400
"""Seconds after which a command is considered to hang."""
_making = threading.Lock()


@functools.cache
def find_python(*versions: str) -> str | None:
    """The path of the first of `versions` that this machine has, or None."""
    found = subprocess.run(
        ["sh", ROOT / "tests" / "find-python", *versions], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def point(link: Path, target: str | None) -> None:
    """Points `link` to `target`, or removes it; atomically, because another run of the suites may be using it."""
    if target is None:
        link.unlink(missing_ok=True)
    elif not link.is_symlink() or os.readlink(link) != target:
        # Two suites may run at the same time in threads of one process.
        fresh = link.with_name(f"{link.name}.{os.getpid()}.{threading.get_ident()}")
        fresh.symlink_to(target)
        fresh.replace(link)


def linked_collections() -> Path:
    """The collections path KEYFLEET_COLLECTIONS, or one on which `keyfleet.magento` is this source tree."""
    given = os.environ.get("KEYFLEET_COLLECTIONS")
    if given:
        return Path(given)
    link = WORK / "path" / "ansible_collections" / "keyfleet" / "magento"
    link.parent.mkdir(parents=True, exist_ok=True)
    point(link, os.path.relpath(ROOT, link.parent))
    return WORK / "path"


def controller() -> Path:
    """The directory KEYFLEET_CONTROLLER with the programs of ansible-core, or that of this Python."""
    return Path(os.environ.get("KEYFLEET_CONTROLLER") or Path(sys.executable).parent)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a command and all other processes of its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class OutputTail:
    """Passes on the output of a command and keeps its last lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: collections.deque[bytes] = collections.deque(maxlen=12)
        self._reader: threading.Thread | None = None

    def listen(self, process: subprocess.Popen[bytes]) -> None:
        self._reader = threading.Thread(target=self._pass_on, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _pass_on(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.append(line)
            with contextlib.suppress(OSError, ValueError):
                self._out.write(line.decode(errors="replace"))
                self._out.flush()

    def end(self) -> str:
        """The last lines. Does not wait for a background process of the command that keeps the pipe open."""
        if self._reader:
            self._reader.join(5)
        return b"".join(self._lines).decode(errors="replace")


class Workspace:
    """The workspace of one run. Files that are kept between runs are below .work and may be deleted at any time."""

    def __init__(self, home: str = "home") -> None:
        (WORK / "compiled").mkdir(parents=True, exist_ok=True)
        self._scratch = tempfile.TemporaryDirectory(prefix="run-", dir=WORK, ignore_cleanup_errors=True)
        self.scratch = Path(self._scratch.name)
        self.home = WORK / home
        self.buffer: io.StringIO | None = None
        """Collects the output if it is to be printed later."""
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def out(self) -> TextIO:
        """The stream to print to."""
        return sys.stdout if self.buffer is None else self.buffer

    def stop(self) -> None:
        """Ends the running command and prevents further ones."""
        self._stopped = True
        if self._running:
            end_group(self._running)

    def close(self) -> None:
        self._scratch.cleanup()

    @functools.cached_property
    def env(self) -> Mapping[str, str]:
        """The environment of every suite: a separate home, and on PATH our tools and the usable Pythons."""
        links = WORK / "pythons"
        for directory in (self.home / ".config", links):
            directory.mkdir(parents=True, exist_ok=True)
        real_home = Path.home()
        settings = self.home / ".config" / "pip"
        if (real_home / ".config" / "pip").is_dir():
            point(settings, str(real_home / ".config" / "pip"))
        for version in PYTHONS:
            # pyenv's shims of the same names may refuse to run, so these links come before them on PATH.
            point(links / f"python{version}", find_python(version))
        # With PYTHONUNBUFFERED, Python reads a script from a pipe byte by byte. Ansible passes modules in such scripts,
        # so that tasks would take one and a half times the processor time.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        return {
            # Defaults that the caller may override. Otherwise, the suites do not use the real home.
            "DOCKER_CONFIG": str(real_home / ".docker"),
            "PIP_CACHE_DIR": str(real_home / ".cache" / "pip"),
            "PYENV_ROOT": str(real_home / ".pyenv"),
            **inherited,
            **({} if sys.stdout.isatty() else {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}),
            "ANSIBLE_COLLECTIONS_PATH": str(linked_collections()),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "HOME": str(self.home),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(WORK / "hypothesis"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(links), os.environ["PATH"]]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(
        self,
        *command: str | Path,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        first: Path | None = None,
        quiet: bool = False,
    ) -> None:
        """Runs a command. `first` is a directory to prepend to PATH; `quiet` discards the standard output."""
        environment = {**self.env, **(env or {})}
        if first:
            environment["PATH"] = f"{first}{os.pathsep}{environment['PATH']}"
        print("$", *command, flush=True, file=self.out)
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        # A terminal gets colours; otherwise, the last lines are kept to repeat them in the summary.
        tail = None if quiet or self.out.isatty() else OutputTail(self.out)
        if self._stopped:
            raise RuntimeError("stopped")
        process = subprocess.Popen(
            [program, *command[1:]],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE if tail else None,
            stderr=subprocess.STDOUT if tail else None,
            start_new_session=True,
        )
        self._running = process
        if tail:
            tail.listen(process)
        try:
            status = process.wait(LIMIT)
        except BaseException as error:
            end_group(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise RuntimeError(f"{command[0]} was stopped after {LIMIT} s") from None
            raise
        end = tail.end() if tail else ""
        if status:
            raise subprocess.CalledProcessError(status, [str(word) for word in command], output=end)

    @functools.cached_property
    def tree(self) -> Path:
        """A collections path with a copy of the files in git, because ansible-test does not support a link and
        ansible-lint would read scratch files."""
        tree = self.scratch / "tree"
        collection = tree / "ansible_collections" / "keyfleet" / "magento"
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        for name in listed.stdout.split("\0"):
            source = ROOT / name
            if name and source.is_file():
                target = collection / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        # ansible-test gets the list of files from git.
        subprocess.run(["git", "init", "--quiet", "."], cwd=collection, check=True)
        subprocess.run(["git", "add", "--all"], cwd=collection, check=True)
        return tree

    @property
    def collection(self) -> Path:
        return self.tree / "ansible_collections" / "keyfleet" / "magento"

    def environment(self, name: str, python: str) -> Path:
        """The bin directory of the virtual environment that tests/requirements/NAME.txt describes."""
        directory = WORK / f"venv-{name}"
        with _making:
            environments.make(directory, python, REQUIREMENTS / f"{name}.txt")
        return directory / "bin"

    def curl(self, release: str) -> Path:
        """A directory with the curl of a release of Debian, which runs with the libraries of that release."""
        root = WORK / f"curl-{release}"
        programs = root / "programs"
        if not programs.exists():
            shutil.rmtree(root, ignore_errors=True)
            self.run("mmdebstrap", "--quiet", "--variant=extract", "--include=curl", release, root)
            (loader,) = {path.resolve() for path in root.glob("**/*-linux-gnu*/ld-linux-*.so.*")}
            libraries = ":".join(str(path) for path in root.glob("**/*-linux-gnu*") if path.is_dir())
            programs.mkdir()
            curl = programs / "curl"
            curl.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {root}/usr/bin/curl "$@"\n')
            curl.chmod(0o755)
        return programs

    def use_bundled_pip(self, programs: Path) -> None:
        """Makes ansible-test use the pip included in Python instead of downloading a script that installs pip."""
        source = next(programs.parent.glob("lib/python3*/site-packages/ansible_test/_internal/python_requirements.py"))
        versions = re.findall(r"pip='([0-9.]+)'", source.read_text())
        if not versions:
            raise RuntimeError(f"{source} does not contain a version of pip any more")
        cache = self.home / ".ansible" / "test" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        for version in versions:
            (cache / f"get_pip_{version.replace('.', '_')}.py").write_text("import ensurepip\nensurepip.bootstrap()\n")
