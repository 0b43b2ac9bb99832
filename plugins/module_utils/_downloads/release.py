# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One release brought to a file: looked at, asked about, fetched, checked, put into its place."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import absolute, bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.feed import Release, find
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.file import (
    Attributes,
    Facts,
    Part,
    Target,
    hasher,
    target,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.source import Source, source_from
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.transfer import Getter, Patience, Transfer
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    group_name,
    owner_and_group,
    owner_name,
)

_CHECKSUM = re.compile(r"([a-z0-9_-]+):([0-9a-fA-F]+)\Z")


@dataclass
class Work:
    """What is asked for, and what has been found out about it."""

    source: Source
    file_name: str
    path: str
    checksum: Dict[str, str]
    attributes: Attributes
    force: bool
    patience: Patience
    problems: List[Problem]
    release: Optional[Release] = None
    transfer: Transfer = field(default_factory=Transfer)

    @property
    def getter(self) -> Getter:
        """Gets the file."""
        return Getter(self.source, self.file_name, self.patience)

    def expected(self) -> Dict[str, str]:
        """Algorithm → sum: the user's own, and the feed's MD5."""
        sums = dict(self.checksum)
        if self.release is not None and self.release.md5 is not None:
            sums.setdefault("md5", self.release.md5)
        return sums

    def look_up(self) -> None:
        """Ask the feed for the file. What it does not list may be there all the same."""
        self.release = find(self.source.releases(), self.file_name)
        if self.release is None:
            text = f"{self.file_name} is not in the feed, so no MD5 is known for it"
            self.problems.append(Problem("not_listed", text))
        elif self.release.md5 is not None:
            try:
                hasher("md5")
            except ValueError as exc:
                self.problems.append(Problem("no_md5", f"The MD5 of the feed cannot be checked: {exc}"))
                self.release = None


def _file_name(value: str) -> str:
    odd = any(ord(char) < 33 or ord(char) > 126 or char in '/\\"{}[]?#%' for char in value)
    if not value or odd or value.startswith(".") or value.startswith("-"):
        raise bad_options(f"file_name {value!r} is not the name of a release file")
    return value


def _destination(value: Any, file_name: str) -> str:
    path = (absolute("dest", [value]) or ("",))[0]
    return os.path.join(path, file_name) if str(value).endswith("/") or os.path.isdir(path) else path


def _checksum(value: Optional[str]) -> Dict[str, str]:
    if value is None:
        return {}
    found = _CHECKSUM.match(value.strip())
    if found is None:
        raise bad_options(f"checksum {value!r} is not an algorithm and its hexadecimal sum, as in sha256:0123...")
    algorithm, digits = found.group(1), found.group(2).lower()
    try:
        length = 2 * hasher(algorithm).digest_size
    except ValueError:
        raise bad_options(f"checksum: this host knows no algorithm {algorithm!r}") from None
    if length != len(digits) or not length:
        raise bad_options(f"checksum: a sum of {algorithm} has {length} digits, this one {len(digits)}")
    return {algorithm: digits}


def _mode(value: Any) -> int:
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        raise bad_options(f"mode {value!r} is not an octal number such as '0644'") from None
    if mode & ~0o777 or not mode & 0o400 or mode & 0o002:
        raise bad_options(
            f"mode {mode:04o} must let the owner read and not let everybody write "
            "(write it in quotes, '0644', so that YAML does not change it)"
        )
    return mode


def _work(params: Mapping[str, Any]) -> Work:
    file_name = _file_name(params["file_name"])
    if params["retries"] < 0 or not 0 <= params["retry_delay"] < float("inf"):
        raise bad_options("retries and retry_delay must not be negative")
    uid, gid = owner_and_group(params)
    return Work(
        source=source_from(params),
        file_name=file_name,
        path=_destination(params["dest"], file_name),
        checksum=_checksum(params["checksum"]),
        attributes=Attributes(uid, gid, _mode(params["mode"])),
        force=params["force"],
        patience=Patience(params["retries"], params["retry_delay"]),
        problems=[],
    )


def _is_there(work: Work, place: Target) -> bool:
    """Whether the file is the one that is wanted, found out with as few questions as possible."""
    if work.force or not place.counts(place.wanted(work.attributes, None)):
        return False
    if work.checksum:
        # Who names a sum needs no server to tell whether the file is right.
        return place.sums(list(work.checksum)) == work.checksum
    work.look_up()
    sums = work.expected()
    if sums:
        return place.sums(list(sums)) == sums
    size = work.getter.ask().size
    wanted = place.wanted(work.attributes, size)
    # What may be another file of that size is not given to an owner, nor opened to a group.
    same = place.facts == wanted or (size == place.facts.size and place.is_chosen_by(wanted.uid))
    if same:
        text = f"No checksum is known for {work.file_name}; its size was compared, and nothing else"
        work.problems.append(Problem("size_only", text, work.path))
    return same


def _fetch(work: Work, place: Target, wanted: Facts) -> Facts:
    """The file in its place, or `KeyfleetError` and what was there before."""
    with place.part(wanted.uid, patience=work.source.service.timeout) as part:
        sums = work.expected()
        if part.size and not sums:
            # Nothing could tell whether what an earlier run left belongs to the same file.
            part.cut()
        for last in (False, True):
            started_with = part.size
            _transfer(work, part)
            found = part.sums(list(sums))
            wrong = [name for name in sums if found[name] != sums[name]]
            if not wrong:
                break
            part.cut()
            if last or not (started_with or work.transfer.requests > 1):
                part.discard()
                raise _mismatch(work, wrong[0], found)
        size = part.size
        part.put_in_place(wanted)
    return Facts(size, wanted.uid, wanted.gid, wanted.mode)


def _transfer(work: Work, part: Part) -> None:
    try:
        work.getter.get(part, work.transfer)
    except KeyfleetError:
        if part.size == 0:
            part.discard()
        raise


def _mismatch(work: Work, name: str, found: Mapping[str, str]) -> KeyfleetError:
    source = "of the feed" if name not in work.checksum else "that was asked for"
    return KeyfleetError(
        "checksum_mismatch",
        f"{work.file_name} came with the {name} {found[name]}, which is not the one {source}, "
        f"{work.expected()[name]}. It was discarded; {work.path} is as it was.",
    )


def install(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Bring the release to its file. The result has the shape that the module documents. Raises `KeyfleetError`."""
    work = _work(params)
    try:
        with target(work.path, work.attributes.uid) as place:
            return _brought(work, place, check_mode=check_mode)
    except KeyfleetError as error:
        raise KeyfleetError(
            error.code,
            error.message,
            problems=(*work.problems, *error.problems),
            release=work.release and work.release.as_result(),
            transfer=work.transfer.as_result(),
        ) from error


def _brought(work: Work, place: Target, *, check_mode: bool) -> Dict[str, Any]:
    before = place.facts
    if not place.directory_exists:
        missing = Problem("no_directory", f"There is no directory {os.path.dirname(work.path)}", work.path)
        if not check_mode:
            raise KeyfleetError(missing.code, missing.message)
        work.problems.append(missing)
    there = _is_there(work, place)
    size = before.size
    if not there and work.release is None and not any(p.code in ("not_listed", "no_md5") for p in work.problems):
        work.look_up()
    if not there:
        size = work.getter.ask().size if check_mode else None
    after = place.wanted(work.attributes, size)
    if check_mode or there:
        if there and before != after and not check_mode:
            place.repair(after)
    else:
        after = _fetch(work, place, after)
    return _result(work, place, before, after, there=there)


def _result(work: Work, place: Target, before: Facts, after: Facts, *, there: bool) -> Dict[str, Any]:
    action = "created"
    if before.exists:
        action = "updated" if not there else "unchanged" if before == after else "repaired"
    changed = action != "unchanged"
    row = {
        "path": work.path,
        "real_path": place.place.real_path,
        "file_name": work.file_name,
        "owner": owner_name(after.uid),
        "action": action,
        "before": _view(before),
        "after": _view(after, known=True),
    }
    result: Dict[str, Any] = {
        "changed": changed,
        "files": [row],
        "release": work.release and work.release.as_result(),
        "checksums": work.expected(),
        "transfer": work.transfer.as_result(),
        "problems": [problem.as_result() for problem in work.problems],
        "diff": [],
    }
    if changed:
        result["diff"] = [
            {
                "before_header": work.path + ("" if before.exists else " (absent)"),
                "after_header": work.path,
                "before": _text(before) if before.exists else "",
                "after": _text(after) + (f"{work.file_name}\n" if not there else ""),
            }
        ]
    return result


def _view(facts: Facts, *, known: bool = False) -> Optional[Dict[str, Any]]:
    if not facts.exists and not known:
        return None
    return {
        "size": facts.size,
        "owner": owner_name(facts.uid),
        "group": group_name(facts.gid),
        "mode": None if facts.mode is None else f"{facts.mode:04o}",
    }


def _text(facts: Facts) -> str:
    size = "unknown size" if facts.size is None else f"{facts.size} bytes"
    return f"{owner_name(facts.uid)}:{group_name(facts.gid)} {facts.mode or 0:04o}\n{size}\n"
