# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing and checking the options of the modules."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import (
    absolute,
    address,
    file_mode,
    file_path,
    keys_from,
    listed,
    package_names,
    seconds,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError
from ansible_collections.keyfleet.magento.plugins.module_utils._secrets import key_title


def fake_key(word: str, digits: int = 32) -> str:
    """Hex digits that look like an auth key."""
    return hashlib.sha256(word.encode()).hexdigest()[:digits]


PUBLIC, PRIVATE, OTHER = fake_key("public"), fake_key("private"), fake_key("other")
PAIR = {"public_key": PUBLIC, "private_key": PRIVATE}


def keys(**params: Any) -> Any:
    return keys_from({"state": "present", **params})


def refusal(code: str, **params: Any) -> str:
    with pytest.raises(KeyfleetError) as caught:
        keys(**params)
    assert caught.value.code == code, caught.value.message
    assert PRIVATE not in caught.value.message
    assert all(PRIVATE not in problem.message for problem in caught.value.problems)
    return caught.value.message


# Lists


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        (["deploy"], ("deploy",)),
        (["b", "a", "b"], ("b", "a")),
        ([" a ", "a"], ("a",)),
        ([7, "7"], ("7",)),
    ],
)
def test_lists_keep_their_order_without_duplicates(value: Optional[Sequence[Any]], expected: Tuple[str, ...]) -> None:
    assert listed("users", value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [([], "users is an empty list"), ([""], "users has an empty element"), (["a", " "], "users has an empty element")],
)
def test_an_empty_list_or_element_is_refused(value: List[str], words: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        listed("users", value)
    assert caught.value.code == "bad_options"
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["/srv/shop"], ("/srv/shop",)),
        (["/srv/shop/", "/srv//shop", "/srv/./shop"], ("/srv/shop",)),
        (["/srv/..shop", "/srv/sh..op"], ("/srv/..shop", "/srv/sh..op")),
        (["//srv"], ("/srv",)),
    ],
)
def test_paths_are_normalized(value: List[str], expected: Tuple[str, ...]) -> None:
    assert absolute("projects", value) == expected


@pytest.mark.parametrize("path", ["srv/shop", "./shop", ".", "..", "/srv/../etc", "/srv/shop/..", "~deploy/shop"])
def test_paths_must_be_absolute_and_without_dots(path: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        absolute("projects", ["/srv/good", path])
    assert caught.value.code == "bad_options"
    assert "projects" in caught.value.message and repr(path) in caught.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        (["magento/product-community-edition"], ("magento/product-community-edition",)),
        (["Amasty/Base", "amasty/base"], ("amasty/base",)),
        (["a.b_c-d/e--f"], ("a.b_c-d/e--f",)),
    ],
)
def test_package_names_are_lower_cased(value: Optional[List[str]], expected: Tuple[str, ...]) -> None:
    assert package_names(value) == expected


@pytest.mark.parametrize(
    "name",
    ["magento", "magento/", "/base", "a/b/c", "a b/c", "../b", "a/b:1.0", "a" * 1_000_000, "a" * 40 + "!", "a-" * 999],
)
def test_invalid_package_names(name: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        package_names([name])
    assert (caught.value.code, "packages" in caught.value.message) == ("bad_options", True)


# Address, mode, timeout


@pytest.mark.parametrize(
    "url", [None, "https://repo.magento.com/", "https://h:8443/a/b", "https://[::1]:8443/", "HTTPS://h"]
)
def test_valid_addresses(url: Optional[str]) -> None:
    assert address(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "h", "http://h/", "ftp://h/", "https://", "https:///x", "https://h/?a=b", "https://h/#x", "https://h:99999/"],
)
def test_invalid_addresses(url: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        address(url)
    assert (caught.value.code, "url" in caught.value.message) == ("bad_options", True)


@pytest.mark.parametrize(
    "url", ["https://u:hunter2@h/", "https://hunter2@h/", "http://u:hunter2@h:1/", "u:hunter2@h/", "https:u:hunter2@h"]
)
def test_an_address_with_a_password_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        address(url)
    assert caught.value.code == "bad_options"
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("value", "mode"),
    [("0600", 0o600), ("600", 0o600), (0o600, 0o600), ("0640", 0o640), ("0o660", 0o660), ("0400", 0o400)],
)
def test_modes_are_octal_texts_or_numbers(value: Any, mode: int) -> None:
    assert file_mode(value) == mode


@pytest.mark.parametrize(
    "value",
    ["0644", 0o644, "0604", 600, 644, "0200", "0000", "4600", "1600", "u=rw", "", "-0600", "0800", True, None, 0.5],
)
def test_modes_that_are_refused(value: Any) -> None:
    with pytest.raises(KeyfleetError) as caught:
        file_mode(value)
    assert caught.value.code == "bad_options"
    assert "'0600'" in caught.value.message


@pytest.mark.parametrize("value", [0.1, 1, 3600.0])
def test_timeouts(value: float) -> None:
    assert seconds(value) == value


@pytest.mark.parametrize("value", [0, -1, 86401, 1e300, float("inf"), float("nan")])
def test_invalid_timeouts(value: float) -> None:
    with pytest.raises(KeyfleetError) as caught:
        seconds(value)
    assert caught.value.code == "bad_options"


# Keys


def test_the_top_level_options_are_one_key() -> None:
    (key,) = keys(
        repository="h.example:8443",
        public_key="token",
        private_key="a password",
        users=["deploy", "www-data"],
        projects=["/srv/shop/"],
        paths=["/etc/auth.json"],
        url="https://h.example:8443/x/",
        packages=["A/B"],
    )
    assert (key.repository, key.present, key.public_key, key.private_key) == (
        "h.example:8443", True, "token", "a password",
    )  # fmt: skip
    assert (key.users, key.projects, key.paths) == (("deploy", "www-data"), ("/srv/shop",), ("/etc/auth.json",))
    assert (key.url, key.packages) == ("https://h.example:8443/x/", ("a/b",))
    assert "a password" not in repr(key)


def test_the_default_repository_is_repo_magento_com() -> None:
    assert [key.repository for key in keys(**PAIR)] == ["repo.magento.com"]
    assert [key.repository for key in keys(keys=[{**PAIR, "repository": None}])] == ["repo.magento.com"]


@pytest.mark.parametrize("repository", ["", "https://repo.magento.com", "h/x", "u@h", "1234", "a b", 7])
def test_an_invalid_repository_is_refused(repository: Any) -> None:
    assert "repository" in refusal("bad_options", repository=repository, **PAIR)
    assert "keys[0].repository" in refusal("bad_options", keys=[{**PAIR, "repository": repository}])


TARGETS = {"users": ["deploy"], "projects": ["/srv/shop"], "paths": ["/etc/auth.json"]}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, (("deploy",), ("/srv/shop",), ("/etc/auth.json",))),
        ({"users": None, "projects": None}, (("deploy",), ("/srv/shop",), ("/etc/auth.json",))),
        ({"users": ["ci"]}, (("ci",), (), ())),
        ({"projects": ["/srv/two"]}, ((), ("/srv/two",), ())),
        ({"paths": ["/x/auth.json"]}, ((), (), ("/x/auth.json",))),
    ],
)
def test_a_key_without_targets_gets_the_top_level_targets(own: Dict[str, Any], expected: Any) -> None:
    (key,) = keys(keys=[{**PAIR, **own}], **TARGETS)
    assert (key.users, key.projects, key.paths) == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"keys": []}, "keys is an empty list"),
        ({"keys": [{**PAIR, "users": []}], **TARGETS}, "keys[0].users is an empty list"),
        ({"keys": [PAIR, {**PAIR, "paths": ["/a", ""]}], **TARGETS}, "keys[1].paths has an empty element"),
        ({**PAIR, "users": []}, "users is an empty list"),
        ({**PAIR, "packages": []}, "packages is an empty list"),
        ({**PAIR, "projects": ["shop"]}, "projects: 'shop' is not an absolute path"),
        ({"private_key": PRIVATE}, "public_key at repo.magento.com: public_key is missing"),
        ({"public_key": PUBLIC}, f"public_key {PUBLIC} at repo.magento.com: private_key is missing"),
        (
            {"keys": [PAIR, {"public_key": OTHER}]},
            f"keys[1] {OTHER} at repo.magento.com: keys[1].private_key is missing",
        ),
        ({}, "neither keys nor public_key and private_key are set; to remove keys, set state to absent"),
        ({"keys": [PAIR], "packages": ["a/b"]}, "packages applies to public_key, which is not set"),
        (
            {"keys": [{**PAIR, "packages": ["a"]}]},
            f"keys[0] {PUBLIC} at repo.magento.com: keys[0].packages: 'a' is not a package name",
        ),
        ({"keys": [{**PAIR, "url": "http://h"}]}, "keys[0].url 'http://h' is not an https address"),
    ],
)
def test_messages_name_the_refused_option(params: Dict[str, Any], words: str) -> None:
    assert words in refusal("bad_options", **params)


@pytest.mark.parametrize(
    ("top_level", "own", "present"),
    [
        ("present", None, True),
        ("absent", None, False),
        ("present", "absent", False),
        ("absent", "present", True),
    ],
)
def test_the_state_of_a_key_takes_precedence(top_level: str, own: Optional[str], present: bool) -> None:
    (key,) = keys(keys=[{**PAIR, "state": own}], state=top_level)
    assert key.present is present


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ({"public_key": PUBLIC.upper()}, "upper-case"),
        ({"public_key": PUBLIC[:-1]}, "31 characters"),
        ({"private_key": fake_key("token", 40)}, "download token"),
        ({"private_key": PUBLIC}, "same value"),
        ({"public_key": "owner@shop.example"}, "e-mail"),
        ({"public_key": "MAG001234567"}, "MAGEID"),
        ({"private_key": "<private key>"}, "placeholder"),
        ({"private_key": "your_private_key"}, "placeholder"),
        ({"private_key": "x" * 32}, "placeholder"),
        ({"public_key": int("1" * 32)}, "not text"),
        ({"private_key": 1e31}, "not text"),
        ({"private_key": True}, "not text"),
        ({"private_key": ["a"]}, "not text"),
        ({"private_key": ""}, "empty"),
        ({"private_key": PRIVATE + "\n"}, "blanks"),
    ],
)
def test_values_that_cannot_be_keys(pair: Dict[str, Any], words: str) -> None:
    values = {**PAIR, **pair}
    message = refusal("bad_key", **values)
    # A valid public half is shown, to identify the key.
    shown = f" {PUBLIC}" if "public_key" not in pair and pair["private_key"] != PUBLIC else ""
    assert message.startswith(f"No file was touched: public_key{shown} at repo.magento.com: ")
    assert words in message
    for value in pair.values():
        assert len(str(value)) < 5 or str(value) not in message


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "neither magento_auth_keys nor magento_auth_public_key and magento_auth_private_key are set"),
        ({"keys": []}, "magento_auth_keys is an empty list"),
        ({**PAIR, "users": []}, "magento_auth_users is an empty list"),
        ({"keys": [PAIR], "projects": ["shop"]}, "magento_auth_projects: 'shop' is not an absolute path"),
        ({"keys": [{**PAIR, "users": []}]}, "magento_auth_keys[0].users is an empty list"),
        ({**PAIR, "repository": "u@h"}, "magento_auth_repository 'h': "),
        (
            {"keys": [PAIR], "public_key": OTHER, "private_key": "hunter2"},
            f"magento_auth_public_key {OTHER} at repo.magento.com: magento_auth_private_key is not 32",
        ),
        (
            {"keys": [PAIR, {"repository": "h.example", "public_key": "token", "private_key": "<here>"}]},
            "magento_auth_keys[1] token at h.example: magento_auth_keys[1].private_key is a placeholder",
        ),
    ],
)
def test_messages_name_the_variables_of_a_role(params: Dict[str, Any], words: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        keys_from({"state": "present", **params}, prefix="magento_auth_")
    assert words in caught.value.message


def test_top_level_options_and_list_are_combined() -> None:
    flat = {"repository": "h.example", "public_key": "token", "private_key": "made up", "url": "https://h.example/a/"}
    assert [(key.option, key.repository, key.url) for key in keys(keys=[PAIR, PAIR], **flat)] == [
        ("keys[0]", "repo.magento.com", None),
        ("keys[1]", "repo.magento.com", None),
        ("public_key", "h.example", "https://h.example/a/"),
    ]
    # The repository has a default.
    assert [key.option for key in keys(keys=[PAIR], repository="repo.magento.com")] == ["keys[0]"]
    assert [key.option for key in keys(state="absent")] == ["public_key"]
    assert [key.option for key in keys(state="absent", keys=[{}])] == ["keys[0]"]


@pytest.mark.parametrize("public", [PRIVATE, "<token>", "a:b", "", "x" * 21, "a\nb", 7, None], ids=str)
def test_an_invalid_public_half_is_not_shown(public: Any) -> None:
    private = public if public == PRIVATE else "made up"
    assert (
        key_title("keys[0]", repository="h.example", public_key=public, private_key=private) == "keys[0] at h.example"
    )


def test_other_hosts_may_have_other_formats() -> None:
    (key,) = keys(repository="h.example", public_key="owner@shop.example", private_key="hunter2 and a half")
    assert key.private_key == "hunter2 and a half"


def test_all_bad_keys_are_reported_together() -> None:
    with pytest.raises(KeyfleetError) as caught:
        keys(keys=[PAIR, {**PAIR, "public_key": "MAG001234567"}, {**PAIR, "private_key": "hunter2"}])
    messages = [problem.message for problem in caught.value.problems]
    assert messages == [
        "keys[1] at repo.magento.com: keys[1].public_key is a MAGEID; that belongs to release downloads, not to "
        "repo.magento.com",
        f"keys[2] {PUBLIC} at repo.magento.com: keys[2].private_key is not 32 lower-case hex digits (it has 7 "
        "characters)",
    ]
    assert {problem.code for problem in caught.value.problems} == {"bad_key"}


@pytest.mark.parametrize(
    ("public", "kept"), [(None, None), (PUBLIC, PUBLIC), ("MAG001234567", "MAG001234567"), ("x" * 32, "x" * 32)]
)
def test_an_invalid_key_can_be_removed(public: Optional[str], kept: Optional[str]) -> None:
    (key,) = keys(state="absent", public_key=public, private_key=PRIVATE)
    assert (key.present, key.public_key, key.private_key) == (False, kept, "")


@pytest.mark.parametrize("public", [int("1" * 32), "", True])
def test_a_key_to_remove_must_be_text(public: Any) -> None:
    assert "public_key must be text" in refusal("bad_key", state="absent", public_key=public)


@pytest.mark.parametrize("path", ["a\0b", "/ca/\ud800"])
def test_invalid_path(path: str) -> None:
    with pytest.raises(KeyfleetError) as caught:
        file_path("ca_path", path)
    assert caught.value.code == "bad_options" and "ca_path" in caught.value.message
    assert file_path("ca_path", None) is None and file_path("ca_path", "/ca.pem") == "/ca.pem"
