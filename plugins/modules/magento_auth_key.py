#!/usr/bin/python
# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, replace and remove Composer auth keys on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: magento_auth_key
short_description: Install, replace and remove Composer auth keys on a host
version_added: 0.1.0
author:
  - The keyfleet.magento authors (@keyfleet)
description:
  - Manages auth keys for C(repo.magento.com), or for any other Composer repository with HTTP Basic authentication, in
    the C(auth.json) files that Composer reads for users and projects, and in files given by path.
  - Verifies a new key at the repository, from the host, before it replaces the old one. If the key does not work, no
    file is changed.
  - All other content of a file and its order are kept. If nothing changes, nothing is written and, by default,
    no request is sent.
  - One execution of the module can handle any number of keys, users and projects; see O(keys).
  - Requires neither PHP nor Composer on the host.
options:
  keys:
    description:
      - List of keys. The options of each are those that the module has for a single key.
      - A key without users, projects or paths uses O(users), O(projects) and O(paths).
      - If O(public_key) and O(private_key) are also set, their key is added to the list.
      - An empty list is an error.
    type: list
    elements: dict
    suboptions:
      repository:
        description: See O(repository).
        type: str
      public_key:
        description: See O(public_key).
        type: raw
      private_key:
        description: See O(private_key).
        type: raw
      users:
        description: See O(users).
        type: list
        elements: str
      projects:
        description: See O(projects).
        type: list
        elements: path
      paths:
        description: See O(paths).
        type: list
        elements: path
      search:
        description: See O(search).
        type: list
        elements: path
      state:
        description: See O(state), whose value is the default.
        type: str
        choices: [present, absent]
      url:
        description: See O(url).
        type: str
      packages:
        description: See O(packages).
        type: list
        elements: str
  repository:
    description:
      - Composer repository of the key, as C(host) or C(host:port), exactly as in the URL of the repository.
      - Defaults to C(repo.magento.com) or, with O(search), to every repository.
    type: str
  public_key:
    description:
      - Public half of the auth key, which is the user name. Required for O(state=present).
      - For C(repo.magento.com) it must be 32 lower-case hexadecimal digits. For other repositories it may be any text.
      - With O(state=absent), only an entry with this public key is removed.
      - It must be a string. A value that YAML parses as a number is refused, since it may have lost digits.
    type: raw
  private_key:
    description:
      - Private half of the auth key, which is the password. Required for O(state=present).
      - It is written to the files and sent to the repository. Results and diffs show only its fingerprint.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        print the literal arguments of a failed task.
    type: raw
  users:
    description:
      - Users whose global C(auth.json) gets the key, in the Composer home or homes of the user.
      - If a user has two Composer homes, the key is installed in the one that is read first. The other one gets it if
        it already has an entry for the repository, so that no old key remains there.
      - A missing home is created as C(~/.composer), which every version of Composer reads, with mode 0700.
      - If none of O(users), O(projects) and O(paths) is set, defaults to the current user; root must set one of them.
    type: list
    elements: str
  projects:
    description:
      - Root directories of Composer projects. The key is installed in C(auth.json), and in
        C(var/composer_home/auth.json) if that directory exists.
    type: list
    elements: path
  paths:
    description:
      - Paths of C(auth.json) files. Their directories must exist.
    type: list
    elements: path
  search:
    description:
      - Directories to search. The key is removed from all files below them and from the homes of all users, for every
        repository unless O(repository) is set. With an empty list only the homes are searched.
      - Requires O(state=absent) and O(public_key).
      - Entries that another key of the same run manages are skipped. Files that cannot be read or that Composer could
        not use are not changed and are reported in RV(problems).
      - Mutually exclusive with O(users), O(projects) and O(paths).
    type: list
    elements: path
  state:
    description:
      - Whether the key should be in the files or not.
    type: str
    choices: [present, absent]
    default: present
  url:
    description:
      - URL of the repository, from which C(packages.json) is requested. Defaults to C(https://<repository>/).
      - Many vendors serve their packages below a path, and verification then needs this option. If it is not set and
        the answer is not conclusive, the status is V(not_checked).
    type: str
  packages:
    description:
      - Names of packages that the key must be entitled to. If the repository does not list one of them for the key, the
        status is V(not_entitled).
      - The package lists of C(repo.magento.com) are several megabytes, so use this option on one host, not on all.
    type: list
    elements: str
  malformed:
    description:
      - What to do with a file that Composer could not use, for example one that is empty, is not JSON, or has an entry
        without a password.
      - With V(fail) no file is changed, and the failure names every such file and the reason.
      - With V(replace) the file is overwritten, and its content is lost.
    type: str
    choices: [fail, replace]
    default: fail
  verify:
    description:
      - When to verify a key at the repository.
      - With V(changed), only before the key is written. With V(always), at every run. With V(never), not at all.
      - Check mode verifies keys, too, and so shows whether a run would fail.
    type: str
    choices: [never, changed, always]
    default: changed
  fail_on:
    description:
      - Verdicts that make the module fail before it changes any file.
      - On a host that cannot reach the repository, omit V(unknown). With an empty list no verdict makes the module
        fail.
    type: list
    elements: str
    choices: [invalid, refused, not_entitled, unknown]
    default: [invalid, refused, not_entitled, unknown]
  option_prefix:
    description:
      - Prefix for the names of options in messages.
      - The role P(keyfleet.magento.magento_auth#role) sets it so that messages name the variables of the role.
        Playbooks do not need it.
    type: str
    default: ""
extends_documentation_fragment:
  - keyfleet.magento.connection
  - keyfleet.magento.attributes
  - keyfleet.magento.ownership
notes:
  - A Composer home that C(config.json) of a user names is accessed with the rights of that user.
  - C(var/composer_home) of a project gets the key only if it belongs to the owner of the project or to O(owner).
    Otherwise it is skipped and reported in RV(problems).
  - Composer does not lock C(auth.json). Concurrent runs of this module never lose each other's entries, and an entry
    that Composer overwrites at the same time is written again.
seealso:
  - module: keyfleet.magento.magento_auth_key_info
  - name: Get your authentication keys
    description: How to create keys in the account.
    link:
      https://experienceleague.adobe.com/en/docs/commerce-operations/installation-guide/prerequisites/authentication-keys
"""

EXAMPLES = r"""
- name: Install the key for the user who runs Composer
  keyfleet.magento.magento_auth_key:
    public_key: "{{ vault_magento_public_key }}"
    private_key: "{{ vault_magento_private_key }}"
    users: [deploy]
  become: true

# As an ad hoc command, with both halves in a vault file:
# ansible web -b -m keyfleet.magento.magento_auth_key -e @vault.yml \
#   -a 'public_key={{ vault_magento_public_key }} private_key={{ vault_magento_private_key }} users=deploy,www-data'

- name: Install keys of several customers and vendors on one host
  keyfleet.magento.magento_auth_key:
    keys:
      - public_key: "{{ vault_shop_one.public_key }}"
        private_key: "{{ vault_shop_one.private_key }}"
        projects: [/var/www/shop-one/current]
        packages: [magento/product-enterprise-edition]
      - public_key: "{{ vault_shop_two.public_key }}"
        private_key: "{{ vault_shop_two.private_key }}"
        projects: [/var/www/shop-two/current]
      - repository: hyva-themes.repo.packagist.com
        url: https://hyva-themes.repo.packagist.com/shop-one/
        public_key: token
        private_key: "{{ vault_hyva_token }}"
        users: [deploy]
  become: true

- name: Verify the key at every run
  keyfleet.magento.magento_auth_key:
    public_key: "{{ vault_magento_public_key }}"
    private_key: "{{ vault_magento_private_key }}"
    users: [deploy]
    verify: always
  become: true

- name: Install on a host that cannot reach the repository
  keyfleet.magento.magento_auth_key:
    public_key: "{{ vault_magento_public_key }}"
    private_key: "{{ vault_magento_private_key }}"
    users: [deploy]
    fail_on: [invalid, refused, not_entitled]
  become: true

- name: Remove the key before creating an image of the host
  keyfleet.magento.magento_auth_key:
    users: [deploy]
    state: absent
  become: true

- name: Remove a key from all homes and the given directories
  keyfleet.magento.magento_auth_key:
    public_key: 0123456789abcdef0123456789abcdef
    search: [/var/www, /srv]
    state: absent
  become: true

- name: Remove a key only if it has the given public half
  keyfleet.magento.magento_auth_key:
    public_key: 0123456789abcdef0123456789abcdef
    users: [deploy]
    state: absent
  become: true
"""

RETURN = r"""
files:
  description: The files of all keys, one element for each file and repository. May be incomplete after a failure.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file as given or found.
      type: str
      sample: /home/deploy/.composer/auth.json
    real_path:
      description: Path of the file with links resolved.
      type: str
      sample: /home/deploy/.composer/auth.json
    repository:
      description: Repository of the entry.
      type: str
      sample: repo.magento.com
    owner:
      description: Owner of the file.
      type: str
      sample: deploy
    action:
      description:
        - What was done, or would be done in check mode.
        - V(created) if the file was created, V(updated) if the entry was set, V(removed) if the entry was removed,
          V(repaired) if only owner, group or mode were changed, and V(unchanged) otherwise.
      type: str
      sample: created
    before:
      description: The entry before the change, or null if the file was missing. Public key and fingerprint are null if
        the file had no entry.
      type: dict
      contains: &entry
        public_key:
          description:
            - Public half of the key.
            - A user name is shown if it has 32 hexadecimal digits, is an e-mail address or has at most 20 characters.
              Any other value is shown as V(set), since it may be a token.
          type: str
          sample: 0123456789abcdef0123456789abcdef
        fingerprint:
          description: >-
            V(sha256:) and 12 digits of the SHA-256, for a private key of 32 or 40 hexadecimal digits. Any other
            password is shown as V(set).
          type: str
          sample: sha256:8a83665f3798
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
      description: The entry after the change, in the same form.
      type: dict
      contains: *entry
verdicts:
  description: Verdicts of the repositories on the keys. May be incomplete after a failure.
  returned: always
  type: list
  elements: dict
  contains:
    repository:
      description: Repository of the key.
      type: str
      sample: repo.magento.com
    url:
      description: URL that was requested.
      type: str
      sample: https://repo.magento.com/
    public_key:
      description: Public half of the pair, as in RV(files[].before.public_key).
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
      description: HTTP status of the answer, or null without an answer.
      type: int
      sample: 200
    message:
      description: The reason, with the text of the server and advice.
      type: str
      sample: https://repo.magento.com/packages.json accepts this pair.
    packages:
      description: For each name in O(packages), V(listed), V(absent) or V(unknown).
      type: dict
      sample: {magento/product-community-edition: listed}
problems:
  description: Problems on the host that need attention, such as another source that takes precedence over the key.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: Stable code of the problem.
      type: str
      sample: two_homes
    path:
      description: Path of the file, or null.
      type: str
      sample: /home/deploy/.composer
    message:
      description: Description of the problem.
      type: str
      sample: deploy has two Composer homes
code:
  description: Stable code of the failure.
  returned: failure
  type: str
  sample: keys_invalid
"""

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import CONNECTION_SPEC, FAIL_ON, KEY_SPEC
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.install import install_keys
from ansible_collections.keyfleet.magento.plugins.module_utils._module import serve

_STATES = ["present", "absent"]

ARGUMENT_SPEC = dict(
    keys=dict(
        type="list",
        elements="dict",
        no_log=False,
        options=dict(KEY_SPEC, state=dict(type="str", choices=_STATES)),
    ),
    state=dict(type="str", choices=_STATES, default="present"),
    owner=dict(type="str"),
    group=dict(type="str"),
    mode=dict(type="raw", default="0600"),
    malformed=dict(type="str", choices=["fail", "replace"], default="fail"),
    verify=dict(type="str", choices=["never", "changed", "always"], default="changed"),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=list(FAIL_ON)),
    option_prefix=dict(type="str", default=""),
    **KEY_SPEC,
    **CONNECTION_SPEC,
)


def main() -> None:
    """Run the module."""
    serve(ARGUMENT_SPEC, lambda module: install_keys(module.params, module.check_mode), files=[], verdicts=[])


if __name__ == "__main__":
    main()
