# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show secrets safely, and find values that cannot be auth keys. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import List, Optional, Tuple

MAGENTO_REPOSITORY = "repo.magento.com"

# Auth keys have 32 digits, download tokens 40. Both are machine-made, so digests cannot be reversed by guessing.
_MACHINE_MADE = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40})\Z")
_AUTH_KEY = re.compile(r"[0-9a-f]{32}\Z")
_MAGE_ID = re.compile(r"MAG[0-9]{6,}\Z", re.IGNORECASE)
# The lookahead avoids trying every dot when the text is no address.
_EMAIL = re.compile(r"[^@\s]+@(?=[^@\s]+\Z)[^@\s]+\.[^@\s]+\Z")
_LONGEST_EMAIL = 254  # characters; RFC 5321
_LONGEST_USER = 20  # characters; every known token that is used as a user name is longer
_PLACEHOLDER = re.compile(
    r"<.*>\Z"
    r"|your(?:\Z|[^a-z]|.*(?:key|user|name|pass|token|secret|public|private|login|here))"
    r"|.*x{6,}|x{3,}\Z",
    re.IGNORECASE | re.DOTALL,
)
_REPOSITORY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")


def fingerprint(secret: str) -> Optional[str]:
    """``sha256:`` and 12 hex digits for a machine-made secret (32 or 40 lower-case hex); None for any other.

    A secret that a person may have chosen could be found by guessing, so it gets no digest.
    """
    if _MACHINE_MADE.match(secret):
        return "sha256:" + hashlib.sha256(secret.encode("ascii")).hexdigest()[:12]
    return None


def describe(secret: str) -> str:
    """The only form in which a secret appears in results and diffs: its fingerprint, ``set`` or ``not set``."""
    if not secret:
        return "not set"
    return fingerprint(secret) or "set"


def shown_user(name: str) -> str:
    """A user name as shown in results, diffs and messages: unchanged, or ``set`` if it may be a secret.

    Some services use the token as the user name, as GitHub does with the password ``x-oauth-basic``.
    """
    if len(name) <= _LONGEST_USER or _AUTH_KEY.match(name):
        return name
    return name if len(name) <= _LONGEST_EMAIL and _EMAIL.match(name) else "set"


def shown_host(name: str) -> str:
    """A host or another name from a file, safe to show: without a user and password before it."""
    _user, at, host = name.rpartition("@")
    return f"***@{host}" if at else name


def host_as_shown(value: object) -> str:
    """A host or address, safe to quote: without the part before an @, which may be a password."""
    return repr(value if not isinstance(value, str) else value.rpartition("@")[2])


def repository_fault(repository: object) -> Optional[str]:
    """The reason why ``repository`` cannot be the key of an entry in auth.json, or None."""
    if not isinstance(repository, str):
        return "it must be text: host or host:port"
    if not _REPOSITORY.match(repository):
        return "it must be the host, or host:port, of the repository's address, with no scheme, path or user name"
    if repository.isdigit():
        return "Composer fails on a host made of digits only"
    if ":" not in repository and "[" not in repository:
        return None
    from urllib.parse import urlsplit  # on use, since few repositories have a port or are IPv6 addresses

    try:
        usable = urlsplit(f"https://{repository}/").port != 0
    except ValueError:
        usable = False
    return None if usable else "it has an invalid port or address"


def _half_fault(name: str, value: object, magento: bool) -> Optional[str]:
    if isinstance(value, bool) or not isinstance(value, str):
        return f"{name} is not text (a value of digits only must be quoted in YAML)"
    if not value:
        return f"{name} is empty"
    if value != value.strip() or any(ord(c) < 32 or ord(c) == 127 for c in value):
        return f"{name} has surrounding blanks or line breaks, or control characters"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"{name} cannot be written as UTF-8"
    if _PLACEHOLDER.match(value):
        return f"{name} is a placeholder"
    if not magento:
        return None
    if _EMAIL.match(value):
        return f"{name} is an e-mail address; {MAGENTO_REPOSITORY} accepts access keys, not the sign-in of the account"
    if _MAGE_ID.match(value):
        return f"{name} is a MAGEID; that belongs to release downloads, not to {MAGENTO_REPOSITORY}"
    if _AUTH_KEY.match(value):
        return None
    if len(value) == 40 and _MACHINE_MADE.match(value):
        return f"{name} has 40 hex digits like a download token; an auth key has 32"
    if _AUTH_KEY.match(value.lower()):
        return f"{name} has upper-case letters; auth keys are 32 lower-case hex digits"
    return f"{name} is not 32 lower-case hex digits (it has {len(value)} characters)"


def key_title(option: str, *, repository: str, public_key: object, private_key: object) -> str:
    """The name of a key in messages: its option, its public half if that is valid, its repository."""
    is_one = isinstance(public_key, str) and ":" not in public_key and public_key != private_key
    fault = _half_fault(option, public_key, repository == MAGENTO_REPOSITORY)
    shown = shown_user(str(public_key)) if is_one and not fault else "set"
    return f"{option} at {repository}" if shown == "set" else f"{option} {shown} at {repository}"


def key_faults(
    *, repository: str, public_key: object, private_key: object, names: Tuple[str, str] = ("public_key", "private_key")
) -> List[str]:
    """The reasons why the pair cannot work at ``repository``, without quoting a value; empty if there are none.

    ``names`` are the options of the two halves.
    Source of the format: Adobe's installation guide, "Get your authentication keys" (32 characters each). The formats
    of other hosts are unknown, so only values that are never credentials are refused there.
    """
    magento = repository == MAGENTO_REPOSITORY
    checked = (_half_fault(name, half, magento) for name, half in zip(names, (public_key, private_key)))
    faults = [fault for fault in checked if fault]
    if isinstance(public_key, str) and public_key and public_key == private_key:
        faults.append(f"{names[0]} and {names[1]} are the same value")
    if isinstance(public_key, str) and ":" in public_key:
        faults.append(f"{names[0]} has a colon, which HTTP Basic forbids in a user name")
    return faults
