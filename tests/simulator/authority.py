# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's own certificate authority, kept in the state directory."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import trustme

from .world import write_private

NAMES = (
    "repo.magento.com",
    "www.magentocommerce.com",
    "commercedeveloper-api.adobe.com",
    "localhost",
    "127.0.0.1",
    "::1",
)


def server_context(directory: Path, names: Sequence[str]) -> ssl.SSLContext:
    """TLS settings with a certificate for all names, made anew when the names have changed.

    The CA (``ca.pem``, and its key in ``ca-key.pem``) is made once and stays the same across restarts.
    """
    certificate, key = directory / "ca.pem", directory / "ca-key.pem"
    wanted = list(dict.fromkeys((*NAMES, *names)))
    leaf, leaf_names = directory / "server.pem", directory / "server-names"
    if key.exists() and certificate.exists():
        authority = trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    else:
        authority = trustme.CA(organization_name="keyfleet.magento simulator", organization_unit_name="Testing only")
        write_private(key, authority.private_key_pem.bytes().decode())
        certificate.write_bytes(authority.cert_pem.bytes())
        leaf.unlink(missing_ok=True)
    if not leaf.exists() or not leaf_names.exists() or leaf_names.read_text().split() != wanted:
        issued = authority.issue_cert(*wanted, common_name=wanted[0])
        write_private(leaf, issued.private_key_and_cert_chain_pem.bytes().decode())
        leaf_names.write_text("\n".join(wanted) + "\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(leaf)
    return context
