# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's own certificate authority, kept in the state directory."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .world import write_private

NAMES = (
    "repo.magento.com",
    "www.magentocommerce.com",
    "commercedeveloper-api.adobe.com",
    "commercedeveloper-sandbox-api.adobe.com",
    "localhost",
    "127.0.0.1",
    "::1",
)


def server_context(directory: Path, names: Sequence[str]) -> ssl.SSLContext:
    """TLS settings with a certificate for all names, issued again when the names have changed.

    The CA (``ca.pem``, and its key in ``ca-key.pem``) is created once and stays the same across restarts.
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
    return _context(leaf)


def self_signed_context() -> ssl.SSLContext:
    """TLS settings with a self-signed certificate for the right names, new every time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAMES[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(item) for item in NAMES if item[0].isalpha()]), False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # The ssl module reads certificates only from files; mkstemp creates them with mode 0600.
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(private + certificate.public_bytes(encoding))
        file.flush()
        return _context(Path(file.name))


def _context(chain: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain)
    return context
