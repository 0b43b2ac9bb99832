#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download a release file of Magento Open Source or Adobe Commerce."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_release
short_description: Download a release file of Magento Open Source or Adobe Commerce
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Has the host's own curl download a release file with a MAGEID and its download token.
  - The file is written beside O(dest) and takes its place only when it is complete and its checksums are right. What
    was at O(dest) before stays until then.
  - A download that broke off is gone on with, in the same run and in the next one.
  - A page or a short text in place of the archive is an error that quotes it.
  - A file that is there and right already is not downloaded again.
options:
  file_name:
    description:
      - Name of the file, as M(keyfleet.magento.magento_release_info) lists it.
    type: str
    required: true
  dest:
    description:
      - Where the file goes, with an absolute path. A directory, or a path that ends with a slash, gets the file
        under its own name.
      - The directory must exist.
    type: path
    required: true
  checksum:
    description:
      - Checksum that the file must have, as C(algorithm:digits), with any algorithm that the host's Python has, such as
        C(sha256:...).
      - The MD5 of the server's feed is checked in any case when the feed has one.
      - When the file is there and has this checksum, nobody is asked.
    type: str
  force:
    description:
      - Whether to download the file again although it is there and right.
    type: bool
    default: false
  retries:
    description:
      - How many times to try again after a fault that may pass, such as a lost connection, a transfer that is too slow
        for O(timeout) seconds, a server that fails, or too many requests. Each time it goes on where it broke off.
    type: int
    default: 5
  retry_delay:
    description:
      - Seconds before the first of these tries, twice as long before each further one, and a minute at most. When
        the server says how long to wait, that counts, up to five minutes.
    type: float
    default: 1.0
  owner:
    description:
      - Owner of the file. Without it, the owner of the directory. In a directory of root's, a file that exists keeps
        its owner.
    type: str
  group:
    description:
      - Group of the file. Without it an existing file keeps its group unless its owner changes.
    type: str
  mode:
    description:
      - Mode of the file, in octal and in quotes. It is enforced on a file that exists, too.
      - A new file takes no ACL from its directory.
    type: raw
    default: "0644"
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.downloads.credentials
  - keyfleet.magento.attributes
notes:
  - The part that has come is kept as C(.NAME.keyfleet-part) beside O(dest). A later run goes on with it where an MD5 or
    O(checksum) can tell whether the whole is right, and begins anew where there is none. As root it begins anew in
    directories of root that others may write to, and where O(owner) is not the owner of the directory.
  - Without MD5 and O(checksum), a file that exists is compared by its size alone, and a problem in the answer says so.
    If others may have put it there, its owner, group and mode must be right, too; otherwise it is downloaded anew.
  - A file may have 16 GiB at most, and no more than the server announced. It is refused before it comes when the disk
    has no room for it; a part for which there is no room any more is removed.
  - Where the server keeps files elsewhere and redirects to there, that address is asked without credentials.
  - A release is always a new file. One that somebody else made is downloaded anew, since whoever made it may still
    write to it; in a directory of root that others may write to it is a failure.
seealso:
  - module: keyfleet.magento.magento_release_info
  - module: keyfleet.magento.magento_download_token
"""

EXAMPLES = r"""
- name: Download a release with the token that is installed for the user
  keyfleet.magento.magento_release:
    file_name: Magento-CE-2.4.8.zip
    dest: /srv/releases/

- name: The same with a token from the vault, and with a checksum of one's own
  keyfleet.magento.magento_release:
    mage_id: "{{ vault_magento_mage_id }}"
    token: "{{ vault_magento_download_token }}"
    file_name: Magento-CE-2.4.8.zip
    dest: /srv/releases/magento.zip
    checksum: sha256:2f72a8f1e9a2a2d0c6b3a6f0a7c2b1d4e5f60718293a4b5c6d7e8f9012345678
    owner: deploy
  become: true
"""

RETURN = r"""
files:
  description: The file, in a list of one.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file as it was named.
      type: str
      sample: /srv/releases/Magento-CE-2.4.8.zip
    real_path:
      description: The file that is written, links resolved.
      type: str
      sample: /srv/releases/Magento-CE-2.4.8.zip
    file_name:
      description: The release file.
      type: str
      sample: Magento-CE-2.4.8.zip
    owner:
      description: Owner of the file.
      type: str
      sample: deploy
    action:
      description:
        - What was done, or would be in check mode.
        - V(created) makes the file, V(updated) downloads another one into its place, V(repaired) changes owner,
          group or mode alone.
      type: str
      sample: created
    before:
      description: The file before, or none if there was none.
      type: dict
      contains: &facts
        size:
          description: Size in bytes, or none where the server does not tell.
          type: int
          sample: 67108864
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
          sample: "0644"
    after:
      description: The file afterwards, in the same form.
      type: dict
      contains: *facts
release:
  description:
    - What the feed says of the file, as in M(keyfleet.magento.magento_release_info). None where it was not asked or
      does not list it.
  returned: always
  type: dict
checksums:
  description: The checksums that the file has, or would have to have in check mode, by algorithm.
  returned: success
  type: dict
  sample: {md5: 9e107d9d372bb6826bd81d3542a419d6}
transfer:
  description: How the file came.
  returned: always
  type: dict
  contains:
    requests:
      description: Number of requests for the file; 0 when it was not downloaded.
      type: int
      sample: 3
    resumed_from:
      description: The byte from which the last request went on, or 0.
      type: int
      sample: 41943040
problems:
  description: What deserves attention, such as a file that could be compared by its size alone.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: Stable code.
      type: str
      sample: size_only
    path:
      description: The file, if it is about one.
      type: str
      sample: /srv/releases/made-up-notes.zip
    message:
      description: The problem in words.
      type: str
      sample: No checksum is known for made-up-notes.zip; its size was compared, and nothing else
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: text_instead
"""

from typing import Any, Dict, Mapping

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import (
    CREDENTIALS_SPEC,
    DOWNLOADS_SPEC,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.release import install
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._module import TokenDoor

ARGUMENT_SPEC = dict(
    file_name=dict(type="str", required=True),
    dest=dict(type="path", required=True),
    checksum=dict(type="str"),
    force=dict(type="bool", default=False),
    retries=dict(type="int", default=5),
    retry_delay=dict(type="float", default=1.0),
    owner=dict(type="str"),
    group=dict(type="str"),
    mode=dict(type="raw", default="0644"),
    **CREDENTIALS_SPEC,
    **DOWNLOADS_SPEC,
)


def run(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the file to its place; returns the result as documented, or raises `KeyfleetError`."""
    return install(params, check_mode=check_mode)


def main() -> None:
    """The door that Ansible knocks at."""
    module = TokenDoor(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params, check_mode=module.check_mode)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error, release=None, transfer=None)
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
