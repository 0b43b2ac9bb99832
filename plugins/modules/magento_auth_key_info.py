#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which Composer auth keys a host holds, and whether they work from there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_auth_key_info
short_description: Tell which Composer auth keys a host holds, and whether they work from there
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - With O(public_key) and O(private_key), asks the repository from the host whether that pair works. Nothing is
    written.
  - Otherwise reads the C(auth.json) files of users and projects and shows each entry with its public key and
    fingerprint, never with its private key, and which entry Composer would use.
  - The module changes nothing in any mode.
options:
  public_key:
    description:
      - Public half of a pair to check. O(private_key) is then needed, too.
    type: raw
  private_key:
    description:
      - Private half of a pair to check. It is sent to the repository and to nobody else, and is not part of the answer.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        prints the literal arguments of a task that fails.
    type: raw
  repository:
    description:
      - Composer repository that the pair, O(url) and O(packages) are about, as C(host) or C(host:port).
    type: str
    default: repo.magento.com
  url:
    description:
      - Address of O(repository), which is asked for C(packages.json). Without it C(https://<repository>/).
    type: str
  packages:
    description:
      - Packages that a key for O(repository) must be entitled to.
      - The lists of C(repo.magento.com) have several megabytes, so look packages up from one host rather than from
        each.
    type: list
    elements: str
  users:
    description:
      - Users whose Composer homes are read.
      - When nothing at all is given, the user that the module runs as.
    type: list
    elements: str
  projects:
    description:
      - Root directories of Composer projects whose C(auth.json) and C(var/composer_home/auth.json) are read.
    type: list
    elements: path
  paths:
    description:
      - Explicit C(auth.json) files.
    type: list
    elements: path
  all_users:
    description:
      - Also read the Composer homes of every user of the host that has a home directory.
      - Users without a file are left out.
    type: bool
    default: false
  search:
    description:
      - Directories below which every file called C(auth.json) is read, linked files too.
        Links to directories are not followed, and directories called C(vendor), C(node_modules) and C(.git) are passed
        over. A directory that cannot be searched is a problem in the answer.
      - It goes 100 levels down and through 500,000 directories at most. What is left out is a problem, too.
    type: list
    elements: path
  verify:
    description:
      - Whether the repositories are asked about the entries that were found. A pair given in the options is always
        checked.
      - Of the entries that were found, 100 different pairs are asked about at most, and none once ten times O(timeout)
        has passed, since anybody can write any number of them. The first entry of each file comes first. The others get
        the status V(not_checked), and a row in RV(problems).
    type: str
    choices: [never, always]
    default: never
  fail_on:
    description:
      - Verdicts that make the module fail. Without it, the answer is the verdict and the module succeeds.
      - For the entries that are found, it needs O(verify=always).
    type: list
    elements: str
    choices: [invalid, refused, not_entitled, unknown]
    default: []
extends_documentation_fragment:
  - keyfleet.magento.connection
  - keyfleet.magento.attributes.info
seealso:
  - module: keyfleet.magento.magento_auth_key
"""

EXAMPLES = r"""
# Ad hoc: does this pair work from these hosts? Both halves come from a vault file. Where it does not, the host fails.
# ansible web -m keyfleet.magento.magento_auth_key_info -e @vault.yml -a 'public_key={{ vault_magento_public_key }}
#   private_key={{ vault_magento_private_key }} fail_on=invalid,refused,not_entitled,unknown'

- name: Check a pair from the host, without writing anything
  keyfleet.magento.magento_auth_key_info:
    public_key: "{{ vault_magento_public_key }}"
    private_key: "{{ vault_magento_private_key }}"
    packages: [magento/product-enterprise-edition]
  register: pair

- name: Stop unless the pair is valid
  ansible.builtin.assert:
    that: pair.verdicts[0].status == 'valid'

- name: Which keys do these users have, and which one is used in the project?
  keyfleet.magento.magento_auth_key_info:
    users: [deploy, www-data]
    projects: [/var/www/shop/current]
  become: true
  register: installed

- name: Every key on the host, each tried at its repository
  keyfleet.magento.magento_auth_key_info:
    all_users: true
    search: [/var/www, /srv]
    verify: always
  become: true
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
      sample: /home/deploy/.composer/auth.json
    real_path:
      description: The file itself, links resolved.
      type: str
      sample: /home/deploy/.composer/auth.json
    exists:
      description: Whether there is such a file.
      type: bool
      sample: true
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
    entries:
      description: Its entries.
      type: list
      elements: dict
      contains:
        repository:
          description: The host that the entry is for.
          type: str
          sample: repo.magento.com
        section:
          description: The section of the file.
          type: str
          sample: http-basic
        public_key:
          description:
            - Public half of the key, or the user name. None in sections without one.
            - A user name is shown if it has 32 hexadecimal digits, is an e-mail address or has at most 20 characters.
              Any other one is V(set), since some services keep a token there.
          type: str
          sample: 0123456789abcdef0123456789abcdef
        fingerprint:
          description: >-
            V(sha256:) and 12 digits for a secret of 32 or 40 hexadecimal digits. Any other secret is V(set).
          type: str
          sample: sha256:8a83665f3798
effective:
  description:
    - For every user, alone and in each of O(projects), the entry that Composer would use for each repository.
    - An environment variable C(COMPOSER_AUTH) belongs to a process and is not seen.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user, or none where projects were given without users.
      type: str
      sample: deploy
    project:
      description: The project, or none for the user outside of any.
      type: str
      sample: /var/www/shop/current
    repository:
      description: The host that the entry is for.
      type: str
      sample: repo.magento.com
    section:
      description: The section of the file.
      type: str
      sample: http-basic
    public_key:
      description: As in RV(files[].entries[].public_key).
      type: str
      sample: 0123456789abcdef0123456789abcdef
    fingerprint:
      description: As in RV(files[].entries[].fingerprint).
      type: str
      sample: sha256:8a83665f3798
    path:
      description: The file it stands in.
      type: str
      sample: /var/www/shop/current/auth.json
    reason:
      description: Why this one.
      type: str
      sample: the project's auth.json beats the user's auth.json
verdicts:
  description: What the repositories say. One for each different pair.
  returned: always
  type: list
  elements: dict
  contains:
    repository:
      description: The repository.
      type: str
      sample: repo.magento.com
    url:
      description: The address that was asked.
      type: str
      sample: https://repo.magento.com/
    public_key:
      description: Public half of the pair, as in RV(files[].entries[].public_key).
      type: str
      sample: 0123456789abcdef0123456789abcdef
    status:
      description: One of V(valid), V(invalid), V(refused), V(not_entitled), V(unknown) and V(not_checked).
      type: str
      sample: valid
    code:
      description: Stable code of the reason.
      type: str
      sample: keys_valid
    http_status:
      description: Status of the answer, if there was one.
      type: int
      sample: 200
    message:
      description: The reason in words, with the server's own text and what to look at next.
      type: str
      sample: repo.magento.com accepts the key.
    packages:
      description: For each name in O(packages), V(listed), V(absent) or V(unknown).
      type: dict
      sample: {magento/product-community-edition: listed}
problems:
  description: What deserves attention, such as files that Composer cannot use, that others can read or that belong to
    somebody else.
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
      sample: /home/deploy/.composer/auth.json
    message:
      description: The problem in words.
      type: str
      sample: everybody on the host can use it
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: keys_invalid
"""

from typing import Any, Dict, Mapping

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import (
    CONNECTION_SPEC,
    FAIL_ON,
    PAIR_SPEC,
    TARGET_SPEC,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.report import report
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._module import Door

ARGUMENT_SPEC = dict(
    repository=dict(type="str", default="repo.magento.com"),
    all_users=dict(type="bool", default=False),
    search=dict(type="list", elements="path"),
    verify=dict(type="str", choices=["never", "always"], default="never"),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=[]),
    **PAIR_SPEC,
    **TARGET_SPEC,
    **CONNECTION_SPEC,
)


def run(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Read and ask as ``params`` say; returns the result as documented, or raises `KeyfleetError`."""
    return report(params)


def main() -> None:
    """The door that Ansible knocks at."""
    module = Door(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params)
    except KeyfleetError as error:
        answer: Dict[str, Any] = failure(error)
        module.fail_json(**answer)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
