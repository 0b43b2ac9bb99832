# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting as another account and restoring the identity; and the limits of a user who is not root."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    acting_as,
    identity_of,
    own_identity,
)
from system.files.lab import (
    Accounts,
    Workers,
    entry_text,
    facts,
    give,
    owner_and_mode,
    refused,
    write,
)

pytestmark = pytest.mark.needs("root")


def test_acting_as_restores_the_identity(accounts: Accounts) -> None:
    before = own_identity()
    deploy = identity_of(accounts.deploy.uid)
    assert deploy.gid == accounts.deploy.gid and accounts.deploy.gid in deploy.groups
    with pytest.raises(ZeroDivisionError), acting_as(deploy):
        assert own_identity() == deploy and os.getuid() == 0
        with acting_as(before):
            assert own_identity() == before
        with acting_as(identity_of(accounts.other.uid)):
            assert os.geteuid() == accounts.other.uid
        assert own_identity() == deploy
        raise ZeroDivisionError
    assert own_identity() == before
    own_groups = os.getgroups()
    try:
        os.setgroups([0, 4, 27])
        with acting_as(deploy):
            assert os.getgroups() == list(deploy.groups) == [accounts.deploy.gid]
        assert os.getgroups() == [0, 4, 27]
    finally:
        os.setgroups(own_groups)
    nobody = identity_of(4242424)
    assert (nobody.gid, nobody.groups) == (4242424, ())
    # It does not get the group of another account that has the same number.
    name = accounts.deploy.name.replace("deploy", "group")
    subprocess.run(["groupadd", "--gid", "4343434", name], check=True)
    try:
        assert identity_of(4343434).gid == 4343435
    finally:
        subprocess.run(["groupdel", name], check=True)


def test_supplementary_groups_of_the_account_apply(accounts: Accounts, lab: Path) -> None:
    """A link leads to a directory that only the group of the account may write to."""
    site = give(lab / "site", accounts.deploy, 0o755)
    shared = give(lab / "shared", None, 0o770)
    os.chown(shared, 0, accounts.web.gid)
    accounts.deploy.run(f"ln -s {shared} {site}/shared")
    refused(site / "shared/auth.json", "permission_denied")
    subprocess.run(["usermod", "-aG", str(accounts.web.gid), accounts.deploy.name], check=True)
    identity_of.cache_clear()
    try:
        write(site / "shared/auth.json")
        assert owner_and_mode(shared / "auth.json") == (accounts.deploy.uid, accounts.deploy.gid, 0o600)
    finally:
        subprocess.run(["gpasswd", "-d", accounts.deploy.name, accounts.web.name], check=True, capture_output=True)
        identity_of.cache_clear()


def test_account_without_a_name(lab: Path) -> None:
    site = lab / "site"
    site.mkdir()
    os.chown(site, 4242424, 17)
    write(site / "auth.json")
    assert owner_and_mode(site / "auth.json") == (4242424, 17, 0o600)


def test_ordinary_user_cannot_change_owner_or_group(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    refusals: list[dict[str, Any]] = [{"uid": accounts.other.uid}, {"gid": accounts.other.gid}]
    for asked in refusals:
        assert workers.run(path, act_as=accounts.deploy.uid, **asked)["code"] == "permission_denied"
        assert os.listdir(site) == []
    assert workers.run(path, act_as=accounts.deploy.uid)["changed"] == [True]
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_ordinary_user_does_not_replace_a_file_of_another_user(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", None, 0o777)
    path = give(site / "auth.json", accounts.other, 0o644, entry_text("theirs.example"))
    before = facts(path)
    assert workers.run(path, act_as=accounts.deploy.uid)["code"] == "foreign_owner"
    assert facts(path) == before and os.listdir(site) == ["auth.json"]
