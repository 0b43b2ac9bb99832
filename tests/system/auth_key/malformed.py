# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis strategies for malformed auth.json files: a class for each fault, and files with random edits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from system.auth_key.auth_files import (
    ACCEPTED,
    ANY_GITHUB_TOKEN,
    ANY_JSON,
    FATAL,
    IGNORED,
    LAYOUTS,
    NEWER_SECTIONS,
    OBJECT_NAMES,
    PLAIN,
    REAL_HOSTS,
    SCALARS,
    SECTIONS,
    TEXT,
    Document,
    Kind,
    documents,
    encoded,
    nest,
    value_of,
    with_more,
    written,
)

_FULL = written(documents(text=PLAIN))
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]')
_LAYOUTS = st.sampled_from(tuple(LAYOUTS))
_MARK = "@@@"  # in no generated text, and unchanged in every layout but "escaped"
_MARKED_LAYOUTS = tuple(name for name in LAYOUTS if name != "escaped")


@st.composite
def _trailing_comma(draw: st.DrawFn) -> str:
    text = draw(_FULL)
    ends = [match.start() for match in _TOKENS.finditer(text) if match[0] in "]}"]
    at = draw(st.sampled_from(ends))
    return text[:at] + draw(st.sampled_from([",", ", ", ",\n"])) + text[at:]


@st.composite
def _comment(draw: st.DrawFn) -> str:
    text = draw(_FULL)
    at = draw(st.sampled_from([0, *(match.end() for match in _TOKENS.finditer(text))]))
    return text[:at] + draw(st.sampled_from(["// mine\n", "/* mine */", "# mine\n", "/**/"])) + text[at:]


@st.composite
def _marked(draw: st.DrawFn, replacements: st.SearchStrategy[bytes]) -> bytes:
    """A file with a replacement somewhere in a key or a text."""
    document = draw(documents(text=PLAIN))
    place = draw(st.sampled_from(["text", "key", "host"]))
    if place == "text":
        document["x"] = ["before" + _MARK + "after"]
    elif place == "key":
        document["x" + _MARK] = 1
    else:
        document["bearer"] = {"h" + _MARK: "t"}
    return draw(written(st.just(document), _MARKED_LAYOUTS)).encode().replace(_MARK.encode(), draw(replacements))


@st.composite
def _bare(draw: st.DrawFn, replacements: st.SearchStrategy[str]) -> str:
    """A file with a replacement somewhere as a value."""
    value = draw(st.sampled_from([_MARK, [_MARK], {"y": _MARK}, [1, {"y": [_MARK]}]]))
    document = draw(with_more(documents(text=PLAIN), st.just({"x": value})))
    text = draw(written(st.just(document), _MARKED_LAYOUTS))
    return text.replace(f'"{_MARK}"', draw(replacements))


@st.composite
def _twice(draw: st.DrawFn) -> str:
    document = draw(documents(text=PLAIN))
    section = draw(st.sampled_from(sorted(document)))
    host = draw(st.sampled_from(sorted(document[section])))
    place = draw(st.sampled_from(["section", "host", "name", "other"]))
    value = draw(value_of(section, PLAIN))
    if place == "section":
        document[section + _MARK] = {host: value}
    elif place == "host":
        document[section][host + _MARK] = value
    elif place == "name" and isinstance(document[section][host], dict):
        document[section][host][OBJECT_NAMES[section][-1] + _MARK] = draw(PLAIN)
    else:
        document["x"] = [{"y": 1, "y" + _MARK: draw(ANY_JSON)}]
    return draw(written(st.just(document), _MARKED_LAYOUTS)).replace(_MARK, "")


@st.composite
def _cut_off(draw: st.DrawFn) -> bytes:
    file = draw(_FULL).strip().encode()
    return file[: -1 - draw(st.integers(0, 2**20)) % (len(file) - 1)]


@st.composite
def _inserted(draw: st.DrawFn, inserted: bytes) -> bytes:
    file = draw(_FULL).strip().encode()
    at = draw(st.integers(0, len(file)))
    return file[:at] + inserted + file[at:]


def _section(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Files with such a value in place of a section."""
    broken = st.builds(lambda section, value: {section: value}, st.sampled_from(SECTIONS), values)
    return encoded(written(st.builds(lambda document, bad: {**document, **bad}, documents(), broken)))


def _host(bad: Callable[[st.DrawFn, str], Any], sections: tuple[str, ...] = SECTIONS) -> st.SearchStrategy[bytes]:
    """Files with such a value for one host, among valid hosts."""

    @st.composite
    def make(draw: st.DrawFn) -> Document:
        document = draw(documents())
        section = draw(st.sampled_from(sections))
        hosts = list(document.get(section, {}).items())
        hosts.insert(draw(st.integers(0, len(hosts))), (draw(st.sampled_from(["bad.example", ""])), bad(draw, section)))
        return {**document, section: dict(hosts)}

    return encoded(written(make()))


def _lacking(draw: st.DrawFn, section: str) -> Any:
    value = {name: draw(TEXT) for name in OBJECT_NAMES[section]}
    del value[draw(st.sampled_from(sorted(value)))]
    return {**value, **draw(st.sampled_from([{}, {"user": "u"}, {"Password": "p"}, {"pass word": "p"}]))}


def _with_wrong_type(draw: st.DrawFn, section: str) -> Any:
    value: Document = {name: draw(TEXT) for name in OBJECT_NAMES[section]}
    empty: list[Any] = [[], {}]
    value[draw(st.sampled_from(sorted(value)))] = draw(st.booleans() | _NUMBERS | st.sampled_from(empty))
    return value


def _with_null(last: bool) -> Callable[[st.DrawFn, str], Any]:
    def make(draw: st.DrawFn, section: str) -> Any:
        names = OBJECT_NAMES[section]
        return {name: draw(TEXT) if (name == names[-1]) is not last else None for name in names}

    return make


def _options(options: dict[str, list[Any]]) -> st.SearchStrategy[bytes]:
    broken = st.sampled_from([{name: value} for name, values in options.items() for value in values])
    return encoded(written(with_more(documents(), broken)))


_DIGITS = st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(0, 70000).map(str)
_DIGITS_AT_THE_TOP = st.dictionaries(_DIGITS, ANY_JSON, min_size=1, max_size=2)
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_NO_GITHUB_TOKENS = TEXT.filter(lambda token: not re.match(r"[.A-Za-z0-9_-]+\n?\Z", token))
_NO_UTF8 = [b"\xff", b"\xc0\xaf", b"\xe9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf8\x88\x80"]
_HALVES = [
    b"\\ud800",
    b"\\udfff",
    b"\\uDE00\\uD83D",
    b"\\ud83dx",
    b"\\uD83D\\u0041",
    b"\\ud83d\\ud83d\\ude00",
    b"\\ud83d\\n",
]
_NO_VALUES = [
    "01",
    "1.",
    ".5",
    "+1",
    "0x1",
    "1e",
    "TRUE",
    "None",
    "'x'",
    "undefined",
    "-",
    "--1",
    "x",
    '"a" "b"',
    '"\\x41"',
]
_MORE = ["}", "{}", ",", "x", "]", "null", "//"]
_TOO_LARGE = ["1e999", "-1e400", "1" + "0" * 400 + ".5", "123E+0456"]
_ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32"]
_SPACE = st.text(" \t\r\n", max_size=8)
_PAIRS = ("http-basic", "bitbucket-oauth", "gitlab-token")
_OBJECTS = tuple(OBJECT_NAMES)

_FATAL = {
    "empty or white space": encoded(_SPACE),
    "trailing comma": encoded(_trailing_comma()),
    "comment": encoded(_comment()),
    "NaN, Infinity": encoded(_bare(st.sampled_from(["NaN", "Infinity", "-Infinity"]))),
    "no JSON value": encoded(_bare(st.sampled_from(_NO_VALUES))),
    "UTF-16": st.builds(str.encode, _FULL, st.sampled_from(_ENCODINGS)),
    "byte order mark": encoded(_FULL).map(lambda file: b"\xef\xbb\xbf" + file),
    "bad UTF-8": _marked(st.sampled_from(_NO_UTF8)),
    "control character": _marked(st.integers(1, 31).map(lambda code: bytes([code]))),
    "NUL byte": _inserted(b"\x00"),
    "cut off": _cut_off(),
    "more after the end": encoded(st.builds(str.__add__, _FULL, st.sampled_from(_MORE))),
    "the top is a list": encoded(written(st.lists(ANY_JSON, min_size=1, max_size=3))),
    "section null, text or false": _section(st.sampled_from([None, "", False])),
    "section of another type": _section(st.just(True) | _NUMBERS | TEXT),
    "section a full list": _section(st.lists(ANY_JSON | value_of("http-basic"), min_size=1, max_size=3)),
    "host null": _host(lambda draw, section: None),
    "host a list": _host(lambda draw, section: draw(st.lists(TEXT, max_size=3))),
    "host a number or boolean": _host(lambda draw, section: draw(_NUMBERS | st.booleans())),
    "host a text, not an object": _host(lambda draw, section: draw(TEXT), ("http-basic", "bitbucket-oauth")),
    "host an object, not a text": _host(lambda draw, section: {"token": draw(TEXT)}, ("github-oauth", "bearer")),
    "host without a name": _host(_lacking, _OBJECTS),
    "number or boolean as a name": _host(_with_wrong_type, _OBJECTS),
    "null as a user name": _host(_with_null(last=False), _PAIRS),
    "host of digits only": encoded(written(documents(_DIGITS, PLAIN, most=2))),
    "digits at the top": encoded(written(with_more(documents(), _DIGITS_AT_THE_TOP))),
    "setting of a wrong type": _options(
        {
            "process-timeout": [True, "300", "x", 1.5, [], {}, 2**63, 1e3],
            "github-domains": [None, "h", 5, False, [[]], [{}], {"a": []}],
            "gitlab-domains": [None, "", 0.5, True, ["h", ["h"]], {"h": {}}],
        }
    ),
}
_WRONG_HOSTS = [None, "", "x", False, 5]
# What only some versions of Composer refuse, and whether this one does.
_VARYING = {
    "odd GitHub token": (
        _host(lambda draw, section: draw(_NO_GITHUB_TOKENS), ("github-oauth",)),
        not ANY_GITHUB_TOKEN,
    ),
    "malformed newer section": (
        _options(
            {
                "custom-headers": [*_WRONG_HOSTS, ["x"], {"8080": "x"}],
                "client-certificate": [*_WRONG_HOSTS, {"h.example": {"local_cert": ["x"]}}],
                "forgejo-token": [*_WRONG_HOSTS, ["x"], {"h.example": None}, {"h.example": {"username": "u"}}],
            }
        ),
        NEWER_SECTIONS,
    ),
}
_FATAL.update({label: files for label, (files, refused) in _VARYING.items() if refused})
_IGNORED = {
    "lone surrogate": _marked(st.sampled_from(_HALVES)),
    "the top is no object": encoded(written(SCALARS)),
}
MALFORMED = (
    *(Kind(label, files, (FATAL,)) for label, files in _FATAL.items()),
    *(Kind(label, files, (IGNORED,)) for label, files in _IGNORED.items()),
    Kind("512 levels and more", encoded(nest(512, 600)), (IGNORED,), weight=4),
)

_BENT: dict[str, list[Any]] = {
    "process-timeout": [None, False, "0", "", "-1", 0.0, -1.5, -(2**70)],
    "github-domains": [{}, {"a": "h"}, [None], [5, True]],
    "gitlab-domains": [{}, {"0": "h"}, ["h", 0.5]],
}
# Composer reads these and the module refuses them, each for a reason in REFUSED_ALTHOUGH_READ.
STRICTER = (
    Kind("duplicate keys", encoded(_twice())),
    Kind("number too large", encoded(_bare(st.sampled_from(_TOO_LARGE)))),
    Kind("number too long", encoded(_bare(st.integers(4301, 4400).map(lambda digits: "7" * digits)))),
    Kind("null as a secret", _host(_with_null(last=True), _PAIRS)),
    Kind("setting that PHP bends", _options(_BENT)),
    Kind("the top is an empty list", encoded(st.builds("{}[{}]{}".format, _SPACE, _SPACE, _SPACE))),
    *(Kind(label, files) for label, (files, refused) in _VARYING.items() if not refused),
)


@st.composite
def _anything(draw: st.DrawFn) -> Document:
    """Any value in any place that has a meaning for Composer."""
    hosts = st.dictionaries(REAL_HOSTS | _DIGITS | TEXT, st.deferred(lambda: _ANY_VALUE), max_size=3)
    options = ["process-timeout", "github-domains", "gitlab-domains"]
    keys = st.sampled_from([*SECTIONS, *SECTIONS, *options]) | TEXT
    return draw(st.dictionaries(keys, hosts | hosts | ANY_JSON, max_size=3))


_NAMES = sorted({name for names in OBJECT_NAMES.values() for name in names})
_ANY_VALUE = st.one_of(
    ANY_JSON,
    *(value_of(section) for section in OBJECT_NAMES),
    st.dictionaries(st.sampled_from(_NAMES), ANY_JSON | TEXT | TEXT, max_size=4),
)
_WORDS = ["null", "true", "1e9", "\\ud800", '"a":', '"username"', "{}", "[]", '""']
_PIECES = [*(word.encode() for word in [*'",:{}[]\\0-.e/ \n\t\0', *_WORDS]), b"\xff", b"\xc3"]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A valid file after one to three edits at random places."""
    file = draw(encoded(written(documents(text=TEXT | PLAIN, most=2))))
    for _edit in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(file)))
        end = draw(st.integers(begin, min(len(file), begin + 6)))
        file = file[:begin] + draw(st.sampled_from(_PIECES) | st.just(b"") | st.just(file[begin:end] * 2)) + file[end:]
    return file


RANDOM = (
    Kind("anything anywhere", encoded(written(_anything())), (ACCEPTED, IGNORED, FATAL)),
    Kind("mutated", _mutated(), (ACCEPTED, IGNORED, FATAL)),
)
