# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured. Every figure is seconds of user and system time unless its name or unit says otherwise."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.lab import PAIRS, PYTHON, REPOSITORY, Lab
from bench.measure import Bench, Cost, run

PING = [{"name": "Ping", "ansible.builtin.ping": {}}]
KEY = "keyfleet.magento.magento_auth_key"
FEW = 3
"""The most pairs of measurements that take minutes."""
PAIR = {"public_key": "{{ vault_public_key }}", "private_key": "{{ vault_private_key }}"}
WHERE = {"users": "{{ magento_auth_users | default(omit) }}", "projects": "{{ magento_auth_projects }}"}


def sent(lab: Lab, module: str, options: dict[str, Any], *, changed: int | None = 0) -> Path:
    """The file that Ansible sends to the host h0 for a module, which is run once."""
    remote = lab.directory / f"sent-{len(list(lab.directory.glob('sent-*')))}"
    kept = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TEMP": str(remote)}
    lab.play([{module: options}], hosts=1, changed=changed, **kept)
    (file,) = remote.glob("*/AnsiballZ_*.py")
    return file


def executed(lab: Lab, file: Path, *, changed: bool = False) -> tuple[Cost, dict[str, Any]]:
    """Runs such a file as on a host, and returns the result of the module, too."""
    cost = run([PYTHON, str(file)], env=lab.environment(), cwd=lab.directory)
    result = json.loads(cost.output)
    assert result.get("changed", False) is changed and not result.get("failed"), result
    return cost, result


def imported_lines(lab: Lab, file: Path) -> int:
    """The lines of the collection in the payload that its execution imports."""
    command = [PYTHON, "-X", "importtime", str(file)]
    done = subprocess.run(command, env=lab.environment(), capture_output=True, text=True, check=True)
    names = set(re.findall(r"\| +(ansible_collections\.[\w.]+)$", done.stderr, re.MULTILINE))
    (data,) = re.findall(r"[A-Za-z0-9+/]{2000,}={0,2}", file.read_text())
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(data))) as payload:
        module = f"plugins/modules/{file.stem.removeprefix('AnsiballZ_')}.py"
        return sum(
            len(payload.read(path).splitlines())
            for path in payload.namelist()
            if path.endswith(module)
            or path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") in names
        )  # fmt: skip


def module(bench: Bench) -> None:
    """The process of each module on one host, with the Python of the host, without a connection."""
    with contextlib.closing(Lab(bench, "module", 1)) as lab:
        lab.role(hosts=1, changed=1)
        options = {**PAIR, **WHERE, "verify": "never"}
        files_of = {"users": WHERE["users"]} if bench.accounts else {"paths": [str(lab.directory / "netrc")]}
        token = {"mage_id": "MAG000000000", "token": "decade0000" * 4, "verify": "never", **files_of}
        changing = []
        for _pair in range(2):
            lab.installed = 1 - lab.installed
            changing.append(sent(lab, KEY, options, changed=1))
        # The pair that is installed when the files of the other modules are kept stays that of "converged".
        files = {
            "ping": sent(lab, "ansible.builtin.ping", {}),
            "magento_auth_key, converged": sent(lab, KEY, options),
            "magento_auth_key_info": sent(lab, f"{KEY}_info", WHERE),
        }
        sent(lab, "keyfleet.magento.magento_download_token", token, changed=1)
        files["magento_download_token, converged"] = sent(lab, "keyfleet.magento.magento_download_token", token)

        def unchanged(file: Path) -> Cost:
            before = lab.stamps(1)
            cost, _result = executed(lab, file)
            lab.check(1, before)
            return cost

        def changed() -> Cost:
            """Installs the other pair, measured, and the first one again, not measured."""
            first = lab.installed
            costs = []
            for pair in (1 - first, first):
                lab.installed = pair
                costs.append(executed(lab, changing[1 if pair == first else 0], changed=True)[0])
                lab.check(1)
            return costs[0]

        works = {name: partial(unchanged, file) for name, file in files.items()}
        costs = bench.interleaved("module", {**works, "magento_auth_key, changing": changed})
        ping = [cost.cpu for cost in costs["ping"]]
        for name, measured in costs.items():
            if name != "ping":
                target = "<= 1.2" if name == "magento_auth_key, converged" else ""
                bench.ratio(f"module: {name} / ping", [cost.cpu for cost in measured], ping, target)
        for name, file in files.items():
            bench.add(f"module: {name}, size of the file sent", [file.stat().st_size], "bytes")
            if name != "ping":
                bench.add(f"module: {name}, lines of the collection imported", [imported_lines(lab, file)], "lines")


def template_role(files: str) -> dict[str, Any]:
    """The role of a directory and a template, for these files."""
    return {"role": "composer_auth", "vars": {"composer_auth_files": files}}


def composer_config(lab: Lab, hosts: int) -> Cost:
    """`composer config` for each of the files, as root, which is cheaper than becoming each user."""
    lab.installed = 1 - lab.installed
    task = {
        "ansible.builtin.command": {
            "argv": ["composer", "config", "{{ '--global' if '/home/' in item.path else '--auth' }}",
                     "http-basic.repo.magento.com", *PAIR.values()],
            "chdir": "{{ item.path | dirname }}",
        },
        "environment": {"COMPOSER_HOME": "{{ item.path | dirname }}", "COMPOSER_ALLOW_SUPERUSER": "1",
                        "COMPOSER_NO_INTERACTION": "1"},
        "loop": "{{ bench_files }}",
    }  # fmt: skip
    cost = lab.play([task], hosts=hosts, changed=1)
    lab.check(hosts)
    return cost


def role(bench: Bench) -> None:
    """The role on local hosts with 5 files each, beside a ping, a ping in such a role, and a role of a directory and a
    template."""
    few, many, _most = bench.sizes
    with contextlib.closing(Lab(bench, "role", many)) as lab:
        lab.changing(many)
        kinds: dict[str, Callable[[int], Cost]] = {
            "ping": lambda count: lab.play(PING, hosts=count),
            "floor": lambda count: lab.role(hosts=count, role="floor"),
            "converged": lambda count: lab.role(hosts=count),
            "changing": lab.changing,
            "template role, one file": lambda count: lab.role(hosts=count, role=template_role("{{ bench_files[:1] }}")),
            "template role, all files": lambda count: lab.role(hosts=count, role=template_role("{{ bench_files }}")),
        }

        def work(kind: str, count: int) -> Cost:
            if kind == "changing" and count == few:
                # The other hosts must get the pair, too.
                cost = lab.changing(few)
                lab.installed = 1 - lab.installed
                lab.role(hosts=few, changed=1)
                return cost
            return kinds[kind](count)

        works = {f"{kind}, {count} hosts": partial(work, kind, count)
                 for kind in kinds for count in (few, many)}  # fmt: skip
        costs = bench.interleaved("role", works)
        slopes = {kind: [(b.cpu - a.cpu) / (many - few) for a, b in
                         zip(costs[f"{kind}, {few} hosts"], costs[f"{kind}, {many} hosts"], strict=True)]
                  for kind in kinds}  # fmt: skip
        slopes = {kind: bench.add(f"role: {kind}, per host", values, "s") for kind, values in slopes.items()}
        targets = {("floor", "ping"): "", ("converged", "floor"): "",
                   ("converged", "ping"): "<= 1.3", ("converged", "template role, one file"): "<= 0.45",
                   ("converged", "template role, all files"): "", ("changing", "ping"): "<= 1.4"}  # fmt: skip
        for (over, under), target in targets.items():
            bench.ratio(f"role: {over} / {under}, per host", slopes[over], slopes[under], target)
        if not shutil.which("composer"):
            bench.notes.append("role: composer config; composer is not installed")
            return
        name = f"composer config, {few} hosts"
        measured = bench.interleaved("role", {name: lambda: composer_config(lab, few)}, 1)[name]
        bench.add("role: composer config, per host, without slope", [cost.cpu / few for cost in measured], "s")


def fleet(bench: Bench) -> None:
    """The converged role on many hosts: growth, memory of the largest process, forks, pipelining and slices."""
    few, many, most = bench.sizes
    pairs = min(bench.pairs, FEW)
    with contextlib.closing(Lab(bench, "fleet", most)) as lab:
        lab.changing(most)
        works = {f"{count} hosts": partial(lab.role, hosts=count) for count in bench.sizes}
        alone = {"1 host, as with ansible-pull": partial(lab.role, hosts=1)}
        costs = bench.interleaved("fleet", {**alone, **works}, pairs)
        for count in (few, many, most):
            memory = [cost.memory for cost in costs[f"{count} hosts"]]
            bench.add(f"fleet: {count} hosts, memory of the largest process", memory, "bytes")
        small, middle, large = ([cost.cpu for cost in costs[f"{count} hosts"]] for count in bench.sizes)
        slopes = [
            bench.add(
                f"fleet: per host, {a} to {b} hosts", [(y - x) / (b - a) for x, y in zip(*both, strict=True)], "s"
            )
            for a, b, both in ((few, many, (small, middle)), (many, most, (middle, large)))
        ]
        bench.ratio("fleet: per host, larger / smaller fleet", slopes[1], slopes[0], "0.9 to 1.1")
        settings: dict[str, Callable[[], Cost]] = {
            f"{many} hosts, {forks} forks": partial(lab.role, "--forks", str(forks), hosts=many)
            for forks in (5, 20, 50)
        }
        settings[f"{many} hosts, pipelining"] = partial(lab.role, hosts=many, ANSIBLE_PIPELINING="True")
        bench.interleaved("fleet", settings, pairs)
        slices = {f"{most} hosts, {word}": partial(lab.role, hosts=most, slices=number)
                  for number, word in ((1, "one run"), (2, "two slices at the same time"))}  # fmt: skip
        one, two = bench.interleaved("fleet", slices, pairs).values()
        bench.ratio("fleet: wall time, two slices / one run", [c.wall for c in two], [c.wall for c in one])


def info(bench: Bench) -> None:
    """magento_auth_key_info reads files of one host: the process on the host."""
    counts = (10, 100)
    lab = Lab(bench, "info", 1, accounts=False)
    projects = [lab.directory / "projects" / str(number) for number in range(counts[-1])]
    entry = dict(zip(("username", "password"), PAIRS[0], strict=True))
    for project in projects:
        project.mkdir(parents=True, mode=0o700)
        project.joinpath("auth.json").write_text(json.dumps({"http-basic": {REPOSITORY: entry}}))
        project.joinpath("auth.json").chmod(0o600)

    def read(file: Path, count: int) -> Cost:
        cost, result = executed(lab, file)
        assert sum(len(row["entries"]) for row in result["files"]) == count, result
        return cost

    files = {count: sent(lab, f"{KEY}_info", {"projects": list(map(str, projects[:count]))}) for count in counts}
    costs = bench.interleaved("info", {f"{n} files": partial(read, file, n) for n, file in files.items()})
    few, many = ([cost.cpu for cost in measured] for measured in costs.values())
    bench.add("info: per file", [(b - a) / (counts[1] - counts[0]) for a, b in zip(few, many, strict=True)], "s")
