#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which release files an account may download."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_release_info
short_description: Tell which release files an account may download
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Lists the release files of Magento Open Source and Adobe Commerce that a MAGEID may download, as the server's own
    feed has them.
  - Categories that nobody has heard of are listed like the others.
  - The module changes nothing in any mode.
options:
  version:
    description:
      - Only files of this version, or for it, such as the patches of a version. C(*) stands for anything.
      - A file for several versions is listed under each of them.
    type: str
  type:
    description:
      - Only files of this category, C(ce-full), C(ee-full), C(ce-patch), C(ee-patch), C(other) or any other one. C(*)
        stands for anything.
    type: str
  name:
    description:
      - Only files with this name or file name. C(*) stands for anything, and case does not count.
    type: str
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.downloads.credentials
  - keyfleet.magento.attributes.info
seealso:
  - module: keyfleet.magento.magento_release
  - module: keyfleet.magento.magento_download_token
"""

EXAMPLES = r"""
- name: Every full release of 2.4, with the token that is installed for the user
  keyfleet.magento.magento_release_info:
    version: 2.4.*
    type: "*-full"
  register: releases

- name: Their file names
  ansible.builtin.debug:
    msg: "{{ releases.releases | map(attribute='file_name') }}"

- name: A patch, with a token from the vault
  keyfleet.magento.magento_release_info:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    name: "*SUPEE-6788*"
"""

RETURN = r"""
releases:
  description: The files on offer, in the order of the feed.
  returned: success
  type: list
  elements: dict
  contains:
    category:
      description: The category.
      type: str
      sample: ce-full
    version:
      description: The version under which the feed has it. None in categories without versions.
      type: str
      sample: 2.4.8
    name:
      description: Its name.
      type: str
      sample: Version 2.4.8
    file_name:
      description: Name of the file, as M(keyfleet.magento.magento_release) wants it.
      type: str
      sample: Magento-CE-2.4.8.zip
    md5:
      description: Its MD5, or none where the feed has none.
      type: str
      sample: 9e107d9d372bb6826bd81d3542a419d6
    ce_versions:
      description: Versions of Magento Open Source that it is for, where the feed says so.
      type: list
      elements: str
      sample: ["2.4.8"]
    ee_versions:
      description: Versions of Adobe Commerce that it is for, where the feed says so.
      type: list
      elements: str
      sample: []
problems:
  description: What deserves attention.
  returned: always
  type: list
  elements: dict
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: token_invalid
"""

from typing import Any, Dict, Mapping

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import (
    CREDENTIALS_SPEC,
    DOWNLOADS_SPEC,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.source import list_releases
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._module import TokenDoor

ARGUMENT_SPEC = dict(
    version=dict(type="str"),
    type=dict(type="str"),
    name=dict(type="str"),
    **CREDENTIALS_SPEC,
    **DOWNLOADS_SPEC,
)


def run(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Ask for the feed; returns the result as documented, or raises `KeyfleetError`."""
    return list_releases(params)


def main() -> None:
    """The door that Ansible knocks at."""
    module = TokenDoor(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error, releases=[])
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
