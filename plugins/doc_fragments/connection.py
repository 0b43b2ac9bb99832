# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host asks a repository."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every module that asks a Composer repository from the host."""

    DOCUMENTATION = r"""
options:
  validate_certs:
    description:
      - Whether the repository's TLS certificate is verified.
      - Leave this on. With V(false) the keys are handed to whoever answers.
    type: bool
    default: true
  ca_path:
    description:
      - File on the host, in PEM format, with the authorities that may vouch for the repository.
      - Without it the host's own trust store is used.
    type: path
  timeout:
    description:
      - Seconds that the repository may take to answer. When packages are looked up, each silence may last that long,
        and the whole of it ten times as long.
    type: float
    default: 30.0
  use_proxy:
    description:
      - Whether the proxy that the environment names (C(https_proxy), C(no_proxy)) is used.
    type: bool
    default: true
attributes:
  platform:
    description: Systems that the module runs on. It needs Python 3.7 or newer there, and nothing else.
    platforms: posix
    support: full
"""
