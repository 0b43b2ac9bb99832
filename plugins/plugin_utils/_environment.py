# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""COMPOSER_AUTH for the keys of the role. Pure."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import bad_options, keys_from
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import Document, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import with_entry

PREFIX = "magento_auth_"


def composer_auth_text(variables: Mapping[str, Any]) -> str:
    """One line of JSON with the keys that the role would install for a user, checked by the same rules.

    ``variables`` are the role's variables without their prefix. Keys for projects or files only are omitted: in the
    environment they would take precedence over the user's own key everywhere. Raises `KeyfleetError`.
    """
    given = {name: value for name, value in variables.items() if value is not None}
    listed = given.get("keys", ())
    if not (isinstance(listed, (list, tuple)) and all(isinstance(key, Mapping) for key in listed)):
        raise bad_options(f"{PREFIX}keys must be a list of dictionaries")
    for state in [given.get("state", "present"), *(key.get("state") or "present" for key in listed)]:
        if state not in ("present", "absent"):
            raise bad_options(f"{PREFIX}state must be present or absent")
    document: Document = {}
    titles: Dict[str, str] = {}
    for key in keys_from({"state": "present", **given}, prefix=PREFIX):
        if not key.present or ((key.projects or key.paths) and not key.users):
            continue
        changed = with_entry(
            document, repository=key.repository, username=key.public_key or "", password=key.private_key
        )
        if key.repository in titles and changed != document:
            raise bad_options(
                f"two different keys for {key.repository} are meant for COMPOSER_AUTH: "
                f"{titles[key.repository]} and {key.title}"
            )
        titles.setdefault(key.repository, key.title)
        document = changed
    text = json.dumps(document, ensure_ascii=True)
    parse(text.encode("ascii"))  # fails if Composer could not read it
    return text
