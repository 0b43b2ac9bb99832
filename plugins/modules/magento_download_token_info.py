#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell whether a token for release downloads works from a host, and what its account sees."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_download_token_info
short_description: Tell whether a token for release downloads works from a host
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - With O(mage_id) and O(token), has the host's own curl ask whether that pair works. Nothing is written.
  - Otherwise asks through the netrc files of users, and shows which MAGEID curl finds there, never the
    token.
  - Tells whether the account is shown files of Adobe Commerce.
  - The module changes nothing in any mode.
options:
  mage_id:
    description:
      - MAGEID of a pair to check. O(token) is then needed, too.
    type: raw
  token:
    description:
      - Download token of a pair to check. It is sent to the server and to nobody else, and is not part of the answer.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        prints the literal arguments of a task that fails.
    type: raw
  users:
    description:
      - Users whose C(~/.netrc) is looked at.
      - When nothing at all is given, the user that the module runs as.
    type: list
    elements: str
  paths:
    description:
      - Explicit netrc files, each asked through.
    type: list
    elements: path
  host:
    description:
      - Machine whose entry is looked at. Files are asked through only where O(downloads_url) is an address of it.
    type: str
    default: www.magentocommerce.com
  fail_on:
    description:
      - Verdicts that make the module fail. Without it, the answer is the verdict and the module succeeds.
    type: list
    elements: str
    choices: [invalid, refused, unknown]
    default: []
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.attributes.info
seealso:
  - module: keyfleet.magento.magento_download_token
"""

EXAMPLES = r"""
# Ad hoc: does this token work from these hosts? Both come from a vault file. Where it does not, the host fails.
# ansible web -m keyfleet.magento.magento_download_token_info -e @vault.yml -a 'mage_id={{ vault_magento_mage_id }}
#   token={{ vault_magento_download_token }} fail_on=invalid,refused,unknown'

# Ad hoc: does the installed one?
# ansible web -b -m keyfleet.magento.magento_download_token_info -a 'users=deploy fail_on=invalid,refused,unknown'

- name: Check a token from the host, without writing anything
  keyfleet.magento.magento_download_token_info:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
  register: pair

- name: Stop unless it is valid and sees Adobe Commerce
  ansible.builtin.assert:
    that:
      - pair.verdicts[0].status == 'valid'
      - pair.verdicts[0].commerce is true
"""

RETURN = r"""
files:
  description: The files that were looked at.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file as it was named or found.
      type: str
      sample: /home/deploy/.netrc
    real_path:
      description: The file itself, links resolved.
      type: str
      sample: /home/deploy/.netrc
    exists:
      description: Whether there is such a file.
      type: bool
      sample: true
    host:
      description: The machine that was looked up.
      type: str
      sample: www.magentocommerce.com
    mage_id:
      description: >-
        The MAGEID that curl finds for it, or none. A login that is no MAGEID is V(set), since some people keep secrets
        there.
      type: str
      sample: MAG123456789
    fingerprint:
      description: V(sha256:) and 12 digits for a token of 40 hexadecimal digits. Any other password is V(set).
      type: str
      sample: sha256:f830125c0db7
    owner:
      description: Owner of the file.
      type: str
      sample: deploy
    group:
      description: Group of the file.
      type: str
      sample: deploy
    mode:
      description: Mode of the file.
      type: str
      sample: "0600"
verdicts:
  description: What the server says of the pair that was given, and through each file that has one.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The machine of the entry.
      type: str
      sample: www.magentocommerce.com
    url:
      description: The address that was asked.
      type: str
      sample: https://www.magentocommerce.com/products/downloads/info/help
    mage_id:
      description: The MAGEID.
      type: str
      sample: MAG123456789
    path:
      description: The file through which curl asked. None for the pair that was given.
      type: str
      sample: /home/deploy/.netrc
    status:
      description: One of V(valid), V(invalid), V(refused), V(unknown) and V(not_checked).
      type: str
      sample: valid
    code:
      description: Stable code of the reason.
      type: str
      sample: token_valid
    http_status:
      description: Status of the answer, if there was one.
      type: int
      sample: 200
    message:
      description: The reason in words, with what curl and the server said and what to look at next.
      type: str
      sample: https://www.magentocommerce.com/products/downloads/info/help accepts this MAGEID and token.
    commerce:
      description: Whether the account is shown files of Adobe Commerce (C(ee-*)). None where that is not known.
      type: bool
      sample: false
    curl:
      description: What curl itself said, or none where it was not asked.
      type: dict
      contains:
        exit_code:
          description: Its exit code, 0 where an answer came.
          type: int
          sample: 0
        error:
          description: Its error text, if there was one.
          type: str
          sample: "curl: (60) SSL certificate problem: self-signed certificate"
        version:
          description: Its version.
          type: str
          sample: 7.88.1
problems:
  description: What deserves attention, such as files that curl cannot read or that others can.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: Stable code.
      type: str
      sample: readable_by_others
    path:
      description: The file, if it is about one.
      type: str
      sample: /home/deploy/.netrc
    message:
      description: The problem in words.
      type: str
      sample: everybody can use it
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: token_invalid
"""

from typing import Any, Dict, Mapping

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import (
    DOWNLOADS_HOST,
    DOWNLOADS_SPEC,
    FAIL_ON,
    FILES_SPEC,
    TOKEN_SPEC,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_report import report
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._module import TokenDoor

ARGUMENT_SPEC = dict(
    host=dict(type="str", default=DOWNLOADS_HOST),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=[]),
    **TOKEN_SPEC,
    **FILES_SPEC,
    **DOWNLOADS_SPEC,
)


def run(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Look and ask as ``params`` say; returns the result as documented, or raises `KeyfleetError`."""
    return report(params)


def main() -> None:
    """The door that Ansible knocks at."""
    module = TokenDoor(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error)
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
