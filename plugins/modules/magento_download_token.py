#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, replace and remove the token for release downloads on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_download_token
short_description: Install, replace and remove the token for release downloads on a host
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Manages the entry with a MAGEID and its download token in the C(~/.netrc) of users, or in files given by path, for
    use with C(curl --netrc https://www.magentocommerce.com/products/downloads/...), with no secret on the command line.
  - Verifies the token with the host's curl before it replaces the old one. If the token does not work, no file is
    changed. Every file that was written is verified, too.
  - All other content of a file is kept byte for byte, except comments within an entry that is removed and blank lines
    next to it, and curl finds the same entries for all other machines. Only plain files are edited, with each entry on
    lines of its own. Refuses any other file, and any edit that could change what curl or Python read for another
    machine; the failure names the line and the reason.
  - B(Two tokens never work at the same time.) Creating a token on the account page invalidates the old one at once, on
    every host, so install the new one on all hosts right away.
  - One execution of the module can handle any number of users and files.
options:
  mage_id:
    description:
      - The MAGEID, C(MAG) followed by digits, which is the user name. Required for O(state=present).
      - With O(state=absent), only the entry with this MAGEID is removed, or every entry for O(host) if none is given.
      - It must be a string. A value that YAML parses as a number is refused.
    type: raw
  token:
    description:
      - The download token, 40 lower-case hexadecimal digits, which is the password. Required for
        O(state=present).
      - It is written to the files and sent to the server. Results and diffs show only its fingerprint.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        print the literal arguments of a failed task.
    type: raw
  state:
    description:
      - Whether the token should be in the files or not. A file has one entry for O(host); an entry with another MAGEID
        is replaced.
    type: str
    choices: [present, absent]
    default: present
  users:
    description:
      - Users whose C(~/.netrc) gets the token, in the home directory from the user database.
      - If neither O(users) nor O(paths) is set, defaults to the current user; root must set one of them.
    type: list
    elements: str
  paths:
    description:
      - Paths of netrc files, for C(curl --netrc-file). Their directories must exist.
    type: list
    elements: path
  host:
    description:
      - Machine of the entry, without port. For a machine other than the default, MAGEID and token may have any form.
    type: str
    default: www.magentocommerce.com
  verify:
    description:
      - When to verify the token at the server.
      - With V(changed), only when the token is written. With V(always), at every run. With V(never), not at all, and
        the host does not need curl.
      - Check mode verifies the token, too, and so shows whether a run would fail.
      - Installed files are verified only if O(downloads_url) is a URL of O(host).
    type: str
    choices: [never, changed, always]
    default: changed
  fail_on:
    description:
      - Verdicts that make the module fail before it changes any file.
      - On a host that cannot reach the server, omit V(unknown). With an empty list no verdict makes the module fail.
    type: list
    elements: str
    choices: [invalid, refused, unknown]
    default: [invalid, refused, unknown]
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.attributes
  - keyfleet.magento.ownership
seealso:
  - module: keyfleet.magento.magento_download_token_info
  - module: keyfleet.magento.magento_release
"""

EXAMPLES = r"""
- name: Install the token for the user who downloads releases
  keyfleet.magento.magento_download_token:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    users: [deploy]
  become: true

# As an ad hoc command, with both halves in a vault file:
# ansible web -b -m keyfleet.magento.magento_download_token -e @vault.yml \
#   -a 'mage_id={{ vault_magento_mage_id }} token={{ vault_magento_download_token }} users=deploy'

- name: Verify the token and the installed files at every run
  keyfleet.magento.magento_download_token:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    users: [deploy, root]
    verify: always
  become: true

- name: Install on a host that cannot reach the server
  keyfleet.magento.magento_download_token:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    users: [deploy]
    fail_on: [invalid, refused]
  become: true

- name: Remove the token before creating an image of the host
  keyfleet.magento.magento_download_token:
    users: [deploy]
    state: absent
  become: true
"""

RETURN = r"""
files:
  description: The files of the token. May be incomplete after a failure.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file as given or found.
      type: str
      sample: /home/deploy/.netrc
    real_path:
      description: Path of the file with links resolved.
      type: str
      sample: /home/deploy/.netrc
    host:
      description: Machine of the entry.
      type: str
      sample: www.magentocommerce.com
    owner:
      description: Owner of the file.
      type: str
      sample: deploy
    action:
      description: >-
        V(created), V(updated), V(removed), V(repaired) or V(unchanged), as in
        RV(keyfleet.magento.magento_auth_key#module:files[].action).
      type: str
      sample: created
    before:
      description: >-
        The entry before the change, or null if the file was missing. MAGEID and fingerprint are null if the file had no
        entry.
      type: dict
      contains: &entry
        mage_id:
          description: The MAGEID. Any other login is shown as V(set), since it may be a secret.
          type: str
          sample: MAG123456789
        fingerprint:
          description: >-
            V(sha256:) and 12 digits of the SHA-256, for a token of 40 hexadecimal digits. Any other password is shown
            as V(set).
          type: str
          sample: sha256:f830125c0db7
        owner:
          description: Owner of the file.
          type: str
          sample: deploy
        mode:
          description: Mode of the file.
          type: str
          sample: "0600"
        group:
          description: Group of the file.
          type: str
          sample: deploy
    after:
      description: The same after the change.
      type: dict
      contains: *entry
verdicts:
  description:
    - Verdict of the server on the token and, after a change, one for every file that was written.
    - May be incomplete after a failure.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: Machine of the entry.
      type: str
      sample: www.magentocommerce.com
    url:
      description: URL that was requested.
      type: str
      sample: https://www.magentocommerce.com/products/downloads/info/help
    mage_id:
      description: The MAGEID.
      type: str
      sample: MAG123456789
    path:
      description: Path of the file that curl read, or null for the pair in the options.
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
      description: HTTP status of the answer, or null without an answer.
      type: int
      sample: 200
    message:
      description: The reason, with the text of curl and the server, and advice.
      type: str
      sample: https://www.magentocommerce.com/products/downloads/info/help accepts this MAGEID and token.
    curl:
      description: Result of curl, or null if curl was not run.
      type: dict
      contains:
        exit_code:
          description: Exit code of curl, 0 if it received an answer.
          type: int
          sample: 0
        error:
          description: Error text of curl, or null.
          type: str
          sample: "curl: (60) SSL certificate problem: self-signed certificate"
        version:
          description: Version of curl.
          type: str
          sample: 7.88.1
problems:
  description: >-
    Problems on the host that need attention, such as C(readable_by_others), a file that everybody could read. Each has
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
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token import install_token
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

ARGUMENT_SPEC = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    owner=dict(type="str"),
    group=dict(type="str"),
    mode=dict(type="raw", default="0600"),
    verify=dict(type="str", choices=["never", "changed", "always"], default="changed"),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=list(FAIL_ON)),
    **NETRC_SPEC,
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: install_token(module.params, module.check_mode), files=[], verdicts=[])


if __name__ == "__main__":
    main()
