# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acting as another account and coming back; and what one who is not root may do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import _file_lab
import pytest
from _file_lab import (
    Accounts,
    Workers,
    entry_text,
    facts,
    give,
    owner_and_mode,
    write,
)

from ansible_collections.keyfleet.magento.plugins.module_utils._identity import acting_as, identity_of, own_identity

pytestmark = pytest.mark.needs("root")
accounts, lab, same_ids, workers = _file_lab.accounts, _file_lab.lab, _file_lab.same_ids, _file_lab.workers


def test_acting_as_another_and_back_whatever_happens(accounts: Accounts) -> None:
    before = own_identity()
    deploy = identity_of(accounts.deploy.uid, 0)
    assert deploy.gid == accounts.deploy.gid and accounts.deploy.gid in deploy.groups
    with pytest.raises(ZeroDivisionError), acting_as(deploy):
        assert own_identity() == deploy and os.getuid() == 0
        with acting_as(before):
            assert own_identity() == before
        with acting_as(identity_of(accounts.other.uid, 0)):
            assert os.geteuid() == accounts.other.uid
        assert own_identity() == deploy
        raise ZeroDivisionError
    assert own_identity() == before
    nobody = identity_of(4242424, 17)
    assert (nobody.gid, nobody.groups) == (17, (17,))


def test_account_without_a_name(lab: Path) -> None:
    site = lab / "site"
    site.mkdir()
    os.chown(site, 4242424, 17)
    write(site / "auth.json")
    assert owner_and_mode(site / "auth.json") == (4242424, 17, 0o600)


def test_not_root_may_not_give_away(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", accounts.deploy, 0o755)
    path = site / "auth.json"
    refusals: list[dict[str, Any]] = [{"uid": accounts.other.uid}, {"gid": accounts.other.gid}]
    for asked in refusals:
        assert workers.run(path, act_as=accounts.deploy.uid, **asked)["code"] == "permission_denied"
        assert os.listdir(site) == []
    assert workers.run(path, act_as=accounts.deploy.uid)["changed"] == [True]
    assert owner_and_mode(path) == (accounts.deploy.uid, accounts.deploy.gid, 0o600)


def test_not_root_takes_nothing_over(accounts: Accounts, lab: Path, workers: Workers) -> None:
    site = give(lab / "site", None, 0o777)
    path = give(site / "auth.json", accounts.other, 0o644, entry_text("theirs.example"))
    before = facts(path)
    assert workers.run(path, act_as=accounts.deploy.uid)["code"] == "foreign_owner"
    assert facts(path) == before and os.listdir(site) == ["auth.json"]
