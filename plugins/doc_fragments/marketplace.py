# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the controller reaches the Marketplace API."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of everything that talks to the Marketplace."""

    DOCUMENTATION = r"""
options:
  application_id:
    description:
      - Application ID of an API access key of the Marketplace account. It is not a key for packages.
      - Without it the environment variable E(MAGENTO_APPLICATION_ID) is used.
    type: raw
    required: true
  application_secret:
    description:
      - Application secret of the API access key. It is sent to the API to open a session, and to nobody else.
      - Pass it through a variable from a vault. Without it the environment variable E(MAGENTO_APPLICATION_SECRET) is
        used.
    type: raw
    required: true
  environment:
    description:
      - Which of Adobe's environments is meant. The sandbox is open to partners only.
    type: str
    choices: [production, sandbox]
    default: production
  api_url:
    description:
      - Address of the API, in place of the one that O(environment) stands for.
      - Without it the environment variable E(MAGENTO_API_URL) is used.
    type: str
  ca_path:
    description:
      - File on the controller, in PEM format, with the authorities that may vouch for the API.
      - Without it, those in the file that E(REQUESTS_CA_BUNDLE) names may, or else those that C(requests) brings along.
    type: path
  validate_certs:
    description:
      - Whether the API's TLS certificate is verified. Leave this on.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for a connection, and for each silence of the API.
      - Calls that can be repeated to the same end (not those that create) are, with growing pauses or after the pause
        that the API asks for, up to a minute.
      - A call as a whole, repetitions and pauses included, may take ten times as long. A pause that goes beyond that is
        not waited for.
    type: float
    default: 30.0
notes:
  - C(module_defaults) gives these options to all Marketplace modules of a play at once, under the group
    C(group/keyfleet.magento.marketplace).
  - Proxies are those of the environment (E(https_proxy), E(no_proxy)). A C(.netrc) is not used.
requirements:
  - requests
"""
