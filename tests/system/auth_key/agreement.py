# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares how the module and Composer read and write a file, with the known differences."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from ansible_collections.keyfleet.magento.plugins.module_utils._composer.auth_json import HTTP_BASIC, entries, parse
from ansible_collections.keyfleet.magento.plugins.module_utils._composer.edit import serialise
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import MalformedFile
from system.auth_key.auth_files import ACCEPTED, ANY_GITHUB_TOKEN, NEWER_SECTIONS, OBJECT_NAMES, Kind
from system.auth_key.composer import Harness, Read

EXAMPLES = int(os.environ.get("KEYFLEET_EXAMPLES", "40"))
"""Number of files of each class. Use many more for a long run after a change, also with another KEYFLEET_SEED."""


def at_least(kind: Kind) -> int:
    """Minimum number of different files of a class; hypothesis repeats files of a small class.

    It holds for the examples of a run without KEYFLEET_SEED; with an unlucky seed, it may not.
    """
    return EXAMPLES // kind.weight // 2


def profile(kind: Kind | None = None, *, examples: int = EXAMPLES) -> settings:
    return settings(
        max_examples=examples // (kind.weight if kind else 1),
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )


# Files that Composer reads and the module refuses: part of the refusal, and the reason for it.
REFUSED_ALTHOUGH_READ = {
    "duplicate key": "Composer reads the last one and may edit the first; it is unknown which one was intended",
    "a number is too large": "PHP reads it as infinite, which JSON cannot express, so the file cannot be rewritten",
    "a number is too long": "Python does not convert it, and no setting of Composer has thousands of digits",
    "is not text": "null as a secret: this Composer sends an empty password, which no repository accepts",
    "must be a whole number": "PHP's max() turns it into zero in Composer 2.5; other versions may differ",
    "must be a list of text": "PHP merges it anyway in Composer 2.5; other versions may differ",
    "the top level is not an object": "an empty list: Composer reads no entry from it and cannot write one into it",
}
ROW_OF = {
    "duplicate keys": ("duplicate key",),
    "number too large": ("a number is too large",),
    "number too long": ("a number is too long",),
    "null as a secret": ("is not text",),
    "setting that PHP bends": ("must be a whole number", "must be a list of text"),
    "the top is an empty list": ("the top level is not an object",),
}
if ANY_GITHUB_TOKEN:
    REFUSED_ALTHOUGH_READ["no GitHub token has"] = "older Composers read no file with such a token"
    ROW_OF["odd GitHub token"] = ("no GitHub token has",)
if not NEWER_SECTIONS:
    REFUSED_ALTHOUGH_READ["Composer 2.9 and newer cannot read it"] = "older ones read none of these sections"
    ROW_OF["malformed newer section"] = ("Composer 2.9 and newer cannot read it",)


def credentials(document: dict[str, Any], harness: Harness) -> dict[str, tuple[str, str]]:
    """The credentials that Composer sends, derived from the entries that the module reads."""
    words = {"github-oauth": "x-oauth-basic", "gitlab-oauth": "oauth2", "gitlab-token": "private-token"}
    found: dict[str, tuple[Any, str]] = {}
    for entry in entries(document):
        value = document[entry.section][entry.repository]
        if isinstance(value, dict) and entry.section.startswith("gitlab") and entry.section not in harness.objects:
            found[entry.repository] = (value, words[entry.section])
        elif isinstance(value, dict) and entry.section != "gitlab-oauth":
            found[entry.repository] = (entry.username, entry.secret)
        else:
            assert entry.username == ""
            found[entry.repository] = (entry.secret, words.get(entry.section, entry.section))
    return found


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < 20 else 1


def _finite(digits: str) -> float:
    return float(digits) if abs(float(digits)) < float("inf") else 1


def as_composer_reads(file: bytes) -> bytes:
    """A file that means the same to Composer, without the values that only the module refuses."""
    document = json.loads(file, parse_int=_whole, parse_float=_finite) or {}
    for section, names in OBJECT_NAMES.items():
        for value in dict(document.get(section) or {}).values():
            if isinstance(value, dict) and value[names[-1]] is None:
                value[names[-1]] = ""
    dropped = ["process-timeout", "github-domains", "gitlab-domains"]
    newer = [] if NEWER_SECTIONS else ["custom-headers", "client-certificate", "forgejo-token"]
    for name in [*dropped, *newer]:
        document.pop(name, None)
    if ANY_GITHUB_TOKEN:
        # The section before it, which takes any text.
        pairs = {
            host: {"consumer-key": token, "consumer-secret": "x-oauth-basic"}
            for host, token in dict(document.pop("github-oauth", None) or {}).items()
        }
        document["bitbucket-oauth"] = {**dict(document.get("bitbucket-oauth") or {}), **pairs}
    return json.dumps(document).encode()


def compared(harness: Harness, file: bytes, composer: Read) -> tuple[str, str]:
    """Fails unless the module and Composer read the same. Returns the outcome and the refusal of the module."""
    try:
        document = parse(file)
    except MalformedFile as malformed:
        if composer.outcome != ACCEPTED:
            return composer.outcome, malformed.reason
        rows = [words for words in REFUSED_ALTHOUGH_READ if words in malformed.reason]
        assert rows, f"Composer reads what the module refuses: {malformed}: {file!r}"
        plain = as_composer_reads(file)
        assert harness.read(plain).sent == composer.sent, file
        assert credentials(parse(plain), harness) == composer.sent, file
        return "stricter", rows[0]
    assert composer.outcome == ACCEPTED, f"the module reads what Composer does not: {composer}: {file!r}"
    assert credentials(document, harness) == composer.hosts, file
    return ACCEPTED, ""


def as_composer_leaves(document: dict[str, Any], file: bytes, *, host: str, username: str, password: str) -> bytes:
    """Our file after `composer config`, which drops extra keys of the entry and escapes two characters in it."""
    line, paragraph = "\ue000L\ue000", "\ue000P\ue000"  # private use characters, in no generated text
    values = [text.replace("\u2028", line).replace("\u2029", paragraph) for text in (username, password)]
    hosts = {**document.get(HTTP_BASIC, {}), host: {"username": values[0], "password": values[1]}}
    text = serialise({**document, HTTP_BASIC: hosts}, like=file).decode()
    return text.replace(line, "\\u2028").replace(paragraph, "\\u2029").encode()


def altered_by_composer(document: dict[str, Any], host: str) -> bool:
    """Whether `composer config` alters the entry: it drops extra keys, and escapes U+2028 and U+2029."""
    entry = document[HTTP_BASIC][host]
    return len(entry) > 2 or any(separator in value for separator in "\u2028\u2029" for value in entry.values())
