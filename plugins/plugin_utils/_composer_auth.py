# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that Composer would use for the current user outside of any project."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import HTTP_BASIC, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.home import Home, composer_homes
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.precedence import Source, Sources, winner
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, MalformedFile
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import own_account
from ansible_collections.keyfleet.magento.plugins.module_utils._files.read import observe

ENVIRONMENT = "COMPOSER_AUTH"


def _source(name: str, data: Optional[bytes]) -> List[Source]:
    if data is None:
        return []
    try:
        return [Source(name, name, parse(data))]
    except MalformedFile as malformed:
        raise KeyfleetError("malformed_file", f"Composer cannot use {name}: {malformed}") from None


def _home(environ: Mapping[str, str]) -> Home:
    homes = [home for home in composer_homes(own_account(), environ=environ).homes if home.read_first]
    # If two homes are possible, Composer decides by the XDG_ variables of a desktop session.
    in_session = any(name.startswith("XDG_") for name in environ)
    return homes[0] if in_session else homes[-1]


def _sources(path: Optional[str], environ: Mapping[str, str]) -> List[Source]:
    """The sources of credentials, in ascending precedence."""
    if path is not None:
        return _source(path, observe(os.path.abspath(path), parse=bytes).data)
    home = _home(environ)
    own = _source(home.auth_file, observe(home.auth_file, parse=bytes).data)
    config = [one for one in Sources({}).read_by(None, [home], None) if one.path == home.config_file]
    text = environ.get(ENVIRONMENT, "")
    # "0" is false in PHP.
    given = None if text in ("", "0") else text.encode("utf-8", "surrogateescape")
    return [*config, *own, *_source(ENVIRONMENT, given)]


def own_entry(repository: str, *, path: Optional[str], environ: Mapping[str, str]) -> Dict[str, Any]:
    """The pair for ``repository``, with the secret. Raises `KeyfleetError` without an entry or without a user name."""
    won = winner(_sources(path, environ), repository)
    if won is None:
        where = path or f"{ENVIRONMENT} and the user's own auth.json"
        raise KeyfleetError("no_entry", f"There is no entry for {repository} in {where}")
    if won.entry.section != HTTP_BASIC:
        what = f"The entry for {repository} in {won.source.path} is in {won.entry.section}, which has no user name"
        raise KeyfleetError("no_entry", what)
    return {
        "repository": repository,
        "public_key": won.entry.username,
        "private_key": won.entry.secret,
        "source": won.source.path,
    }
