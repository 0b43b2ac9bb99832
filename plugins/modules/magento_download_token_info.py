#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report whether a token for release downloads works from a host, and whether it has access to Adobe Commerce."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_download_token_info
short_description: Report whether a token for release downloads works from a host
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - With O(mage_id) and O(token), verifies that pair with the host's curl. Nothing is written.
  - Verifies the selected netrc files, too, and returns the MAGEID that curl finds there, never the token.
  - Reports whether the account has access to files of Adobe Commerce.
  - The module changes nothing in any mode.
options:
  mage_id:
    description:
      - MAGEID of a pair to verify. Requires O(token).
    type: raw
  token:
    description:
      - Download token of a pair to verify. It is sent to the server only and is not returned.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        print the literal arguments of a failed task.
    type: raw
  users:
    description:
      - Users whose C(~/.netrc) is read.
      - If no option selects any file or pair, defaults to the current user.
    type: list
    elements: str
  paths:
    description:
      - Paths of netrc files to verify.
    type: list
    elements: path
  host:
    description:
      - Machine of the entry, without port. Files are verified only if O(downloads_url) is a URL of this machine.
    type: str
    default: www.magentocommerce.com
  fail_on:
    description:
      - Verdicts that make the module fail. With an empty list no verdict makes the module fail.
    type: list
    elements: str
    choices: [invalid, refused, unknown]
    default: []
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.attributes.info
  - keyfleet.magento.attributes
seealso:
  - module: keyfleet.magento.magento_download_token
"""

EXAMPLES = r"""
# As an ad hoc command, with both halves in a vault file. It fails on hosts where the token does not work.
# ansible web -m keyfleet.magento.magento_download_token_info -e @vault.yml -a 'mage_id={{ vault_magento_mage_id }}
#   token={{ vault_magento_download_token }} fail_on=invalid,refused,unknown'

# The same for the installed token.
# ansible web -b -m keyfleet.magento.magento_download_token_info -a 'users=deploy fail_on=invalid,refused,unknown'

- name: Verify a token from the host without installing it
  keyfleet.magento.magento_download_token_info:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
  register: pair

- name: Fail unless it is valid and has access to Adobe Commerce
  ansible.builtin.assert:
    that:
      - pair.verdicts[0].status == 'valid'
      - pair.verdicts[0].commerce is true
"""

RETURN = r"""
files:
  description: The files that were read.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file as given or found.
      type: str
      sample: /home/deploy/.netrc
    exists:
      description: Whether the file exists.
      type: bool
      sample: true
    real_path:
      description: Path of the file with links resolved.
      type: str
      sample: /home/deploy/.netrc
    host:
      description: Machine of the entry.
      type: str
      sample: www.magentocommerce.com
    mage_id:
      description: >-
        The MAGEID that curl finds for the machine, or null. Any other login is shown as V(set), since it may be a
        secret.
      type: str
      sample: MAG123456789
    fingerprint:
      description: >-
        V(sha256:) and 12 digits of the SHA-256, for a token of 40 hexadecimal digits. Any other password is shown as
        V(set).
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
  description: >-
    Verdicts of the server on the pair in the options, and on the pair in each file that has one. In the form of
    RV(keyfleet.magento.magento_download_token#module:verdicts), with RV(verdicts[].commerce) in addition. The C(status)
    of each is V(valid), V(invalid), V(refused), V(unknown) or V(not_checked); C(code) and C(message) say why.
  returned: always
  type: list
  elements: dict
  contains:
    commerce:
      description: Whether the account has access to files of Adobe Commerce (C(ee-*)), or null if that is not known.
      type: bool
      sample: false
problems:
  description: >-
    Problems on the host that need attention, such as files that curl cannot read or that others can read. Each has
    C(code), C(path) and C(message), as in RV(keyfleet.magento.magento_auth_key#module:problems).
  returned: always
  type: list
  elements: dict
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: token_invalid
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import FAIL_ON, NETRC_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_report import report_tokens
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

ARGUMENT_SPEC = dict(
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=[]),
    **NETRC_SPEC,
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: report_tokens(module.params), files=[], verdicts=[])


if __name__ == "__main__":
    main()
