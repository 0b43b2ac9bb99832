# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the test suites and counts them: `python tests/suites.py [--list] [NAME ...]`.

A suite whose needs this machine does not meet is skipped by name with the reason; with KEYFLEET_REQUIRE_ALL=1 that is
a failure. With KEYFLEET_SIDE_BY_SIDE=1 two of them run at a time.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import runner
from place import ROOT, Place, find_python, linked_collections
from runner import Suite, docker, programs, python, root

TOOLS = Path(sys.executable).parent
MARK = re.compile(r"mark\.needs\(([^)]*)\)")
NEWEST = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_CORE_PYTHONS = ("3.12", "3.11", "3.10")
"""Pythons that can run ansible-core 2.17 as a controller."""
OLDEST = (python(*OLDEST_CORE_PYTHONS), python("3.7"))
EXAMPLES = sorted((ROOT / "tests" / "system").glob("test_examples*.py"))
"""Their tests bring a machine of their own, so they may run beside those of this one."""
CHAOS = [ROOT / "tests" / "system" / f"test_rotation_{name}.py" for name in ("chaos", "mutants")]
ROTATION = sorted({*(ROOT / "tests" / "system").glob("test_rotation_*.py")} - {*CHAOS})
CURL = programs("curl")
SSH_KEYGEN = programs("ssh-keygen")
"""ansible-test makes a key pair before it looks whether a target needs one."""


def marked() -> str | None:
    """What the marks of the system tests name and this machine lacks."""
    marks = [mark for path in (ROOT / "tests" / "system").glob("test_*.py") for mark in MARK.findall(path.read_text())]
    names = {name for mark in marks for name in re.findall(r'"([^"]+)"', mark)}
    needs = [root] if "root" in names else []
    return runner.missing([*needs, programs(*sorted(names - {"root", "docker"}))]) or None


def mypy(place: Place) -> None:
    # 3.10 is the oldest language that mypy knows; what 3.7 lacks is found by the suites that run on it.
    plugins = Path("ansible_collections/keyfleet/magento/plugins")
    config = ROOT / "pyproject.toml"
    place.run("mypy", "--config-file", config, "--python-version", "3.10", plugins, cwd=linked_collections())
    # What ansible-test runs is left to it.
    own = {path for path in (ROOT / "tests").glob("*") if any(path.glob("*.py"))} - {ROOT / "tests" / "unit"}
    scripts = (ROOT / "tests").glob("*.py")
    place.run(
        "mypy",
        *sorted(scripts),
        *sorted(own),
        env={"MYPYPATH": f"{ROOT}/tests:{ROOT}/tests/system:{linked_collections()}"},
    )


def imports(place: Place) -> None:
    config = ROOT / "pyproject.toml"
    place.run("lint-imports", "--no-logo", "--no-cache", config, cwd=linked_collections())


def ansible_lint(place: Place) -> None:
    # As in a fresh clone: it installs the collection by itself, and only where nothing says where collections are.
    without = ("-u", "ANSIBLE_COLLECTIONS_PATH", "-u", "ANSIBLE_HOME")
    place.run("env", *without, "ansible-lint", cwd=place.collection, env={"ANSIBLE_LINT_SKIP_SCHEMA_UPDATE": "1"})


def docs(place: Place) -> None:
    references = ("--validate-collection-refs", "dependent", "--disallow-unknown-collection-refs")
    place.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", *references, ".", cwd=place.collection)


def changelog(place: Place) -> None:
    place.run("antsibull-changelog", "lint", cwd=place.collection)


def sanity(place: Place) -> None:
    place.offer_pip(TOOLS)
    place.run("ansible-test", "sanity", "--color", "no", cwd=place.collection)


def sanity_oldest(place: Place) -> None:
    oldest = oldest_core(place)
    place.offer_pip(oldest)
    checks = ["--test", "compile", "--test", "import", "--test", "validate-modules"]
    place.run("ansible-test", "sanity", "--color", "no", *checks, cwd=place.collection, first=oldest)


def units(place: Place) -> None:
    place.run("ansible-test", "units", "--color", "no", "--python", NEWEST, cwd=place.collection)


def units_oldest(place: Place) -> None:
    target = place.environment("target-3.7", str(find_python("3.7")))
    # ansible-test looks for python3.7 and for the pytest beside it.
    env = {"PATH": f"{oldest_core(place)}:{target}:{place.env['PATH']}"}
    place.run("ansible-test", "units", "--color", "no", "--python", "3.7", cwd=place.collection, env=env)


def oldest_core(place: Place) -> Path:
    return place.environment("core-2.17", str(find_python(*OLDEST_CORE_PYTHONS)))


def system(place: Place) -> None:
    run_tests(place, "tests/system", *(f"--ignore={file}" for file in (*EXAMPLES, *ROTATION, *CHAOS)))


def rotation(place: Place) -> None:
    # Each test waits for playbooks most of the time.
    run_tests(place, "-n2", *ROTATION)


def chaos(place: Place) -> None:
    run_tests(place, *CHAOS)


def examples(place: Place) -> None:
    run_tests(place, *EXAMPLES)


def run_tests(place: Place, *words: str | Path) -> None:
    place.run("pytest", *words, env={"PYTHONPATH": str(linked_collections())})


def integration(place: Place) -> None:
    integrate(place, "--exclude", "needs/root/")


def integration_oldest(place: Place) -> None:
    integrate(place, "--exclude", "needs/root/", first=oldest_core(place))


def integration_root(place: Place) -> None:
    integrate(place, "needs/root/")


def integrate(place: Place, *targets: str, first: Path | None = None) -> None:
    place.run(sys.executable, ROOT / "tests" / "integrate.py", place.collection, *targets, first=first)


def demo(place: Place) -> None:
    place.run("python", "tests/demo")


def molecule(place: Place) -> None:
    tools = place.environment("molecule", sys.executable)
    env = {"ANSIBLE_COLLECTIONS_PATH": str(place.tree), **built_images()}
    place.run("molecule", "test", "--all", cwd=place.collection, first=tools, env=env)


def built_images() -> dict[str, str]:
    """The images of tests/images/build that the engine has; what neither this nor the caller names is pulled."""
    names = {}
    for release in ("bookworm", "trixie"):
        variable = f"MOLECULE_IMAGE_{release.upper()}"
        told = subprocess.run([ROOT / "tests" / "images" / "build", "--name", release], check=True, capture_output=True)
        name = told.stdout.decode().strip()
        found = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0
        if found and variable not in os.environ:
            names[variable] = name
    return names


def build(place: Place) -> None:
    """The tarball installs and documents itself on the oldest and the newest ansible-core, without a Galaxy server."""
    dist = place.scratch / "dist"
    place.run("ansible-galaxy", "collection", "build", "--output-path", dist, cwd=place.collection)
    tarball = next(dist.glob("*.tar.gz"))
    for tools in (TOOLS, oldest_core(place)):
        path = place.scratch / f"installed-{tools.parent.name}"
        env = {"ANSIBLE_COLLECTIONS_PATH": str(path)}
        place.run("ansible-galaxy", "collection", "install", "--offline", "-p", path, tarball, env=env, first=tools)
        installed = path / "ansible_collections" / "keyfleet" / "magento"
        for folder in sorted((installed / "plugins").iterdir()):
            # A file of filters has one file of documentation for each.
            documented = folder.glob("*.yml") if folder.name == "filter" else folder.glob("*.py")
            names = [f"keyfleet.magento.{plugin.stem}" for plugin in sorted(documented)]
            if folder.name not in ("action", "doc_fragments", "module_utils", "plugin_utils") and names:
                kind = "module" if folder.name == "modules" else folder.name
                place.run("ansible-doc", "--json", "-t", kind, *names, env=env, first=tools, quiet=True)
        roles = [f"keyfleet.magento.{role.name}" for role in sorted((installed / "roles").glob("*"))]
        if roles:
            place.run("ansible-doc", "-t", "role", *roles, env=env, first=tools, quiet=True)


SUITES = (
    Suite("ruff", "lint of every Python file", lambda place: place.run("ruff", "check", ".")),
    Suite("format", "every Python file is formatted", lambda place: place.run("ruff", "format", "--check", ".")),
    Suite("mypy", "strict types", mypy),
    Suite("imports", "what may import what", imports),
    Suite("ansible-lint", "profile production", ansible_lint),
    Suite("docs", "documentation of modules, plugins and roles, with what it refers to", docs),
    Suite("changelog", "changelog fragments", changelog),
    Suite("sanity", "ansible-test sanity of the newest ansible-core, nothing ignored", sanity),
    Suite("sanity-2.17", "the same, as far as Python 3.7 matters, of ansible-core 2.17", sanity_oldest, OLDEST),
    Suite("units", f"ansible-test units on Python {NEWEST}", units, wants=(root, CURL)),
    Suite("units-3.7", "ansible-test units on Python 3.7 with ansible-core 2.17", units_oldest, OLDEST, (root, CURL)),
    Suite("build", "the built collection installs and documents itself", build, OLDEST[:1]),
    Suite("system", "real files, users, system calls, Composer and HTTPS", system, wants=(marked,), machine=True),
    Suite("rotation", "rotations by real playbooks", rotation, wants=(marked,), machine=True),
    Suite("chaos", "rotations with real kills, and without parts of their YAML", chaos, wants=(marked,), machine=True),
    Suite("examples", "every example of README and docs, as it stands there", examples, wants=(marked,)),
    Suite("integration", "integration targets against the simulator", integration, (SSH_KEYGEN,), (CURL,)),
    Suite("integration-2.17", "the same with ansible-core 2.17", integration_oldest, (OLDEST[0], SSH_KEYGEN), (CURL,)),
    Suite("integration-root", "targets with accounts of their own", integration_root, (root, SSH_KEYGEN), machine=True),
    Suite("demo", "the demonstration, each of its claims checked", demo, wants=(CURL,), machine=True),
    Suite("molecule", "containers: composer create-project, and a rotation while Composer runs", molecule, (docker,)),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the suites and what they lack here")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    known = [suite.name for suite in SUITES]
    if strangers := [name for name in arguments.names if name not in known]:
        parser.error(f"no suite {', '.join(strangers)}; there are {', '.join(known)}")
    chosen = [suite for suite in SUITES if not arguments.names or suite.name in arguments.names]
    if arguments.list:
        for suite in chosen:
            lacks = runner.lacks(suite)
            print(f"{suite.name:<16} {suite.says}{f'  [{lacks}]' if lacks else ''}")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    require_all = runner.must_run_all()
    if left_out := [f"{suite.name:<16} {lacks}" for suite in chosen if (lacks := runner.lacks(suite))]:
        print("What cannot run on this machine:", *left_out, sep="\n", flush=True)
    if os.environ.get("KEYFLEET_SIDE_BY_SIDE") == "1":
        outcomes = runner.run_side_by_side(chosen, require_all=require_all)
    else:
        place = Place()
        try:
            outcomes = runner.run(chosen, place, require_all=require_all)
        finally:
            place.close()
    print(f"\n{runner.summary(outcomes)}", flush=True)
    return int(any(outcome.result == "failed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
