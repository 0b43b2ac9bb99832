# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the test suites and prints a summary: `python tests/suites.py [--list] [NAME ...]`. Suites that are marked as on
request run only if they are named.

A suite that cannot run on this machine is skipped with the reason; with KEYFLEET_REQUIRE_ALL=1 that is a failure. With
KEYFLEET_SIDE_BY_SIDE=1, two suites run at a time, the longest first.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import runner
from environments import COMPILED
from place import CORES, CURLS, ROOT, WORK, Core, Workspace, find_python, linked_collections
from runner import Need, Suite, docker, programs, python, root

TOOLS = Path(sys.executable).parent
COVERAGE = WORK / "coverage"
MARK = re.compile(r"mark\.needs\(([^)]*)\)")
NEWEST = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_CORE, *LATER_CORES, _newest = CORES
OWN_CORE = [core for core in CORES if NEWEST in core.controllers][-1]
"""That of the environment of the suites."""
OLDEST = (python(*OLDEST_CORE.controllers), python(OLDEST_CORE.oldest_host))
SYSTEM = ROOT / "tests" / "system"
SIMULATOR = ROOT / "tests" / "simulator" / "tests"
EXAMPLES = SYSTEM / "examples"
"""They use their own container, so they may run at the same time as suites with `machine`."""
ROTATION = SYSTEM / "rotation"
CHAOS = ROTATION / "chaos"
TARGETS = SYSTEM / "targets"
ROTATION_SMOKE = (
    f"{ROTATION}/test_playbooks.py::test_one_command_rotates_the_fleet_and_the_next_one_changes_nothing",
    f"{ROTATION}/test_revoke.py::test_the_key_is_replaced_where_variables_name_the_series_and_removed_elsewhere",
)
MUTANTS = tuple(ROTATION / folder / "test_mutants.py" for folder in ("mutants", "chaos"))
CURL = programs("curl")
CONTROLLER_UNITS = tuple(f"tests/unit/plugins/{name}/" for name in ("action", "filter", "lookup", "plugin_utils"))
SMOKE = (
    "magento_auth_key_info",
    "magento_download_token",
    "magento_marketplace_key",
    "magento_release",
    "playbook_provision",
)
"""Targets that together run every module for accounts and hosts, and its action plugin."""
OLDEST_UNITS = ("tests/unit/plugins/modules", "tests/unit/plugins/module_utils")
"""Unit tests of what runs on hosts."""
SSH_KEYGEN = programs("ssh-keygen")
"""ansible-test creates an SSH key pair even if no target needs it."""


def marked() -> str | None:
    """The missing programs that the marks of the system tests name, or None."""
    paths = [path for tests in (SYSTEM, SIMULATOR) for path in tests.rglob("*.py")]
    marks = [mark for path in paths for mark in MARK.findall(path.read_text())]
    names = {name for mark in marks for name in re.findall(r'"([^"]+)"', mark)}
    needs = [root] if "root" in names else []
    return runner.missing([*needs, programs(*sorted(names - {"root", "docker"}))]) or None


def given_composers() -> str | None:
    return None if os.environ.get("KEYFLEET_COMPOSERS") else "KEYFLEET_COMPOSERS is not set"


def mypy(workspace: Workspace) -> None:
    # 3.10 is the oldest version that mypy supports; the suites that run on 3.7 find its incompatibilities.
    plugins = Path("ansible_collections/keyfleet/magento/plugins")
    config = ROOT / "pyproject.toml"
    workspace.run("mypy", "--config-file", config, "--python-version", "3.10", plugins, cwd=linked_collections())
    # The unit tests run under ansible-test and are not checked.
    own = {path for path in (ROOT / "tests").glob("*") if any(path.glob("*.py"))} - {ROOT / "tests" / "unit"}
    scripts = (ROOT / "tests").glob("*.py")
    workspace.run(
        "mypy",
        *sorted(scripts),
        *sorted(own),
        env={"MYPYPATH": f"{ROOT}/tests:{linked_collections()}"},
    )


def imports(workspace: Workspace) -> None:
    config = ROOT / "pyproject.toml"
    workspace.run("lint-imports", "--no-logo", "--no-cache", config, cwd=linked_collections())


def ansible_lint(workspace: Workspace) -> None:
    # ansible-test, if it ran before, has left files there.
    shutil.rmtree(workspace.collection / "tests" / "output", ignore_errors=True)
    # As in a fresh clone, ansible-lint must install the collection itself, which it does only without these variables.
    without = ("-u", "ANSIBLE_COLLECTIONS_PATH", "-u", "ANSIBLE_HOME")
    workspace.run(
        "env", *without, "ansible-lint", cwd=workspace.collection, env={"ANSIBLE_LINT_SKIP_SCHEMA_UPDATE": "1"}
    )


def docs(workspace: Workspace) -> None:
    references = ("--validate-collection-refs", "dependent", "--disallow-unknown-collection-refs")
    workspace.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", *references, ".", cwd=workspace.collection)


def changelog(workspace: Workspace) -> None:
    workspace.run("antsibull-changelog", "lint", cwd=workspace.collection)


def sanity(workspace: Workspace) -> None:
    workspace.use_bundled_pip(TOOLS)
    workspace.run("ansible-test", "sanity", "--color", "no", cwd=workspace.collection)


def sanity_of_core(workspace: Workspace, core: Core = OLDEST_CORE) -> None:
    tools = controller(workspace, core)
    workspace.use_bundled_pip(tools)
    checks = ["--test", "compile", "--test", "import", "--test", "validate-modules"]
    workspace.run("ansible-test", "sanity", "--color", "no", *checks, cwd=workspace.collection, first=tools)


def units(workspace: Workspace) -> None:
    workspace.run("pytest", "-n2", "tests/unit")
    # A part is enough to see that they run under ansible-test, too, which needs three times the time for all of them.
    few = "tests/unit/plugins/filter/"
    workspace.run("ansible-test", "units", "--color", "no", "--python", NEWEST, few, cwd=workspace.collection)


def units_oldest(workspace: Workspace) -> None:
    oldest = controller(workspace)
    target = workspace.environment("target-3.7", str(find_python("3.7")))
    # What ansible-test gives to tests of modules and module_utils: of ansible-core, the part that runs on hosts.
    library = workspace.scratch / "host"
    (library / "ansible").mkdir(parents=True)
    (library / "ansible" / "__init__.py").touch()
    (core,) = oldest.parent.glob("lib/python3.*/site-packages/ansible/module_utils")
    (library / "ansible" / "module_utils").symlink_to(core)
    # Without the options of pyproject.toml, whose plugin needs a newer Python.
    plain = (
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "--import-mode=importlib",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
    )
    env = {"PYTHONPATH": f"{library}:{linked_collections()}"}
    workspace.run(target / "pytest", "-n2", *plain, *OLDEST_UNITS, env=env)
    # ansible-test starts a process for each test. A part is enough, as in the suite `units`. It looks for python3.7 and
    # for the pytest next to it.
    env = {"PATH": f"{oldest}:{target}:{workspace.env['PATH']}"}
    few = "tests/unit/plugins/modules/test_magento_release.py"
    workspace.run("ansible-test", "units", "--color", "no", "--python", "3.7", few, cwd=workspace.collection, env=env)


def controller(workspace: Workspace, core: Core = OLDEST_CORE) -> Path:
    """The directory with the programs of a version of ansible-core."""
    return workspace.environment(core.name, str(find_python(*core.controllers)))


def later_core(core: Core) -> Suite:
    """A suite of what depends on the version of ansible-core: sanity, code of the controller, modules on hosts."""

    def run(workspace: Workspace) -> None:
        tools = controller(workspace, core)
        sanity_of_core(workspace, core)
        words = ("--color", "no", "--python", core.controllers[0], *CONTROLLER_UNITS)
        workspace.run("ansible-test", "units", *words, cwd=workspace.collection, first=tools)
        run_tests(workspace, TARGETS, *ROTATION_SMOKE, tools=tools)

    description = f"sanity, code of the controller, hosts and a rotation with ansible-core {core.version}"
    return Suite(core.name, description, run, hosts_of(core), (marked,), machine=True, on_request=True)


def hosts_of(*cores: Core) -> tuple[Need, ...]:
    return root, *(python(version) for core in cores for version in core.hosts)


def targets(workspace: Workspace) -> None:
    run_tests(workspace, TARGETS, *ROTATION_SMOKE, tools=controller(workspace))
    run_tests(workspace, TARGETS)


def system(workspace: Workspace) -> None:
    others = (f"--ignore={EXAMPLES}", f"--ignore={ROTATION}", f"--ignore={TARGETS}")
    run_tests(workspace, "-n2", "--dist=loadgroup", SYSTEM, SIMULATOR, *others)


def rotation(workspace: Workspace) -> None:
    # The tests mostly wait for playbooks.
    run_tests(
        workspace, "-n2", "--dist=worksteal", ROTATION, f"--ignore={CHAOS}", *(f"--ignore={tests}" for tests in MUTANTS)
    )


def chaos(workspace: Workspace) -> None:
    run_tests(workspace, CHAOS, *(f"--ignore={tests}" for tests in MUTANTS))


def mutants(workspace: Workspace) -> None:
    run_tests(workspace, *MUTANTS)


def examples(workspace: Workspace) -> None:
    run_tests(workspace, EXAMPLES)


def curls(workspace: Workspace) -> None:
    for release, version in CURLS.items():
        programs = workspace.curl(release)
        workspace.run("sh", "-c", f"curl --version | grep -F 'curl {version}.'", first=programs)
        tests = (SYSTEM / "token", SYSTEM / "leaks" / "test_downloads.py")
        run_tests(workspace, "-n2", "--dist=loadgroup", *tests, first=programs)


def composers(workspace: Workspace) -> None:
    for program in os.environ["KEYFLEET_COMPOSERS"].split(os.pathsep):
        workspace.run(program, "--version")
        run_tests(workspace, SYSTEM / "auth_key" / "test_composer_differential.py", first=Path(program).parent)


def run_tests(workspace: Workspace, *words: str | Path, tools: Path = TOOLS, first: Path | None = None) -> None:
    env = {"PYTHONPATH": f"{COMPILED}:{linked_collections()}", "KEYFLEET_CONTROLLER": str(tools)}
    workspace.run("pytest", *words, env=env, first=first)


def integration(workspace: Workspace) -> None:
    integrate(workspace, "--exclude", "needs/root/")


def integration_oldest(workspace: Workspace) -> None:
    # What depends on the version of ansible-core: how it loads plugins and passes options and results.
    integrate(workspace, *SMOKE, first=controller(workspace))


def integration_root(workspace: Workspace) -> None:
    integrate(workspace, "needs/root/")


def integrate(workspace: Workspace, *targets: str, first: Path | None = None) -> None:
    workspace.run(sys.executable, ROOT / "tests" / "integrate.py", workspace.collection, *targets, first=first)


def demo(workspace: Workspace) -> None:
    workspace.run("python", "tests/demo")


def molecule(workspace: Workspace) -> None:
    tools = workspace.environment("molecule", sys.executable)
    env = {"ANSIBLE_COLLECTIONS_PATH": str(workspace.tree), **built_images()}
    workspace.run("molecule", "test", "--all", cwd=workspace.collection, first=tools, env=env)


def built_images() -> dict[str, str]:
    """The images of tests/images/build that the engine has, as variables; all other images are pulled."""
    names = {}
    for release in ("bookworm", "trixie"):
        variable = f"MOLECULE_IMAGE_{release.upper()}"
        done = subprocess.run([ROOT / "tests" / "images" / "build", "--name", release], check=True, capture_output=True)
        name = done.stdout.decode().strip()
        exists = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0
        if exists and variable not in os.environ:
            names[variable] = name
    return names


def build(workspace: Workspace) -> None:
    """Builds the collection, and installs it and shows its documentation with the oldest and the newest ansible-core,
    without a Galaxy server."""
    dist = workspace.scratch / "dist"
    workspace.run("ansible-galaxy", "collection", "build", "--output-path", dist, cwd=workspace.collection)
    tarball = next(dist.glob("*.tar.gz"))
    for tools in (TOOLS, controller(workspace)):
        path = workspace.scratch / f"installed-{tools.parent.name}"
        env = {"ANSIBLE_COLLECTIONS_PATH": str(path)}
        workspace.run("ansible-galaxy", "collection", "install", "--offline", "-p", path, tarball, env=env, first=tools)
        installed = path / "ansible_collections" / "keyfleet" / "magento"
        for folder in sorted((installed / "plugins").iterdir()):
            # The filters of one Python file are documented in one YAML file each.
            documented = folder.glob("*.yml") if folder.name == "filter" else folder.glob("*.py")
            names = [f"keyfleet.magento.{plugin.stem}" for plugin in sorted(documented)]
            if folder.name not in ("action", "doc_fragments", "module_utils", "plugin_utils") and names:
                kind = "module" if folder.name == "modules" else folder.name
                workspace.run("ansible-doc", "--json", "-t", kind, *names, env=env, first=tools, quiet=True)
        roles = [f"keyfleet.magento.{role.name}" for role in sorted((installed / "roles").glob("*"))]
        if roles:
            workspace.run("ansible-doc", "-t", "role", *roles, env=env, first=tools, quiet=True)


SUITES = (
    Suite("ruff", "lint of every Python file", lambda workspace: workspace.run("ruff", "check", ".")),
    Suite("format", "format of every Python file", lambda workspace: workspace.run("ruff", "format", "--check", ".")),
    Suite("mypy", "strict types", mypy),
    Suite("imports", "allowed imports between packages", imports),
    Suite("ansible-lint", "profile production", ansible_lint),
    Suite("docs", "documentation of modules, plugins and roles, and its references", docs),
    Suite("changelog", "changelog fragments", changelog),
    Suite("sanity", "ansible-test sanity of the newest ansible-core, nothing ignored", sanity),
    Suite("sanity-2.17", "the sanity tests of ansible-core 2.17 that concern Python 3.7", sanity_of_core, OLDEST),
    Suite("units", f"unit tests on Python {NEWEST}, a part of them also under ansible-test", units, wants=(root, CURL)),
    Suite("units-3.7", "unit tests of modules, on 3.7 with ansible-core 2.17", units_oldest, OLDEST, (root, CURL)),
    Suite("build", "build, install and document the collection", build, OLDEST[:1]),
    Suite("system", "real files, users, system calls, Composer and HTTPS", system, wants=(marked,), machine=True),
    Suite("rotation", "rotations with real playbooks", rotation, wants=(marked,), machine=True),
    Suite("targets", "hosts with old and new Pythons, a rotation with ansible-core 2.17", targets,
          hosts_of(OLDEST_CORE, OWN_CORE), (marked,), machine=True),
    Suite("chaos", "rotations with real kills", chaos, wants=(marked,), machine=True),
    Suite("examples", "every example of README and docs", examples, wants=(marked,)),
    Suite("integration", "integration targets against the simulator", integration, (SSH_KEYGEN,), (CURL,)),
    Suite("integration-2.17", "a part with ansible-core 2.17", integration_oldest, (OLDEST[0], SSH_KEYGEN), (CURL,)),
    Suite("integration-root", "targets that create accounts", integration_root, (root, SSH_KEYGEN), machine=True),
    Suite("demo", "the demo, with all of its checks", demo, wants=(CURL,), machine=True),
    Suite("molecule", "containers: composer create-project, and a rotation while Composer runs", molecule, (docker,)),
    *map(later_core, LATER_CORES),
    Suite("curl", "downloads with the curl of Debian 11, 12 and 13", curls, (root, programs("mmdebstrap")), (marked,),
          machine=True, on_request=True),
    Suite("composers", "auth.json with the Composers KEYFLEET_COMPOSERS (PROGRAM:PROGRAM), 2.3 or newer", composers,
          (given_composers,), (marked,), on_request=True),
    Suite("mutants", "wrong edits that tests notice", mutants, wants=(marked,), machine=True, on_request=True),
)  # fmt: skip
LONGEST = (
    "rotation",
    "system",
    "chaos",
    "molecule",
    "integration",
    "examples",
    "sanity",
    "integration-2.17",
    "units",
    "ansible-lint",
)
"""Side by side, these run first, so that both processors are busy until the end."""


def start_coverage() -> None:
    """Makes the Pythons of the test environment, as controllers and as hosts, measure which lines run."""
    shutil.rmtree(COVERAGE, ignore_errors=True)
    COVERAGE.mkdir(parents=True)
    # Tests run programs as other users, too.
    COVERAGE.chmod(0o1777)
    settings = str(ROOT / "tests" / "coverage.ini")
    os.environ |= {
        "COVERAGE_PROCESS_START": settings,
        "COVERAGE_RCFILE": settings,
        "COVERAGE_FILE": str(COVERAGE / "data"),
        "KEYFLEET_ROOT": str(ROOT),
    }


def report_coverage() -> int:
    del os.environ["COVERAGE_PROCESS_START"]
    commands = (("combine", "--quiet"), ("report",))
    return max(subprocess.run([TOOLS / "coverage", *words], cwd=ROOT, check=False).returncode for words in commands)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the suites, and why they cannot run here")
    parser.add_argument("--coverage", action="store_true", help="print how much of each plugin file the suites run")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    known = [suite.name for suite in SUITES]
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"unknown suites: {', '.join(unknown)}; the suites are {', '.join(known)}")
    named = [suite for suite in SUITES if suite.name in arguments.names]
    chosen = named or [suite for suite in SUITES if not suite.on_request]
    if arguments.list:
        for suite in named or SUITES:
            lacks = runner.lacks(suite)
            request = ", on request" if suite.on_request else ""
            print(f"{suite.name:<16} {suite.description}{request}{f'  [{lacks}]' if lacks else ''}")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Shells ignore it in the background, and with it all programs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    require_all = runner.must_run_all()
    if incomplete := [f"{suite.name:<16} {lacks}" for suite in chosen if (lacks := runner.lacks(suite))]:
        print("Skipped or incomplete on this machine:", *incomplete, sep="\n", flush=True)
    if arguments.coverage:
        start_coverage()
    if os.environ.get("KEYFLEET_SIDE_BY_SIDE") == "1":
        outcomes = runner.run_side_by_side(chosen, first=LONGEST, require_all=require_all)
    else:
        workspace = Workspace()
        try:
            outcomes = runner.run(chosen, workspace, require_all=require_all)
        finally:
            workspace.close()
    unreported = report_coverage() if arguments.coverage else 0
    print(f"\n{runner.summary(outcomes)}", flush=True)
    return int(any(outcome.result == "failed" for outcome in outcomes)) or unreported


if __name__ == "__main__":
    sys.exit(main())
