# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules share: argument specs and checks."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ._errors import KeyfleetError, Problem
from ._secrets import MAGENTO_REPOSITORY, host_as_shown, key_faults, key_title, repository_fault, shown_host

ArgumentSpec = Dict[str, Dict[str, Any]]

FAIL_ON = ("invalid", "refused", "not_entitled", "unknown")

CONNECTION_SPEC: ArgumentSpec = {
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "float", "default": 30.0},
    "use_proxy": {"type": "bool", "default": True},
}
KEY_SPEC: ArgumentSpec = {
    "repository": {"type": "str"},
    # raw: a value that YAML parsed as a number must be refused, not converted to text.
    "public_key": {"type": "raw", "no_log": False},
    "private_key": {"type": "raw", "no_log": True},
    "url": {"type": "str"},
    "packages": {"type": "list", "elements": "str"},
    "users": {"type": "list", "elements": "str"},
    "projects": {"type": "list", "elements": "path"},
    "paths": {"type": "list", "elements": "path"},
    "search": {"type": "list", "elements": "path"},
}
_TARGETS = ("users", "projects", "paths")

# Vendor and name as in Composer's schema, in lower case.
_PACKAGE = re.compile(r"[a-z0-9]+(?:[_.-][a-z0-9]+)*/[a-z0-9]+(?:[_.-]+[a-z0-9]+)*\Z")


class Connection(NamedTuple):
    """How to reach a repository. ``timeout``: seconds for a plain verdict, and for each silence while reading files."""

    validate_certs: bool = True
    ca_path: Optional[str] = None
    timeout: float = 30
    use_proxy: bool = True


class Key(NamedTuple):
    """One auth key: the desired entry for a repository, where it belongs, and how it is verified.

    ``present`` False removes the entry; with a ``public_key``, only if the entry has it. ``only_existing`` replaces an
    entry but adds none: a Composer home that is not read first gets no new key. ``search`` are roots below which the
    key is removed, besides all homes; None for a key with its own targets. ``anywhere``: it is removed for every
    repository. ``option`` is its name in messages: the option of its public half, or the element of a list of keys.
    """

    repository: str
    present: bool = True
    public_key: Optional[str] = None
    private_key: str = ""
    url: Optional[str] = None
    packages: Tuple[str, ...] = ()
    only_existing: bool = False
    users: Tuple[str, ...] = ()
    projects: Tuple[str, ...] = ()
    paths: Tuple[str, ...] = ()
    search: Optional[Tuple[str, ...]] = None
    anywhere: bool = False
    option: str = "public key"

    @property
    def entry(self) -> Tuple[str, bool, Optional[str], str]:
        """The desired entry. Keys that differ in it cannot have the same file."""
        return self.repository, self.present, self.public_key, self.private_key

    @property
    def title(self) -> str:
        """The name of the key in messages."""
        where = shown_host(self.repository)
        return key_title(self.option, repository=where, public_key=self.public_key, private_key=self.private_key)

    def __repr__(self) -> str:
        return f"Key({self.repository!r})"


def bad_options(message: str) -> KeyfleetError:
    """The failure for invalid or contradictory options."""
    return KeyfleetError("bad_options", message)


def listed(name: str, value: Optional[Sequence[Any]]) -> Tuple[str, ...]:
    """A list option without surrounding blanks and duplicates; empty if it was omitted.

    An empty list or element is an error: it usually comes from a variable that is empty by mistake.
    """
    items = [str(item).strip() for item in value or ()]
    if value is not None and not items:
        raise bad_options(f"{name} is an empty list; omit it instead")
    if "" in items:
        raise bad_options(f"{name} has an empty element")
    return tuple(dict.fromkeys(items))


def absolute(name: str, value: Optional[Sequence[Any]]) -> Tuple[str, ...]:
    """Like `listed`, for absolute paths, without trailing and double slashes."""
    items = listed(name, value)
    for item in items:
        if not os.path.isabs(item) or ".." in item.split("/"):
            raise bad_options(f"{name}: {item!r} is not an absolute path, or has '..'")
    return tuple(dict.fromkeys("/" + "/".join(p for p in item.split("/") if p not in ("", ".")) for item in items))


def package_names(value: Optional[Sequence[Any]], *, name: str = "packages") -> Tuple[str, ...]:
    """The packages to look up, in lower case as Composer compares them."""
    packages = tuple(dict.fromkeys(package.lower() for package in listed(name, value)))
    for package in packages:
        if not _PACKAGE.match(package):
            raise bad_options(f"{name}: {package!r} is not a package name (vendor/name)")
    return packages


def address(value: Optional[str], *, name: str = "url") -> Optional[str]:
    """An https address of a server without credentials, or None if option ``name`` was omitted."""
    if value is None:
        return None
    from urllib.parse import urlsplit  # on use, since most keys have no address of their own

    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise bad_options(f"{name} is not an address") from None
    if "@" in parts.netloc:
        # The value is not quoted: it may hold a password.
        raise bad_options(f"{name} must not contain a user name or password; use the options for them")
    if parts.scheme != "https" or not host or parts.query or parts.fragment:
        raise bad_options(f"{name} {host_as_shown(value)} is not an https address, or has a query or fragment")
    return value


def file_mode(
    value: Any, *, most: int = 0o770, example: str = "0600", rule: str = "the owner must have read access, others none"
) -> int:
    """The mode as a number. Text is octal; YAML parses 0600 as octal, too. Permissions beyond ``most`` are an error."""
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        raise bad_options(f"mode {value!r} is not an octal number such as '{example}'") from None
    if mode & ~most or not mode & 0o400:
        hint = f"write it in quotes, '{example}', so that YAML does not change it"
        raise bad_options(f"mode {mode:04o}: {rule} ({hint})")
    return mode


def file_path(name: str, value: Optional[str]) -> Optional[str]:
    """The path of a file, or None if option ``name`` was omitted."""
    try:
        if value is not None and b"\0" in os.fsencode(value):
            raise ValueError
    except ValueError:
        raise bad_options(f"{name} contains a character that no path can have") from None
    return value


def seconds(value: float) -> float:
    """A timeout in seconds, above zero and at most a day."""
    if not 0 < value <= 86400:
        raise bad_options("timeout must be a number of seconds above zero and no more than a day")
    return value


def _roots(item: Mapping[str, Any], *, present: bool, own: str) -> Optional[Tuple[str, ...]]:
    """The option ``search``, which may be empty. It is valid only for the removal of one particular key."""
    if item.get("search") is None:
        return None
    if present or item.get("public_key") is None:
        raise bad_options(f"{own}search removes one particular key: it needs {own}state absent and {own}public_key")
    if any(item.get(name) is not None for name in _TARGETS):
        raise bad_options(f"{own}search covers the whole host, so it cannot be combined with users, projects or paths")
    # Without roots only all homes are searched.
    return absolute(f"{own}search", item["search"] or None)


def _key(item: Mapping[str, Any], defaults: Mapping[str, Any], *, prefix: str, element: str) -> Tuple[Key, List[str]]:
    """One key and its faults. ``prefix`` precedes the module's option names; ``element`` is the element of ``keys``."""
    own = prefix if item is defaults else f"{element}."
    option = f"{own}public_key" if item is defaults else element
    repository = MAGENTO_REPOSITORY if item.get("repository") is None else item["repository"]
    fault = repository_fault(repository)
    if fault:
        raise bad_options(f"{own}repository {host_as_shown(repository)}: {fault}")
    own_targets = any(item.get(name) is not None for name in _TARGETS)
    targets, where = (item, own) if own_targets else (defaults, prefix)
    present = (item.get("state") or defaults["state"]) == "present"
    search = _roots(item, present=present, own=own)
    targets = {} if search is not None else targets
    public, private = item.get("public_key"), item.get("private_key")
    title = key_title(option, repository=repository, public_key=public, private_key=private)
    faults: List[str] = []
    if present:
        names = (f"{own}public_key", f"{own}private_key")
        for name, value in zip(names, (public, private)):
            if value is None:
                raise bad_options(f"{title}: {name} is missing (state is present)")
        faults = key_faults(repository=repository, public_key=public, private_key=private, names=names)
    elif public is not None and (not isinstance(public, str) or not public):
        faults = [f"{own}public_key must be text; omit it to remove the entry with any key"]
    try:
        key = Key(
            option=option,
            repository=repository,
            present=present,
            public_key=None if public is None else str(public),
            private_key=str(private) if present else "",
            users=listed(f"{where}users", targets.get("users")),
            projects=absolute(f"{where}projects", targets.get("projects")),
            paths=absolute(f"{where}paths", targets.get("paths")),
            url=address(item.get("url"), name=f"{own}url"),
            packages=package_names(item.get("packages"), name=f"{own}packages"),
            search=search,
            anywhere=search is not None and item.get("repository") is None,
        )
    except KeyfleetError as error:
        raise KeyfleetError(error.code, f"{title}: {error.message}") from None
    return key, [f"{title}: {text}" for text in faults]


def keys_from(params: Mapping[str, Any], *, prefix: str = "") -> List[Key]:
    """The keys of the options: those of the list ``keys``, then the one of the top-level options.

    ``prefix`` precedes option names in messages. Raises `KeyfleetError` ``bad_options`` or ``bad_key``.
    """
    elements = params.get("keys")
    flat = [name for name in ("public_key", "private_key") if params.get(name) is not None]
    if elements is not None and not elements:
        # Usually a variable that is empty by mistake; with state absent it would remove a key that was not named.
        raise bad_options(f"{prefix}keys is an empty list; omit it instead")
    if elements is None and not flat and params["state"] == "present":
        raise bad_options(
            f"neither {prefix}keys nor {prefix}public_key and {prefix}private_key are set; "
            f"to remove keys, set {prefix}state to absent"
        )
    # With state absent, a private half alone would remove any key.
    names = ("private_key", "repository", "url", "packages")
    alone = [name for name in names if params.get(name) not in (None, MAGENTO_REPOSITORY)]
    if elements is not None and params.get("public_key") is None and alone:
        raise bad_options(
            f"{prefix}{alone[0]} applies to {prefix}public_key, which is not set; "
            f"for {prefix}keys, set {alone[0]} in each element"
        )
    items = [*(elements or ()), *([params] if flat or elements is None else ())]
    read = [_key(item, params, prefix=prefix, element=f"{prefix}keys[{number}]") for number, item in enumerate(items)]
    faults = [fault for _one, wrong in read for fault in wrong]
    if faults:
        problems = [Problem("bad_key", fault) for fault in faults]
        raise KeyfleetError("bad_key", "No file was touched: " + "; ".join(faults), problems=problems)
    return [key for key, _wrong in read]
