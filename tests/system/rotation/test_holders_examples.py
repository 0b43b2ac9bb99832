# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task files of docs/holders in a real rotation, with stand-ins for HashiCorp Vault and GitLab."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from system.control import PYTHON, Run
from system.rotation.holders import EXAMPLES, TOKEN, ExampleHolder, entry_of, example, pair_of, use_hosts
from system.rotation.lab import OLD, Fleet, today, unwrapped

# Complete rotations search the homes of all users.
needs_root = pytest.mark.needs("root", PYTHON)

PASSWORD = "made-up password of the images"
REFUSED = "somebody has not confirmed the pair, which blocks the retirement"


def done(run: Run) -> None:
    """The run succeeded, and the holder confirmed the pair."""
    assert run.status == 0 and REFUSED not in unwrapped(run), run.output


def refused(run: Run) -> None:
    """The holder did not confirm the pair, and the run succeeded otherwise."""
    assert run.status == 0 and REFUSED in unwrapped(run), run.output


def quiet(run: Run, *secrets: str) -> None:
    """Assert that no secret was printed; `Fleet.run` does this for the keys."""
    for secret in (TOKEN, PASSWORD, *secrets):
        assert secret not in run.output + json.dumps(run.record), "a secret was printed"


def rotate(fleet: Fleet, holder: ExampleHolder, *more: str, playbook: str = "rotate", **variables: Any) -> Run:
    use_hosts(fleet, "web1")
    settings = {"external_holders": example(holder.tasks), "external_holders_acknowledged": False}
    run = fleet.run(playbook, "-vvvv", *more, settings=settings, **{**holder.variables, **variables})
    quiet(run)
    return run


def issue(fleet: Fleet, holder: ExampleHolder, *more: str, **variables: Any) -> Run:
    """Run only rotate_issue. That a refusal blocks the retirement is tested in test_holders.py."""
    return rotate(fleet, holder, *more, playbook="rotate_issue", **variables)


@pytest.fixture
def vault_file(tmp_path: Path) -> ExampleHolder:
    """The example ansible-vault.yml, with a file and a password."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    password = f"{{{{ lookup('ansible.builtin.file', '{tmp_path}/password') }}}}"
    file = tmp_path / "magento.yml"
    return ExampleHolder(file, {"pair_vault_file": str(file), "pair_vault_password": password}, "ansible-vault.yml")


def view(holder: ExampleHolder) -> str:
    """The decrypted content of the file."""
    program = str(Path(sys.executable).with_name("ansible-vault"))
    password = str(holder.service.with_name("password"))
    words = [program, "view", "--vault-password-file", password, str(holder.service)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def encrypt(holder: ExampleHolder, text: str) -> bytes:
    """Create an encrypted file by hand. Returns its bytes."""
    holder.service.write_text(text)
    program = str(Path(sys.executable).with_name("ansible-vault"))
    password = str(holder.service.with_name("password"))
    subprocess.run(
        [program, "encrypt", "--vault-password-file", password, str(holder.service)], check=True, capture_output=True
    )
    content: bytes = holder.service.read_bytes()
    return content


def test_all_holder_files_are_tested() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {"ansible-vault.yml", "gitlab.yml", "hashicorp-vault.yml"}


@needs_root
def test_a_vault_file(fleet: Fleet, vault_file: ExampleHolder) -> None:
    # If the vault password is loaded, ansible.builtin.copy decrypts files by default.
    loaded = ["--vault-password-file", str(vault_file.service.with_name("password"))]
    done(rotate(fleet, vault_file, *loaded))
    public, private = pair_of(fleet, today())
    written = vault_file.service.stat()
    assert vault_file.service.read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    held = {"vault_magento_public_key": public, "vault_magento_private_key": private}
    assert (yaml.safe_load(view(vault_file)), written.st_mode & 0o777) == (held, 0o600)
    assert fleet.series() == {OLD: False, today(): True}
    done(issue(fleet, vault_file))
    assert vault_file.service.stat() == written
    # A file in plain text, or one that others may read, is not confirmed, and is written again.
    vault_file.service.write_text(view(vault_file))
    done(issue(fleet, vault_file))
    assert yaml.safe_load(view(vault_file)) == held
    vault_file.service.chmod(0o644)
    done(issue(fleet, vault_file))
    assert vault_file.service.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["somebody: elses\n", "{: not YAML, but secret-words\n"])
def test_a_vault_file_with_other_content_is_not_changed(fleet: Fleet, vault_file: ExampleHolder, text: str) -> None:
    content = encrypt(vault_file, text)
    run = issue(fleet, vault_file)
    refused(run)
    quiet(run, "secret-words")
    assert vault_file.service.read_bytes() == content


def test_a_vault_file_with_another_password_is_not_changed(fleet: Fleet, vault_file: ExampleHolder) -> None:
    content = encrypt(vault_file, "somebody: elses\n")
    vault_file.service.with_name("password").write_text("another one\n")
    refused(issue(fleet, vault_file))
    assert vault_file.service.read_bytes() == content


@needs_root
def test_hashicorp_vault(fleet: Fleet, kv2: ExampleHolder) -> None:
    kv2.service.versions = [{"note": "somebody's"}, None]
    done(rotate(fleet, kv2))
    public, private = pair_of(fleet, today())
    assert kv2.service.versions[2:] == [{"public_key": public, "private_key": private}]
    assert fleet.series() == {OLD: False, today(): True}
    assert kv2.service.asked == ["GET", "GET", "POST", "GET", "GET"]
    done(issue(fleet, kv2))
    assert kv2.service.asked[5:] == ["GET"]


def test_other_fields_of_the_secret_are_kept(fleet: Fleet, kv2: ExampleHolder) -> None:
    kv2.service.versions = [{"note": "somebody's", "private_key": "an older one", "count": 3}]
    done(issue(fleet, kv2))
    public, private = pair_of(fleet, today())
    written = {"note": "somebody's", "count": 3, "public_key": public, "private_key": private}
    assert kv2.service.versions[1:] == [written]


def test_a_secret_written_meanwhile_is_not_overwritten(fleet: Fleet, kv2: ExampleHolder) -> None:
    kv2.service.meanwhile = lambda: kv2.service.versions.append({"note": "written meanwhile"})
    refused(issue(fleet, kv2))
    assert kv2.service.versions == [{"note": "written meanwhile"}]
    done(issue(fleet, kv2))
    assert kv2.service.versions[-1]["note"] == "written meanwhile" and len(kv2.service.versions) == 2


@needs_root
def test_gitlab(fleet: Fleet, gitlab: ExampleHolder) -> None:
    gitlab.service.put("of one environment", scope="production")
    done(rotate(fleet, gitlab))
    variable = gitlab.service.variables["COMPOSER_AUTH", "*"]
    assert entry_of(variable["value"]) == pair_of(fleet, today())
    assert variable["masked"] and variable["protected"]
    assert gitlab.service.variables["COMPOSER_AUTH", "production"]["value"] == "of one environment"
    assert fleet.series() == {OLD: False, today(): True}
    assert gitlab.service.asked == ["GET", "GET", "POST", "GET", "GET"]
    done(issue(fleet, gitlab, gitlab_project=7))
    assert gitlab.service.asked[5:] == ["GET"]


def test_other_repositories_of_the_variable_are_kept(fleet: Fleet, gitlab: ExampleHolder) -> None:
    public, private = pair_of(fleet, OLD)
    other = {"username": "token", "password": "of-example"}
    entries = {"example.com": other, "repo.magento.com": {"username": public, "password": private}}
    gitlab.service.put(json.dumps({"http-basic": entries, "bearer": {"example.org": "other"}}))
    done(issue(fleet, gitlab))
    variable = gitlab.service.variables["COMPOSER_AUTH", "*"]
    assert entry_of(variable["value"]) == pair_of(fleet, today())
    written = json.loads(variable["value"])
    assert (written["http-basic"]["example.com"], written["bearer"]) == (other, {"example.org": "other"})
    assert variable["masked"] and variable["protected"] and gitlab.service.asked == ["GET", "GET", "PUT", "GET"]
    # A variable that is not protected is not confirmed, and is written again.
    variable["protected"] = False
    done(issue(fleet, gitlab))
    assert variable["protected"] and gitlab.service.asked[4:] == ["GET", "GET", "PUT", "GET"]


@pytest.mark.parametrize("value", ["secret-words {", '"secret-words"'])
def test_a_variable_that_is_not_an_object_is_not_changed(fleet: Fleet, gitlab: ExampleHolder, value: str) -> None:
    gitlab.service.put(value)
    run = issue(fleet, gitlab)
    refused(run)
    quiet(run, "secret-words")
    assert gitlab.service.variables["COMPOSER_AUTH", "*"]["value"] == value


@pytest.mark.parametrize("name", ["kv2", "gitlab"])
def test_a_service_that_refuses(
    fleet: Fleet, name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder: ExampleHolder = request.getfixturevalue(name)
    prefix = holder.tasks.removesuffix(".yml").replace("-", "_")
    # Credentials of the netrc are not sent.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    holder.service.writes_fail = 403
    refused(issue(fleet, holder))
    assert len(holder.service.asked) == 3
    # With an empty token, an invalid token or an unknown CA, no request is sent.
    for token in ("", f"{TOKEN}\n{TOKEN}"):
        (tmp_path / name / "token").write_text(token)
        refused(issue(fleet, holder))
    (tmp_path / name / "token").write_text(TOKEN)
    refused(issue(fleet, holder, **{f"{prefix}_ca_path": None}))
    assert len(holder.service.asked) == 3
    # Redirections are not followed: one request for each phase.
    holder.service.moved = holder.variables[f"{prefix}_host"]
    refused(issue(fleet, holder))
    assert len(holder.service.asked) == 5
    holder.service.moved = holder.service.writes_fail = None
    done(issue(fleet, holder))
