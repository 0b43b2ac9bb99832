# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The invariants I1 to I10, which hold after every run, with any faults."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from system.rotation.chaos.fleet import NAMED, OTHER, REPOSITORY, STRAY, Fleet, Orders, ours
from system.rotation.chaos.play import Result

INSTALL, LOOK = "keyfleet.magento.magento_auth_key", "keyfleet.magento.magento_auth_key_info"
ROTATION, KEY = "keyfleet.magento.magento_key_rotation", "keyfleet.magento.magento_marketplace_key"


class Violation(AssertionError):
    """A promise was broken."""


def demand(kept: bool, promise: str, what: object) -> None:
    if not kept:
        raise Violation(f"{promise}: {what}")


class Watch:
    """Compares a fleet before and after each run."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.revoked = fleet, ""
        self.leaked: set[str] = set()
        """Keys that may be disabled before hosts are updated."""
        self.counts: Counter[str] = Counter()
        self.dead = set(fleet.pairs()) - set(self._working(fleet.pairs()))
        """Files in which the key did not work before, or need not work according to the settings."""
        self.take_snapshot()

    def _working(self, pairs: dict[tuple[str, str], tuple[str, str]]) -> list[tuple[str, str]]:
        enabled = {key["public"] for key in self.fleet.account() if key["enabled"]}
        return [where for where, pair in pairs.items() if pair[0] in enabled]

    def revoke(self, name: str, *, leak: bool) -> None:
        """Register the key with this label as revoked."""
        self.revoked = self.fleet.simulator.key("shop", name, "")[0]
        self.leaked |= {self.revoked} if leak else set()

    def take_snapshot(self) -> None:
        """Save the current state for the next comparison."""
        self.keys = {key["public"]: key for key in self.fleet.account()}
        self.pairs = self.fleet.pairs((*NAMED, STRAY, OTHER))
        self.disk = self.fleet.disk()
        self.fleet.simulator.clear_log()

    def after(self, orders: Orders, result: Result) -> None:
        """Check the invariants after a run, when its faults are cleared. Raises `Violation`."""
        self.counts["runs"] += 1
        asked = self.fleet.simulator.requests()
        now = {key["public"]: key for key in self.fleet.account()}
        settings = {**self.fleet.settings, **orders.settings}
        excluded = set(settings.get("excluded_hosts") or ())
        self.dead -= set(self._working(self.fleet.pairs()))
        self.dead |= {(host, location) for host in excluded for location in (*NAMED, STRAY)}
        if settings.get("unmanaged_keys") == "ignore":
            self.dead |= {(host, STRAY) for host in self.fleet.names}
        disabled = [p for p, key in self.keys.items() if key["enabled"] and p in now and not now[p]["enabled"]]
        deleted = [p for p in self.keys if p not in now]
        self.counts["disabled"] += len(disabled)
        self.counts["deleted"] += len(deleted)
        self._secrets(result)
        self._account(orders, now, disabled, deleted)
        if set(disabled) - self.leaked:
            self._confirmed(orders, result, settings, disabled)
        self._hosts(now)
        self._files(now)
        if orders.check_mode:
            demand(self.fleet.disk() == self.disk and now == self.keys, "I6", "check mode changed something")
        demand(not [a for a in asked if a["host"].startswith("localhost")], "I9", "a forged address was asked")
        if result.status == 0 and orders.playbook == "rotate" and not orders.check_mode:
            self._done(settings, now)
        self.take_snapshot()

    def _secrets(self, result: Result) -> None:
        secrets = [key["private"] for key in self.fleet.account()] + [self.fleet.simulator.application("shop")[1]]
        output = result.all_output()
        demand(not [secret for secret in secrets if secret in output], "I7", "a secret was printed")
        for root, _folders, files in os.walk(self.fleet.directory / "controller"):
            for path in (Path(root, name) for name in files):
                content = path.read_bytes()
                found = [secret for secret in secrets if secret.encode() in content]
                demand(not found, "I9", f"a secret is left in {path}")

    def _account(self, orders: Orders, now: dict[str, Any], disabled: list[str], deleted: list[str]) -> None:
        if orders.playbook == "revoke":
            mine = {self.revoked}
            demand(set(now) == set(now) & set(self.keys), "I3", "a revocation created a key")
            demand(not deleted or bool(orders.extra.get("magento_revoke_delete")), "I3", "a revocation deleted a key")
        else:
            mine = {public for public, key in (self.keys | now).items() if ours(key)}
            demand(not [p for p in deleted if self.keys[p]["enabled"]], "I4", "an enabled key was deleted")
            demand(not (disabled and deleted), "I4", "a run both deleted and disabled keys")
        if orders.playbook in ("rotate_deploy", "provision") or "pair" in self.fleet.settings:
            mine = set()
        others = {p: key for p, key in self.keys.items() if p not in mine}
        demand(others == {p: key for p, key in now.items() if p not in mine}, "I3", "another key was changed")
        made = [now[public]["label"] for public in now if public not in self.keys]
        demand(len(made) < 2, "I5", f"one run created {made}")
        demand(not (orders.outage and disabled), "I8", "a key was disabled during an outage")
        demand(
            orders.playbook != "rotate_issue" or not (disabled or deleted),
            "I2",
            "rotate_issue disabled or deleted a key",
        )
        enabled = [p for p in now if self._rejected(now[p]) and now[p]["enabled"] and not self.keys[p]["enabled"]]
        demand(not enabled, "I5", "a rejected generation was enabled")

    def _rejected(self, key: dict[str, Any]) -> bool:
        return ours(key) and key["label"] in self.fleet.settings.get("rejected", [])

    def _confirmed(self, orders: Orders, result: Result, settings: dict[str, Any], disabled: list[str]) -> None:
        """I2, after a run that disabled a key."""
        names = [name for name in self.fleet.names if name not in (settings.get("excluded_hosts") or ())]
        demand(bool(names), "I2", "no host was expected")
        acts = [
            r["action"] == KEY or (r["action"] == ROTATION and bool(r["result"].get("disabled"))) for r in result.record
        ]
        before = result.record[: acts.index(True)] if True in acts else result.record
        for name in names:
            demand(name not in orders.dead + orders.forging, "I2", f"{name} gave no valid answer")
            for action in (INSTALL, LOOK):
                last = [r for r in before if r["host"] == name and r["action"] == action][-1:]
                confirmed = [r for r in last if r["outcome"] == "ok" and not r["result"].get("changed")]
                demand(bool(confirmed), "I2", f"{name} was not confirmed earlier in this run")
        ignored = (STRAY,) if settings.get("unmanaged_keys") == "ignore" and orders.playbook != "revoke" else ()
        held = {where: pair for where, pair in self.fleet.pairs().items() if where[0] in names}
        remaining = [where for where, pair in held.items() if pair[0] in disabled and where[1] not in ignored]
        demand(not remaining, "I2", f"a key was disabled while {remaining} had it")
        if settings.get("external_holders") and orders.playbook != "revoke":
            vault = json.loads(self.fleet.vault.read_text())["public"]
            demand(vault not in disabled, "I2", "a key was disabled while the holder had it")

    def _hosts(self, now: dict[str, Any]) -> None:
        """I1: the key that Composer uses on each host works."""
        asked: dict[tuple[str, str], bool] = {}
        for name in self.fleet.names:
            for project, pair in self.fleet.used(name).items():
                where = (name, project if self.fleet.pair(name, project) else NAMED[1])
                if pair is None:
                    demand(project == STRAY, "I1", f"{name} has no key in {project}")
                elif where in self.dead or pair[0] in self.leaked:
                    continue
                else:
                    asked.setdefault(pair, self.fleet.accepts(pair))
                    label = now.get(pair[0], {}).get("label", "a deleted key")
                    demand(asked[pair], "I1", f"{name} has {label} in {project}, which does not work")
        self.counts["checks"] += 1

    def _files(self, now: dict[str, Any]) -> None:
        """I9 and I10: which files have a key that they did not have before."""
        pairs = self.fleet.pairs((*NAMED, STRAY, OTHER))
        for where, pair in pairs.items():
            if pair != self.pairs.get(where):
                demand(where[1] in NAMED, "I9", f"{now.get(pair[0])} was written to {where}")
                demand(
                    not self._rejected(now.get(pair[0]) or {"label": "", "uid": ""}),
                    "I5",
                    "a rejected key was installed",
                )
        others = {w: p for w, p in self.pairs.items() if w[1] == OTHER}
        demand({w: p for w, p in pairs.items() if w[1] == OTHER} == others, "I10", "another series was changed")
        named = {
            str(self.fleet.file(host, location)) for host in self.fleet.names for location in (*NAMED, STRAY, OTHER)
        }
        for path, data, *_rest in self.fleet.disk():
            if path not in named and not path.startswith(str(self.fleet.vault)):
                secrets = [key["label"] for key in now.values() if key["private"].encode() in data]
                demand(not secrets, "I9", f"the private key of {secrets} is left in {path}")

    def _done(self, settings: dict[str, Any], now: dict[str, Any]) -> None:
        """I5, after a rotation that exited with 0."""
        series = sorted((key["label"], key["enabled"]) for key in now.values() if ours(key))
        enabled = [name for name, on in series if on]
        if "pair" not in settings and not settings.get("overlap"):
            demand(len(enabled) == 1, "I5", f"a completed rotation leaves {series}")
        current = settings["pair"]["label"] if "pair" in settings else enabled[-1]
        expected = [name for name in self.fleet.names if name not in (settings.get("excluded_hosts") or ())]
        held = {where: now[pair[0]]["label"] for where, pair in self.fleet.pairs(NAMED).items() if where[0] in expected}
        demand(set(held.values()) <= {current}, "I5", f"a completed rotation leaves {held}")


def as_composer(fleet: Fleet) -> int:
    """Check that the real Composer uses the pairs of `Fleet.used`. Returns the number of checks."""
    asked = 0
    for name in fleet.names:
        for project, pair in fleet.used(name).items():
            directory, home = fleet.directory / name / project, fleet.file(name, NAMED[1]).parent
            if not directory.is_dir() or pair is None:
                continue
            # Without this file, Composer says that the directory is not a project.
            (directory / "composer.json").write_text("{}")
            run = subprocess.run(
                ["composer", "--no-ansi", "--no-interaction", "config", f"http-basic.{REPOSITORY}"],
                env={"PATH": os.environ["PATH"], "COMPOSER_HOME": str(home), "COMPOSER_ALLOW_SUPERUSER": "1"},
                cwd=directory, text=True, capture_output=True, check=False,
            )  # fmt: skip
            (directory / "composer.json").unlink()
            assert run.returncode == 0, run.stderr
            entry = json.loads(run.stdout)
            assert (entry["username"], entry["password"]) == pair, f"Composer uses another key in {directory}"
            asked += 1
    return asked
