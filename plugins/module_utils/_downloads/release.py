# Copyright (c) 2026 The keyfleet.magento authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install one release as a file: check the existing file, look up the release, download, verify, rename."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.keyfleet.magento.plugins.module_utils._argspec import absolute, bad_options
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.feed import Release, find
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.file import (
    Attributes,
    Destination,
    Facts,
    PartialFile,
    hasher,
    open_destination,
)
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.source import Source, source_from
from ansible_collections.keyfleet.magento.plugins.module_utils._downloads.transfer import Getter, RetryPolicy, Transfer
from ansible_collections.keyfleet.magento.plugins.module_utils._errors import KeyfleetError, Problem
from ansible_collections.keyfleet.magento.plugins.module_utils._files.accounts import (
    group_name,
    owner_and_group,
    owner_name,
)

_CHECKSUM = re.compile(r"([a-z0-9_-]+):([0-9a-fA-F]+)\Z")


@dataclass
class ReleaseRun:
    """The requested release, and what is known about it so far."""

    source: Source
    file_name: str
    path: str
    checksum: Dict[str, str]
    attributes: Attributes
    force: bool
    retry_policy: RetryPolicy
    problems: List[Problem]
    release: Optional[Release] = None
    transfer: Transfer = field(default_factory=Transfer)

    @property
    def getter(self) -> Getter:
        """The getter for the file."""
        return Getter(self.source, self.file_name, self.retry_policy)

    def expected(self) -> Dict[str, str]:
        """Expected checksums by algorithm: the one in the options, and the MD5 of the feed."""
        sums = dict(self.checksum)
        if self.release is not None and self.release.md5 is not None:
            sums.setdefault("md5", self.release.md5)
        return sums

    def look_up(self) -> None:
        """Look up the file in the feed. An unlisted file may exist nevertheless."""
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
    invalid = any(ord(char) < 33 or ord(char) > 126 or char in '/\\"{}[]?#%' for char in value)
    if not value or invalid or value.startswith(".") or value.startswith("-"):
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
        raise bad_options(f"checksum {value!r} is not an algorithm with a hexadecimal checksum, as in sha256:0123...")
    algorithm, digits = found.group(1), found.group(2).lower()
    try:
        length = 2 * hasher(algorithm).digest_size
    except ValueError:
        raise bad_options(f"checksum: this host does not support the algorithm {algorithm!r}") from None
    if length != len(digits) or not length:
        raise bad_options(f"checksum: {algorithm} has {length} digits, but this one has {len(digits)}")
    return {algorithm: digits}


def _mode(value: Any) -> int:
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        raise bad_options(f"mode {value!r} is not an octal number such as '0644'") from None
    if mode & ~0o777 or not mode & 0o400 or mode & 0o002:
        raise bad_options(
            f"mode {mode:04o}: owner must be able to read, others not to write "
            "(write it in quotes, '0644', so that YAML does not change it)"
        )
    return mode


def _work(params: Mapping[str, Any]) -> ReleaseRun:
    file_name = _file_name(params["file_name"])
    if params["retries"] < 0 or not 0 <= params["retry_delay"] < float("inf"):
        raise bad_options("retries and retry_delay must not be negative")
    uid, gid = owner_and_group(params)
    return ReleaseRun(
        source=source_from(params),
        file_name=file_name,
        path=_destination(params["dest"], file_name),
        checksum=_checksum(params["checksum"]),
        attributes=Attributes(uid, gid, _mode(params["mode"])),
        force=params["force"],
        retry_policy=RetryPolicy(params["retries"], params["retry_delay"]),
        problems=[],
    )


def _is_current(work: ReleaseRun, destination: Destination) -> bool:
    """Whether the existing file is the requested one, determined with as few requests as possible."""
    if work.force or not destination.can_be_kept(destination.wanted(work.attributes, None)):
        return False
    if work.checksum:
        # With a checksum no request is needed.
        return destination.sums(list(work.checksum)) == work.checksum
    work.look_up()
    sums = work.expected()
    if sums:
        return destination.sums(list(sums)) == sums
    size = work.getter.ask().size
    wanted = destination.wanted(work.attributes, size)
    # Another file of that size must not be given to a new owner or group.
    same = destination.facts == wanted or (size == destination.facts.size and destination.is_chosen_by(wanted.uid))
    if same:
        text = f"No checksum is known for {work.file_name}; only its size was compared"
        work.problems.append(Problem("size_only", text, work.path))
    return same


def _fetch(work: ReleaseRun, destination: Destination, wanted: Facts) -> Facts:
    """Download, verify and rename the file. On `KeyfleetError` the previous file is unchanged."""
    with destination.part(wanted.uid, lock_timeout=work.source.service.timeout) as part:
        sums = work.expected()
        if part.size and not sums:
            # Without a checksum, an earlier partial file cannot be verified.
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


def _transfer(work: ReleaseRun, part: PartialFile) -> None:
    try:
        work.getter.get(part, work.transfer)
    except KeyfleetError:
        if part.size == 0:
            part.discard()
        raise


def _mismatch(work: ReleaseRun, name: str, found: Mapping[str, str]) -> KeyfleetError:
    source = "the feed" if name not in work.checksum else "the option checksum"
    return KeyfleetError(
        "checksum_mismatch",
        f"{work.file_name} has the {name} {found[name]}, but {source} has {work.expected()[name]}. "
        f"The download was discarded; {work.path} was not changed.",
    )


def install_release(params: Mapping[str, Any], *, check_mode: bool) -> Dict[str, Any]:
    """Install the release. Returns the result that the module documents. Raises `KeyfleetError`."""
    work = _work(params)
    try:
        with open_destination(work.path, work.attributes.uid) as destination:
            return _install(work, destination, check_mode=check_mode)
    except KeyfleetError as error:
        raise KeyfleetError(
            error.code,
            error.message,
            problems=(*work.problems, *error.problems),
            release=work.release and work.release.as_result(),
            transfer=work.transfer.as_result(),
        ) from error


def _install(work: ReleaseRun, destination: Destination, *, check_mode: bool) -> Dict[str, Any]:
    before = destination.facts
    if not destination.directory_exists:
        missing = Problem("no_directory", f"The directory {os.path.dirname(work.path)} does not exist", work.path)
        if not check_mode:
            raise KeyfleetError(missing.code, missing.message)
        work.problems.append(missing)
    current = _is_current(work, destination)
    size = before.size
    if not current and work.release is None and not any(p.code in ("not_listed", "no_md5") for p in work.problems):
        work.look_up()
    if not current:
        size = work.getter.ask().size if check_mode else None
    after = destination.wanted(work.attributes, size)
    if check_mode or current:
        if current and before != after and not check_mode:
            destination.repair(after)
    else:
        after = _fetch(work, destination, after)
    return _result(work, destination, before, after, current=current)


def _result(
    work: ReleaseRun, destination: Destination, before: Facts, after: Facts, *, current: bool
) -> Dict[str, Any]:
    action = "created"
    if before.exists:
        action = "updated" if not current else "unchanged" if before == after else "repaired"
    changed = action != "unchanged"
    row = {
        "path": work.path,
        "real_path": destination.location.real_path,
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
                "after": _text(after) + (f"{work.file_name}\n" if not current else ""),
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
