# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the demo, in order. A new step is one more function and one more line in STEPS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from demo.rotation import reject, rotate, rotate_again
from demo.shell import Recap
from demo.world import MAGENTO, SOURCE, World

VAULT = ("-e", "@vault.yml")
SERVER = "downloads_url={{ magento_auth_token_downloads_url }} ca_path={{ magento_auth_ca_path }}"
TOKEN = "mage_id={{ vault_tokens[customer].mage_id }} token={{ vault_tokens[customer].token }}"
RELEASE = "Magento-CE-2.4.8.zip"
PROVISION = ("ansible-playbook", "-i", "inventory.yml", "keyfleet.magento.provision", "-e", "magento_target=web")
OK, CHANGED, FAILED = Recap(), Recap(changed=1), Recap(failed=1)


def install_collection(world: World) -> None:
    world.screen.say(f"From the sources in {SOURCE} into {world.directory}, the directory of the whole demo.")
    world.shell.run("ansible-galaxy", "collection", "build", "--output-path", "dist", str(SOURCE))
    tarball = next((world.directory / "dist").glob("keyfleet-magento-*.tar.gz"))
    install = ("ansible-galaxy", "collection", "install", "--offline", "-p", "collections")
    world.shell.run(*install, str(tarball.relative_to(world.directory)))
    manifest = world.directory / "collections/ansible_collections/keyfleet/magento/MANIFEST.json"
    info = json.loads(manifest.read_text())["collection_info"]
    world.screen.check(f"version {info['version']} is installed, with no other collection", not info["dependencies"])


def start_simulator(world: World) -> None:
    world.screen.say(
        "It simulates repo.magento.com and the release downloads over real HTTPS, with its own certificate authority "
        "and accounts with made-up keys. The demo never contacts the real servers."
    )
    world.screen.command("python tests/simulator serve --state simulator &")
    world.start_simulator()
    world.screen.check(f"it answers at {world.simulator.url}", bool(world.simulator.accounts()))


def set_the_scene(world: World) -> None:
    names = ", ".join(host.name for host in world.hosts)
    world.screen.say(
        f"{names} are directories of this machine, each with a project. {world.hosts[-1].name} belongs to another "
        f"customer with another key, and its auth.json already has an entry of another vendor ({world.vendor}). "
        "The keys are in a vault; inventory.yml assigns them to the hosts."
    )
    world.make_hosts(world.make_vendor())
    (world.directory / "vault-password").write_text("made-up vault password\n")
    world.shell.use_vault_password("vault-password")
    world.make_vault("vault.yml", "web")
    world.make_vault("disabled-keys.yml", "old")
    world.screen.check("no file except the auth.json contains a secret in clear text", not world.leaks())


def preview(world: World) -> None:
    world.screen.say("What would the first run do? Each host verifies its keys, and nothing is written.")
    before = world.bytes_of_files()
    answer = world.shell.run(*PROVISION, *VAULT, "--check", "--diff")
    world.screen.check("a change is announced for every host", recap_is(world, answer.recap, CHANGED))
    world.screen.check("nothing was written", world.bytes_of_files() == before)


def provision(world: World) -> None:
    vendor_entry = world.hosts[-1].entries()[world.vendor]
    answer = world.shell.run(*PROVISION, *VAULT)
    world.screen.check("every host changed", recap_is(world, answer.recap, CHANGED))
    right = all(host.entries()[MAGENTO] == world.pair(host.account).in_auth_json() for host in world.hosts)
    world.screen.check("every project has the key of its customer", right)
    modes = {host.auth_file.stat().st_mode & 0o777 for host in world.hosts}
    world.screen.check("only the owner can read the files (0600)", modes == {0o600})
    world.screen.check("the vendor's entry is unchanged", world.hosts[-1].entries()[world.vendor] == vendor_entry)
    world.screen.check("the private keys are only in the auth.json files", not world.leaks())


def provision_again(world: World) -> None:
    world.screen.say("All keys are installed, so there is nothing to do and no request is needed.")
    stamps = world.stamps()
    world.simulator.clear_log()
    answer = world.shell.run(*PROVISION, *VAULT)
    world.screen.check("0 changed", recap_is(world, answer.recap, OK))
    world.screen.check("no file was written", world.stamps() == stamps)
    world.screen.check("no request was made", not world.simulator.requests())


def refuse_disabled_keys(world: World) -> None:
    world.screen.say(
        "These keys were disabled at the Marketplace. The run must fail and say why, and every host must keep its "
        "working key."
    )
    before, stamps = world.bytes_of_files(), world.stamps()
    answer = world.shell.run(*PROVISION, "-e", "@disabled-keys.yml", status=2)
    world.screen.check("every host refused them", recap_is(world, answer.recap, FAILED))
    verdicts = [verdict for refusal in answer.refusals.values() for verdict in refusal["verdicts"]]
    world.screen.say(f"The verdict: {verdicts[0]['message']}")
    seen = [(verdict["status"], verdict["code"], verdict["http_status"]) for verdict in verdicts]
    world.screen.check(
        "every verdict is invalid, keys_invalid, HTTP 401", seen == [("invalid", "keys_invalid", 401)] * 3
    )
    world.screen.check("no file was written", (world.bytes_of_files(), world.stamps()) == (before, stamps))


def report(world: World) -> None:
    world.screen.say("Which keys does each host have, and do they work from that host?")
    rows = ask_hosts(world)
    show(world, rows)
    expected = {(h.name, MAGENTO, world.pair(h.account).public_key, "0600", "valid") for h in world.hosts}
    expected.add((world.hosts[-1].name, world.vendor, "token", "0600", "valid"))
    found = {(host, repository, public, mode, verdict) for host, _path, repository, public, _sum, mode, verdict in rows}
    world.screen.check("every host has its own keys, and they are valid", len(rows) == 4 and found == expected)


def check_token(world: World) -> None:
    world.screen.say(
        "A MAGEID and a download token give access to the releases. Does the token work from each host? The module "
        "calls curl on the host, and nothing is written."
    )
    answer = ad_hoc(world, "web", "magento_download_token_info", f"{TOKEN} {SERVER}")
    seen = {name: (result["verdicts"][0]["code"], result["verdicts"][0]["commerce"]) for name, result in answer.items()}
    expected = {host.name: ("token_valid", host.account == "enterprise") for host in world.hosts}
    world.screen.check("it works, and only the enterprise account sees Commerce files", seen == expected)
    world.screen.check("no host has a netrc yet", not any(host.netrc.exists() for host in world.hosts))


def install_token(world: World) -> None:
    world.screen.say(
        "The same playbook installs the token in the netrc file if the variables set one (download-token.yml)."
    )
    tokens = ("-e", "@download-token.yml")
    answer = world.shell.run(*PROVISION, *VAULT, *tokens)
    world.screen.check("every host changed", recap_is(world, answer.recap, CHANGED))
    modes = {host.netrc.stat().st_mode & 0o777 for host in world.hosts}
    world.screen.check("only the owner can read the netrc files (0600)", modes == {0o600})
    answer = world.shell.run(*PROVISION, *VAULT, *tokens, show=False)
    world.screen.check("a second run: 0 changed", recap_is(world, answer.recap, OK))


def fetch_release(world: World) -> None:
    host = world.hosts[0]
    known = world.simulator.download(RELEASE)
    dest = host.project.parent / RELEASE
    world.screen.say(
        f"{host.name} downloads a release of {known['size'] >> 20} MiB with the token in its netrc. The server closes "
        "the connection in the middle."
    )
    world.simulator.add_fault("truncate", path=f"*/file/{RELEASE}", method="GET", after_bytes=20 << 20, count=1)
    options = f"file_name={RELEASE} dest={dest} netrc_path={host.netrc} {SERVER}"
    answer = ad_hoc(world, host.name, "magento_release", options)[host.name]
    resumed = answer["transfer"] == {"requests": 2, "resumed_from": 20 << 20}
    world.screen.check("the download was resumed where it had stopped", resumed)
    right = hashlib.sha256(dest.read_bytes()).hexdigest() == known["sha256"]
    world.screen.check("the file is identical to the server's file", right)
    answer = ad_hoc(world, host.name, "magento_release", options)[host.name]
    world.screen.check("a second run downloads nothing", not answer["changed"])
    world.screen.check("the secrets are only in the auth.json and netrc files", not world.leaks())


def remove(world: World) -> None:
    world.screen.say(
        "A key is removed only if it is the given one; a different key would stay. For a host with a series, any key "
        "is removed."
    )
    vendor_entry = world.hosts[-1].entries()[world.vendor]
    answer = world.shell.run(*PROVISION, *VAULT, "-e", "magento_auth_state=absent")
    world.screen.check("every host changed", recap_is(world, answer.recap, CHANGED))
    show(world, ask_hosts(world))
    world.screen.check(f"no file has an entry for {MAGENTO}", all(MAGENTO not in h.entries() for h in world.hosts))
    world.screen.check("the vendor's entry is unchanged", world.hosts[-1].entries() == {world.vendor: vendor_entry})


def ad_hoc(world: World, target: str, module: str, options: str) -> dict[str, dict[str, Any]]:
    """The result of the module, by host."""
    command = ("ansible", "-i", "inventory.yml", target, "-m", f"keyfleet.magento.{module}")
    return world.shell.run(*command, *VAULT, "-a", options, show=False).results


def recap_is(world: World, recap: dict[str, Recap], expected: Recap) -> bool:
    """Whether the recap of ansible-playbook is the expected one for exactly these hosts."""
    return recap == {host.name: expected for host in world.hosts}


Row = tuple[str, str, str, str, str, str, str]


def ask_hosts(world: World) -> list[Row]:
    """One row for each entry: host, file, repository, public key, fingerprint, mode and verdict."""
    world.shell.run("ansible-playbook", "-i", "inventory.yml", "report.yml", show=False)
    rows = []
    for name, answer in world.answers().items():
        verdicts = {(v["repository"], v["public_key"]): v["status"] for v in answer["verdicts"]}
        for file in answer["files"]:
            path = file["path"].removeprefix(f"{world.directory}/")
            for entry in file["entries"]:
                repository, public = entry["repository"], entry["public_key"]
                verdict = verdicts[repository, public]
                rows.append((name, path, repository, public, entry["fingerprint"], file["mode"], verdict))
            if not file["entries"]:
                rows.append((name, path, "-", "-", "-", file["mode"], "-"))
    return rows


def show(world: World, rows: list[Row]) -> None:
    """Prints the rows as a table."""
    world.screen.table(("host", "file", "repository", "public key", "private key", "mode", "verdict"), rows)


class Step(NamedTuple):
    title: str
    play: Callable[[World], None]
    needs: tuple[str, ...] = ()
    """Programs that the step needs on this machine."""


STEPS = (
    Step("Build the collection and install it from its own tarball", install_collection),
    Step("Start a simulator of the repository", start_simulator),
    Step("Three hosts and their keys", set_the_scene),
    Step("Preview in check mode", preview),
    Step("Provision", provision),
    Step("Provision again", provision_again),
    Step("Bad keys", refuse_disabled_keys),
    Step("Report the installed keys", report),
    Step("Verify a download token", check_token, ("curl",)),
    Step("Install the download token", install_token, ("curl",)),
    Step("Download a release", fetch_release, ("curl",)),
    Step("Rotate a key that was created by hand", rotate),
    Step("Reject the new key", reject),
    Step("Rotate again", rotate_again),
    Step("Remove the keys", remove),
)
