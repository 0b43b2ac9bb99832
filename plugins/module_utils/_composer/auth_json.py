# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse, edit and serialise Composer's auth.json. Pure.

Validity follows Composer's own parser (Composer 1.10 to 2.10: ``Json/JsonFile.php``,
``IO/BaseIO.php::loadConfiguration``), not JSON alone: `MalformedFile` is raised for a file that makes Composer fail or
that it silently ignores.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence, Tuple, Union

from .._argspec import Key
from .._errors import MalformedFile
from .._redact import bounded
from .._secrets import describe, shown_host, shown_user

Document = Dict[str, Any]

HTTP_BASIC = "http-basic"
# Later sections win over earlier ones for the same host (BaseIO::loadConfiguration).
SECTIONS = ("bitbucket-oauth", "github-oauth", "gitlab-oauth", "gitlab-token", HTTP_BASIC, "bearer")
# The texts of an entry that is an object: the user name, if there is one, and the secret.
_NAMES = {
    "bitbucket-oauth": ("consumer-key", "consumer-secret"),
    "gitlab-oauth": ("token",),
    "gitlab-token": ("username", "token"),
    HTTP_BASIC: ("username", "password"),
}
# Since Composer 2.9; they win over all of the above.
NEWER_SECTIONS = ("custom-headers", "client-certificate")

_MAX_DEPTH = 511  # PHP's json_decode stops at 512 and counts the content of the innermost brackets as a level
_GITHUB_TOKEN = re.compile(r"[.A-Za-z0-9_-]+\n?\Z")
_INTEGER_KEY = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z")
_INTEGERS = range(-(2**63), 2**63)  # of PHP
_TOKENS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_INDENT = re.compile(r'\n([ ]+|\t+)"')
_WIDEST_INDENT = 16  # repeated at every line, once for each level of nesting
_LARGEST = 4 * 1024 * 1024  # bytes; a larger file is not read
_MOST_SHOWN = 256 * 1024  # characters of a file in a diff
_USER_NAMES = ("username", "consumer-key")


@dataclass(frozen=True)
class AuthEntry:
    """Credentials for one host in one section. ``username`` is "" in sections without user names."""

    section: str
    repository: str
    # Some services keep the token in the user name.
    username: str = field(repr=False)
    secret: str = field(repr=False)

    def as_result(self) -> Dict[str, Optional[str]]:
        """Return the entry as results show it, with `describe` in place of the secret."""
        return {
            "repository": shown_host(self.repository),
            "section": self.section,
            "public_key": shown_user(self.username) or None,
            "fingerprint": describe(self.secret),
        }


def _position(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    return f"line {line}, column {offset - text.rfind(chr(10), 0, offset)}"


def _no_constant(name: str) -> NoReturn:
    raise MalformedFile(f"{name} is not JSON", "a number")


def _number(convert: Callable[[str], Union[int, float]], digits: str) -> Union[int, float]:
    try:
        value = convert(bounded(digits))
    except ValueError:
        raise MalformedFile("a number is too long", f"{len(digits)} digits") from None
    if value in (float("inf"), float("-inf")):
        raise MalformedFile("a number is too large", f"{len(digits)} digits")
    return value


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    result: Dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            reason = "duplicate key in one object; Composer reads the last and may edit the first"
            raise MalformedFile(reason, repr(shown_host(key)))
        result[key] = value
    return result


def _refuse_depth(text: str) -> None:
    depth = 0
    in_string = False
    for match in _TOKENS.finditer(text):
        token = match.group()
        if token == '"':
            in_string = not in_string
        elif in_string or token[0] == "\\":
            continue
        elif token in "[{":
            depth += 1
            if depth > _MAX_DEPTH:
                raise MalformedFile(f"nested more than {_MAX_DEPTH} levels deep", _position(text, match.start()))
        else:
            depth -= 1


def _load(data: bytes) -> Any:
    if data.startswith(b"\xef\xbb\xbf"):
        raise MalformedFile("begins with a byte order mark", "line 1, column 1")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data:
        raise MalformedFile("not UTF-8 (it looks like UTF-16, or binary)", "line 1, column 1")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedFile("not UTF-8", f"line {line}, byte {error.start}") from None
    if not text.strip(" \t\r\n"):
        raise MalformedFile("empty; an auth.json without credentials must be an empty object", "line 1, column 1")
    _refuse_depth(text)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=partial(_number, int),
            parse_float=partial(_number, float),
        )
    except json.JSONDecodeError as error:
        # error.msg is a fixed text of the parser and quotes nothing of the file.
        raise MalformedFile(f"not JSON: {error.msg}", _position(text, error.pos)) from None
    try:
        # Encoded again, so that one pass covers all keys and strings.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        reason = "half of a surrogate pair is escaped; Composer ignores the whole file"
        raise MalformedFile(reason, "a \\u escape") from None
    return document


def _is_integer_key(key: str) -> bool:
    """Whether PHP turns ``key`` into an integer, which Composer's typed functions refuse."""
    return bool(_INTEGER_KEY.match(key)) and int(key) in _INTEGERS


def _check_host(section: str, host: str, value: Any) -> None:
    place = f"{section} → {shown_host(host)}"
    names = _NAMES.get(section, ())
    if _is_integer_key(host):
        raise MalformedFile("a host made of digits only", place)
    if names and isinstance(value, dict):
        for name in names:
            if name not in value:
                raise MalformedFile(f"has no {name}", place)
            if not isinstance(value[name], str):
                raise MalformedFile(f"{name} is not text (quotes are missing)", place)
    elif section in (HTTP_BASIC, "bitbucket-oauth"):
        raise MalformedFile(f"must be an object with {' and '.join(names)}", place)
    elif not isinstance(value, str):
        raise MalformedFile("must be text", place)
    elif section == "github-oauth" and not _GITHUB_TOKEN.match(value):
        raise MalformedFile("has characters that no GitHub token has", place)


def _checked(document: Any) -> Document:
    if not isinstance(document, dict):
        raise MalformedFile("the top level is not an object; Composer ignores the whole file", "line 1, column 1")
    # The settings whose wrong type makes every command fail; auth.json may hold any setting of Composer.
    for key in document:
        if _is_integer_key(key):
            raise MalformedFile("a key made of digits only", key)
    for option in ("github-domains", "gitlab-domains"):
        domains = document.get(option, [])
        if not isinstance(domains, list) or not all(isinstance(domain, str) for domain in domains):
            raise MalformedFile("must be a list of text", option)
    timeout = document.get("process-timeout", 0)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout not in _INTEGERS:
        raise MalformedFile("must be a whole number", "process-timeout")
    for section in SECTIONS:
        if section not in document or document[section] == []:
            # PHP cannot tell an empty list from an empty object, so Composer reads [] as no entries.
            continue
        hosts = document[section]
        if not isinstance(hosts, dict):
            raise MalformedFile("must be an object of hosts", section)
        for host, value in hosts.items():
            _check_host(section, host, value)
    return document


def parse(data: bytes) -> Document:
    """Return the document in ``data``, in the order of its keys. It is cached: callers must not change it.

    Raises `MalformedFile` with reason and place.
    """
    found = _parsed(data)
    if isinstance(found, MalformedFile):
        raise MalformedFile(found.reason, found.place)
    return found


# The plan, rows and diff of every key parse the same few files, which may be large.
@lru_cache(maxsize=4)
def _parsed(data: bytes) -> Union[Document, MalformedFile]:
    try:
        return _checked(_load(data))
    except MalformedFile as malformed:
        return malformed


def _secret_of(section: str, value: Any) -> Tuple[str, str]:
    if isinstance(value, str):
        return "", value
    *user, secret = [value[name] for name in _NAMES[section]]
    return "".join(user), secret


def entries(document: Document) -> List[AuthEntry]:
    """Return the entries of the known sections in Composer's order: later ones win for the same host."""
    found = []
    for section in SECTIONS:
        for host, value in dict(document.get(section) or {}).items():
            found.append(AuthEntry(section, host, *_secret_of(section, value)))
    return found


def with_entry(document: Document, *, repository: str, username: str, password: str) -> Document:
    """Return a copy with the http-basic entry set. Its extra keys and the order of everything else are kept.

    User name and password come first, in the order in which Composer writes them.
    """
    hosts = dict(document.get(HTTP_BASIC) or {})
    entry = {"username": username, "password": password}
    hosts[repository] = {**entry, **hosts.get(repository, {}), **entry}
    return {**document, HTTP_BASIC: hosts}


def without_entry(document: Document, *, repository: str, username: Optional[str] = None) -> Document:
    """Return a copy without the http-basic entry of ``repository``; with ``username``, only if the entry has it."""
    hosts = dict(document.get(HTTP_BASIC) or {})
    if repository not in hosts or (username is not None and hosts[repository]["username"] != username):
        return document
    del hosts[repository]
    return {**document, HTTP_BASIC: hosts}


def serialise(document: Document, *, like: Optional[bytes] = None) -> bytes:
    """Return several lines in UTF-8 with the indent of ``like``, or 4 spaces, and one line feed at the end.

    Every Composer version keeps this form, while each write of Composer triples the inner indent of a one-line file.
    Raises `MalformedFile` if the result would be too large to be read again, since each line repeats the indent.
    """
    found = _INDENT.search(like.decode("utf-8", "replace")) if like else None
    indent: Union[int, str] = found.group(1) if found and len(found.group(1)) <= _WIDEST_INDENT else 4
    data = (_lines(document, indent, _LARGEST) + "\n").encode("utf-8")
    if len(data) > _LARGEST:
        raise MalformedFile(f"with one value per line it would have more than {_LARGEST} bytes", "the whole file")
    return data


def _lines(document: Document, indent: Union[int, str], most: int) -> str:
    """Return the document in several lines. If they have more than ``most`` characters, the rest is cut off."""
    parts: List[str] = []
    for part in json.JSONEncoder(indent=indent, ensure_ascii=False).iterencode(document):
        parts.append(part)
        most -= len(part)
        if most < 0:
            break
    return "".join(parts)


_SHOWN_DEPTH = 32  # enough for a reader, and Python's stack does not hold twice the levels that PHP reads


def _changed(shown: str, value: str, was: Any, describe_it: Callable[[str], str]) -> str:
    """Mark a value that changed although its description did not, so that the diff shows the change."""
    other = isinstance(was, str) and was != value and describe_it(was) == shown
    return shown + " (changed)" if other else shown


def _mask(value: Any, was: Any, shown: Tuple[str, ...], depth: int = 1) -> Any:
    if isinstance(value, (dict, list)) and depth > _SHOWN_DEPTH:
        return "…"
    if isinstance(value, dict):
        old = was if isinstance(was, dict) else {}
        return {
            shown_host(k): _changed(shown_user(v), v, old.get(k), shown_user)
            if k in shown and isinstance(v, str)
            else _mask(v, old.get(k), shown, depth + 1)
            for k, v in value.items()
        }
    if isinstance(value, list):
        before = (was if isinstance(was, list) else []) + [None] * len(value)
        return [_mask(item, old, shown, depth + 1) for item, old in zip(value, before)]
    if isinstance(value, str):
        return _changed(describe(value), value, was, describe)
    # A number may be a secret with missing quotes.
    return value if value is None or isinstance(value, bool) else "set"


def masked(document: Document, *, was: Optional[Document] = None) -> str:
    """Return the document for a diff: its structure, user names by `shown_user`, all other text by `describe`.

    ``was`` is the document before. A secret that changed although its description did not is marked.
    """
    before = was or {}
    shown = {
        shown_host(section): _mask(value, before.get(section), _USER_NAMES if section in SECTIONS else ())
        for section, value in document.items()
    }
    text = _lines(shown, 4, _MOST_SHOWN)
    return text + ("\n" if len(text) <= _MOST_SHOWN else "\n(the rest is not shown)\n")


def entry_for(document: Document, repository: str) -> Optional[AuthEntry]:
    """Return the http-basic entry of ``repository``, or None."""
    value = (document.get(HTTP_BASIC) or {}).get(repository)
    return None if value is None else AuthEntry(HTTP_BASIC, repository, value["username"], value["password"])


def _read(data: Optional[bytes], *, broken: Optional[bytes]) -> Document:
    return {} if data is None or data == broken else parse(data)


def _edited(document: Document, key: Key) -> Document:
    if not key.present:
        return without_entry(document, repository=key.repository, username=key.public_key)
    existing = entry_for(document, key.repository)
    if existing is None and key.only_existing:
        return document
    if existing and (existing.username, existing.secret) == (key.public_key, key.private_key):
        return document
    return with_entry(document, repository=key.repository, username=key.public_key or "", password=key.private_key)


def edited(data: Optional[bytes], keys: Sequence[Key], *, broken: Optional[bytes] = None) -> Optional[bytes]:
    """Return the bytes of the file with ``keys``: ``data`` itself, also if None, when they change nothing.

    Raises `MalformedFile` for a file that Composer would not read. ``broken`` holds the malformed bytes that may be
    overwritten: those that were read before, not what another writer has half written by the time of the write.
    """
    document = _read(data, broken=broken)
    wanted = document
    for key in keys:
        wanted = _edited(wanted, key)
    if data is not None and data == broken:
        return serialise(wanted)
    return data if wanted == document else serialise(wanted, like=data)


def key_changes(data: Optional[bytes], key: Key, *, broken: Optional[bytes] = None) -> bool:
    """Whether ``key`` would change the pair in the file. Owner and mode are not compared."""
    document = _read(data, broken=broken)
    return _edited(document, key) != document


def text_for_diff(data: bytes, *, was: Optional[bytes] = None) -> str:
    """Return the file for a diff, without the secrets of any section. ``was`` is the file before a change."""
    try:
        document = parse(data)
    except MalformedFile as malformed:
        return f"(not shown; Composer cannot read it: {malformed})\n"
    with suppress(MalformedFile):
        return masked(document, was=parse(was or b"{}"))
    return masked(document)
