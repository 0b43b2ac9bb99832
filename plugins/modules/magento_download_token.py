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
  - Puts a MAGEID and its download token into the C(~/.netrc) of users, or into files named one by one. From then on
    C(curl --netrc https://www.magentocommerce.com/products/downloads/...) works with no secret in sight.
  - Has the host's own curl ask whether the token works before it replaces the old one, and once more through every
    file that was written. A token that does not work leaves every file as it is.
  - Everything else in a file is kept byte for byte, but for comments and blank lines within and right behind an entry
    that is removed, and curl finds for every other machine what it found before. A file that versions of curl read
    differently is not edited but reported with line and reason.
  - B(A token has no overlap.) Making a new one on the account page ends the old one at once, on every host, so bring
    it to the whole fleet right away.
  - Any number of users and files is one execution of the module.
options:
  mage_id:
    description:
      - The MAGEID, C(MAG) followed by digits, which is the user name. Required for O(state=present).
      - With O(state=absent), only the entry of this MAGEID is removed. Without it, every entry for O(host) is.
      - It must be text. A value that YAML takes for a number is refused.
    type: raw
  token:
    description:
      - The downloads access token, 40 lower-case hexadecimal digits, which is the password. Required for
        O(state=present).
      - It is written to the files and sent to the server. Results and diffs show its fingerprint only.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        prints the literal arguments of a task that fails.
    type: raw
  state:
    description:
      - Whether the token shall be in the files or not. A file has one entry for O(host); another MAGEID there is
        replaced.
    type: str
    choices: [present, absent]
    default: present
  users:
    description:
      - Users whose C(~/.netrc) gets the token, in the home that the user database names.
      - When neither users nor paths are given, the user that the module runs as. That is an error for root.
    type: list
    elements: str
  paths:
    description:
      - Explicit netrc files, for C(curl --netrc-file). Their directories must exist.
    type: list
    elements: path
  owner:
    description:
      - Owner of the files in O(paths). The file of one of the O(users) always belongs to that user.
      - Without it, the owner of the directory. In a directory of root's, a file that exists keeps its owner.
    type: str
  group:
    description:
      - Group of the files. Without it an existing file keeps its group unless its owner changes, or the directory is
        somebody else's.
    type: str
  mode:
    description:
      - Mode of the files, in octal and in quotes. It is enforced on files that exist, too.
      - Others never get any access; a mode that would give them some is an error.
      - What is new takes no ACL from its directory.
    type: raw
    default: "0600"
  host:
    description:
      - Machine that the entry is for, without port. MAGEID and token of another machine may have any form.
    type: str
    default: www.magentocommerce.com
  verify:
    description:
      - When to ask whether the token works.
      - With V(changed), when the token is about to be written; V(always) asks at every run, and V(never) not at all.
        Without it no curl is needed on the host.
      - Check mode asks as well, so that it can tell that a run would fail.
      - Installed files are asked through only where O(downloads_url) is an address of O(host).
    type: str
    choices: [never, changed, always]
    default: changed
  fail_on:
    description:
      - Verdicts that make the module fail and leave every file as it is.
      - For a host without a way out to the server, leave V(unknown) out. With an empty list no verdict stops a token.
    type: list
    elements: str
    choices: [invalid, refused, unknown]
    default: [invalid, refused, unknown]
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.attributes
notes:
  - Run as root, the module acts as the owner of each directory, and as root only below directories that are root's all
    the way up. A link has the rights of its maker.
  - In directories of root that their group or everybody may write to, a file or link that exists is used only if root
    or O(owner) made it. Where O(owner) is given, the directories below must be root's or that owner's.
seealso:
  - module: keyfleet.magento.magento_download_token_info
  - module: keyfleet.magento.magento_release
"""

EXAMPLES = r"""
- name: Install the token for the user who downloads
  keyfleet.magento.magento_download_token:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    users: [deploy]
  become: true

# Ad hoc, with both in a vault file:
# ansible web -b -m keyfleet.magento.magento_download_token -e @vault.yml \
#   -a 'mage_id={{ vault_magento_mage_id }} token={{ vault_magento_download_token }} users=deploy'

- name: Ask again at every run, through the installed files
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

- name: Remove the token before an image is made of the host
  keyfleet.magento.magento_download_token:
    users: [deploy]
    state: absent
  become: true
"""

RETURN = r"""
files:
  description: Every file that was asked for. Returned by a failing run as far as it came.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file as it was named or found.
      type: str
      sample: /home/deploy/.netrc
    real_path:
      description: The file that is written, links resolved.
      type: str
      sample: /home/deploy/.netrc
    host:
      description: The machine of the entry.
      type: str
      sample: www.magentocommerce.com
    owner:
      description: Owner of the file.
      type: str
      sample: deploy
    action:
      description:
        - What was done, or would be in check mode.
        - V(created) makes the file, V(updated) sets the entry in it, V(removed) takes the entry away, V(repaired)
          changes owner, group or mode alone.
      type: str
      sample: created
    before:
      description: >-
        The entry before, or none if there was no file. Its MAGEID and fingerprint are none where it had no entry.
      type: dict
      contains: &entry
        mage_id:
          description: The MAGEID. A login that is none is V(set), since some people keep secrets there.
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
    after:
      description: The entry afterwards, in the same form.
      type: dict
      contains: *entry
verdicts:
  description:
    - What the server says of the token, and after a change what it says through every file that was written.
    - Returned by a failing run as far as it came.
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
  description: Standing states that deserve attention, such as a file that everybody could read.
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
      sample: everybody on the host could read it
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
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.token_install import install
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._module import TokenDoor

ARGUMENT_SPEC = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    owner=dict(type="str"),
    group=dict(type="str"),
    mode=dict(type="raw", default="0600"),
    host=dict(type="str", default=DOWNLOADS_HOST),
    verify=dict(type="str", choices=["never", "changed", "always"], default="changed"),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=list(FAIL_ON)),
    **TOKEN_SPEC,
    **FILES_SPEC,
    **DOWNLOADS_SPEC,
)


def run(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Install or remove the token in ``params``; returns the result as documented, or raises `KeyfleetError`."""
    return install(params, check_mode=check_mode)


def main() -> None:
    """The door that Ansible knocks at."""
    module = TokenDoor(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params, check_mode=module.check_mode)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error)
        module.fail_json(**answer)
    if result["changed"]:
        for problem in result["problems"]:
            module.warn(problem["message"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
