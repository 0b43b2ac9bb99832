# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mutants of the YAML of the rotation and the roles: their list, the selection to run, and a test with a mutant."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from place import ROOT
from system.rotation.mutants.edits import Mutant, mutants_of
from system.seed import seed

ROTATION = Path(__file__).parent.parent
TABLE = Path(__file__).with_name("mutants.yml")
_GLOBS = (
    "playbooks/*.yml",
    "playbooks/plays/*.yml",
    "roles/magento_key_rotation/tasks/*.yml",
    "roles/magento_key_rotation/vars/*.yml",
    "roles/magento_auth/tasks/main.yml",
    "roles/magento_auth/tasks/keys.yml",
    "roles/magento_auth/tasks/confirm.yml",
    "roles/magento_auth/vars/*.yml",
)
# The number of commits to compare with, if HEAD is the tip of the main branch.
_COMMITS = 5
_MOST_CHANGED, _SAMPLE = 20, 8


def files() -> list[str]:
    """The files that are edited, from the root of the collection."""
    found = [path for pattern in _GLOBS for path in sorted(ROOT.glob(pattern))]
    return [str(path.relative_to(ROOT)) for path in found]


def mutants() -> dict[str, Mutant]:
    """All mutants, by ID."""
    found = [mutant for file in files() for mutant in mutants_of(file, (ROOT / file).read_text())]
    by_id = {mutant.id: mutant for mutant in found}
    assert len(by_id) == len(found), "two mutants have the same ID"
    return by_id


def table() -> tuple[dict[str, str], dict[str, str]]:
    """The test that fails, by ID of the mutant; and, for equivalent mutants, the reason why no test fails."""
    content = yaml.safe_load(TABLE.read_text())
    return _flat(content["noticed"]), _flat(content["equivalent"])


def _flat(rows: dict[str, dict[str, dict[str, list[str]]]]) -> dict[str, str]:
    ids = [
        (f"{file}#{node}#{edit}", title)
        for title, by_file in rows.items()
        for file, by_node in by_file.items()
        for node, edits in by_node.items()
        for edit in edits
    ]
    assert len(dict(ids)) == len(ids), "a mutant is in the table twice"
    return dict(ids)


def copy(directory: Path, texts: dict[str, str]) -> Path:
    """A collections path with a copy of this tree in which the files ``texts`` are replaced."""
    collection = directory / "ansible_collections" / "keyfleet" / "magento"
    collection.mkdir(parents=True)
    for name in ("plugins", "meta", "galaxy.yml"):
        (collection / name).symlink_to(ROOT / name)
    for name in ("roles", "playbooks"):
        shutil.copytree(ROOT / name, collection / name)
    for name, text in texts.items():
        (collection / name).write_text(text)
    return directory


def run_tests(collections: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests of the rotation against the collection below ``collections``."""
    own = ["--basetemp", str(collections / "tests"), "-o", f"cache_dir={collections / 'cache'}"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", *own]
    return subprocess.run(
        [*command, *tests],
        cwd=ROTATION,
        env={**os.environ, "KEYFLEET_COLLECTIONS": str(collections)},
        text=True,
        capture_output=True,
        check=False,
    )


def _git(*words: str) -> str | None:
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", *words], cwd=ROOT, text=True, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def _base(head: str | None) -> str | None:
    """The commit to compare with, or None in a clone without history."""
    fork = _git("merge-base", "HEAD", "origin/main")
    return fork if fork and fork != head else _git("rev-parse", "--verify", "-q", f"HEAD~{_COMMITS}")


def _changed(known: dict[str, Mutant], base: str) -> Iterator[str]:
    """The mutants of tasks, plays and variables that were changed since the commit ``base``."""
    for file in files():
        before = _git("show", f"{base.strip()}:{file}") or "[]"
        contexts = {mutant.id: mutant.context for mutant in mutants_of(file, before)}
        yield from (m.id for m in known.values() if m.file == file and contexts.get(m.id) != m.context)


def chosen(noticed: Iterable[str]) -> list[str]:
    """The part of ``noticed`` to run: all with MUTANTS=all; otherwise those that were changed, or a random sample."""
    ids = sorted(noticed)
    if os.environ.get("MUTANTS") == "all":
        return ids
    base = _base(_git("rev-parse", "HEAD"))
    changed = sorted(set(ids) & set(_changed(mutants(), base))) if base else []
    candidates, most = (changed, _MOST_CHANGED) if changed else (ids, _SAMPLE)
    return sorted(random.Random(seed()).sample(candidates, min(most, len(candidates))))
