# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state, the log and the secrets of the simulator; its process; its command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from place import ROOT
from simulator.accounts import fake_key
from simulator.client import Simulator
from simulator.faults import FIELDS, KINDS
from simulator.problems import BadInput
from simulator.tests.https import ask, basic, connected

PROGRAM = [sys.executable, str(ROOT / "tests" / "simulator")]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """One run of the command line."""
    return subprocess.run([*PROGRAM, *words], text=True, capture_output=True, check=False, timeout=30)


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "state").start()
    try:
        simulator.set_switch("challenge", True)
        simulator.add_fault("status", status=503, skip=1, count=1)
        new = simulator.add_key("shop", "new")
        simulator.delete_key(simulator.key("shop", "ci")[0])
        assert ask(simulator, key=new).status == 200
        authority, before = Path(simulator.ca_path).read_bytes(), simulator.accounts()
        simulator.restart()
        assert (Path(simulator.ca_path).read_bytes(), simulator.accounts()) == (authority, before)
        assert [ask(simulator, key=new).status for _turn in range(2)] == [503, 200]
        assert ask(simulator).headers["WWW-Authenticate"] is not None
        assert [entry["n"] for entry in simulator.requests()] == [1, 2, 3, 4]
        assert simulator.call("GET", "")["counters"] == {"requests": 4}
        simulator.reset()
        assert simulator.call("GET", "") == {"counters": {}, "switches": {}}
        assert (simulator.faults(), simulator.requests()) == ([], [])
        assert simulator.key("shop", "ci")
    finally:
        simulator.stop()


def test_log_contains_everything_but_secrets(simulator: Simulator) -> None:
    public, private = simulator.key("shop", "web")
    vendor_password = simulator.key("vendor", "web")[1]
    unknown = fake_key("nobody", "none", "private")
    stray = f"/{private}?password={private}&vendor={quote(vendor_password, safe='')}"
    ask(simulator, stray, (public, private), headers={"Range": "bytes=0-9", "User-Agent": f"agent {private}"})
    ask(simulator, key=(private, public), headers={"Host": "repo.magento.com"})
    ask(simulator, key=(unknown, unknown))
    ask(simulator, headers={"Authorization": f"Bearer {unknown}"})
    ask(simulator, headers={"Authorization": "Basic !"})
    first, *others = simulator.requests()
    assert first["time"].endswith("+00:00")
    assert (first["method"], first["path"], first["host"]) == ("GET", "/(secret)", simulator.address)
    assert first["query"] == "password=(secret)&vendor=(secret)"
    assert (first["user"], first["status"], first["range"]) == (public, 404, "bytes=0-9")
    assert first["sent"] > 0
    assert [(entry["user"], entry["authorization"], entry["scheme"]) for entry in others] == [
        ("(unknown)", True, "Basic"),
        ("(unknown)", True, "Basic"),
        (None, True, "Bearer"),
        (None, True, "Basic"),
    ]
    written = (simulator.state / "requests.jsonl").read_text() + (simulator.state / "server.log").read_text()
    token = (simulator.state / "control-token").read_text().strip()
    assert [secret for secret in (private, vendor_password, unknown, token) if secret in written] == []


def test_secrets_on_disk_are_private(simulator: Simulator) -> None:
    simulator.set_switch("challenge", True)
    for name in ("state.json", "control-token", "ca-key.pem", "server.pem"):
        assert (simulator.state / name).stat().st_mode & 0o777 == 0o600, name
    for path in (simulator.state, Path(simulator.ca_path)):
        assert path.stat().st_mode & 0o004, "every user of the machine must be able to read the CA"


def test_control_requires_its_token_and_known_calls(simulator: Simulator) -> None:
    for headers in ({}, basic("admin", "admin"), {"Authorization": "Bearer wrong"}):
        assert ask(simulator, "/_simulator/accounts", headers=headers).status == 401
    for method, path in (("GET", "nothing"), ("PUT", "faults"), ("POST", "keys/a"), ("GET", "accounts/shop/keys")):
        with pytest.raises(BadInput, match="no such call"):
            simulator.call(method, path)
    with pytest.raises(BadInput, match="no such account; the accounts are: shop"):
        simulator.account("nobody")
    with pytest.raises(BadInput, match="unknown fields: entitlement"):
        simulator.set_account("shop", entitlement=["magento/*"])
    # Calls of the control interface are neither logged nor hit by faults.
    simulator.add_fault("status", status=500)
    assert simulator.requests() == []


def test_accounts_can_be_made_and_removed(simulator: Simulator) -> None:
    simulator.set_account("a/b c", entitlements=["magento/*"], keys=[{"label": "k"}])
    key = simulator.key("a/b c", "k")
    assert ask(simulator, key=key).status == 200
    simulator.remove_account("a/b c")
    assert ask(simulator, key=key).status == 401


def test_tls_is_real(simulator: Simulator) -> None:
    context = ssl.create_default_context()
    with socket.create_connection((simulator.host, simulator.port), 5) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="repo.magento.com")
    trusting = ssl.create_default_context(cafile=simulator.ca_path)
    for name in ("repo.magento.com", "www.magentocommerce.com", "commercedeveloper-api.adobe.com", "localhost", "::1"):
        with (
            socket.create_connection((simulator.host, simulator.port), 5) as plain,
            trusting.wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.version() in {"TLSv1.2", "TLSv1.3"}
    with socket.create_connection((simulator.host, simulator.port), 5) as plain, pytest.raises(ssl.SSLError):
        trusting.wrap_socket(plain, server_hostname="other.test")


def test_names_can_be_added_under_the_same_ca(tmp_path: Path) -> None:
    with Simulator(tmp_path) as simulator:
        authority = Path(simulator.ca_path).read_bytes()
    with Simulator(tmp_path, names=["composer.exampleworks.test"]) as simulator:
        assert Path(simulator.ca_path).read_bytes() == authority
        context = ssl.create_default_context(cafile=simulator.ca_path)
        with (
            socket.create_connection((simulator.host, simulator.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="composer.exampleworks.test") as secure,
        ):
            assert secure.getpeercert()


def test_a_server_that_listens_everywhere_is_reached_over_loopback(tmp_path: Path) -> None:
    with Simulator(tmp_path, listen="0.0.0.0:0") as simulator:
        assert (tmp_path / "address").read_text().startswith("0.0.0.0:")
        assert ask(simulator).status == 401
        attached = Simulator.attach(tmp_path, f"localhost:{simulator.port}")
        assert (attached.host, len(attached.requests())) == ("localhost", 1)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_data_files_replace_the_embedded_data(tmp_path: Path, form: str) -> None:
    data = {
        "packages": [{"name": "acme/thing", "group": "odd", "versions": [{"version": "1.0.0", "files": {"a": "b"}}]}],
        "accounts": [
            {"name": "me", "entitlements": ["acme/*"], "keys": [{"label": "l", "public": "u", "private": "p"}]}
        ],
    }
    path = tmp_path / f"data.{form}"
    # JSON is YAML.
    path.write_text(json.dumps(data))
    with Simulator(tmp_path / "state", data=path) as simulator:
        assert list(ask(simulator, key=("u", "p")).json["provider-includes"]) == ["p/provider-odd$%hash%.json"]
        assert ask(simulator, "/archives/acme/thing/acme-thing-1.0.0.0.zip", ("u", "p")).status == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "neither valid YAML nor JSON"),
        ("[]", "data must be an object"),
        ('{"package": []}', "unknown fields: package"),
        ('{"packages": [{"name": "Acme/Thing"}]}', "vendor/name in lower case"),
        ('{"packages": [{"name": "acme/thing", "versions": [{"version": "dev-main"}]}]}', "version dev-main"),
        ('{"accounts": [{"name": "a"}, {"name": "a"}]}', "two accounts are named a"),
    ],
)
def test_unusable_data_is_reported(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "data.yml"
    path.write_text(content)
    result = run("serve", "--state", str(tmp_path / "state"), "--data", str(path))
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_one_server_per_directory_and_port(simulator: Simulator, tmp_path: Path) -> None:
    second = run("serve", "--state", str(simulator.state))
    assert (second.returncode, "another simulator" in second.stderr) == (2, True)
    assert (simulator.state / "address").exists()
    third = run("serve", "--state", str(tmp_path), "--listen", simulator.address)
    assert (third.returncode, "address already in use" in third.stderr) == (1, True)


def test_sigterm_stops_the_server_cleanly(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path).start()
    with connected(simulator) as connection:
        connection.request("GET", "/packages.json")
        assert connection.getresponse().read()
        os.kill(simulator.pid, signal.SIGTERM)
        assert simulator._process is not None
        assert simulator._process.wait(5) == 0
    assert not (tmp_path / "address").exists()
    assert json.loads((tmp_path / "state.json").read_text())["counters"] == {"requests": 1}


def test_server_stops_when_its_parent_dies(tmp_path: Path) -> None:
    code = "import sys, os, signal; from pathlib import Path\n"
    code += "from simulator.client import Simulator\ns = Simulator(Path(sys.argv[1])).start()\n"
    code += "sys.stdout.write(str(s.pid)); sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    parent = subprocess.run(command, cwd=ROOT / "tests", capture_output=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    while (tmp_path / "address").exists():
        time.sleep(0.05)
    assert (tmp_path / "server.log").read_text() == "", parent.stdout


def test_command_line_controls_the_simulator(simulator: Simulator) -> None:
    where = ("--state", str(simulator.state))
    public, private = simulator.key("shop", "web")
    listing = run("account", *where)
    assert f"web  {public}  enabled" in listing.stdout
    assert private not in listing.stdout
    assert "challenge=true  (changed)" in run("switch", *where, "challenge=true", "disabled_key=403").stdout
    assert run("account", *where, "disable", "shop", "web").returncode == 0
    assert ask(simulator, key=(public, private)).status == 403
    assert run("account", *where, "enable", "shop", "web").returncode == 0
    assert run("switch", *where, "--reset").returncode == 0
    assert ask(simulator).headers["WWW-Authenticate"] is None
    fault = run("fault", *where, "add", "status", "status=503", "path=/packages.json", "count=1")
    assert json.loads(fault.stdout)[0]["status"] == 503
    assert ask(simulator, key=(public, private)).status == 503
    assert "403 GET" in run("log", *where).stdout
    assert len(run("log", *where, "--json").stdout.splitlines()) == 3
    assert run("account", *where, "add-key", "shop", "extra").returncode == 0
    assert run("account", *where, "set", "shop", 'entitlements=["magento/framework"]').returncode == 0
    assert list(ask(simulator, key=simulator.key("shop", "extra")).json["provider-includes"]) == [
        "p/provider-ce$%hash%.json"
    ]
    kinds = run("fault", *where, "kinds").stdout
    assert all(f"    {name}: " in kinds for name in (*KINDS, *FIELDS))
    assert run("reset", *where).returncode == 0
    assert (simulator.faults(), simulator.requests()) == ([], [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("switch", "nonsense=1"), "no switch is named nonsense"),
        (("switch", "challenge"), "not of the form name=value"),
        (("fault", "add"), "requires a kind"),
        (("fault", "remove", "99"), "there is no fault 99"),
        (("account", "show"), "requires the name of an account"),
        (("account", "disable", "shop"), "and a label"),
        (("account", "disable", "shop", "none"), "no key labelled none"),
    ],
)
def test_command_line_reports_errors(simulator: Simulator, words: tuple[str, ...], message: str) -> None:
    result = run(words[0], "--state", str(simulator.state), *words[1:])
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


def test_command_line_without_a_server_fails(tmp_path: Path) -> None:
    result = run("log", "--state", str(tmp_path))
    assert (result.returncode, "no simulator is running" in result.stderr) == (2, True)
