# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for requests of a host to the release downloads."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every module that requests release downloads with the host's curl."""

    DOCUMENTATION = r"""
options:
  downloads_url:
    description:
      - URL of the release downloads, up to and including C(/products/downloads).
    type: str
    default: https://www.magentocommerce.com/products/downloads
  validate_certs:
    description:
      - Whether to verify the server's TLS certificate.
      - Keep this enabled. With V(false) the token is sent to any server that answers.
    type: bool
    default: true
  ca_path:
    description:
      - Path of a PEM file on the host with the CA certificates to trust for the server. The user that runs curl must
        be able to read it.
      - If not set, curl's own trust store is used.
    type: path
  timeout:
    description:
      - Time in seconds to wait for a complete answer of the server.
      - A download fails after this many seconds in a row with fewer than 4096 bytes per second. The whole download,
        including retries and pauses, may take one day.
    type: float
    default: 30.0
attributes:
  action_group:
    description:
      - Use C(group/keyfleet.magento.hosts) in C(module_defaults) to set O(validate_certs), O(ca_path) and O(timeout)
        for all modules that run on hosts. Not every one of them has the other options.
    support: full
    membership: [keyfleet.magento.hosts]
  platform:
    description: Platforms that the module supports. Hosts need Python 3.7 or newer and C(curl) 7.55 or newer.
    platforms: posix
    support: full
requirements:
  - curl 7.55 or newer, with HTTPS, on the host
notes:
  - Runs the C(curl) found on the C(PATH) of the host, 7.55 or newer. Its options, including the proxy of the
    environment, are passed on standard input, and no C(curlrc) is read.
  - Of the task's environment, only E(CURL_CA_BUNDLE), E(SSL_CERT_FILE) and E(SSL_CERT_DIR) are passed to curl.
  - Credentials are never sent to another host, not even after a redirect.
  - Failures have a stable RV(code). The documentation of the collection lists the codes.
"""

    # For modules that use a token but do not install it.
    CREDENTIALS = r"""
options:
  mage_id:
    description:
      - The MAGEID, C(MAG) followed by digits. Requires O(token).
      - If neither is set, the entry for the server in a netrc file is used; see O(netrc_path).
    type: raw
  token:
    description:
      - The download token, 40 lower-case hexadecimal digits. It is sent to the server only.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        print the literal arguments of a failed task.
    type: raw
  netrc_path:
    description:
      - Path of the netrc file with MAGEID and token. If not set, C(~/.netrc) of the current user is used.
      - The module reads the file and passes MAGEID and token to curl.
    type: path
"""
