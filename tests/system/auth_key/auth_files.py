# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis strategies for valid auth.json files, by class: documents, and the ways to write them as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from system.auth_key.composer import reads

Document = dict[str, Any]

ACCEPTED, IGNORED, FATAL = "accepted", "ignored", "fatal"


@dataclass(frozen=True)
class Kind:
    """One class of files, with the outcomes that Composer may have; they verify the label."""

    label: str
    files: st.SearchStrategy[bytes]
    composer: tuple[str, ...] = (ACCEPTED,)
    weight: int = 1
    """Cost of these files relative to others; fewer are generated in proportion."""


# Characters that JSON, PHP, regular expressions, terminals or Composer's own templates could trip over.
_ODD = [
    '"',
    "\\",
    "/",
    "</a>",
    "<info>",
    "$1",
    "\\1",
    "{$home}",
    "%s",
    "\u2028",
    "\u2029",
    "\x00",
    "\x7f",
    "\r\n",
    "\ufeff",
]
TEXT = st.lists(st.one_of(st.sampled_from(_ODD), st.text(st.characters(codec="utf-8"), max_size=4)), max_size=4).map(
    "".join
)
PLAIN = st.text("abcXYZ0189._-", min_size=1, max_size=12)
# Not every Composer reads tokens with a hyphen; the module does.
_HYPHEN = "-" if reads('{"github-oauth": {"h.example": "-"}}') else ""
GITHUB_TOKENS = st.text("abcXYZ0189._" + _HYPHEN, min_size=1, max_size=12)

_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
# PHP cannot make an object of a key that begins with NUL; KEYS_WITH_NUL covers these.
KEYS = TEXT.filter(lambda key: not key.startswith("\x00"))
NO_INTEGERS = KEYS.filter(lambda key: not _INTEGER.match(key))
_REAL_HOSTS = ["repo.magento.com", "h.example", "h.example:8443", "[::1]:8080", "127.0.0.1", "H.example", "github.com"]
REAL_HOSTS = st.sampled_from(_REAL_HOSTS)
ODD_HOSTS = st.one_of(
    NO_INTEGERS,
    st.sampled_from(["", " ", "007", "-0", "+1", "1.0", "1e3", " 1", "1 ", "٣", "null", "*", "h i", "#", "a/b", "{}"]),
    # Too large for PHP's integers, so they stay text.
    st.integers(2**63, 2**70).map(str),
    st.integers(-(2**70), -(2**63) - 1).map(str),
)

ANY_GITHUB_TOKEN = reads('{"github-oauth": {"h.example": ","}}')
"""Whether Composer sends any text as a token, as since June 2026."""
NEWER_SECTIONS = not reads('{"custom-headers": ""}')
"""Whether Composer reads the sections that are new in Composer 2.9."""

SCALARS = TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([None, True, False])
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
OBJECT_NAMES = {
    "http-basic": ("username", "password"),
    "bitbucket-oauth": ("consumer-key", "consumer-secret"),
    "gitlab-token": ("username", "token"),
    "gitlab-oauth": ("token",),
}
SECTIONS = (*OBJECT_NAMES, "github-oauth", "bearer")


def _shuffled(document: Document) -> st.SearchStrategy[Document]:
    return st.permutations(list(document.items())).map(dict)


def value_of(section: str, text: st.SearchStrategy[str] = TEXT) -> st.SearchStrategy[Any]:
    """A value that a host of this section may have."""
    if section == "github-oauth":
        return GITHUB_TOKENS
    if section == "bearer":
        return text
    objects = st.fixed_dictionaries({name: text for name in OBJECT_NAMES[section]}).flatmap(_shuffled)
    return text | objects if section.startswith("gitlab") else objects


def documents(
    hosts: st.SearchStrategy[str] = REAL_HOSTS, text: st.SearchStrategy[str] = TEXT, most: int = 3
) -> st.SearchStrategy[Document]:
    """Documents of some sections, in any order."""
    sections = {name: st.dictionaries(hosts, value_of(name, text), min_size=1, max_size=most) for name in SECTIONS}
    return st.fixed_dictionaries({}, optional=sections).filter(bool).flatmap(_shuffled)


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def _escaped(text: str) -> str:
    """Every character of every string as \\uXXXX."""

    def escape(match: re.Match[str]) -> str:
        units = json.loads(match[0]).encode("utf-16-be").hex()
        return '"' + "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4)) + '"'

    return _STRING.sub(escape, text)


LAYOUTS = {
    "4 spaces": lambda document: json.dumps(document, indent=4, ensure_ascii=False),
    "ascii": lambda document: json.dumps(document, indent=4),
    "1 space": lambda document: json.dumps(document, indent=1, ensure_ascii=False),
    "tab": lambda document: json.dumps(document, indent="\t", ensure_ascii=False),
    "no indent": lambda document: json.dumps(document, indent=0, ensure_ascii=False),
    "9 spaces": lambda document: json.dumps(document, indent=9, ensure_ascii=False),
    "CRLF": lambda document: json.dumps(document, indent=2, ensure_ascii=False).replace("\n", "\r\n"),
    "one line": lambda document: json.dumps(document, ensure_ascii=False),
    "compact": lambda document: json.dumps(document, separators=(",", ":")),
    "spacious": lambda document: json.dumps(document, separators=(" ,\r\n\t ", "\n: \t"), ensure_ascii=False),
    "escaped": lambda document: _escaped(json.dumps(document, indent=4)),
    "PHP": lambda document: json.dumps(document, indent=4).replace("/", "\\/"),
}


def written(
    documents: st.SearchStrategy[Any],
    layouts: tuple[str, ...] = tuple(LAYOUTS),
    end: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[str]:
    """The text of a file."""
    ends = st.sampled_from(["", "\n"]) if end is None else end
    return st.builds(
        lambda document, layout, end: LAYOUTS[layout](document) + end, documents, st.sampled_from(layouts), ends
    )


def encoded(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """The bytes of a file."""
    return texts.map(str.encode)


def with_more(documents: st.SearchStrategy[Document], more: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    """Documents with further keys at the top, in any order."""
    return st.builds(lambda document, extra: {**extra, **document}, documents, more).flatmap(_shuffled)


@st.composite
def _extra_keys_in_entries(draw: st.DrawFn) -> Document:
    document = draw(documents())
    names = st.one_of(
        st.sampled_from(["note", "access-token", "expires-at", "", "0", "x y"]),
        st.sampled_from(["username", "password", "token", "consumer-key"]),
        KEYS.filter(lambda name: name not in _REAL_HOSTS),
    )
    for hosts in document.values():
        for host, value in hosts.items():
            if isinstance(value, dict):
                hosts[host] = draw(_shuffled({**draw(st.dictionaries(names, ANY_JSON, max_size=2)), **value}))
    return document


_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "process-timeout": st.integers(-(2**63), 2**63 - 1),
    "github-domains": st.lists(TEXT, max_size=3),
    "gitlab-domains": st.lists(TEXT, max_size=3),
    "secure-http": st.booleans(),
    "notify-on-install": st.booleans(),
    "allow-plugins": st.booleans() | st.dictionaries(PLAIN, st.booleans(), max_size=2),
    "platform": st.dictionaries(PLAIN, PLAIN, max_size=2),
}
_NAMES = ["x-note", "", "2 words", "http_basic"]
_NEWER: dict[str, st.SearchStrategy[Any]] = {
    "custom-headers": st.lists(TEXT, min_size=1, max_size=2),
    "client-certificate": st.dictionaries(st.sampled_from(["local_cert", "local_pk", "passphrase"]), PLAIN),
    "forgejo-token": st.fixed_dictionaries({"username": TEXT, "token": TEXT}),
}
# A Composer that reads them sends what they hold, which `credentials` does not know.
_NEWER_HOSTS = {} if NEWER_SECTIONS else {
    name: st.dictionaries(REAL_HOSTS, value, max_size=2) for name, value in _NEWER.items()
}  # fmt: skip
_OTHER_KEYS = st.builds(
    lambda other, newer: {**other, **newer},
    st.dictionaries(st.sampled_from(_NAMES) | NO_INTEGERS, ANY_JSON, min_size=1, max_size=3),
    st.fixed_dictionaries({}, optional=_NEWER_HOSTS),
)
_EMPTY: list[Any] = [{}, []]
_EMPTY_SECTIONS = st.dictionaries(st.sampled_from(SECTIONS), st.sampled_from(_EMPTY), min_size=1, max_size=6)


@st.composite
def _one_host_in_many_sections(draw: st.DrawFn) -> Document:
    host = draw(REAL_HOSTS)
    names = draw(st.lists(st.sampled_from(SECTIONS), min_size=2, unique=True))
    return {name: {host: draw(value_of(name))} for name in names}


@st.composite
def nest(draw: st.DrawFn, least: int, most: int) -> str:
    """A file nested `least` to `most` levels deep."""
    levels = draw(st.integers(least, most)) - 1  # besides the enclosing object
    left, right = draw(st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"":\n', "}]"), ("[ 1, ", "]"), ("[[[", "]]]")]))
    times, missing = divmod(levels, left.count("[") + left.count("{"))
    core = "[" * missing + draw(st.sampled_from(["1", '"["', "null"])) + "]" * missing
    return '{"x": ' + left * times + core + right * times + ', "bearer": {"h.example": "t"}}'


_INDENTED = ("1 space", "tab", "no indent", "9 spaces", "CRLF", "spacious")
_SPACE = st.text(" \t\r\n", max_size=5)
_WITH_SETTINGS = with_more(documents(), st.fixed_dictionaries({}, optional=_SETTINGS))
_ODD_TOKENS = st.builds(lambda host, token: {"github-oauth": {host: token + "\n"}}, REAL_HOSTS, GITHUB_TOKENS)

VALID = (
    Kind("sections", encoded(written(documents()))),
    Kind("other indents", encoded(written(documents(), _INDENTED))),
    Kind("one line", encoded(written(documents(), ("one line", "compact")))),
    Kind("escapes", encoded(written(documents(ODD_HOSTS), ("escaped", "ascii", "PHP")))),
    Kind("white space around", encoded(st.builds(str.__add__, _SPACE, written(documents(), end=_SPACE)))),
    Kind("odd hosts", encoded(written(documents(ODD_HOSTS)))),
    Kind("one host in many sections", encoded(written(_one_host_in_many_sections()))),
    Kind("extra keys in entries", encoded(written(_extra_keys_in_entries()))),
    Kind("other keys at the top", encoded(written(with_more(documents(), _OTHER_KEYS)))),
    Kind("settings of Composer", encoded(written(_WITH_SETTINGS))),
    Kind("empty sections", encoded(written(with_more(st.just({}) | documents(), _EMPTY_SECTIONS)))),
    Kind("no sections", encoded(written(_OTHER_KEYS | _OTHER_KEYS | st.just({})))),
    Kind("GitHub token with a line feed", encoded(written(_ODD_TOKENS))),
    Kind("511 levels", encoded(nest(480, 511)), weight=4),
)

# Composer reads these like the others, but `composer config` cannot write to such a file.
KEYS_WITH_NUL = Kind(
    "keys that begin with NUL",
    encoded(
        written(
            st.builds(
                lambda key, document: {"\x00" + key: {}, "bearer": {"\x00" + key: "t"}, **document},
                TEXT,
                documents().filter(lambda document: "bearer" not in document),
            )
        )
    ),
)
