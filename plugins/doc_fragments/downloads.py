# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host asks for release downloads."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every module that runs the host's curl against release downloads."""

    DOCUMENTATION = r"""
options:
  downloads_url:
    description:
      - Address of release downloads, without what follows C(/products/downloads).
    type: str
    default: https://www.magentocommerce.com/products/downloads
  validate_certs:
    description:
      - Whether the server's TLS certificate is verified.
      - Leave this on. With V(false) the token is handed to whoever answers.
    type: bool
    default: true
  ca_path:
    description:
      - File on the host, in PEM format, with the authorities that may vouch for the server. Whoever runs curl must
        be able to read it.
      - Without it curl's own trust store is used.
    type: path
  timeout:
    description:
      - Seconds that the server may take for a whole answer.
      - When a file is downloaded, seconds in a row during which fewer than 4096 bytes a second come, silence included.
        The file as a whole may take a day, with all further tries and pauses.
    type: float
    default: 30.0
attributes:
  platform:
    description: Systems that the module runs on. It needs Python 3.7 or newer and C(curl) 7.55 or newer there.
    platforms: posix
    support: full
requirements:
  - curl 7.55 or newer, with HTTPS, on the host
notes:
  - Runs the C(curl) of the host, 7.55 or newer, which is looked for on the C(PATH). Everything that it is told goes
    through its standard input, and no C(curlrc) is read.
  - The proxy that the environment names is used as curl does. Of the environment nothing else reaches curl but
    E(CURL_CA_BUNDLE), E(SSL_CERT_FILE) and E(SSL_CERT_DIR).
  - Redirects are never followed with credentials to another host.
  - Failures carry a stable RV(code). The codes are listed in the documentation of the collection.
"""

    # For modules that use a token and do not install one.
    CREDENTIALS = r"""
options:
  mage_id:
    description:
      - The MAGEID, C(MAG) followed by digits. O(token) is then needed, too.
      - Without both, what a netrc has for the server is used; see O(netrc_path).
    type: raw
  token:
    description:
      - The downloads access token, 40 lower-case hexadecimal digits. It is sent to the server and to nobody else.
      - Pass it through a variable from a vault, never as literal text on a command line. ansible-core 2.19 and newer
        prints the literal arguments of a task that fails.
    type: raw
  netrc_path:
    description:
      - The netrc to take MAGEID and token from. Without it, C(~/.netrc) of the user that the module runs as.
      - The module reads it, and hands curl what it found.
    type: path
"""
