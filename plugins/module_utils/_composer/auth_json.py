# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Composer's auth.json: bytes in, documents and bytes out. Pure.

What is fit and what is not follows Composer's own reading (Composer 1.10 to 2.10: ``Json/JsonFile.php``,
``IO/BaseIO.php::loadConfiguration``), not JSON alone: a file that makes Composer fail, or that it passes over without
a word, is `Unfit`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple, Union

from ansible_collections.keyfleet.magento.plugins.module_utils._errors import Unfit
from ansible_collections.keyfleet.magento.plugins.module_utils._json import fraction, whole_number
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import describe, shown_host, shown_user

Document = Dict[str, Any]

HTTP_BASIC = "http-basic"
# Later sections win over earlier ones for the same host (BaseIO::loadConfiguration).
SECTIONS = ("bitbucket-oauth", "github-oauth", "gitlab-oauth", "gitlab-token", HTTP_BASIC, "bearer")
# Known to newer Composer versions only (2.9), and winning over all of the above.
NEWER_SECTIONS = ("custom-headers", "client-certificate")

_MAX_DEPTH = 511  # PHP's json_decode stops at 512, and what stands in the innermost pair of brackets counts as one
_GITHUB_TOKEN = re.compile(r"[.A-Za-z0-9_-]+\n?\Z")
_INTEGER_KEY = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z")
_INTEGERS = range(-(2**63), 2**63)  # PHP's
_TOKENS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_INDENT = re.compile(r'\n([ ]+|\t+)"')
_WIDEST_INDENT = 16  # each of many lines gets it, and a multiple of it where it is nested
_LARGEST = 4 * 1024 * 1024  # bytes; a larger file is not read
_MOST_SHOWN = 256 * 1024  # characters of a file in a diff


@dataclass(frozen=True)
class Entry:
    """Credentials for one host in one section. ``username`` is "" where the section has none."""

    section: str
    repository: str
    username: str
    secret: str = field(repr=False)

    def as_result(self) -> Dict[str, Optional[str]]:
        """The entry as results show it: the secret by `describe` only."""
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
    raise Unfit(f"{name} is not JSON", "a number")


def _number(kind: Callable[[str], Union[int, float]]) -> Callable[[str], Union[int, float]]:
    def convert(digits: str) -> Union[int, float]:
        try:
            value = kind(digits)
        except ValueError:
            raise Unfit("a number is too long", f"{len(digits)} digits") from None
        if value in (float("inf"), float("-inf")):
            raise Unfit("a number is too large", f"{len(digits)} digits")
        return value

    return convert


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    result: Dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise Unfit(
                "a key stands twice in one object; Composer reads the last and may edit the first",
                repr(shown_host(key)),
            )
        result[key] = value
    return result


def _refuse_surrogates(text: str) -> None:
    """``text`` is re-encoded JSON, so one pass finds a lone surrogate in any key or string."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Unfit("half of a surrogate pair is escaped; Composer ignores the whole file", "a \\u escape") from None


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
                raise Unfit(f"nested more than {_MAX_DEPTH} levels deep", _position(text, match.start()))
        else:
            depth -= 1


def _load(data: bytes) -> Any:
    if data.startswith(b"\xef\xbb\xbf"):
        raise Unfit("begins with a byte order mark", "line 1, column 1")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data:
        raise Unfit("not UTF-8 (it looks like UTF-16, or binary)", "line 1, column 1")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unfit("not UTF-8", f"line {line}, byte {error.start}") from None
    if not text.strip(" \t\r\n"):
        raise Unfit("empty; without credentials an auth.json holds an empty object", "line 1, column 1")
    _refuse_depth(text)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_number(whole_number),
            parse_float=_number(fraction),
        )
    except json.JSONDecodeError as error:
        # error.msg is a phrase of the parser's own and quotes nothing of the file.
        raise Unfit(f"not JSON: {error.msg}", _position(text, error.pos)) from None
    _refuse_surrogates(json.dumps(document, ensure_ascii=False))
    return document


def _host_place(section: str, host: str) -> str:
    return f"{section} → {shown_host(host)}"


def _want_strings(section: str, host: str, value: Any, names: Tuple[str, ...]) -> None:
    place = _host_place(section, host)
    if not isinstance(value, dict):
        raise Unfit(f"must be an object with {' and '.join(names)}", place)
    for name in names:
        if name not in value:
            raise Unfit(f"has no {name}", place)
        if not isinstance(value[name], str):
            raise Unfit(f"{name} is not text (quotes are missing)", place)


def _is_integer_key(key: str) -> bool:
    """PHP turns such a key into an integer, which Composer's typed functions refuse."""
    return bool(_INTEGER_KEY.match(key)) and int(key) in _INTEGERS


def _check_options(document: Document) -> None:
    """Any setting of Composer may stand in auth.json. In these a wrong type makes every command fail."""
    for key in document:
        if _is_integer_key(key):
            raise Unfit("a key made of digits only", key)
    for option in ("github-domains", "gitlab-domains"):
        domains = document.get(option, [])
        if not isinstance(domains, list) or not all(isinstance(domain, str) for domain in domains):
            raise Unfit("must be a list of text", option)
    timeout = document.get("process-timeout", 0)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout not in _INTEGERS:
        raise Unfit("must be a whole number", "process-timeout")


def _check_host(section: str, host: str, value: Any) -> None:
    if _is_integer_key(host):
        raise Unfit("a host made of digits only", _host_place(section, host))
    if section == HTTP_BASIC:
        _want_strings(section, host, value, ("username", "password"))
    elif section == "bitbucket-oauth":
        _want_strings(section, host, value, ("consumer-key", "consumer-secret"))
    elif isinstance(value, dict) and section == "gitlab-oauth":
        _want_strings(section, host, value, ("token",))
    elif isinstance(value, dict) and section == "gitlab-token":
        _want_strings(section, host, value, ("username", "token"))
    elif not isinstance(value, str):
        raise Unfit("must be text", _host_place(section, host))
    elif section == "github-oauth" and not _GITHUB_TOKEN.match(value):
        raise Unfit("has characters that no GitHub token has", _host_place(section, host))


def parse(data: bytes) -> Document:
    """The document in ``data``, key order kept; nobody may change it. Raises `Unfit` with reason and place."""
    found = _parsed(data)
    if isinstance(found, Unfit):
        raise Unfit(found.reason, found.place)
    return found


# Plan, rows and diff of every key look at the same few files, which may be as large as their owner likes.
@lru_cache(maxsize=4)
def _parsed(data: bytes) -> Union[Document, Unfit]:
    try:
        return _checked(_load(data))
    except Unfit as unfit:
        return unfit


def _checked(document: Any) -> Document:
    if not isinstance(document, dict):
        raise Unfit("the top level is not an object; Composer ignores the whole file", "line 1, column 1")
    _check_options(document)
    for section in SECTIONS:
        if section not in document or document[section] == []:
            # PHP cannot tell an empty list from an empty object, so Composer reads [] as no entries.
            continue
        hosts = document[section]
        if not isinstance(hosts, dict):
            raise Unfit("must be an object, host by host", section)
        for host, value in hosts.items():
            _check_host(section, host, value)
    return document


def _secret_of(section: str, value: Any) -> Tuple[str, str]:
    if isinstance(value, str):
        return "", value
    if section == "bitbucket-oauth":
        return value["consumer-key"], value["consumer-secret"]
    if section == HTTP_BASIC:
        return value["username"], value["password"]
    return value["username"] if section == "gitlab-token" else "", value["token"]


def entries(document: Document) -> List[Entry]:
    """Every entry of the known sections of a parsed document, in Composer's order: later ones win for their host."""
    found = []
    for section in SECTIONS:
        for host, value in dict(document.get(section) or {}).items():
            found.append(Entry(section, host, *_secret_of(section, value)))
    return found


def with_entry(document: Document, *, repository: str, username: str, password: str) -> Document:
    """A copy with the http-basic entry set. Its extra keys and the order of everything else are kept.

    User name and password come first, in the order in which Composer writes them.
    """
    hosts = dict(document.get(HTTP_BASIC) or {})
    entry = {"username": username, "password": password}
    extra = {key: value for key, value in hosts.get(repository, {}).items() if key not in entry}
    hosts[repository] = {**entry, **extra}
    return {**document, HTTP_BASIC: hosts}


def without_entry(document: Document, *, repository: str, username: Optional[str] = None) -> Document:
    """A copy without the http-basic entry of ``repository``; with ``username``, only if the entry is that user's."""
    hosts = dict(document.get(HTTP_BASIC) or {})
    if repository not in hosts or (username is not None and hosts[repository]["username"] != username):
        return document
    del hosts[repository]
    return {**document, HTTP_BASIC: hosts}


def serialise(document: Document, *, like: Optional[bytes] = None) -> bytes:
    """Several lines, the indent of ``like`` or 4 spaces, UTF-8, one line feed at the end.

    Every Composer version leaves this form alone; of a one-line file each would triple the inner indent at every write.
    Raises `Unfit` for a document that would be a file too large to be read again: each line of it repeats the indent.
    """
    found = _INDENT.search(like.decode("utf-8", "replace")) if like else None
    indent: Union[int, str] = found.group(1) if found and len(found.group(1)) <= _WIDEST_INDENT else 4
    text, whole = _lines(document, indent, _LARGEST)
    data = (text + "\n").encode("utf-8")
    if not whole or len(data) > _LARGEST:
        raise Unfit(f"in several lines it would have more than {_LARGEST} bytes", "the whole file")
    return data


def _lines(document: Document, indent: Union[int, str], most: int) -> Tuple[str, bool]:
    """The document in several lines, and whether that is all of it: it ends where it has ``most`` characters."""
    parts: List[str] = []
    for part in json.JSONEncoder(indent=indent, ensure_ascii=False).iterencode(document):
        parts.append(part)
        most -= len(part)
        if most < 0:
            return "".join(parts), False
    return "".join(parts), True


_NOTHING = object()
_SHOWN_DEPTH = 32  # nobody reads on, and Python's stack does not hold twice the levels that PHP reads


def _changed(shown: str, value: str, was: Any, describe_it: Callable[[str], str]) -> str:
    """Two passwords look alike here, and a diff must still show that one took the other's place."""
    other = isinstance(was, str) and was != value and describe_it(was) == shown
    return shown + " (another)" if other else shown


def _mask(value: Any, was: Any, shown: Tuple[str, ...], depth: int = 1) -> Any:
    if isinstance(value, (dict, list)) and depth > _SHOWN_DEPTH:
        return "…"
    if isinstance(value, dict):
        old = was if isinstance(was, dict) else {}
        return {
            shown_host(k): _changed(shown_user(v), v, old.get(k), shown_user)
            if k in shown and isinstance(v, str)
            else _mask(v, old.get(k, _NOTHING), shown, depth + 1)
            for k, v in value.items()
        }
    if isinstance(value, list):
        before = was if isinstance(was, list) else []
        before = before + [_NOTHING] * (len(value) - len(before))
        return [_mask(item, old, shown, depth + 1) for item, old in zip(value, before)]
    if isinstance(value, str):
        return _changed(describe(value), value, was, describe)
    # A number may be a secret whose quotes were forgotten.
    return value if value is None or isinstance(value, bool) else "set"


def masked(document: Document, *, was: Optional[Document] = None) -> str:
    """The document as a diff may show it: structure, user names as `shown_user`, every other text as `describe` says.

    ``was`` is the document before, so that a secret that changed without changing its description is marked.
    """
    before = was or {}
    shown = {
        shown_host(section): _mask(
            value, before.get(section, _NOTHING), ("username", "consumer-key") if section in SECTIONS else ()
        )
        for section, value in document.items()
    }
    text, whole = _lines(shown, 4, _MOST_SHOWN)
    return text + ("\n" if whole else "\n(the rest is not shown)\n")
