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
from functools import lru_cache, partial
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Union

from .._argspec import Key
from .._errors import MalformedFile
from .._secrets import describe, shown_host, shown_user
from .._text import bounded

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
_FORGEJO = "forgejo-token"

_MAX_DEPTH = 511  # PHP's json_decode stops at 512 and counts the content of the innermost brackets as a level
_GITHUB_TOKEN = re.compile(r"[.A-Za-z0-9_-]+\n?\Z")
_INTEGER_KEY = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z")
_INTEGERS = range(-(2**63), 2**63)  # of PHP
_TOKENS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


class AuthEntry(NamedTuple):
    """Credentials for one host in one section. ``username`` is "" in sections without user names."""

    section: str
    repository: str
    # Some services keep the token in the user name.
    username: str
    secret: str

    def as_result(self) -> Dict[str, Optional[str]]:
        """Return the entry as results show it, with `describe` in place of the secret."""
        return {
            "repository": shown_host(self.repository),
            "section": self.section,
            "public_key": shown_user(self.username) or None,
            "fingerprint": describe(self.secret),
        }

    def __repr__(self) -> str:
        return f"AuthEntry({self.section!r})"


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


def _read_by_newer(section: str, value: Any) -> bool:
    """Whether Composer 2.9 and newer can read the value of a host; older versions read none of these sections."""
    entry = value if isinstance(value, dict) else {}
    if section == _FORGEJO:
        return isinstance(entry.get("username"), str) and isinstance(entry.get("token", 0), (str, type(None)))
    names = ("local_cert", "local_pk", "passphrase") if section == "client-certificate" else ()
    return not any(isinstance(entry.get(name), (dict, list)) for name in names)


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
    for section in (*NEWER_SECTIONS, _FORGEJO):
        hosts = document.get(section, [])
        if hosts == []:
            continue
        if not isinstance(hosts, dict) or not all(
            _read_by_newer(section, value) and not _is_integer_key(host) for host, value in hosts.items()
        ):
            raise MalformedFile("Composer 2.9 and newer cannot read it", section)
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


def entry_for(document: Document, repository: str) -> Optional[AuthEntry]:
    """Return the http-basic entry of ``repository``, or None."""
    value = (document.get(HTTP_BASIC) or {}).get(repository)
    return None if value is None else AuthEntry(HTTP_BASIC, repository, value["username"], value["password"])


def document_of(data: Optional[bytes], broken: Optional[bytes]) -> Document:
    """Return the document of a file, empty for a missing file. Raises `MalformedFile` as `parse`.

    ``broken`` holds malformed bytes that may be overwritten: those that were read before, not what another writer has
    half written by the time of the write.
    """
    return {} if data is None or data == broken else parse(data)


def changes(document: Document, key: Key) -> bool:
    """Whether ``key`` would change the document."""
    existing = entry_for(document, key.repository)
    if existing is None:
        return key.present and not key.only_existing
    if key.present:
        return (existing.username, existing.secret) != (key.public_key, key.private_key)
    return key.public_key in (None, existing.username)


def key_changes(data: Optional[bytes], key: Key, *, broken: Optional[bytes] = None) -> bool:
    """Whether ``key`` would change the pair in the file. Owner and mode are not compared. ``broken``: `document_of`."""
    return changes(document_of(data, broken), key)
