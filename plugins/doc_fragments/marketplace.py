# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for requests of the controller to the Marketplace API."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of every plugin that uses the Marketplace API."""

    DOCUMENTATION = r"""
options:
  application_id:
    description:
      - Application ID of an API access key of the Marketplace account. It is not a key for packages.
      - If not set, the environment variable E(MAGENTO_APPLICATION_ID) is used.
    type: raw
    required: true
  application_secret:
    description:
      - Application secret of the API access key. It is sent only to the API, to open a session.
      - Pass it through a variable from a vault. If not set, the environment variable E(MAGENTO_APPLICATION_SECRET) is
        used.
    type: raw
    required: true
  environment:
    description:
      - Environment of Adobe to use. The sandbox is open to partners only.
    type: str
    choices: [production, sandbox]
    default: production
  api_url:
    description:
      - URL of the API. Overrides the URL of O(environment).
      - If not set, the environment variable E(MAGENTO_API_URL) is used.
    type: str
  ca_path:
    description:
      - Path of a PEM file on the controller with the CA certificates to trust for the API.
      - If not set, the file in E(REQUESTS_CA_BUNDLE) is used, or else the certificates that C(requests) includes.
    type: path
  validate_certs:
    description:
      - Whether to verify the API's TLS certificate. Keep this enabled.
    type: bool
    default: true
  timeout:
    description:
      - Time in seconds to wait for a connection, and for each part of an answer.
      - Calls that are safe to repeat (not those that create keys) are retried after increasing pauses, or after the
        pause that the API requests, up to one minute.
      - A whole call, including retries and pauses, may take ten times as long. It fails instead of starting a pause
        that would exceed this limit.
    type: float
    default: 30.0
notes:
  - The proxy of the environment (E(https_proxy), E(no_proxy)) is used. A C(.netrc) is not read.
requirements:
  - requests
"""

    # For modules, beside the above.
    MODULES = r"""
options: {}
notes:
  - To set the options of the API for all Marketplace modules of a play, use C(module_defaults) with the group
    C(group/keyfleet.magento.marketplace).
"""
