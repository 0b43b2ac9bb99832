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
from _control import Run, control
from _holders_lab import EXAMPLES, TOKEN, Stand, entry_of, example, gitlab, kv2, of, pair_of
from _rotation_lab import OLD, PYTHON, Fleet, fleet, today, words

__all__ = ["control", "fleet", "gitlab", "kv2"]

# Whole rotations look into the homes of all users.
needs_root = pytest.mark.needs("root", PYTHON)

PASSWORD = "made-up password of the images"
REFUSED = "somebody has not confirmed the pair, which blocks the retirement"


def done(run: Run) -> None:
    """Nobody has refused anything."""
    assert run.status == 0 and REFUSED not in words(run), run.output


def refused(run: Run) -> None:
    """The holder has not taken the pair, and nothing else has gone wrong."""
    assert run.status == 0 and REFUSED in words(run), run.output


def quiet(run: Run, *secrets: str) -> None:
    """None of these was printed; `Fleet.run` looks for the keys."""
    for secret in (TOKEN, PASSWORD, *secrets):
        assert secret not in run.output + json.dumps(run.record), "a secret was printed"


def rotate(fleet: Fleet, stand: Stand, *more: str, playbook: str = "rotate", **variables: Any) -> Run:
    of(fleet, "web1")
    settings = {"external_holders": example(stand.tasks), "external_holders_acknowledged": False}
    run = fleet.run(playbook, "-vvvv", *more, settings=settings, **{**stand.variables, **variables})
    quiet(run)
    return run


def issue(fleet: Fleet, stand: Stand, *more: str, **variables: Any) -> Run:
    """All that asks a holder to publish; that one that refuses blocks the retirement: test_rotation_holders.py."""
    return rotate(fleet, stand, *more, playbook="rotate_issue", **variables)


@pytest.fixture
def vault_file(tmp_path: Path) -> Stand:
    """The variables of ansible-vault.yml."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    password = f"{{{{ lookup('ansible.builtin.file', '{tmp_path}/password') }}}}"
    file = tmp_path / "magento.yml"
    return Stand(file, {"pair_vault_file": str(file), "pair_vault_password": password}, "ansible-vault.yml")


def view(stand: Stand) -> str:
    """What ansible-vault shows."""
    program = str(Path(sys.executable).with_name("ansible-vault"))
    password = str(stand.service.with_name("password"))
    words = [program, "view", "--vault-password-file", password, str(stand.service)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def encrypt(stand: Stand, text: str) -> bytes:
    """A file that somebody has made by hand."""
    stand.service.write_text(text)
    program = str(Path(sys.executable).with_name("ansible-vault"))
    password = str(stand.service.with_name("password"))
    subprocess.run(
        [program, "encrypt", "--vault-password-file", password, str(stand.service)], check=True, capture_output=True
    )
    content: bytes = stand.service.read_bytes()
    return content


def test_every_file_is_an_example() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {"ansible-vault.yml", "gitlab.yml", "hashicorp-vault.yml"}


@needs_root
def test_a_vault_file(fleet: Fleet, vault_file: Stand) -> None:
    # With the password loaded, ansible-core decrypts what it copies unless it is told not to.
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
    # Plain text is no answer, even if it is the right one; nor is a file that others may read.
    vault_file.service.write_text(view(vault_file))
    done(issue(fleet, vault_file))
    assert yaml.safe_load(view(vault_file)) == held
    vault_file.service.chmod(0o644)
    done(issue(fleet, vault_file))
    assert vault_file.service.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["somebody: elses\n", "{: not YAML, but secret-words\n"])
def test_a_vault_file_with_anything_else_is_left(fleet: Fleet, vault_file: Stand, text: str) -> None:
    content = encrypt(vault_file, text)
    run = issue(fleet, vault_file)
    refused(run)
    quiet(run, "secret-words")
    assert vault_file.service.read_bytes() == content


def test_a_vault_file_of_another_password_is_left(fleet: Fleet, vault_file: Stand) -> None:
    content = encrypt(vault_file, "somebody: elses\n")
    vault_file.service.with_name("password").write_text("another one\n")
    refused(issue(fleet, vault_file))
    assert vault_file.service.read_bytes() == content


@needs_root
def test_hashicorp_vault(fleet: Fleet, kv2: Stand) -> None:
    kv2.service.versions = [{"note": "somebody's"}, None]
    done(rotate(fleet, kv2))
    public, private = pair_of(fleet, today())
    assert kv2.service.versions[2:] == [{"public_key": public, "private_key": private}]
    assert fleet.series() == {OLD: False, today(): True}
    assert kv2.service.asked == ["GET", "GET", "POST", "GET", "GET"]
    done(issue(fleet, kv2))
    assert kv2.service.asked[5:] == ["GET"]


def test_other_fields_of_the_secret_stay(fleet: Fleet, kv2: Stand) -> None:
    kv2.service.versions = [{"note": "somebody's", "private_key": "an older one", "count": 3}]
    done(issue(fleet, kv2))
    public, private = pair_of(fleet, today())
    written = {"note": "somebody's", "count": 3, "public_key": public, "private_key": private}
    assert kv2.service.versions[1:] == [written]


def test_somebody_writes_the_first_secret_meanwhile(fleet: Fleet, kv2: Stand) -> None:
    kv2.service.meanwhile = lambda: kv2.service.versions.append({"note": "written meanwhile"})
    refused(issue(fleet, kv2))
    assert kv2.service.versions == [{"note": "written meanwhile"}]
    done(issue(fleet, kv2))
    assert kv2.service.versions[-1]["note"] == "written meanwhile" and len(kv2.service.versions) == 2


@needs_root
def test_gitlab(fleet: Fleet, gitlab: Stand) -> None:
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


def test_other_repositories_of_the_variable_stay(fleet: Fleet, gitlab: Stand) -> None:
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
    # Whoever takes the protection away does not get the pair confirmed.
    variable["protected"] = False
    done(issue(fleet, gitlab))
    assert variable["protected"] and gitlab.service.asked[4:] == ["GET", "GET", "PUT", "GET"]


@pytest.mark.parametrize("value", ["secret-words {", '"secret-words"'])
def test_a_variable_that_is_no_object_is_left(fleet: Fleet, gitlab: Stand, value: str) -> None:
    gitlab.service.put(value)
    run = issue(fleet, gitlab)
    refused(run)
    quiet(run, "secret-words")
    assert gitlab.service.variables["COMPOSER_AUTH", "*"]["value"] == value


@pytest.mark.parametrize("name", ["kv2", "gitlab"])
def test_a_service_that_refuses(
    fleet: Fleet, name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand: Stand = request.getfixturevalue(name)
    prefix = stand.tasks.removesuffix(".yml").replace("-", "_")
    # What stands there for another purpose is not sent.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    stand.service.writes_fail = 403
    refused(issue(fleet, stand))
    assert len(stand.service.asked) == 3
    # A token that is not set or could not be sent, an unknown authority: nobody is asked.
    for token in ("", f"{TOKEN}\n{TOKEN}"):
        (tmp_path / name / "token").write_text(token)
        refused(issue(fleet, stand))
    (tmp_path / name / "token").write_text(TOKEN)
    refused(issue(fleet, stand, **{f"{prefix}_ca_path": None}))
    assert len(stand.service.asked) == 3
    # Nobody goes where a redirection leads: one question for each phase.
    stand.service.moved = stand.variables[f"{prefix}_host"]
    refused(issue(fleet, stand))
    assert len(stand.service.asked) == 5
    stand.service.moved = stand.service.writes_fail = None
    done(issue(fleet, stand))
