# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured against the simulator, whose own time is not counted."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.cases import PING, executed, sent
from bench.lab import REPOSITORY, Lab, gigabit
from bench.measure import Bench, Cost, Work, run
from simulator.client import Simulator


def api(simulator: Simulator) -> dict[str, str]:
    """The options of the key API; the secret comes from the environment."""
    return {
        "application_id": simulator.application("shop")[0],
        "application_secret": "{{ lookup('env', 'VAULT') }}",
        "api_url": simulator.marketplace_url,
        "ca_path": simulator.ca_path,
    }


def labels(bench: Bench) -> None:
    """magento_marketplace_key on the controller: one task creates keys, or finds them."""
    with Simulator() as simulator:
        lab = Lab(bench, "labels", 1, accounts=False)
        start = simulator.snapshot()

        def work(count: int, changed: int) -> Cost:
            wanted = [f"bench-{number}" for number in range(count)]
            options = {"labels": wanted, **api(simulator)}
            play = partial(lab.play, [{"keyfleet.magento.magento_marketplace_key": options}], hosts=1,
                           VAULT=simulator.application("shop")[1],
                           variables={"ansible_python_interpreter": "{{ ansible_playbook_python }}"})  # fmt: skip
            simulator.restore(start)
            cost = play(changed=1)
            cost = cost if changed else play(changed=0)
            made = [key for key in simulator.account("shop")["keys"] if key["label"].startswith("bench-")]
            assert len(made) == count, made
            return cost

        works = {f"{count} labels, {word}": partial(work, count, changed)
                 for count in (1, 100, 1000) for word, changed in (("created", 1), ("unchanged", 0))}  # fmt: skip
        bench.interleaved("labels", works)


def rotation(bench: Bench) -> None:
    """A complete rotation with the default batches, every host verifying the key, beside one play of ping."""
    hosts = bench.sizes[0]
    with Simulator() as simulator:
        lab = Lab(bench, "rotation", hosts, accounts=False)
        start = simulator.snapshot()

        def rotate(age: int) -> Cost:
            """``age`` of the installed key in days."""
            simulator.restore(start)
            day = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
            label = f"fleet-{day:%Y%m%d}"
            public, private = simulator.add_key("shop", label)
            for path in lab.files(hosts):
                entry = {"username": public, "password": private}
                path.write_text(json.dumps({"http-basic": {REPOSITORY: entry}}, indent=4) + "\n")
                path.chmod(0o600)
            before = lab.stamps(hosts)
            series: dict[str, Any] = {
                "prefix": "fleet", **api(simulator), "url": simulator.url, "expected_hosts": list(lab.hosts),
                "external_holders_acknowledged": True, "unmanaged_keys": "ignore",
            }  # fmt: skip
            key = {"series": "fleet", "projects": "{{ magento_auth_projects }}", "url": simulator.url}
            variables = {"magento_auth_keys": [key], "magento_auth_ca_path": simulator.ca_path,
                         "magento_auth_verify": "changed",
                         "magento_auth_public_key": None, "magento_auth_private_key": None}  # fmt: skip
            extra = lab.write("series.json", {"magento_target": "web", "magento_series": series})
            cost = lab.playbook("keyfleet.magento.rotate", "-e", f"@{extra}", hosts=hosts, changed=None,
                                variables=variables, VAULT=simulator.application("shop")[1])  # fmt: skip
            keys = {key["label"]: key for key in simulator.account("shop")["keys"] if key["label"].startswith("fleet-")}
            (enabled,) = (key for key in keys.values() if key["enabled"])
            held = {json.loads(path.read_text())["http-basic"][REPOSITORY]["username"] for path in lab.files(hosts)}
            assert held == {enabled["public"]} and len(keys) == (2 if age > 90 else 1), keys
            assert (enabled["label"] == label) == (lab.stamps(hosts) == before) == (age <= 90)
            return cost

        works = {
            f"ping, {hosts} hosts": partial(lab.play, PING, hosts=hosts),
            f"not due, {hosts} hosts": partial(rotate, 1),
            f"due, {hosts} hosts": partial(rotate, 200),
        }
        ping, *both = ([c.cpu for c in costs] for costs in bench.interleaved("rotation", works).values())
        for word, measured in zip(("not due", "due"), both, strict=True):
            bench.ratio(f"rotation: {word} / ping", measured, ping, "<= 4")


def transfer(bench: Bench) -> None:
    """magento_release beside curl alone, and beside the check of the MD5 alone. The server runs on the same machine.

    What the rest of the module costs is the same for two sizes, so the difference is the transfer of the bytes.
    """
    sizes = (bench.size // 8, bench.size)
    names = {size: f"Made-Up-2.4.{size}.zip" for size in sizes}
    lab = Lab(bench, "transfer", 1, accounts=False)
    offered = [{"file_name": name, "category": "ce-full", "versions": ["2.4.9"], "size": size}
               for size, name in names.items()]  # fmt: skip
    with Simulator(data=lab.write("data.json", {"downloads": offered})) as simulator:
        mage_id, token = simulator.token("shop")
        netrc = lab.directory / "netrc-curl"
        netrc.write_text(f"machine {simulator.host.partition(':')[0]} login {mage_id} password {token}\n")
        netrc.chmod(0o600)
        commands: dict[tuple[str, int], list[str]] = {}
        files: dict[int, Path] = {}
        for size, name in names.items():
            options = {"file_name": name, "dest": str(lab.directory / f"module-{size}"), "force": True,
                       "mage_id": mage_id, "token": token, "downloads_url": simulator.downloads_url,
                       "ca_path": simulator.ca_path}  # fmt: skip
            files[size] = sent(lab, "keyfleet.magento.magento_release", options, changed=1)
            commands["curl", size] = [
                "curl", "-qsSf", "--netrc-file", str(netrc), "--cacert", simulator.ca_path,
                "-o", str(lab.directory / f"curl-{size}"), f"{simulator.downloads_url}/file/{name}",
            ]  # fmt: skip

        def check(kind: str, size: int) -> Cost:
            path = lab.directory / f"{kind}-{size}"
            cpu, wall = time.process_time(), time.perf_counter()
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "md5").hexdigest()
            assert found == simulator.download(names[size])["md5"] and path.stat().st_size == size
            return Cost(time.process_time() - cpu, time.perf_counter() - wall)

        def measured(kind: str, size: int) -> Cost:
            (lab.directory / f"{kind}-{size}").unlink(missing_ok=True)
            if kind == "curl":
                cost = run(commands[kind, size], env=lab.environment(), cwd=lab.directory)
            else:
                cost = executed(lab, files[size], changed=True)[0]
            check(kind, size)
            return cost

        works = {("MD5 alone", size): partial(check, "module", size) for size in sizes}
        for kind, word in (("curl", "curl"), ("module", "magento_release")):
            works |= {(word, size): partial(measured, kind, size) for size in sizes}
        compare(bench, "loopback", works)
        with gigabit() as limited:
            if limited:
                compare(bench, "1 Gbit/s", works)
            else:
                bench.notes.append("transfer: 1 Gbit/s, which needs root, a network namespace, ip and tc")


def compare(bench: Bench, link: str, works: Mapping[tuple[str, int], Work]) -> None:
    """The transfer over one link."""
    size = max(size for _word, size in works)
    names = {f"{word}, {link}, {size / 2**20:g} MiB": work for (word, size), work in works.items()}
    costs = dict(zip(works, bench.interleaved("transfer", names).values(), strict=True))
    whole = {word: [cost.wall for cost in costs[word, size]] for word, _size in works}
    more = {
        word: [max(b - a.wall, 1e-9) for a, b in zip(costs[word, small], whole[word], strict=True)]
        for word, small in works
        if small != size
    }
    without = [max(a - b, 1e-9) for a, b in zip(more["magento_release"], more["MD5 alone"], strict=True)]
    name = f"transfer: {link}, throughput, magento_release / curl"
    bench.ratio(name, whole["curl"], whole["magento_release"], ">= 0.97")
    bench.ratio(f"{name}, per byte", more["curl"], more["magento_release"])
    bench.ratio(f"{name}, per byte, without the MD5", more["curl"], without, ">= 0.97")
