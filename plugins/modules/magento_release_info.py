#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the release files that an account may download."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_release_info
short_description: List the release files that an account may download
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Lists the release files of Magento Open Source and Adobe Commerce that the server's feed offers to a MAGEID.
  - Unknown categories are listed, too.
  - The module changes nothing in any mode.
options:
  version:
    description:
      - Only files of this version or for this version, such as its patches. C(*) matches any text.
      - A file for several versions is listed once for each of them.
    type: str
  type:
    description:
      - Only files of this category, such as C(ce-full), C(ee-full), C(ce-patch), C(ee-patch) or C(other). C(*) matches
        any text.
    type: str
  name:
    description:
      - Only files with this name or file name, ignoring case. C(*) matches any text.
    type: str
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.downloads.credentials
  - keyfleet.magento.attributes.info
  - keyfleet.magento.attributes
seealso:
  - module: keyfleet.magento.magento_release
  - module: keyfleet.magento.magento_download_token
"""

EXAMPLES = r"""
- name: List all full releases of 2.4 with the installed token
  keyfleet.magento.magento_release_info:
    version: 2.4.*
    type: "*-full"
  register: releases

- name: Show their file names
  ansible.builtin.debug:
    msg: "{{ releases.releases | map(attribute='file_name') }}"

- name: List a patch with a token from a vault
  keyfleet.magento.magento_release_info:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    name: "*SUPEE-6788*"
"""

RETURN = r"""
releases:
  description: The files, in the order of the feed.
  returned: success
  type: list
  elements: dict
  contains:
    category:
      description: Category of the file.
      type: str
      sample: ce-full
    version:
      description: Version of the file in the feed. Null in categories without versions.
      type: str
      sample: 2.4.8
    name:
      description: Name of the release or patch.
      type: str
      sample: Version 2.4.8
    file_name:
      description: Name of the file, for O(keyfleet.magento.magento_release#module:file_name).
      type: str
      sample: Magento-CE-2.4.8.zip
    md5:
      description: MD5 of the file, or null if the feed has none.
      type: str
      sample: 9e107d9d372bb6826bd81d3542a419d6
    ce_versions:
      description: Versions of Magento Open Source that the file is for, if the feed names them.
      type: list
      elements: str
      sample: ["2.4.8"]
    ee_versions:
      description: Versions of Adobe Commerce that the file is for, if the feed names them.
      type: list
      elements: str
      sample: []
problems:
  description: >-
    Problems that need attention. Each has C(code), C(path) and C(message), as in
    RV(keyfleet.magento.magento_auth_key#module:problems).
  returned: always
  type: list
  elements: dict
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: token_invalid
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import SOURCE_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.source import list_releases
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

ARGUMENT_SPEC = dict(
    version=dict(type="str"),
    type=dict(type="str"),
    name=dict(type="str"),
    **SOURCE_SPEC,
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: list_releases(module.params), releases=[])


if __name__ == "__main__":
    main()
