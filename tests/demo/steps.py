# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the demo, in order. A later part of the collection is one more function and one more line in STEPS."""

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
    world.screen.say(f"From the sources in {SOURCE} into {world.directory}, where all of the demo takes place.")
    world.shell.run("ansible-galaxy", "collection", "build", "--output-path", "dist", str(SOURCE))
    tarball = next((world.directory / "dist").glob("keyfleet-magento-*.tar.gz"))
    install = ("ansible-galaxy", "collection", "install", "--offline", "-p", "collections")
    world.shell.run(*install, str(tarball.relative_to(world.directory)))
    manifest = world.directory / "collections/ansible_collections/keyfleet/magento/MANIFEST.json"
    info = json.loads(manifest.read_text())["collection_info"]
    world.screen.claim(f"version {info['version']} is installed, with no other collection", not info["dependencies"])


def start_simulator(world: World) -> None:
    world.screen.say(
        "It plays repo.magento.com and the release downloads over real HTTPS, with a certificate authority of its own "
        "and accounts whose keys are made up. Nothing of this demo asks the real ones."
    )
    world.screen.command("python tests/simulator serve --state simulator &")
    world.start_simulator()
    world.screen.claim(f"it answers at {world.simulator.url}", bool(world.simulator.accounts()))


def set_the_scene(world: World) -> None:
    names = ", ".join(host.name for host in world.hosts)
    world.screen.say(
        f"{names} are directories of this machine, each with a project in it. {world.hosts[-1].name} belongs to "
        "another customer with another key, and its auth.json has an entry of another vendor already "
        f"({world.vendor}). "
        "The keys are in a vault; inventory.yml says which host gets which."
    )
    world.make_hosts(world.make_vendor())
    (world.directory / "vault-password").write_text("made-up vault password\n")
    world.shell.use_vault_password("vault-password")
    world.make_vault("vault.yml", "web")
    world.make_vault("disabled-keys.yml", "old")
    world.screen.claim("no file beside the auth.json has a secret in clear", not world.leaks())


def preview(world: World) -> None:
    world.screen.say("What would the first run do? The keys are tried from each host, and nothing is written.")
    before = world.bytes_of_files()
    answer = world.shell.run(*PROVISION, *VAULT, "--check", "--diff")
    world.screen.claim("a change is announced for every host", recap_is(world, answer.recap, CHANGED))
    world.screen.claim("nothing was written", world.bytes_of_files() == before)


def provision(world: World) -> None:
    vendor_entry = world.hosts[-1].entries()[world.vendor]
    answer = world.shell.run(*PROVISION, *VAULT)
    world.screen.claim("every host changed", recap_is(world, answer.recap, CHANGED))
    right = all(host.entries()[MAGENTO] == world.pair(host.account).in_auth_json() for host in world.hosts)
    world.screen.claim("every project has the key of its customer", right)
    modes = {host.auth_file.stat().st_mode & 0o777 for host in world.hosts}
    world.screen.claim("only the owner can read the files (0600)", modes == {0o600})
    world.screen.claim("the vendor's entry is as it was", world.hosts[-1].entries()[world.vendor] == vendor_entry)
    world.screen.claim("the private keys are in the auth.json files and in no other file", not world.leaks())


def provision_again(world: World) -> None:
    world.screen.say("All is in place, so nothing is to be done and nobody is to be asked.")
    stamps = world.stamps()
    world.simulator.clear_log()
    answer = world.shell.run(*PROVISION, *VAULT)
    world.screen.claim("0 changed", recap_is(world, answer.recap, OK))
    world.screen.claim("no file was written", world.stamps() == stamps)
    world.screen.claim("no request was made", not world.simulator.requests())


def refuse_disabled_keys(world: World) -> None:
    world.screen.say(
        "Somebody hands in keys that were disabled at the Marketplace long ago. The run has to fail and say why, and "
        "every host has to keep the key that works."
    )
    before, stamps = world.bytes_of_files(), world.stamps()
    answer = world.shell.run(*PROVISION, "-e", "@disabled-keys.yml", status=2)
    world.screen.claim("every host refused them", recap_is(world, answer.recap, FAILED))
    verdicts = [verdict for refusal in answer.refusals.values() for verdict in refusal["verdicts"]]
    world.screen.say(f"The verdict: {verdicts[0]['message']}")
    seen = [(verdict["status"], verdict["code"], verdict["http_status"]) for verdict in verdicts]
    world.screen.claim("each says invalid, keys_invalid, HTTP 401", seen == [("invalid", "keys_invalid", 401)] * 3)
    world.screen.claim("no file was written", (world.bytes_of_files(), world.stamps()) == (before, stamps))


def report(world: World) -> None:
    world.screen.say("What does each host hold, and does it work from there?")
    rows = ask_hosts(world)
    show(world, rows)
    expected = {(h.name, MAGENTO, world.pair(h.account).public_key, "0600", "valid") for h in world.hosts}
    expected.add((world.hosts[-1].name, world.vendor, "token", "0600", "valid"))
    found = {(host, repository, public, mode, verdict) for host, _path, repository, public, _sum, mode, verdict in rows}
    world.screen.claim("every key is where it belongs, and valid", len(rows) == 4 and found == expected)


def check_token(world: World) -> None:
    world.screen.say(
        "Releases are opened by a MAGEID and a download token. Does the token work from each host? The host's own curl "
        "asks, and nothing is written."
    )
    answer = ad_hoc(world, "web", "magento_download_token_info", f"{TOKEN} {SERVER}")
    seen = {name: (result["verdicts"][0]["code"], result["verdicts"][0]["commerce"]) for name, result in answer.items()}
    expected = {host.name: ("token_valid", host.account == "enterprise") for host in world.hosts}
    world.screen.claim("it does, and only the enterprise account sees Commerce files", seen == expected)
    world.screen.claim("no host has a netrc yet", not any(host.netrc.exists() for host in world.hosts))


def install_token(world: World) -> None:
    world.screen.say(
        "The same playbook brings it to where curl looks for it, when the variables name one (download-token.yml)."
    )
    tokens = ("-e", "@download-token.yml")
    answer = world.shell.run(*PROVISION, *VAULT, *tokens)
    world.screen.claim("every host changed", recap_is(world, answer.recap, CHANGED))
    modes = {host.netrc.stat().st_mode & 0o777 for host in world.hosts}
    world.screen.claim("only the owner can read the netrc files (0600)", modes == {0o600})
    answer = world.shell.run(*PROVISION, *VAULT, *tokens, show=False)
    world.screen.claim("a second time: 0 changed", recap_is(world, answer.recap, OK))


def fetch_release(world: World) -> None:
    host = world.hosts[0]
    known = world.simulator.download(RELEASE)
    dest = host.project.parent / RELEASE
    world.screen.say(
        f"{host.name} downloads a release of {known['size'] >> 20} MiB with the token in its netrc. The server breaks "
        "off in the middle."
    )
    world.simulator.add_fault("truncate", path=f"*/file/{RELEASE}", method="GET", after_bytes=20 << 20, count=1)
    options = f"file_name={RELEASE} dest={dest} netrc_path={host.netrc} {SERVER}"
    answer = ad_hoc(world, host.name, "magento_release", options)[host.name]
    resumed = answer["transfer"] == {"requests": 2, "resumed_from": 20 << 20}
    world.screen.claim("it went on where it had broken off", resumed)
    right = hashlib.sha256(dest.read_bytes()).hexdigest() == known["sha256"]
    world.screen.claim("the file is the server's, byte for byte", right)
    answer = ad_hoc(world, host.name, "magento_release", options)[host.name]
    world.screen.claim("a second time nothing is fetched", not answer["changed"])
    world.screen.claim("the secrets are in auth.json and netrc and in no other file", not world.leaks())


def remove(world: World) -> None:
    world.screen.say(
        "A pair is removed only if it is the one that is named: another that had taken its place would stay. Where a "
        "series is named, any key is removed."
    )
    vendor_entry = world.hosts[-1].entries()[world.vendor]
    answer = world.shell.run(*PROVISION, *VAULT, "-e", "magento_auth_state=absent")
    world.screen.claim("every host changed", recap_is(world, answer.recap, CHANGED))
    show(world, ask_hosts(world))
    world.screen.claim(f"no file has an entry for {MAGENTO}", all(MAGENTO not in h.entries() for h in world.hosts))
    world.screen.claim("the vendor's entry is as it was", world.hosts[-1].entries() == {world.vendor: vendor_entry})


def ad_hoc(world: World, target: str, module: str, options: str) -> dict[str, dict[str, Any]]:
    """Host to what the module answered."""
    command = ("ansible", "-i", "inventory.yml", target, "-m", f"keyfleet.magento.{module}")
    return world.shell.run(*command, *VAULT, "-a", options, show=False).results


def recap_is(world: World, recap: dict[str, Recap], expected: Recap) -> bool:
    """Whether ansible-playbook says the same of every host, and of no other."""
    return recap == {host.name: expected for host in world.hosts}


Row = tuple[str, str, str, str, str, str, str]


def ask_hosts(world: World) -> list[Row]:
    """Host, file, repository, public key, fingerprint, mode and verdict of every entry."""
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
    """The rows as a table."""
    world.screen.table(("host", "file", "repository", "public key", "private key", "mode", "verdict"), rows)


class Step(NamedTuple):
    title: str
    play: Callable[[World], None]
    needs: tuple[str, ...] = ()
    """Programs of this machine."""


STEPS = (
    Step("Build the collection and install it from its own tarball", install_collection),
    Step("Start a simulator of the repository", start_simulator),
    Step("Three hosts and their keys", set_the_scene),
    Step("A look ahead: check mode", preview),
    Step("Provision", provision),
    Step("Provision again", provision_again),
    Step("Bad keys", refuse_disabled_keys),
    Step("Who holds what", report),
    Step("A download token: does it work?", check_token, ("curl",)),
    Step("Install it", install_token, ("curl",)),
    Step("Download a release", fetch_release, ("curl",)),
    Step("Rotate a key that was made by hand", rotate),
    Step("Reject the new key", reject),
    Step("Rotate again", rotate_again),
    Step("Remove the keys", remove),
)
