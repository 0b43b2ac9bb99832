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
  - Downloads a release file with the host's curl, using a MAGEID and its download token.
  - The file is written next to O(dest) and replaces it only when the download is complete and its checksums match.
  - An interrupted download is resumed in the same run or, if possible, in the next one.
  - If the server sends a web page or a short text instead of the archive, the module fails and quotes it.
  - An existing file that is correct is not downloaded again.
options:
  file_name:
    description:
      - Name of the file, as listed by M(keyfleet.magento.magento_release_info).
    type: str
    required: true
  dest:
    description:
      - Absolute path of the file. If it is a directory or ends with a slash, the file is stored there as O(file_name).
      - The directory must exist.
    type: path
    required: true
  checksum:
    description:
      - Checksum of the file, as C(algorithm:digits), with any algorithm that Python on the host supports, such as
        C(sha256:...).
      - The MD5 of the server's feed, if any, is always verified, too.
      - If the file exists with this checksum, no request is made.
    type: str
  force:
    description:
      - Whether to download the file even if it exists and is correct.
    type: bool
    default: false
  retries:
    description:
      - Number of retries after a temporary fault, such as a lost connection, a transfer that is too slow for O(timeout)
        seconds, a server error, or too many requests. Each retry resumes the download.
    type: int
    default: 5
  retry_delay:
    description:
      - Time in seconds before the first retry. It is doubled for each further one, up to one minute. If the server
        specifies a delay, that is used instead, up to five minutes.
    type: float
    default: 1.0
  owner:
    description:
      - Owner of the file.
      - Defaults to the owner of the directory. In a directory owned by root, an existing file keeps its owner.
    type: str
  group:
    description:
      - Group of the file. If not set, an existing file keeps its group unless its owner changes.
    type: str
  mode:
    description:
      - Mode of the file, as a quoted octal number. It is also set on an existing file.
      - A new file does not inherit ACLs.
    type: raw
    default: "0644"
attributes:
  idempotent:
    support: partial
    details: With O(force), every run downloads the file.
extends_documentation_fragment:
  - keyfleet.magento.downloads
  - keyfleet.magento.downloads.credentials
  - keyfleet.magento.attributes
notes:
  - An incomplete download is kept as C(.NAME.keyfleet-part) next to O(dest). A later run resumes it if an MD5 or
    O(checksum) can verify the whole file, and otherwise starts again. It also starts again in directories that others
    may write to and, when run as root, if O(owner) is not the owner of the directory.
  - Without MD5 and O(checksum), an existing file is compared only by its size, which is reported in RV(problems). If
    others may have created it, its owner, group and mode must be correct, too; otherwise it is downloaded again.
  - A file may have at most 16 GiB, and no more than the size that the server announced. If the disk has too little
    space, the module fails before the download; an incomplete download that fills the disk is removed.
  - If the server redirects to another host for the file, that request has no credentials.
  - A release is always written to a new file. An existing file that belongs to another user is downloaded again, since
    that user may still write to it; in a directory of root that others may write to, the module fails instead.
seealso:
  - module: keyfleet.magento.magento_release_info
  - module: keyfleet.magento.magento_download_token
"""

EXAMPLES = r"""
- name: Download a release with the installed token
  keyfleet.magento.magento_release:
    file_name: Magento-CE-2.4.8.zip
    dest: /srv/releases/

- name: Download a release with a token from a vault and verify its checksum
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
  description: The file, as the only element.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file as given.
      type: str
      sample: /srv/releases/Magento-CE-2.4.8.zip
    real_path:
      description: Path of the file with links resolved.
      type: str
      sample: /srv/releases/Magento-CE-2.4.8.zip
    file_name:
      description: Name of the release file.
      type: str
      sample: Magento-CE-2.4.8.zip
    owner:
      description: Owner of the file.
      type: str
      sample: deploy
    action:
      description:
        - What was done, or would be done in check mode.
        - V(created) if the file was created, V(updated) if it was replaced, V(repaired) if only owner, group or mode
          were changed, and V(unchanged) otherwise.
      type: str
      sample: created
    before:
      description: The file before the run, or null if it was missing.
      type: dict
      contains: &facts
        size:
          description: Size in bytes, or null if the server does not announce it.
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
      description: The file after the run, in the same form.
      type: dict
      contains: *facts
release:
  description:
    - Entry of the file in the feed, as in M(keyfleet.magento.magento_release_info). Null if the feed was not requested
      or does not list the file.
  returned: always
  type: dict
checksums:
  description: The checksums of the file, or in check mode the required ones, by algorithm.
  returned: success
  type: dict
  sample: {md5: 9e107d9d372bb6826bd81d3542a419d6}
transfer:
  description: Details of the download.
  returned: always
  type: dict
  contains:
    requests:
      description: Number of requests for the file, 0 if it was not downloaded.
      type: int
      sample: 3
    resumed_from:
      description: Offset in bytes at which the last request resumed the download, or 0.
      type: int
      sample: 41943040
problems:
  description: >-
    Problems that need attention, such as C(size_only), a file that could be compared only by its size. Each has
    C(code), C(path) and C(message), as in RV(keyfleet.magento.magento_auth_key#module:problems).
  returned: always
  type: list
  elements: dict
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: text_instead
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.options import SOURCE_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.release import install_release
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

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
    **SOURCE_SPEC,
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: install_release(module.params, module.check_mode), release=None, transfer=None)


if __name__ == "__main__":
    main()
