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
  - Puts auth keys for C(repo.magento.com), or for any other Composer repository with HTTP Basic authentication, into
    the C(auth.json) files that Composer reads on the host, for users, for projects and in files named one by one.
  - Asks the repository from the host whether a new key works before it replaces the old one. A key that does not work
    leaves every file as it is.
  - Everything else in a file keeps its content and order. When nothing changes, nothing is written and nothing is
    asked.
  - Any number of keys, users and projects is one execution of the module; see O(keys).
  - Needs neither PHP nor Composer on the host.
options:
  keys:
    description:
      - Several keys at once, each with the options that stand flat for one key.
      - A key that names neither users nor projects nor paths takes those that stand beside O(keys).
      - With O(public_key) and O(private_key) beside it, the key that they make is added to the list.
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
        description: See O(state). Without it the key takes the state that stands beside O(keys).
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
      - Composer repository that the key is for, as C(host) or C(host:port), exactly as it stands in the repository's
        address.
      - Without it C(repo.magento.com), or with O(search) every repository.
    type: str
  public_key:
    description:
      - Public half of the auth key, which is the user name. Required for O(state=present).
      - For C(repo.magento.com) it must be 32 lower-case hexadecimal digits. Other repositories may take any text.
      - With O(state=absent), only an entry with this public key is removed.
      - It must be text. A value that YAML takes for a number is refused, since digits may have been lost already.
    type: raw
  private_key:
    description:
      - Private half of the auth key, which is the password. Required for O(state=present).
      - It is written to the files and sent to the repository. Results and diffs show its fingerprint only.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        prints the literal arguments of a task that fails.
    type: raw
  users:
    description:
      - Users whose global C(auth.json) gets the key, in the home or homes that a Composer of theirs reads.
      - Where a user has two Composer homes, the one that is read first gets the key, and the other one if it has an
        entry for the repository already, so that no old key lives on there.
      - A home that is missing is made as C(~/.composer) with mode 0700, which every version of Composer reads.
      - When neither users nor projects nor paths are given, the user that the module runs as. That is an error for
        root.
    type: list
    elements: str
  projects:
    description:
      - Root directories of Composer projects. The key goes into C(auth.json) there, and into
        C(var/composer_home/auth.json) where that directory exists.
    type: list
    elements: path
  paths:
    description:
      - Explicit C(auth.json) files. Their directories must exist.
    type: list
    elements: path
  search:
    description:
      - With O(state=absent), removes the key of O(public_key) wherever it is found, in the homes of all users and below
        these directories, whatever repository it is for unless O(repository) names one. An empty list means the homes
        alone.
      - Files that another key of the same run is meant for are left to that key. Files that cannot be read or that
        Composer could not use are left as they are and named in RV(problems).
      - Cannot be combined with O(users), O(projects) and O(paths).
    type: list
    elements: path
  state:
    description:
      - Whether the key shall be in the files or not.
    type: str
    choices: [present, absent]
    default: present
  url:
    description:
      - Address of the repository, which is asked for C(packages.json). Without it C(https://<repository>/).
      - Many vendors serve their packages below a path, and then this option is needed for O(verify). Without it, an
        answer from such a host that does not settle the matter gives the status V(not_checked).
    type: str
  packages:
    description:
      - Packages that the key must be entitled to, by name. Those that the repository does not list for the key give the
        status V(not_entitled).
      - The lists of C(repo.magento.com) have several megabytes, so look packages up from one host rather than from
        each.
    type: list
    elements: str
  owner:
    description:
      - Owner of the files in O(projects) and O(paths). A file of one of the O(users) always belongs to that user.
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
  malformed:
    description:
      - What to do with a file that Composer could not use (empty, not JSON, an entry without password, and so on).
      - With V(fail) nothing at all is written, and every such file is named with the reason.
      - With V(replace) it is overwritten, and whatever was in it is lost.
    type: str
    choices: [fail, replace]
    default: fail
  verify:
    description:
      - When to ask the repository whether a key works.
      - With V(changed), when the key is about to be written; V(always) asks at every run, and V(never) not at all.
      - Check mode asks as well, so that it can tell that a run would fail.
    type: str
    choices: [never, changed, always]
    default: changed
  fail_on:
    description:
      - Verdicts that make the module fail and leave every file as it is.
      - For a host without a way out to the repository, leave V(unknown) out. With an empty list no verdict stops a key.
    type: list
    elements: str
    choices: [invalid, refused, not_entitled, unknown]
    default: [invalid, refused, not_entitled, unknown]
  option_prefix:
    description:
      - What messages put before the names of the options.
      - The role P(keyfleet.magento.magento_auth#role) sets it, so that a message names the variable of the role.
        Playbooks do not need it.
    type: str
    default: ""
extends_documentation_fragment:
  - keyfleet.magento.connection
  - keyfleet.magento.attributes
notes:
  - Run as root, the module acts as the owner of each directory, and as root only below directories that are root's all
    the way up. A link has the rights of its maker, and a Composer home that C(config.json) of a user names those of the
    user.
  - In directories of root that their group or everybody may write to, a file or link that exists is used only if root
    or O(owner) made it. Where O(owner) is given, the directories below must be root's or that owner's.
  - C(var/composer_home) of a project gets the key if it belongs to the project's owner or to O(owner). Otherwise it is
    left alone and named in RV(problems).
  - Composer takes no lock on C(auth.json). Runs of this module never lose each other's entries, and an entry that a
    Composer run overwrote at the same moment is written again.
  - Failures carry a stable RV(code). The codes are listed in the documentation of the collection.
seealso:
  - module: keyfleet.magento.magento_auth_key_info
  - name: Get your authentication keys
    description: Where Adobe lets you make the keys by hand.
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

# Ad hoc, with both halves in a vault file:
# ansible web -b -m keyfleet.magento.magento_auth_key -e @vault.yml \
#   -a 'public_key={{ vault_magento_public_key }} private_key={{ vault_magento_private_key }} users=deploy,www-data'

- name: Keys of several customers and vendors on one host, in one go
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

- name: Ask the repository again at every run
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

- name: Remove the key before an image is made of the host
  keyfleet.magento.magento_auth_key:
    users: [deploy]
    state: absent
  become: true

- name: Remove the key of somebody who left, wherever it is
  keyfleet.magento.magento_auth_key:
    public_key: 0123456789abcdef0123456789abcdef
    search: [/var/www, /srv]
    state: absent
  become: true

- name: Remove one particular key, and no other that may have taken its place
  keyfleet.magento.magento_auth_key:
    public_key: 0123456789abcdef0123456789abcdef
    users: [deploy]
    state: absent
  become: true
"""

RETURN = r"""
files:
  description: Every file and repository that was asked for. Returned by a failing run as far as it came.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file as it was named or found.
      type: str
      sample: /home/deploy/.composer/auth.json
    real_path:
      description: The file that is written, links resolved.
      type: str
      sample: /home/deploy/.composer/auth.json
    repository:
      description: The repository of the entry.
      type: str
      sample: repo.magento.com
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
      description: The entry before, or none if there was no file. Its public key and fingerprint are none where it had
        no entry.
      type: dict
      contains: &entry
        public_key:
          description:
            - Public half of the key.
            - A user name is shown if it has 32 hexadecimal digits, is an e-mail address or has at most 20 characters.
              Any other one is V(set), since some services keep a token there.
          type: str
          sample: 0123456789abcdef0123456789abcdef
        fingerprint:
          description: >-
            V(sha256:) and 12 digits for a private key of 32 or 40 hexadecimal digits. A password that a person may have
            chosen is V(set).
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
      description: The entry afterwards, in the same form.
      type: dict
      contains: *entry
verdicts:
  description: What the repository says of each key. Returned by a failing run as far as it came.
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
  description: Standing states that deserve attention, such as another source that wins over the key that was written.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: Stable code.
      type: str
      sample: two_homes
    path:
      description: The file, if it is about one.
      type: str
      sample: /home/deploy/.composer
    message:
      description: The problem in words.
      type: str
      sample: deploy has two Composer homes
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
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.install import install
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, failure
from ansible_collections.keyfleet.magento.plugins.module_utils._module import Door

_STATES = ["present", "absent"]
_SEARCH = {"type": "list", "elements": "path"}
_REPOSITORY = {"type": "str"}

ARGUMENT_SPEC = dict(
    keys=dict(
        type="list",
        elements="dict",
        no_log=False,
        options=dict(
            PAIR_SPEC, repository=_REPOSITORY, state=dict(type="str", choices=_STATES), search=_SEARCH, **TARGET_SPEC
        ),
    ),
    repository=_REPOSITORY,
    search=_SEARCH,
    state=dict(type="str", choices=_STATES, default="present"),
    owner=dict(type="str"),
    group=dict(type="str"),
    mode=dict(type="raw", default="0600"),
    malformed=dict(type="str", choices=["fail", "replace"], default="fail"),
    verify=dict(type="str", choices=["never", "changed", "always"], default="changed"),
    fail_on=dict(type="list", elements="str", choices=list(FAIL_ON), default=list(FAIL_ON)),
    option_prefix=dict(type="str", default=""),
    **PAIR_SPEC,
    **TARGET_SPEC,
    **CONNECTION_SPEC,
)


def run(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Install or remove the keys in ``params``; returns the result as documented, or raises `KeyfleetError`."""
    return install(params, check_mode=check_mode)


def main() -> None:
    """The door that Ansible knocks at."""
    module = Door(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
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
