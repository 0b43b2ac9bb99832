#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report which Composer auth keys a host holds, and whether they work from there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_auth_key_info
short_description: Report which Composer auth keys a host holds, and whether they work from there
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - With O(public_key) and O(private_key), verifies that pair at the repository, from the host. Nothing is written.
  - Reads the C(auth.json) files that other options select and returns each entry with its public key and
    fingerprint, never with its private key. Also returns which entry Composer would use.
  - The module changes nothing in any mode.
options:
  public_key:
    description:
      - Public half of a pair to verify. Requires O(private_key).
    type: raw
  private_key:
    description:
      - Private half of a pair to verify. It is sent to the repository only and is not returned.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        print the literal arguments of a failed task.
    type: raw
  repository:
    description:
      - Repository of the pair, of O(url) and of O(packages), as C(host) or C(host:port).
    type: str
    default: repo.magento.com
  url:
    description:
      - URL of O(repository), from which C(packages.json) is requested. Defaults to C(https://<repository>/).
    type: str
  packages:
    description:
      - Names of packages that a key for O(repository) must be entitled to. If the repository does not list one of them
        for the key, the status is V(not_entitled).
      - The package lists of C(repo.magento.com) are several megabytes, so use this option on one host, not on all.
    type: list
    elements: str
  users:
    description:
      - Users whose Composer homes are read.
      - If no option selects any file or pair, defaults to the current user.
    type: list
    elements: str
  projects:
    description:
      - Root directories of Composer projects. Their C(auth.json) and C(var/composer_home/auth.json) are read.
    type: list
    elements: path
  paths:
    description:
      - Paths of C(auth.json) files.
    type: list
    elements: path
  all_users:
    description:
      - Whether to also read the Composer homes of all users of the host that have a home directory.
      - Users without an C(auth.json) are omitted.
    type: bool
    default: false
  search:
    description:
      - Directories to search. Every file named C(auth.json) below them is read, even if it is a link. Links to
        directories are not followed, and directories named C(vendor), C(node_modules) and C(.git) are skipped.
        Directories that cannot be searched are reported in RV(problems).
      - At most 100 levels and 500,000 directories are searched. Reaching a limit is reported in RV(problems).
    type: list
    elements: path
  verify:
    description:
      - Whether to verify entries in files at their repositories. With a given pair, only that pair is verified,
        and always.
      - At most 100 different pairs from files are verified, and no further one after ten times O(timeout), since users
        can write any number of entries. The first entry of each file is verified first. The remaining pairs get the
        status V(not_checked) and are reported in RV(problems).
    type: str
    choices: [never, always]
    default: never
  fail_on:
    description:
      - Verdicts that make the module fail. With an empty list no verdict makes the module fail.
      - For the entries in files it requires O(verify=always).
    type: list
    elements: str
    choices: [invalid, refused, not_entitled, unknown]
    default: []
extends_documentation_fragment:
  - keyfleet.magento.connection
  - keyfleet.magento.attributes.info
  - keyfleet.magento.attributes
seealso:
  - module: keyfleet.magento.magento_auth_key
"""

EXAMPLES = r"""
# As an ad hoc command, with both halves in a vault file. It fails on hosts where the pair does not work.
# ansible web -m keyfleet.magento.magento_auth_key_info -e @vault.yml -a 'public_key={{ vault_magento_public_key }}
#   private_key={{ vault_magento_private_key }} fail_on=invalid,refused,not_entitled,unknown'

- name: Verify a pair from the host without installing it
  keyfleet.magento.magento_auth_key_info:
    public_key: "{{ vault_magento_public_key }}"
    private_key: "{{ vault_magento_private_key }}"
    packages: [magento/product-enterprise-edition]
  register: pair

- name: Fail unless the pair is valid
  ansible.builtin.assert:
    that: pair.verdicts[0].status == 'valid'

- name: List the keys of users and the one that Composer uses in a project
  keyfleet.magento.magento_auth_key_info:
    users: [deploy, www-data]
    projects: [/var/www/shop/current]
  become: true
  register: installed

- name: Find all keys on the host and verify them at their repositories
  keyfleet.magento.magento_auth_key_info:
    all_users: true
    search: [/var/www, /srv]
    verify: always
  become: true
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
      sample: /home/deploy/.composer/auth.json
    exists:
      description: Whether the file exists.
      type: bool
      sample: true
    real_path:
      description: Path of the file with links resolved.
      type: str
      sample: /home/deploy/.composer/auth.json
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
      description: Entries of the file.
      type: list
      elements: dict
      contains:
        repository:
          description: Repository of the entry.
          type: str
          sample: repo.magento.com
        section:
          description: Section of the file with the entry.
          type: str
          sample: http-basic
        public_key:
          description:
            - Public half of the key, or the user name. Null in sections without user names.
            - A user name is shown if it has 32 hexadecimal digits, is an e-mail address or has at most 20 characters.
              Any other value is shown as V(set), since it may be a token.
          type: str
          sample: 0123456789abcdef0123456789abcdef
        fingerprint:
          description: >-
            V(sha256:) and 12 digits of the SHA-256, for a secret of 32 or 40 hexadecimal digits. Any other secret is
            shown as V(set).
          type: str
          sample: sha256:8a83665f3798
effective:
  description:
    - The entry that Composer would use for each repository, both for every user outside of any project and in each of
      O(projects).
    - The environment variable E(COMPOSER_AUTH) is not considered, since it belongs to a process.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user, or null if projects are given without users.
      type: str
      sample: deploy
    project:
      description: The project, or null for the user outside of any project.
      type: str
      sample: /var/www/shop/current
    repository:
      description: Repository of the entry.
      type: str
      sample: repo.magento.com
    section:
      description: Section of the file with the entry.
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
      description: Path of the file with the entry.
      type: str
      sample: /var/www/shop/current/auth.json
    reason:
      description: Why Composer uses this entry.
      type: str
      sample: the project's auth.json overrides the user's auth.json
verdicts:
  description: >-
    Verdicts of the repositories, one for each different pair, in the form of
    RV(keyfleet.magento.magento_auth_key#module:verdicts). The C(status) of each is V(valid), V(invalid), V(refused),
    V(not_entitled), V(unknown) or V(not_checked); C(code) and C(message) say why.
  returned: always
  type: list
  elements: dict
problems:
  description: >-
    Problems on the host that need attention, such as files that Composer cannot use, that others can read or that
    belong to another user. Each has C(code), C(path) and C(message), as in
    RV(keyfleet.magento.magento_auth_key#module:problems).
  returned: always
  type: list
  elements: dict
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: keys_invalid
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import CONNECTION_SPEC, FAIL_ON, KEY_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.report import report_keys
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

ARGUMENT_SPEC = dict(
    KEY_SPEC,
    repository=dict(type="str", default="repo.magento.com"),
    all_users=dict(type="bool", default=False),
    verify=dict(type="str", choices=["never", "always"], default="never"),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=[]),
    **CONNECTION_SPEC,
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: report_keys(module.params), files=[], verdicts=[])


if __name__ == "__main__":
    main()
