# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for requests of a host to a Composer repository."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every module that verifies keys at a Composer repository from the host."""

    DOCUMENTATION = r"""
options:
  validate_certs:
    description:
      - Whether to verify the repository's TLS certificate.
      - Keep this enabled. With V(false) the keys are sent to any server that answers.
    type: bool
    default: true
  ca_path:
    description:
      - Path of a PEM file on the host with the CA certificates to trust for the repository.
      - If not set, the host's trust store is used.
    type: path
  timeout:
    description:
      - Time in seconds to wait for an answer of the repository. When packages are looked up, it limits each wait for
        data, and the whole look-up may take ten times as long.
    type: float
    default: 30.0
  use_proxy:
    description:
      - Whether to use the proxy of the environment (E(https_proxy), E(no_proxy)).
    type: bool
    default: true
attributes:
  action_group:
    description:
      - Use C(group/keyfleet.magento.hosts) in C(module_defaults) to set O(validate_certs), O(ca_path) and O(timeout)
        for all modules that run on hosts. Not every one of them has the other options.
    support: full
    membership: [keyfleet.magento.hosts]
  platform:
    description: Platforms that the module supports. Hosts need only Python 3.7 or newer.
    platforms: posix
    support: full
notes:
  - Failures have a stable RV(code). The documentation of the collection lists the codes.
"""
